"""What must hold of language models and of research."""

from tests.requirements.requirement import Requirement

REQUIREMENTS = (
    Requirement(
        "models-names",
        "Models are named provider:model; each role has its own, and a task may choose others.",
        (
            "shared/test_llm_roles.py::test_a_model_is_named_with_its_provider",
            "shared/test_llm_roles.py::test_each_role_has_its_own_model_and_the_common_one_otherwise",
            "shared/test_llm_roles.py::test_a_task_may_want_another_model_for_a_role",
            "orchestrator/test_usage.py::test_a_task_may_choose_its_models_and_agents_are_told",
            "orchestrator/test_usage.py::test_a_model_that_cannot_be_called_fails_the_task_with_what_it_lacks",
        ),
    ),
    Requirement(
        "models-forms",
        "Structured output: native, else a tool, else the prompt; strict; one repair; then a typed failure.",
        (
            "shared/test_llm_forms.py::test_a_form_is_asked_for_natively_then_by_a_tool_then_by_the_prompt_alone",
            "shared/test_llm_forms.py::test_an_answer_is_read_strictly_and_sent_back_with_the_exact_problem",
            "shared/test_llm_forms.py::test_a_second_contradiction_is_a_typed_failure_that_says_what_was_wrong",
        ),
    ),
    Requirement(
        "models-fallback",
        "Retries with Retry-After, deadlines for the first token and in all, the next model, limits at once.",
        (
            "shared/test_llm.py::test_a_rate_limit_is_waited_out_as_the_server_asks",
            "shared/test_llm_roles.py::test_the_next_model_of_a_role_takes_over",
            "shared/test_llm_roles.py::test_a_stream_that_does_not_begin_in_time_is_given_to_the_next_model",
            "shared/test_llm_roles.py::test_a_stream_has_a_total_deadline",
            "shared/test_llm_roles.py::test_only_so_many_calls_to_one_provider_run_at_once",
        ),
    ),
    Requirement(
        "models-cost",
        "Every call is recorded, a task's cost is whole, budgets are honoured, saved calls are shown.",
        (
            (
                "orchestrator/test_usage.py::"
                "test_the_calls_of_agents_and_of_the_orchestrator_add_up_to_what_the_tasks_show"
            ),
            "orchestrator/test_usage.py::test_recorded_calls_always_add_up_to_what_was_spent",
            "orchestrator/test_usage.py::test_calls_that_the_cache_saved_are_shown_and_cost_nothing",
            "orchestrator/test_usage.py::test_the_budget_that_a_step_is_granted_bounds_the_calls_of_its_agent",
            "shared/test_llm_cache.py::test_the_same_prompt_is_answered_from_the_cache_and_counted_as_saved",
            "shared/test_llm_anthropic.py::test_a_long_system_prompt_is_marked_for_its_cache",
            "shared/test_llm_groq.py::test_groq_answers_with_its_own_key_and_model",
        ),
    ),
    Requirement(
        "models-double",
        "A scripted OpenAI-compatible server is usable by everybody, faults included.",
        (
            "federation/test_model_double.py::test_the_command_serves_what_the_script_says",
            "federation/test_model_double.py::test_what_is_wrong_with_a_script_is_said",
        ),
    ),
    Requirement(
        "research-graph",
        "A killed run resumes at its node; ambiguous questions are asked back; the session is remembered.",
        (
            "research_agent/test_graph.py::test_a_killed_run_goes_on_at_its_node_and_asks_the_model_nothing_twice",
            "research_agent/test_graph.py::test_an_ambiguous_question_is_asked_back_once_and_the_answer_completes_it",
            "research_agent/test_graph.py::test_a_session_remembers_what_was_asked_and_read",
        ),
    ),
    Requirement(
        "research-citations",
        "Every citation is checked against its passage; unsupported sentences are dropped or marked.",
        (
            "research_agent/test_graph.py::test_sentences_are_held_against_what_they_cite",
            "research_agent/test_graph.py::test_what_is_said_in_other_words_is_judged_by_a_model",
        ),
    ),
)
