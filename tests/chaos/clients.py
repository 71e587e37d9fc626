"""The clients of a run: they submit until they are heard, watch and lose the line, answer, cancel, and note it all."""

import asyncio
import random
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import httpx
import orjson
from pydantic import JsonValue

from orchestrator_service.events import TERMINAL
from shared.agent import JsonObject
from tests.chaos.goals import Goal
from tests.chaos.history import History

_TIMEOUT: Final = httpx.Timeout(5.0, connect=2.0)
_SILENCE_S: Final = 3.0
_RETRY: Final = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Habits:
    """How the clients behave: goals at once, watchers of each, and events after which a watcher's line breaks."""

    at_once: int = 6
    watchers: int = 2
    patience: tuple[int, int] = (1, 12)


class Clients:
    """Clients of all orchestrators at `urls`; each request goes to any of them, as through a load balancer."""

    def __init__(self, urls: Sequence[str], history: History, seed: str, habits: Habits) -> None:
        self._urls = urls
        self._history = history
        self._rng = random.Random(seed)
        self._habits = habits
        self._http: httpx.AsyncClient
        self.ended: set[str] = set()
        self.reconnects = 0

    async def work(self, wanted: Iterator[Goal], least: int, enough: asyncio.Event) -> None:
        """Pursue goals, some at once, until there were `least` and `enough` is set; return when all have ended."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        async with httpx.AsyncClient(timeout=_TIMEOUT, limits=limits, trust_env=False) as self._http:
            places = asyncio.Semaphore(self._habits.at_once)
            begun = 0
            async with asyncio.TaskGroup() as group:
                while begun < least or not enough.is_set():
                    await places.acquire()
                    pursuit = group.create_task(self._pursue(next(wanted)))
                    pursuit.add_done_callback(lambda _: places.release())
                    begun += 1

    async def _pursue(self, goal: Goal) -> None:
        """See one goal through to its end."""
        task_id = await self._submit(goal)
        if task_id is not None:
            async with asyncio.TaskGroup() as group:
                for number in range(self._habits.watchers):
                    group.create_task(self._watch(goal, task_id, f"{goal.key}/{number}", acts=number == 0))
            self.ended.add(task_id)

    async def _submit(self, goal: Goal) -> str | None:
        self._history.note("submit", key=goal.key, body=goal.body)
        asked_s = self._history.now_s()
        response = await self._insist("POST", "/api/tasks", goal.body, {"Idempotency-Key": goal.key})
        found: JsonObject = response.json()
        if response.status_code not in {200, 202}:
            self._history.note("refused", key=goal.key, status=response.status_code, problem=found)
            return None
        self._history.note("accepted", key=goal.key, status=response.status_code, task_id=found["id"])
        self._see(found, asked_s)
        return str(found["id"])

    async def _watch(self, goal: Goal, task_id: str, watcher: str, *, acts: bool) -> None:
        """Follow the task to its last event, over as many connections as it takes; the one who acts plays its part."""
        rng = random.Random(f"{self._rng.random()}/{watcher}")
        cancel_at = rng.randint(3, 12) if goal.cancel == "at random" else 0
        after = 0
        async with asyncio.TaskGroup() as group:
            while True:
                if rng.random() < 0.3:
                    await self._look(task_id)
                patience = rng.randint(*self._habits.patience)
                async with aclosing(self._listen(task_id, watcher, after, patience)) as events:
                    async for event in events:
                        after = int(str(event["seq"]))
                        if acts:
                            for act in self._acts_on(goal, task_id, event, cancel_at, rng):
                                group.create_task(act)
                        if event["type"] == "task.status" and event["status"] in TERMINAL:
                            await self._look(task_id)
                            return
                self.reconnects += 1
                await asyncio.sleep(rng.uniform(0.0, 0.2))

    async def _listen(self, task_id: str, watcher: str, after: int, patience: int) -> AsyncGenerator[JsonObject]:
        """Yield the events of one connection, at most `patience` of them, until the line breaks."""
        self._history.note("watch", watcher=watcher, task_id=task_id, after=after)
        url = f"{self._rng.choice(self._urls)}/api/tasks/{task_id}/events"
        headers = {"Last-Event-ID": str(after)}
        why = "had enough"
        try:
            async with self._http.stream(
                "GET", url, headers=headers, timeout=httpx.Timeout(_SILENCE_S, connect=2.0)
            ) as response:
                if response.status_code == 404:
                    self._history.note("lost", task_id=task_id)
                if response.status_code != 200:
                    why = f"HTTP {response.status_code}"
                    return
                event_id = event_type = ""
                async for line in response.aiter_lines():
                    name, _, value = line.partition(": ")
                    match name:
                        case "id":
                            event_id = value
                        case "event":
                            event_type = value
                        case "data":
                            data: JsonObject = orjson.loads(value)
                            self._history.note("event", watcher=watcher, id=event_id, event=event_type, data=data)
                            yield data
                            patience -= 1
                            if patience == 0:
                                return
                        case _:
                            continue
            why = "closed by the server"
        except httpx.TransportError as error:
            why = type(error).__name__
        finally:
            self._history.note("unwatch", watcher=watcher, why=why)

    def _acts_on(
        self, goal: Goal, task_id: str, event: JsonObject, cancel_at: int, rng: random.Random
    ) -> Iterator[Coroutine[None, None, None]]:
        """Yield what the client does when it sees the event."""
        match event:
            case {"type": "input.required"} if goal.cancel == "when asked":
                yield self._cancel(task_id, rng.uniform(0.0, 0.5))
            case {"type": "input.required"}:
                yield self._answer(task_id, event, rng.uniform(0.0, 0.1))
            case {"type": "step.status", "step_id": "b", "status": "running"} if goal.cancel == "when held":
                yield self._cancel(task_id, rng.uniform(0.0, 0.5))
            case {"seq": seq} if seq == cancel_at:
                yield self._cancel(task_id, 0.0)
            case _:
                return

    async def _cancel(self, task_id: str, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        asked_s = self._history.now_s()
        response = await self._insist("POST", f"/api/tasks/{task_id}/cancel")
        self._history.note("cancel", task_id=task_id, status=response.status_code)
        if response.status_code == 200:
            self._see(response.json(), asked_s)

    async def _answer(self, task_id: str, question: JsonObject, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        input_id, asked_s = question["input_id"], self._history.now_s()
        says: JsonObject = {"text": "green"} if "step_id" in question else {"approve": True}
        response = await self._insist("POST", f"/api/tasks/{task_id}/input", {"input_id": input_id, **says})
        self._history.note("answer", task_id=task_id, input_id=input_id, status=response.status_code)
        if response.status_code == 200:
            self._see(response.json(), asked_s)

    async def _look(self, task_id: str) -> None:
        asked_s = self._history.now_s()
        response = await self._insist("GET", f"/api/tasks/{task_id}")
        if response.status_code == 404:
            self._history.note("lost", task_id=task_id)
        else:
            self._see(response.json(), asked_s)

    async def _insist(
        self, method: str, path: str, body: JsonValue = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Ask until someone answers with something that is final."""
        pause_s = 0.05
        while True:
            try:
                url = f"{self._rng.choice(self._urls)}{path}"
                response = await self._http.request(method, url, json=body, headers=headers)
                if response.status_code not in _RETRY:
                    return response
                self._history.note("put off", path=path, status=response.status_code, said=response.text[:300])
            except httpx.TransportError:
                pass
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.5)

    def _see(self, task: JsonObject, asked_s: float) -> None:
        """Note how the task stood at some moment between the question and now."""
        self._history.note("seen", task_id=task["id"], status=task["status"], asked_s=asked_s)
