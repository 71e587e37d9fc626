"""What the software engineer among the agents must do, and what its sandbox must hold."""

from tests.requirements.requirement import Requirement

REQUIREMENTS = (
    Requirement(
        "code-four-roles",
        "“Write a function with tests, have it reviewed and documented” runs as one task with the scripted model.",
        (
            "code_agent/test_through_tasks.py::test_write_test_review_and_document_are_one_task_with_a_model",
            "code_agent/test_through_tasks.py::test_without_a_model_the_rules_hand_the_files_of_a_step_on",
            "orchestrator/test_planning_rules.py::test_the_roles_of_a_software_engineer_are_steps_that_hand_files_on",
        ),
    ),
    Requirement(
        "code-through-tasks",
        "Each skill works through a task on the orchestrator, with no model and with the scripted one.",
        (
            "code_agent/test_through_tasks.py::test_every_skill_works_through_a_task_without_a_model",
            "code_agent/test_through_tasks.py::test_each_skill_works_through_a_task_with_a_model",
        ),
    ),
    Requirement(
        "code-writes",
        "`write-code`: plan, files, run, see errors, mend in a bounded loop; without a model it says what to set.",
        (
            "code_agent/test_writing.py::test_a_program_is_written_run_and_handed_over",
            "code_agent/test_writing.py::test_a_program_that_fails_is_written_once_more",
            "code_agent/test_writing.py::test_a_program_that_fails_twice_fails_the_task",
            "code_agent/test_writing.py::test_without_a_model_writing_is_refused_with_what_to_set",
        ),
    ),
    Requirement(
        "code-tests",
        "`test-code`: runs tests, or writes some, and reports passed, failed and coverage.",
        (
            "code_agent/test_skills.py::test_tests_that_come_along_are_run_and_counted_with_the_lines_they_cover",
            "code_agent/test_skills.py::test_without_a_model_tests_are_made_from_signatures_and_say_what_they_do_not_check",
            "code_agent/test_skills.py::test_the_model_writes_tests_and_mends_those_that_cannot_run",
            "code_agent/test_skills.py::test_a_project_in_an_archive_is_tested_as_it_is",
        ),
    ),
    Requirement(
        "code-reviews",
        "`review-code`: findings of ruff, bandit and the model with file, line, severity and rule.",
        (
            "code_agent/test_skills.py::test_a_review_names_file_line_severity_and_rule",
            "code_agent/test_skills.py::test_a_review_without_the_model_still_has_what_the_tools_found",
            "code_agent/test_skills.py::test_configuration_in_the_code_does_not_silence_the_review",
        ),
    ),
    Requirement(
        "code-documents",
        "`document-code`: docstrings and README by what the code does; without a model from signatures.",
        (
            "code_agent/test_skills.py::test_documenting_adds_docstrings_and_a_readme_and_changes_nothing_else",
            "code_agent/test_skills.py::test_the_model_cannot_change_the_code_that_it_documents",
            "code_agent/test_docstrings.py::test_docstrings_change_nothing_but_docstrings",
        ),
    ),
    Requirement(
        "code-runs-more",
        "`run-code`: Node where installed; packages only from a configured allow-list of wheels.",
        (
            "code_agent/test_packages.py::test_javascript_runs_where_node_is_and_is_refused_where_not",
            "code_agent/test_packages.py::test_a_program_has_the_packages_it_names_and_what_they_need",
            "code_agent/test_packages.py::test_other_packages_are_refused_with_those_that_may",
        ),
    ),
    Requirement(
        "code-sessions",
        "Workspace per session, quotas, garbage collected; a job is files with media types, a zip, and what was run.",
        (
            "code_agent/test_sessions.py::test_a_later_job_of_a_session_finds_the_files_of_the_earlier_ones",
            "code_agent/test_sessions.py::test_files_beyond_the_quota_are_handed_over_but_not_kept",
            "code_agent/test_sessions.py::test_old_workspaces_go_and_the_oldest_first_where_there_are_too_many",
            "code_agent/test_sessions.py::test_the_archive_of_one_job_is_taken_by_the_next",
            "code_agent/test_sessions.py::test_two_jobs_of_a_session_take_turns_and_lose_nothing",
        ),
    ),
    Requirement(
        "code-probes",
        "40 probes of the sandbox, 0 escapes.",
        (
            "code_agent/test_probes.py::test_a_program_does_not_get_out",
            "code_agent/test_probes.py::test_there_are_at_least_forty_probes",
            "code_agent/test_probes.py::test_links_in_the_folder_are_not_followed_by_the_service",
        ),
    ),
    Requirement(
        "code-weaker",
        "Landlock and limits as declared weaker fallback only when allowed; containers by setting.",
        (
            "code_agent/test_other_walls.py::test_without_permission_the_weaker_walls_are_not_used",
            "code_agent/test_other_walls.py::test_the_weaker_walls_are_said_in_health_and_in_each_result",
            "code_agent/test_other_walls.py::test_the_weaker_walls_hide_files_and_the_network",
            "code_agent/test_other_walls.py::test_a_container_is_cut_off_on_its_command_line",
        ),
    ),
    Requirement(
        "code-bad-input",
        "Code that forks, fills the disk, sleeps, opens sockets, prints 1 GB, deletes its folder; bombs, odd names.",
        (
            "code_agent/test_bad_input.py::test_harmful_code_fails_with_what_to_change_and_leaves_no_process",
            "code_agent/test_bad_input.py::test_code_that_deletes_its_folder_ends_as_any_other",
            "code_agent/test_bad_input.py::test_a_zip_bomb_is_refused_with_the_limit",
            "code_agent/test_bad_input.py::test_odd_names_are_only_names",
            "code_agent/test_bad_input.py::test_canceling_in_the_middle_ends_every_process",
            "code_agent/test_bad_input.py::test_what_one_task_makes_no_other_task_sees",
            "code_agent/test_skills.py::test_binary_rubbish_as_code_is_an_answer_or_a_clear_error",
        ),
    ),
)
