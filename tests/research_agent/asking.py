"""Asks the research agent, opened with real settings, and gathers its updates."""

from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from uuid import uuid4

from a2a_agent_service.agent import open_agent
from a2a_agent_service.settings import Settings
from shared.agent import AgentRequest, Answer, File, InputRequired, JsonObject, Progress, Turn, Usage
from shared.errors import FederationError


def make_settings(folder: Path, **changes: object) -> Settings:
    """Return settings for documents in `folder`/docs and data beside it, without web and model unless changed."""
    values: dict[str, object] = {
        "research_documents": folder / "docs",
        "data_dir": folder / "data",
        "research_web": False,
        "federation_register": False,
        "openai_api_key": None,
        "groq_api_key": None,
        "llm_base_url": None,
        "llm_max_attempts": 1,
    }
    return Settings.model_validate(values | changes)


def write_documents(folder: Path, **documents: str) -> None:
    """Write `folder`/docs/NAME.md for each document; "__" in a name stands for "/"."""
    for name, text in documents.items():
        path = folder / "docs" / (name.replace("__", "/") + ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@dataclass(slots=True)
class Outcome:
    """What the agent yielded."""

    answers: list[Answer] = field(default_factory=list[Answer])
    progress: list[str] = field(default_factory=list[str])
    usage: list[Usage] = field(default_factory=list[Usage])
    asked: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.answers[-1].text

    @property
    def data(self) -> JsonObject:
        """The answer's data."""
        return self.answers[-1].data or {}

    @property
    def sources(self) -> list[dict[str, object]]:
        """The sources in the answer's data."""
        return cast("list[dict[str, object]]", self.data["sources"])

    @property
    def places(self) -> list[dict[str, object]]:
        """The sources without their quotes."""
        return [{key: value for key, value in each.items() if key not in {"n", "quote"}} for each in self.sources]


async def ask(
    settings: Settings,
    text: str,
    *,
    skill: str | None = "research",
    files: tuple[File, ...] = (),
    context: str = "",
    history: tuple[Turn, ...] = (),
    task: str = "",
) -> Outcome:
    """Open the agent, send one request and return what came. Raises: what the agent raises.

    Without a `context`, the request belongs to a session of its own.
    """
    request = AgentRequest(
        text, task or uuid4().hex, context or uuid4().hex, uuid4().hex, files=files, skill=skill, history=history
    )
    outcome = Outcome()
    failure: FederationError | None = None
    async with open_agent(settings) as agent:
        try:
            async with aclosing(agent.answer(request)) as updates:
                async for update in updates:
                    match update:
                        case Answer():
                            outcome.answers.append(update)
                        case Progress(said):
                            outcome.progress.append(said)
                        case Usage():
                            outcome.usage.append(update)
                        case InputRequired(prompt):
                            outcome.asked.append(prompt)
                        case _:
                            raise AssertionError(f"unexpected {update}")
        except FederationError as error:  # raised here, it would leave the agent's own groups of tasks as a group
            failure = error
    if failure is not None:
        raise failure
    return outcome
