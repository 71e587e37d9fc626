"""Calls a service by Google ADK's RemoteA2aAgent, as the only agent of a runner. ADK has no way to cancel."""

import asyncio
from typing import Any

from a2a.types import AgentCard
from a2a_sdk import card_of
from google.adk.agents.remote_a2a_agent import RemoteA2aAgent
from google.adk.events import Event
from google.adk.runners import Runner
from google.adk.sessions.in_memory_session_service import InMemorySessionService
from google.genai.types import Content, FunctionResponse, Part
from telling import arguments, play


class Conversation:
    """One session with the remote agent."""

    def __init__(self, card: AgentCard) -> None:
        agent = RemoteA2aAgent(name="remote", agent_card=card)
        self._runner = Runner(
            app_name="interop", agent=agent, session_service=InMemorySessionService(), auto_create_session=True
        )

    async def say(self, *parts: Part) -> list[Event]:
        """Say something, and return what came of it."""
        message = Content(role="user", parts=list(parts))
        return [event async for event in self._runner.run_async(user_id="u", session_id="s", new_message=message)]


def _found(events: list[Event]) -> dict[str, Any]:
    last = events[-1]
    if last.error_message:
        return {"error": last.error_message}
    task = (last.custom_metadata or {}).get("a2a:response", {})
    status = task.get("status") or {}
    parts = [part for event in events for part in (event.content.parts if event.content else None) or []]
    texts = [part.text for part in parts if part.text and not part.thought]
    return {"state": str(status.get("state", "")), "text": "\n".join(texts), "events": len(events)}


async def main() -> None:
    """Run the script."""
    url, dialect, script = arguments()
    card = await card_of(url, dialect)

    async def stream(text: str) -> dict[str, Any]:
        return _found(await Conversation(card).say(Part(text=text)))

    async def ask(text: str, reply: str) -> dict[str, Any]:
        conversation = Conversation(card)
        asked = await conversation.say(Part(text=text))
        calls = [call for event in asked for call in event.get_function_calls()]
        if not calls:
            return {"error": f"It was not asked: {_found(asked)}"}
        given = FunctionResponse(id=calls[-1].id, name=calls[-1].name, response={"result": reply})
        question = str(calls[-1].args)
        return {**_found(await conversation.say(Part(function_response=given))), "question": question}

    await play(script, {"stream": stream, "ask": ask})


asyncio.run(main())
