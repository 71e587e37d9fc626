"""Routes of page tests."""

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from orchestrator_service import page_tests, task_views
from orchestrator_service.api.body import Body
from orchestrator_service.api.parts import Cursor, Limit, OpenParts, Parts, Prefer, WhoAsks, page, preferred
from orchestrator_service.api.tasks import MAX_WAIT_S, rest
from orchestrator_service.page_tests import NewPageTest, Run
from orchestrator_service.tasks import NewTask
from shared.agent import JsonObject
from shared.auth import Caller
from shared.errors import ConflictError
from shared.page_tests import MAX_GOAL_CHARS, PageTestRequest, to_junit

router = APIRouter(prefix="/api/tests", tags=["page tests"])

_Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
_WEB_ADDRESS = r"^https?://[^\s/]+\S*$"


def _require_web_address(url: str) -> str:
    if not re.match(_WEB_ADDRESS, url):
        wrong = "{given} is no address of a web page; write it like https://example.com"
        raise PydanticCustomError("web_address", wrong, {"given": repr(url[:100])})
    return url


_Url = Annotated[
    str,
    Field(min_length=1, max_length=2_000, json_schema_extra={"pattern": _WEB_ADDRESS}),
    AfterValidator(_require_web_address),
]
_Goal = Annotated[str, Field(min_length=1, max_length=MAX_GOAL_CHARS, pattern=r"\S")]
_Cron = Annotated[
    str | None, Field(max_length=200, description="Minute, hour, day, month, weekday; null: only on request.")
]
_XML = ("application/xml", "text/xml")


class NewTest(Body):
    """A page test to keep."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Home page",
                    "url": "https://example.com/",
                    "goal": "Verify the page loads and has a heading that says Example Domain",
                    "cron": "0 9 * * 1-5",
                    "timezone": "Europe/Oslo",
                }
            ]
        }
    )

    name: _Name
    url: _Url
    goal: _Goal
    cron: _Cron = None
    timezone: str = Field(default="UTC", max_length=100, description="IANA name of the zone that `cron` counts in.")


class TestChange(Body):
    """What of a page test is to be otherwise; what is left out stays."""

    __test__ = False

    model_config = ConfigDict(json_schema_extra={"examples": [{"cron": None}]})

    name: _Name | None = None
    url: _Url | None = None
    goal: _Goal | None = None
    cron: _Cron = None
    timezone: str | None = Field(default=None, max_length=100)


class PassingTest(Body):
    """A page test to run once, and not to keep."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://example.com/", "goal": "Verify the page loads"}]}
    )

    url: _Url
    goal: _Goal


class RunTest(Body):
    """A run of a page test; `url` and `goal` count for this run only."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "https://staging.example.com/"}]})

    url: _Url | None = None
    goal: _Goal | None = None


@router.post("", status_code=201, summary="Keep a page test")
async def create(body: NewTest, response: Response, parts: OpenParts, who: WhoAsks) -> JsonObject:
    """Store the test; with `cron` it runs by itself from now on."""
    test_id = await parts.database.write(page_tests.create, who, NewPageTest(**body.model_dump()))
    parts.schedules.wake()
    response.headers["Location"] = f"/api/tests/{test_id}"
    return await parts.database.read(page_tests.find, who, test_id)


@router.get("", summary="Page tests, newest first")
async def search(parts: OpenParts, who: WhoAsks, limit: Limit = 50, cursor: Cursor = None) -> JsonObject:
    """Answer the caller's tests with their last runs."""
    return page(await parts.database.read(page_tests.search, who, cursor, limit), limit)


@router.get("/{test_id}", summary="A page test with its last runs")
async def find(test_id: str, parts: OpenParts, who: WhoAsks) -> JsonObject:
    """Answer the test."""
    return await parts.database.read(page_tests.find, who, test_id)


@router.patch("/{test_id}", summary="Change a page test")
async def change(test_id: str, body: TestChange, parts: OpenParts, who: WhoAsks) -> JsonObject:
    """Change what is given; `"cron": null` ends its schedule."""
    known = await parts.database.read(page_tests.require, who, test_id)
    changed = NewPageTest(
        name=body.name or known.name,
        url=body.url or known.url,
        goal=body.goal or known.goal,
        cron=body.cron if "cron" in body.model_fields_set else known.cron,
        timezone=body.timezone or known.timezone,
    )
    await parts.database.write(page_tests.change, who, test_id, changed)
    parts.schedules.wake()
    return await parts.database.read(page_tests.find, who, test_id)


@router.delete("/{test_id}", status_code=204, summary="Forget a page test and its history")
async def delete(test_id: str, parts: OpenParts, who: WhoAsks) -> None:
    """Remove it; the tasks that were its runs stay."""
    await parts.database.write(page_tests.remove, who, test_id)


@router.post(
    "/{test_id}/run",
    summary="Run a page test",
    responses={202: {"description": "Accepted: the task that runs it (Prefer: respond-async)"}},
)
async def run(
    test_id: str,
    parts: OpenParts,
    who: WhoAsks,
    body: RunTest | None = None,
    prefer: Prefer = None,
) -> Response:
    """Run it and answer how it went; with `Prefer: respond-async`, at once the task that runs it."""
    known = await parts.database.read(page_tests.require, who, test_id)
    given = body or RunTest()
    request = PageTestRequest(url=given.url or known.url, goal=given.goal or known.goal)
    task = page_tests.to_task(test_id, request)
    if (accepted := await _submit(parts, who, task, prefer)) is not None:
        return accepted
    return JSONResponse((await parts.database.read(page_tests.find_run, who, test_id, task.id)).to_json())


@router.post(
    "/run",
    summary="Run a page test that is not kept",
    responses={202: {"description": "Accepted: the task that runs it (Prefer: respond-async)"}},
)
async def run_passing(
    body: PassingTest,
    parts: OpenParts,
    who: WhoAsks,
    prefer: Prefer = None,
) -> Response:
    """Run it and answer how it went; with `Prefer: respond-async`, at once the task that runs it."""
    request = PageTestRequest(url=body.url, goal=body.goal)
    task = page_tests.to_task(None, request)
    if (accepted := await _submit(parts, who, task, prefer)) is not None:
        return accepted
    return JSONResponse((await parts.database.read(page_tests.find_passing_run, who, task.id, request)).to_json())


@router.get("/{test_id}/runs", summary="The history of a page test, newest first")
async def list_runs(
    test_id: str, parts: OpenParts, who: WhoAsks, limit: Limit = 50, cursor: Cursor = None
) -> JsonObject:
    """Answer its runs."""
    found = await parts.database.read(page_tests.runs, who, test_id, cursor, limit)
    items: list[JsonValue] = [each.to_json() for each in found]
    return {"items": items, "next_cursor": found[-1].task_id if len(found) == limit else None}


@router.get("/{test_id}/runs/{task_id}", summary="A run of a page test, as JSON or JUnit XML")
async def find_run(test_id: str, task_id: str, request: Request, parts: OpenParts, who: WhoAsks) -> Response:
    """Answer the run; with `Accept: application/xml` as a JUnit report, once it is over."""
    found = await parts.database.read(page_tests.find_run, who, test_id, task_id)
    if any(media_type in request.headers.get("accept", "") for media_type in _XML):
        return Response(_junit(found), media_type="application/xml")
    return JSONResponse(found.to_json())


def _junit(run: Run) -> str:
    if run.test is None:
        raise ConflictError(f"The run {run.task_id} is {run.status}: {run.error or 'it has no result yet'}")
    return to_junit(run.test_name, run.request, run.test)


async def _submit(parts: Parts, who: Caller, task: NewTask, prefer: Sequence[str] | None) -> Response | None:
    """Submit a run, and wait for its end; with `respond-async` answer its task instead."""
    await parts.intake.submit(who, task)
    if preferred(prefer, "respond-async") is not None:
        found = await parts.database.read(task_views.find, who, task.id)
        headers = {"Location": f"/api/tasks/{task.id}", "Preference-Applied": "respond-async"}
        return JSONResponse(found, 202, headers)
    await rest(parts, task.id, MAX_WAIT_S)
    return None
