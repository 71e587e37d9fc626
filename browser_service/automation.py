"""Runs of the browser over plain HTTP, with the routes and event names that clients of TinyFish know.

`status` says whether the run ran (RUNNING, COMPLETED, FAILED, CANCELLED), `verdict` whether the goal was met ("passed",
"failed", or null where the goal claims nothing). A run that is followed and loses its connection goes on; whoever comes
back with the last event's id gets what is missing.
"""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, Header, Request
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.responses import JSONResponse, RedirectResponse, Response

from browser_service import page_test_goals
from browser_service.checks import Check
from browser_service.sessions import Sessions
from browser_service.settings import Settings
from shared import page_tests
from shared.agent import AgentRequest, Answer, JsonObject, OpenAgent, Progress
from shared.db import new_id
from shared.errors import ConflictError, FederationError, InvalidRequestError, NotFoundError, UnavailableError
from shared.event_response import EventResponse
from shared.page_tests import MAX_GOAL_CHARS, PageTest, PageTestRequest

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1", tags=["automation"])

_MAX_RUNS: Final = 200


class NewRun(BaseModel):
    """A goal for a page. Fields that other servers of this API take are let pass."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"url": "https://example.com", "goal": "Verify the page loads"}]},
    )

    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    goal: Annotated[str, Field(min_length=1, max_length=MAX_GOAL_CHARS, pattern=r"\S")]


@dataclass(slots=True)
class Run:
    """A run, under way or over. `events` are what was told, in order; `news` is set whenever there is more."""

    id: str
    status: str = "RUNNING"
    verdict: str | None = None
    result: JsonValue = None
    error: str | None = None
    streaming_url: str | None = None
    events: list[tuple[str, JsonObject]] = field(default_factory=list[tuple[str, JsonObject]])
    news: set[asyncio.Event] = field(default_factory=set[asyncio.Event])
    work: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether its last event was told."""
        return self.events[-1][0] in {"COMPLETE", "ERROR"}

    def number_in(self, event_id: str) -> int:
        """Return the number of the event with this id. Raises: InvalidRequestError when the run has none such."""
        run_id, _, number = event_id.rpartition(":")
        if run_id != self.id or not number.isdecimal() or int(number) > len(self.events):
            raise InvalidRequestError(f"The run has no event {event_id!r}. Resume after one that you were sent.")
        return int(number)

    def tell(self, kind: str, **facts: JsonValue) -> None:
        """Add an event."""
        self.events.append((kind, {"type": kind, "run_id": self.id, "runId": self.id, **facts}))
        for listener in self.news:
            listener.set()

    def to_json(self) -> JsonObject:
        """Return it as the API shows it."""
        return {
            "run_id": self.id,
            "status": self.status,
            "verdict": self.verdict,
            "result": self.result,
            "error": self.error,
            "streaming_url": self.streaming_url,
        }


class Automation:
    """The runs of this process. `agent` is set while the service works."""

    def __init__(self, settings: Settings) -> None:
        self.agent: OpenAgent | None = None
        self._settings = settings
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def begin(self, new: NewRun) -> Run:
        """Begin a run. Raises: UnavailableError while the service starts or stops."""
        if self.agent is None:
            raise UnavailableError("The service is starting or stopping. Try again in a moment.")
        run = Run(new_id())
        self._runs[run.id] = run
        over = [each.id for each in self._runs.values() if each.status != "RUNNING"]
        for old in over[: max(0, len(over) - _MAX_RUNS)]:
            del self._runs[old]
        run.tell("STARTED")
        run.work = asyncio.create_task(self._perform(run, new, self.agent))
        return run

    def find(self, run_id: str) -> Run:
        """Return a run. Raises: NotFoundError."""
        if run_id not in self._runs:
            raise NotFoundError(f"There is no run {run_id[:64]!r} (any more).")
        return self._runs[run_id]

    async def cancel(self, run_id: str) -> Run:
        """Stop a run. Raises: NotFoundError, ConflictError when it is over."""
        run = self.find(run_id)
        if run.work is None or run.status != "RUNNING":
            raise ConflictError(f"The run is {run.status} already.")
        run.work.cancel()
        await asyncio.wait({run.work})
        return run

    async def stop(self) -> None:
        """Stop all runs."""
        self.agent = None
        under_way = [run.work for run in self._runs.values() if run.work is not None and not run.work.done()]
        for work in under_way:
            work.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def follow(self, run: Run, after: int) -> AsyncGenerator[bytes]:
        """Yield the events after number `after`, then live ones, up to the last."""
        news = asyncio.Event()
        run.news.add(news)
        try:
            while True:
                news.clear()
                for number, (kind, data) in enumerate(run.events[after:], start=after + 1):
                    after = number
                    yield f"id: {run.id}:{number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()
                if run.is_over and after == len(run.events):
                    return
                await news.wait()
        finally:
            run.news.discard(news)

    async def _perform(self, run: Run, new: NewRun, agent: OpenAgent) -> None:
        request = AgentRequest(
            f"Open {new.url}. {new.goal}", task_id=run.id, context_id=run.id, message_id=run.id, data=_data(new)
        )
        try:
            run.streaming_url = f"{self._settings.url_of('browser')}/v1/automation/runs/{run.id}/view"
            run.tell("STREAMING_URL", streaming_url=run.streaming_url, streamingUrl=run.streaming_url)
            async with aclosing(agent.answer(request)) as updates:
                async for update in updates:
                    if isinstance(update, Progress):
                        run.tell("STEP", message=update.text, purpose=update.text)
                    elif isinstance(update, Answer):
                        _take_answer(run, update)
        except FederationError as error:
            run.status, run.error = "FAILED", error.detail
            run.tell("ERROR", status=run.status, message=error.detail, error=error.to_problem())
        except asyncio.CancelledError:
            run.status, run.error = "CANCELLED", "The run was cancelled."
            run.tell("ERROR", status=run.status, message=run.error)
        else:
            run.status = "COMPLETED"
            run.tell("COMPLETE", status=run.status, verdict=run.verdict, result=run.result, resultJson=run.result)
        finally:
            if not run.is_over:  # a defect of ours, which is logged; who follows the run must not wait for ever
                run.status, run.error = "FAILED", "The run broke off by an error of the service."
                run.tell("ERROR", status=run.status, message=run.error)


def _data(new: NewRun) -> tuple[JsonValue, ...]:
    """Return what goes with the request: a goal that claims something is a page test."""
    try:
        steps = page_test_goals.read(PageTestRequest(url=new.url, goal=new.goal))
    except FederationError:  # the agent says what is wrong with it
        return ({"url": new.url},)
    if any(isinstance(move, Check) for step in steps[1:] for move in step.moves):
        return ({"url": new.url, page_tests.REQUEST: {"url": new.url, "goal": new.goal}},)
    return ({"url": new.url},)


def _take_answer(run: Run, answer: Answer) -> None:
    run.result = cast("JsonValue", answer.data) if answer.data is not None else answer.text
    if answer.name == "page-test":
        verdict = PageTest.model_validate(answer.data).result
        run.verdict = "passed" if verdict.passed else "failed"
    elif answer.data is not None and isinstance(passed := answer.data.get("passed"), bool):
        run.verdict = "passed" if passed else "failed"


def automation(request: Request) -> Automation:
    """Return the service's runs."""
    return cast("Automation", request.app.state.automation)


Runs = Annotated[Automation, Depends(automation)]
_RunId = Annotated[str, PathParameter(max_length=64)]


@router.post("/automation/run-sse", summary="Run a goal on a page, and follow it", response_class=Response)
async def run_sse(
    body: NewRun, runs: Runs, last_event_id: Annotated[str | None, Header(max_length=100)] = None
) -> Response:
    """Answer server-sent events: STARTED, STREAMING_URL, STEP …, then COMPLETE or ERROR.

    With `Last-Event-ID` no run begins: that of the event is followed from there on.
    """
    if last_event_id:
        begun = runs.find(last_event_id.rpartition(":")[0])
        return EventResponse(runs.follow(begun, begun.number_in(last_event_id)))
    return EventResponse(runs.follow(runs.begin(body), 0))


@router.get("/automation/runs/{run_id}/events", summary="Follow a run")
async def follow(
    run_id: _RunId, runs: Runs, last_event_id: Annotated[str | None, Header(max_length=100)] = None
) -> Response:
    """Answer its events from the beginning, or from `Last-Event-ID` on."""
    begun = runs.find(run_id)
    return EventResponse(runs.follow(begun, begun.number_in(last_event_id) if last_event_id else 0))


@router.get("/automation/runs/{run_id}/view", summary="The page that shows a run live", status_code=307)
async def view(run_id: _RunId, request: Request, runs: Runs) -> RedirectResponse:
    """Lead to the live page of the run's browser session, as soon as it has one."""
    runs.find(run_id)
    sessions = cast("Sessions", request.app.state.sessions)
    for session in await sessions.list():
        if session.remote_task_id == run_id:
            return RedirectResponse(f"/v1/sessions/{session.id}/view")
    raise NotFoundError("The run has no browser session yet, or any more; try again in a moment.")


@router.post("/automation/run", summary="Run a goal on a page, and wait for its end")
async def run(body: NewRun, runs: Runs) -> JSONResponse:
    """Answer the run when it is over. Who no longer waits for it stops it."""
    begun = runs.begin(body)
    try:
        async with aclosing(runs.follow(begun, 0)) as events:
            async for _ in events:
                pass
    finally:
        if begun.work is not None:
            begun.work.cancel()
    return JSONResponse(begun.to_json())


@router.post("/automation/run-async", status_code=202, summary="Begin to run a goal on a page")
async def run_async(body: NewRun, runs: Runs) -> JSONResponse:
    """Answer the run at once."""
    return JSONResponse(runs.begin(body).to_json(), 202)


@router.get("/runs/{run_id}", summary="A run")
async def find(run_id: _RunId, runs: Runs) -> JSONResponse:
    """Answer how it stands."""
    return JSONResponse(runs.find(run_id).to_json())


@router.post("/runs/{run_id}/cancel", summary="Stop a run")
async def cancel(run_id: _RunId, runs: Runs) -> JSONResponse:
    """Stop it; 409 when it is over."""
    return JSONResponse((await runs.cancel(run_id)).to_json())
