"""The skill `analyze-data`: reading tables in all their forms, and profiling them."""

import json
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from api_agent_service import data_analysis, report, tables
from api_agent_service.database import Database
from api_agent_service.material import Source
from shared.agent import File, JsonObject
from shared.errors import InvalidRequestError, TooLargeError
from tests.api_agent.asking import SALES, Outcome, ask, make_settings
from tests.support.serving import serve


async def profile(content: str | bytes, name: str = "", media_type: str = "") -> Outcome:
    raw = content if isinstance(content, bytes) else content.encode()
    return await ask("Profile this", skill="analyze-data", files=(File(name, media_type, raw),))


def kinds(outcome: Outcome) -> dict[str, str]:
    columns = cast("list[JsonObject]", outcome.profile["columns"])
    return {str(column["name"]): str(column["kind"]) for column in columns}


def parquet(sql: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder) / "t.parquet"
        connection.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")
        return path.read_bytes()


CITIES = "SELECT * FROM (VALUES ('Paris', 2.5::DOUBLE), ('Rome', NULL)) AS t(city, price)"


RECORDS = [{"city": "Paris", "price": 2.5}, {"city": "Rome", "price": None}]


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        ("city,price\nParis,2.5\nRome,\n", "t.csv", ""),
        ("city\tprice\nParis\t2.5\nRome\t\n", "t.tsv", "text/tab-separated-values"),
        ("city;price\nParis;2,5\nRome;n/a\n", "", "text/csv"),
        ("city|price\nParis|2.5\nRome|\n", "", "text/plain"),
        (json.dumps(RECORDS), "t.json", ""),
        (json.dumps({"rows": RECORDS}), "", "application/json"),
        (json.dumps({"city": ["Paris", "Rome"], "price": [2.5, None]}), "", "application/json"),
        ('{"city": "Paris", "price": 2.5}\n{"city": "Rome", "price": NaN}\n', "t.jsonl", ""),
        ("| city | price |\n|------|------:|\n| Paris | 2.5 |\n| Rome | |\n", "", "text/plain"),
        ("<table><tr><th>city<th>price<tr><td>Paris<td>2.5<tr><td>Rome<td></table>", "t.html", ""),
        (parquet(CITIES), "t.parquet", ""),
        (parquet(CITIES), "", "application/octet-stream"),
    ],
    ids=[
        "csv",
        "tsv",
        "semicolons",
        "bars",
        "records",
        "inner",
        "columns",
        "lines",
        "markdown",
        "html",
        "parquet",
        "magic",
    ],
)
async def test_the_same_table_is_read_from_every_form(content: str | bytes, name: str, media_type: str) -> None:
    outcome = await profile(content, name, media_type)

    assert kinds(outcome) == {"city": "text", "price": "number"}
    assert outcome.profile["rows"] == 2
    assert outcome.column("price")["missing"] == 1
    assert cast("JsonObject", outcome.column("price")["distribution"])["mean"] == 2.5


async def test_a_table_comes_in_the_text_as_a_data_part_or_behind_a_url() -> None:
    async def table(_request: Request) -> Response:
        return PlainTextResponse("city,price\nParis,2.5\nRome,\n", media_type="text/csv")

    async with serve(Starlette(routes=[Route("/data", table)])) as url:
        outcomes = [
            await ask("Profile this table:\n\ncity,price\nParis,2.5\nRome,\n\nThank you!"),
            await ask("Profile this:\n```csv\ncity,price\nParis,2.5\nRome,\n```"),
            await ask(f"Profile: {json.dumps(RECORDS)}"),
            await ask("Profile it", data=(cast("list[JsonObject]", RECORDS),)),
            await ask("", data=({"question": "profile", "csv": "city,price\nParis,2.5\nRome,\n"},)),
            await ask(f"Profile the columns of {url}/data"),
        ]

    assert [outcome.profile["rows"] for outcome in outcomes] == [2] * 6
    assert all(kinds(outcome) == {"city": "text", "price": "number"} for outcome in outcomes)


async def test_a_file_of_the_folder_is_read_by_name_and_none_outside_it(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "sales.csv").write_text(SALES)
    (tmp_path / "secret.csv").write_text(SALES)
    (tmp_path / "docs" / "link.csv").symlink_to(tmp_path / "secret.csv")
    own = make_settings(data_files=tmp_path / "docs")

    for name in ("sales.csv", "docs/sales.csv"):
        assert (await ask(f"Profile {name}", settings=own)).profile["rows"] == 6
    for name in ("secret.csv", "../secret.csv", "link.csv", "docs/../secret.csv"):
        with pytest.raises(InvalidRequestError, match=r"There is no file .*\.csv here\. Attach it"):
            await ask(f"Profile {name}", settings=own)


async def test_a_profile_tells_what_is_in_the_table() -> None:
    outcome = await ask(f"Profile this CSV:\n{SALES}")

    assert kinds(outcome) == {
        **dict.fromkeys(("order_id", "price", "quantity", "revenue"), "number"),
        **dict.fromkeys(("city", "product", "status"), "text"),
        "date": "date",
    }
    revenue = cast("JsonObject", outcome.column("revenue")["distribution"])
    assert (revenue["minimum"], revenue["median"], revenue["maximum"], revenue["total"]) == (10, 24, 120, 191.5)
    assert revenue["mean"] == pytest.approx(38.3)
    assert revenue["std"] == pytest.approx(46.1595, abs=1e-4)
    assert sum(cast("int", bar["count"]) for bar in cast("list[JsonObject]", revenue["histogram"])) == 5
    assert cast("JsonObject", revenue["outliers"])["examples"] == [[4, 120.0]]
    assert outcome.column("status")["top"] == [
        {"value": "shipped", "count": 3, "share": 0.5},
        {"value": "open", "count": 2, "share": pytest.approx(1 / 3)},
        {"value": "cancelled", "count": 1, "share": pytest.approx(1 / 6)},
    ]
    assert (outcome.column("date")["earliest"], outcome.column("date")["latest"]) == ("2023-12-30", "2024-03-11")
    assert outcome.column("order_id")["identifier"] is True
    [strong] = cast("list[JsonObject]", outcome.profile["strong_correlations"])
    assert (strong["first"], strong["second"], strong["r"]) == ("price", "revenue", pytest.approx(0.939, abs=1e-3))
    for said in (
        "has 6 rows and 8 columns",
        "| price | 1 | 16.7% |",
        "price and revenue go together",
        "shipped (3, 50%)",
    ):
        assert said in outcome.text


async def test_a_chart_comes_as_a_specification_and_drawn() -> None:
    profiled = await ask(f"Profile this CSV:\n{SALES}")
    answered = await ask(f"Total revenue by month\n{SALES}")
    plain = await ask(f"Total revenue by month, without a chart\n{SALES}")

    for outcome in (profiled, answered):
        specification, picture = outcome.files
        assert specification.media_type == "application/vnd.vegalite.v5+json"
        assert picture.media_type == "image/png"
        assert (picture.content or b"").startswith(b"\x89PNG")
    drawn = json.loads(answered.files[0].content or b"")
    assert drawn["mark"]["type"] == "line"
    assert drawn["data"]["values"][0] == {"x": "2023-12", "y": 10.0}
    assert plain.files == []


async def test_only_the_part_of_a_profile_that_is_asked_for_is_told() -> None:
    missing = await ask(f"Which columns have missing values?\n{SALES}")
    outliers = await ask(f"Are there outliers in revenue?\n{SALES}")

    assert "### Missing values" in missing.text
    assert "### Numbers" not in missing.text
    assert "- revenue: 1 value outside" in outliers.text
    assert "quantity" not in outliers.text


async def test_numbers_dates_and_truth_values_are_read_as_people_write_them() -> None:
    outcome = await profile(
        "amount,share,de,zip,paid,when,at,day\n"
        '"$1,200.50",12%,"1.234,5",01234,yes,13/02/2024,2024-01-05T10:00:00Z,"Jan 5, 2024"\n'
        '$3,5%,"12,25",00012,no,14/02/2024,2024-01-05 11:30:00+02:00,"Feb 6, 2024"\n'
    )

    assert kinds(outcome) == {
        **dict.fromkeys(("amount", "share", "de"), "number"),
        "zip": "text",
        "paid": "boolean",
        **dict.fromkeys(("when", "day"), "date"),
        "at": "datetime",
    }
    assert outcome.column("amount")["unit"] == "$"
    assert cast("JsonObject", outcome.column("amount")["distribution"])["maximum"] == 1200.5
    assert cast("JsonObject", outcome.column("de")["distribution"])["maximum"] == 1234.5
    assert outcome.column("when")["earliest"] == "2024-02-13"
    assert outcome.column("at")["earliest"] == "2024-01-05 09:30:00"


async def test_a_date_that_can_be_read_two_ways_is_pointed_out() -> None:
    outcome = await profile("when,n\n01/02/2024,1\n03/04/2024,2\n")

    assert "read as month/day/year; day/month/year would fit too" in outcome.text


async def test_a_few_odd_values_among_numbers_count_as_missing_and_are_named() -> None:
    outcome = await profile("id,n\n" + "".join(f"a{number},{number}\n" for number in range(30)) + "b,about ten\n")

    assert kinds(outcome)["n"] == "number"
    assert "1 value in n cannot be read among the numbers and count" in outcome.text
    assert "'about ten'" in outcome.text


@pytest.mark.parametrize(
    ("plain", "late", "kind", "distinct"),
    [
        ("7", "1.5", "number", 2),
        ("7", "007", "text", 2),
        ("7", "15e-1", "number", 2),
        ("7", "9007199254740993", "number", 2),
        ("7", "$5", "number", 2),
        ("7", " N/A ", "number", 1),
        ("7.5", "inf", "number", 1),
        ("7.5", "-07.5", "text", 2),
        ("2024-01-31", "2024-02-30", "date", 1),
        ("2024-01-31T10:00:00Z", "2024-02-30T10:00:00Z", "datetime", 1),
        ("yes", "perhaps", "text", 2),
        ("Rome", "\u00a0Rome ", "text", 1),
    ],
)
async def test_a_late_value_that_is_not_as_the_first_thousand_is_read_as_if_it_had_come_first(
    plain: str, late: str, kind: str, distinct: int
) -> None:
    values = [plain] * 1_200
    found = [
        (await profile("v,n\n" + "".join(f"{value},1\n" for value in ordered))).column("v")
        for ordered in ([late, *values], [*values, late])
    ]

    told = [{name: column[name] for name in ("kind", "distinct", "missing")} for column in found]
    assert told[0] == told[1]
    assert (told[1]["kind"], told[1]["distinct"]) == (kind, distinct)


async def test_lines_with_nothing_but_blanks_are_no_rows() -> None:
    outcome = await profile("a,b,c\n1,,2\n,,\n , \u00a0,\n,x,\n\n")

    assert outcome.profile["rows"] == 2


async def test_a_comma_after_a_zero_is_a_decimal_comma() -> None:
    outcome = await ask("total weight", files=(File("t.csv", "", b"id;weight\na;0,125\nb;0,250\nc;1,375\n"),))

    assert outcome.rows == [{"total weight": 1.75}]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("1.250;2.500;7.125", "as marks of thousands they would fit too"),
        ("$5;€7;$9", "several units ($, €), which are not converted"),
    ],
)
async def test_numbers_that_can_be_read_otherwise_are_pointed_out(values: str, said: str) -> None:
    outcome = await ask("total price", files=(File("t.csv", "", "\n".join(["price", *values.split(";")]).encode()),))

    assert said in " ".join(cast("list[str]", outcome.data["notes"]))


@pytest.mark.parametrize("values", ["0.125;2.500", "1.25;2.500", "5;7", "1,250;2,500"])
async def test_numbers_that_are_plain_are_not_remarked_upon(values: str) -> None:
    first, second = values.split(";")
    outcome = await ask("total n", files=(File("t.csv", "", f"id;n\na;{first}\nb;{second}\n".encode()),))

    assert outcome.data["notes"] == ["The columns are separated by semicolons."]


@pytest.mark.parametrize(
    "content",
    [
        "product,price,quantity\nPen,2.5,10\nBook,12,2\nTotal,,12\n",
        'product,price,quantity\nPen,2.5,10\nBook,12,2\n"**Grand total:**",14.50,12\n',
        "product;price;quantity\nPen;2,5;10\nBook;12,0;2\nSumme;14,50;12\n",
        json.dumps(
            [{"product": "Pen", "quantity": 10}, {"product": "Book", "quantity": 2}, {"product": "Sum", "quantity": 12}]
        ),
        "<table><tr><th>product<th>quantity<tr><td>Pen<td>10<tr><td>Book<td>2<tr><td>Total<td>12</table>",
        "line,quantity\n" + "".join(f"{line},1\n" for line in range(1, 13)) + "Total,12\n",
        parquet(
            "SELECT * FROM (VALUES ('Pen', 10, 2.5::DECIMAL(9,2)), ('Book', 2, 12), ('Total', 12, NULL)) "
            "AS t(product, quantity, price)"
        ),
    ],
)
async def test_a_last_row_with_the_sums_of_the_others_is_left_out_and_told(content: str | bytes) -> None:
    outcome = await profile(content)

    assert cast("JsonObject", outcome.column("quantity")["distribution"])["total"] == 12
    assert "has the sums of the rows above it, and is left out" in outcome.text


async def test_ids_of_parquet_that_are_longer_than_numbers_are_exact_stay_text() -> None:
    outcome = await profile(
        parquet("SELECT 18446744073709551610::UBIGINT + range::UBIGINT AS id, range::UBIGINT AS n FROM range(3)")
    )

    assert kinds(outcome) == {"id": "text", "n": "number"}
    assert outcome.column("id")["distinct"] == 3


@pytest.mark.parametrize(
    ("content", "noted"),
    [
        ("brand,stock\nShell,10\nTotal,7\n", 1),
        ("brand,stock\nShell,0\nTotal,0\n", 1),
        ("brand,stock\nTotal,10\nShell,10\n", 0),
        (parquet("SELECT * FROM (VALUES ('Shell', 10), ('Total', 7)) AS t(brand, stock)"), 1),
    ],
)
async def test_a_last_row_that_is_only_called_a_total_counts_like_the_others(content: str | bytes, noted: int) -> None:
    outcome = await profile(content)

    assert outcome.profile["rows"] == 2
    assert outcome.text.count("is called 'Total' but has no sum of the rows above it") == noted


@pytest.mark.parametrize("above", ["Sales 2024\n\n", "Sales 2024,,\n,,\n", '"Sales\n2024"\nin thousands\n'])
@pytest.mark.parametrize("quote", ["", ' "'], ids=["plain", "written anew"])
async def test_a_title_above_the_names_is_left_out_and_said(above: str, quote: str) -> None:
    table = f"{above}region,month,sales\nNorth,{quote}Jan{quote.strip()},10\nSouth,Feb,20\n"
    outcome = await ask(f"total sales by region\n\n```\n{table}```")

    assert [list(row.values()) for row in outcome.rows] == [["South", 20], ["North", 10]]
    assert "The lines above the column names are left out: 'Sales" in outcome.text


async def test_one_name_beside_an_empty_one_is_no_title() -> None:
    assert (await ask("Profile this", data=({"csv": ",city\nAnna,Paris\nBob,Rome\n"},))).profile["rows"] == 2


async def test_the_line_of_a_ragged_table_is_counted_with_those_above_it() -> None:
    with pytest.raises(InvalidRequestError, match="line 4 has 4 columns where the first line has 3"):
        await ask("Profile this", data=({"csv": "Sales 2024\na,b,c\n1,2,3\n1,2,3,4\n"},))


async def test_the_line_that_tells_a_spreadsheet_the_separator_is_no_row() -> None:
    outcome = await profile("sep=;\r\nStadt;Preis\r\nBonn;2\r\nUlm;3\r\n", "t.csv")

    assert kinds(outcome) == {"Stadt": "text", "Preis": "number"}
    assert outcome.profile["rows"] == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
async def test_encodings_are_recognised(encoding: str) -> None:
    outcome = await profile("Stadt;Preis\nKöln;1,5\nBonn;2,5\n".encode(encoding), "t.csv")

    assert kinds(outcome) == {"Stadt": "text", "Preis": "number"}
    assert "Köln" in outcome.text


async def test_a_table_without_names_gets_some() -> None:
    outcome = await profile("Paris,1\nRome,2\n")

    assert kinds(outcome) == {"column_1": "text", "column_2": "number"}
    assert "There is no line of column names" in outcome.text


async def test_nested_json_is_spread_into_columns() -> None:
    outcome = await profile('[{"a": {"b": 1, "c": {"d": "x"}}, "l": [1, 2]}, {"a": {"b": 99999999999999999999}}]')

    assert kinds(outcome) == {"a.b": "number", "a.c.d": "text", "l": "text"}


async def test_rare_types_of_parquet_are_made_plain() -> None:
    outcome = await profile(
        parquet(
            "SELECT {'x': 1, 'y': {'z': 'a'}} AS s, 1.50::DECIMAL(10, 2) AS d, 'a'::ENUM('a', 'b') AS c, [1, 2] AS l, "
            "DATE '2024-01-05' AS t, 'x'::BLOB AS b, 'nan'::DOUBLE AS n, TIMESTAMPTZ '2024-01-05 10:00:00+02' AS z"
        )
    )

    numbers = dict.fromkeys(("s.x", "d", "n"), "number")
    assert kinds(outcome) == {**numbers, "s.y.z": "text", "c": "text", "l": "text", "t": "date", "z": "datetime"}
    assert outcome.column("n")["missing"] == 1
    assert outcome.column("z")["earliest"] == "2024-01-05 08:00:00"
    assert "The column b is binary and left out" in outcome.text


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ("a,b\n1,2\n3\n5,6\n", "t.csv", r"'t.csv' is ragged: line 3 has 1 columns where the first line has 2"),
        ('a,b\n1,"2\n3,4\n', "t.csv", r"'t.csv' is not valid CSV at line 2"),
        ("a,b\n", "t.csv", r"'t.csv' has no rows"),
        ("  \n\n", "t.csv", r"'t.csv' is empty"),
        ("[]", "t.json", r"'t.json' has no rows"),
        ("17", "t.json", r"'t.json' holds no table"),
        ('[{"a": 1},\n{"a" 2}]', "t.json", r"'t.json' is not valid JSON at line 2, column 6"),
        ("[" * 5000, "t.json", r"'t.json' is not valid JSON at line 1, column 1: nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "t.json", r"a number has too many digits"),
        ('{"a": 1}\n{"a": }\n', "t.jsonl", r"'t.jsonl' is not valid JSON Lines at line 2, column 7"),
        (b"PAR1 and rubbish PAR1", "t.parquet", r"'t.parquet' is not Parquet that can be read"),
        (b"\x7fELF\x00\x00\x01", "t.bin", r"'t.bin' is binary, and neither Parquet nor a spreadsheet"),
        ("It was a dark and stormy night.\nThe wind blew.\n", "t.txt", r"'t.txt' is not a table that can be read"),
        ("<html><p>Nothing here</p></html>", "t.html", r"'t.html' is a web page without a table"),
    ],
)
async def test_what_cannot_be_read_is_named_with_its_place(content: str | bytes, name: str, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        await profile(content, name)


async def test_a_ragged_table_in_the_text_is_told_so() -> None:
    with pytest.raises(InvalidRequestError, match="The message is ragged: line 2 has 3 columns"):
        await ask("Average a:\na,b\n1,2,3\n4,5\n")


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_data_rows": 3}, r"has more than 3 rows, the limit set by MAX_DATA_ROWS"),
        ({"max_data_columns": 3}, r"has 8 columns, more than 3, the limit of MAX_DATA_COLUMNS"),
        ({"max_data_bytes": 100}, r"has more than 100 bytes, the limit set by MAX_DATA_BYTES"),
    ],
)
async def test_a_table_above_a_limit_names_its_setting(limits: dict[str, object], said: str) -> None:
    for content in (SALES.encode(), parquet(f"SELECT n AS {', n AS '.join('abcdefgh')} FROM range(6) AS t(n)")):
        with pytest.raises(TooLargeError, match=said):
            await ask(
                "Profile", files=(File("t", "", content),), skill="analyze-data", settings=make_settings(None, **limits)
            )


async def test_no_table_says_how_to_give_one() -> None:
    with pytest.raises(
        InvalidRequestError, match=r"There is no table to analyze\. Paste CSV or JSON below the question"
    ):
        await ask("What is the average price by city?", skill="analyze-data")


async def test_the_largest_table_of_a_page_is_read() -> None:
    async def page(_request: Request) -> Response:
        small = "<table><tr><td>a<td>b<tr><td>1<td>2</table>"
        rows = "".join(f"<tr><td>c{number}<td>{number}</td></tr>" for number in range(5))
        return HTMLResponse(f"<html><body>{small}<table><tr><th>city<th>size</tr>{rows}</table></body></html>")

    async with serve(Starlette(routes=[Route("/cities", page)])) as url:
        outcome = await ask(f"What is the average size in {url}/cities")

    assert outcome.rows == [{"average size": 2.0}]


@pytest.mark.parametrize(
    "head",
    [
        "<tr><th rowspan=2>City<th colspan=2>2023</tr><tr><th>Q1<th>Q2</tr>",
        "<thead><tr><td>City<td colspan=2>2023</tr><tr><td><td>Q1<td>Q2</tr></thead>",
    ],
)
async def test_names_over_several_lines_of_a_page_s_table_are_put_together(head: str) -> None:
    rows = "<tr><td rowspan=2>Rome<td>1<td>2</tr><tr><td>3<td>4</tr><tr><th>Oslo<td>5<td>6</tr>"
    page = File("t.html", "text/html", f"<table>{head}{rows}</table>".encode())
    outcome = await ask("total 2023 Q2 by City", skill="analyze-data", files=(page,))

    assert [tuple(row.values()) for row in outcome.rows] == [("Oslo", 6), ("Rome", 6)]


async def test_prose_beside_a_file_is_not_taken_for_a_table() -> None:
    text = "Read this file, please,\nand tell me, kindly,\nthe average price, by city"
    outcome = await ask(text, files=(File("sales.csv", "text/csv", SALES.encode()),))

    assert [row["city"] for row in outcome.rows] == ["Oslo", "Paris", "Rome"]


async def test_several_files_are_analyzed_each() -> None:
    files = tuple(File(f"{name}.csv", "text/csv", f"x\n{number}\n".encode()) for number, name in enumerate("abc", 1))
    outcome = await ask("max x", files=files, skill="analyze-data")

    found = cast("list[JsonObject]", outcome.data["tables"])
    assert [cast("list[JsonObject]", one["answers"])[0]["rows"] for one in found] == [
        [{"maximum x": n}] for n in (1, 2, 3)
    ]


async def test_markup_in_a_table_stays_text() -> None:
    outcome = await profile("name,n\n<img src=x onerror=alert(1)>|[x](javascript:1),1\nb,2\nb,3\n")

    assert r"\<img src=x onerror=alert(1)\>\|\[x\](javascript:1)" in outcome.text


@contextmanager
def open_table(source: Source) -> Generator[tables.Table]:
    with tempfile.TemporaryDirectory() as folder, closing(Database(Path(folder) / "t", make_settings())) as store:
        yield tables.read(source, store, make_settings())


cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=12),
    st.lists(st.integers(), max_size=2),
)


@example([{"0": "\r"}, {"0": 'a"\r\nb'}])
@given(st.lists(st.dictionaries(st.text(max_size=6), cells, max_size=4), min_size=1, max_size=12))
@settings(max_examples=15, deadline=None)
def test_any_records_are_profiled_without_losing_a_row(records: list[dict[str, object]]) -> None:
    content = json.dumps(records).encode()
    if not any(records):
        return
    with open_table(Source("t", "application/json", content)) as table:
        found = data_analysis.profile(table)

    assert found.rows == len(records)
    json.dumps(report.profile_json(found), allow_nan=False)
    assert report.write_profile(found)


@given(st.lists(st.lists(st.text(alphabet="ab1,;\"\n' é", max_size=6), min_size=2, max_size=2), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None)
def test_quoted_csv_is_read_as_it_was_written(rows: list[list[str]]) -> None:
    quoted = ["name,value", *(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)]
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    if not kept:
        return
    with open_table(Source("t.csv", "text/csv", "\n".join(quoted).encode())) as table:
        assert table.columns == ["name", "value"]
        assert table.rows == len(kept)


async def test_tables_that_are_to_be_joined_are_refused() -> None:
    files = (
        File("orders.csv", "text/csv", b"customer,amount\n10,5\n11,7\n"),
        File("refunds.csv", "text/csv", b"customer,amount\n10,1\n12,2\n"),
    )
    for asked in (
        "join both by customer: total amount by customer",
        "Could you merge these and show the total amount?",
    ):
        with pytest.raises(InvalidRequestError, match="Tables are not joined"):
            await ask(asked, skill="analyze-data", files=files)
    apart = await ask("total amount", skill="analyze-data", files=files)

    assert "**12**" in apart.text
    assert "**3**" in apart.text


async def test_a_column_whose_name_says_join_asks_for_no_join() -> None:
    files = (
        File("north.csv", "text/csv", b"name,join date,amount\nAda,2024-01-02,5\nBo,2024-02-03,7\n"),
        File("south.csv", "text/csv", b"name,join date,amount\nCy,2024-01-05,1\nDi,2024-03-01,2\n"),
    )
    apart = await ask("total amount by month of join date", skill="analyze-data", files=files)
    assert apart.text.count("| total amount |") == 2
