"""Answers clients that call by A2A 0.3's names and speak 1.0's forms, as fasta2a's do.

Their messages have parts without the `kind` that 0.3 requires; the results they read are named by what they are, as in
1.0: `{"task": …}` where 0.3 answers the task itself. What is inside is 0.3's, which they read too.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from typing import Final, TypeAlias, cast

import orjson
from pydantic import JsonValue
from sse_starlette.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response

from shared.agent import JsonObject
from shared.agent_finality import finishing

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

_METHODS: Final = frozenset({"message/send", "message/stream"})
_NAMES: Final = {
    "task": "task",
    "message": "message",
    "status-update": "statusUpdate",
    "artifact-update": "artifactUpdate",
}


def understanding(sdk: Endpoint) -> Endpoint:
    """Return the SDK's endpoint for JSON-RPC, with its results named for those clients."""

    async def answer(request: Request) -> Response:
        is_mixed = _is_mixed(await request.body())
        response = await sdk(request)
        if getattr(request.state, "rpc_method", "") == "message/stream":
            response = finishing(response)
        return _named(response) if is_mixed else response

    return answer


def _is_mixed(body: bytes) -> bool:
    match _parse(body):
        case {"method": str(method), "params": {"message": {"parts": [dict(part), *_]}}} if method in _METHODS:
            return "kind" not in part
        case _:
            return False


def _named(response: Response) -> Response:
    if isinstance(response, EventSourceResponse):
        response.body_iterator = _named_events(cast("AsyncIterable[JsonObject]", response.body_iterator))
        return response
    return Response(_name(bytes(response.body)), response.status_code, media_type="application/json")


async def _named_events(events: AsyncIterable[JsonObject]) -> AsyncGenerator[JsonObject]:
    """Yield the SDK's events, whose text is under `data`."""
    async for event in events:
        yield {**event, "data": _name(str(event["data"]).encode()).decode()}


def _name(content: bytes) -> bytes:
    match _parse(content):
        case {"result": {"kind": str(kind)} as result, **rest} if kind in _NAMES:
            return orjson.dumps({**rest, "result": {_NAMES[kind]: result}})
        case _:
            return content


def _parse(content: bytes) -> JsonValue:
    try:
        return cast("JsonValue", orjson.loads(content))
    except orjson.JSONDecodeError:
        return None
