"""The HTTP API against a model: whatever is asked for and however often the orchestrator dies, its promises hold.

`FEDERATION_CHAOS_EXAMPLES=100` runs that many random examples, longer ones; `--hypothesis-seed=N` makes them the same.
"""

import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.agent import JsonObject
from tests.orchestrator.world import World, open_world
from tests.support.federation import names, step, until

Kind = Literal["echo", "held", "ask", "plan"]

EXAMPLES = int(os.environ.get("FEDERATION_CHAOS_EXAMPLES", "0"))
MAX_KILLS = 6 if EXAMPLES else 2
TERMINAL = frozenset({"completed", "failed", "canceled"})
RANKS = {"pending": 0, "planning": 1, "executing": 2, "completed": 3, "failed": 3, "canceled": 3}
KINDS: tuple[Kind, ...] = ("echo", "held", "ask", "plan")
FAILPOINTS = (
    *("", "request-read", "task-stored", "run-taken", "plan-made", "step-begun", "step-sent", "step-streaming"),
    *("step-done", "step-recorded", "task-ended", "cancel-stored", "input-answered"),
)


@dataclass(eq=False)
class Known:
    """What the model knows of a task."""

    marker: str
    kind: Kind
    body: JsonObject
    id: str = ""
    log: list[JsonObject] = field(default_factory=list[JsonObject])
    last: JsonObject | None = None
    input_id: str | None = None
    answer: JsonObject | None = None
    is_open: bool = False
    is_cancel_accepted: bool = False
    must_be_canceled: bool = False

    @property
    def is_blocked(self) -> bool:
        """Whether it cannot end by itself now."""
        return not self.is_open if self.kind == "held" else self.kind != "echo" and self.answer is None

    @property
    def is_over(self) -> bool:
        """Whether it was seen to have ended."""
        return self.last is not None and self.last["status"] in TERMINAL


class Federation(RuleBasedStateMachine):
    """Clients, people, an agent that takes its time, and a process that is killed."""

    tasks: Bundle[Known] = Bundle("tasks")

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._process = world.process
        self._known: list[Known] = []
        self._session = ""
        self._is_up = True
        self._kills = 0

    @initialize()
    def begin(self) -> None:
        """Tasks of one example are in one session."""

        async def open_session() -> str:
            return (await self._insist("POST", "/api/sessions", {})).json()["id"]

        self._session = self._world.run(open_session())

    @precondition(lambda self: self._is_up)
    @rule(target=tasks, kind=st.sampled_from(KINDS))
    def submit(self, kind: Kind) -> Known:
        """Whether or not the answer is lost: the same key gives one task."""
        marker = f"{kind} {next(self._world.numbers):06}"
        known = Known(marker, kind, self._body(kind, marker))
        self._world.run(self._submit(known))
        return known

    @precondition(lambda self: self._is_up)
    @rule(known=tasks)
    def resubmit(self, known: Known) -> None:
        """The same key and body answer the same task; another body is refused."""

        async def resubmit() -> None:
            again = await self._insist("POST", "/api/tasks", known.body, key=known.marker)
            assert (again.status_code, again.json()["id"]) == (200, known.id)
            other = {**known.body, "description": "other"}
            refused = await self._insist("POST", "/api/tasks", other, key=known.marker)
            assert refused.status_code == 409

        self._world.run(resubmit())

    @precondition(lambda self: self._is_up)
    @rule(known=tasks)
    def cancel(self, known: Known) -> None:
        """What cannot end by itself is canceled; what is over stays as it is."""
        self._world.run(self._cancel(known))

    @precondition(lambda self: self._is_up)
    @rule(known=tasks, approve=st.booleans())
    def answer(self, known: Known, approve: bool) -> None:
        """An input is answered once."""
        self._world.run(self._answer(known, approve=approve))

    @rule(known=tasks)
    def release(self, known: Known) -> None:
        """The agent goes on, whether or not anybody listens."""
        known.is_open = True
        self._world.workers.gate(known.marker.partition(" ")[2]).set()

    @precondition(lambda self: self._is_up and self._kills < MAX_KILLS)
    @rule()
    def kill(self) -> None:
        """SIGKILL."""
        self._kills += 1
        self._is_up = False
        self._world.run(self._process.kill())

    @precondition(lambda self: not self._is_up)
    @rule(failpoint=st.sampled_from(FAILPOINTS), time=st.integers(1, 3))
    def restart(self, failpoint: str, time: int) -> None:
        """It comes back; it may be about to die at some place."""
        self._is_up = True
        self._world.run(self._start(f"{failpoint}:kill:{time}" if failpoint else ""))

    @precondition(lambda self: self._is_up)
    @rule(known=tasks, place=st.integers(0, 40))
    def follow(self, known: Known, place: int) -> None:
        """The stream of events is the log, from wherever one comes back."""
        self._world.run(self._follow(known, place))

    @precondition(lambda self: self._is_up)
    @rule(size=st.integers(1, 5))
    def search(self, size: int) -> None:
        """Every accepted task is found, once, newest first."""
        self._world.run(self._search(size))

    @precondition(lambda self: self._is_up)
    @invariant()
    def promises_hold(self) -> None:
        """Look at every task."""
        for known in self._known:
            self._world.run(self._look(known))

    def teardown(self) -> None:
        """Let everything end; every accepted task does, as it must."""
        self._world.run(self._end())

    async def _end(self) -> None:
        if not self._is_up:
            await self._start()
        for known in self._known:
            self._world.workers.gate(known.marker.partition(" ")[2]).set()
            known.is_open = True
            if known.is_blocked and not known.is_over:
                await self._answer(known, approve=True)
        for known in self._known:
            await until(lambda known=known: self._look(known), lambda found: found["status"] in TERMINAL, 40)
            self._check_end(known)
        await self._search(50)

    def _check_end(self, known: Known) -> None:
        assert known.last is not None
        status = known.last["status"]
        if known.must_be_canceled or (known.answer or {}).get("approve") is False:
            assert status == "canceled", known
        elif known.is_cancel_accepted:
            assert status in {"canceled", "completed"}, known
        else:
            assert status == "completed", known
        begun = {text: times for text, times in self._world.workers.begun.items() if known.marker in text}
        assert set(begun.values()) <= {1}, begun
        if status != "completed":
            return
        said = known.answer["text"] if known.kind == "ask" and known.answer is not None else known.marker
        assert isinstance(result := known.last["result"], dict)
        assert f"<{said}>" in str(result["summary"])
        assert begun
        if known.kind == "ask":
            assert self._world.workers.answers[known.marker] == [said]

    def _body(self, kind: Kind, marker: str) -> JsonObject:
        steps = [step("a", marker, skill="work")]
        if kind == "echo":
            steps.append(step("b", "then {{ steps.a.output }}", skill="work"))
        return {
            "description": marker,
            "session_id": self._session,
            "plan": {"steps": [*steps]},
            "approve_plan": kind == "plan",
        }

    async def _submit(self, known: Known) -> None:
        response = await self._send("POST", "/api/tasks", known.body, key=known.marker)
        is_repeated = response is None
        response = response or await self._insist("POST", "/api/tasks", known.body, key=known.marker)
        assert response.status_code in ({200, 202} if is_repeated else {202}), response.text
        known.id = response.json()["id"]
        self._known.append(known)

    async def _cancel(self, known: Known) -> None:
        was_over = known.is_over
        is_blocked = known.is_blocked and not known.is_cancel_accepted
        response = await self._send("POST", f"/api/tasks/{known.id}/cancel")
        if response is None:
            known.is_cancel_accepted |= not was_over  # perhaps: it may have died before it wrote that down
            response = await self._insist("POST", f"/api/tasks/{known.id}/cancel")
        else:
            assert response.status_code == 409 if was_over else response.status_code == 200 or not is_blocked
        assert response.status_code in {200, 409}
        if response.status_code == 200:
            known.is_cancel_accepted = True
            known.must_be_canceled = known.must_be_canceled or is_blocked
        else:
            assert (await self._look(known))["status"] in TERMINAL
            known.must_be_canceled = known.must_be_canceled or (is_blocked and not was_over)

    async def _answer(self, known: Known, *, approve: bool) -> None:
        path = f"/api/tasks/{known.id}/input"
        if known.kind in {"echo", "held"}:
            unknown: JsonObject = {"input_id": str(uuid.uuid4()), "text": "what?"}
            assert (await self._insist("POST", path, unknown)).status_code == 404
            return
        if known.input_id is None:
            found = await until(
                lambda: self._look(known), lambda found: bool(found["pending_inputs"]) or found["status"] in TERMINAL
            )
            if not found["pending_inputs"]:
                assert known.is_cancel_accepted, found
                return
            known.input_id = str(names(found["pending_inputs"], "input_id")[0])
        is_free = known.answer is None and not known.is_cancel_accepted
        given: JsonObject = {"approve": approve} if known.kind == "plan" else {"text": f"first {known.marker}"}
        other: JsonObject = {"approve": not approve} if known.kind == "plan" else {"text": f"second {known.marker}"}
        response = await self._send("POST", path, {"input_id": known.input_id, **given})
        if response is not None:
            assert response.status_code == (200 if is_free else 409), (response.text, known)
        again = await self._insist("POST", path, {"input_id": known.input_id, **other})
        is_second_taken = is_free and response is None and again.status_code == 200
        assert is_second_taken or again.status_code == 409, (again.text, known)
        if is_free:
            known.answer = other if is_second_taken else given

    async def _look(self, known: Known) -> JsonObject:
        """Read the task and its log, and compare them with what was seen before."""
        found: JsonObject = (await self._insist("GET", f"/api/tasks/{known.id}")).json()
        log = await self._log(known)
        assert found["id"] == known.id
        assert found["description"] == known.marker
        if known.last is not None:
            _check_order([known.last["status"], found["status"]])
        if known.is_over:
            assert found == known.last
        assert log[: len(known.log)] == known.log
        assert names([*log], "seq") == list(range(1, len(log) + 1))
        statuses = [event["status"] for event in log if event["type"] == "task.status"]
        _check_order(statuses)
        assert [status for status in statuses if status in TERMINAL] in ([], [log[-1].get("status")])
        assert found["status"] not in TERMINAL or log[-1].get("status") == found["status"]
        known.last, known.log = found, log
        return found

    async def _log(self, known: Known) -> list[JsonObject]:
        return (await self._insist("GET", f"/api/tasks/{known.id}/events?after=0")).json()["items"]

    async def _follow(self, known: Known, place: int) -> None:
        log = await self._log(known)
        after = place % len(log)
        streamed: list[JsonObject] = []
        path = f"/api/tasks/{known.id}/events"
        try:
            async with self._process.client.stream("GET", path, headers={"Last-Event-ID": str(after)}) as stream:
                async for line in stream.aiter_lines():
                    if line.startswith("data:"):
                        streamed.append(json.loads(line[5:]))
                    if after + len(streamed) == len(log):
                        break
        except httpx.TransportError:
            await self._recover()
        assert streamed == log[after : after + len(streamed)]

    async def _search(self, size: int) -> None:
        found: list[object] = []
        cursor = ""
        while True:
            path = f"/api/tasks?session_id={self._session}&limit={size}{cursor}"
            page = (await self._insist("GET", path)).json()
            found += names(page["items"], "id")
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert found == [known.id for known in reversed(self._known)]

    async def _send(
        self, method: str, path: str, body: JsonObject | None = None, *, key: str | None = None
    ) -> httpx.Response | None:
        """Send a request; None if the orchestrator died meanwhile. Then it is up again."""
        headers = {"Accept": "application/json"} | (
            {} if key is None else {"Idempotency-Key": f"{self._session} {key}"}
        )
        try:
            response = await self._process.client.request(method, path, json=body, headers=headers)
        except httpx.TransportError:
            await self._recover()
            return None
        assert response.status_code < 500, response.text
        return response

    async def _insist(
        self, method: str, path: str, body: JsonObject | None = None, *, key: str | None = None
    ) -> httpx.Response:
        """Send a request that may be repeated, until there is an answer."""
        response = await self._send(method, path, body, key=key) or await self._send(method, path, body, key=key)
        assert response is not None, "it died again, although it was started without a failpoint"
        return response

    async def _recover(self) -> None:
        await self._process.died()
        await self._start()

    async def _start(self, failpoint: str = "") -> None:
        if not await self._process.start(failpoint):
            await self._process.start()


def _check_order(statuses: list[Any]) -> None:
    """Statuses only go forward; `input_required` stands between any two that are not the first or last."""
    ranks = [RANKS[status] for status in statuses if status != "input_required"]
    assert all(before <= after for before, after in pairwise(ranks)), statuses


@pytest.mark.timeout(120 * EXAMPLES if EXAMPLES else 240)
def test_the_api_keeps_its_promises_whatever_is_asked_and_whenever_it_is_killed(
    tmp_path: Path, database_url: str | None
) -> None:
    chosen = settings(
        max_examples=EXAMPLES or 4,
        stateful_step_count=40 if EXAMPLES else 12,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # an example takes seconds, and processes are never twice the same
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    with open_world(tmp_path, database_url) as opened:
        machine: Callable[[], RuleBasedStateMachine] = lambda: Federation(opened)  # noqa: E731
        run_state_machine_as_test(machine, settings=chosen)  # pyright: ignore[reportArgumentType]
