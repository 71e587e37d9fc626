"""The guards, by the threat that they stand against. docs/security.md has them as a table."""

from collections.abc import Mapping
from typing import Final

from tests.guards.guard import Guard

_CALLS: Final = "shared/test_http_calls.py::"
_HTTP: Final = "shared/test_http.py::"
_ADDRESSES: Final = "shared/test_http_addresses.py::"
_BAD: Final = "shared/test_agent_client_misbehaving.py::"
_UNUSABLE: Final = f"{_BAD}test_an_answer_that_cannot_be_used_is_a_clear_error"
_TIMES: Final = "shared/test_agent_client_deadlines.py::"
_CARDS: Final = "shared/test_agent_client_cards.py::"
_READING: Final = "shared/test_agent_client_reading.py::"
_RESUMING: Final = "shared/test_agent_client_resuming.py::"
_DOOR: Final = "shared/test_service.py::"
_SERVED: Final = "shared/test_agent_server.py::"
_WEBHOOKS: Final = "shared/test_webhooks.py::"
_CALLBACKS: Final = "orchestrator/test_callbacks.py::"
_ADMISSION: Final = "orchestrator/test_registry_admission.py::"
_VERIFIES: Final = "orchestrator/test_registry_verifies.py::"
_SECRETS: Final = "orchestrator/test_credentials.py::"
_MODEL_SQL: Final = "api_agent/test_model.py::"
_FAILOVER: Final = "orchestrator/test_failover.py::"

GUARDS: Final[Mapping[str, tuple[Guard, ...]]] = {
    "addresses that lead inside": (
        Guard(
            "private, link-local and metadata addresses are refused in every spelling",
            "shared/egress.py",
            "return is_public(address) or (self.loopback and address.is_loopback)",
            "return True",
            f"{_ADDRESSES}test_a_private_address_is_refused_in_every_spelling",
            short=True,
        ),
        Guard(
            "a name is resolved once, and the connection goes to an address that was judged",
            "shared/connections.py",
            "self._policy.check_addresses(host, to_addresses(found), port)",
            "to_addresses(found)",
            f"{_HTTP}test_a_name_is_resolved_once_and_only_checked_addresses_are_connected_to",
        ),
        Guard(
            "only http and https",
            "shared/egress.py",
            "if default_port is None:",
            "if False:",
            f"{_ADDRESSES}test_what_is_no_plain_web_address_is_refused",
        ),
        Guard(
            "no user name or password in an address",
            "shared/egress.py",
            "if url.userinfo:",
            "if False:",
            f"{_ADDRESSES}test_what_is_no_plain_web_address_is_refused",
        ),
        Guard(
            "no ports of other protocols",
            "shared/egress.py",
            "        if not _is_web_port(port):\n            return False\n",
            "",
            f"{_ADDRESSES}test_what_is_no_plain_web_address_is_refused",
        ),
        Guard(
            "calls to agents and token endpoints follow no redirect",
            "shared/connections.py",
            "allow_redirects=False",
            "allow_redirects=True",
            f"{_CALLS}test_an_answer_is_neither_followed_nor_unpacked_nor_read_beyond_its_limit",
        ),
        Guard(
            "each hop to a card is judged",
            "shared/http.py",
            "        self._policy.check(request.url)\n",
            "",
            f"{_HTTP}test_a_redirect_to_a_refused_address_is_not_followed",
        ),
        Guard(
            "no proxy of the environment",
            "shared/connections.py",
            "trust_env=False",
            "trust_env=True",
            f"{_CALLS}test_a_call_is_made_without_cookies_proxies_or_encodings",
        ),
    ),
    "size": (
        Guard(
            "an answer has a limit of bytes",
            "shared/connections.py",
            "if self._bytes_left < 0:",
            "if False:",
            f"{_CALLS}test_an_answer_is_neither_followed_nor_unpacked_nor_read_beyond_its_limit",
        ),
        Guard(
            "compressed answers are refused",
            "shared/connections.py",
            'if encoding not in {"identity", ""} and not allow_encoded:',
            "if False:",
            f"{_UNUSABLE}[a gzip bomb]",
        ),
        Guard(
            "a card has at most 256 KB",
            "shared/agent_card.py",
            "fetched = await http.fetch(client, candidate, timeout_s=timeout_s, max_bytes=max_bytes, shown=shown)",
            "fetched = await http.fetch(client, candidate, timeout_s=timeout_s, max_bytes=10**9, shown=shown)",
            f"{_CARDS}test_what_is_no_card_is_refused",
        ),
        Guard(
            "an event of a stream has at most 1 MB, or twice the message that was sent",
            "shared/event_stream.py",
            "if len(self._line) + len(piece) + self._data_bytes > self._max_event_bytes:",
            "if False:",
            f"{_BAD}test_a_huge_line_in_a_stream_is_an_error_when_nothing_else_is_known",
        ),
        Guard(
            "a task has at most 5,000 events",
            "shared/remote_task.py",
            "if self._event_count > self._limits.events:",
            "if False:",
            f"{_BAD}test_endless_events_are_cut_off",
        ),
        Guard(
            "a task has at most 500 parts",
            "shared/remote_task.py",
            "if sum(max(each.size, 1) for each in self._artifacts.values()) > self._limits.parts:",
            "if False:",
            f"{_BAD}test_endless_parts_are_cut_off",
        ),
        Guard(
            "JSON is at most 32 levels deep",
            "shared/strict_json.py",
            "    _check_depth(value)\n    return _scrub(value) if",
            "    return _scrub(value) if",
            f"{_UNUSABLE}[deep JSON]",
        ),
    ),
    "JSON that is read in two ways": (
        Guard(
            "no key twice in an object",
            "shared/strict_json.py",
            "if len(found) < len(pairs):",
            "if False:",
            f"{_READING}test_a_key_twice_is_found_however_it_is_written",
        ),
        Guard(
            "no NaN",
            "shared/strict_json.py",
            "parse_constant=_refuse_constant",
            "parse_constant=float",
            f"{_UNUSABLE}[NaN]",
        ),
        Guard(
            "no number out of range",
            "shared/strict_json.py",
            'if number in {float("inf"), float("-inf")}:',
            "if False:",
            f"{_UNUSABLE}[infinity]",
        ),
    ),
    "time": (
        Guard(
            "a deadline for the connection",
            "shared/connections.py",
            "timeout=_timeout(connect_s)",
            "timeout=_timeout(60)",
            f"{_TIMES}test_an_agent_that_accepts_no_connection_is_given_up_and_was_not_reached",
        ),
        Guard(
            "a deadline for the first byte",
            "shared/agent_wire.py",
            "            async with asyncio.timeout_at(until):\n                answer = await self._call(",
            "            async with asyncio.timeout_at(None):\n                answer = await self._call(",
            f"{_TIMES}test_an_agent_that_does_not_begin_to_answer_is_given_up",
        ),
        Guard(
            "a deadline for the silence in a stream",
            "shared/agent_wire.py",
            "clock.within(gap_s)",
            "clock.end",
            f"{_TIMES}test_a_stream_that_falls_silent_is_given_up_and_what_was_missed_becomes_events",
        ),
        Guard(
            "a deadline for all of it, whatever drips in",
            "shared/agent_wire.py",
            "return min(self.end, self._now() + seconds)",
            "return self._now() + seconds",
            f"{_BAD}test_an_agent_that_sends_comments_for_ever_is_given_up_at_the_deadline",
        ),
        Guard(
            "a deadline for a card",
            "shared/http.py",
            "        async with asyncio.timeout(timeout_s):\n            for _",
            "        async with asyncio.timeout(None):\n            for _",
            f"{_HTTP}test_a_page_that_never_comes_is_given_up",
        ),
        Guard(
            "a Retry-After is waited for a minute at most",
            "shared/agent_refusals.py",
            "min(pause_s, _MAX_RETRY_AFTER_S)",
            "pause_s",
            f"{_BAD}test_an_overloaded_agent_says_when_to_come_back_within_reason",
        ),
    ),
    "confused identities": (
        Guard(
            "an answer is to the request that was sent",
            "shared/agent_wire.py",
            '        if answer.get("id") != self.rpc_id:',
            "        if False:",
            f"{_BAD}test_an_answer_to_another_request_is_refused",
            short=True,
        ),
        Guard(
            "an event is of the task that was begun",
            "shared/remote_task.py",
            "if self.id is not None and found != self.id:",
            "if False:",
            f"{_BAD}test_an_event_of_another_task_is_refused",
        ),
        Guard(
            "states only move forward, and the first end counts",
            "shared/remote_task.py",
            " or rank < _RANKS[self.state]:",
            ":",
            f"{_BAD}test_the_first_end_counts_and_nothing_after_it",
        ),
        Guard(
            "a stream that breaks is asked about, and the message is not sent again",
            "shared/agent_reading.py",
            "                if not received:\n                    raise\n                return\n",
            "                raise\n",
            f"{_BAD}test_a_broken_connection_is_repaired_by_asking",
        ),
        Guard(
            "what was heard already is not told again",
            "shared/remote_task.py",
            "return resumed and seq >= self.seq if is_task else seq <= self.seq",
            "return False",
            f"{_RESUMING}test_events_that_are_sent_again_are_told_once",
        ),
    ),
    "effects that happen twice": (
        Guard(
            "a message keeps its id over all tries",
            "orchestrator_service/engine/step_records.py",
            "message_id=_unheard(tries, choice.agent_id) or",
            "message_id=",
            f"{_FAILOVER}test_an_overloaded_agent_is_tried_again_and_every_try_is_kept",
        ),
        Guard(
            "the same message again is the same task",
            "shared/agent_tasks.py",
            'key = {"service": scope.service, "owner": scope.owner, "message_id": message.message_id}',
            'key = {"service": scope.service, "owner": scope.owner, "message_id": task_id}',
            f"{_SERVED}test_the_same_message_id_answers_the_same_task_and_runs_once",
        ),
        Guard(
            "a message that may have arrived goes to no other agent",
            "orchestrator_service/engine/retrying.py",
            "never_got_it = is_away and not has_begun and not work.attempt.may_have_begun",
            "never_got_it = True",
            f"{_FAILOVER}test_a_step_that_may_have_reached_its_agent_is_not_given_to_another",
        ),
    ),
    "storms and cascades": (
        Guard(
            "an agent that keeps failing is left alone",
            "orchestrator_service/choosing.py",
            'ready = [row for row in active if row["id"] not in resting]',
            "ready = active",
            f"{_FAILOVER}test_an_agent_that_keeps_failing_is_passed_over",
        ),
        Guard(
            "an agent gets only so many calls at once",
            "orchestrator_service/engine/gates.py",
            "if not self._waiting and self._taken < limit:",
            "if True:",
            "orchestrator/test_gates.py::test_no_more_than_the_limit_are_inside_and_nobody_is_forgotten",
        ),
        Guard(
            "retries have a budget",
            "orchestrator_service/engine/gates.py",
            "if self._budget < _PRICE_OF_RETRY:",
            "if False:",
            "orchestrator/test_gates.py::test_there_are_ten_retries_and_one_more_for_every_five_calls",
        ),
    ),
    "loops": (
        Guard(
            "a request is handed on MAX_HOPS times at most",
            "orchestrator_service/ancestry.py",
            "if ancestry.hops > max_hops:",
            "if False:",
            "orchestrator/test_loops.py::test_each_message_in_a_row_counts_one_hop_and_too_many_are_refused",
        ),
        Guard(
            "the same request comes to the same agent once on a way",
            "orchestrator_service/ancestry.py",
            "if mark in ancestry.trail:",
            "if False:",
            "orchestrator/test_loops.py::"
            "test_the_same_request_to_the_same_agent_on_the_way_is_a_loop_whatever_its_case_and_spaces",
        ),
    ),
    "cards that change, lie or imitate": (
        Guard(
            "a changed card waits until it is accepted",
            "orchestrator_service/admission.py",
            'if changes and not new.is_own and known["status"] != "pending":',
            "if False:",
            f"{_ADMISSION}test_a_changed_card_is_noticed_and_quarantined_with_its_diff_until_it_is_accepted",
        ),
        Guard(
            "the first key is pinned",
            "orchestrator_service/admission.py",
            '        "pinned_key": new.pinned_key,\n',
            "",
            f"{_VERIFIES}test_the_first_key_is_pinned_and_another_one_quarantines",
        ),
        Guard(
            "a signature covers all that is read of a card",
            "orchestrator_service/verification/signatures.py",
            "ParseDict(to_1_0(plain), AgentCard()",
            "ParseDict(plain, AgentCard()",
            f"{_VERIFIES}test_what_a_card_says_in_the_words_of_0_3_is_signed_too",
        ),
        Guard(
            "keys are fetched from the card's own origin only",
            "orchestrator_service/verification/signatures.py",
            "if isinstance(address, str) and origin_of(address) == origin:",
            "if isinstance(address, str):",
            f"{_VERIFIES}test_keys_elsewhere_than_at_the_cards_origin_are_never_fetched",
        ),
        Guard(
            "a name that imitates another is flagged",
            "orchestrator_service/verification/imitations.py",
            'return skeleton(name) == skeleton(other) != "" and _said(name) != _said(other)',
            "return False",
            f"{_VERIFIES}test_a_name_that_imitates_another_is_flagged",
        ),
        Guard(
            "who speaks no A2A is not registered",
            "orchestrator_service/verifier.py",
            'if all(probe.get in {"not asked", "refused", "foreign"} for probe in probes):',
            "if False:",
            f"{_VERIFIES}test_an_agent_that_speaks_neither_dialect_is_told_so_and_not_stored",
        ),
        Guard(
            "a suspended agent gets nothing",
            "orchestrator_service/choosing.py",
            'active = [row for row in rows if row["status"] == "active"]',
            "active = rows",
            f"{_ADMISSION}test_a_suspended_agent_gets_nothing_until_it_is_resumed",
        ),
    ),
    "text of others": (
        Guard(
            "what an agent says has no control characters when it is shown",
            "shared/remote_parts.py",
            'return _BIDI.sub("", _CONTROL.sub("", short)).strip()',
            "return short",
            f"{_READING}test_a_note_of_a_peer_cannot_control_a_terminal",
        ),
        Guard(
            "nor has a card",
            "shared/agent_card.py",
            'return _CONTROL.sub("", value)',
            "return value",
            f"{_CARDS}test_what_people_see_of_a_card_cannot_control_a_terminal",
        ),
        Guard(
            "it reaches a model only as fenced data",
            "shared/llm_prompts.py",
            'return f"{_FENCE}{mark} {name}>>>\\n{text}\\n<<<end {mark}>>>"',
            "return text",
            "shared/test_llm.py::test_fenced_text_cannot_close_its_fence",
        ),
        Guard(
            "the browser does nothing that another agent said",
            "browser_service/instructions.py",
            "_SAID_BEFORE.split(text, maxsplit=1)[0]",
            "text",
            "browser/test_instructions.py::test_what_another_agent_said_is_never_done",
        ),
        Guard(
            "nor what it said amid a request, which is a value there",
            "browser_service/instructions.py",
            "masking.set_apart(text, peer_text)",
            "masking.set_apart(text, ())",
            "browser/test_instructions.py::test_what_another_agent_said_amid_the_request_is_a_value_and_never_done",
        ),
        Guard(
            "a step says where in it that stands",
            "orchestrator_service/engine/conversations.py",
            "work.metadata | marks",
            "work.metadata",
            "orchestrator/test_peer_text.py::test_what_an_agent_answers_tells_a_browser_nothing_to_do",
        ),
        Guard(
            "an unforeseen failure of an agent says nothing of itself",
            "shared/agent_failures.py",
            'f"The agent failed unexpectedly; its log has the details under {where}."',
            "str(error)",
            f"{_SERVED}test_an_unforeseen_failure_is_logged_and_its_text_goes_no_further",
        ),
    ),
    "credentials": (
        Guard(
            "they go to the agent's own origin only",
            "shared/agent_auth.py",
            "if self._origin is not None and http.origin_of(url) != self._origin:",
            "if False:",
            f"{_SECRETS}test_nothing_is_shown_to_another_origin_than_the_agents",
        ),
        Guard(
            "a secret goes to a token endpoint elsewhere only if a person gave its address",
            "shared/credential_binding.py",
            "if given is None and http.origin_of(said) != origin:",
            "if False:",
            f"{_SECRETS}test_a_secret_goes_to_a_token_endpoint_elsewhere_only_if_that_is_given[OAuth 2-token_url]",
        ),
        Guard(
            "an OpenID server is the one that it says it is",
            "shared/oauth.py",
            'if not isinstance(issuer, str) or issuer.rstrip("/") + _OPENID != url:',
            "if False:",
            f"{_SECRETS}test_an_openid_server_that_says_it_is_another_gets_no_secret",
        ),
        Guard(
            "they are encrypted while they are kept",
            "orchestrator_service/keys.py",
            "return self._box.encrypt(content)",
            "return content",
            f"{_SECRETS}test_a_card_gets_what_its_scheme_asks_for_and_nobody_sees_it_again[a bearer token]",
        ),
        Guard(
            "nothing in a header can begin another one",
            "shared/credentials.py",
            "if not _VISIBLE.fullmatch(value.get_secret_value()):",
            "if False:",
            f"{_SECRETS}test_credentials_that_cannot_be_used_are_refused_and_not_repeated",
        ),
        Guard(
            "no refusal repeats them",
            "shared/oauth.py",
            "why = code if isinstance(code, str) and _CODE.fullmatch(code) else",
            "why = str(answer) if code else",
            f"{_SECRETS}test_a_login_that_is_refused_is_told_without_the_secret",
        ),
    ),
    "webhooks": (
        Guard(
            "a push is taken only with its attempt's token",
            "orchestrator_service/api/push.py",
            "if not parts.keys.is_push_token(token, task_id, step_id, number):",
            "if False:",
            f"{_CALLBACKS}test_a_push_is_a_hint_for_its_step_and_needs_the_attempts_token",
            short=True,
        ),
        Guard(
            "a callback_url is judged when the task is handed in",
            "orchestrator_service/deliveries.py",
            "        await http.check_url(settings, url)\n",
            "        pass\n",
            f"{_CALLBACKS}test_a_callback_url_that_may_not_be_reached_is_refused_with_the_reason",
        ),
        Guard(
            "and again whenever it is called",
            "shared/http.py",
            "        self._policy.check(request.url)\n",
            "",
            f"{_WEBHOOKS}test_a_receiver_that_is_not_there_or_may_not_be_reached_is_told_apart",
        ),
        Guard(
            "so is the address of a push config",
            "shared/agent_push.py",
            "                await http.check_url(self._settings, config.url)\n",
            "                pass\n",
            "shared/test_agent_push.py::test_a_config_that_cannot_be_used_is_refused_and_nothing_begins",
        ),
        Guard(
            "webhooks are signed",
            "shared/webhooks.py",
            'signed = b".".join((webhook_id.encode(), timestamp.encode(), body))',
            'signed = b""',
            f"{_WEBHOOKS}test_a_signature_is_the_one_of_the_specifications_example",
        ),
        Guard(
            "an old webhook is refused",
            "shared/webhooks.py",
            "if abs(now.timestamp() - int(timestamp)) > tolerance_s:",
            "if False:",
            f"{_WEBHOOKS}test_an_old_or_early_webhook_is_refused",
        ),
        Guard(
            "a receiver that never answers has only a few of the places",
            "orchestrator_service/deliveries.py",
            "select(_PLACES.c.id).where(_PLACES.c.place <= _AT_ONCE_PER_URL)",
            "select(_PLACES.c.id)",
            f"{_CALLBACKS}test_a_receiver_that_never_answers_does_not_hold_up_the_others",
        ),
    ),
    "our own front door": (
        Guard(
            "a body has a limit",
            "shared/front_door.py",
            "if received <= self._max_bytes:",
            "if True:",
            f"{_DOOR}test_a_body_over_the_limit_is_refused_whether_announced_or_streamed",
        ),
        Guard(
            "a body has a limit of time",
            "shared/front_door.py",
            "async with asyncio.timeout_at(begun + _BODY_S + received / _BODY_BYTES_PER_S):",
            "async with asyncio.timeout(None):",
            f"{_DOOR}test_a_body_that_does_not_come_in_time_is_given_up",
        ),
        Guard(
            "headers have a limit",
            "shared/http_protocol.py",
            "if self._head_bytes <= _MAX_HEAD_BYTES or",
            "if True or",
            f"{_DOOR}test_a_head_without_end_is_refused_and_others_are_answered",
        ),
        Guard(
            "and so has the time until they are there",
            "shared/http_protocol.py",
            "self._until = self.loop.call_later(_HEAD_S, self.transport.close)",
            "pass",
            f"{_DOOR}test_a_head_that_does_not_come_is_given_up",
        ),
        Guard(
            "compressed bodies are refused",
            "shared/front_door.py",
            'if headers.get("content-encoding", "identity").lower() != "identity":',
            "if False:",
            f"{_DOOR}test_a_compressed_body_is_refused",
        ),
        Guard(
            "only this service's hosts are answered",
            "shared/front_door.py",
            "if self._hosts is not None and _name_of(host) not in self._hosts:",
            "if False:",
            f"{_DOOR}test_only_this_services_hosts_are_answered",
        ),
        Guard(
            "pages of other origins change nothing",
            "shared/front_door.py",
            'if origin is None or not changes or origin in self._origins or origin.partition("://")[2] == host:',
            "if True:",
            f"{_DOOR}test_pages_of_other_origins_cannot_change_anything",
        ),
        Guard(
            "a watcher that reads nothing is let go",
            "shared/event_response.py",
            "if stuck == _MAX_STUCK:",
            "if False:",
            "shared/test_event_response.py::test_a_client_that_reads_nothing_costs_little_and_not_for_ever",
        ),
        Guard(
            "tasks of another tenant are not there",
            "shared/agent_tasks.py",
            '    TASKS.c.owner == bindparam("of_owner"),\n',
            "",
            "shared/test_agent_negotiation.py::test_tasks_of_one_tenant_are_nowhere_to_be_found_for_another",
        ),
        Guard(
            "nor is what an agent keeps for another tenant's context",
            "shared/agent_messages.py",
            "context_id=_context_of(tenant, task.context_id)",
            "context_id=task.context_id",
            "shared/test_agent_negotiation.py::test_what_an_agent_keeps_for_a_context_is_not_another_tenants",
        ),
        Guard(
            "nor what the browser remembers of another tenant's steps",
            "browser_service/action_cache.py",
            "{caller} {http",
            "{http",
            "browser/test_service.py::test_what_a_model_found_out_for_one_tenant_is_not_replayed_for_another",
        ),
    ),
    "SQL from a model": (
        Guard(
            "one SELECT over the one table, as DuckDB's own parser reads it",
            "api_agent_service/asking.py",
            "sql_check.check(table.store, one.sql)",
            "one.sql",
            f"{_MODEL_SQL}test_sql_that_may_not_or_cannot_run_is_sent_back_with_the_exact_reason",
        ),
        Guard(
            "the database is read-only",
            "api_agent_service/database.py",
            "read_only=read_only, config=config",
            "read_only=False, config=config",
            f"{_MODEL_SQL}test_a_sealed_database_is_a_wall_by_itself",
        ),
        Guard(
            "and reaches no file and no network",
            "api_agent_service/database.py",
            '            connection.execute("SET enable_external_access = false")\n',
            "",
            f"{_MODEL_SQL}test_a_sealed_database_is_a_wall_by_itself",
        ),
        Guard(
            "and no setting can be changed",
            "api_agent_service/database.py",
            '            connection.execute("SET lock_configuration = true")\n',
            "",
            f"{_MODEL_SQL}test_a_sealed_database_is_a_wall_by_itself",
        ),
    ),
}
