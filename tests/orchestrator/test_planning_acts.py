"""Planning without a model: what acts on the world goes to an agent that says that it does it, or to nobody."""

import pytest

from orchestrator_service.planning.plan import Offer, PlanningFailedError
from tests.orchestrator.planning_catalogue import ListCatalogue, bundled, plan, shape


def _offer(name: str, skill_id: str, description: str, *tags: str) -> Offer:
    return Offer(f"id-of-{name.lower()}", name, skill_id, skill_id.capitalize(), description, tags)


OTHERS = ListCatalogue(
    [
        *bundled(),
        _offer("Mailer", "letters", "Sends messages by e-mail.", "email"),
        _offer("Joker", "jokes", "Jokes.", "jokes"),
        _offer("Poet", "poems", "Writes poems.", "poem"),
        _offer("Shop", "shopping", "Orders groceries and buys what you need."),
        _offer("Cal", "calendar", "Schedules meetings."),
        _offer("Home", "lights", "Turns lights on and off."),
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        "Send an email to bob@example.com saying hi",
        "Email the report to Anna",
        "Text my wife",
        "Buy milk",
        "Order pizza",
        "Can you order a pizza?",
        "Book a table for two",
        "Call my mother",
        "Post this on Twitter: hello",
        "Schedule a meeting tomorrow at 10",
        "Delete all my files",
        "Move the file to the trash",
        "Drop the table users",
        "Turn on the lights",
        "Play some music",
        "Pay the invoice",
        "Translate 'hello' into French",
        "Install numpy",
        "Send the summary to my boss",
        "Reply to the last email",
        "write a haiku",
        "Write a poem about data",
        "Draw a cat",
        "Generate an image of a cat",
        "Make coffee",
    ],
)
async def test_what_no_agent_does_is_refused(text: str) -> None:
    with pytest.raises(PlanningFailedError, match="No registered agent fits this part"):
        await plan(text)


async def test_the_refusal_says_how_an_agent_with_a_brief_card_is_reached() -> None:
    with pytest.raises(PlanningFailedError, match=r"None says that it can pay;.*@ and its name"):
        await plan("Pay the invoice", OTHERS)
    [step] = (await plan("@Mailer pay the invoice", OTHERS)).steps
    assert step.agent == "id-of-mailer"


@pytest.mark.parametrize(
    ("text", "skill"),
    [
        ("Send an email to bob@example.com saying hi", "letters"),
        ("Email Bob the results", "letters"),
        ("Tell me a joke", "jokes"),
        ("write a haiku", "poems"),
        ("Order a pizza", "shopping"),
        ("Buy milk", "shopping"),
        ("Schedule a meeting tomorrow at 10", "calendar"),
        ("Turn on the lights", "lights"),
    ],
)
async def test_an_agent_that_says_that_it_does_it_gets_it(text: str, skill: str) -> None:
    assert shape(await plan(text, OTHERS)) == [(skill, [])]


@pytest.mark.parametrize(
    ("text", "skill"),
    [
        ("Email addresses in this text: a@b.c, d@e.f", "extract-data"),
        ("Text: all is well. It says little.", "summarize"),
        ("Order the rows by price", "analyze-data"),
        ("Send me a summary of this document: all is well.", "summarize"),
        ("Turn this into bullet points: a, b and c", "summarize"),
        ("Update me on what the documents say", "research"),
        ("Post a comment on http://a.b", "browse"),
        ("Write a parser for durations", "write-code"),
        ("Write a small web server", "write-code"),
        ("Create a report about retries in the documents", "research"),
        ("Share prices of Apple in sales.csv", "analyze-data"),
    ],
)
async def test_what_only_sounds_like_an_act_is_answered(text: str, skill: str) -> None:
    assert shape(await plan(text)) == [(skill, [])]
