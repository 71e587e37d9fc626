"""Where to look belongs to what is asked: what speaks of the documents is one step, and for the research agent."""

import pytest

from orchestrator_service.planning.plan import Offer, PlanningFailedError
from tests.orchestrator.planning_catalogue import ListCatalogue, bundled, plan, shape

HELLO = Offer("id-of-hello", "Hello agent", "greet", "Greet", "Greets people.", ("greet",), ("Greet Ada",))
DOCS = Offer("id-of-docs", "Librarian", "ask-library", "Library", "Answers from papers.", ("documents",))


@pytest.mark.parametrize(
    "text",
    [
        "What is the refund period? Search the documents and cite them.",
        "How do I use Ollama? Search the documents.",
        "How long is the warranty? Use the docs, with citations.",
        "What is A2A? Look it up in our files.",
        "What is the refund period? Please answer only from the handbook and cite your sources.",
        "Explain the refund period. Search the documents.",
        "What is the refund period? How long does delivery take? Search the documents and cite them.",
        "Search the documents. What is the refund period?",
        "What is the refund period? Search the documents. Read our files only.",
        "What is the refund period, then search the documents",
        "How do I write a Python script? Use the docs.",
    ],
)
async def test_a_question_and_where_to_look_are_one_step(text: str) -> None:
    planned = await plan(text)

    assert shape(planned) == [("research", [])]
    assert planned.steps[0].instruction == text


async def test_a_question_for_a_named_agent_keeps_its_hint() -> None:
    planned = await plan("@research What is the refund period? Search the documents.")

    assert [(step.agent, step.instruction) for step in planned.steps] == [
        ("id-of-research", "What is the refund period? Search the documents.")
    ]


async def test_each_question_keeps_its_own_hint() -> None:
    planned = await plan("What is the refund period? Search the documents. Who is Ada? Search the web.")

    assert [step.instruction for step in planned.steps] == [
        "What is the refund period? Search the documents",
        "Who is Ada? Search the web.",
    ]


async def test_a_hint_after_other_work_stands_alone() -> None:
    planned = await plan("Open http://a.b and get the title. Compute 2 + 2. Find what the docs say about cats.")

    assert [step.skill for step in planned.steps] == ["browse", "run-code", "research"]


async def test_a_question_about_an_attached_table_stays_with_the_table() -> None:
    planned = await plan("What is the average price by city? Use the file.", files=("sales.csv",))

    assert [(step.skill, step.inputs) for step in planned.steps] == [("analyze-data", {"files": ["sales.csv"]})]


@pytest.mark.parametrize(
    "text",
    [
        "What does the documentation say about the walls of the code sandbox?",
        "what do our files say about running Python code?",
        "Tell me what the manual says about writing a script",
        "What does the handbook say about a screenshot of the page?",
        "Calculate what the documents say about the total",
    ],
)
async def test_what_the_documents_say_is_research_whatever_it_is_about(text: str) -> None:
    assert shape(await plan(text)) == [("research", [])]


async def test_what_the_documents_say_goes_to_any_agent_for_documents() -> None:
    offers = [offer for offer in bundled() if offer.skill_id not in {"research", "analysis"}]

    planned = await plan("What do the documents say about Python code?", ListCatalogue([*offers, DOCS]))

    assert shape(planned) == [("ask-library", [])]


async def test_what_a_table_says_stays_with_the_table() -> None:
    assert shape(await plan("What does the file sales.csv say about the average price by city?")) == [
        ("analyze-data", [])
    ]


async def test_a_greeting_after_a_computation_is_a_step_where_an_agent_greets() -> None:
    planned = await plan("Compute 17 * 23 in Python, and greet Ada", ListCatalogue([*bundled(), HELLO]))

    assert shape(planned) == [("run-code", []), ("greet", [])]


async def test_a_greeting_after_a_computation_is_named_where_no_agent_greets() -> None:
    with pytest.raises(PlanningFailedError, match="'greet Ada'"):
        await plan("Compute 17 * 23 in Python, and greet Ada")


@pytest.mark.parametrize(
    "text",
    [
        "Compute 17 * 23 in Python, and round the result",
        "Compute 17 * 23 in Python, and in Java",
        "What is 100 * 3 for France, and northern Italy?",
        "Find what the docs say about Paris, and old London",
        "Compute 1 + 2, 3 * 4, and whatever Ada likes",
        "Profile sales.csv for Paris, and greater London",
    ],
)
async def test_what_merely_follows_a_comma_is_not_a_step(text: str) -> None:
    assert len((await plan(text)).steps) == 1
