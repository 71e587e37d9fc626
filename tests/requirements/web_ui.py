"""What the web UI must do."""

from tests.requirements.requirement import Requirement

_TASKS = "web/test_tasks_in_the_browser.py"
_PEOPLE = "web/test_people_in_the_browser.py"
_AGENTS = "web/test_agents_in_the_browser.py"
_RESULTS = "web/test_results_in_the_browser.py"
_CHAT = "web/test_chat_in_the_browser.py"
_BROWSER = "web/test_browser_in_the_browser.py"
_BAD = "web/test_bad_input.py"
_ACCESS = "web/test_access.py"
_SOCKET = "web/test_live_socket.py"
_SERVING = "web/test_serving.py"
_BUILD = "web/test_build.py"

REQUIREMENTS = (
    Requirement(
        "ui-served",
        "The orchestrator serves the built app at `/`; set-up builds it where Node is; without it `/` says how.",
        (
            f"{_SERVING}::test_every_page_is_the_same_file_with_a_strict_policy",
            f"{_SERVING}::test_an_address_where_nothing_is_gets_the_ui_for_people_and_json_for_programs",
            "web/test_api_page.py::test_the_api_is_read_and_tried_with_what_comes_along",
            f"{_SERVING}::test_files_are_kept_for_ever_and_come_compressed",
            f"{_SERVING}::test_nothing_outside_the_build_is_served",
            f"{_SERVING}::test_without_a_build_the_start_says_how_to_get_one",
            f"{_SERVING}::test_a2a_is_served_at_the_addresses_of_pages",
            "test_newcomer.py::test_the_web_ui_is_built_once_and_again_when_its_sources_change",
            "test_newcomer.py::test_a_web_ui_that_cannot_be_built_does_not_stop_set_up",
            "test_newcomer.py::test_without_node_set_up_says_how_to_get_the_web_ui",
        ),
    ),
    Requirement(
        "ui-task",
        "Task page: live graph, timeline, list, raw; step panel; stop, retry, fork with edits; deep links.",
        (
            f"{_TASKS}::test_a_task_of_the_composer_is_watched_to_its_result",
            f"{_TASKS}::test_steps_appear_in_the_graph_as_they_go",
            f"{_TASKS}::test_a_step_shows_output_input_files_log_wire_and_agent",
            f"{_TASKS}::test_a_link_to_a_step_opens_it_in_the_same_view_after_a_reload",
            f"{_TASKS}::test_every_view_tells_of_every_step",
            f"{_TASKS}::test_a_task_is_stopped",
            f"{_TASKS}::test_what_failed_is_retried_and_the_rest_is_kept",
            f"{_TASKS}::test_a_step_is_run_again_with_other_words",
            f"{_TASKS}::test_tasks_are_searched_filtered_and_canceled_together",
        ),
    ),
    Requirement(
        "ui-socket",
        "One WebSocket per tab: subscribe, resume by number, heartbeat, back-pressure; it falls back to SSE.",
        (
            f"{_SOCKET}::test_it_tells_what_the_stream_tells",
            f"{_SOCKET}::test_many_tasks_at_once_each_in_order",
            f"{_SOCKET}::test_it_says_when_lists_changed",
            f"{_SOCKET}::test_what_is_unsubscribed_is_not_heard",
            f"{_SOCKET}::test_nonsense_closes_the_connection_with_a_reason",
            f"{_SOCKET}::test_pages_of_other_sites_are_not_served",
            f"{_TASKS}::test_a_lost_connection_is_said_and_resumed_without_a_gap_or_a_repeat",
            f"{_TASKS}::test_without_websockets_the_page_still_follows",
        ),
    ),
    Requirement(
        "ui-people",
        "Inbox and questions in place: forms from JSON Schema, approve, reject, edit; the second to answer is told.",
        (
            f"{_PEOPLE}::test_a_form_says_what_is_missing_then_the_task_goes_on",
            f"{_PEOPLE}::test_a_question_is_answered_where_it_is_asked",
            f"{_PEOPLE}::test_who_answers_second_is_told",
            f"{_PEOPLE}::test_an_answer_that_comes_too_late_is_explained",
            f"{_PEOPLE}::test_a_plan_is_approved",
            f"{_PEOPLE}::test_a_plan_is_rejected_with_a_comment",
            f"{_PEOPLE}::test_a_plan_is_changed_and_approved",
        ),
    ),
    Requirement(
        "ui-chat",
        "Chat: sessions, streamed answers, plans in line, `@agent`, stop, edit and send again, files.",
        (
            f"{_CHAT}::test_a_conversation_goes_on",
            f"{_CHAT}::test_an_agent_is_named_by_a_few_letters",
            f"{_CHAT}::test_an_answer_is_stopped_and_asked_for_in_other_words",
            f"{_CHAT}::test_a_question_is_answered_in_the_conversation",
            f"{_CHAT}::test_a_file_goes_along_with_the_task",
            f"{_CHAT}::test_a_conversation_is_forgotten",
        ),
    ),
    Requirement(
        "ui-agents",
        "Agents: register with preview and findings, try it with the traffic and cancel, accept a diff, suspend.",
        (
            f"{_AGENTS}::test_an_agent_is_looked_at_registered_and_tried",
            f"{_AGENTS}::test_what_is_wrong_with_a_card_is_listed",
            f"{_AGENTS}::test_an_address_where_nobody_answers_is_said",
            f"{_AGENTS}::test_a_try_is_canceled_at_the_agent",
            f"{_AGENTS}::test_an_agent_is_suspended_and_resumed",
            f"{_AGENTS}::test_a_changed_card_is_accepted_from_its_diff",
        ),
    ),
    Requirement(
        "ui-browser",
        "Browser: live view with the steps beside it, take over, hand back, recording and trace.",
        (f"{_BROWSER}::test_the_browser_is_watched_taken_over_handed_back_and_seen_again",),
    ),
    Requirement(
        "ui-results",
        "Charts are drawn without eval and without loading anything; several answers show votes, reasons and scores.",
        (
            f"{_RESULTS}::test_a_chart_is_drawn_from_its_own_rows_and_from_nothing_else",
            f"{_RESULTS}::test_a_step_of_several_agents_shows_who_said_what_and_why_it_was_taken",
            f"{_TASKS}::test_a_step_shows_output_input_files_log_wire_and_agent",
        ),
    ),
    Requirement(
        "ui-over-time",
        "Health over time, by checks kept for two days; costs by day; learned plans are listed and can be forgotten.",
        (
            f"{_AGENTS}::test_an_agents_health_is_shown_over_time",
            "orchestrator/test_health.py::test_checks_are_counted_by_quarters_of_an_hour_and_kept_for_two_days",
            f"{_RESULTS}::test_learned_plans_are_read_and_forgotten",
            f"{_RESULTS}::test_what_models_cost_is_drawn_by_day_and_told_in_numbers",
        ),
    ),
    Requirement(
        "ui-bad-input",
        "What goes wrong and what comes from others is shown safely and clearly; a blank page never.",
        (
            f"{_BAD}::test_a_refusal_is_explained",
            f"{_BAD}::test_an_api_that_is_down_is_said_and_comes_back_by_itself",
            f"{_BAD}::test_what_is_not_there_is_said",
            f"{_BAD}::test_a_slow_api_shows_that_it_waits",
            f"{_BAD}::test_a_wrong_plan_is_refused_with_what_is_wrong",
            f"{_BAD}::test_agents_cannot_run_anything_in_the_page",
            f"{_BAD}::test_an_event_of_an_unknown_type_does_no_harm",
            f"{_BAD}::test_a_plan_of_300_steps_and_names_of_500_characters_are_shown",
            f"{_BAD}::test_an_agent_with_a_name_of_200_characters_fits",
            f"{_BAD}::test_an_event_connection_that_says_nothing_leaves_the_stored_task",
        ),
    ),
    Requirement(
        "ui-access",
        "Keys, themes, 360 pixels, reduced motion; axe finds nothing serious on any page in either theme.",
        (
            f"{_ACCESS}::test_axe_finds_nothing_serious_on_any_page",
            f"{_ACCESS}::test_every_page_fits_a_telephone",
            f"{_ACCESS}::test_keys_go_everywhere",
            f"{_ACCESS}::test_keys_can_be_switched_off",
            f"{_ACCESS}::test_the_palette_finds_pages_agents_and_tasks",
            f"{_ACCESS}::test_the_theme_is_chosen_and_kept",
            f"{_ACCESS}::test_a_task_is_read_and_steered_by_keys_alone",
            f"{_ACCESS}::test_nothing_moves_for_who_wants_it_so",
        ),
    ),
    Requirement(
        "ui-types",
        "Types from the OpenAPI document, made by one command and fresh; answers are as it says.",
        (
            f"{_BUILD}::test_the_types_are_those_of_the_api",
            f"{_BUILD}::test_the_pure_parts_of_the_ui",
            f"{_BUILD}::test_the_lock_file_names_no_host",
            f"{_BUILD}::test_the_page_loads_nothing_from_elsewhere",
            "web/test_shapes.py::test_answers_are_as_the_openapi_document_says",
        ),
    ),
)
