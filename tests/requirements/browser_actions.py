"""What must hold of the browser service: actions, plain words, the model, sessions."""

from tests.requirements.requirement import Requirement

REQUIREMENTS = (
    Requirement(
        "browser-targets",
        "Things are found by role, name, label, placeholder, text, test id, ordinal, near, within, ref, CSS; in frames "
        "and open shadow roots; what is ambiguous or missing is answered with what is there.",
        (
            "browser/test_actions.py::test_a_thing_is_found_by_what_is_said_of_it",
            "browser/test_actions.py::test_a_name_that_several_have_is_refused_with_their_places",
            "browser/test_actions.py::test_a_name_that_nothing_has_is_refused_with_what_is_there",
            "browser/test_actions.py::test_shadow_roots_and_frames_are_used_like_the_page",
        ),
    ),
    Requirement(
        "browser-actions",
        "One closed union of actions: filling of every kind, clicks, dialogs, windows, drags, files, data by a schema.",
        (
            "browser/test_actions.py::test_fields_of_every_kind_are_filled_in",
            "browser/test_actions.py::test_what_was_filled_in_is_cleared_and_unticked",
            "browser/test_actions.py::test_widgets_that_pages_build_themselves_are_used_too",
            "browser/test_actions.py::test_a_double_click_and_pointing_are_what_a_hand_does",
            "browser/test_actions.py::test_dialogs_are_answered_as_the_action_before_or_after_says",
            "browser/test_actions.py::test_windows_are_switched_by_number_and_title",
            "browser/test_actions.py::test_going_back_shows_the_page_before",
            "browser/test_actions.py::test_a_thing_is_dragged_onto_another",
            "browser/test_actions.py::test_downloads_and_uploads_go_through_the_sessions_folder",
            "browser/test_actions.py::test_data_is_read_in_the_form_of_a_schema",
            "browser/test_actions.py::test_parts_of_a_page_are_read_and_pictured",
            "browser/test_actions.py::test_what_is_no_action_is_refused_with_its_place",
        ),
    ),
    Requirement(
        "browser-plain-words",
        "Plain words are done by what is on the page, without a model and without a rule for any page.",
        (
            "browser/test_plain_words.py::test_a_sentence_is_done",
            "browser/test_plain_words.py::test_which_of_several_is_to_be_undone_must_be_said",
            "browser/test_plain_words.py::test_what_no_control_is_called_is_told_as_not_understood",
            "browser/test_instructions.py::test_plain_words_become_actions_after_the_page_is_opened",
        ),
    ),
    Requirement(
        "browser-model-steps",
        "A model does what the grammar cannot, within limits; sequences are cached, replayed and healed.",
        (
            "browser/test_model_steps.py::test_what_a_model_found_out_is_replayed_without_it",
            "browser/test_model_steps.py::test_a_locator_that_broke_is_healed",
            "browser/test_model_steps.py::test_a_model_that_repeats_itself_is_stopped",
            "browser/test_model_steps.py::test_a_model_gets_no_more_answers_than_it_may",
            "browser/test_model_steps.py::test_a_failed_action_is_told_to_the_model",
        ),
    ),
    Requirement(
        "browser-sessions",
        "A bounded queue with 429 and Retry-After, pressure, idle sessions reaped, profiles encrypted, no orphan.",
        (
            "browser/test_held_sessions.py::test_a_session_is_kept_open_and_observed_within_its_bounds",
            "browser/test_held_sessions.py::test_too_many_sessions_are_refused_until_an_idle_one_is_closed",
            "browser/test_held_sessions.py::test_a_profile_keeps_cookies_from_one_session_to_the_next_encrypted",
            "browser/test_held_sessions.py::test_a_killed_service_leaves_no_chromium",
            "browser/test_browser.py::test_a_task_whose_chromium_dies_fails_with_a_sentence",
            "browser/test_soak.py::test_many_tasks_leave_one_chromium",
        ),
    ),
    Requirement(
        "browser-settling",
        "A page is read when it has drawn itself, by whatever way; one in which nothing is pending is not waited for.",
        (
            "browser/test_settling.py::test_a_page_is_read_whole_however_it_draws_itself",
            "browser/test_pages.py::test_a_page_drawn_by_scripts_is_read_as_it_is_shown",
        ),
    ),
    Requirement(
        "browser-web-mcp",
        "WebMCP tools of a page and its frames are offered and called as actions where Chromium has it.",
        (
            "browser/test_actions.py::test_a_tool_that_the_page_offers_is_called",
            "browser/test_actions.py::test_the_tools_of_frames_are_called_by_their_origin",
            "browser/test_held_sessions.py::test_a_session_is_kept_open_and_observed_within_its_bounds",
        ),
    ),
    Requirement(
        "browser-bad-pages",
        "No address, unknown schemes, names that do not exist, TLS, error statuses, empty, endless, huge and hanging "
        "pages, downloads, circles, alert storms, pages that leave: typed, with the address, what was seen last and a "
        "picture, and the service is well after it.",
        (
            "browser/test_bad_pages.py::test_what_is_no_page_is_a_typed_failure_with_its_address",
            "browser/test_bad_pages.py::test_a_failure_on_a_page_shows_it",
            "browser/test_bad_pages.py::test_a_page_that_never_goes_idle_or_leaves_meanwhile_is_no_failure",
            "browser/test_bad_pages.py::test_a_failure_over_rest_links_a_picture_of_the_page",
            "browser/test_bad_pages.py::test_an_open_session_is_told_which_address_failed_and_goes_on",
            "browser/test_actions.py::test_a_page_that_leaves_in_the_middle_of_a_click_is_followed",
        ),
    ),
)
