"""Answers the official conformance kit of A2A, which steers an agent by how its messages' ids begin.

Only with A2A_CONFORMANCE=true, and only on loopback. Messages with other ids reach the real agent, and everything
around the agent (calls, tasks, streams, push notifications) is what it always is, but for what docs/a2a-conformance.md
lists: above all, the kit uses the id of a message again for others, so that here each counts as one of its own.
Source: https://github.com/a2aproject/a2a-tck, folder `scenarios`
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Final

from a2a.server.context import ServerCallContext
from a2a.types import Message, Part, Role, SendMessageRequest, Task

from shared.agent import AgentRequest, Answer, Delta, File, InputRequired, OpenAgent, Produced, Progress, Update
from shared.agent_handler import AgentHandler
from shared.agent_sequence import Told
from shared.db import new_id
from shared.errors import InvalidSettingError
from shared.front_door import is_loopback
from shared.settings import FederationSettings

_OUTPUT: Final = "output.txt"
_FILE: Final = Produced(File(_OUTPUT, "text/plain", b"Generated file content"))
_LINK: Final = Produced(File(_OUTPUT, "text/plain", url="https://example.com/output.txt"))

_KIT: Final = "tck-"
_MESSAGE: Final = "tck-message-response"
_HELLO: Final = (Answer("answer", "Hello from TCK"),)
_STORIES: Final[dict[str, tuple[Update, ...]]] = {
    "tck-input-required": (InputRequired("What else?"),),
    "tck-artifact-text": (Answer("answer", "Generated text content"),),
    "tck-artifact-file-url": (_LINK,),
    "tck-artifact-file": (_FILE,),
    "tck-artifact-data": (Answer("answer", "", {"key": "value", "count": 42}),),
    "tck-stream-001": (Progress("working"), Answer("answer", "Stream hello from TCK")),
    "tck-stream-002": (),
    "tck-stream-003": (Progress("working"), Answer("answer", "Stream task lifecycle")),
    "tck-stream-ordering-001": (Progress("working"), Answer("answer", "Ordered output")),
    "tck-stream-artifact-text": (Progress("working"), Answer("answer", "Streamed text content")),
    "tck-stream-artifact-file": (Progress("working"), _FILE),
    "tck-stream-artifact-chunked": (Progress("working"), Delta("answer", "chunk-1 "), Delta("answer", "chunk-2")),
}


def check(settings: FederationSettings) -> None:
    """Refuse to answer the kit where others could ask. Raises: InvalidSettingError."""
    if settings.a2a_conformance and not is_loopback(settings.federation_host):
        raise InvalidSettingError(
            f"A2A_CONFORMANCE=true is for a service on loopback only, and FEDERATION_HOST is "
            f"{settings.federation_host}. Unset A2A_CONFORMANCE, or set FEDERATION_HOST=127.0.0.1."
        )


def conforming(
    open_agent: Callable[[], AbstractAsyncContextManager[OpenAgent]],
) -> Callable[[], AbstractAsyncContextManager[OpenAgent]]:
    """Return a way to open the agent with which it answers the kit too."""

    @asynccontextmanager
    async def opened() -> AsyncGenerator[OpenAgent]:
        async with open_agent() as agent:

            async def answer(request: AgentRequest) -> AsyncGenerator[Update]:
                story = _find_story(request.message_id)
                async with aclosing(agent.answer(request) if story is None else _tell(story)) as updates:
                    async for update in updates:
                        yield update

            yield replace(agent, answer=answer)

    return opened


class ConformingHandler(AgentHandler):
    """Answers by a message instead of a task where the kit asks for that; our own agents never do."""

    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Task | Message:
        """Accept a message."""
        if params.message.message_id.startswith(_MESSAGE):
            return _direct(params.message)
        _make_unique(params.message)
        return await super().on_message_send(params, context)

    async def send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Sequence[Told]]:
        """Accept a message; yield what comes of it."""
        if params.message.message_id.startswith(_MESSAGE):
            yield [(0, _direct(params.message))]
            return
        _make_unique(params.message)
        async with aclosing(super().send_stream(params, context)) as batches:
            async for batch in batches:
                yield batch


def _find_story(message_id: str) -> tuple[Update, ...] | None:
    if not message_id.startswith(_KIT):
        return None
    return next((story for prefix, story in _STORIES.items() if message_id.startswith(prefix)), _HELLO)


async def _tell(story: tuple[Update, ...]) -> AsyncGenerator[Update]:
    for update in story:
        yield update


def _make_unique(message: Message) -> None:
    if message.message_id.startswith(_KIT):
        message.message_id += f"-{new_id()}"


def _direct(message: Message) -> Message:
    part = Part(text="Direct message response")
    return Message(message_id=new_id(), context_id=message.context_id or new_id(), role=Role.ROLE_AGENT, parts=[part])
