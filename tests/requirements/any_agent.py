"""What must hold with agents that others wrote, whatever they speak and however they behave."""

from tests.requirements.requirement import Requirement

REQUIREMENTS = (
    Requirement(
        "a2a-cards",
        "Cards say what a service is and can, are cached, and are signed when a key is set.",
        (
            "shared/test_agent_cards.py::test_a_card_says_what_the_service_is_and_can",
            "shared/test_agent_cards.py::test_a_card_is_signed_with_the_key_that_is_set",
            "shared/test_agent_cards.py::test_a_card_says_how_callers_prove_who_they_are",
            "shared/test_agent_cards.py::test_a_card_may_be_kept_for_a_while_and_is_not_sent_again_unchanged",
            "shared/test_agent_cards.py::test_the_extended_card_is_the_public_one_in_every_binding_and_version",
        ),
    ),
    Requirement(
        "a2a-sequence",
        "Events are numbered, the same for all who follow, and a stream resumes by its number without a gap.",
        (
            "shared/test_agent_sequence.py::test_a_stream_numbers_its_task_and_each_event_for_who_asks",
            "shared/test_agent_sequence.py::test_the_numbers_are_the_same_for_all_who_follow",
            "shared/test_agent_sequence.py::test_who_says_what_it_saw_last_gets_every_event_after_it",
        ),
    ),
    Requirement(
        "a2a-versions",
        "A call is made in the version that it names; other versions and missing required extensions are refused.",
        (
            "shared/test_agent_negotiation.py::test_a_call_is_made_in_the_version_it_names",
            "shared/test_agent_negotiation.py::test_another_version_is_refused_with_those_that_are_spoken",
            "shared/test_agent_negotiation.py::test_a_call_without_an_extension_that_the_card_requires_is_refused",
        ),
    ),
    Requirement(
        "a2a-conformance",
        "The official kit is answered as it asks, only on loopback.",
        ("shared/test_agent_conformance.py::test_a_service_that_others_can_reach_does_not_answer_the_kit",),
    ),
    Requirement(
        "interop",
        "Agents and clients of other frameworks work with ours, and their known quirks are handled.",
        (
            "interop/test_agents_of_others.py::test_an_agent_made_with_another_framework_is_used_by_the_orchestrator",
            "interop/test_clients_of_others.py::test_a_client_of_another_framework_is_served",
            "interop/test_quirks.py::test_an_answer_that_is_stored_and_not_streamed_is_found",
            "interop/test_quirks.py::test_an_agent_that_always_answers_submitted_is_asked_until_it_is_done",
            "interop/test_quirks.py::test_an_answer_in_status_messages_and_history_only_is_taken",
            "interop/test_quirks.py::test_a_client_that_mixes_the_dialects_can_read_what_it_is_answered",
        ),
    ),
    Requirement(
        "registry-checks",
        "Cards are checked with findings that name severity, place and clause; what is no card says what is missing.",
        (
            "orchestrator/test_card_checker.py::test_no_json_makes_the_checker_fail_and_each_finding_says_where",
            "orchestrator/test_card_checker.py::test_what_is_wrong_is_named_with_its_place_and_clause",
            "orchestrator/test_registry_verifies.py::test_a_card_that_is_no_card_says_all_that_is_missing_and_where",
        ),
    ),
    Requirement(
        "registry-probes",
        "Interfaces are probed harmlessly and graded; who speaks neither dialect is told so and not stored.",
        (
            "orchestrator/test_registry_verifies.py::test_a_sound_agent_gets_an_a_with_a_reason_for_each_part",
            "orchestrator/test_registry_verifies.py::test_an_agent_that_speaks_neither_dialect_is_told_so_and_not_stored",
            "orchestrator/test_registry_verifies.py::test_a_probe_that_fails_leaves_its_finding_with_the_whole_agent",
            "orchestrator/test_registry_verifies.py::test_a_card_at_an_odd_path_is_found",
        ),
    ),
    Requirement(
        "registry-changes",
        "A changed card is quarantined with its diff until it is accepted.",
        (
            "orchestrator/test_registry_admission.py::test_a_changed_card_is_noticed_and_quarantined_with_its_diff_until_it_is_accepted",
            "orchestrator/test_registry_admission.py::test_what_does_not_matter_changes_without_a_question",
        ),
    ),
    Requirement(
        "registry-signatures",
        "Signatures are checked against known keys, the first is pinned, no key is fetched from elsewhere.",
        (
            "orchestrator/test_registry_verifies.py::test_a_card_signed_with_a_trusted_key_is_known_as_such_and_a_forged_one_is_not",
            "orchestrator/test_registry_verifies.py::test_the_first_key_is_pinned_and_another_one_quarantines",
            "orchestrator/test_registry_verifies.py::test_keys_elsewhere_than_at_the_cards_origin_are_never_fetched",
        ),
    ),
    Requirement(
        "registry-names",
        "Names that imitate others are flagged.",
        ("orchestrator/test_registry_verifies.py::test_a_name_that_imitates_another_is_flagged",),
    ),
    Requirement(
        "registry-admission",
        "New agents wait for approval where it is asked for; suspending stops an agent at once, its running steps too.",
        (
            "orchestrator/test_registry_admission.py::test_where_approval_is_asked_for_a_new_agent_waits_to_be_accepted",
            "orchestrator/test_registry_admission.py::test_a_suspended_agent_gets_nothing_until_it_is_resumed",
            "orchestrator/test_suspension.py::test_the_running_steps_of_a_suspended_agent_end_at_once_and_the_agent_is_told",
        ),
    ),
    Requirement(
        "registry-ranking",
        "Discovery counts how an agent's calls went, and says so.",
        (
            "orchestrator/test_registry_ranking.py::test_an_agent_that_fails_falls_behind_one_that_works_and_the_reason_says_it",
        ),
    ),
    Requirement(
        "registry-files",
        "Agents of AGENTS_FILE come and go with it.",
        (
            "orchestrator/test_agents_file.py::test_agents_of_a_file_come_and_go_with_it",
            "orchestrator/test_agents_file.py::test_every_file_of_a_folder_counts_and_a_bad_one_harms_no_other",
        ),
    ),
    Requirement(
        "registry-catalog",
        "Others find the agents in an AI catalog and by search.",
        (
            "orchestrator/test_catalog.py::test_active_agents_are_in_the_catalog_with_their_card_and_the_registry_itself",
            "orchestrator/test_catalog.py::test_a_search_ranks_filters_and_pages",
        ),
    ),
    Requirement(
        "calling-resumes",
        "A stream that breaks loses and repeats nothing where events are numbered, else the difference is told.",
        (
            "shared/test_agent_client_resuming.py::test_a_stream_that_is_cut_again_and_again_loses_nothing_and_repeats_nothing",
            "shared/test_agent_client_resuming.py::test_what_was_told_after_the_cut_is_heard_though_the_task_has_ended_since",
            "shared/test_agent_client_resuming.py::test_an_agent_without_numbers_is_asked_and_only_what_is_new_is_told",
            "shared/test_agent_client_resuming.py::test_an_agent_that_declares_numbers_and_leaves_some_out_is_asked",
        ),
    ),
    Requirement(
        "calling-asks-again",
        "An agent that fails at telling how a task stands is asked again; its step does not end by that.",
        (
            "shared/test_agent_client_resuming.py::test_an_agent_that_fails_at_telling_how_a_task_stands_is_asked_again",
            "shared/test_agent_client_resuming.py::test_a_message_that_an_agent_fails_at_is_not_sent_again",
        ),
    ),
    Requirement(
        "calling-credentials",
        "Credentials are sent as the card's schemes ask, from the encrypted store, to the agent's origin only.",
        (
            "orchestrator/test_credentials.py::test_a_card_gets_what_its_scheme_asks_for_and_nobody_sees_it_again",
            "orchestrator/test_credentials.py::test_a_client_certificate_opens_the_agent_that_asks_for_one_and_no_other",
            "orchestrator/test_credentials.py::test_a_token_is_asked_for_once_and_anew_when_it_is_refused",
            "orchestrator/test_credentials.py::test_an_agent_that_asks_for_something_that_is_not_stored_says_what_to_give_and_how",
            "orchestrator/test_credentials.py::test_nothing_is_shown_to_another_origin_than_the_agents",
            "orchestrator/test_credentials.py::test_a_redirect_takes_nothing_along",
        ),
    ),
    Requirement(
        "guards",
        "Each guard against bad agents has a test that fails without it; a hostile agent costs only its own step.",
        (
            "guards/test_guards.py::test_without_a_guard_its_test_fails",
            "guards/test_guards.py::test_every_guard_is_where_it_is_said_to_be_and_has_a_test",
            "orchestrator/test_hostile_agents.py::test_an_agent_that_sends_without_end_costs_its_own_step_an_error_and_nobody_else_anything",
        ),
    ),
    Requirement(
        "discovery-by-meaning",
        "Skills are found by meaning where an embedding model is configured, and the reason says so.",
        (
            "orchestrator/test_meaning.py::test_a_need_is_found_by_its_meaning_and_the_reason_says_so",
            "orchestrator/test_meaning.py::test_while_the_embedding_model_is_away_words_are_searched",
            "shared/test_embeddings.py::test_each_text_gets_its_vector_however_many_there_are",
        ),
    ),
    Requirement(
        "routes-hold",
        "No route of any service answers with a failure that nobody foresaw, whatever it is asked.",
        (
            "fuzz/test_routes.py::test_no_route_of_the_orchestrator_fails_whatever_it_is_asked",
            "fuzz/test_routes.py::test_no_route_of_an_agent_fails_whatever_it_is_asked",
        ),
    ),
)
