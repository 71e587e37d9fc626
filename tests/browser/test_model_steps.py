"""With a model: it does what the grammar cannot, within limits, once; what it found out is replayed, and healed."""

from pathlib import Path
from typing import cast

import pytest
from pydantic import JsonValue

from browser_service import main
from browser_service.agent import open_agent
from browser_service.errors import StuckError
from shared.agent import JsonObject
from tests.browser.conftest import Answered, ask, make_settings
from tests.browser.workshop import open_workshop
from tests.support.model_server import ModelRequest, ModelServer, model_server


def with_model(model: ModelServer, folder: Path, **changes: object) -> main.Settings:
    return make_settings(
        data_dir=folder, llm_base_url=model.base_url, llm_model="scripted", llm_max_attempts=1, **changes
    )


def star_of_bread(asked: ModelRequest) -> JsonObject:
    """Answer with the ref of the second star, as a model reads it off the observation."""
    stars = [line.split()[0] for line in asked.prompt.splitlines() if "star" in line and line.startswith("e")]
    return {"actions": [{"do": "click", "target": {"ref": stars[1]}}], "is_done": True}


def caches(answered: Answered) -> list[JsonValue]:
    return [entry["cache"] for entry in cast("list[JsonObject]", answered.data["cache"])]


WORDS = "bless the bread as you see fit. Get the text"


async def test_what_a_model_found_out_is_replayed_without_it(tmp_path: Path) -> None:
    async with (
        open_workshop() as shop,
        model_server(star_of_bread) as model,
        open_agent(with_model(model, tmp_path)) as agent,
    ):
        first = await ask(agent, f"open {shop}/list, {WORDS}")
        again = await ask(agent, f"open {shop}/list, {WORDS}")
    assert "Starred Bread" in first.text
    assert "Starred Bread" in again.text
    assert caches(first) == ["miss"]
    assert caches(again) == ["hit"]
    assert len(model.requests) == 1
    page = model.requests[0].prompt.partition(" page>>>\n")[2].partition("\n<<<end")[0]
    assert 0 < len(page.encode()) <= 2_048


async def test_a_locator_that_broke_is_healed(tmp_path: Path) -> None:
    answer: JsonObject = {"actions": [{"do": "click", "target": {"test_id": "save-all"}}], "is_done": True}
    words = "safeguard all of this. Get the text"
    cache = tmp_path / "browser" / "actions.json"
    async with open_workshop() as shop, model_server(answer) as model:
        async with open_agent(with_model(model, tmp_path)) as agent:
            await ask(agent, f"open {shop}/list, {words}")
        cache.write_text(cache.read_text().replace("save-all", "gone-since"))  # as if the page had been changed
        async with open_agent(with_model(model, tmp_path)) as agent:
            answered = await ask(agent, f"open {shop}/list, {words}")
            again = await ask(agent, f"open {shop}/list, {words}")
    assert "Saved" in answered.text
    assert caches(answered) == ["healed"]
    assert caches(again) == ["hit"]
    assert len(model.requests) == 1


async def test_a_model_that_repeats_itself_is_stopped(tmp_path: Path) -> None:
    async with open_workshop() as shop, model_server() as model, open_agent(with_model(model, tmp_path)) as agent:
        model.otherwise = {"actions": [{"do": "scroll", "to": "top"}], "is_done": False}
        with pytest.raises(StuckError, match="the same again and again"):
            await ask(agent, f"open {shop}/list, ponder the meaning of it")
    assert len(model.requests) == 3


async def test_a_model_gets_no_more_answers_than_it_may(tmp_path: Path) -> None:
    async with open_workshop() as shop, model_server() as model:
        replies = iter(range(100))
        model.otherwise = lambda _: {"actions": [{"do": "wait_for", "seconds": next(replies) / 1000}], "is_done": False}
        async with open_agent(with_model(model, tmp_path, browser_max_steps=4)) as agent:
            with pytest.raises(StuckError, match="BROWSER_MAX_STEPS"):
                await ask(agent, f"open {shop}/list, ponder the meaning of it")
    assert len(model.requests) == 4


async def test_a_failed_action_is_told_to_the_model(tmp_path: Path) -> None:
    wrong: JsonObject = {"actions": [{"do": "click", "target": {"role": "button", "name": "Safe"}}]}
    right: JsonObject = {"actions": [{"do": "click", "target": {"role": "button", "name": "Save"}}], "is_done": True}
    async with (
        open_workshop() as shop,
        model_server(wrong, right) as model,
        open_agent(with_model(model, tmp_path)) as agent,
    ):
        answered = await ask(agent, f"open {shop}/list, safeguard all of this. Get the text")
    assert "Saved" in answered.text
    assert "failed: Clicking button 'Safe'" in model.requests[1].prompt
