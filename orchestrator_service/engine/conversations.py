"""What is said to the agent of a step: the message that begins its task, an answer to it, or nothing but listening."""

from collections.abc import AsyncGenerator
from typing import Final
from uuid import UUID, uuid5

from orchestrator_service import choosing
from orchestrator_service.credentials import Credentials
from orchestrator_service.engine import step_inputs
from orchestrator_service.engine.work import OpenAttempt, StepWork
from orchestrator_service.keys import Keys
from orchestrator_service.settings import Settings
from shared import agent_client
from shared.agent_client import AgentConnection, Deadlines, OutgoingMessage, PushConfig, RemoteEvent
from shared.db import Database

_REPLIES: Final = UUID("b7c1f7b0-3d50-4f0e-8b0e-9f0a3c5d7e21")
_MAX_CONNECTIONS: Final = 1_000


def reply_id(input_id: str) -> str:
    """Return the id of the message that brings a person's answer to the agent that asked."""
    return str(uuid5(_REPLIES, input_id))


class Conversations:
    """The conversations with the agents of steps, and the connections they are held over."""

    def __init__(self, settings: Settings, database: Database, keys: Keys, credentials: Credentials) -> None:
        self._push_url = f"{settings.url_of('orchestrator')}/api/push"
        self._database = database
        self._keys = keys
        self._credentials = credentials
        self._connections: dict[str, tuple[tuple[str, bytes | None], AgentConnection]] = {}

    async def connect(self, attempt: OpenAttempt) -> AgentConnection:
        """Return the connection to the agent, kept as long as its card and credentials stay the same."""
        known = self._connections.get(attempt.agent_id)
        if known is not None and known[0] == (attempt.card_hash, attempt.credentials):
            return known[1]
        card = agent_client.parse_card(await self._database.read(choosing.card, attempt.agent_id))
        connection = self._credentials.connect(card, attempt.credentials)
        if len(self._connections) >= _MAX_CONNECTIONS:
            self._connections.clear()
        self._connections[attempt.agent_id] = ((attempt.card_hash, attempt.credentials), connection)
        return connection

    def begin(
        self, connection: AgentConnection, work: StepWork, attempt: OpenAttempt, calls: Deadlines
    ) -> AsyncGenerator[RemoteEvent]:
        """Answer the remote task, follow it, or send the message that begins it."""
        if work.reply is not None and attempt.remote_task_id is not None:
            reply = work.reply
            message = OutgoingMessage(
                message_id=reply_id(reply.input_id),
                text=reply.text,
                data=() if reply.data is None else (reply.data,),
                task_id=attempt.remote_task_id,
                context_id=attempt.remote_context_id,
            )
            return connection.send(message, deadlines=calls)
        if attempt.remote_task_id is not None:
            return connection.follow(attempt.remote_task_id, deadlines=calls, pushed=True)
        text, data, marks = step_inputs.told(work.step, work.values)
        message = OutgoingMessage(
            message_id=attempt.message_id,
            text=text,
            data=(data,) if data else (),
            files=work.files,
            skill=work.step.skill,
            metadata=work.metadata | marks,
            push=self._push(work, attempt) if connection.pushes else None,
        )
        return connection.send(message, deadlines=calls)

    def _push(self, work: StepWork, attempt: OpenAttempt) -> PushConfig:
        """Return where the agent may say that there is news of this try."""
        task_id, step_id, number = work.run.task_id, work.step.id, attempt.number
        return PushConfig(
            f"{self._push_url}/{task_id}/{step_id}/{number}", self._keys.push_token(task_id, step_id, number)
        )
