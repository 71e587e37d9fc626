"""What must hold when processes die, agents fail, people take their time, and one machine is not enough."""

from tests.requirements.requirement import Requirement

REQUIREMENTS = (
    # Crash safety
    Requirement(
        "crash-orchestrator",
        "An orchestrator may be killed in every phase of a task: accepted tasks go on after the restart, completed "
        "steps do not run again, a remote task that was begun is found and never sent twice.",
        (
            "chaos/test_chaos.py::test_an_orchestrator_may_die_in_every_phase",
            "orchestrator/test_crash.py::test_a_killed_orchestrator_finishes_the_task_after_restart_without_repeating_steps",
            "orchestrator/test_crash.py::test_a_task_that_was_accepted_before_a_kill_is_done_after_restart",
        ),
    ),
    Requirement(
        "crash-agent",
        "An agent may be killed in every phase of its work.",
        (
            "chaos/test_chaos.py::test_an_agent_may_die_in_every_phase",
            "shared/test_agent_server_crashes.py::test_a_message_that_a_killed_agent_had_only_read_is_done_when_it_is_sent_again",
            "shared/test_agent_server_crashes.py::test_a_killed_agent_that_can_resume_does_the_same_task",
            "shared/test_agent_server_crashes.py::test_a_task_of_a_killed_agent_is_found_and_was_interrupted",
            "orchestrator/test_long_tasks.py::test_an_agent_that_restarts_at_work_and_cannot_resume_gets_the_step_once_more",
        ),
    ),
    Requirement(
        "crash-postgresql",
        "PostgreSQL may be killed and restarted again and again.",
        (
            "chaos/test_chaos.py::test_postgresql_may_die_again_and_again",
            "orchestrator/test_signals.py::test_after_a_lost_connection_it_says_that_something_was_missed_and_hears_again",
        ),
    ),
    Requirement(
        "crash-random",
        "Any process may be killed at any time, and a checker of history, database and agents' ledgers finds no "
        "violation.",
        (
            "chaos/test_chaos.py::test_any_process_may_be_killed_at_any_time",
            "chaos/test_checker.py::test_a_run_that_went_well_has_no_violations",
            "chaos/test_checker.py::test_a_forged_violation_is_found",
            "chaos/test_checker.py::test_every_kind_of_violation_is_forged",
        ),
    ),
    Requirement(
        "crash-state-machine",
        "Whatever is submitted, resubmitted, canceled, answered, killed and restarted, the API behaves as its model.",
        (
            "orchestrator/test_state_machine.py::test_the_api_keeps_its_promises_whatever_is_asked_and_whenever_it_is_killed",
        ),
    ),
    # More than one orchestrator
    Requirement(
        "workers-take-over",
        "Several orchestrators share a PostgreSQL database; the tasks of one that is killed or frozen are taken over, "
        "and one that wakes does no harm.",
        (
            "orchestrator/test_workers.py::test_tasks_of_killed_processes_are_taken_over_and_every_step_is_done_once",
            "orchestrator/test_workers.py::test_a_frozen_worker_loses_its_tasks_and_does_no_harm_when_it_wakes",
            "chaos/test_chaos.py::test_one_orchestrator_takes_over_from_another_that_freezes_or_dies",
        ),
    ),
    Requirement(
        "workers-drain",
        "SIGTERM: nothing new begins, running steps get a grace period, the rest is handed over.",
        (
            "orchestrator/test_workers.py::test_a_worker_that_is_told_to_stop_begins_nothing_new_and_hands_over_what_is_not_done",
            "shared/test_agent_server_calls.py::test_a_service_that_is_told_to_stop_lets_its_streams_go_and_fails_what_is_under_way",
        ),
    ),
    Requirement(
        "workers-watch",
        "Who watches a task at one process sees what happens in another.",
        (
            "orchestrator/test_workers.py::test_who_watches_at_one_process_sees_what_happens_in_another_as_it_happens",
            "orchestrator/test_watchers.py::test_followers_in_every_process_see_what_all_write",
            "orchestrator/test_signals.py::test_others_hear_each_signal_and_the_teller_hears_it_once",
        ),
    ),
    Requirement(
        "workers-fair",
        "Queues are fair by tenant, bounded by agent, and know priorities.",
        (
            "orchestrator/test_queue.py::test_a_tenant_has_its_share_of_places_and_the_others_are_left_to_others",
            "orchestrator/test_queue.py::test_who_has_least_under_way_is_next",
            "orchestrator/test_queue.py::test_the_most_urgent_goes_first_and_of_these_the_oldest",
            "orchestrator/test_queue.py::test_an_agent_gets_no_more_calls_at_once_than_it_may",
        ),
    ),
    Requirement(
        "workers-sqlite",
        "A second orchestrator on the same SQLite data is refused with one line.",
        ("orchestrator/test_crash.py::test_a_second_orchestrator_on_the_same_sqlite_data_is_refused",),
    ),
    Requirement(
        "workers-burst",
        "Of very many tasks at once each is accepted or refused with 429, and all accepted ones end.",
        (
            "orchestrator/test_queue.py::test_of_very_many_tasks_at_once_each_is_accepted_or_refused_and_the_accepted_ones_end",
        ),
    ),
    # Idempotency and cancel
    Requirement(
        "idempotency",
        "The same key and body answer the same task, in flight too, for 24 hours, for each caller; another body is "
        "refused.",
        (
            "orchestrator/test_idempotency.py::test_requests_at_the_same_moment_with_one_key_make_one_task",
            "orchestrator/test_idempotency.py::test_of_different_requests_at_the_same_moment_with_one_key_one_is_taken",
            "orchestrator/test_idempotency.py::test_a_refused_request_leaves_its_key_free",
            "orchestrator/test_idempotency.py::test_the_same_key_of_another_caller_is_another_key",
            "orchestrator/test_idempotency.py::test_a_key_is_kept_for_a_day_and_free_again_after_it",
        ),
    ),
    Requirement(
        "cancel-tree",
        "A cancel reaches the whole tree: queued steps never start, remote tasks, sub-tasks and browser pages end.",
        (
            "orchestrator/test_cancel.py::test_steps_of_tasks_that_wait_for_their_turn_never_start",
            "orchestrator/test_cancel.py::test_a_step_that_waits_for_a_place_at_its_agent_never_starts",
            "orchestrator/test_cancel.py::test_every_remote_task_under_way_is_told",
            "orchestrator/test_cancel.py::test_a_remote_task_that_waits_for_a_person_is_told",
            "orchestrator/test_cancel.py::test_the_whole_tree_of_sub_tasks_ends",
            "orchestrator/test_leftovers.py::test_an_agent_that_did_not_answer_a_cancel_is_told_again",
            "browser/test_cancel.py::test_canceling_the_task_closes_its_page",
        ),
    ),
    Requirement(
        "cancel-soon",
        "A task is canceled even when its agent or model does not answer, from any process.",
        (
            "orchestrator/test_cancel.py::test_a_task_is_canceled_though_its_agent_never_answers_and_never_ends",
            "orchestrator/test_cancel.py::test_a_task_is_canceled_while_the_model_that_plans_it_hangs",
            "orchestrator/test_cancel.py::test_a_task_that_waits_for_a_person_is_canceled_though_every_place_is_taken",
            "orchestrator/test_cancel.py::test_a_task_is_canceled_from_another_process_than_the_one_that_runs_it",
            "orchestrator/test_cancel.py::test_a_cancel_that_other_processes_did_not_hear_of_reaches_them_too",
        ),
    ),
    # People
    Requirement(
        "people-ask",
        "Agents' questions and authorizations, plans and steps that need approval: one input with prompt, schema, "
        "path and expiry; answered once.",
        (
            "orchestrator/test_people.py::test_a_question_says_who_asks_what_and_until_when",
            "orchestrator/test_people.py::test_of_two_answers_at_the_same_moment_one_counts",
            "orchestrator/test_people.py::test_an_authorization_is_given_elsewhere_and_the_agent_told_so",
            "orchestrator/test_people.py::test_a_step_that_needs_approval_starts_only_after_it",
            "orchestrator/test_people.py::test_a_step_that_is_rejected_is_skipped_and_the_task_fails_with_it",
            "orchestrator/test_people.py::test_a_plan_that_is_rejected_ends_the_task_with_the_reason",
            "orchestrator/test_people_at_the_terminal.py::test_the_command_line_answers_retries_and_forks",
        ),
    ),
    Requirement(
        "people-wait",
        "A task waits for days, over restarts, and goes on where it was; an answer that does not fit is refused with "
        "the field.",
        (
            "orchestrator/test_people.py::test_a_wait_outlives_the_orchestrator",
            "orchestrator/test_people.py::test_an_answer_that_does_not_fit_is_refused_with_the_field_and_the_task_keeps_waiting",
            "orchestrator/test_people.py::test_a_question_that_nobody_answers_in_time_fails_its_step",
            "orchestrator/test_people.py::test_the_time_that_people_take_is_not_the_tasks",
        ),
    ),
    # Agents that fail
    Requirement(
        "retry-classes",
        "Failures are tried again by class, with full jitter, Retry-After within bounds, and a retry budget.",
        (
            "orchestrator/test_retrying.py::test_what_cannot_pass_is_never_tried_again",
            "orchestrator/test_retrying.py::test_the_class_of_a_failure_says_what_follows",
            "orchestrator/test_retrying.py::test_a_pause_is_random_within_bounds_that_grow",
            "orchestrator/test_failover.py::test_an_overloaded_agent_is_tried_again_and_every_try_is_kept",
            "orchestrator/test_failover.py::test_the_pause_that_an_agent_asks_for_is_kept_within_bounds",
            "orchestrator/test_failover.py::test_retries_at_an_agent_that_fails_for_many_tasks_are_bounded",
            "orchestrator/test_gates.py::test_retries_never_exceed_their_budget",
        ),
    ),
    Requirement(
        "failover",
        "Another agent is tried where nothing was reached or doing it twice is harmless, and nowhere else; each "
        "choice is told.",
        (
            "orchestrator/test_failover.py::test_a_step_that_never_reached_its_agent_goes_to_another_at_once",
            "orchestrator/test_failover.py::test_a_step_that_may_have_reached_its_agent_is_not_given_to_another",
            "orchestrator/test_failover.py::test_a_step_that_may_be_done_twice_goes_to_another_when_its_agent_stays_bad",
            "orchestrator/test_failover.py::test_a_step_that_names_its_agent_goes_to_no_other",
            "orchestrator/test_failover.py::test_the_same_message_is_sent_again_to_an_agent_that_may_have_got_it",
        ),
    ),
    Requirement(
        "breaker",
        "An agent that keeps failing is left alone for a while, then tried once; calls to each agent at once are "
        "bounded.",
        (
            "orchestrator/test_failover.py::test_an_agent_that_keeps_failing_is_passed_over",
            "orchestrator/test_failover.py::test_an_agent_that_failed_too_often_is_tried_once_after_its_rest_and_is_back_if_it_works",
            "orchestrator/test_gates.py::test_five_failures_in_a_row_make_an_agent_rest",
            "orchestrator/test_gates.py::test_no_more_than_the_limit_are_inside_and_nobody_is_forgotten",
        ),
    ),
    Requirement(
        "deadlines",
        "Connect, first byte, gap, step and task have deadlines, in settings and for each task; the configured one "
        "holds.",
        (
            "orchestrator/test_deadlines.py::test_an_agent_that_accepts_no_connection_is_given_up_at_the_deadline_given",
            "orchestrator/test_deadlines.py::test_an_agent_that_does_not_begin_to_answer_is_given_up_at_the_deadline_given",
            "orchestrator/test_deadlines.py::test_a_stream_that_is_silent_is_given_up_at_the_deadline_given",
            "orchestrator/test_deadlines.py::test_a_step_that_takes_too_long_fails_at_the_deadline_given_and_its_remote_task_is_canceled",
            "orchestrator/test_deadlines.py::test_a_task_that_takes_too_long_fails_at_the_deadline_given_and_all_its_remote_tasks_are_canceled",
        ),
    ),
    Requirement(
        "long-tasks",
        "Agents may work for hours; broken streams are reconciled, and the difference becomes events, once.",
        (
            "orchestrator/test_long_tasks.py::test_an_agent_that_says_nothing_but_that_it_is_there_is_waited_for",
            "orchestrator/test_long_tasks.py::test_what_a_broken_stream_did_not_bring_becomes_events_once",
            "orchestrator/test_long_tasks.py::test_an_agent_that_is_away_for_a_moment_is_found_again_and_nothing_is_sent_twice",
            "orchestrator/test_long_tasks.py::test_an_agent_without_streams_is_asked_less_and_less_often",
            "shared/test_event_response.py::test_a_quiet_stream_is_kept_alive",
        ),
    ),
    # Budgets, loops, other plans
    Requirement(
        "budgets",
        "Budgets are reserved before each call and settled after it, per task and per tenant and day, passed on and "
        "inherited.",
        (
            "orchestrator/test_budgets.py::test_what_is_reserved_at_once_never_exceeds_the_limit",
            "orchestrator/test_budgets.py::test_a_tenants_day_holds_over_all_its_tasks",
            "orchestrator/test_budgets.py::test_an_agent_is_told_what_it_may_spend",
            "orchestrator/test_budgets.py::test_a_sub_task_of_a_sub_task_is_charged_up_to_the_root",
            "orchestrator/test_sub_tasks.py::test_a_sub_task_spends_its_parents_grant_and_is_canceled_with_it",
            "orchestrator/test_sub_tasks.py::test_what_a_tenant_may_spend_in_a_day_holds_over_its_tasks",
            "orchestrator/test_sub_tasks.py::test_a_task_of_depth_0_has_no_sub_tasks",
        ),
    ),
    Requirement(
        "loops",
        "Hops are bounded, repeated requests and patterns are seen, and who calls back in a circle is refused.",
        (
            "orchestrator/test_loops.py::test_each_message_in_a_row_counts_one_hop_and_too_many_are_refused",
            "orchestrator/test_loops.py::test_the_same_request_to_the_same_agent_on_the_way_is_a_loop_whatever_its_case_and_spaces",
            "orchestrator/test_loops.py::test_a_pattern_that_comes_three_times_is_seen_after_anything",
            "orchestrator/test_sub_tasks.py::test_an_agent_that_hands_its_request_back_to_the_federation_is_refused",
            "orchestrator/test_sub_tasks.py::test_an_agent_that_asks_the_same_whatever_it_is_answered_is_stopped",
        ),
    ),
    Requirement(
        "replanning",
        "A failed step may change the rest of the plan, a bounded number of times; what is done stays done.",
        (
            "orchestrator/test_sub_tasks.py::test_a_failed_step_is_done_by_another_agent_and_the_log_says_why",
            "orchestrator/test_sub_tasks.py::test_revisions_are_bounded",
            "orchestrator/test_sub_tasks.py::test_a_model_plans_the_rest_anew_within_the_budget_and_what_is_done_stays",
            "orchestrator/test_replanning.py::test_whatever_is_done_and_whatever_failed_the_done_steps_come_first_and_unchanged",
        ),
    ),
    Requirement(
        "lineage",
        "A task that is over can be retried and forked; the lineage is kept.",
        (
            "orchestrator/test_lineage.py::test_a_retry_keeps_what_was_completed_and_does_the_rest",
            "orchestrator/test_lineage.py::test_a_fork_does_a_step_again_and_what_depends_on_it",
            "orchestrator/test_lineage.py::test_failed_and_canceled_tasks_can_be_done_again",
            "orchestrator/test_lineage.py::test_the_same_key_makes_one_retry",
        ),
    ),
    # Push
    Requirement(
        "webhooks",
        "A callback_url is told, signed, at least once with the same id, backing off, given up after a day.",
        (
            "orchestrator/test_callbacks.py::test_the_end_of_a_task_is_told_once_with_a_signature_that_verifies",
            "orchestrator/test_callbacks.py::test_a_webhook_that_was_not_taken_is_sent_again_later_with_the_same_id",
            "orchestrator/test_callbacks.py::test_a_webhook_is_given_up_after_a_day",
            "orchestrator/test_callbacks.py::test_a_webhook_survives_a_kill_before_and_after_it_is_sent",
            "shared/test_webhooks.py::test_a_signature_is_the_one_of_the_specifications_example",
        ),
    ),
    Requirement(
        "push",
        "A2A push notifications are kept and delivered; push from agents is a hint that GetTask confirms.",
        (
            "shared/test_agent_push.py::test_whoever_asked_with_the_message_is_told_how_the_task_ended",
            "shared/test_agent_push.py::test_a_notification_that_was_not_taken_comes_again_with_its_id_after_a_restart",
            "shared/test_agent_push.py::test_configs_are_kept_listed_and_deleted",
            "shared/test_agent_client_push.py::test_a_hint_makes_the_agent_be_asked_at_once",
            "orchestrator/test_callbacks.py::test_a_push_is_a_hint_for_its_step_and_needs_the_attempts_token",
        ),
    ),
    # Bad input
    Requirement(
        "database-trouble",
        "Database locked, full, away or out of connections: changes get 503 with Retry-After, running tasks wait and "
        "go on.",
        (
            "orchestrator/test_database_trouble.py::test_while_sqlite_is_locked_submissions_are_refused_and_running_tasks_wait",
            "orchestrator/test_database_trouble.py::test_while_postgresql_is_away_submissions_are_refused_and_running_tasks_wait",
            "shared/test_db.py::test_when_the_disk_is_full_nothing_is_half_written_and_what_waits_goes_on",
            "shared/test_db.py::test_at_the_connection_limit_what_there_is_does_all_the_work",
            "shared/test_agent_server_calls.py::test_a_call_while_the_database_is_away_is_told_to_come_again",
        ),
    ),
    Requirement(
        "watchers",
        "However often watchers come and go, each sees every event once and in order.",
        (
            "orchestrator/test_watchers.py::test_watchers_that_come_and_go_see_every_event_once_and_in_order",
            "shared/test_event_response.py::test_a_client_that_reads_nothing_costs_little_and_not_for_ever",
        ),
    ),
)
