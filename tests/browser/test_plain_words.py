"""Plain words are done by what is on the page: pages that the grammar knows nothing of."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from browser_service.errors import AmbiguousTargetError, ElementNotFoundError
from shared.agent import OpenAgent
from tests.browser.conftest import ask
from tests.browser.workshop import open_workshop

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncGenerator[str]:
    async with open_workshop() as url:
        yield url


@pytest.mark.parametrize(
    ("path", "words", "answer"),
    [
        ("form", "fill 'Ada' into the Name field, choose Blue, click Send order and tell me the message", "name=Ada; "),
        ("form", "enter the name 'Bo' and check Gift wrap, then submit and tell me the output", "name=Bo; "),
        ("form", "set Count to 7, select Large and hit Send order, then tell me the result", "size=L; "),
        ("form", "enter 11/21/2026 as the day, submit, then read the message", "day=2026-11-21"),
        ("list", "click the Delete button next to 'Bread' and tell me the message", "Deleted Bread"),
        ("list", "find Cheese and click the star icon, then tell me the status", "Starred Cheese"),
        ("list", "click the last Delete button and tell me the message", "Deleted Cheese"),
        ("list", "buy the cheapest one and tell me the message", "Deleted Bread"),
        ("tabs", 'switch between the tabs to find and click on the link "Deep link" and get the title', "Found it"),
        ("tabs", "click on the Inner link and get the title", "Opened"),
        (
            "mail",
            "find the mail by Bob and reply to them with the text 'See you'. Get the title",
            "reply / Bob / See you",
        ),
        ("mail", "find the mail by Ann and forward that email to Eve, then get the title", "forward / Ann / Eve"),
        ("parts", "click Ask and accept the alert, then get the title", "Answered true"),
        ("parts", "click Ask, accept it, then get the title", "Answered true"),
        ("parts", "click Ask, dismiss it, then get the title", "Answered false"),
        ("modal", "click Ask, accept it, then get the title", "Agreed"),
        ("parts", "click Ask, accept the dialog, then get the title", "Answered true"),
        ("parts", "click Ask, accept the popup, then get the title", "Answered true"),
        ("parts", "click Ask, dismiss the dialog box, then get the title", "Answered false"),
        ("modal", "click Ask, accept the dialog, then get the title", "Agreed"),
        ("parts", "drag Alpha onto the basket and read the text of the basket", "Got Alpha"),
        ("parts", "tell me the opening hours", "9 to 5"),
        ("unsaved", "type 'x' into Name, click Away and get the title", "Stock"),
        ("parts", "what is the price of the Mug", "$7"),
        ("parts", "tell me the 'In stock' of Tea", "yes"),
        ("stock", "tell me the price of Pear", "$12.00"),
        ("stock", "what is the qty of Fig?", "7"),
        ("stock", "tell me the total", "€1,234.50"),
        (
            "form",
            "type 'Ada' into Name, 'Elm 1' into Street, then submit and tell me the output",
            "name=Ada; mail=; street=Elm 1;",
        ),
        ("form", "enter Ada as name and Elm as street, submit and tell me the output", "name=Ada; mail=; street=Elm;"),
        ("form", "set Name to Ada and Street to Elm, submit and tell me the output", "name=Ada; mail=; street=Elm;"),
        (
            "form",
            "fill out Name with Ada and Street with Elm, submit and tell me the output",
            "name=Ada; mail=; street=Elm;",
        ),
        (
            "form",
            "fill the form with name Ada, street Elm 1, submit and tell me the output",
            "name=Ada; mail=; street=Elm 1;",
        ),
        ("form", "choose Blue as the colour, submit and tell me the output", "colour=Blue"),
        ("form", "select Blue in Colour, submit and tell me the output", "colour=Blue"),
        ("opposites", "click Undo and get the title", "Undone"),
        ("deals", "click Book now and get the title", "Booked"),
        ("bill", "click the most expensive one and tell me the message", "Took Mug"),
        ("nota", "click the most expensive one and tell me the message", "Took Mug"),
        ("names", "enter 'Ada' as the first name, submit and tell me the output", "first=Ada; "),
        ("names", "type 'Love' into the Last name field, submit and tell me the output", "last=Love; "),
        ("names", "type 'Elm' into second address line, submit and tell me the output", "two=Elm; "),
        ("names", "check Alpha, click Go and tell me the output", "alpha=on"),
        ("names", "check 'Beta' and click Go, then tell me the output", "beta=on"),
        ("names", "check Alpha and Beta, then submit and tell me the output", "alpha=on; beta=on"),
        ("names", "check Gamma, click Go and tell me the output", "not understood: 'check Gamma'"),
        ("names", "type '77' into the second code field, submit and tell me the output", "code2=77"),
    ],
)
async def test_a_sentence_is_done(agent: OpenAgent, shop: str, path: str, words: str, answer: str) -> None:
    answered = await ask(agent, f"open {shop}/{path}, {words}")
    assert answer in answered.text
    assert "not understood" not in answered.text or "not understood" in answer


@pytest.mark.parametrize("asked", ["the colour of Pear", "the weight of Apple", "the discount for Fig"])
async def test_what_the_page_does_not_say_of_a_thing_is_not_answered_with_something_else(
    agent: OpenAgent, shop: str, asked: str
) -> None:
    with pytest.raises(ElementNotFoundError, match="but not its"):
        await ask(agent, f"open {shop}/stock and tell me {asked}")


async def test_a_field_that_is_not_there_is_never_filled_in_for_one_by_its_place(agent: OpenAgent, shop: str) -> None:
    with pytest.raises(ElementNotFoundError, match="No field Middle name field is on the page"):
        await ask(agent, f"open {shop}/names and type 'X' into the Middle name field")


@pytest.mark.parametrize("name", ["Company name", "maiden name", "file name"])
async def test_a_field_is_not_filled_in_for_one_whose_name_says_more(agent: OpenAgent, shop: str, name: str) -> None:
    with pytest.raises(ElementNotFoundError, match=f"No field {name} is on the page. There is: 'Name'"):
        await ask(agent, f"open {shop}/form and type 'X' into {name}")


async def test_which_of_two_fields_of_one_name_is_meant_must_be_said(agent: OpenAgent, shop: str) -> None:
    with pytest.raises(AmbiguousTargetError, match=r"2 things on the page are Price.*Say which"):
        await ask(agent, f"open {shop}/fleet and type '5' into Price")
    answered = await ask(agent, f"open {shop}/fleet, type '5' into the second Price, click Save and read the output")
    assert answered.text == "/5"


async def test_a_form_is_not_filled_in_when_one_of_its_values_belongs_to_no_field(agent: OpenAgent, shop: str) -> None:
    with pytest.raises(ElementNotFoundError, match="No field is called as 'weight 3' begins"):
        await ask(agent, f"open {shop}/form and fill the form with name Ada, weight 3")


async def test_what_stands_in_a_field_is_not_told_as_hidden(agent: OpenAgent, shop: str) -> None:
    answered = await ask(agent, f"open {shop}/form and get the text")
    assert "Ring twice" not in answered.text


@pytest.mark.parametrize(
    ("label", "value"),
    [("phone", "+1 555"), ("email", "x@y.example"), ("fax", "+1 556"), ("telex", "42"), ("room", "12"), ("floor", "3")],
)
async def test_the_value_of_a_label_ends_with_its_line(agent: OpenAgent, shop: str, label: str, value: str) -> None:
    assert (await ask(agent, f"open {shop}/contact and tell me the {label}")).text == value


@pytest.mark.parametrize(
    ("asked", "said"), [("age of Lee", "but not its age"), ("the returns", "shows 'Returns', but no value beside it")]
)
async def test_a_label_is_not_told_for_its_value(agent: OpenAgent, shop: str, asked: str, said: str) -> None:
    with pytest.raises(ElementNotFoundError, match=said):
        await ask(agent, f"open {shop}/contact and tell me {asked}")


async def test_what_is_told_of_another_label_says_of_which(agent: OpenAgent, shop: str) -> None:
    answered = await ask(agent, f"open {shop}/contact and tell me the weight")
    assert answered.text == "9 kg\n\nNote: This stands beside 'Old weight'."


@pytest.mark.parametrize("words", ["click Order", "click Subscribe", "click Save", "tick Send me mail"])
async def test_the_opposite_of_what_is_asked_for_is_not_taken_for_it(agent: OpenAgent, shop: str, words: str) -> None:
    with pytest.raises(ElementNotFoundError, match="is on the page"):
        await ask(agent, f"open {shop}/opposites and {words}")


async def test_which_of_several_is_to_be_undone_must_be_said(agent: OpenAgent, shop: str) -> None:
    with pytest.raises(AmbiguousTargetError, match="Say which"):
        await ask(agent, f"open {shop}/list and click Delete")


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("click Accept all", "Accepted"),
        ("press the Accept all button", "Accepted"),
        ("click on Lowest price", "By price"),
        ("click the cheapest one", "Bought Tea"),
    ],
)
async def test_a_control_whose_name_speaks_of_all_or_of_the_best_is_clicked_by_its_name(
    agent: OpenAgent, shop: str, words: str, title: str
) -> None:
    assert (await ask(agent, f"open {shop}/deals, {words} and get the title")).text == title


async def test_what_is_told_as_not_understood_was_not_clicked(agent: OpenAgent, shop: str) -> None:
    answered = await ask(agent, f"open {shop}/deals, click all buttons and get the title")
    assert answered.text == "Deals\n\nNote: This part of the request was not understood: 'click all buttons'."


async def test_what_is_covered_is_told_with_what_to_do_first(agent: OpenAgent, shop: str) -> None:
    with pytest.raises(ElementNotFoundError, match='covered by <div id="consent">; close or answer that first'):
        await ask(agent, f"open {shop}/covered and click Go on")
    answered = await ask(agent, f"open {shop}/covered, click Agree, click Go on and get the title")
    assert answered.text == "Went on"


async def test_what_no_control_is_called_is_told_as_not_understood(agent: OpenAgent, shop: str) -> None:
    answered = await ask(agent, f"open {shop}/list, get the title and frobnicate")
    assert answered.text == "Stock\n\nNote: This part of the request was not understood: 'frobnicate'."
