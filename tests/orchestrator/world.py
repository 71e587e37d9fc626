"""What the state machine plays with: one orchestrator process, its agent, and the event loop they are used from."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import AsyncExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from shared.agent import AgentRequest, Answer, InputRequired, Progress, Update
from tests.orchestrator.killable import Killable
from tests.support.federation import TestAgent, serve_agent

T = TypeVar("T")


class Workers:
    """The agent of all tasks; the words it gets say what it does. It counts."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.answers: dict[str, list[str]] = {}
        self.opened: dict[str, asyncio.Event] = {}

    def gate(self, marker: str) -> asyncio.Event:
        """What a held task waits for."""
        return self.opened.setdefault(marker, asyncio.Event())

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Do it, and count it."""
        if request.history:
            self.answers.setdefault(request.history[0].text, []).append(request.text)
            yield Answer("answer", f"<{request.text}>")
            return
        self.begun[request.text] += 1
        kind, _, marker = request.text.partition(" ")
        yield Progress("begun")
        if kind == "ask":
            yield InputRequired("What?")
            return
        if kind == "held":
            await self.gate(marker).wait()
        yield Answer("answer", f"<{request.text}>")


class World:
    """One orchestrator process and its agent, and the event loop they are used from, for all examples."""

    def __init__(self, runner: asyncio.Runner, process: Killable) -> None:
        self.process = process
        self.workers = Workers()
        self.numbers = count(1)
        self._runner = runner

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the event loop; bounded."""
        return self._runner.run(asyncio.wait_for(work, 100))


@contextmanager
def open_world(folder: Path, database_url: str | None) -> Generator[World]:
    """Open the world: the orchestrator runs and has the agent registered."""
    with asyncio.Runner() as runner:
        process = Killable(folder, database_url)
        opened = World(runner, process)
        stack = AsyncExitStack()

        async def begin() -> None:
            agent = TestAgent("Worker", opened.workers.answer, ("work",))
            endpoint = await stack.enter_async_context(serve_agent(folder, agent))
            stack.push_async_callback(process.stop)
            await process.start()
            await process.register(endpoint)

        try:
            opened.run(begin())
            yield opened
        finally:
            opened.run(stack.aclose())
