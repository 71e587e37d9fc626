"""With a model: it does what the grammar cannot, within limits, once; what it found out is replayed, and healed."""

import re
from pathlib import Path
from typing import cast

import pytest
from pydantic import JsonValue

from browser_service import main
from browser_service.agent import open_agent
from browser_service.errors import ElementNotFoundError, StuckError
from shared.agent import JsonObject
from shared.errors import TimedOutError
from tests.browser.conftest import Answered, ask, make_settings
from tests.browser.workshop import open_workshop
from tests.support.model_server import Hang, ModelRequest, ModelServer, model_server


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


async def test_a_model_that_does_not_answer_ends_the_task_at_its_limit(tmp_path: Path) -> None:
    async with (
        open_workshop() as shop,
        model_server(otherwise=Hang()) as model,
        open_agent(with_model(model, tmp_path, browser_task_timeout_s=4.0)) as agent,
    ):
        with pytest.raises(TimedOutError, match=r"4 s \(BROWSER_TASK_TIMEOUT_S\): the language model .* not answer"):
            await ask(agent, f"open {shop}/list, ponder the meaning of it")
    assert len(model.requests) == 1


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


DONE: JsonObject = {"actions": [], "is_done": True}
SAVE: JsonObject = {"actions": [{"do": "click", "target": {"test_id": "save-all"}}], "is_done": True}


async def test_what_a_model_told_itself_is_asked_for_again(tmp_path: Path) -> None:
    async with (
        open_workshop() as shop,
        model_server(DONE | {"answer": "Cheese"}, SAVE | {"answer": "Bread"}, DONE | {"answer": "Apples"}) as model,
        open_agent(with_model(model, tmp_path)) as agent,
    ):
        words = f"open {shop}/list, ponder which is the best"
        answered = [await ask(agent, words) for _ in range(3)]
    assert [each.text for each in answered] == ["Cheese", "Bread", "Apples"]
    assert [caches(each) for each in answered] == [["miss"]] * 3


async def test_that_nothing_was_to_be_done_once_is_not_remembered(tmp_path: Path) -> None:
    async with (
        open_workshop() as shop,
        model_server(DONE, SAVE) as model,
        open_agent(with_model(model, tmp_path)) as agent,
    ):
        words = f"open {shop}/list, safeguard all of this. Get the text"
        first, second, third = [await ask(agent, words) for _ in range(3)]
    assert "Saved" not in first.text
    assert "Saved" in second.text
    assert "Saved" in third.text
    assert caches(third) == ["hit"]


async def test_what_was_replayed_of_a_step_is_told_to_the_model(tmp_path: Path) -> None:
    waits: JsonObject = {"do": "wait_for", "text": "Saved"}
    both: JsonObject = {"actions": [{"do": "click", "target": {"test_id": "save-all"}}, waits], "is_done": True}
    cache = tmp_path / "browser" / "actions.json"
    words = "safeguard all of this. Get the text"
    async with open_workshop() as shop, model_server(both, DONE) as model:
        async with open_agent(with_model(model, tmp_path)) as agent:
            await ask(agent, f"open {shop}/list, {words}")
        cache.write_text(
            cache.read_text().replace('"text":"Saved"', '"text":"Kept"')
        )  # as if the page had been changed
        async with open_agent(with_model(model, tmp_path)) as agent:
            answered = await ask(agent, f"open {shop}/list, {words}")
    assert "Saved" in answered.text
    assert caches(answered) == ["healed"]
    [_, asked] = model.requests
    assert "done: Clicking" in asked.prompt


async def test_an_address_is_not_replayed_for_a_request_that_does_not_name_it(tmp_path: Path) -> None:
    async with open_workshop() as shop, open_workshop() as other, model_server() as model:
        model.replies.append({"actions": [{"do": "navigate", "url": f"{other}/tabs"}], "is_done": True})
        model.replies.append(SAVE)
        async with open_agent(with_model(model, tmp_path)) as agent:
            there = await ask(agent, f"open {other}/tabs, open {shop}/list, ponder it. Get the title")
            here = await ask(agent, f"open {shop}/list, ponder it. Get the title")
    assert there.data["final_url"] == f"{other}/tabs"
    assert here.data["final_url"] == f"{shop}/list"


@pytest.mark.parametrize("url", ["http://a:b:c/", "http://[", "http://\x00/", "//x", "javascript:alert(1)"])
async def test_what_is_no_address_is_refused_to_a_model(tmp_path: Path, url: str) -> None:
    wrong: JsonObject = {"actions": [{"do": "navigate", "url": url}]}
    async with (
        open_workshop() as shop,
        model_server(wrong, SAVE) as model,
        open_agent(with_model(model, tmp_path)) as agent,
    ):
        answered = await ask(agent, f"open {shop}/list, safeguard all of this. Get the text")
    assert "Saved" in answered.text


async def test_a_file_that_is_not_there_is_told_to_the_model(tmp_path: Path) -> None:
    wrong: JsonObject = {"actions": [{"do": "upload", "files": ["plan.pdf"]}]}
    async with (
        open_workshop() as shop,
        model_server(wrong, SAVE) as model,
        open_agent(with_model(model, tmp_path)) as agent,
    ):
        answered = await ask(agent, f"open {shop}/list, safeguard all of this. Get the text")
    assert "Saved" in answered.text
    assert "has no file 'plan.pdf'" in model.requests[1].prompt


async def test_a_model_answers_the_dialog_that_its_action_opens_and_hears_of_others(tmp_path: Path) -> None:
    ask_it: JsonObject = {"do": "click", "target": {"role": "button", "name": "Ask"}}
    async with (
        open_workshop() as shop,
        model_server(
            {"actions": [ask_it]}, {"actions": [ask_it, {"do": "dialog", "accept": True}], "is_done": True}
        ) as model,
        open_agent(with_model(model, tmp_path)) as agent,
    ):
        words = f"open {shop}/parts, ponder it. Get the title"
        assert (await ask(agent, words)).text == "Answered true"
        assert "a dialog said 'Really?'" in model.requests[1].prompt
        assert (await ask(agent, words)).text == "Answered true", "so it is when it is replayed"
    assert len(model.requests) == 2


async def test_what_is_not_on_the_page_fails_when_the_model_gives_no_answer(tmp_path: Path) -> None:
    async with (
        open_workshop() as shop,
        model_server(otherwise="What?") as model,
        open_agent(with_model(model, tmp_path)) as agent,
    ):
        with pytest.raises(ElementNotFoundError, match="Nowhere"):
            await ask(agent, f"open {shop}/list and click 'Nowhere'")


async def test_what_a_page_says_of_itself_reaches_a_model_only_as_data(tmp_path: Path) -> None:
    wrong: JsonObject = {"actions": [{"do": "click", "target": {"role": "button", "name": "Nowhere"}}]}
    async with (
        open_workshop() as shop,
        model_server(wrong, SAVE) as model,
        open_agent(with_model(model, tmp_path)) as agent,
    ):
        await ask(agent, f"open {shop}/list, safeguard all of this")
    outside = re.sub(r"<<<data (\w+) .*?<<<end \1>>>", "", model.requests[1].prompt, flags=re.DOTALL)
    assert "Nowhere" in model.requests[1].prompt
    assert "Twice" in model.requests[1].prompt
    assert "Twice" not in outside
    assert "Nowhere" not in outside
