"""What agents do together: consensus, critique, agents on demand, tools, learning."""

from tests.requirements.requirement import Requirement

REQUIREMENTS = (
    Requirement(
        "consensus",
        "Several agents are asked at once; a majority by equality, a model's judgement or a merge makes one answer.",
        (
            "teams/test_consensus.py::test_what_most_agents_say_is_the_answer_and_the_disagreement_is_told",
            "teams/test_consensus.py::test_an_agent_is_asked_again_where_there_are_fewer_than_answers_wanted",
            "teams/test_consensus.py::test_named_agents_are_asked_each_once",
            "teams/test_consensus.py::test_without_a_majority_and_a_judge_the_step_fails_and_says_who_said_what",
            "teams/test_consensus.py::test_a_model_judges_with_reasons_where_there_is_no_majority",
            "teams/test_consensus.py::test_without_a_model_a_merge_holds_all_answers_with_their_origins",
            "teams/test_consensus.py::test_with_a_model_a_merge_is_one_text",
            "teams/test_consensus.py::test_answers_that_mean_the_same_agree_unless_their_numbers_differ",
            "teams/test_pure_parts.py::test_how_a_number_is_written_does_not_count",
            "teams/test_pure_parts.py::test_how_json_is_written_does_not_count",
        ),
    ),
    Requirement(
        "consensus-durable",
        "A kill asks nobody again, a cancel reaches every answer, budgets are divided, questions reach people.",
        (
            "teams/test_consensus.py::test_a_kill_in_the_middle_asks_nobody_again",
            "teams/test_consensus.py::test_a_cancel_reaches_every_answer_under_way",
            "teams/test_consensus.py::test_the_budget_is_divided_among_the_answers",
            "teams/test_consensus.py::test_the_answers_count_as_steps_of_the_budget",
            "teams/test_consensus.py::test_a_question_of_one_agent_reaches_a_person_and_the_others_answers_stay",
        ),
    ),
    Requirement(
        "teams-retried",
        "A retry of a failed step of a team keeps the single answers that succeeded: they are not asked for again.",
        (
            "teams/test_retrying_teams.py::test_only_those_who_gave_no_answer_are_asked_again",
            "teams/test_retrying_teams.py::test_answers_without_a_majority_are_kept_for_a_judge_that_was_away",
            "teams/test_retrying_teams.py::test_rounds_that_were_judged_are_kept_and_the_next_one_goes_on_from_them",
            "teams/test_retrying_teams.py::test_a_step_that_was_not_good_enough_in_all_its_rounds_is_done_anew",
        ),
    ),
    Requirement(
        "critic-loop",
        "Answers and results are scored by criteria and asked for again with the critique, at most N times.",
        (
            "teams/test_critic.py::test_an_answer_that_fails_a_check_is_asked_for_again_with_the_critique",
            "teams/test_critic.py::test_it_is_never_asked_more_often_than_wished_and_the_step_fails_with_the_best",
            "teams/test_critic.py::test_a_model_judges_what_no_check_can",
            "teams/test_critic.py::test_criteria_that_need_a_model_are_refused_before_anyone_is_asked",
            "teams/test_critic.py::test_the_last_steps_of_a_task_are_done_again_until_its_result_is_good_enough",
            "teams/test_critic.py::test_what_an_answer_says_is_no_reference_and_no_instruction_when_it_is_asked_again",
            "teams/test_pure_parts.py::test_a_check_holds_or_says_what_is_wrong",
        ),
    ),
    Requirement(
        "critic-durable",
        "A kill in the middle of a critic loop asks for nothing again and counts each round once.",
        (
            "teams/test_critic.py::test_a_kill_in_the_second_round_asks_for_nothing_again",
            "teams/test_critic.py::test_a_kill_after_a_result_was_judged_counts_each_round_once",
        ),
    ),
    Requirement(
        "spawn-on-demand",
        "A skill that no registered agent has is covered by an agent template: begun, registered, used, retired.",
        (
            "teams/test_templates.py::test_a_step_that_nobody_can_do_goes_to_an_agent_that_is_begun_for_it",
            "teams/test_templates.py::test_the_planner_knows_what_can_be_begun",
            "teams/test_templates.py::test_an_agent_that_nobody_needs_is_let_go_and_comes_back_when_it_is_needed",
            "teams/test_templates.py::test_without_a_model_the_rules_find_it_and_it_says_that_it_needs_one",
            "teams/test_templates.py::test_a_template_is_followed_as_it_is_written_now",
            "teams/test_templates.py::test_a_template_that_is_no_good_is_refused_with_line_and_column",
        ),
    ),
    Requirement(
        "mcp-tools",
        "Agents use tools of MCP servers, by stdio and HTTP, from an allow-list, and registered skills; all bounded.",
        (
            "teams/test_mcp_tools.py::test_an_agent_uses_the_tools_of_its_template",
            "teams/test_mcp_tools.py::test_a_registered_skill_is_a_tool_in_the_name_of_the_task",
            "teams/test_mcp_tools.py::test_the_research_agent_searches_by_the_tools_it_may_use",
            "teams/test_mcp_tools.py::test_a_stdio_server_gets_a_minimal_environment",
            "teams/test_mcp_tools.py::test_what_goes_wrong_with_a_tool_is_told_in_words",
            "teams/test_mcp_tools.py::test_a_call_that_takes_too_long_ends_and_the_next_one_finds_the_server_again",
            "teams/test_mcp_tools.py::test_a_server_over_http_is_reached_by_the_guarded_way_only",
        ),
    ),
    Requirement(
        "learning",
        "Outcomes rank agents, with bounded exploration; plans that succeeded are reused or shown, seen and erased.",
        (
            "teams/test_learning.py::test_the_same_request_is_planned_without_a_model_the_second_time",
            "teams/test_learning.py::test_another_number_is_another_request_and_sees_the_first_plan_as_an_example",
            "teams/test_learning.py::test_what_was_learned_is_shown_and_can_be_forgotten",
            "teams/test_learning.py::test_what_was_learned_is_at_the_terminal",
            "teams/test_learning.py::test_a_request_that_means_about_the_same_in_other_words_sees_the_plan_as_an_example",
            "teams/test_learning.py::test_a_plan_that_keeps_failing_is_forgotten",
            "teams/test_learning.py::test_judges_scores_and_the_skill_count_in_an_agents_record",
            "teams/test_learning.py::test_little_known_agents_get_their_share_of_steps_and_no_more",
        ),
    ),
)
