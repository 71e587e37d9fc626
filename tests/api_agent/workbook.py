"""Makes spreadsheets: XLSX as a spreadsheet program writes it, ODS, and parts of them that no program would write."""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, TypeAlias
from xml.sax.saxutils import escape, quoteattr

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
"""The media type of a workbook."""

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PARTS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_STYLES: Final = f"""<styleSheet xmlns="{_MAIN}"><cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14"/>\
<xf numFmtId="22"/></cellXfs></styleSheet>"""
_ODS: Final = "application/vnd.oasis.opendocument.spreadsheet"
_OASIS: Final = "urn:oasis:names:tc:opendocument:xmlns"


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell with a formula, and the number that it had when the workbook was saved."""

    text: str
    value: float


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell whose formula failed, such as `#N/A`."""

    text: str


Cell: TypeAlias = str | float | bool | date | Formula | Fault | None
Rows: TypeAlias = Sequence[Sequence[Cell]]


def make_xlsx(
    sheets: Mapping[str, Rows], *, merged: Iterable[str] = (), hidden: Iterable[str] = (), xml: bytes = b""
) -> bytes:
    """Return a workbook with these sheets. `merged`: cells of each sheet; `xml`: what stands in place of the first."""
    written = [_sheet(rows, merged) for rows in sheets.values()]
    if xml:
        written[0] = xml
    states = {name: ' state="hidden"' if name in hidden else "" for name in sheets}
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"{states[name]}/>'
        for number, name in enumerate(sheets, 1)
    )
    book = f'<workbook xmlns="{_MAIN}" xmlns:r="{_PARTS}"><sheets>{listed}</sheets></workbook>'
    relations = [(f"rId{number}", "worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(sheets) + 1)]
    parts = {
        "[Content_Types].xml": _content_types(len(sheets)).encode(),
        "_rels/.rels": _relations([("rId1", "officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": book.encode(),
        "xl/_rels/workbook.xml.rels": _relations([*relations, ("rIdStyles", "styles", "styles.xml")]),
        "xl/styles.xml": _STYLES.encode(),
        **{f"xl/worksheets/sheet{number}.xml": content for number, content in enumerate(written, 1)},
    }
    return make_zip(parts)


def sheet_xml(rows: str) -> bytes:
    """Return a sheet with these rows, given as they stand in its XML."""
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def make_ods(name: str, rows: Rows) -> bytes:
    """Return a workbook as OpenDocument has it, with one sheet of texts and numbers."""
    body = "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
    spaces = f'xmlns:office="{_OASIS}:office:1.0" xmlns:table="{_OASIS}:table:1.0" xmlns:text="{_OASIS}:text:1.0"'
    table = f"<table:table table:name={quoteattr(name)}>{body}</table:table>"
    content = f"<office:body><office:spreadsheet>{table}</office:spreadsheet></office:body>"
    manifest = f'<manifest:manifest xmlns:manifest="{_OASIS}:manifest:1.0"/>'
    return make_zip(
        {
            "mimetype": _ODS.encode(),
            "content.xml": f"<office:document-content {spaces}>{content}</office:document-content>".encode(),
            "META-INF/manifest.xml": manifest.encode(),
        }
    )


def make_zip(parts: Mapping[str, bytes]) -> bytes:
    """Return an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _sheet(rows: Rows, merged: Iterable[str]) -> bytes:
    written = "".join(
        f'<row r="{number}">{"".join(_cell(place, number, value) for place, value in enumerate(row))}</row>'
        for number, row in enumerate(rows, 1)
    )
    ranges = "".join(f'<mergeCell ref="{each}"/>' for each in merged)
    after = f"<mergeCells>{ranges}</mergeCells>" if ranges else ""
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{written}</sheetData>{after}</worksheet>'.encode()


def _cell(place: int, row: int, value: Cell) -> str:
    kind, inside = "", f"<v>{value!r}</v>"
    match value:
        case None:
            inside = ""
        case bool():
            kind, inside = ' t="b"', f"<v>{int(value)}</v>"
        case str():
            kind, inside = ' t="inlineStr"', f'<is><t xml:space="preserve">{escape(value)}</t></is>'
        case datetime():
            kind, inside = ' s="2"', f"<v>{_serial(value)!r}</v>"
        case date():
            kind, inside = ' s="1"', f"<v>{_serial(datetime(value.year, value.month, value.day)):.0f}</v>"
        case Formula(text, number):
            inside = f"<f>{escape(text)}</f><v>{number!r}</v>"
        case Fault(text):
            kind, inside = ' t="e"', f"<v>{text}</v>"
        case _:
            pass
    return f'<c r="{chr(ord("A") + place)}{row}"{kind}>{inside}</c>'


def _serial(moment: datetime) -> float:
    """Return a moment as spreadsheets count it: in days since the end of 1899."""
    return (moment - datetime(1899, 12, 30)).total_seconds() / 86_400


def _ods_cell(value: Cell) -> str:
    kind = "string" if isinstance(value, str) else f'float" office:value="{value}'
    return f'<table:table-cell office:value-type="{kind}"><text:p>{value}</text:p></table:table-cell>'


def _relations(listed: Iterable[tuple[str, str, str]]) -> bytes:
    inside = "".join(f'<Relationship Id="{key}" Type="{_PARTS}/{kind}" Target="{to}"/>' for key, kind, to in listed)
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inside}</Relationships>'.encode()


def _content_types(sheets: int) -> str:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "/xl/workbook.xml": "sheet.main",
        "/xl/styles.xml": "styles",
        **{f"/xl/worksheets/sheet{number}.xml": "worksheet" for number in range(1, sheets + 1)},
    }
    listed = "".join(f'<Override PartName="{name}" ContentType="{kind}.{of}+xml"/>' for name, of in parts.items())
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    return (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="{relations}"/>{listed}</Types>'
    )
