"""What the browser service must do beside acting on pages: test them, keep them in, show what it does."""

from tests.requirements.requirement import Requirement

_PAGE = "browser/test_page_tests.py"
_KEPT = "orchestrator/test_page_tests.py"
_SEEN = "browser/test_sessions.py"
_OUT = "browser/test_boundary.py"
_RUNS = "browser/test_automation.py"

REQUIREMENTS = (
    Requirement(
        "page-tests-plan",
        "A goal in plain words becomes 2 to 8 steps with success criteria, by grammar or model, done and judged.",
        (
            f"{_PAGE}::test_a_page_test_tells_each_step_and_the_verdict",
            f"{_PAGE}::test_what_is_so_passes",
            f"{_PAGE}::test_a_model_plans_and_its_checks_are_still_judged_by_what_is_seen",
        ),
    ),
    Requirement(
        "page-tests-honest",
        "A failed step names expected and seen, later steps are not run; nothing passes that was not seen.",
        (
            f"{_PAGE}::test_what_is_not_so_fails_and_says_what_was_there",
            f"{_PAGE}::test_steps_after_a_failed_one_are_not_run",
            f"{_PAGE}::test_a_server_that_is_away_is_a_failed_test",
        ),
    ),
    Requirement(
        "page-tests-command",
        "`federation verify` and `run_pipeline.py` print just the lines and exit with 0, 1 or 2, federation or not.",
        (
            "federation/test_verify.py::test_without_a_federation_it_starts_what_it_needs_says_just_this_and_stops_it_again",
            "federation/test_verify.py::test_a_failed_test_says_what_was_there_ends_with_1_and_is_reported",
            "federation/test_verify.py::test_what_could_not_be_run_ends_with_2",
        ),
    ),
    Requirement(
        "page-tests-kept",
        "Tests are stored, scheduled by cron text, their history is kept, as JSON and JUnit XML.",
        (
            f"{_KEPT}::test_a_test_is_kept_run_again_and_its_history_is_there",
            f"{_KEPT}::test_a_test_runs_at_its_time_once_and_the_next_time_is_known",
            f"{_KEPT}::test_what_is_wrong_in_a_test_is_said_and_nothing_is_kept",
            f"{_KEPT}::test_what_cannot_be_run_has_an_error_and_no_verdict_of_the_page",
        ),
    ),
    Requirement(
        "tinyfish",
        "TinyFish performs page tests where its key is set; we serve the same events, `status` apart from `verdict`.",
        (
            f"{_RUNS}::test_tinyfish_performs_a_page_test_and_only_what_it_reports_passed",
            f"{_RUNS}::test_what_tinyfish_does_not_report_as_passed_is_not_passed",
            f"{_RUNS}::test_our_own_browser_is_driven_by_the_same_api",
            f"{_RUNS}::test_a_run_is_canceled_and_who_follows_it_is_told",
        ),
    ),
    Requirement(
        "browser-live",
        "A session is watched live, paced by each viewer, taken over with a token and handed back.",
        (
            f"{_SEEN}::test_many_watch_a_session_and_each_gets_the_latest_frame_when_it_has_room",
            f"{_SEEN}::test_one_person_takes_over_and_the_task_waits_until_it_is_handed_back",
            f"{_SEEN}::test_the_page_that_shows_a_session_loads_nothing_from_elsewhere",
            "orchestrator/test_browser_sessions.py::test_a_session_is_seen_taken_over_and_kept_for_whoever_has_its_task",
        ),
    ),
    Requirement(
        "browser-kept",
        "Thumbnails, trace and film are kept for a time, and no typed secret is in anything that is kept.",
        (
            f"{_SEEN}::test_what_a_session_did_is_kept_and_no_secret_is_in_it",
            f"{_SEEN}::test_a_secret_is_taken_out_in_whatever_way_it_is_written",
            f"{_SEEN}::test_what_is_old_or_too_much_is_removed_the_oldest_first",
            f"{_SEEN}::test_less_is_kept_when_that_is_wanted",
            "browser/test_films.py::test_frames_are_piped_to_ffmpeg_and_last_as_long_as_they_were_shown",
            "browser/test_films.py::test_what_ffmpeg_does_not_take_and_where_it_is_missing_becomes_an_animated_webp",
        ),
    ),
    Requirement(
        "browser-boundary",
        "No page reaches a forbidden address, in any of more than thirty ways; names are pinned; sessions have lists.",
        (
            f"{_OUT}::test_no_page_reaches_a_forbidden_address_in_any_of_many_ways",
            f"{_OUT}::test_the_same_ways_get_there_when_they_may",
            f"{_OUT}::test_a_name_means_the_address_that_was_checked_whatever_it_is_later",
            f"{_OUT}::test_a_session_reaches_only_what_its_lists_let_it",
            f"{_OUT}::test_text_that_nobody_sees_is_marked_and_kept_apart",
            "browser/test_held_sessions.py::test_a_session_is_kept_open_and_observed_within_its_bounds",
        ),
    ),
    Requirement(
        "browser-credentials",
        "Credentials are named, bound to origins, filled in by the service, and shown to nobody.",
        (f"{_SEEN}::test_a_credential_is_filled_in_by_the_service_on_its_own_pages_only_and_nobody_sees_it",),
    ),
)
