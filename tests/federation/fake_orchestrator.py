"""An orchestrator that follows a script, over real HTTP: what the client and the command line are tested with."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

TASK_ID = "0190a0a0-0000-7000-8000-000000000001"
LISTED_IDS = [f"0190a0a0-0000-7000-8000-00000000010{number}" for number in range(5)]
Json = dict[str, Any]

PLAN: Json = {
    "id": "p1",
    "revision": 1,
    "strategy": "rules",
    "steps": [
        {"id": "a", "step_number": 1, "skill": "browse", "instruction": "open the page"},
        {"id": "b", "step_number": 2, "skill": "summarize", "instruction": "sum it up", "depends_on": ["a"]},
    ],
}
ARTIFACT: Json = {"id": "f1", "name": "../../chart.svg", "media_type": "image/svg+xml", "size_bytes": 6}
RESULT: Json = {
    "summary": "The heading is *Welcome*.",
    "outputs": [{"step": "open the page", "output": "Welcome"}],
    "artifacts": [ARTIFACT],
}
BEGIN: list[Json] = [
    {"type": "task.status", "status": "pending"},
    {"type": "task.status", "status": "planning"},
    {"type": "plan.created", "plan": PLAN},
    {"type": "task.status", "status": "executing"},
    {"type": "step.status", "step_id": "a", "status": "running", "agent_name": "Browser"},
    {"type": "step.progress", "step_id": "a", "text": "opening the page"},
]
END: list[Json] = [
    {"type": "step.artifact", "step_id": "a", "artifact": ARTIFACT},
    {"type": "step.status", "step_id": "a", "status": "completed"},
    {"type": "weather.changed", "to": "rain"},
    {"type": "task.result", "result": RESULT},
    {"type": "task.status", "status": "completed"},
]
FAILURE: list[Json] = [
    {"type": "step.status", "step_id": "a", "status": "completed"},
    {"type": "step.status", "step_id": "b", "status": "failed", "error": {"detail": "No model answers."}},
    {"type": "task.result", "result": {**RESULT, "summary": ""}},
    {"type": "task.status", "status": "failed", "error": {"title": "Failed", "detail": "No model answers."}},
]
AGENT: Json = {
    "id": "0190a0a0-0000-7000-8000-0000000000aa",
    "name": "Browser",
    "description": "Opens pages.",
    "endpoint": "http://127.0.0.1:8003",
    "agent_type": "browser",
    "skills": [{"id": "browse", "name": "Browse", "description": "Open a page.", "tags": [], "examples": []}],
    "status": "active",
    "health": {"state": "ok", "checked_at": "2026-01-02T03:04:05Z", "latency_ms": 3, "error": None},
}


@dataclass
class FakeOrchestrator:
    """One task at a time: its events are `script`; `ask` marks that the task waits there for an answer.

    `break_after`: the first event stream breaks after so many events. `hold`: the events after it wait for `released`,
    as the answer to what is handed in does with `hold_answer`.
    """

    script: list[Json] = field(default_factory=lambda: [*BEGIN, *END])
    break_after: int | None = None
    lose_first_answer: bool = False
    hold: int | None = None
    hold_answer: bool = False
    refuse_cancel: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    submitted: list[Json] = field(default_factory=list[Json])
    keys: list[str] = field(default_factory=list[str])
    answers: list[Json] = field(default_factory=list[Json])
    agents: list[Json] = field(default_factory=lambda: [AGENT])
    resumed_after: list[str | None] = field(default_factory=list["str | None"])
    canceled: bool = False
    pending: Json | None = None

    def app(self) -> Starlette:
        """Return the HTTP app."""
        task = f"/api/tasks/{TASK_ID}"
        return Starlette(
            routes=[
                Route("/ready", self._ready),
                Route("/api/tasks", self._submit, methods=["POST"]),
                Route("/api/tasks", self._list, methods=["GET"]),
                Route("/api/tests/run", self._test_page, methods=["POST"]),
                Route(task, self._get),
                Route(f"{task}/events", self._events),
                Route(f"{task}/cancel", self._cancel, methods=["POST"]),
                Route(f"{task}/input", self._input, methods=["POST"]),
                Route(f"{task}/artifacts/f1", self._artifact),
                Route("/api/agents", self._list_agents, methods=["GET"]),
                Route("/api/agents", self._add_agent, methods=["POST"]),
                Route("/api/agents/{agent_id}", self._remove_agent, methods=["DELETE"]),
                Route("/{rest:path}", self._unknown, methods=["GET", "POST", "DELETE"]),
            ]
        )

    def _task(self) -> Json:
        last = self._log()[-1]
        statuses = [event["status"] for event in self._log() if event["type"] == "task.status"]
        return {
            "id": TASK_ID,
            "description": self.submitted[-1]["description"] if self.submitted else "",
            "status": "input_required" if self.pending else statuses[-1],
            "plan": PLAN,
            "steps": [{**step, "status": "completed", "agent_name": "Browser"} for step in PLAN["steps"]],
            "result": next((event["result"] for event in self._log() if event["type"] == "task.result"), None),
            "error": last.get("error"),
            "pending_inputs": [self.pending] if self.pending else [],
            "usage": {"llm_calls": 0},
            "created_at": "2026-01-02T03:04:05Z",
            "completed_at": "2026-01-02T03:04:07Z",
        }

    def _log(self) -> list[Json]:
        if self.canceled:
            return [*BEGIN, {"type": "task.status", "status": "canceled"}]
        return self.script

    async def _ready(self, _request: Request) -> Response:
        return JSONResponse({})

    async def _submit(self, request: Request) -> Response:
        key = request.headers["Idempotency-Key"]
        is_new = key not in self.keys
        self.keys.append(key)
        if is_new:
            self.submitted.append(await request.json())
            if not self.submitted[-1]["description"].strip():
                return _problem(
                    422, "The request is not valid.", errors=[{"pointer": "/description", "detail": "empty"}]
                )
            self.asked.set()
            if self.hold_answer:
                await self.released.wait()
            if self.lose_first_answer:
                return StreamingResponse(_break(), status_code=202)
        return JSONResponse(self._task(), status_code=202 if is_new else 200)

    async def _list(self, request: Request) -> Response:
        cursor = int(request.query_params.get("cursor", "0"))
        items = [{**self._task(), "id": listed, "status": "completed"} for listed in LISTED_IDS]
        page = items[cursor : cursor + 2]
        return JSONResponse({"items": page, "next_cursor": str(cursor + 2) if cursor + 2 < len(items) else None})

    async def _get(self, _request: Request) -> Response:
        return JSONResponse(self._task())

    async def _events(self, request: Request) -> Response:
        after = request.headers.get("Last-Event-ID")
        self.resumed_after.append(after)
        return StreamingResponse(self._stream(int(after or 0)), media_type="text/event-stream")

    async def _stream(self, after: int) -> AsyncGenerator[bytes]:
        sent = after
        yield b": hello\n\n"
        while sent < len(log := self._log()):
            if self.hold is not None and sent >= self.hold:
                await self.released.wait()
                log = self._log()
            event = {"task_id": TASK_ID, "seq": sent + 1, "at": "2026-01-02T03:04:05Z", **log[sent]}
            if event["type"] == "input.required" and not self.answers:
                self.pending = {
                    "input_id": "i1",
                    "step_id": "a",
                    "kind": event.get("kind", "input"),
                    "prompt": event["prompt"],
                }
            sent += 1
            yield f"id: {sent}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
            if self.break_after == sent and len(self.resumed_after) == 1:
                raise ConnectionAbortedError
            if self.pending:
                await self.released.wait()

    async def _test_page(self, _request: Request) -> Response:
        if self.hold_answer:
            await self.released.wait()
        return JSONResponse(self._task(), status_code=202)

    async def _cancel(self, _request: Request) -> Response:
        if self.refuse_cancel:
            return _problem(409, "The task cannot be canceled now.")
        self.canceled = True
        self.released.set()
        return JSONResponse(self._task())

    async def _input(self, request: Request) -> Response:
        self.answers.append(await request.json())
        self.pending = None
        self.released.set()
        return JSONResponse(self._task())

    async def _artifact(self, _request: Request) -> Response:
        return Response(b"<svg/>", media_type="image/svg+xml")

    async def _list_agents(self, request: Request) -> Response:
        begin, limit = (int(request.query_params.get(name, "0")) for name in ("cursor", "limit"))
        end = begin + limit
        return JSONResponse(
            {"items": self.agents[begin:end], "next_cursor": str(end) if end < len(self.agents) else None}
        )

    async def _add_agent(self, request: Request) -> Response:
        endpoint: str = (await request.json())["endpoint"]
        if "nowhere" in endpoint:
            return _problem(502, f"{endpoint} does not answer.", type="urn:agent-federation:error:agent-unreachable")
        self.agents.append({**AGENT, "id": "0190a0a0-0000-7000-8000-0000000000bb", "endpoint": endpoint})
        return JSONResponse(self.agents[-1], status_code=201)

    async def _remove_agent(self, request: Request) -> Response:
        self.agents = [agent for agent in self.agents if agent["id"] != request.path_params["agent_id"]]
        return Response(status_code=204)

    async def _unknown(self, request: Request) -> Response:
        return _problem(404, f"There is no {request.url.path}.")


def _problem(status: int, detail: str, **facts: Any) -> Response:
    body = {"title": "No", "status": status, "detail": detail, "type": "urn:x", **facts}
    return JSONResponse(body, status, media_type="application/problem+json")


async def _break() -> AsyncGenerator[bytes]:
    yield b"{"
    raise ConnectionAbortedError
