"""Says in a stream of A2A 0.3 that a question is its last event: `final`, which the SDK sets for ends alone."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final, cast

import orjson
from pydantic import JsonValue
from sse_starlette.sse import EventSourceResponse
from starlette.responses import Response

_WAITING: Final = frozenset(
    {"input-required", "auth-required", "TASK_STATE_INPUT_REQUIRED", "TASK_STATE_AUTH_REQUIRED"}
)


def finishing(response: Response) -> Response:
    """Return the SDK's answer to a message of 0.3; if it is a stream, its events say which is the last."""
    if isinstance(response, EventSourceResponse):
        response.body_iterator = _finished(cast("AsyncIterable[object]", response.body_iterator))
    return response


async def _finished(events: AsyncIterable[object]) -> AsyncGenerator[object]:
    """Yield the SDK's events: JSON as it is over HTTP+JSON, under `data` over JSON-RPC."""
    async for event in events:
        match event:
            case str():
                yield _finish(event)
            case {"data": str(content)}:
                yield {"data": _finish(content)}
            case _:
                yield event


def _finish(content: str) -> str:
    if not any(state in content for state in _WAITING):
        return content
    told = cast("JsonValue", orjson.loads(content))
    match told:
        case {"result": {"status": {"state": str(state)}, "kind": "status-update"} as update} | {
            "statusUpdate": {"status": {"state": str(state)}} as update
        } if state in _WAITING:
            update["final"] = True
            return orjson.dumps(told).decode()
        case _:
            return content
