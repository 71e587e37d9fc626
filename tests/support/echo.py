"""The agent that many tests ask: it answers with the request."""

from collections.abc import AsyncGenerator

from shared.agent import AgentRequest, Answer, Progress, Update
from shared.errors import InvalidRequestError
from tests.support.federation import TestAgent


async def echo(request: AgentRequest) -> AsyncGenerator[Update]:
    """Answer with the request; "fail" in it fails."""
    yield Progress("reading")
    if "fail" in request.text:
        raise InvalidRequestError("This cannot be done.")
    yield Answer("echo", f"<{request.text}>", {"length": len(request.text)})


ECHO = TestAgent("Echo", echo, ("echo",))
