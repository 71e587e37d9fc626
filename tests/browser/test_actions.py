"""Typed actions, as they come in a request's JSON: every kind of them, every kind of target, and what is said else."""

import re
from collections.abc import AsyncGenerator
from typing import cast

import pytest
import pytest_asyncio
from pydantic import JsonValue

from browser_service.errors import AmbiguousTargetError, ElementNotFoundError, StaleRefError
from shared.agent import AgentRequest, Answer, File, JsonObject, OpenAgent
from shared.errors import InvalidRequestError, NotFoundError
from tests.browser.conftest import Answered, ask
from tests.browser.workshop import open_workshop

pytestmark = pytest.mark.asyncio(loop_scope="module")

TITLE: JsonObject = {"do": "extract", "what": "title"}
SAID: JsonObject = {"do": "extract", "what": "text", "target": {"role": "status"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncGenerator[str]:
    async with open_workshop() as url:
        yield url


def values(answered: Answered) -> list[JsonValue]:
    parts = cast("list[JsonObject]", answered.data["parts"])
    return [part["value"] for part in parts]


async def act(agent: OpenAgent, url: str, *actions: JsonObject) -> Answered:
    return await ask(agent, "", data={"actions": [{"do": "navigate", "url": url}, *actions]})


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"role": "button", "name": "Delete", "near": {"text": "Bread"}}, "Deleted Bread"),
        ({"role": "button", "name": "Delete", "nth": -1}, "Deleted Cheese"),
        ({"text": "Delete", "nth": 2}, "Deleted Bread"),
        ({"test_id": "save-all"}, "Saved"),
        ({"css": "button[data-testid]"}, "Saved"),
        ({"css": "button", "within": {"css": "li", "nth": 1}, "nth": 1}, "Deleted Apples"),
        ("the Delete button next to 'Cheese'", "Deleted Cheese"),
        ("the second Delete button", "Deleted Bread"),
        ({"described": "star icon", "near": "Bread"}, "Starred Bread"),
    ],
)
async def test_a_thing_is_found_by_what_is_said_of_it(agent: OpenAgent, shop: str, target: str, said: str) -> None:
    answered = await act(agent, f"{shop}/list", {"do": "click", "target": target}, SAID)
    assert answered.text == said


async def test_a_name_that_several_have_is_refused_with_their_places(agent: OpenAgent, shop: str) -> None:
    with pytest.raises(AmbiguousTargetError, match=r"3 things .*Apples.*Bread.*Cheese.*Say which"):
        await act(agent, f"{shop}/list", {"do": "click", "target": {"role": "button", "name": "Delete"}})


async def test_a_name_that_nothing_has_is_refused_with_what_is_there(agent: OpenAgent, shop: str) -> None:
    with pytest.raises(ElementNotFoundError, match=r"There is: 'Save'"):
        await act(agent, f"{shop}/list", {"do": "click", "target": {"role": "button", "name": "Safe"}})
    with pytest.raises(ElementNotFoundError, match="is not a CSS selector"):
        await act(agent, f"{shop}/list", {"do": "click", "target": {"css": "li["}})
    with pytest.raises(StaleRefError, match="Observe the page again"):
        await act(agent, f"{shop}/list", {"do": "click", "target": {"ref": "e99999"}})


async def test_a_double_click_and_pointing_are_what_a_hand_does(agent: OpenAgent, shop: str) -> None:
    assert (await act(agent, f"{shop}/list", {"do": "double_click", "target": "Twice"}, SAID)).text == "Twice"
    assert (await act(agent, f"{shop}/list", {"do": "hover", "target": "Point here"}, SAID)).text == "Pointed"


async def test_fields_of_every_kind_are_filled_in(agent: OpenAgent, shop: str) -> None:
    answered = await act(
        agent,
        f"{shop}/form",
        {"do": "fill", "target": {"label": "Name"}, "value": "Ada"},
        {"do": "fill", "target": {"placeholder": "E-mail address"}, "value": "a@b.test"},
        {"do": "fill", "target": {"label": "Street"}, "value": "Main 1"},
        {"do": "select", "options": ["blue"]},
        {"do": "select", "options": ["Large"]},
        {"do": "check", "target": "Gift wrap"},
        {"do": "fill", "target": "Day", "value": "November 21, 2026"},
        {"do": "fill", "target": "Time", "value": "2:05 PM"},
        {"do": "fill", "target": "Count", "value": "7"},
        {"do": "fill", "target": "Notes", "copy_of": {"label": "Name"}},
        {"do": "click", "target": "Send order"},
        {"do": "extract", "what": "text", "target": {"css": "output"}},
    )
    told = "name=Ada; mail=a@b.test; street=Main 1; colour=Blue; size=L; gift=yes; day=2026-11-21; time=14:05; count=7"
    assert answered.text == f"{told}; notes=Ada; papers="


async def test_what_was_filled_in_is_cleared_and_unticked(agent: OpenAgent, shop: str) -> None:
    answered = await act(
        agent,
        f"{shop}/form",
        {"do": "fill", "target": {"label": "Name"}, "value": "Ada"},
        {"do": "clear", "target": {"label": "Name"}},
        {"do": "check", "target": "Gift wrap"},
        {"do": "uncheck", "target": "Gift wrap"},
        {"do": "press", "key": "Enter", "target": {"label": "Name"}},
        {"do": "extract", "what": "text", "target": {"css": "output"}},
    )
    assert answered.text.startswith("name=; ")
    assert "gift" not in answered.text


async def test_widgets_that_pages_build_themselves_are_used_too(agent: OpenAgent, shop: str) -> None:
    answered = await act(
        agent,
        f"{shop}/form",
        {"do": "fill", "target": {"role": "slider", "name": "Volume"}, "value": "8"},
        {
            "do": "extract",
            "what": "attribute",
            "attribute": "aria-valuenow",
            "target": {"role": "slider", "name": "Volume"},
        },
        {"do": "select", "options": ["Turku"], "target": {"role": "combobox", "name": "Town"}},
        {"do": "extract", "what": "text", "target": {"css": "#pick"}},
    )
    assert values(answered) == ["8", "Turku"]


async def test_shadow_roots_and_frames_are_used_like_the_page(agent: OpenAgent, shop: str) -> None:
    answered = await act(
        agent,
        f"{shop}/parts",
        {"do": "click", "target": {"role": "button", "name": "Shadowed"}},
        {"do": "click", "target": {"role": "button", "name": "Framed"}},
        {"do": "wait_for", "text": "In the frame"},
        TITLE,
    )
    assert answered.data["title"] == "Shadow clicked"


async def test_dialogs_are_answered_as_the_action_before_or_after_says(agent: OpenAgent, shop: str) -> None:
    ask_it: JsonObject = {"do": "click", "target": {"role": "button", "name": "Ask"}}
    who: JsonObject = {"do": "click", "target": {"role": "button", "name": "Who"}}
    assert (await act(agent, f"{shop}/parts", ask_it, TITLE)).text == "Answered false"
    assert (await act(agent, f"{shop}/parts", ask_it, {"do": "dialog", "accept": True}, TITLE)).text == "Answered true"
    assert (await act(agent, f"{shop}/parts", {"do": "dialog", "text": "Ann"}, who, TITLE)).text == "Told Ann"


async def test_windows_are_switched_by_number_and_title(agent: OpenAgent, shop: str) -> None:
    open_it: JsonObject = {"do": "click", "target": {"role": "button", "name": "Window"}}
    assert (await act(agent, f"{shop}/parts", open_it, TITLE)).text == "Stock"
    assert (await act(agent, f"{shop}/parts", open_it, {"do": "switch_tab", "number": 1}, TITLE)).text == "Parts"
    with pytest.raises(ElementNotFoundError, match=r"There is: 1: Parts; 2: Stock"):
        await act(agent, f"{shop}/parts", open_it, {"do": "switch_tab", "titled": "Elsewhere"})


@pytest.mark.parametrize(
    ("opener", "actions", "said"),
    [
        ("Print", [{"do": "wait_for", "text": "Printed"}], "Printed"),
        ("Sign in", [{"do": "click", "target": "Agree"}], "Signed in"),
        ("Sign in", [{"do": "click", "target": "Down"}], "Signed in early"),
        ("Sign in", [{"do": "press", "key": "Enter", "target": "Name"}], "Signed in by key"),
    ],
)
async def test_a_window_that_closes_itself_leads_back_to_the_one_before(
    agent: OpenAgent, shop: str, opener: str, actions: list[JsonObject], said: str
) -> None:
    answered = await act(agent, f"{shop}/popups", {"do": "click", "target": opener}, *actions, SAID)
    assert answered.text == said


async def test_going_back_shows_the_page_before(agent: OpenAgent, shop: str) -> None:
    answered = await act(agent, f"{shop}/parts", {"do": "click", "target": "Guide"}, {"do": "back"}, TITLE)
    assert answered.text == "Parts"


async def test_a_thing_is_dragged_onto_another(agent: OpenAgent, shop: str) -> None:
    drag: JsonObject = {"do": "drag", "target": {"text": "Alpha"}, "to": {"css": "#basket"}}
    answered = await act(agent, f"{shop}/parts", drag, {"do": "extract", "target": {"css": "#basket"}})
    assert answered.text == "Got Alpha"


async def test_downloads_and_uploads_go_through_the_sessions_folder(agent: OpenAgent, shop: str) -> None:
    answered = await act(agent, f"{shop}/parts", {"do": "download", "target": "Get the file"})
    [produced] = answered.files
    assert (produced.file.name, produced.file.content) == ("note.txt", b"kept")
    actions: list[JsonObject] = [
        {"do": "navigate", "url": f"{shop}/form"},
        {"do": "upload", "files": ["cv.txt"], "target": {"label": "Papers"}},
        {"do": "click", "target": "Send order"},
        {"do": "extract", "target": {"css": "output"}},
    ]
    sent = AgentRequest(
        "", task_id="t", context_id="c", message_id="m", data=({"actions": cast("JsonValue", actions)},),
        files=(File("cv.txt", "text/plain", b"me"),),
    )  # fmt: skip
    texts = [update.text async for update in agent.answer(sent) if isinstance(update, Answer)]
    assert texts[0].endswith("papers=cv.txt")
    with pytest.raises(NotFoundError, match="has no file 'other'"):
        await act(agent, f"{shop}/form", {"do": "upload", "files": ["other"]})


@pytest.mark.parametrize(
    ("page", "button", "told"),
    [
        ("form", "Send order", "opened no choice of files. The page has the file fields: 'Papers'."),
        ("opposites", "Cancel order", "opened no choice of files. The page has no file field."),
        ("opposites", "", "No file field is on the page."),
        ("deals", "", "The page has 2 file fields: 'Photo', 'Letter'."),
    ],
)
async def test_a_file_for_what_takes_none_is_told_with_what_to_do(
    agent: OpenAgent, shop: str, page: str, button: str, told: str
) -> None:
    words = f"open {shop}/{page} and upload cv.txt{f' to {button}' if button else ''}"
    sent = AgentRequest(words, "t", "c", "m", files=(File("cv.txt", "text/plain", b"me"),))
    with pytest.raises(ElementNotFoundError, match=re.escape(told)) as failure:
        async for _ in agent.answer(sent):
            pass
    assert "Say" in failure.value.detail


@pytest.mark.parametrize("link", ["Brochure", "Leaflet"])
async def test_a_window_that_only_brings_a_download_leaves_the_session_where_it_was(
    agent: OpenAgent, shop: str, link: str
) -> None:
    answered = await act(agent, f"{shop}/parts", {"do": "click", "target": link}, TITLE)
    assert answered.text == "Parts"
    answered = await act(agent, f"{shop}/parts", {"do": "download", "target": link}, TITLE)
    [produced] = answered.files
    assert (produced.file.name, produced.file.content) == ("note.txt", b"kept")
    assert "Parts" in answered.text


async def test_data_is_read_in_the_form_of_a_schema(agent: OpenAgent, shop: str) -> None:
    items: JsonObject = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"item": {"type": "string"}, "price": {"type": "number"}, "in_stock": {"type": "boolean"}},
        },
    }
    form: JsonObject = {
        "type": "object",
        "properties": {"opening_hours": {"type": "string"}, "seats": {"type": "integer"}, "rows": items},
    }
    answered = await act(agent, f"{shop}/parts", {"do": "extract", "what": "data", "schema": form})
    assert values(answered)[0] == {
        "opening_hours": "9 to 5",
        "seats": 42,
        "rows": [{"item": "Tea", "price": 4.5, "in_stock": True}, {"item": "Mug", "price": 7, "in_stock": False}],
    }
    with pytest.raises(ElementNotFoundError, match="does not show the data"):
        await act(
            agent, f"{shop}/parts", {"do": "extract", "what": "data", "schema": {"type": "object", "required": ["vat"]}}
        )
    endless: JsonObject = {"type": "object", "properties": {"vat": {"$ref": "#"}}}
    with pytest.raises(InvalidRequestError, match="a reference leads back to where it stands"):
        await act(agent, f"{shop}/parts", {"do": "extract", "what": "data", "schema": endless})


async def test_cells_that_go_over_several_rows_or_columns_keep_the_columns(agent: OpenAgent, shop: str) -> None:
    rows: list[JsonValue] = [
        {"Harbour": "Bergen", "Ship": "Gull", "Seats": "12", "Seats (4)": "4"},
        {"Harbour": "Bergen", "Ship": "Tern", "Seats": "none", "Seats (4)": "none"},
        {"Harbour": "Turku", "Ship": "Auk", "Seats": "7", "Seats (4)": "0"},
    ]
    of_table: JsonObject = {"do": "extract", "what": "tables", "target": {"role": "table"}}
    assert values(await act(agent, f"{shop}/fleet", of_table)) == [[rows]]
    read = await ask(agent, f"get the table of {shop}/fleet", "extract-page")
    assert read.data["tables"] == [rows]
    assert "| Bergen | Tern | none | none |" in read.text


async def test_parts_of_a_page_are_read_and_pictured(agent: OpenAgent, shop: str) -> None:
    guide: JsonObject = {"css": "#docs"}
    answered = await act(
        agent,
        f"{shop}/parts",
        {"do": "extract", "what": "attribute", "attribute": "data-kind", "target": guide},
        {"do": "extract", "what": "markdown", "target": {"role": "table"}},
        {"do": "screenshot", "target": {"css": "#basket"}},
    )
    kind, table = values(answered)
    assert kind == "guide"
    assert "| Tea | $4.50 | yes |" in str(table)
    assert (answered.files[0].file.content or b"").startswith(b"\x89PNG")


async def test_a_tool_that_the_page_offers_is_called(agent: OpenAgent, shop: str) -> None:
    if "no WebMCP" in (await act(agent, f"{shop}/tools", TITLE)).text:
        pytest.skip("this Chromium has no WebMCP")
    call: JsonObject = {"do": "call_tool", "tool": "add_to_basket", "arguments": {"item": "tea", "count": 2}}
    answered = await act(agent, f"{shop}/tools", call, {"do": "extract", "what": "text", "target": {"css": "#basket"}})
    said, basket = values(answered)
    assert "2 tea in the basket" in str(said)
    assert basket == "2 tea"
    with pytest.raises(
        ElementNotFoundError, match=r"offers no tool 'buy'. There is: add_to_basket\(item, count\?\): Puts"
    ):
        await act(agent, f"{shop}/tools", {"do": "call_tool", "tool": "buy"})
    with pytest.raises(ElementNotFoundError, match=r"The page's tool 'fail' failed: .*the invocation failed"):
        await act(agent, f"{shop}/tools", {"do": "call_tool", "tool": "fail"})
    with pytest.raises(ElementNotFoundError, match="It offers none"):
        await act(agent, f"{shop}/list", {"do": "call_tool", "tool": "buy"})


async def test_the_tools_of_frames_are_called_by_their_origin(agent: OpenAgent, shop: str) -> None:
    if "no WebMCP" in (await act(agent, f"{shop}/tools", TITLE)).text:
        pytest.skip("this Chromium has no WebMCP")
    other = shop.replace("127.0.0.1", "localhost")
    call: JsonObject = {"do": "call_tool", "tool": "add_to_basket", "arguments": {"item": "tea"}}
    answered = await act(
        agent,
        f"{shop}/framed-tools",
        call | {"origin": shop},
        call | {"origin": other},
        {"do": "call_tool", "tool": "close"},
    )
    assert [("1 tea in the basket" in str(told), "Closed" in str(told)) for told in values(answered)] == [
        (True, False),
        (True, False),
        (False, True),
    ]
    with pytest.raises(ElementNotFoundError, match=rf"no tool 'add_to_basket'.*close\(\): .*\[origin {shop}\]: Puts"):
        await act(agent, f"{shop}/framed-tools", call)


async def test_a_page_that_leaves_in_the_middle_of_a_click_is_followed(agent: OpenAgent, shop: str) -> None:
    assert (await act(agent, f"{shop}/leaves", {"do": "click", "target": "Go away"}, TITLE)).text == "Stock"


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ({"do": "run", "script": "alert(1)"}, "actions. is not a list of actions"),
        ({"do": "click"}, "target: Field required"),
        ({"do": "click", "target": {"nth": 1}}, "say what is meant"),
    ],
)
async def test_what_is_no_action_is_refused_with_its_place(
    agent: OpenAgent, shop: str, action: JsonObject, sentence: str
) -> None:
    with pytest.raises(InvalidRequestError, match=sentence):
        await act(agent, f"{shop}/list", action)
