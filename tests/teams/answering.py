"""Agents for tests of steps with several answers: each says what it is told to say, and counts what it was asked."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import cast

from pydantic import JsonValue

from shared.agent import AgentRequest, Answer, File, InputRequired, JsonObject, Produced, Progress, Update
from shared.errors import AgentFailedError
from tests.support.federation import TestAgent, step


class Member:
    """An agent that answers with these texts in turn, the last one again and again. "!" fails, "?" asks.

    While it is held, it works and does not answer.
    """

    def __init__(self, name: str, *answers: str, files: bool = False) -> None:
        self.name = name
        self.asked: list[AgentRequest] = []
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.opened.set()
        self._answers = answers
        self._files = files
        self.broken_off = 0

    def hold(self) -> "Member":
        """Do not answer until `opened` is set."""
        self.opened.clear()
        return self

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Answer in turn."""
        if request.history:
            yield Answer("answer", request.text)
            return
        self.asked.append(request)
        said = self._answers[min(len(self.asked), len(self._answers)) - 1]
        yield Progress("begun")
        self.reached.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.broken_off += 1
            raise
        if said == "!":
            raise AgentFailedError("It went wrong.")
        if said == "?":
            yield InputRequired("What do you say?")
            return
        if self._files:
            yield Produced(File("report.txt", "text/plain", said.encode()))
        yield Answer("answer", said)

    def served(self) -> TestAgent:
        """Return it as the federation serves it: with the skill `guess`."""
        return TestAgent(self.name, self.answer, ("guess",))


def team_step(step_id: str = "a", instruction: str = "Guess.", **fields: JsonValue) -> JsonObject:
    """Return a step that any member can do."""
    return step(step_id, instruction, skill="guess", **fields)


def steps_of(found: JsonObject) -> list[JsonObject]:
    """Return the task's steps."""
    return cast("list[JsonObject]", found["steps"])


def attempts(found: JsonObject, place: int = 0) -> list[JsonObject]:
    """Return the tries of one of the task's steps; none before it has a plan."""
    return [cast("list[JsonObject]", each["attempts"]) for each in steps_of(found)][place] if steps_of(found) else []


def output(found: JsonObject, place: int = 0) -> tuple[str, JsonObject]:
    """Return what a step brought: its text, and what is told of how it came about."""
    brought = cast("JsonObject", steps_of(found)[place]["output_data"])
    data = cast("Sequence[JsonObject]", brought["data"])
    return str(brought["text"]), data[-1]


def part(found: JsonObject, name: str) -> JsonObject:
    """Return an object in an object."""
    return cast("JsonObject", found[name])


def parts(found: JsonObject, name: str) -> list[JsonObject]:
    """Return a list of objects in an object."""
    return cast("list[JsonObject]", found[name])
