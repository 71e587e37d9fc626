"""What the first whole version must do."""

from tests.requirements.requirement import Requirement

REQUIREMENTS = (
    # A newcomer's first ten minutes
    Requirement(
        "newcomer-setup",
        "`make run` and `make test` do all their own set-up: environment, locked packages, Chromium, bubblewrap.",
        (
            "test_newcomer.py::test_set_up_installs_what_is_locked_once_and_again_when_the_lock_changes",
            "test_newcomer.py::test_what_cannot_be_installed_is_said_with_what_to_do_and_tried_again_only_when_asked",
            "test_newcomer.py::test_a_set_up_that_fails_says_why_and_the_next_one_goes_on",
            "test_deployment_files.py::test_every_locked_package_has_a_version_and_hashes_and_no_address",
            "test_deployment_files.py::test_the_locks_hold_what_the_project_asks_for",
            "test_deployment_files.py::test_without_a_python_it_says_which_one_is_needed",
        ),
    ),
    Requirement(
        "newcomer-run",
        "`make run` starts everything in the foreground, waits until all is ready, prints the address and an example; "
        "Ctrl-C stops everything and leaves no process.",
        (
            "test_deployment_files.py::test_make_run_starts_everything_or_runs_one_task",
            "federation/test_up.py::test_it_starts_works_heals_and_stops_without_a_trace",
            "federation/test_up.py::test_killing_it_outright_leaves_no_process",
            "federation/test_runner.py::test_it_says_when_it_is_ready_and_stops_everything_on_ctrl_c",
            "federation/test_runner.py::test_a_service_that_ignores_the_stop_is_killed_with_its_children",
        ),
    ),
    Requirement(
        "newcomer-task",
        '`make run TASK="..."` starts it if needed, runs that task with live progress, prints the result, ends with 0, '
        "or with an error when the task failed.",
        (
            "test_deployment_files.py::test_a_task_reaches_the_command_as_it_was_typed",
            "federation/test_up.py::test_one_task_on_its_own_starts_the_federation_and_leaves_no_process",
            "federation/test_command_line.py::test_a_task_runs_with_progress_beside_its_result",
            "federation/test_command_line.py::test_a_failed_task_ends_with_1_and_keeps_what_went_well",
        ),
    ),
    Requirement(
        "newcomer-port",
        "A port that is taken gives one clear line that names the port and the setting.",
        (
            "federation/test_runner.py::test_a_taken_port_is_one_line_with_the_port_and_its_setting",
            "shared/test_service.py::test_a_taken_port_is_one_line_that_names_port_and_setting",
        ),
    ),
    Requirement(
        "newcomer-restart",
        "A service that dies is started again, and it is said.",
        (
            "federation/test_runner.py::test_a_service_that_dies_is_started_again_and_said",
            "federation/test_up.py::test_it_starts_works_heals_and_stops_without_a_trace",
        ),
    ),
    Requirement(
        "newcomer-checks",
        "`make test` is the whole suite; `.ci/run` calls exactly this, and the static checks.",
        ("test_deployment_files.py::test_ci_runs_the_tests_and_the_checks_and_fails_when_one_does",),
    ),
    Requirement(
        "newcomer-model",
        "Without a key everything works; with one the same tasks get better; `make run` says in one line which it is.",
        (
            "test_newcomer.py::test_it_is_said_in_one_line_which_model_is_used",
            "federation/test_up.py::test_it_starts_works_heals_and_stops_without_a_trace",
            "shared/test_llm.py::test_without_key_and_address_there_is_no_model",
            "shared/test_llm.py::test_a_completion_has_its_text_tokens_and_cost",
            "shared/test_llm.py::test_a_server_without_named_model_is_asked_which_it_has",
            "shared/test_llm_groq.py::test_groq_answers_with_its_own_key_and_model",
        ),
    ),
    Requirement(
        "newcomer-chromium",
        "Chromium is found in the promised order; without any the browser service starts degraded and says what to "
        "install.",
        (
            "browser/test_browser.py::test_a_chromium_is_found_in_the_promised_order",
            "browser/test_browser.py::test_without_a_chromium_the_service_says_what_to_install",
            "browser/test_service.py::test_a_service_without_a_chromium_is_up_and_says_what_is_missing",
        ),
    ),
    # 1 Orchestrator
    Requirement(
        "orchestrator-tasks",
        "Tasks with plans, events, cancel and artifacts over the HTTP API.",
        (
            "orchestrator/test_tasks.py::test_a_plan_runs_to_its_end_and_results_flow_along_references",
            "orchestrator/test_tasks.py::test_cancel_stops_the_remote_task_and_what_has_not_begun",
            "orchestrator/test_tasks.py::test_files_go_in_and_out_byte_for_byte",
            "orchestrator/test_tasks.py::test_tasks_are_searched_by_status_session_agent_and_words",
            "orchestrator/test_tasks.py::test_an_agent_that_asks_is_answered_and_goes_on",
            "orchestrator/test_tasks.py::test_a_plan_that_needs_approval_waits_for_it",
            "orchestrator/test_tasks.py::test_a_budget_that_is_used_up_ends_the_task_and_keeps_its_outputs",
            "test_documents.py::test_the_api_document_has_every_route_and_no_other",
        ),
    ),
    Requirement(
        "orchestrator-execute",
        "`POST /execute` runs a task and waits; 400 without one.",
        ("orchestrator/test_requests.py::test_execute_runs_a_task_and_answers_its_results",),
    ),
    Requirement(
        "orchestrator-idempotency",
        "`Prefer: wait` and `Idempotency-Key`: the same key and body answer the same task, another body is refused.",
        ("orchestrator/test_tasks.py::test_the_same_idempotency_key_answers_the_same_task",),
    ),
    Requirement(
        "orchestrator-health",
        "Health, readiness, metrics; the OpenAPI document describes the routes.",
        (
            "orchestrator/test_requests.py::test_the_app_says_how_it_is",
            "orchestrator/test_requests.py::test_openapi_describes_the_routes_and_every_body_with_an_example",
        ),
    ),
    Requirement(
        "orchestrator-databases",
        "SQLite by default in the data folder, PostgreSQL by DATABASE_URL; migrations run at start.",
        (
            "orchestrator/test_tasks.py::test_the_log_is_gap_free_and_ends_with_the_terminal_status",
            "orchestrator/test_crash.py::test_a_killed_orchestrator_finishes_the_task_after_restart_without_repeating_steps",
            "shared/test_agent_server_tables.py::test_the_migrations_make_the_tables_that_the_code_describes",
            "shared/test_agent_server_tables.py::test_services_that_start_at_once_share_one_new_database",
            "shared/test_migrations.py::test_the_code_asks_for_the_newest_revision",
        ),
    ),
    # 2 Registry
    Requirement(
        "registry-register",
        "Register by base URL, card URL or card; the card is fetched, validated and stored.",
        (
            "orchestrator/test_registry.py::test_an_agent_is_registered_by_its_base_url_or_its_cards",
            "orchestrator/test_registry.py::test_an_agent_is_registered_by_its_card_as_json",
            "orchestrator/test_registry.py::test_a_refreshed_card_brings_new_skills",
            "orchestrator/test_registry.py::test_credentials_are_sent_to_the_agent_and_never_shown",
        ),
    ),
    Requirement(
        "registry-find",
        "Find by skill and tag, and rank for a need in plain words, without a model.",
        ("orchestrator/test_registry.py::test_a_need_in_plain_words_finds_the_skill_that_fits",),
    ),
    Requirement(
        "registry-health",
        "Health is checked in the background and shown with its time; an unreachable agent is not chosen.",
        (
            "orchestrator/test_registry.py::test_an_agent_that_goes_away_is_shown_so_and_not_chosen_until_it_is_back",
            "orchestrator/test_registry.py::test_a_check_on_demand_answers_the_health_of_now",
            "orchestrator/test_registry.py::test_an_agent_that_is_switched_off_is_not_chosen",
        ),
    ),
    Requirement(
        "registry-bundled",
        "The bundled agents register themselves at start-up, and again when the orchestrator comes back.",
        (
            "shared/test_registration.py::test_an_agent_registers_itself_at_start",
            "shared/test_registration.py::test_an_agent_registers_again_at_a_restarted_orchestrator",
        ),
    ),
    # 3 Planner
    Requirement(
        "planner-rules-split",
        "Without a model a request is split into its parts; a part that needs an earlier result is given it.",
        (
            "orchestrator/test_planning_rules.py::test_three_kinds_of_work_in_one_sentence_become_three_steps",
            "orchestrator/test_planning_rules.py::test_an_inline_numbered_list_runs_in_parallel",
            "orchestrator/test_planning_rules.py::test_a_step_that_speaks_of_the_result_is_given_it",
            "orchestrator/test_planning_rules.py::test_a_part_is_given_the_results_it_speaks_of",
            "orchestrator/test_planning_rules.py::test_nothing_is_split_inside_quotes_code_or_material",
        ),
    ),
    Requirement(
        "planner-rules-route",
        "Each part is routed by the registry's ranking, by an explicit @agent, or by a URL in it.",
        (
            "orchestrator/test_planning_rules.py::test_a_plain_request_is_one_step_for_the_right_skill",
            "orchestrator/test_planning_rules.py::test_a_mentioned_agent_gets_the_step",
            "orchestrator/test_planning_rules.py::test_clauses_about_one_page_are_one_step_for_the_browser",
            "orchestrator/test_planning_rules.py::test_a_users_own_agent_wins_where_its_skill_clearly_fits",
        ),
    ),
    Requirement(
        "planner-llm",
        "With a model: structured output, the catalogue as fenced data, one repair round, then the rules.",
        (
            "orchestrator/test_planning_llm.py::test_the_models_plan_is_taken_and_completed",
            "orchestrator/test_planning_llm.py::test_the_catalogue_history_and_file_names_reach_the_model_as_fenced_data",
            "orchestrator/test_planning_llm.py::test_a_wrong_plan_is_sent_back_once_with_what_is_wrong",
            "orchestrator/test_planning_llm.py::test_a_plan_that_stays_wrong_is_never_run_and_the_rules_plan",
            "orchestrator/test_planning_llm.py::test_without_an_answer_of_the_model_the_rules_plan_and_say_why",
        ),
    ),
    Requirement(
        "planner-check",
        "Plans are checked: no cycle, known steps and skills, sane size; one that fails is never run.",
        (
            "orchestrator/test_plan.py::test_a_circle_is_refused_and_named",
            "orchestrator/test_plan.py::test_what_is_wrong_with_a_plan_is_said",
            "orchestrator/test_plan.py::test_every_error_of_a_plan_is_listed_with_its_place",
            "orchestrator/test_planning_llm.py::test_a_plan_that_stays_wrong_is_never_run_and_the_rules_plan",
            "orchestrator/test_planning_limits.py::test_any_request_is_planned_soundly_or_refused_clearly",
        ),
    ),
    # 4 Executor
    Requirement(
        "executor-flow",
        "Ready steps run in parallel; results flow along references.",
        (
            "orchestrator/test_tasks.py::test_steps_that_do_not_need_each_other_run_at_once",
            "orchestrator/test_tasks.py::test_a_plan_runs_to_its_end_and_results_flow_along_references",
            "orchestrator/test_plan.py::test_what_is_filled_in_is_not_looked_at_again",
        ),
    ),
    Requirement(
        "executor-retry",
        "A failed step is retried where that can help, bounded; then the task fails with what was done so far.",
        (
            "orchestrator/test_tasks.py::test_a_failure_that_may_pass_is_tried_again_and_every_try_is_kept",
            "orchestrator/test_tasks.py::test_a_failure_that_cannot_pass_is_not_tried_again",
            "orchestrator/test_tasks.py::test_a_failed_step_fails_the_task_which_keeps_what_went_well",
            "orchestrator/test_registry.py::test_of_two_agents_with_the_skill_a_failing_one_is_not_tried_twice",
        ),
    ),
    Requirement(
        "executor-crash",
        "Killing the orchestrator with SIGKILL and starting it again finishes the task without repeating completed "
        "steps.",
        (
            "orchestrator/test_crash.py::test_a_killed_orchestrator_finishes_the_task_after_restart_without_repeating_steps",
            "orchestrator/test_crash.py::test_a_task_that_was_accepted_before_a_kill_is_done_after_restart",
            "orchestrator/test_crash.py::test_a_second_orchestrator_on_the_same_sqlite_data_is_refused",
        ),
    ),
    # 5 Events
    Requirement(
        "events",
        "Every change is in the task's log with gap-free numbers; a stream resumes by Last-Event-ID.",
        (
            "orchestrator/test_tasks.py::test_the_log_is_gap_free_and_ends_with_the_terminal_status",
            "orchestrator/test_tasks.py::test_a_follower_that_comes_back_misses_nothing_and_sees_nothing_twice",
            "federation/test_client.py::test_a_broken_stream_goes_on_without_gap_or_repeat",
        ),
    ),
    # 6 Synthesis
    Requirement(
        "synthesis",
        "The summary is written by the model, else composed from the outputs; it says which step each part is from.",
        (
            "orchestrator/test_planning_synthesis.py::test_composed_parts_name_their_step_and_agent",
            "orchestrator/test_planning_synthesis.py::test_the_models_summary_streams_with_its_citations_and_usage",
            "orchestrator/test_planning_synthesis.py::test_a_summary_that_cites_nothing_is_given_its_sources",
            "orchestrator/test_planning_synthesis.py::test_without_an_answer_of_the_model_the_outputs_are_composed",
        ),
    ),
    # 7 Memory
    Requirement(
        "memory",
        "Sessions and messages; a later task of a session is planned knowing the earlier ones.",
        (
            "orchestrator/test_tasks.py::test_a_session_remembers_what_was_asked_and_answered",
            "orchestrator/test_planning_rules.py::test_a_follow_up_is_planned_as_what_it_stands_for",
            "orchestrator/test_planning_rules.py::test_a_request_that_leans_on_the_answer_before_is_given_it",
        ),
    ),
    # 8 Research agent
    Requirement(
        "research-documents",
        "Answers from a folder of Markdown, text, HTML and PDF with numbered citations; the index is kept fresh.",
        (
            "research_agent/test_folder.py::test_an_answer_quotes_the_documents_with_citations",
            "research_agent/test_folder.py::test_pdf_html_and_text_are_searched_and_located",
            "research_agent/test_folder.py::test_an_index_follows_the_folder",
            "research_agent/test_analysis.py::test_sources_are_set_side_by_side_with_their_figures",
        ),
    ),
    Requirement(
        "research-web",
        "URLs in the request are read, and the web is searched where the network allows.",
        (
            "research_agent/test_web.py::test_a_named_page_is_read_and_cited_by_its_url",
            "research_agent/test_web.py::test_the_web_is_searched_where_the_documents_do_not_suffice",
            "research_agent/test_web.py::test_wikipedia_is_searched_where_nothing_else_is_set_up",
        ),
    ),
    Requirement(
        "research-honest",
        "Without a model no sentence is made up; with one, what cites nothing real is dropped; no source: it says so "
        "and fails.",
        (
            "research_agent/test_quoting.py::test_a_quote_holds_only_the_sources_words_in_their_order",
            "research_agent/test_quoting.py::test_a_checked_text_cites_only_passages_that_exist",
            "research_agent/test_folder.py::test_nothing_relevant_fails_and_says_where_was_searched",
            "research_agent/test_model.py::test_a_sentence_that_still_cites_nothing_real_is_dropped",
            "research_agent/test_model.py::test_without_a_usable_answer_of_the_model_the_sources_are_quoted",
        ),
    ),
    Requirement(
        "research-loop",
        "Plans queries, searches in parallel, reads, and looks again in a bounded loop.",
        (
            "research_agent/test_folder.py::test_one_round_does_not_look_again",
            "research_agent/test_folder.py::test_a_misspelt_word_is_looked_for_as_the_documents_spell_it",
            "research_agent/test_folder.py::test_each_part_of_a_question_is_answered_and_what_is_not_found_is_said",
        ),
    ),
    # 9 API agent
    Requirement(
        "api-summarize",
        "`summarize` a text or URL: extractive without a model, by Groq or an OpenAI-compatible one with it.",
        (
            "api_agent/test_summarize.py::test_a_summary_has_as_many_of_the_texts_own_sentences_as_asked_for",
            "api_agent/test_summarize.py::test_a_page_is_fetched_and_summarized",
            "api_agent/test_summarize.py::test_a_summary_never_says_what_the_text_does_not",
            "api_agent/test_model.py::test_a_summary_is_streamed_from_the_model",
            "api_agent/test_model.py::test_groq_is_called_where_it_is_configured",
        ),
    ),
    Requirement(
        "api-analyze",
        "`analyze-data`: schema, missing values, distributions, correlations, outliers, top groups of CSV, JSON, JSON "
        "Lines and Parquet, as text, file or URL; a chart as artifact.",
        (
            "api_agent/test_analyze.py::test_the_same_table_is_read_from_every_form",
            "api_agent/test_analyze.py::test_a_table_comes_in_the_text_as_a_data_part_or_behind_a_url",
            "api_agent/test_analyze.py::test_a_profile_tells_what_is_in_the_table",
            "api_agent/test_analyze.py::test_a_chart_comes_as_a_specification_and_drawn",
        ),
    ),
    Requirement(
        "api-questions",
        "Simple questions about a table are answered, such as the average price by city.",
        (
            "api_agent/test_questions.py::test_a_question_is_answered",
            "api_agent/test_questions.py::test_what_a_question_has_wrong_is_named",
            "api_agent/test_model.py::test_a_question_that_rules_cannot_read_is_answered_by_sql_that_is_shown",
        ),
    ),
    # 10 Browser
    Requirement(
        "browser-pages",
        "`browse` and `extract-page` on plain instructions, `screenshot`; a rendered page, not the raw HTML.",
        (
            "browser/test_pages.py::test_the_main_heading_of_a_page_is_the_answer",
            "browser/test_pages.py::test_a_page_drawn_by_scripts_is_read_as_it_is_shown",
            "browser/test_pages.py::test_links_tables_lists_images_and_prices_are_extracted",
            "browser/test_pages.py::test_a_screenshot_is_a_png_of_what_is_in_view",
            "browser/test_instructions.py::test_plain_words_become_actions_after_the_page_is_opened",
        ),
    ),
    Requirement(
        "browser-contexts",
        "One warm Chromium, a fresh context per task.",
        (
            "browser/test_pages.py::test_a_task_sees_nothing_of_another_one",
            "browser/test_browser.py::test_a_killed_chromium_is_started_again",
            "browser/test_browser.py::test_more_tasks_than_pages_wait_their_turn_and_say_so",
            "browser/test_browser.py::test_nothing_runs_after_the_service_has_ended",
        ),
    ),
    # 11 Code agent
    Requirement(
        "code-run",
        "`run-code`: Python in the sandbox, files in and out, stdout, stderr, exit code.",
        (
            "code_agent/test_running.py::test_code_is_found_in_every_form_and_run",
            "code_agent/test_running.py::test_new_and_changed_files_come_back_and_others_do_not",
            "code_agent/test_running.py::test_a_program_that_fails_fails_the_task_with_its_last_words",
            "code_agent/test_service.py::test_a_direct_call_over_a2a_runs_code_with_files_in_and_out",
        ),
    ),
    Requirement(
        "code-walls",
        "No network, read-only system, limits on memory, processes, CPU and time.",
        (
            "code_agent/test_confinement.py::test_no_network_can_be_reached_not_even_this_machine",
            "code_agent/test_confinement.py::test_the_system_cannot_be_written",
            "code_agent/test_confinement.py::test_files_of_this_machine_cannot_be_read",
            "code_agent/test_confinement.py::test_processes_that_eat_memory_together_are_stopped",
            "code_agent/test_confinement.py::test_a_fork_bomb_ends_and_never_has_more_processes_than_allowed",
            "code_agent/test_confinement.py::test_processes_share_one_limit_on_cpu_time",
            "code_agent/test_confinement.py::test_a_program_that_loops_is_stopped_when_its_time_is_over",
        ),
    ),
    Requirement(
        "code-refuses",
        "It refuses when the sandbox cannot be built, and `doctor` says how to get one.",
        (
            "code_agent/test_confinement.py::test_without_bubblewrap_nothing_runs_and_the_error_says_what_to_install",
            "code_agent/test_confinement.py::test_a_sandbox_that_does_not_confine_is_not_used",
            "code_agent/test_service.py::test_a_service_without_a_sandbox_serves_and_says_what_is_missing",
        ),
    ),
    Requirement(
        "code-write",
        "With a model: `write-code`.",
        (
            "code_agent/test_writing.py::test_a_program_is_written_run_and_handed_over",
            "code_agent/test_writing.py::test_without_a_model_writing_is_refused_with_what_to_set",
        ),
    ),
    # 12 A2A
    Requirement(
        "a2a-served",
        "Every service has its card, JSON-RPC and HTTP+JSON, streaming and cancel, and can be called directly.",
        (
            "test_examples.py::test_each_service_answers_a_direct_call_from_the_sdks_client",
            "shared/test_agent_server.py::test_the_sdks_client_works_with_every_interface_of_the_card",
            "shared/test_agent_server.py::test_a_stream_brings_the_task_then_every_event_in_order_and_ends",
            "shared/test_agent_server.py::test_a_canceled_task_cleans_up_and_its_stream_ends",
            "shared/test_agent_server.py::test_a_call_without_the_version_header_is_understood",
        ),
    ),
    Requirement(
        "a2a-traps",
        "The SDK's traps are handled: same message, same task; context from the task; tasks that outlive the process.",
        (
            "shared/test_agent_server.py::test_the_same_message_id_answers_the_same_task_and_runs_once",
            "shared/test_agent_server.py::test_a_question_is_answered_by_a_message_that_names_only_the_task",
            "shared/test_agent_server.py::test_a_client_that_goes_away_does_not_stop_the_work",
            "shared/test_agent_server.py::test_an_unforeseen_failure_is_logged_and_its_text_goes_no_further",
            "shared/test_agent_server_restart.py::test_a_killed_service_leaves_no_task_behind",
            "shared/test_agent_client_misbehaving.py::test_a_stream_that_ends_early_is_asked_about_and_never_sent_again",
        ),
    ),
    Requirement(
        "a2a-orchestrator",
        "The orchestrator is itself such an agent: a message becomes a task with the same id.",
        (
            "orchestrator/test_door.py::test_a_message_becomes_a_task_of_the_same_id",
            "orchestrator/test_door.py::test_what_an_agent_asks_reaches_the_client_and_its_answer_the_agent",
            "orchestrator/test_door.py::test_a_cancel_over_a2a_reaches_the_agent",
        ),
    ),
    # 13 federation
    Requirement(
        "client",
        "The Python client: asynchronous, typed, streams events.",
        (
            "federation/test_client.py::test_a_task_is_handed_in_and_its_result_comes_back",
            "federation/test_client.py::test_events_are_typed_and_unknown_ones_are_kept",
            "test_examples.py::test_the_client_of_the_readme_follows_a_task_to_its_result",
        ),
    ),
    Requirement(
        "command-line",
        "The command line: up, run (live; --json), tasks list|show|cancel, agents list|add|show|remove, doctor.",
        (
            "federation/test_command_line.py::test_a_task_runs_with_progress_beside_its_result",
            "federation/test_command_line.py::test_at_a_terminal_the_plan_is_shown_and_approved",
            "federation/test_command_line.py::test_json_is_the_task_and_nothing_else",
            "federation/test_command_line.py::test_tasks_can_be_listed_shown_and_canceled",
            "federation/test_command_line.py::test_agents_can_be_listed_shown_added_and_removed",
            "federation/test_doctor.py::test_the_doctor_says_what_is_there_and_what_is_missing",
        ),
    ),
    # 14 Every service
    Requirement(
        "service-docs-health",
        "Every service answers `/docs` and `/health`.",
        (
            "test_examples.py::test_each_service_has_docs_and_is_in_good_health",
            "shared/test_agent_server.py::test_health_readiness_and_docs_are_there",
            "orchestrator/test_requests.py::test_the_app_says_how_it_is",
        ),
    ),
    Requirement(
        "service-logs",
        "Logs are JSON lines with task, step and trace ids, readable text on a terminal, without secrets.",
        (
            "shared/test_service.py::test_logs_are_json_lines_with_ids_and_without_secrets_and_a_stop_is_clean",
            "test_newcomer.py::test_logs_are_readable_text_on_a_terminal",
            "shared/test_service.py::test_a_trace_is_continued_and_a_wrong_one_replaced",
        ),
    ),
    # Speed
    Requirement(
        "speed",
        "Benchmarks, one script per question; where it stands is written down. No timed assertions in tests.",
        ("test_documents.py::test_every_benchmark_has_its_place_in_their_document",),
    ),
    # Bad input
    Requirement(
        "bad-body",
        "A wrong body, an unknown id or an empty task is refused with what was wrong, and nothing is stored.",
        (
            "orchestrator/test_requests.py::test_a_wrong_task_is_refused_and_the_answer_names_what_is_wrong",
            "orchestrator/test_requests.py::test_text_that_the_database_cannot_hold_is_refused_or_kept_whole",
            "shared/test_service.py::test_a_wrong_body_is_told_field_by_field",
            "shared/test_service.py::test_a_body_that_is_not_json_is_a_problem",
            "shared/test_service.py::test_unknown_paths_and_methods_are_problems",
            "shared/test_service.py::test_a_body_over_the_limit_is_refused_whether_announced_or_streamed",
        ),
    ),
    Requirement(
        "bad-agent",
        "An unreachable agent or an invalid card is a clear error, and nothing is stored.",
        (
            "orchestrator/test_registry.py::test_what_is_no_agent_is_refused_and_nothing_is_stored",
            "shared/test_agent_client_cards.py::test_an_invalid_card_is_refused_with_the_place_in_it",
            "shared/test_agent_client_misbehaving.py::test_an_agent_that_never_answers_is_given_up",
            "shared/test_agent_client_misbehaving.py::test_an_answer_that_cannot_be_used_is_a_clear_error",
        ),
    ),
    Requirement(
        "bad-plan",
        "A cyclic plan is refused and named.",
        (
            "orchestrator/test_requests.py::test_a_wrong_task_is_refused_and_the_answer_names_what_is_wrong",
            "orchestrator/test_plan.py::test_a_circle_is_refused_and_named",
        ),
    ),
    Requirement(
        "bad-megabyte",
        "A task of one megabyte is done or refused clearly.",
        (
            "orchestrator/test_tasks.py::test_a_task_of_a_megabyte_is_done",
            "orchestrator/test_planning_limits.py::test_a_megabyte_of_anything_is_one_request_with_its_material",
            "research_agent/test_web.py::test_a_request_of_a_megabyte_is_answered_from_its_text",
            "code_agent/test_words.py::test_a_megabyte_of_anything_is_read_in_no_time",
        ),
    ),
    Requirement(
        "bad-file",
        "An unreadable file is named with what is wrong.",
        (
            "research_agent/test_folder.py::test_an_unreadable_file_is_named_and_the_rest_is_searched",
            "api_agent/test_analyze.py::test_what_cannot_be_read_is_named_with_its_place",
            "shared/test_documents.py::test_what_cannot_be_read_is_named_with_the_reason",
            "federation/test_command_line.py::test_a_file_that_is_not_there_is_said_before_anything_is_sent",
        ),
    ),
    Requirement(
        "bad-page",
        "A page that does not load, or never finishes, does not hold up the task.",
        (
            "browser/test_pages.py::test_a_server_that_is_not_there_is_named",
            "browser/test_pages.py::test_a_page_that_cannot_be_shown_says_why",
            "browser/test_pages.py::test_a_page_that_never_finishes_loading_is_read_as_far_as_it_came",
            "browser/test_pages.py::test_a_document_that_never_ends_names_the_setting",
            "browser/test_pages.py::test_a_page_that_keeps_its_browser_busy_does_not_hold_the_task",
        ),
    ),
    Requirement(
        "bad-code",
        "Code that loops, forks or eats memory is stopped, and the service stays up.",
        (
            "code_agent/test_confinement.py::test_a_program_that_loops_is_stopped_when_its_time_is_over",
            "code_agent/test_confinement.py::test_a_fork_bomb_ends_and_never_has_more_processes_than_allowed",
            "code_agent/test_confinement.py::test_a_program_that_wants_too_much_memory_gets_an_error",
            "code_agent/test_confinement.py::test_endless_output_is_cut_and_the_program_stopped",
        ),
    ),
    Requirement(
        "bad-model",
        "A model that answers rubbish, 429 or nothing is a clear error, and the rules take over.",
        (
            "shared/test_llm.py::test_rubbish_is_a_clear_error",
            "shared/test_llm.py::test_a_rate_limit_is_waited_out_as_the_server_asks",
            "shared/test_llm.py::test_a_model_that_hangs_is_given_up_at_the_deadline",
            "shared/test_llm.py::test_an_empty_answer_is_an_error_that_knows_what_it_cost",
            "orchestrator/test_planning_llm.py::test_without_an_answer_of_the_model_the_rules_plan_and_say_why",
            "api_agent/test_model.py::test_a_model_that_fails_leaves_an_extractive_summary",
        ),
    ),
    # What guards it
    Requirement(
        "guard-egress",
        "Outgoing calls reach public addresses, the federation's own services and what settings list; every hop and "
        "every spelling is checked.",
        (
            "shared/test_http_addresses.py::test_a_private_address_is_refused_in_every_spelling",
            "shared/test_http_addresses.py::test_allowing_private_addresses_never_allows_metadata_services",
            "shared/test_http.py::test_a_redirect_to_a_refused_address_is_not_followed",
            "shared/test_http.py::test_a_name_is_resolved_once_and_only_checked_addresses_are_connected_to",
        ),
    ),
    Requirement(
        "guard-front-door",
        "Requests are limited before they are read; other hosts and origins are refused.",
        (
            "shared/test_service.py::test_an_endless_body_is_cut_off",
            "shared/test_service.py::test_a_compressed_body_is_refused",
            "shared/test_service.py::test_only_this_services_hosts_are_answered",
            "shared/test_service.py::test_pages_of_other_origins_cannot_change_anything",
        ),
    ),
    Requirement(
        "guard-agents",
        "Agents that lie, flood or hang do no harm; what they say cannot steer a terminal.",
        (
            "shared/test_agent_client_misbehaving.py::test_an_event_of_another_task_is_refused",
            "shared/test_agent_client_misbehaving.py::test_the_first_end_counts_and_nothing_after_it",
            "shared/test_agent_client_misbehaving.py::test_endless_events_are_cut_off",
            "federation/test_command_line.py::test_what_agents_write_cannot_steer_the_terminal",
        ),
    ),
    Requirement(
        "guard-browser",
        "A page reaches nothing that is not allowed.",
        (
            "browser/test_request_filter.py::test_a_hostile_page_reaches_nothing_that_is_not_allowed",
            "browser/test_boundary.py::test_a_name_means_the_address_that_was_checked_whatever_it_is_later",
        ),
    ),
    Requirement(
        "guard-model",
        "Text from elsewhere reaches a model only as fenced data, and its plans only do what is allowed.",
        (
            "shared/test_llm.py::test_fenced_text_cannot_close_its_fence",
            "orchestrator/test_planning_llm.py::test_an_address_from_an_earlier_answer_is_not_the_persons",
            "browser/test_service.py::test_a_models_plan_that_is_not_allowed_is_not_followed",
        ),
    ),
    # Done when
    Requirement(
        "done-page",
        "Without a key and internet: a task opens a page served on localhost and reads its heading.",
        ("test_examples.py::test_a_page_on_localhost_is_opened_and_its_heading_read",),
    ),
    Requirement(
        "done-documents",
        "Without a key and internet: a task finds something in a folder of documents, with citations.",
        ("test_examples.py::test_an_answer_from_a_folder_of_documents_has_citations_as_the_readme_shows",),
    ),
    Requirement(
        "done-table",
        "Without a key and internet: a task profiles a CSV file.",
        ("test_examples.py::test_a_table_is_profiled_with_a_chart",),
    ),
    Requirement(
        "done-code",
        "Without a key and internet: a task computes with code in the sandbox.",
        ("test_examples.py::test_numbers_are_computed_with_code_in_the_sandbox",),
    ),
    Requirement(
        "done-three",
        "Three of them in one sentence.",
        (
            "test_examples.py::test_three_of_them_in_one_sentence_are_three_steps_at_three_agents",
            "test_examples.py::test_a_result_flows_into_the_next_step",
        ),
    ),
    Requirement(
        "done-direct",
        "Each agent answers a direct A2A call from the SDK's client.",
        ("test_examples.py::test_each_service_answers_a_direct_call_from_the_sdks_client",),
    ),
    Requirement(
        "done-documents-of-the-project",
        "README, settings example, compose file, changelog and architecture are there and say what is so.",
        (
            "test_documents.py::test_every_link_leads_somewhere",
            "test_documents.py::test_every_command_and_option_that_is_shown_exists",
            "test_documents.py::test_every_setting_that_is_named_exists",
            "test_documents.py::test_the_readme_shows_the_examples_as_they_are",
            "test_examples.py::test_the_agent_of_the_readme_is_registered_chosen_and_asked",
            "test_settings_example.py::test_the_example_is_what_the_settings_say",
            "test_deployment_files.py::test_each_service_is_started_by_its_own_program_and_watched",
            "test_deployment_files.py::test_every_variable_of_a_service_is_a_setting_and_takes_its_value",
            "test_deployment_files.py::test_only_the_orchestrator_is_reachable_and_only_from_this_machine",
        ),
    ),
    Requirement(
        "done-requirements",
        "Requirements are listed, every one with a test.",
        (
            "test_requirements.py::test_every_requirement_has_a_test_that_exists",
            "test_requirements.py::test_no_two_requirements_share_an_id",
        ),
    ),
)
