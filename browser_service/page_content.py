"""What can be read off a page as it is shown: title, headings, links, tables, text. All of it is peer text."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

_MAX_LABEL_CHARS = 1_000
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_PRICE = re.compile(
    r"(?:[$€£¥₹]|\b(?:USD|EUR|GBP|CHF|JPY)\b)\s?\d{1,3}(?:[\d.,' ]*\d)?"
    r"|\b\d{1,3}(?:[\d.,']*\d)?\s?(?:[€£¥₹]|\b(?:USD|EUR|GBP|CHF|JPY)\b)"
)


def clean(text: str) -> str:
    """Return `text` without control and text-direction characters; runs of blanks and empty lines become one."""
    kept = "".join(
        character
        for character in text.replace("\r\n", "\n").replace("\t", " ")
        if character == "\n" or not (unicodedata.category(character) in {"Cc", "Cs"} or character in _BIDI_CONTROLS)
    )
    lines = (" ".join(line.split()) for line in kept.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _clean_label(value: object) -> object:
    if not isinstance(value, str):
        return value
    label = " ".join(clean(value).split())
    return label if len(label) <= _MAX_LABEL_CHARS else label[: _MAX_LABEL_CHARS - 1] + "…"


def _clean_text(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


Label = Annotated[str, BeforeValidator(_clean_label)]
Text = Annotated[str, BeforeValidator(_clean_text)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Heading(_Part):
    """A heading; level 1 is the highest."""

    level: int
    text: Label


class Link(_Part):
    """A link with its absolute address."""

    text: Label
    url: Label


class Image(_Part):
    """An image: its alternative text and absolute address."""

    text: Label
    url: Label


class Table(_Part):
    """A table's cells, row by row; `header` says whether the first row names the columns."""

    header: bool
    rows: tuple[tuple[Label, ...], ...]


class Thing(_Part):
    """Something that a person sees on the page: a button, a field, an error message, an item of a list, …

    `hint` is what its markup says of it (id, class, type), lower case. `value`: what is in a field, or where a link
    leads; a password is never in it. `states`: disabled, checked, required, invalid, focused, expanded, selected,
    readonly.
    """

    kind: str
    name: Label
    hint: Label = ""
    value: Label = ""
    states: tuple[str, ...] = ()


class Hidden(_Part):
    """A text that is in the page but that nobody sees there: `how` is transparent, off-screen, zero-size, aria-only."""

    how: Literal["transparent", "off-screen", "zero-size", "aria-only"]
    text: Label


class Content(_Part):
    """What one frame, or a page with its frames, shows. `is_cut`: there is more than may be told at once.

    What is hidden from people is in `hidden` and nowhere else.
    """

    url: Label
    title: Label
    description: Label
    headings: tuple[Heading, ...]
    links: tuple[Link, ...]
    tables: tuple[Table, ...]
    images: tuple[Image, ...]
    list_items: tuple[Label, ...]
    buttons: tuple[Label, ...]
    fields: tuple[Label, ...]
    forms: int
    text: Text
    is_cut: bool
    hidden: tuple[Hidden, ...] = ()
    things: tuple[Thing, ...] = ()

    @property
    def main_heading(self) -> str | None:
        """The first of the highest headings."""
        return min(self.headings, key=lambda heading: heading.level).text if self.headings else None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all, not even a title, a picture or a control."""
        return not (self.title or self.text or self.images or self.links or self.fields or self.buttons or self.things)

    @property
    def prices(self) -> list[str]:
        """The amounts of money in the text, in order, each once."""
        return list(dict.fromkeys(match.group().strip() for match in _PRICE.finditer(self.text)))


def join(main: Content, frames: Sequence[Content], max_text_chars: int) -> Content:
    """Return a page's content with that of its frames behind it, the text capped."""
    text = "\n\n".join(part.text for part in (main, *frames) if part.text)
    return main.model_copy(
        update={
            "headings": main.headings + tuple(heading for frame in frames for heading in frame.headings),
            "links": tuple(dict.fromkeys(link for part in (main, *frames) for link in part.links)),
            "tables": main.tables + tuple(table for frame in frames for table in frame.tables),
            "images": main.images + tuple(image for frame in frames for image in frame.images),
            "list_items": main.list_items + tuple(item for frame in frames for item in frame.list_items),
            "buttons": main.buttons + tuple(button for frame in frames for button in frame.buttons),
            "fields": main.fields + tuple(field for frame in frames for field in frame.fields),
            "forms": main.forms + sum(frame.forms for frame in frames),
            "hidden": main.hidden + tuple(piece for frame in frames for piece in frame.hidden),
            "things": main.things + tuple(thing for frame in frames for thing in frame.things),
            "text": text[:max_text_chars],
            "is_cut": main.is_cut or len(text) > max_text_chars,
        }
    )


def records(table: Table) -> list[dict[str, str]]:
    """Return the rows of `table` as records, keyed by its header, or by "column 1", "column 2" where it has none."""
    if not table.rows:
        return []
    width = max(len(row) for row in table.rows)
    names: list[str] = []
    for index in range(width):
        name = table.rows[0][index] if table.header and index < len(table.rows[0]) else ""
        name = name or f"column {index + 1}"
        names.append(name if name not in names else f"{name} ({index + 1})")
    rows = table.rows[1:] if table.header else table.rows
    return [dict(zip(names, (*row, *[""] * (width - len(row))), strict=True)) for row in rows]
