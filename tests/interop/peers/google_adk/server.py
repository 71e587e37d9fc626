"""An agent made with Google's ADK and served by its `to_a2a`. Its own card names JSON-RPC 1.0 only."""

import asyncio
from collections.abc import AsyncGenerator

from a2a_sdk import card, dialect
from google.adk.a2a.utils.agent_to_a2a import to_a2a
from google.adk.agents import BaseAgent
from google.adk.agents.invocation_context import InvocationContext
from google.adk.events import Event
from google.genai.types import Content, FunctionCall, Part
from serving import DESCRIPTION, serve
from starlette.applications import Starlette


class ScriptedAgent(BaseAgent):
    """Does what the words say, without a model."""

    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        [*_, said] = (ctx.user_content.parts if ctx.user_content else None) or [Part()]
        if said.function_response is not None:
            yield self._say(ctx, f"<{(said.function_response.response or {}).get('result')}>")
            return
        text = said.text or ""
        if "wait" in text:
            yield self._say(ctx, "waiting")
            await asyncio.Event().wait()
        if "fail" in text:
            raise RuntimeError("It broke.")
        if "ask" in text:
            call = FunctionCall(id="call-1", name="ask_user", args={"question": "Which colour?"})
            yield Event(
                author=self.name,
                invocation_id=ctx.invocation_id,
                content=Content(role="model", parts=[Part(function_call=call)]),
                long_running_tool_ids={"call-1"},
            )
            return
        for word in text.split(" ")[:-1]:
            yield self._say(ctx, f"{word} ", partial=True)
        yield self._say(ctx, f"<{text}>")

    def _say(self, ctx: InvocationContext, text: str, *, partial: bool = False) -> Event:
        content = Content(role="model", parts=[Part(text=text)])
        return Event(author=self.name, invocation_id=ctx.invocation_id, content=content, partial=partial)


def build(url: str, port: int) -> Starlette:
    """Return the agent as an app; in 1.0 with the card that ADK makes itself."""
    own = None if dialect() == "JSONRPC 1.0" else card("google_adk", url)
    return to_a2a(
        ScriptedAgent(name="google_adk", description=DESCRIPTION), host="127.0.0.1", port=port, agent_card=own
    )


if __name__ == "__main__":
    serve(build)
