"""What holds for every text: quotes are the source's own sentences, searches the question's own words."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from a2a_agent_service.passages import Source, split
from a2a_agent_service.question import understand
from a2a_agent_service.ranking import rank, select, stem
from a2a_agent_service.writing import check, quote
from shared.agent import AgentRequest
from shared.documents import Document
from shared.words import keywords

WORDS = st.sampled_from(
    ["retries", "retry", "timeout", "the", "#", "##", "\n", "\n\n", "- ", "|", "```\n", "Pause", ".", "? "]
)
TEXTS = st.lists(WORDS, max_size=80).map(" ".join)


def _request(text: str) -> AgentRequest:
    return AgentRequest(text, "task", "context", "message")


@given(TEXTS, st.sampled_from(["retries", "timeout pause", "retry timeout"]))
def test_a_quote_holds_only_the_sources_words_in_their_order(text: str, query: str) -> None:
    passages = split(Document("title", text), Source("title", path="a.md"), "a.md")

    for entry in quote(select([rank(passages, query)], 6)):
        whole = entry.passage.heading + entry.passage.text
        assert _in_order(entry.text, whole)
        assert _in_order(entry.line, whole)


@given(TEXTS)
def test_passages_are_located_where_their_words_stand(text: str) -> None:
    lines = text.split("\n")

    for passage in split(Document("title", text), Source("title", path="a.md"), "a.md"):
        numbers = [int(number) for number in re.findall(r"\d+", passage.location)]
        located = "\n".join(lines[numbers[0] - 1 : numbers[-1]])
        assert _in_order(passage.text, located)


@given(st.text(max_size=300))
def test_searches_use_only_words_of_the_request(text: str) -> None:
    question = understand(_request(text))

    assert {word for query in question.queries for word in query.split()} <= set(keywords(text))


@given(st.text(alphabet="ab [1],-9.\n#", max_size=200), st.integers(0, 3))
@example("[1-\n1]", 0)
@example("[1,\na [9]\n1]", 1)
def test_a_checked_text_cites_only_passages_that_exist(text: str, count: int) -> None:
    checked = check(text, count)

    assert all(1 <= number <= count for number in checked.cited)
    assert check(checked.kept, count).unknown == ()


def test_a_citation_that_goes_on_in_the_next_line_is_one() -> None:
    checked = check("A call is retried [1,\n2].", 2)

    assert (checked.kept, checked.cited) == ("A call is retried [1, 2].", (1, 2))


@pytest.mark.parametrize(
    "forms",
    [
        ("retry", "retries", "retried", "retrying"),
        ("refund", "refunds", "refunded", "refunding"),
        ("cache", "caches", "cached", "caching"),
        ("stop", "stops", "stopped", "stopping"),
        ("address",),
        ("status",),
    ],
)
def test_the_forms_of_a_word_have_one_stem(forms: tuple[str, ...]) -> None:
    assert len({stem(form) for form in forms}) == 1


@pytest.mark.parametrize(
    ("text", "parts", "material"),
    [
        ("find what the docs say about retries", ("retries",), ""),
        ("Please search the documents for the refund period, with citations.", ("refund period",), ""),
        ("research X100 in the documents", ("x100",), ""),
        ("What is the refund period and how are refunds paid?", ("refund period", "refunds paid"), ""),
        ("Compare SQLite with PostgreSQL for many workers", ("sqlite", "postgresql"), ""),
        ("Research:\n\nthe refund period", ("refund period",), ""),
        ("The heading is Foo.\n\nWhat do the docs say about bars?", ("bars",), "The heading is Foo."),
        ("Find the port.\n\nResult of step 1: 80", ("port",), "Result of step 1: 80"),
    ],
)
def test_a_request_is_taken_apart_as_a_reader_would(text: str, parts: tuple[str, ...], material: str) -> None:
    question = understand(_request(text))

    assert (question.parts, question.material) == (parts, material)


def _in_order(text: str, whole: str) -> bool:
    letters = iter(whole)
    return all(letter in letters for letter in text if letter.isalnum())
