"""An agent made with Microsoft's Agent Framework, behind its `A2AExecutor`.

With the second argument "quiet" the executor does not stream: then it answers in status messages and nowhere else.
It has no way to ask for input.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable
from typing import Any

from a2a_sdk import app
from agent_framework import AgentResponse, AgentResponseUpdate, BaseAgent, Content, ResponseStream
from agent_framework_a2a import A2AExecutor
from serving import serve
from starlette.applications import Starlette


class ScriptedAgent(BaseAgent):
    """Does what the words say, without a model."""

    def run(
        self, messages: Any = None, *, stream: bool = False, **_more: Any
    ) -> Awaitable[AgentResponse[Any]] | ResponseStream[AgentResponseUpdate, AgentResponse[Any]]:
        """Answer a text."""
        found = ResponseStream(self._answer(str(messages)), finalizer=AgentResponse.from_updates)
        return found if stream else found.get_final_response()

    async def _answer(self, text: str) -> AsyncGenerator[AgentResponseUpdate]:
        if "wait" in text:
            await asyncio.Event().wait()
        if "fail" in text:
            raise RuntimeError("It broke.")
        words = f"<{text}>".split(" ")
        for index, word in enumerate(words):
            yield _says(word if index == len(words) - 1 else f"{word} ")


def _says(text: str) -> AgentResponseUpdate:
    return AgentResponseUpdate(contents=[Content.from_text(text)], role="assistant")


def build(url: str, _port: int) -> Starlette:
    """Return the agent as an app."""
    agent = ScriptedAgent(name="agent_framework")
    return app("agent_framework", url, A2AExecutor(agent, stream="quiet" not in sys.argv))


if __name__ == "__main__":
    serve(build)
