"""Calls a service by Agent Framework's A2AAgent. It cancels with the SDK's client that it holds."""

import asyncio
from typing import Any

from a2a.types import CancelTaskRequest, TaskState
from a2a_sdk import card_of
from agent_framework_a2a import A2AAgent, A2AAgentSession
from telling import arguments, play


def _state(session: A2AAgentSession) -> str:
    return TaskState.Name(session.task_state) if session.task_state is not None else ""


async def main() -> None:
    """Run the script."""
    url, dialect, script = arguments()
    card = await card_of(url, dialect)
    agent = A2AAgent(agent_card=card, supported_protocol_bindings=[dialect.split(" ")[0]])

    async def answer(text: str) -> dict[str, Any]:
        session = A2AAgentSession()
        response = await agent.run(text, session=session)
        return {"state": _state(session), "text": response.text}

    async def stream(text: str) -> dict[str, Any]:
        session = A2AAgentSession()
        found = agent.run(text, stream=True, session=session)
        updates = [update async for update in found]
        return {"state": _state(session), "text": (await found.get_final_response()).text, "events": len(updates)}

    async def ask(text: str, reply: str) -> dict[str, Any]:
        session = A2AAgentSession()
        asked = await agent.run(text, session=session)
        response = await agent.run(reply, session=session)
        return {"state": _state(session), "text": response.text, "question": asked.text}

    async def cancel(text: str) -> dict[str, Any]:
        begun = await agent.run(text, background=True, session=A2AAgentSession())
        token: Any = begun.continuation_token
        task = await agent.client.cancel_task(CancelTaskRequest(id=token["task_id"]))
        return {"state": TaskState.Name(task.status.state), "text": ""}

    await play(script, {"answer": answer, "stream": stream, "ask": ask, "cancel": cancel})


asyncio.run(main())
