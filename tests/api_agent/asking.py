"""Asks the API agent, opened with real settings, and gathers its updates."""

import os
import tempfile
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from api_agent_service.agent import open_agent
from api_agent_service.settings import Settings
from shared.agent import AgentRequest, Answer, Delta, File, JsonObject, Produced, Progress, Usage
from tests.support.model_server import ModelServer

SALES = """\
order_id,date,city,product,status,price,quantity,revenue
1,2024-01-05,Paris,Pen,shipped,2.50,10,25.00
2,2024-01-17,Rome,Book,shipped,12.00,2,24.00
3,2024-02-02,Paris,Book,open,12.50,1,12.50
4,2024-02-20,Oslo,Lamp,shipped,40.00,3,120.00
5,2023-12-30,Rome,Pen,open,2.00,5,10.00
6,2024-03-11,Oslo,Pen,cancelled,,4,
"""


def make_settings(model: ModelServer | None = None, **changes: object) -> Settings:
    """Return settings that no environment changes, without a model unless one is given."""
    values: dict[str, object] = {
        "federation_host": "127.0.0.1",
        "federation_register": False,
        "data_files": Path(__file__).parent,  # has no tables
        "data_dir": Path(tempfile.gettempdir()) / f"api-agent-tests-{os.getpid()}",
        "openai_api_key": None,
        "groq_api_key": None,
        "llm_provider": None,
        "llm_base_url": model.base_url if model else None,
        "llm_model": "scripted" if model else None,
        "llm_max_attempts": 1,
        "llm_timeout_s": 10.0,
    }
    return Settings.model_validate(values | changes)


@dataclass(slots=True)
class Outcome:
    """What the agent yielded."""

    answers: list[Answer] = field(default_factory=list[Answer])
    progress: list[str] = field(default_factory=list[str])
    deltas: list[Delta] = field(default_factory=list[Delta])
    files: list[File] = field(default_factory=list[File])
    usage: list[Usage] = field(default_factory=list[Usage])

    @property
    def text(self) -> str:
        """The text of the one answer."""
        [answer] = self.answers
        return answer.text

    @property
    def data(self) -> JsonObject:
        """The data of the one answer."""
        [answer] = self.answers
        assert answer.data is not None
        return answer.data

    @property
    def rows(self) -> list[JsonObject]:
        """The rows of the first question's answer."""
        return cast("list[list[JsonObject]]", [one["rows"] for one in cast("list[JsonObject]", self.data["answers"])])[
            0
        ]

    @property
    def profile(self) -> JsonObject:
        """The profile in the answer."""
        return cast("JsonObject", self.data["profile"])

    def column(self, name: str) -> JsonObject:
        """Return the profile of one column."""
        columns = cast("list[JsonObject]", self.profile["columns"])
        return next(column for column in columns if column["name"] == name)


async def ask(
    text: str,
    *,
    skill: str | None = None,
    data: tuple[JsonObject | list[JsonObject], ...] = (),
    files: tuple[File, ...] = (),
    settings: Settings | None = None,
    metadata: JsonObject | None = None,
) -> Outcome:
    """Open the agent, send one request and return what came. Raises: what the agent raises."""
    request = AgentRequest(
        text,
        "task",
        "context",
        "message",
        data=cast("tuple[JsonObject, ...]", data),
        files=files,
        skill=skill,
        metadata=metadata or {},
    )
    outcome = Outcome()
    async with open_agent(settings or make_settings()) as agent, aclosing(agent.answer(request)) as updates:
        async for update in updates:
            match update:
                case Answer():
                    outcome.answers.append(update)
                case Progress(said):
                    outcome.progress.append(said)
                case Delta():
                    outcome.deltas.append(update)
                case Produced(file):
                    outcome.files.append(file)
                case Usage():
                    outcome.usage.append(update)
                case _:
                    raise AssertionError(f"unexpected {update}")
    return outcome
