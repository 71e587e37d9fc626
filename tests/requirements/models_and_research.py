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
        "summaries-in-parts",
        "Summaries: long input in parts, bounded calls within the budget; length and style; what is left out is said.",
        (
            "api_agent/test_model.py::test_a_long_text_is_read_in_parts_and_joined_within_the_bound_of_calls",
            "api_agent/test_model.py::test_what_is_left_out_of_a_text_that_is_longer_still_is_said",
            "api_agent/test_model.py::test_a_summary_stops_asking_when_the_budget_is_spent",
            "api_agent/test_summarize.py::test_bullet_points_and_words_are_kept_to",
            "api_agent/test_summarize.py::test_a_style_is_the_models_to_keep_and_without_one_that_is_said",
        ),
    ),
    Requirement(
        "extraction-in-parts",
        "Extraction: text to JSON by schema; a long text in parts, bounded calls; nothing is lost unsaid.",
        (
            "api_agent/test_model.py::test_a_schema_is_filled_by_the_model_and_checked",
            "api_agent/test_model.py::test_all_of_a_long_text_is_extracted_from_in_parts_and_put_together",
            (
                "api_agent/test_model.py::"
                "test_facts_of_all_parts_come_together_within_the_bound_of_calls_and_what_is_left_out_is_said"
            ),
            "api_agent/test_model.py::test_a_part_that_the_model_fails_at_is_said_and_the_others_are_kept",
            (
                "api_agent/test_merging.py::"
                "test_every_value_of_every_part_is_in_what_is_merged_or_among_what_others_said"
            ),
        ),
    ),
    Requirement(
        "data-profile-exact",
        "A profile reads what is plain once and is the same wherever in the table a value stands that is not.",
        (
            (
                "api_agent/test_analyze.py::"
                "test_a_late_value_that_is_not_as_the_first_thousand_is_read_as_if_it_had_come_first"
            ),
            "api_agent/test_analyze.py::test_lines_with_nothing_but_blanks_are_no_rows",
            "api_agent/test_large_and_broken.py::test_a_table_with_many_columns_is_read",
        ),
    ),
    Requirement(
        "data-questions",
        "Questions in words: rules first, else SQL by the model: read-only, checked, shown, one repair, typed failure.",
        (
            "api_agent/test_questions.py::test_a_question_is_answered",
            "api_agent/test_model.py::test_a_question_that_rules_read_costs_no_call",
            "api_agent/test_model.py::test_a_question_that_rules_cannot_read_is_answered_by_sql_that_is_shown",
            "api_agent/test_model.py::test_sql_that_may_not_or_cannot_run_is_sent_back_with_the_exact_reason",
            "api_agent/test_model.py::test_sql_that_takes_too_long_is_interrupted_and_sent_back",
            "api_agent/test_model.py::test_sql_that_is_wrong_twice_fails_with_the_reason",
            "api_agent/test_model.py::test_a_sealed_database_is_a_wall_by_itself",
        ),
    ),
    Requirement(
        "data-charts",
        "Charts as Vega-Lite and PNG.",
        ("api_agent/test_analyze.py::test_a_chart_comes_as_a_specification_and_drawn",),
    ),
    Requirement(
        "data-large-files",
        "Files up to 100 MB are streamed, not loaded whole.",
        (
            (
                "api_agent/test_large_and_broken.py::"
                "test_a_large_file_by_url_is_streamed_and_raises_the_memory_by_less_than_its_size"
            ),
            "api_agent/test_large_and_broken.py::test_a_file_above_the_limit_is_refused_while_it_comes",
            "shared/test_http.py::test_a_body_goes_to_a_file_under_the_same_guards",
        ),
    ),
    Requirement(
        "data-bad-input",
        "Broken, encrypted, binary and huge input, and models that fail: typed errors; nothing leaks between tasks.",
        (
            "api_agent/test_large_and_broken.py::test_a_table_that_cannot_be_read_says_what_to_change",
            "api_agent/test_large_and_broken.py::test_a_small_file_that_would_become_a_huge_table_is_refused",
            "api_agent/test_large_and_broken.py::test_lines_in_another_encoding_are_read_and_counted",
            "api_agent/test_large_and_broken.py::test_a_document_that_cannot_be_read_says_what_to_change",
            (
                "api_agent/test_large_and_broken.py::"
                "test_a_table_that_takes_too_long_names_the_setting_and_a_cancelled_one_ends"
            ),
            "api_agent/test_large_and_broken.py::test_requests_have_folders_of_their_own_and_nothing_is_left_of_them",
            (
                "api_agent/test_model.py::"
                "test_a_question_that_the_model_fails_at_is_a_typed_failure_and_what_rules_can_do_is_done"
            ),
            "api_agent/test_model.py::test_a_schema_that_only_the_model_could_fill_fails_with_what_the_model_did",
            "api_agent/test_model.py::test_a_model_that_fails_leaves_an_extractive_summary",
        ),
    ),
    Requirement(
        "data-through-tasks",
        "Each skill of the API agent works through a task, without a model and with the scripted one.",
        (
            "api_agent/test_through_tasks.py::test_every_skill_works_through_a_task_without_a_model",
            "api_agent/test_through_tasks.py::test_every_skill_works_through_a_task_with_a_model",
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
        "analysis-of-what-is-given",
        "`analysis` compares, weighs and concludes over given material.",
        (
            (
                "research_agent/test_analysis.py::"
                "test_what_is_given_is_weighed_though_it_has_none_of_the_words_and_the_documents_have_them"
            ),
            "research_agent/test_analysis.py::test_two_things_are_compared_each_by_what_is_said_of_it",
        ),
    ),
    Requirement(
        "research-through-tasks",
        "Each skill of research works through a task on the orchestrator, without a model and with the scripted one.",
        ("research_agent/test_through_tasks.py::test_each_skill_works_through_a_task",),
    ),
    Requirement(
        "research-sources",
        "Tavily, Brave, SearXNG, Wikipedia, arXiv and ddgs in the form that each documents; what they refuse is said.",
        (
            "research_agent/test_engines.py::test_what_an_engine_finds_is_read_and_cited",
            "research_agent/test_engines.py::test_arxiv_is_asked_for_papers_without_the_words_that_only_say_so",
            "research_agent/test_engines.py::test_public_engines_are_read_by_the_library_as_they_answer",
            "research_agent/test_engines.py::test_a_wrong_key_is_said_with_the_setting_to_check",
            "research_agent/test_engines.py::test_a_wrong_key_is_said_though_another_engine_answers",
            ("research_agent/test_engines.py::test_an_engine_that_is_broken_is_named_and_the_documents_still_answer"),
            "research_agent/test_engines.py::test_an_engine_is_left_alone_for_as_long_as_it_says",
            "research_agent/test_engines.py::test_what_arxiv_tells_as_a_paper_is_no_paper",
            "research_agent/test_engines.py::test_what_a_wiki_tells_as_an_error_is_no_answer",
            "research_agent/test_engines.py::test_a_long_question_is_cut_to_what_the_engines_take",
        ),
    ),
    Requirement(
        "research-browser-pages",
        "Pages that need a browser are read through the federation's own extract-page skill.",
        (
            "research_agent/test_browser_pages.py::test_a_page_made_by_scripts_is_read_by_the_federations_browser",
            (
                "research_agent/test_browser_pages.py::"
                "test_what_the_browser_spends_is_counted_and_what_it_cannot_read_is_said"
            ),
        ),
    ),
    Requirement(
        "research-meaning",
        "The documents folder is searched by words, and by embeddings when configured; never needed without a key.",
        (
            "research_agent/test_meaning.py::test_a_document_is_found_by_its_meaning_though_it_has_none_of_the_words",
            "research_agent/test_meaning.py::test_words_and_meaning_count_together",
            "research_agent/test_meaning.py::test_a_passage_is_embedded_once_and_again_when_it_changes",
            "research_agent/test_meaning.py::test_while_the_embedding_model_is_away_words_are_searched",
            "research_agent/test_meaning.py::test_two_orders_become_one_that_keeps_what_both_agree_on",
        ),
    ),
    Requirement(
        "research-checkpoints-pruned",
        "What is kept of runs that are over, or that nothing happened to for too long, is dropped.",
        (
            "research_agent/test_graph.py::test_what_is_kept_of_runs_goes_when_they_are_over_or_too_old",
            (
                "shared/test_agent_server_restart.py::"
                "test_an_agent_is_told_which_tasks_are_not_over_so_that_it_can_drop_what_it_keeps_of_others"
            ),
        ),
    ),
    Requirement(
        "research-bad-input",
        "Models that are away, refuse or answer rubbish; documents that are broken, encrypted, binary or huge.",
        (
            "research_agent/test_model.py::test_without_a_usable_answer_of_the_model_the_sources_are_quoted",
            "research_agent/test_model.py::test_a_model_that_is_away_is_asked_once",
            "research_agent/test_folder.py::test_an_unreadable_file_is_named_and_the_rest_is_searched",
            "research_agent/test_web.py::test_an_attachment_above_the_limit_is_refused_by_name",
            "shared/test_documents.py::test_what_cannot_be_read_is_named_with_the_reason",
            "shared/test_documents.py::test_a_pdf_that_is_only_locked_against_changes_is_read",
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
