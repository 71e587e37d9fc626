"""Plans: the checks every plan passes, their order, and how results are filled in."""

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_service.planning.plan import (
    MAX_DEPTH,
    MAX_WIDTH,
    Plan,
    PlanInvalidError,
    PlanStep,
    Reference,
    check,
    fill,
    literal,
    needs,
    references,
)

IDS = st.text("abcxyz019_-", min_size=1, max_size=8)
TEXTS = st.text() | st.lists(
    st.sampled_from(
        ["{{", "}}", " steps.a.output ", "inputs.city", "\\", "{{ steps.a.output }}", "{{inputs.x}}", "{", " "]
    )
).map("".join)


def step(step_id: str, instruction: str = "do it", *depends_on: str, skill: str | None = "work") -> PlanStep:
    return PlanStep(id=step_id, skill=skill, instruction=instruction, depends_on=list(depends_on))


def reasons(plan: Plan) -> str:
    with pytest.raises(PlanInvalidError) as caught:
        check(plan, skills={"work"})
    return str(caught.value)


@st.composite
def graphs(draw: st.DrawFn) -> Plan:
    """Plans whose steps depend on earlier ones only, in any order of listing."""
    count = draw(st.integers(1, 12))
    steps = [
        step(
            f"s{place}", "do", *draw(st.sets(st.sampled_from([f"s{other}" for other in range(place)]))) if place else ()
        )
        for place in range(count)
    ]
    return Plan(steps=draw(st.permutations(steps)))


@hypothesis.settings(deadline=None)
@given(graphs())
def test_the_order_puts_each_step_after_those_it_needs_and_else_keeps_the_plans(plan: Plan) -> None:
    order = [each.id for each in plan.in_order()]
    assert sorted(order) == sorted(each.id for each in plan.steps)
    for each in plan.steps:
        assert all(order.index(needed) < order.index(each.id) for needed in needs(each))
    assert [each.id for each in Plan(steps=plan.in_order()).in_order()] == order


@hypothesis.settings(deadline=None)
@given(graphs())
def test_a_checked_plan_is_numbered_in_order_and_checks_again(plan: Plan) -> None:
    checked = check(plan, skills={"work"})
    assert [each.step_number for each in checked.steps] == list(range(1, len(plan.steps) + 1))
    assert check(checked, skills={"work"}) == checked


@hypothesis.settings(deadline=None)
@given(TEXTS)
def test_literal_text_refers_to_nothing_and_comes_out_as_it_went_in(text: str) -> None:
    escaped = literal(text)
    assert fill(escaped, {}) == text
    if escaped:
        assert references(step("a", escaped)) == set()


@hypothesis.settings(deadline=None)
@given(TEXTS)
def test_literal_text_keeps_references_to_inputs_that_exist(text: str) -> None:
    kept = literal(text + " {{ inputs.city }}", {"city"})
    assert str(fill(kept, {Reference("input", "city"): "Rome"})).endswith(" Rome")


@hypothesis.settings(deadline=None)
@given(TEXTS, TEXTS)
def test_what_is_filled_in_is_not_looked_at_again(before: str, after: str) -> None:
    reference = Reference("output", "output", "a")
    trick = "{{ steps.b.output }}"
    assert fill(["{{ steps.a.output }}", 1, None, {"k": "x{{steps.a.output}}"}], {reference: trick}) == [
        trick,
        1,
        None,
        {"k": f"x{trick}"},
    ]
    between = f"{literal(before)}\n{{{{ steps.a.output }}}}\n{literal(after)}"
    assert fill(between, {reference: trick}) == f"{before}\n{trick}\n{after}"


def test_references_are_found_in_instruction_and_inputs() -> None:
    one = PlanStep(
        id="b",
        skill="work",
        instruction="{{ steps.a.output }} {{steps.a.artifacts.plot.png}}",
        inputs={"deep": [{"x": "{{ inputs.city }}"}]},
    )
    assert references(one) == {
        Reference("output", "output", "a"),
        Reference("artifact", "plot.png", "a"),
        Reference("input", "city"),
    }


def test_a_reference_makes_the_step_wait() -> None:
    plan = check(Plan(steps=[step("b", "use {{ steps.a.output }}"), step("a")]))
    assert [(each.id, each.depends_on) for each in plan.steps] == [("a", []), ("b", ["a"])]


def test_a_circle_is_refused_and_named() -> None:
    assert "a → " in reasons(Plan(steps=[step("a", "x", "b"), step("b", "use {{ steps.a.output }}")]))


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([step("a"), step("a")], "unique"),
        ([step("a", "x", "nowhere")], "'nowhere'"),
        ([step("a", "use {{ steps.nowhere.output }}")], "'nowhere'"),
        ([step("a", "use {{ steps.a }}")], "not a reference"),
        ([step("a", "use {{ inputs.city }}")], "'city'"),
        ([step("a", skill="cook")], "Known: work"),
        ([step("a", skill=None)], "neither a skill nor an agent"),
        ([step("a", "use {{ steps.a.output }}")], "circle"),
        ([step(f"s{n}", "x", *([f"s{n - 1}"] if n else [])) for n in range(MAX_DEPTH + 1)], str(MAX_DEPTH)),
        ([step(f"s{n}") for n in range(MAX_WIDTH + 1)], str(MAX_WIDTH)),
    ],
)
def test_what_is_wrong_with_a_plan_is_said(steps: list[PlanStep], reason: str) -> None:
    assert reason in reasons(Plan(steps=steps))


def test_every_error_of_a_plan_is_listed_with_its_place() -> None:
    with pytest.raises(PlanInvalidError) as caught:
        check(Plan(steps=[step("a", skill="cook"), step("b", "x", "c")]), skills={"work"})
    errors = caught.value.facts["errors"]
    assert isinstance(errors, list)
    assert [error["pointer"] for error in errors if isinstance(error, dict)] == [
        "/steps/0/skill",
        "/steps/1/depends_on",
    ]
