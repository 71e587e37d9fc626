"""Answers the calls of A2A, whatever binding they came by; the SDK's routes call it.

Its errors are the SDK's own classes, for the routes look them up by exact class.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Generator, Sequence
from contextlib import aclosing, contextmanager
from typing import Final
from urllib.parse import quote

from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    InternalError,
    InvalidParamsError,
    ListTaskPushNotificationConfigsRequest,
    ListTaskPushNotificationConfigsResponse,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskNotFoundError,
    TaskPushNotificationConfig,
    TaskState,
    UnsupportedOperationError,
)
from a2a.utils.errors import A2AError
from a2a.utils.proto_utils import validate_proto_required_fields
from a2a.utils.task import apply_history_length, validate_history_length
from google.protobuf.message import Message as ProtoMessage

from shared import agent_sequence, telemetry
from shared.agent_failures import contained
from shared.agent_messages import AT_REST, ENDED, Event, check, is_complete
from shared.agent_runs import Runs
from shared.agent_sequence import Told
from shared.agent_tasks import Scope, Stored
from shared.settings import ServiceName

_MAX_OWNER_CHARS: Final = 512
_MAX_SHOWN_BYTES: Final = 256 * 1024


class AgentHandler(RequestHandler):
    """The calls of A2A on one service's tasks. `runs` is open while the service is; `card` is the extended one."""

    def __init__(self, service: ServiceName, runs: Callable[[], Runs], card: AgentCard) -> None:
        self._service: ServiceName = service
        self._runs = runs
        self._card = card

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
    ) -> AsyncGenerator[Task | Message | Event]:
        """Accept a message; yield its task, then every event until the task comes to rest."""
        async with aclosing(self.send_stream(params, context)) as batches:
            async for each in _one_by_one(batches, context):
                yield each

    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Task | Message | Event]:
        """Yield the task as it is now, then every event until it ends. A task that has ended is refused."""
        async with aclosing(self.subscribe(params, context)) as batches:
            async for each in _one_by_one(batches, context):
                yield each

    async def send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Sequence[Told]]:
        """Do as `on_message_send_stream`, with all at once that is there; nothing at all now and then, when idle."""
        with _translated(params):
            scope = self._scope(context)
            stored = await self._accept(scope, params)
            shown = apply_history_length(stored.task, params.configuration)
            async with aclosing(self._tell(scope, stored, stored.seq, AT_REST, shown)) as batches:
                async for batch in batches:
                    yield batch

    async def subscribe(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Sequence[Told]]:
        """Do as `on_subscribe_to_task`, with all at once that is there; nothing at all now and then, when idle.

        Who says which event it has seen last gets those after it, also of a task that has ended since. The history of
        a task larger than 256 KiB is left out: it may hold files, and clients bound what an event has.
        """
        with _translated(params):
            scope = self._scope(context)
            stored = await self._runs().find(scope, params.id)
            seen = agent_sequence.last_seen(context)
            after = stored.seq if seen is None else min(seen, stored.seq)
            state = stored.task.status.state
            if state in ENDED and after == stored.seq:
                raise UnsupportedOperationError(f"Task {params.id} has ended: {TaskState.Name(state)}. Use GetTask.")
            shown = stored.task
            if shown.ByteSize() > _MAX_SHOWN_BYTES:
                shown = apply_history_length(shown, GetTaskRequest(history_length=0))
            async with aclosing(self._tell(scope, stored, after, ENDED, shown)) as batches:
                async for batch in batches:
                    yield batch

    async def _tell(
        self, scope: Scope, stored: Stored, after: int, until: Collection[TaskState], shown: Task
    ) -> AsyncGenerator[Sequence[Told]]:
        events = self._runs().follow(scope, stored.task.id, after, until)  # before anything else can happen to its run
        yield [(stored.seq, shown)]
        if stored.task.status.state in until and after == stored.seq:
            return
        async with aclosing(events):
            async for batch in events:
                yield batch

    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task:
        """Return a task as it is now."""
        with _translated(params):
            validate_history_length(params)
            stored = await self._runs().find(self._scope(context), params.id)
            return apply_history_length(stored.task, params)

    async def on_list_tasks(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """Return a page of the caller's tasks, the last changed first."""
        with _translated(params):
            return await self._runs().search(self._scope(context), params)

    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task:
        """Cancel a task; answer when its agent has stopped."""
        with _translated(params):
            return await self._runs().cancel(self._scope(context), params.id)

    async def on_create_task_push_notification_config(
        self, params: TaskPushNotificationConfig, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """Store who is to be told of a task; one with the same id is replaced."""
        with _translated(params):
            stored = await self._runs().find(self._scope(context), params.task_id)
            params.id = await self._runs().push.save(stored.task.id, params)
            return params

    async def on_get_task_push_notification_config(
        self, params: GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """Return a config; the one without an id of its own if none is named, as 0.3 allows."""
        params.id = params.id or params.task_id
        with _translated(params):
            for config in await self._push_configs(params.task_id, context):
                if config.id == params.id:
                    return config
            raise _no_config(params.id)

    async def on_list_task_push_notification_configs(
        self, params: ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> ListTaskPushNotificationConfigsResponse:
        """Return a task's configs, all on one page, oldest first."""
        with _translated(params):
            configs = await self._push_configs(params.task_id, context)
            return ListTaskPushNotificationConfigsResponse(configs=configs)

    async def on_delete_task_push_notification_config(
        self, params: DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        """Delete a config, and what was still to be told; one that is not there is no error."""
        with _translated(params):
            stored = await self._runs().find(self._scope(context), params.task_id)
            await self._runs().push.remove(stored.task.id, params.id)

    async def _push_configs(self, task_id: str, context: ServerCallContext) -> list[TaskPushNotificationConfig]:
        stored = await self._runs().find(self._scope(context), task_id)
        return await self._runs().push.find_all(stored.task.id)

    async def on_get_extended_agent_card(
        self, params: GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> AgentCard:
        """Return the extended card."""
        del context
        with _translated(params):
            return self._card

    def _scope(self, context: ServerCallContext) -> Scope:
        """Return whose tasks a call may see: (tenant, user), each quoted so that no two pairs look alike."""
        owner = f"{quote(context.tenant, safe='')}/{quote(context.user.user_name, safe='')}"
        if len(owner) > _MAX_OWNER_CHARS:
            raise InvalidParamsError("The tenant's name is too long.")
        return Scope(self._service, owner)

    async def _accept(self, scope: Scope, params: SendMessageRequest) -> Stored:
        check(params.message)
        validate_history_length(params.configuration)
        configuration = params.configuration
        asks = configuration.HasField("task_push_notification_config")
        config = configuration.task_push_notification_config if asks else None
        return await self._runs().accept(scope, params.message, config)


async def _one_by_one(
    batches: AsyncGenerator[Sequence[Told]], context: ServerCallContext
) -> AsyncGenerator[Task | Message | Event]:
    is_numbered = agent_sequence.is_asked(context)
    async for batch in batches:
        for told in batch:
            yield agent_sequence.number(told) if is_numbered else told[1]


@contextmanager
def _translated(params: ProtoMessage) -> Generator[None]:
    """Let A2A's errors pass and answer every other with one of its: a failure's text says no more than it may.

    Before that, refuse a request without its required fields.
    """
    refusal: A2AError | None = None
    with contained(f"trace {telemetry.trace_id()}") as failures:
        try:
            if not (isinstance(params, SendMessageRequest) and is_complete(params)):
                validate_proto_required_fields(params)
            yield
        except A2AError as error:
            refusal = error
    if refusal is not None:
        raise refusal
    if failures:
        raise InternalError(failures[0].detail, {"type": failures[0].slug, "retryable": failures[0].retryable})


def _no_config(config_id: str) -> TaskNotFoundError:
    return TaskNotFoundError(f"The task has no push notification config '{config_id[:64]}'.")
