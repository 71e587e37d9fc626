"""Claims about a page hold or not, and what was found is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_service.checks import Check, describe, judge
from browser_service.page_content import Content, Table, clean, records
from browser_service.reading import LABELS, tell


def content(**parts: object) -> Content:
    empty: dict[str, object] = dict.fromkeys(
        ("headings", "links", "tables", "images", "list_items", "buttons", "fields"), ()
    )
    page = {"url": "http://a.test/", "title": "", "description": "", "forms": 0, "text": "", "is_cut": False}
    return Content.model_validate({**page, **empty, **parts})


HOME = content(
    title="Harbour Town",
    headings=[{"level": 2, "text": "News"}, {"level": 1, "text": "Welcome"}],
    links=[{"text": "About us", "url": "http://a.test/about"}],
    text="Ferries leave every   hour. Tickets cost $12.50 or 9,00 €.",
)


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        (Check(subject="title", relation="is", value="harbour  town"), True),
        (Check(subject="title", relation="is", value="Harbour"), False),
        (Check(subject="title", relation="contains", value="Harbour"), True),
        (Check(subject="main_heading", relation="is", value="Welcome"), True),
        (Check(subject="main_heading", relation="is", value="News"), False),
        (Check(subject="heading", relation="contains", value="news"), True),
        (Check(subject="text", relation="contains", value="leave every hour"), True),
        (Check(subject="text", relation="contains", value="Error", expected=False), True),
        (Check(subject="link", relation="contains", value="About"), True),
        (Check(subject="link", relation="contains", value="http://a.test/about"), True),
        (Check(subject="table"), False),
        (Check(subject="table", expected=False), True),
        (Check(subject="price", relation="contains", value="12.50"), True),
        (Check(subject="url", relation="is", value="http://a.test"), True),
        (Check(subject="loads"), True),
        (Check(subject="status", relation="is", value="404"), False),
    ],
)
def test_a_claim_holds_or_not(check: Check, passed: bool) -> None:
    result = judge(check, HOME, 200)
    assert result.passed is passed
    assert result.details


def test_a_failed_claim_tells_what_is_there_instead() -> None:
    result = judge(Check(subject="main_heading", relation="is", value="Bye"), HOME, 200)
    assert (result.description, result.details) == ("the main heading is 'Bye'", "Found: 'Welcome'.")


def test_amounts_of_money_are_found() -> None:
    assert HOME.prices == ["$12.50", "9,00 €"]


def test_a_table_becomes_records() -> None:
    headed = Table(header=True, rows=(("Name", "", "Name"), ("Gull", "1"), ("Tern", "2", "3")))
    assert records(headed) == [
        {"Name": "Gull", "column 2": "1", "Name (3)": ""},
        {"Name": "Tern", "column 2": "2", "Name (3)": "3"},
    ]
    assert records(Table(header=False, rows=(("a", "b"),))) == [{"column 1": "a", "column 2": "b"}]


def test_what_a_page_does_not_have_is_said() -> None:
    for what in LABELS:
        if what != "url":
            assert tell(content(), what)[0] == f"The page has no {LABELS[what].lower()}."


@given(st.from_type(Check))
def test_a_claim_and_its_opposite_never_both_hold(check: Check) -> None:
    opposite = check.model_copy(update={"expected": not check.expected})
    assert not (judge(check, HOME, 200).passed and judge(opposite, HOME, 200).passed)
    assert describe(check) != describe(opposite)


@given(st.text())
def test_cleaned_text_has_no_control_characters_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert all(character == "\n" or character.isprintable() or ord(character) > 159 for character in cleaned)
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(st.lists(st.lists(st.text(max_size=5), max_size=4), max_size=4), st.booleans())
def test_every_cell_of_a_table_is_in_its_records(rows: list[list[str]], header: bool) -> None:
    table = Table.model_validate({"header": header, "rows": rows})
    told = [cell for record in records(table) for cell in record.values() if cell]
    assert told == [cell for row in table.rows[1 if header else 0 :] for cell in row if cell]
