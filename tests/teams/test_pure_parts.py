"""What answers have in common, and the language of checks, without a federation."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_service.engine import consensus, criteria
from orchestrator_service.engine.consensus import Given
from orchestrator_service.planning.team import Evaluation

_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=60)
_NUMBERS = st.decimals(min_value=-10_000_000, max_value=10_000_000, places=3)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=10,
)


@given(
    st.from_regex(r"[a-z]([a-z ,-]{0,40}[a-z])?", fullmatch=True), st.sampled_from([" {} ", '"{}"', "{}.", "**{}**"])
)
def test_what_is_around_a_text_does_not_count(text: str, around: str) -> None:
    assert consensus.normal(around.format(text.upper())) == consensus.normal(text)


@given(_NUMBERS)
def test_how_a_number_is_written_does_not_count(number: object) -> None:
    assert consensus.normal(f"{number}") == consensus.normal(f"{number:,}") == consensus.normal(f"{number}00")


@given(st.dictionaries(_TEXTS, _JSON, max_size=4))
def test_how_json_is_written_does_not_count(value: dict[str, object]) -> None:
    turned = dict(reversed(value.items()))
    assert consensus.normal(json.dumps(value)) == consensus.normal(f"```json\n{json.dumps(turned, indent=2)}\n```")


@given(st.lists(st.sampled_from(["a", "A ", "b", "c", " B."]), min_size=1, max_size=8))
def test_each_answer_is_in_one_group_and_the_largest_comes_first(texts: list[str]) -> None:
    answers = [Given(str(number), f"agent {number}", text) for number, text in enumerate(texts)]
    groups = consensus.agreeing(answers, consensus.is_equal)
    assert sorted(answer.id for group in groups for answer in group) == sorted(answer.id for answer in answers)
    assert [len(group) for group in groups] == sorted(map(len, groups), reverse=True)
    for group in groups:
        assert len({consensus.normal(answer.text) for answer in group}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("391", "392"), ("5%", "5"), ("-3", "3"), ("version 1.2.3", "version 1.2.30"), ("yes", "no"), ('{"a": 1}', "[1]")],
)
def test_answers_that_differ_are_not_the_same(one: str, other: str) -> None:
    assert not consensus.is_equal(Given("1", "a", one), Given("2", "b", other))


def test_answers_with_the_same_data_are_the_same_whatever_their_words() -> None:
    one, other = Given("1", "a", "It is four.", ({"n": 4.0},)), Given("2", "b", "Four!", ({"n": 4},))
    assert consensus.is_equal(one, other)
    assert not consensus.is_equal(one, Given("3", "c", "Five.", ({"n": 5},)))


@pytest.mark.parametrize(
    ("criterion", "good", "bad"),
    [
        ('contains "total" and "EUR"', "The Total is 5 eur", "The total is 5"),
        ('The answer must not contain "draft".', "final", "A DRAFT"),
        ('mentions "Oslo" or "Bergen"', "in bergen", "in Rome"),
        ('mentions "Oslo", "Rome", or "Bergen"', "in bergen", "in Paris"),
        (r"matches /^\d+ EUR$/", "42 EUR", "about 42 EUR"),
        ("does not match /[Ee]rror/", "fine", "an error"),
        ("at most 3 words", "one two three", "one two three four"),
        ("must be between 1 and 2 sentences long", "One. Two!", "One. Two! Three?"),
        ("has at least 2 lines", "one\ntwo", "one\n\n"),
        ("exactly 5 characters", "abcde", "abcd"),
        ("fewer than 2 paragraphs", "one\ntwo", "one\n\ntwo"),
        ("is valid JSON", '```json\n{"a": 1}\n```', "{a: 1}"),
        ('fits the schema {"type": "object", "required": ["a"]}', '{"a": 1}', '{"b": 1}'),
        ('starts with "Dear"', "dear Ann", "Hello Ann"),
        ('ends with "."', "The end.", "The end"),
        ('is "yes" or "no"', " No ", "maybe"),
        ("is not empty", "x", "  "),
    ],
)
def test_a_check_holds_or_says_what_is_wrong(criterion: str, good: str, bad: str) -> None:
    [held] = criteria.apply([criterion], good)
    [broken] = criteria.apply([criterion], bad)
    assert (held.score, held.by) == (1.0, "check")
    assert broken.score == 0.0
    assert broken.reason


@pytest.mark.parametrize(
    "criterion", ["sounds friendly", "matches /(?=x)/", 'fits the schema {"type": 5}', "contains no errors", "is right"]
)
def test_what_is_no_check_is_for_a_model(criterion: str) -> None:
    assert criteria.for_a_model([criterion]) == [criterion]


def test_a_pattern_takes_time_that_grows_with_the_text_only() -> None:
    [score] = criteria.apply(["matches /^(a+)+$/"], "a" * 100_000 + "!")
    assert score.score == 0.0


def test_json_beside_the_text_is_what_a_schema_is_about() -> None:
    [score] = criteria.apply(['fits the schema {"required": ["a"]}'], "It is one.", [{"a": 1}])
    assert score.score == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0, 1))
def test_a_higher_score_never_fails_where_a_lower_one_passes(scores: list[float], threshold: float) -> None:
    wish = Evaluation(criteria=["x"], threshold=threshold)
    lower = [criteria.Score("x", score, "", "model") for score in scores]
    higher = [criteria.Score("x", min(1.0, score + 0.1), "", "model") for score in scores]
    for each in (wish, Evaluation(criteria=["x"])):
        assert not criteria.passes(each, lower) or criteria.passes(each, higher)
