"""The Python client of the orchestrator: typed, asynchronous, follows a task's events across broken connections."""

import asyncio
import base64
import mimetypes
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from uuid import uuid4

import httpx
from pydantic import JsonValue

from federation.connection import Connection, check_address, segment
from federation.events import Event, InputRequired, TaskStatusChanged
from federation.learned_plans import LearnedPlan
from federation.models import TERMINAL, Agent, JsonObject, Plan, Task
from shared.configuration import read
from shared.errors import TimedOutError, UnavailableError
from shared.settings import FederationSettings

_ATTEMPTS = 3
_AT_ONCE = {"Prefer": "respond-async"}
_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 3.0
_LONGEST_REFUSAL_S = 12.0
"""A stream that fails later than this was open before: connecting takes 10 s at most."""


def find_url() -> str:
    """Return where the orchestrator answers, from the environment and `.env`. Raises: InvalidRequestError."""
    settings = read(FederationSettings)
    url = settings.url_of("orchestrator")
    if settings.orchestrator_url is None and settings.federation_host in {"0.0.0.0", "::"}:  # noqa: S104 - not bound to
        return f"http://127.0.0.1:{settings.orchestrator_port}"
    return url


class Client:
    """A connection to one orchestrator. Use it as `async with Client() as client:`.

    `url`: where the orchestrator answers; default: from the environment and `.env`. `headers` are sent with every
    request. `timeout_s` bounds one request, `outage_s` how long `events`, `wait` and `run` put up with an orchestrator
    that does not answer before they give up. `on_outage` is told, in a sentence, when that begins and when it is over.

    A `url` that is no address raises InvalidRequestError. Every call raises UnavailableError when nobody answers,
    RefusedError when the orchestrator says no, and AgentProtocolError when what answers is no orchestrator. All are
    children of FederationError (`shared.errors`; RefusedError is in `federation.connection`).
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 30.0,
        outage_s: float = 60.0,
        on_outage: Callable[[str], None] | None = None,
    ) -> None:
        self.url = (url or find_url()).rstrip("/")
        check_address(self.url)
        self._outage_s = outage_s
        self._on_outage = on_outage
        self._connection = Connection(self.url, headers=headers, timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    async def is_ready(self) -> bool:
        """Tell whether the federation answers and is ready for tasks."""
        return await self._connection.succeeds("/ready")

    async def submit(
        self,
        description: str,
        *,
        files: Sequence[Path] = (),
        agent: str | None = None,
        session_id: str | None = None,
        plan: Plan | None = None,
        approve_plan: bool = False,
        metadata: JsonObject | None = None,
        idempotency_key: str | None = None,
    ) -> Task:
        """Hand in a task and return it as accepted. A connection that breaks on the way does not make a second task.

        `files` are sent along. `agent` (name or id): skip planning, send it there. `plan`: run this plan as it is.
        `approve_plan`: wait for a person before the plan runs. Raises OSError when a file cannot be read.
        """
        body: JsonObject = {"description": description}
        if files:
            body["files"] = [await asyncio.to_thread(_encode, path) for path in files]
        if plan is not None:
            body["plan"] = plan.model_dump(mode="json", exclude_unset=True)
        if approve_plan:
            body["approve_plan"] = True
        body |= {
            name: value
            for name, value in (("agent", agent), ("session_id", session_id), ("metadata", metadata))
            if value is not None
        }
        return await self._hand_in("/api/tasks", body, idempotency_key)

    async def test_page(self, url: str, goal: str) -> Task:
        """Hand in a page test that is not kept, and return the task that runs it."""
        body: JsonObject = {"url": url, "goal": goal}
        return await self._connection.call("POST", "/api/tests/run", Task, body, headers=_AT_ONCE)

    async def keep_page_test(self, name: str, url: str, goal: str, *, cron: str | None = None) -> str:
        """Keep a page test and return its id; with `cron` (five fields, UTC) it runs by itself."""
        body: JsonObject = {"name": name, "url": url, "goal": goal, "cron": cron}
        answer = await self._connection.ask("POST", "/api/tests", body)
        return str(answer.json()["id"])

    async def run_page_test(self, test_id: str) -> Task:
        """Run a page test that is kept, and return the task that does it."""
        path = f"/api/tests/{segment(test_id)}/run"
        return await self._connection.call("POST", path, Task, headers=_AT_ONCE)

    async def retry(self, task_id: str, *, idempotency_key: str | None = None) -> Task:
        """Hand in a new task that does what a task that is over left undone; it keeps what was completed."""
        return await self._hand_in(f"/api/tasks/{segment(task_id)}/retry", None, idempotency_key)

    async def fork(
        self, task_id: str, from_step: str, *, instruction: str | None = None, idempotency_key: str | None = None
    ) -> Task:
        """Hand in a new task that does a step of a task that is over again, and all that depends on it.

        `instruction` replaces what the step was told.
        """
        body: JsonObject = {"from_step": from_step}
        if instruction is not None:
            body["instruction"] = instruction
        return await self._hand_in(f"/api/tasks/{segment(task_id)}/fork", body, idempotency_key)

    async def run(
        self,
        description: str,
        *,
        files: Sequence[Path] = (),
        agent: str | None = None,
        session_id: str | None = None,
        timeout_s: float | None = None,
    ) -> Task:
        """Hand in a task and return it when it is over, or waits for a person."""
        task = await self.submit(description, files=files, agent=agent, session_id=session_id)
        return await self.wait(task.id, timeout_s=timeout_s)

    async def get(self, task_id: str) -> Task:
        """Return a task with its steps."""
        return await self._connection.call("GET", f"/api/tasks/{segment(task_id)}", Task)

    async def tasks(self, *, status: str | None = None, q: str | None = None, limit: int = 50) -> list[Task]:
        """Return tasks, newest first."""
        return await self._connection.list("/api/tasks", Task, limit, status=status, q=q)

    async def wait(self, task_id: str, *, timeout_s: float | None = None) -> Task:
        """Return the task when it is over, or waits for a person. Raises: TimedOutError; the task goes on."""
        try:
            async with asyncio.timeout(timeout_s), aclosing(self.events(task_id)) as events:
                async for event in events:
                    if isinstance(event, InputRequired) and (task := await self.get(task_id)).pending_inputs:
                        return task
        except TimeoutError as error:
            raise TimedOutError(
                f"The task {task_id} is not over after {timeout_s:g} s (timeout_s); it goes on."
            ) from error
        return await self.get(task_id)

    async def events(self, task_id: str, *, after: int = 0) -> AsyncGenerator[Event]:
        """Yield the task's events after number `after`, then live ones, until the task is over: no gap, no repeat.

        When the connection breaks it is made again, and goes on where it stopped. Close it with `aclosing`.
        """
        seen = after
        away_since: float | None = None
        pause_s = _PAUSE_S
        outage = _Outage(self._on_outage)
        path = f"/api/tasks/{segment(task_id)}/events"
        while True:
            quiet, asked_at = True, time.monotonic()
            try:
                async with aclosing(self._connection.events(path, seen, opened=outage.end)) as stream:
                    async for event in stream:
                        quiet, away_since, pause_s = False, None, _PAUSE_S
                        if 0 < event.seq <= seen:
                            continue
                        seen = max(seen, event.seq)
                        yield event
                        if isinstance(event, TaskStatusChanged) and event.status in TERMINAL:
                            return
                if quiet and (await self.get(task_id)).is_over:
                    return
                away_since = None
            except UnavailableError as error:
                now = time.monotonic()
                if away_since is None or now - asked_at > _LONGEST_REFUSAL_S:
                    away_since = now  # until now the stream was open, though silent
                if quiet and now - asked_at <= _LONGEST_REFUSAL_S:
                    wait = f"it is asked again for up to {self._outage_s:g} s"
                    outage.begin(f"The orchestrator at {self.url} does not answer; {wait}.")
                if now - away_since > self._outage_s:
                    raise UnavailableError(
                        f"The orchestrator at {self.url} has not answered for {self._outage_s:g} s. "
                        f"The task {task_id} is kept there; look again when it is back."
                    ) from error
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def cancel(self, task_id: str) -> Task:
        """Cancel a task, with what it started at its agents."""
        return await self._connection.call("POST", f"/api/tasks/{segment(task_id)}/cancel", Task)

    async def answer(
        self,
        task_id: str,
        input_id: str,
        *,
        text: str | None = None,
        data: JsonValue = None,
        approve: bool | None = None,
        comment: str | None = None,
    ) -> Task:
        """Answer a question of the task (`text`, `data`), or decide about its plan or step (`approve`, `comment`)."""
        given = {"input_id": input_id, "text": text, "data": data, "approve": approve, "comment": comment}
        body: JsonObject = {name: value for name, value in given.items() if value is not None}
        return await self._connection.call("POST", f"/api/tasks/{segment(task_id)}/input", Task, body)

    async def artifact(self, task_id: str, artifact_id: str) -> bytes:
        """Return the bytes of a file that the task produced."""
        return (
            await self._connection.ask("GET", f"/api/tasks/{segment(task_id)}/artifacts/{segment(artifact_id)}")
        ).content

    async def agents(
        self, *, capability: str | None = None, q: str | None = None, limit: int | None = None
    ) -> list[Agent]:
        """Return the registered agents, all unless there is a `limit`; `capability`: a skill id or tag, `q`: words."""
        return await self._connection.list("/api/agents", Agent, limit, capability=capability, q=q)

    async def agent(self, agent_id: str) -> Agent:
        """Return one agent."""
        return await self._connection.call("GET", f"/api/agents/{segment(agent_id)}", Agent)

    async def add_agent(self, endpoint: str, *, credentials: JsonObject | None = None) -> Agent:
        """Register the A2A agent at a base URL or card URL; the same one again is updated.

        `credentials`: one credential (`{"type": "bearer", "token": …}`), or several by the names of the card's schemes.
        """
        body: JsonObject = {"endpoint": endpoint}
        if credentials is not None:
            body["credentials"] = credentials
        return await self._connection.call("POST", "/api/agents", Agent, body)

    async def accept_agent(self, agent_id: str, card_hash: str | None = None) -> Agent:
        """Let a new agent in, or take over its changed card; refused if another card than `card_hash` waits by now."""
        path = f"/api/agents/{segment(agent_id)}/accept"
        return await self._connection.call("POST", path, Agent, {"card_hash": card_hash})

    async def steer_agent(self, agent_id: str, way: Literal["suspend", "resume"]) -> Agent:
        """Suspend an agent, or resume it."""
        return await self._connection.call("POST", f"/api/agents/{segment(agent_id)}/{way}", Agent)

    async def remove_agent(self, agent_id: str) -> None:
        """Take an agent out of the registry."""
        await self._connection.ask("DELETE", f"/api/agents/{segment(agent_id)}")

    async def learned_plans(self, *, limit: int | None = None) -> list[LearnedPlan]:
        """Return the plans that succeeded and are used again, newest first, all unless there is a `limit`."""
        return await self._connection.list("/api/learned-plans", LearnedPlan, limit)

    async def learned_plan(self, plan_id: str) -> LearnedPlan:
        """Return one learned plan."""
        return await self._connection.call("GET", f"/api/learned-plans/{segment(plan_id)}", LearnedPlan)

    async def forget_plans(self, plan_id: str | None = None) -> None:
        """Forget a learned plan; without an id all of them."""
        await self._connection.ask("DELETE", f"/api/learned-plans{'' if plan_id is None else '/' + segment(plan_id)}")

    async def _hand_in(self, path: str, body: JsonObject | None, key: str | None) -> Task:
        """Hand in what makes a task. When the answer is lost, the same key asks for it again."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._connection.call("POST", path, Task, body, headers=headers)
            except UnavailableError as error:
                if isinstance(error.__cause__, httpx.ConnectError):
                    raise
                await asyncio.sleep(_PAUSE_S)
        return await self._connection.call("POST", path, Task, body, headers=headers)


class _Outage:
    """Tells once when an outage begins, and once when it is over."""

    def __init__(self, tell: Callable[[str], None] | None) -> None:
        self._tell = tell
        self._is_on = False

    def begin(self, line: str) -> None:
        if self._tell is not None and not self._is_on:
            self._tell(line)
        self._is_on = True

    def end(self) -> None:
        if self._tell is not None and self._is_on:
            self._tell("The orchestrator answers again.")
        self._is_on = False


def _encode(path: Path) -> JsonObject:
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return {"name": path.name, "media_type": media_type, "content": base64.b64encode(path.read_bytes()).decode("ascii")}
