"""Each skill of the research agent through a task on the orchestrator, without a model and with one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from a2a_agent_service.main import create
from shared.agent import JsonObject
from tests.research_agent.asking import make_settings, write_documents
from tests.support.federation import Federation, federation, free_port, step
from tests.support.model_server import ModelRequest, model_server
from tests.support.serving import serve

RETRIES = "A failed call is retried up to 4 times."
PAUSES = "Between two calls there is a pause of 2 seconds."
COMPARED = "Retries are limited to 4 times [1], and pauses last 2 seconds [2]."


@asynccontextmanager
async def world(folder: Path, **changes: object) -> AsyncGenerator[Federation]:
    write_documents(folder, retries=f"# Retries\n\n{RETRIES}", pauses=f"# Pauses\n\n{PAUSES}")
    port = free_port()
    model: dict[str, Any] = {"llm_provider": None, "llm_base_url": None, **changes}
    async with (
        federation(folder, **model) as running,
        serve(create(make_settings(folder, research_agent_port=port, **changes)), port=port) as url,
    ):
        await running.post("/api/agents", {"endpoint": url}, 201)
        yield running


def answered(task: JsonObject) -> tuple[str, list[JsonObject]]:
    """Return what the task's only step says, and its sources."""
    [only] = cast("list[JsonObject]", task["steps"])
    output = cast("JsonObject", only["output_data"])
    [data] = [each for each in cast("list[JsonObject]", output["data"]) if "sources" in each]
    return str(output["text"]), cast("list[JsonObject]", data["sources"])


@pytest.mark.parametrize("with_model", [False, True])
async def test_each_skill_works_through_a_task(tmp_path: Path, *, with_model: bool) -> None:
    def say(request: ModelRequest) -> str | JsonObject:
        if "full-text searches" in request.prompt:
            return {"queries": ["failed call retried", "pause between calls"]}
        return COMPARED if "Compare and weigh" in request.prompt else f"{RETRIES} [1]"

    async with model_server(otherwise=say) as model:
        chosen = {"llm_base_url": model.base_url, "llm_model": "scripted"} if with_model else {}
        async with world(tmp_path, **chosen) as running:
            researched = await running.run(step("a", "How often do the docs say is a call retried?", skill="research"))
            analysed = await running.run(
                step("a", "Compare the retries and the pauses of calls in the docs.", skill="analysis")
            )
    for task in (researched, analysed):
        assert task["status"] == "completed", task["steps"]
    text, sources = answered(researched)
    assert text.startswith(f"{RETRIES} [1]")
    assert str(sources[0]["quote"]) == RETRIES
    text, sources = answered(analysed)
    assert {str(source["title"]) for source in sources} == {"Retries", "Pauses"}
    assert text.startswith(COMPARED) if with_model else (RETRIES in text and PAUSES in text)
    assert bool(model.requests) == with_model
