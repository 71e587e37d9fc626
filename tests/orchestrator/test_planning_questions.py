"""Planning without a model: questions and computations as people write them."""

import pytest

from orchestrator_service.planning.plan import PlanningFailedError
from tests.orchestrator.planning_catalogue import plan, shape


@pytest.mark.parametrize("text", ["What's the capital of France?", "Who’s the CEO of Acme?", "Where's the Nile?"])
async def test_a_question_word_that_is_drawn_together_asks_as_well(text: str) -> None:
    assert shape(await plan(text)) == [("research", [])]


async def test_two_computations_that_are_asked_for_in_one_sentence_are_two_steps() -> None:
    planned = await plan("What is 2+2 and what is 3*3?")
    assert [(step.skill, step.instruction) for step in planned.steps] == [
        ("run-code", "What is 2+2"),
        ("run-code", "what is 3*3?"),
    ]


async def test_what_follows_a_factorial_is_not_left_out() -> None:
    with pytest.raises(PlanningFailedError, match="multiply the result by 3"):
        await plan("compute 5! and then multiply the result by 3")
