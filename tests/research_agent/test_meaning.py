"""With an embedding model documents are found by what they mean, too; without its help, by their words as ever."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2a_agent_service.vectors import Placed, fuse
from shared.errors import NotFoundError
from tests.research_agent.asking import ask, make_settings, write_documents
from tests.support.embedding_server import EmbeddingServer

GIST = "What is the gist?"
DOCUMENTS = {
    "short": "A summary holds what matters in three lines.",
    "abroad": "A translation says it in another language.",
    "sky": "Rain falls where the forecast says so.",
    "money": "Whoever gets a bill pays it.",
}


async def test_a_document_is_found_by_its_meaning_though_it_has_none_of_the_words(tmp_path: Path) -> None:
    write_documents(tmp_path, **DOCUMENTS)
    async with EmbeddingServer().serving() as model:
        settings = make_settings(tmp_path, embedding_model="tiny", embedding_base_url=model.base_url)
        outcome = await ask(settings, GIST)
        with pytest.raises(NotFoundError):
            await ask(settings, "What is xyzzy?")
    with pytest.raises(NotFoundError):
        await ask(make_settings(tmp_path), GIST)

    assert outcome.text.startswith("A summary holds what matters in three lines. [1]")
    assert [source["title"] for source in outcome.sources] == ["short"]


async def test_words_and_meaning_count_together(tmp_path: Path) -> None:
    write_documents(tmp_path, **DOCUMENTS, longer="A précis of the rain: the forecast in short.")
    async with EmbeddingServer().serving() as model:
        settings = make_settings(tmp_path, embedding_model="tiny", embedding_base_url=model.base_url)
        outcome = await ask(settings, "Which summary is there of the rain?")

    assert outcome.sources[0]["title"] == "longer"


async def test_a_passage_is_embedded_once_and_again_when_it_changes(tmp_path: Path) -> None:
    write_documents(tmp_path, **DOCUMENTS)
    async with EmbeddingServer().serving() as model:
        settings = make_settings(tmp_path, embedding_model="tiny", embedding_base_url=model.base_url)
        await ask(settings, GIST)
        assert len(model.texts) == len(DOCUMENTS) + 1
        await ask(settings, GIST)
        assert len(model.texts) == len(DOCUMENTS) + 2
        write_documents(tmp_path, short="A summary is short.")
        changed = await ask(settings, GIST)
        assert len(model.texts) == len(DOCUMENTS) + 4

    assert changed.text.startswith("A summary is short. [1]")


async def test_while_the_embedding_model_is_away_words_are_searched(tmp_path: Path) -> None:
    write_documents(tmp_path, **DOCUMENTS)
    async with EmbeddingServer().serving() as model:
        model.is_down = True
        settings = make_settings(tmp_path, embedding_model="tiny", embedding_base_url=model.base_url)
        outcome = await ask(settings, "Where does rain fall?")

    assert outcome.text.startswith("Rain falls where the forecast says so. [1]")
    assert model.texts == []


ORDERS = st.lists(st.integers(0, 30), unique=True, max_size=20).map(
    lambda numbers: [Placed(number, f"d{number % 7}", 1 / (1 + place)) for place, number in enumerate(numbers)]
)


@given(ORDERS, ORDERS)
def test_two_orders_become_one_that_keeps_what_both_agree_on(words: list[Placed], meaning: list[Placed]) -> None:
    fused = fuse(words, meaning)

    numbers = [placed.number for placed in fused]
    assert len(numbers) == len(set(numbers))
    assert {placed.path for placed in fused} == {placed.path for placed in (*words, *meaning)}
    assert all(0 < placed.score <= 1 for placed in fused)
    assert [placed.score for placed in fused[:1]] == ([1.0] if words or meaning else [])
    if words and meaning and words[0].path == meaning[0].path:
        assert fused[0].path == words[0].path
