"""Agents of AGENTS_FILE: registered while they are listed, in a file or a folder, whatever else it may say."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import strict_yaml
from shared.agent import JsonObject
from tests.orchestrator.fickle import Fickle
from tests.support.federation import Federation, federation, names, until


async def _listed(running: Federation, *wanted: str) -> JsonObject:
    return await until(
        lambda: running.get("/api/agents"), lambda found: sorted(map(str, names(found["items"], "name"))) == [*wanted]
    )


async def test_agents_of_a_file_come_and_go_with_it(tmp_path: Path, database_url: str | None) -> None:
    path = tmp_path / "agents.yaml"
    one, two = Fickle("One"), Fickle("Two")
    path.write_text(f"agents:\n  - endpoint: {one.url}\n")
    async with (
        one.serving(),
        two.serving(),
        Fickle("Posted").serving() as posted,
        federation(tmp_path, database_url=database_url, agents_file=path, agent_check_interval_s=0.1) as running,
    ):
        found = await _listed(running, "One")
        assert names(found["items"], "source") == ["file"]
        await running.post("/api/agents", {"endpoint": posted.url}, 201)
        path.write_text(f"agents:\n  - endpoint: {two.url}\n    name: Second\n  - endpoint: {one.url}\n")
        await _listed(running, "One", "Posted", "Second")
        path.write_text("agents: [")
        await running.post("/api/agents", {"endpoint": posted.url})
        await _listed(running, "One", "Posted", "Second")
        path.write_text(f"agents:\n  - endpoint: {two.url}\n    name: Second\n")
        await _listed(running, "Posted", "Second")


async def test_every_file_of_a_folder_counts_and_a_bad_one_harms_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "agents.d"
    folder.mkdir()
    one, two = Fickle("One"), Fickle("Two")
    (folder / "a.yaml").write_text("agents: 17\n")
    (folder / "b.yml").write_text(f"agents: [{{endpoint: '{one.url}'}}]\n")
    async with (
        one.serving(),
        two.serving(),
        federation(tmp_path, agents_file=folder, agent_check_interval_s=0.1) as running,
    ):
        await _listed(running, "One")
        (folder / "a.yaml").write_text(f"agents: [{{endpoint: '{two.url}'}}]\n")
        await _listed(running, "One", "Two")
        (folder / "b.yml").unlink()
        await _listed(running, "Two")


async def test_an_agent_of_the_file_that_does_not_answer_yet_is_tried_again(tmp_path: Path) -> None:
    path, late = tmp_path / "agents.yaml", Fickle("Late")
    path.write_text(f"agents:\n  - endpoint: {late.url}\n")
    async with federation(tmp_path, agents_file=path, agent_check_interval_s=0.1) as running:
        assert (await running.get("/api/agents"))["items"] == []
        async with late.serving():
            await _listed(running, "Late")


async def test_an_agent_of_the_file_that_is_silent_does_not_hold_up_the_others(tmp_path: Path) -> None:
    path, one, over = tmp_path / "agents.yaml", Fickle("One"), asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        path.write_text(f"agents:\n  - endpoint: http://127.0.0.1:{port}\n  - endpoint: {one.url}\n")
        async with (
            one.serving(),
            federation(tmp_path, agents_file=path, agent_check_interval_s=0.1, card_timeout_s=60) as running,
        ):
            await _listed(running, "One")
        over.set()


@pytest.mark.parametrize("version", ["99999999999999999999999999", '"\\ud800"'])
async def test_a_card_in_a_file_that_is_no_json_harms_no_other(tmp_path: Path, version: str) -> None:
    path, one, odd = tmp_path / "agents.yaml", Fickle("One"), Fickle("Odd")
    card = json.dumps({**odd.card, "version": "?"}).replace('"?"', version)
    path.write_text(f"agents:\n  - card: {card}\n  - endpoint: {one.url}\n")
    async with one.serving(), federation(tmp_path, agents_file=path, agent_check_interval_s=0.1) as running:
        await _listed(running, "One")


@given(st.binary(max_size=200) | st.text(alphabet="ab:&*[]{}-!? \n\"'<1", max_size=80).map(str.encode))
def test_no_bytes_make_the_reader_of_yaml_fail_otherwise_than_it_says(content: bytes) -> None:
    with suppress(strict_yaml.YamlError):
        strict_yaml.parse(content)
