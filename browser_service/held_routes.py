"""Routes for sessions that callers keep open, the actions they do there, and how much the browser has to do."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, cast

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from browser_service import answers
from browser_service.actions import ACTIONS, MAX_ACTIONS, Action
from browser_service.held_sessions import HeldSessions
from browser_service.observation import Level
from browser_service.targets import Target
from browser_service.terms import Terms
from shared.agent import Answer, JsonObject

router = APIRouter(tags=["sessions"])

_SessionId = Annotated[str, PathParameter(max_length=64, pattern=r"^[A-Za-z0-9-]+$")]


class NewSession(BaseModel):
    """What a session begins with: an address to open, and its terms."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"url": "https://example.com"}]})

    url: Annotated[str, Field(max_length=2_000)] | None = None
    session: Terms = Terms()


class Todo(BaseModel):
    """What is to be done: typed actions, or plain words."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"actions": [{"do": "click", "target": "the Save button"}]}]}
    )

    actions: Annotated[list[Action], Field(max_length=MAX_ACTIONS)] = []
    words: Annotated[str, Field(max_length=20_000)] = ""

    @model_validator(mode="after")
    def _check(self) -> "Todo":
        if bool(self.actions) == bool(self.words):
            raise ValueError("name either `actions` or `words`")
        return self


def _held(request: Request) -> HeldSessions:
    return cast("HeldSessions", request.app.state.held_sessions)


@router.get("/pressure", summary="How much the browser has to do")
async def pressure(request: Request) -> Mapping[str, int | bool]:
    """Answer pages in use, tasks that wait, and the limits of both."""
    return cast("Mapping[str, int | bool]", asdict(_held(request).pressure))


@router.get("/v1/actions/schema", summary="The JSON Schema of a list of actions")
async def schema() -> JsonObject:
    """Answer the schema that callers and models write actions by."""
    return ACTIONS.json_schema()


@router.post("/v1/sessions", status_code=201, summary="Open a session and keep it open")
async def create(body: NewSession, request: Request) -> JsonObject:
    """Open it; 429 with Retry-After when all pages are in use and enough wait already."""
    held = _held(request)
    session = await (held.open(body.session) if body.url is None else held.open_at(body.url, body.session))
    return {"id": session.id, "url": session.url}


@router.post("/v1/sessions/{session_id}/actions", summary="Do actions, or what plain words say, in an open session")
async def perform(session_id: _SessionId, body: Todo, request: Request) -> JsonObject:
    """Do them one after the other; the first failure ends it and is told in `error` with what came before it.

    `error` has `url` and `last_seen`; where there was a page, `screenshot` says where a picture of it is.
    """
    session, findings, failure = await _held(request).perform(session_id, body.actions, body.words)
    told = answers.Told(session.url, session.url, session.status, session.is_settled, tuple(findings.unread))
    [answer] = [each for each in answers.compose(findings, told, is_verification=False) if isinstance(each, Answer)]
    data: dict[str, JsonValue] = {
        "text": answer.text,
        **(answer.data or {}),
        "dialogs": list[JsonValue](session.dialogs.seen),
    }
    if findings.checks:
        data["checks"] = [
            {"description": each.description, "passed": each.passed, "details": each.details}
            for each in findings.checks
        ]
    if failure is not None:
        data["error"] = failure.to_problem()
    return data


@router.get("/v1/sessions/{session_id}/observation", summary="What is on the page of an open session")
async def observe(
    session_id: _SessionId, request: Request, level: Level = "interactive", of: str | None = None
) -> JsonObject:
    """Answer it at a level; `of` names the thing for level "scoped", in words or by ref."""
    target = None if not of else Target(ref=of) if of[0] == "e" and of[1:].isdigit() else Target(described=of[:2_000])
    return {"level": level, "text": await _held(request).observe(session_id, level, target)}


@router.get("/v1/sessions/{session_id}/files/{name}", summary="A file that an open session has downloaded")
async def download(session_id: _SessionId, name: str, request: Request) -> FileResponse:
    """Answer its bytes, as an attachment."""
    path = _held(request).path_of(session_id, name)
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


@router.post("/v1/sessions/{session_id}/close", status_code=204, summary="Close an open session")
async def close(session_id: _SessionId, request: Request) -> None:
    """Close it; what its profile is to keep is kept."""
    await _held(request).close(session_id)
