"""Planning without a model: later parts of a request that are about the page or the table of an earlier one."""

import pytest

from tests.orchestrator.planning_catalogue import plan, shape, takes


async def test_a_second_question_about_a_pasted_table_is_given_the_table() -> None:
    table = "name,age,city\nAda,36,London\nNils,41,Bergen"
    planned = await plan(f"Here is my data:\n{table}\n\nWho is the oldest, and what is the average age?")
    assert shape(planned) == [("analyze-data", []), ("analyze-data", [])]
    assert planned.steps[1].instruction == f"what is the average age?\n\n{table}"


async def test_a_part_that_is_not_about_the_pasted_table_is_not_given_it() -> None:
    planned = await plan("name,age\nAda,36\nNils,41\n\nWho is the oldest? Then compute 2 + 2.")
    assert [step.skill for step in planned.steps] == ["analyze-data", "run-code"]
    assert planned.steps[1].instruction == "compute 2 + 2."


@pytest.mark.parametrize(
    "text",
    [
        "Open http://a.b and tell me the price of a latte",
        "Open http://a.b and tell me who roasts the coffee",
        "Go to http://a.b, click 'About us' and tell me who founded it",
        "Open http://a.b. What does the page say about espresso?",
    ],
)
async def test_what_is_asked_after_a_page_was_opened_is_asked_of_that_page(text: str) -> None:
    planned = await plan(text)
    assert shape(planned) == [("browse", [])]
    assert planned.steps[0].instruction == text


async def test_contacts_are_extracted_from_the_page_that_was_opened() -> None:
    planned = await plan("Open http://a.b and give me the email address")
    assert shape(planned) == [("browse", []), ("extract-data", [1])]
    assert takes(planned.steps[1]) == ["step-1"]


@pytest.mark.parametrize(
    ("text", "skills"),
    [
        ("Open http://a.b and find what the documents say about retries", ["browse", "research"]),
        ("Open http://a.b and get the heading, then find the price of gold", ["browse", "research"]),
        ("Open http://a.b. Who wrote Hamlet?", ["browse", "research"]),
        ("Open http://a.b and compute 2 + 2", ["browse", "run-code"]),
    ],
)
async def test_what_is_not_about_the_page_is_a_step_of_its_own(text: str, skills: list[str]) -> None:
    assert [step.skill for step in (await plan(text)).steps] == skills
