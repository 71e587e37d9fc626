"""Planning without a model: later parts of a request that are about the page or the table of an earlier one."""

from tests.orchestrator.planning_catalogue import plan, shape


async def test_a_second_question_about_a_pasted_table_is_given_the_table() -> None:
    table = "name,age,city\nAda,36,London\nNils,41,Bergen"
    planned = await plan(f"Here is my data:\n{table}\n\nWho is the oldest, and what is the average age?")
    assert shape(planned) == [("analyze-data", []), ("analyze-data", [])]
    assert planned.steps[1].instruction == f"what is the average age?\n\n{table}"


async def test_a_part_that_is_not_about_the_pasted_table_is_not_given_it() -> None:
    planned = await plan("name,age\nAda,36\nNils,41\n\nWho is the oldest? Then compute 2 + 2.")
    assert [step.skill for step in planned.steps] == ["analyze-data", "run-code"]
    assert planned.steps[1].instruction == "compute 2 + 2."
