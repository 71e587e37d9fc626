"""The graph as it lives on: a killed run goes on at its node, a question is asked back, a session remembers."""

import asyncio
import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from a2a_agent_service import support
from a2a_agent_service.checkpoints import Checkpoints
from a2a_agent_service.passages import Passage, Source
from shared.agent import File, Turn
from shared.db import now
from tests.research_agent.asking import ask, make_settings, write_documents
from tests.research_agent.site import open_site
from tests.support import forked
from tests.support.federation import free_port
from tests.support.forked import Forked
from tests.support.model_server import ModelServer, Reply, model_server
from tests.support.postgres import new_database

WRITTEN = "A failed call is retried up to 4 times [1]."
_SEND = {"role": "ROLE_USER", "parts": [{"text": "How often do the docs say a failed call is retried?"}]}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Generator[str]:
    """The database of the checkpoints: nothing for SQLite in the data folder."""
    if request.param == "sqlite":
        yield ""
        return
    with new_database() as url:
        yield url


@asynccontextmanager
async def service(
    folder: Path, port: int, model: ModelServer, database: str, failpoint: str = ""
) -> AsyncGenerator[tuple[Forked, httpx.AsyncClient]]:
    """Run the research agent as a process of its own, until the end or until it dies."""
    environment = {**os.environ, "FEDERATION_FAILPOINT": failpoint}
    arguments = (str(folder), str(port), model.base_url, database)
    process = await forked.start("tests.research_agent.served", *arguments, env=environment)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
            async with asyncio.timeout(60):
                while True:
                    if await _is_ready(client):
                        break
                    await asyncio.sleep(0.05)
            yield process, client
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/ready")).is_success
    except httpx.HTTPError:
        return False


async def rpc(client: httpx.AsyncClient, method: str, **params: object) -> dict[str, dict[str, dict[str, str]]]:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = (await client.post("/", json=body, headers={"A2A-Version": "1.0"})).json()
    assert "result" in answer, answer
    return answer["result"]


async def test_a_killed_run_goes_on_at_its_node_and_asks_the_model_nothing_twice(tmp_path: Path, database: str) -> None:
    write_documents(tmp_path, retries="# Retries\n\nA failed call is retried up to 4 times.")
    port = free_port()
    queries: Reply = {"queries": ["failed call retried"]}
    async with model_server(queries, WRITTEN) as model:
        async with service(tmp_path, port, model, database, "research-check:kill") as (process, client):
            configuration = {"returnImmediately": True}
            sent = await rpc(client, "SendMessage", message=_SEND | {"messageId": "m1"}, configuration=configuration)
            async with asyncio.timeout(40):
                await process.wait()
        assert len(model.requests) == 2  # planned and written; then it died
        async with service(tmp_path, port, model, database) as (_, client), asyncio.timeout(40):
            state, task = "", dict[str, dict[str, str]]()
            while state not in {"TASK_STATE_COMPLETED", "TASK_STATE_FAILED"}:
                task = await rpc(client, "GetTask", id=sent["task"]["id"])
                state = task["status"]["state"]
                await asyncio.sleep(0.05)
    assert state == "TASK_STATE_COMPLETED", task
    assert WRITTEN in str(task["artifacts"])
    assert len(model.requests) == 2
    assert "'llm_calls': 2" in str(task["metadata"])


async def test_an_ambiguous_question_is_asked_back_once_and_the_answer_completes_it(tmp_path: Path) -> None:
    write_documents(tmp_path, mercury="# Mercury\n\nThe metal mercury melts at 39 degrees below zero.")
    async with model_server(
        {"ask": "The planet or the metal?"},
        {"queries": ["metal mercury melts"], "ask": "Are you sure?"},
        "The metal mercury melts at 39 degrees below zero [1].",
    ) as model:
        settings = make_settings(tmp_path, llm_base_url=model.base_url, llm_model="m")
        first = await ask(settings, "How hot is Mercury in the docs?", task="t")
        assert (first.asked, first.answers) == (["The planet or the metal?"], [])
        said = (Turn("user", "How hot is Mercury in the docs?"), Turn("agent", "The planet or the metal?"))
        second = await ask(settings, "The metal: when does it melt?", task="t", history=said)
    assert second.asked == []
    assert second.text.startswith("The metal mercury melts at 39 degrees below zero [1].")
    assert "How hot is Mercury" in model.requests[1].prompt


async def test_what_was_attached_to_a_question_is_read_when_what_was_asked_back_is_answered(tmp_path: Path) -> None:
    write_documents(tmp_path)
    note = File("note.txt", "text/plain", b"The metal mercury melts at 39 degrees below zero.")
    said = Turn("user", "How hot is Mercury?", files=(note,)), Turn("agent", "The planet or the metal?")
    async with model_server({"queries": ["metal mercury melts"]}, "It melts at 39 degrees below zero [1].") as model:
        settings = make_settings(tmp_path, llm_base_url=model.base_url, llm_model="m")
        answer = await ask(settings, "The metal: when does it melt?", history=said)
    assert "note.txt" in str(answer.sources)


async def test_a_session_remembers_what_was_asked_and_read(tmp_path: Path) -> None:
    write_documents(tmp_path, tides="# Tides\n\nThe tidal range of the bay is 16 metres.", boats="# Boats\n\nOne boat.")
    settings = make_settings(tmp_path)
    async with open_site() as site:
        await ask(settings, f"What causes the tides according to {site.url}/tides?", context="session")
        asked = len(site.asked)
        again = await ask(settings, "And what is their cause?", context="session")
        assert len(site.asked) == asked
    assert f"{site.url}/tides" in again.text
    other = await ask(settings, "What is the tidal range?", context="another")
    assert site.url not in other.text


def test_sentences_are_held_against_what_they_cite() -> None:
    passages = {
        1: Passage(Source("Retries"), "A failed call is retried up to 4 times."),
        2: Passage(Source("Pauses"), "Between two retries there is a pause of two seconds."),
    }
    text = (
        "A failed call is retried up to 4 times [1]. A failed call is retried up to 9 times [1]. "
        "There is a pause of 2 seconds [1].\n\nBananas ripen on sunny balconies [2]."
    )
    found = support.doubts(text, passages)
    assert [(doubt.about, doubt.better) for doubt in found] == [("figures", None), ("figures", 2), ("words", None)]
    kept = support.settle(text, found, found[:1], found[2:])
    assert kept == (
        "A failed call is retried up to 4 times [1]. There is a pause of 2 seconds [2].\n\n"
        "Bananas ripen on sunny balconies [2]. *(not confirmed by the source)*"
    )


@pytest.mark.parametrize(("supported", "kept"), [([1], True), ([], False)])
async def test_what_is_said_in_other_words_is_judged_by_a_model(
    tmp_path: Path, supported: list[int], kept: bool
) -> None:
    write_documents(tmp_path, retries="# Retries\n\nA failed call is retried up to 4 times.")
    own_words = "Nothing gives up easily [1]."
    async with model_server(
        {"queries": ["failed call retried"]}, f"{WRITTEN} {own_words}", {"supported": [*supported]}
    ) as model:
        settings = make_settings(tmp_path, llm_base_url=model.base_url, llm_model="m", llm_model_judge="strict")
        outcome = await ask(settings, "How often do the docs say a failed call is retried?")
    assert (own_words in outcome.text) == kept
    assert WRITTEN in outcome.text
    assert model.requests[-1].model == "strict"
    assert outcome.data["unsupported"] == ([] if kept else [own_words])


async def test_what_is_kept_of_runs_goes_when_they_are_over_or_too_old(tmp_path: Path, database: str) -> None:
    write_documents(tmp_path, mercury="# Mercury\n\nThe metal mercury melts at 39 degrees below zero.")
    question = "How hot is Mercury in the docs?"
    async with model_server(otherwise={"ask": "The planet or the metal?"}) as model:
        changes = {"llm_base_url": model.base_url, "llm_model": "m", "database_url": database or None}
        settings = make_settings(tmp_path, **changes)
        for task in ("waits", "was canceled", "waits too long"):
            await ask(settings, question, task=task)
    checkpoints = Checkpoints(settings)
    try:
        await checkpoints.retain([])  # nothing is open yet
        saver = await checkpoints.saver()

        async def kept() -> set[str]:
            found = [each.config.get("configurable", {})["thread_id"] async for each in saver.alist(None)]
            return {str(thread) for thread in found}

        await checkpoints.retain([])
        assert await kept() == {"waits", "was canceled", "waits too long"}  # they may have come since
        await checkpoints.retain(["waits", "waits too long"], now() + timedelta(minutes=11))
        assert await kept() == {"waits", "waits too long"}
        await checkpoints.retain(["waits", "waits too long"], now() + timedelta(hours=settings.a2a_retention_h + 1))
        assert await kept() == set()
    finally:
        await checkpoints.close()
