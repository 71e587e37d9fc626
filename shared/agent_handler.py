"""Answers the calls of A2A, whatever binding they came by; the SDK's routes call it.

Its errors are the SDK's own classes, for the routes look them up by exact class.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager
from typing import Final, NoReturn
from urllib.parse import quote

from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    GetExtendedAgentCardRequest,
    GetTaskRequest,
    InternalError,
    InvalidParamsError,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    PushNotificationNotSupportedError,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskState,
    UnsupportedOperationError,
)
from a2a.utils.errors import A2AError
from a2a.utils.proto_utils import validate_proto_required_fields
from a2a.utils.task import apply_history_length, validate_history_length
from google.protobuf.message import Message as ProtoMessage

from shared import telemetry
from shared.agent_messages import AT_REST, ENDED, Event, check
from shared.agent_runs import Runs, contained
from shared.agent_tasks import Scope, Stored
from shared.settings import ServiceName

_MAX_OWNER_CHARS: Final = 512
_NO_PUSH: Final = "This agent sends no push notifications; follow the task by a stream, or ask with GetTask."


class AgentHandler(RequestHandler):
    """The calls of A2A on the tasks of one service. `runs` is open while the service is."""

    def __init__(self, service: ServiceName, runs: Callable[[], Runs]) -> None:
        self._service: ServiceName = service
        self._runs = runs

    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Task | Message:
        """Accept a message; answer when its task comes to rest, or at once if that is asked for."""
        with _translated(params):
            scope = self._scope(context)
            stored = await self._accept(scope, params)
            task = stored.task
            if task.status.state not in AT_REST and not params.configuration.return_immediately:
                task = await self._runs().settle(scope, stored)
            return apply_history_length(task, params.configuration)

    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Task | Event]:
        """Accept a message; yield its task, then every event until the task comes to rest."""
        with _translated(params):
            scope = self._scope(context)
            stored = await self._accept(scope, params)
            yield apply_history_length(stored.task, params.configuration)
            if stored.task.status.state in AT_REST:
                return
            async with aclosing(self._runs().follow(scope, stored.task.id, stored.seq)) as events:
                async for event in events:
                    yield event

    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Task | Event]:
        """Yield the task as it is now, then every event until it comes to rest. A task that ended has none: refused."""
        with _translated(params):
            scope = self._scope(context)
            stored = await self._runs().find(scope, params.id)
            state = stored.task.status.state
            if state in ENDED:
                raise UnsupportedOperationError(f"Task {params.id} has ended: {TaskState.Name(state)}. Use GetTask.")
            yield stored.task
            if state in AT_REST:
                return
            async with aclosing(self._runs().follow(scope, params.id, stored.seq)) as events:
                async for event in events:
                    yield event

    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task | None:
        """Return a task as it is now."""
        with _translated(params):
            validate_history_length(params)
            stored = await self._runs().find(self._scope(context), params.id)
            return apply_history_length(stored.task, params)

    async def on_list_tasks(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """Return a page of the caller's tasks, the last changed first."""
        with _translated(params):
            return await self._runs().search(self._scope(context), params)

    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task | None:
        """Cancel a task; answer when its agent has stopped."""
        with _translated(params):
            return await self._runs().cancel(self._scope(context), params.id)

    async def _refuse_push(self, params: object, context: ServerCallContext) -> NoReturn:
        """Refuse: the card says that there are no push notifications."""
        del params, context
        raise PushNotificationNotSupportedError(_NO_PUSH)

    on_create_task_push_notification_config = _refuse_push
    on_get_task_push_notification_config = _refuse_push
    on_list_task_push_notification_configs = _refuse_push
    on_delete_task_push_notification_config = _refuse_push

    async def on_get_extended_agent_card(
        self, params: GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> AgentCard:
        """Refuse: the card says that there is no extended one."""
        del params, context
        raise UnsupportedOperationError("This agent has no extended card; its public card says all.")

    def _scope(self, context: ServerCallContext) -> Scope:
        """Return whose tasks a call may see: (tenant, user), each quoted so that no two pairs look alike."""
        owner = f"{quote(context.tenant, safe='')}/{quote(context.user.user_name, safe='')}"
        if len(owner) > _MAX_OWNER_CHARS:
            raise InvalidParamsError("The tenant's name is too long.")
        return Scope(self._service, owner)

    async def _accept(self, scope: Scope, params: SendMessageRequest) -> Stored:
        check(params.message)
        validate_history_length(params.configuration)
        if params.configuration.HasField("task_push_notification_config"):
            raise PushNotificationNotSupportedError(_NO_PUSH)
        return await self._runs().accept(scope, params.message)


@contextmanager
def _translated(params: ProtoMessage) -> Generator[None]:
    """Let A2A's errors pass and answer every other with one of its: a failure's text says no more than it may.

    Before that, refuse a request without its required fields.
    """
    refusal: A2AError | None = None
    with contained(f"trace {telemetry.trace_id()}") as failures:
        try:
            validate_proto_required_fields(params)
            yield
        except A2AError as error:
            refusal = error
    if refusal is not None:
        raise refusal
    if failures:
        raise InternalError(failures[0].detail)
