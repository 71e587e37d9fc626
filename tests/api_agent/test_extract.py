"""The skill `extract-data` without a model."""

from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_agent_service import extraction
from shared.agent import File, JsonObject
from shared.errors import InvalidRequestError
from tests.api_agent.asking import ask

LETTER = """\
Invoice number: 4711
Date: 2024-05-01
**Total**: $1,234.50

Dear Ann, please write to billing@example.org or call +49 30 1234567 before 3 June 2024 (or on 03/04/2024).
The discount is 12.5 %, so you save 154,31 €; the project is worth EUR 2 million. See https://example.org/pay?id=1.
Our server is 192.168.0.17, not 999.1.1.1.

| item | price |
|------|-------|
| Pen  | 2.50  |
"""


async def test_facts_are_found_without_a_model() -> None:
    outcome = await ask(f"Extract the data from this letter:\n\n{LETTER}")

    assert outcome.data == {
        "method": "rules",
        "emails": ["billing@example.org"],
        "urls": ["https://example.org/pay?id=1"],
        "phones": ["+49 30 1234567"],
        "dates": [
            {"text": "2024-05-01", "iso": "2024-05-01"},
            {"text": "3 June 2024", "iso": "2024-06-03"},
            {"text": "03/04/2024", "iso": None},
        ],
        "amounts": [
            {"text": "$1,234.50", "amount": 1234.5, "currency": "USD"},
            {"text": "154,31 €", "amount": 154.31, "currency": "EUR"},
            {"text": "EUR 2 million", "amount": 2000000.0, "currency": "EUR"},
        ],
        "percentages": [{"text": "12.5 %", "value": 12.5}],
        "ips": ["192.168.0.17"],
        "pairs": [
            {"key": "Invoice number", "value": "4711"},
            {"key": "Date", "value": "2024-05-01"},
            {"key": "Total", "value": "$1,234.50"},
        ],
        "tables": [[{"item": "Pen", "price": "2.50"}]],
    }
    assert "- 3 June 2024 (2024-06-03)" in outcome.text


async def test_only_the_kinds_that_are_asked_for_are_extracted_and_none_is_said() -> None:
    outcome = await ask("Extract all e-mail addresses and phone numbers from: write to a@b.org")

    assert outcome.data == {"method": "rules", "emails": ["a@b.org"], "phones": []}
    assert "### Phone numbers (0)\n\nNone." in outcome.text


async def test_a_sentence_that_is_instruction_and_text_at_once_is_read() -> None:
    outcome = await ask("Extract the emails of Bob <bob@x.org> and Eve (eve@y.org)")

    assert outcome.data["emails"] == ["bob@x.org", "eve@y.org"]


async def test_a_page_gives_its_tables_and_where_its_links_lead() -> None:
    page = (
        b"<html><body><p>Write to <a href='mailto:a@b.org?subject=x'>us</a> or see <a href='https://x.org/doc'>this</a>.</p>"
        b"<table><tr><th>item</th><th>price</th></tr><tr><td>Pen</td><td>2.50</td></tr></table></body></html>"
    )
    outcome = await ask("Extract tables, links and emails", files=(File("page.html", "text/html", page),))

    assert outcome.data["tables"] == [[{"item": "Pen", "price": "2.50"}]]
    assert outcome.data["urls"] == ["https://x.org/doc"]
    assert outcome.data["emails"] == ["a@b.org"]


SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "invoiceNumber": {"type": "integer"},
        "total": {"type": "number"},
        "email": {"type": "string", "format": "email"},
        "due_dates": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["invoiceNumber", "total"],
}


async def test_a_schema_is_filled_by_rules_as_far_as_they_go() -> None:
    outcome = await ask(f"Extract:\n{LETTER}", data=({"schema": SCHEMA},))

    assert outcome.data["result"] == {
        "invoiceNumber": 4711,
        "total": 1234.5,
        "email": "billing@example.org",
        "due_dates": ["2024-05-01", "2024-06-03"],
    }
    assert '"invoiceNumber": 4711' in outcome.text


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (
            {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
            r"rules found nothing of the schema.*\"name\" is a required property.*Configure a model",
        ),
        ({"type": "array", "items": {"type": "string"}}, "only a schema of type object with properties"),
        ({"type": "wrong"}, "The schema is no JSON schema that can be used"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}}, "a reference leads back to where it stands"),
        ({"$ref": "http://127.0.0.1:9/schema.json"}, "The schema is no JSON schema that can be used: .*127.0.0.1"),
    ],
)
async def test_a_schema_that_cannot_be_filled_says_why(schema: JsonObject, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        await ask("Extract:\nNothing is here but words.", data=({"schema": schema},))


async def test_nothing_to_extract_from_says_how_to_give_it() -> None:
    with pytest.raises(InvalidRequestError, match="There is no text to extract from"):
        await ask("Extract", skill="extract-data")


async def test_finding_nothing_is_said() -> None:
    outcome = await ask("Extract the data:\n\nJust words, nothing else.")

    assert outcome.data == {"method": "rules"}
    assert outcome.text.startswith("Nothing was found. Rules find e-mail addresses, URLs, phone numbers")


@pytest.mark.parametrize(
    ("digits", "number"),
    [
        ("1,234.50", 1234.5),
        ("1.234,50", 1234.5),
        ("1,234", 1234),
        ("12,5", 12.5),
        ("1.234.567", 1234567),
        ("1 234", 1234),
        ("0.5", 0.5),
    ],
)
def test_separators_are_told_apart(digits: str, number: float) -> None:
    assert extraction.read_number(digits) == number


@given(
    st.lists(
        st.sampled_from(["a", "@", ".", "1", "2024", "-", "/", ":", "$", "€", " ", "(", "+49", "%", "|", "\n", "June"]),
        max_size=60,
    )
)
@settings(max_examples=150, deadline=None)
def test_what_is_extracted_stands_in_the_text(pieces: list[str]) -> None:
    text = "".join(pieces)

    for key, items in extraction.extract(text, extraction.KINDS).items():
        for item in cast("list[JsonObject | str]", items):
            if key not in {"tables", "pairs"}:
                assert (item if isinstance(item, str) else str(item["text"])) in text


def test_a_hostile_text_is_searched_in_time() -> None:
    for piece in (
        "a" * 200_000,
        "1 " * 100_000,
        "1." * 100_000,
        "a@" * 100_000,
        "1,111" * 40_000,
        ": " * 100_000,
        "|-" * 50_000,
    ):
        extraction.extract(piece, extraction.KINDS)
