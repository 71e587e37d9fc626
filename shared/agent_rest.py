"""What the SDK's HTTP+JSON routes leave open: a body that is not UTF-8 is the caller's fault, body or query may name a
tenant, a stream of A2A 0.3 that cannot be given is refused as a whole, where the SDK begins it and breaks it off, and a
push config of 0.3 can be created in the form that is specified, and deleted.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final, cast

import orjson
from a2a.compat.v0_3.context_builders import V03ServerCallContextBuilder
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.server.routes import ServerCallContextBuilder
from a2a.types import DeleteTaskPushNotificationConfigRequest, InvalidParamsError
from a2a.utils.constants import PROTOCOL_VERSION_0_3
from a2a.utils.error_handlers import rest_error_handler
from a2a.utils.version_validator import validate_version
from pydantic import JsonValue
from sse_starlette.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message

from shared import agent_bodies
from shared.agent_finality import finishing

_LIST: Final = "/tasks"
_OLDER: Final = "/v1/"
_OLDER_STREAM: Final = "/v1/message:stream"
_STREAMS: Final = (":stream", ":subscribe")


def mended(route: Route) -> Route:
    """Return the SDK's route with that put right."""
    begin = route.endpoint
    waits = route.path.startswith(_OLDER) and route.path.endswith(_STREAMS)

    @rest_error_handler
    async def answer(request: Request) -> Response:
        try:
            body = cast("JsonValue", orjson.loads(await request.body() or b"{}"))
        except orjson.JSONDecodeError as error:  # NaN and infinity too, which nobody could be told again
            raise InvalidParamsError("The body is not JSON in UTF-8.") from error
        agent_bodies.check_files(body)
        if route.path == _LIST:
            agent_bodies.check_state(request.query_params.get("status"))
        if route.path.startswith(_OLDER):
            agent_bodies.check_content(body)
            agent_bodies.check_history_length(request.query_params.get("historyLength") or None)
            request = _completed(request, body)
        else:
            request.state.tenant = _tenant(request, body)
        response: Response = await begin(request)
        if route.path == _OLDER_STREAM:
            response = finishing(response)
        if waits and isinstance(response, EventSourceResponse):
            events = cast("AsyncIterator[object]", aiter(response.body_iterator))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
            response.body_iterator = _chain(await anext(events, None), events)
        return response

    return Route(route.path, answer, methods=[*(route.methods or ())])


def deletion(handler: RequestHandler, contexts: ServerCallContextBuilder) -> Route:
    """Return the route by which A2A 0.3 deletes a push config, in the SDK's way; the SDK has none."""

    @validate_version(PROTOCOL_VERSION_0_3)
    async def delete(request: Request, context: ServerCallContext) -> None:
        names = request.path_params
        config = DeleteTaskPushNotificationConfigRequest(task_id=names["id"], id=names["push_id"])
        await handler.on_delete_task_push_notification_config(config, context)

    @rest_error_handler
    async def answer(request: Request) -> Response:
        await delete(request, V03ServerCallContextBuilder(contexts).build(request))
        return JSONResponse({})

    return Route("/v1/tasks/{id}/pushNotificationConfigs/{push_id}", answer, methods=["DELETE"])


def _completed(request: Request, body: JsonValue) -> Request:
    """Return the request; one that creates a push config in the form that is specified has the SDK's own then.

    Specified is the config alone, the SDK reads it as a part of what creates it.
    Source: https://github.com/a2aproject/A2A/blob/v0.3.0/specification/grpc/a2a.proto (`body: "config"`)
    """
    match body:
        case {"pushNotificationConfig": dict()} if request.url.path.endswith("/pushNotificationConfigs"):
            whole = orjson.dumps({"parent": f"tasks/{request.path_params['id']}", "config": body})
        case _:
            return request

    async def receive() -> Message:
        return {"type": "http.request", "body": whole, "more_body": False}

    return Request(request.scope, receive)


def _tenant(request: Request, body: JsonValue) -> str:
    match body:
        case {"tenant": str(tenant)}:
            return tenant
        case _:
            return request.query_params.get("tenant", "")


async def _chain(first: object, rest: AsyncIterator[object]) -> AsyncGenerator[object]:
    if first is None:
        return
    yield first
    async for each in rest:
        yield each
