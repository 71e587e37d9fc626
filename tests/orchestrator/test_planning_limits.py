"""Planning without a model, at its limits: megabytes, and any mixture of what requests are made of."""

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_service.planning.parts import SPLIT_CHARS, split
from orchestrator_service.planning.plan import PlanningFailedError, literal
from tests.orchestrator.planning_catalogue import plan

MEGABYTES = {
    "words": "a " * 450_000,
    "verbs": "and get " * 110_000,
    "braces": "{{ steps." * 100_000,
    "fences": "``` " * 200_000,
    "quotes": '"a' * 400_000,
    "items": "1. a " * 180_000,
    "one word": "x" * 900_000,
    "lines": "\n" * 900_000,
    "address": "http://" + "." * 900_000,
    "addresses": "http://" * 128_000,
    "file name": "a.a." * 200_000,
    "brackets": "(" * 900_000,
    "spaces": " " * 900_000,
}


@pytest.mark.parametrize("kind", MEGABYTES)
async def test_a_megabyte_of_anything_is_one_request_with_its_material(kind: str) -> None:
    text = f"summarize it: {MEGABYTES[kind]} end"
    assert [(step.skill, step.instruction) for step in (await plan(text)).steps] == [("summarize", literal(text))]


@pytest.mark.parametrize("kind", MEGABYTES)
def test_taking_a_megabyte_apart_takes_linear_time(kind: str) -> None:
    """Anything quadratic would exceed the suite's time limit."""
    assert len(split(MEGABYTES[kind])) <= 1
    assert len(split(MEGABYTES[kind][:SPLIT_CHARS])) <= SPLIT_CHARS


async def test_a_request_that_is_too_long_says_how_long_it_may_be() -> None:
    with pytest.raises(PlanningFailedError, match="1,000,000 characters"):
        await plan("x" * 1_000_000)


WORDS = st.sampled_from(
    (
        *("open", "http://a.b/c", "get", "the", "title", "and", "then", ",", ";", ".", "finally", "summarize", "it"),
        *(
            "\n",
            "profile",
            "sales.csv",
            "@browser",
            "1.",
            "2.",
            "- ",
            "```x```",
            '"a',
            'b"',
            "find",
            "what",
            "é",
            "日本",
        ),
        *("documents", "say", "{{steps.step-1.output}}", "compute", "2", "*", "all", "results"),
    )
)


@hypothesis.settings(deadline=None)
@given(st.lists(WORDS, max_size=40).map(" ".join) | st.text(max_size=200))
def test_parts_lie_in_the_text_in_order_without_overlap(text: str) -> None:
    end = 0
    for part in split(text):
        assert end <= part.start < part.end <= len(text)
        assert any(map(str.isalnum, text[part.start : part.end]))
        end = part.end


@hypothesis.settings(deadline=None)
@given(st.lists(WORDS, max_size=30).map(" ".join))
async def test_any_request_is_planned_soundly_or_refused_clearly(text: str) -> None:
    try:
        planned = await plan(
            text, files=("sales.csv",), history=(("user", "profile a.csv"), ("assistant", "It has 3 rows."))
        )
    except PlanningFailedError:
        return
    ids = {step.id for step in planned.steps}
    assert all(set(step.depends_on) <= ids for step in planned.steps)
