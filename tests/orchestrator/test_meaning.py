"""With an embedding model agents are found by what is meant; without its help, by the words as ever."""

from pathlib import Path

import pytest

from shared.agent import JsonObject
from tests.orchestrator.fickle import Fickle, skill
from tests.support.embedding_server import EmbeddingServer
from tests.support.federation import Federation, federation, names, until

_SKILLS = ("summarize", "translate", "weather", "invoice")
_NEED = "I want the gist of it"


@pytest.fixture
async def fickle() -> Fickle:
    agent = Fickle()
    agent.card["skills"] = [skill(each, f"It does {each}.") for each in _SKILLS]
    return agent


async def test_a_need_is_found_by_its_meaning_and_the_reason_says_so(
    tmp_path: Path, database_url: str | None, fickle: Fickle
) -> None:
    async with (
        EmbeddingServer().serving() as model,
        fickle.serving(),
        federation(
            tmp_path, database_url=database_url, embedding_model="tiny", embedding_base_url=model.base_url
        ) as running,
    ):
        await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        found = await until(lambda: _discover(running, _NEED), lambda answer: bool(answer["items"]))
        assert names(found["items"], "skill")[0] == "summarize"
        assert "meaning 1.00" in str(names(found["items"], "why")[0])
        assert (await _discover(running, "xyzzy"))["items"] == []
        assert names((await running.get("/api/agents", params={"q": _NEED}))["items"], "name") == ["Fickle"]
        searched = await running.post("/search", {"query": {"text": _NEED}})
        assert names(searched["results"], "displayName") == ["Fickle"]


async def test_words_and_meaning_count_together(tmp_path: Path, fickle: Fickle) -> None:
    async with (
        EmbeddingServer().serving() as model,
        fickle.serving(),
        federation(tmp_path, embedding_model="tiny", embedding_base_url=model.base_url) as running,
    ):
        await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        both = await until(
            lambda: _discover(running, "translate this into German"), lambda found: "meaning" in str(found)
        )
        assert names(both["items"], "skill")[0] == "translate"
        assert "translate in its id; meaning" in str(names(both["items"], "why")[0])


async def test_a_text_is_embedded_once_though_agents_come_again_and_the_service_restarts(
    tmp_path: Path, fickle: Fickle
) -> None:
    async with EmbeddingServer().serving() as model, fickle.serving():
        url = model.base_url
        async with federation(tmp_path, embedding_model="tiny", embedding_base_url=url) as running:
            await running.post("/api/agents", {"endpoint": fickle.url}, 201)
            await _until_found(running)
            await running.post("/api/agents", {"endpoint": fickle.url}, 200)
        async with federation(tmp_path, embedding_model="tiny", embedding_base_url=url) as running:
            assert (await _discover(running, _NEED))["items"]
        assert sorted(text for text in model.texts if text != _NEED) == sorted(set(model.texts) - {_NEED})


async def test_while_the_embedding_model_is_away_words_are_searched(tmp_path: Path, fickle: Fickle) -> None:
    async with (
        EmbeddingServer().serving() as model,
        fickle.serving(),
        federation(tmp_path, embedding_model="tiny", embedding_base_url=model.base_url) as running,
    ):
        model.is_down = True
        await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        found = await _discover(running, "translate this")
        assert names(found["items"], "skill") == ["translate"]
        assert "meaning" not in str(found)


async def _until_found(running: Federation) -> None:
    await until(lambda: _discover(running, _NEED), lambda answer: bool(answer["items"]))


async def _discover(running: Federation, need: str) -> JsonObject:
    return await running.get("/api/agents/discover", params={"q": need})
