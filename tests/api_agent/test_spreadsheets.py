"""A spreadsheet is asked as a CSV is: one sheet of it, which the answer names; hostile ones are refused."""

import base64
import zlib
from datetime import date, datetime
from typing import Final, cast

import pytest

from shared.agent import File, JsonObject
from shared.errors import InvalidRequestError, TimedOutError, TooLargeError
from tests.api_agent.asking import Outcome, ask, make_settings
from tests.api_agent.workbook import Fault, Formula, Rows, make_ods, make_xlsx, make_zip, sheet_xml

_SALES: Final[Rows] = [["region", "sales"], ["North", 10], ["South", 5], ["North", 2.5]]
_BY_REGION: Final = [{"region": "North", "total sales": 12.5}, {"region": "South", "total sales": 5}]
_OLD_XLS: Final = (  # _SALES as Excel 97 has them, and a column of dates
    "c-rk)O=uHA6#izDv`J|GYFcT95(-w0Eh1jLw5w9>DWTefKL|B7!IqXp(s-x`t=1d`!IR>pP!C?JUi?7?e=Z(`iXH?(Nc7l~px~j+`rgZKo74&o"
    "XrX1lW!}uZnQ!Lp%)FVMeLoi}Oh0TbVg-8OK*{i+u0p3Mc&tniRBjlYv|={}!^Vb!$4wJi=fX4JyLz5Op6?<wJaE1u34En+8s`zuq*IY~#38XEq1"
    "c9Qk_vZ7<422F)hP0;$Sor8OU>sZ4~XWv$Zo1zP^U1b$D{krReVBgmoh)N-N(ZDESkM&!dqU&mv5+YT^9~!M-pQjtf0-=fEmz)_NCIPEawBb3omez"
    "&=rey_4XDJrpcbcPa^{Su)O+Z#MZB`UV-$#s`d4M(Yt99SL$zSPGAzo8F7+4eAw#b5*G#%W2x~4>=B=Km3=##IyaI@Q)ZkC9Y8WMLAiJ)n;WKhAaf"
    "x%?B#7<wuNBTw%`+YX&{+IK++*`njqP=aPRwv*igSdD4Iz*3d#q@cD4@&t}uhhekl<X>4*WM!q_eHs<gUI(yb!HWH`kg{Y_@#$duH%CZ!$J&pyFNe"
    "Md!lC#CcAN1wFizv;UuJ=<5j7@qy4Potd<uq5&MnL?-PRJU(2p6XVt%+2MC$d*4g8n+fSZ8ywQF@QyOEka0SIme@;mU5aoR?Jqbu$8cRJYG=$O4w"
    "1^=w83kh{-%n+NtJg!sF4rq<PIbX*T<DtWw{x)DPEpNd0-r_GpcG#EsGBxePCC*sx*4h7B7wY-}<p`A95(iaVF@34C{y|2m5lO7?G(O^aj5(37J}"
    "<zb{L&SIjb_0tTOvf5H><XHa;8ON#jEJiUTc8u1%e(AEND&J?##NfYkp<4Sd)ney=?*BK@3EMg"
)


async def _ask(question: str, content: bytes, name: str = "t.xlsx", **settings: object) -> Outcome:
    files = (File(name, "", content),)
    return await ask(question, skill="analyze-data", files=files, settings=make_settings(None, **settings))


def _kinds(outcome: Outcome) -> dict[str, str]:
    return {str(each["name"]): str(each["kind"]) for each in cast("list[JsonObject]", outcome.profile["columns"])}


async def test_a_sheets_cells_become_numbers_dates_truth_values_and_text_as_a_csvs_do() -> None:
    rows: Rows = [
        ["zip", "day", "seen at", "ok", "share", "twice", "n", "weight"],
        ["007", date(2024, 1, 5), datetime(2024, 1, 5, 13, 30), True, 0.125, Formula("G2*2", 8.0), 4, 1.234],
        ["008", date(2024, 2, 6), datetime(2024, 1, 6), False, 0.5, Fault("#N/A"), 5, 2.345],
    ]
    profiled = await _ask("Profile this", make_xlsx({"Data": rows}))
    summed = await _ask("total twice", make_xlsx({"Data": rows}))
    heaviest = await _ask("maximum weight", make_xlsx({"Data": rows}))
    latest = await _ask("latest seen at", make_xlsx({"Data": rows}))

    assert _kinds(profiled) == {
        "zip": "text",
        "day": "date",
        "seen at": "datetime",
        "ok": "boolean",
        "share": "number",
        "twice": "number",
        "n": "number",
        "weight": "number",
    }
    assert profiled.column("twice")["missing"] == 1
    assert [list(each.rows[0].values()) for each in (summed, heaviest, latest)] == [
        [8],
        [2.345],
        ["2024-01-06 00:00:00"],
    ]
    assert "two ways" not in heaviest.text, "a number in a cell has one meaning"


async def test_titles_above_the_names_empty_edges_and_merged_cells_leave_the_table_as_it_is_meant() -> None:
    rows: Rows = [
        [],
        [None, "Sales report 2024"],
        [],
        [None, "region", "month", "sales", "target", ""],
        [None, "North", "Jan", 10, 100, ""],
        [None, None, "Feb", 20, None, ""],
        [None, "South", "Jan", 5, 40, ""],
    ]
    content = make_xlsx({"Data": rows}, merged=["B2:E2", "B5:B6", "E5:E6"])
    by_region = await _ask("total sales by region", content)
    targets = await _ask("total target", content)

    assert by_region.rows == [{"region": "North", "total sales": 30}, {"region": "South", "total sales": 5}]
    assert by_region.data["columns"] == ["region", "month", "sales", "target"]
    assert targets.rows == [{"total target": 140}], "a number in merged cells counts once"
    assert "The lines above the column names are left out: 'Sales report 2024'." in by_region.text


async def test_the_first_sheet_with_a_table_is_read_unless_one_is_named_and_the_answer_says_which() -> None:
    late: Rows = [["region", "sales"], ["East", 7]]
    sheets: dict[str, Rows] = {
        "Read me": [["Figures of 2024"], ["Ask finance"]],
        "Notes": [],
        "Hidden": [["region", "sales"], ["West", 1]],
        "Sales": _SALES,
        "Second half": late,
    }
    content = make_xlsx(sheets, hidden=["Hidden"])
    first = await _ask("total sales by region", content)
    assert first.rows == _BY_REGION
    assert "The sheet 'Sales' was read. Others are: 'Read me', 'Notes', 'Second half'" in first.text

    for question in (
        "total sales by region on the sheet Second half",
        'On the "second half" sheet, total sales by region?',
        "total sales by region in sheet 4",
    ):
        named = await _ask(question, content)
        assert named.rows == [{"region": "East", "total sales": 7}], question
        assert "The sheet 'Second half' was read." in named.text
        assert "changed nothing" not in named.text

    chosen = await ask(
        "total sales by region",
        skill="analyze-data",
        data=({"sheet": "hidden"},),
        files=(File("t.xlsx", "", content),),
        settings=make_settings(),
    )
    assert chosen.rows == [{"region": "West", "total sales": 1}]


@pytest.mark.parametrize(
    "question", ["total sales in the sheet 'Q3'", "total sales on sheet Q3", "on sheet 3, total sales"]
)
async def test_a_sheet_that_is_not_there_is_refused_with_the_names_of_those_that_are(question: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"has no sheet 'Q?3'\. Its sheets are: 'Sales'\."):
        await _ask(question, make_xlsx({"Sales": _SALES}))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (zlib.decompress(base64.b85decode(_OLD_XLS)), "t.xls"),
        (make_ods("Sales", _SALES), "t.ods"),
        (b"region,sales\nNorth,10\nSouth,5\nNorth,2.5\n", "named-so-only.xls"),
    ],
    ids=["xls", "ods", "csv"],
)
async def test_what_other_programs_save_is_read_too(content: bytes, name: str) -> None:
    assert (await _ask("total sales by region", content, name)).rows == _BY_REGION


_ENTITIES: Final = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{f"&{inner};" * 10}">' for inner, name in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
_IN_A_CELL: Final = '<row r="1"><c r="A1" t="inlineStr"><is><t>&i;</t></is></c></row>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            make_zip({"a.csv": b"a,b"}),
            "'t.xlsx' is an archive, .* Save the table as .xlsx or CSV, or unpack and decrypt",
        ),
        (make_zip({"xl/workbook.xml": b"<workbook>"}), "is an archive, or encrypted, or a broken file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000), "is an archive, or encrypted, or a broken file"),
        (make_xlsx({"Sales": _SALES})[:900], "is an archive, or encrypted, or a broken file"),
        (make_xlsx({"S": []}, xml=_ENTITIES.encode() + sheet_xml(_IN_A_CELL)), "or a broken file"),
        (make_xlsx({"S": []}, xml=sheet_xml('<row r="9"><c r="A4000000000"><v>1</v></c></row>')), "or a broken file"),
        (make_xlsx({"Notes": [], "More": []}), "it has no sheet with data. Its sheets are: 'Notes', 'More'"),
        (make_xlsx({"Only": [["Ask finance"]]}), "is not a table that can be read"),
    ],
    ids=["archive", "no workbook", "encrypted", "half", "entities", "far row", "empty", "one cell"],
)
async def test_a_file_that_holds_no_sheet_to_read_says_what_to_do(content: bytes, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        await _ask("total sales by region", content)


async def test_a_small_file_that_would_become_a_huge_sheet_is_refused() -> None:
    corners = sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
    with pytest.raises(TooLargeError, match=r"more than 60 s or 1 GiB of memory to read\. Save the sheet .* as CSV"):
        await _ask("profile", make_xlsx({"Sales": []}, xml=corners))

    long: Rows = [["name", "text"], *(["a", "x" * 30_000] for _ in range(50))]
    with pytest.raises(TooLargeError, match=r"unpacks to more than 1 MB of text \(DATA_DISK_MB\)"):
        await _ask("profile", make_xlsx({"Sales": long}), data_disk_mb=1)

    wide = sheet_xml('<row r="1"><c r="A1"><v>1</v></c><c r="ABC1"><v>1</v></c></row>')
    with pytest.raises(TooLargeError, match=r"731 columns, more than 100, the limit of MAX_DATA_COLUMNS"):
        await _ask("profile", make_xlsx({"Sales": []}, xml=wide), max_data_columns=100)


async def test_a_sheet_that_takes_too_long_names_the_setting() -> None:
    endless = make_xlsx({"Sales": []}, xml=sheet_xml('<row r="1"/>' * 10_000_000))
    with pytest.raises(TimedOutError, match=r"within 0\.2 s \(DATA_TIMEOUT_S\)"):
        await _ask("profile", endless, data_timeout_s=0.2)
