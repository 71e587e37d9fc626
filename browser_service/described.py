"""Reads how people describe a thing on a page: "the second 'Delete' button next to 'Bob'". Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "button", "link", "tab", "checkbox", "radio", "field", "textarea", "dropdown", "option", "slider", "spinner",
    "icon", "image", "row", "item", "heading", "dialog", "section", "menu", "paragraph", "table", "form", "file",
    "text", "date", "box",
]  # fmt: skip
Relation: TypeAlias = Literal["near", "within", "above", "below", "left", "right"]
Place: TypeAlias = Literal["top", "bottom", "left", "right", "middle"]

_I = re.IGNORECASE
_KINDS: dict[str, Kind] = {
    "button": "button", "link": "link", "hyperlink": "link", "tab": "tab", "checkbox": "checkbox",
    "check box": "checkbox", "tick box": "checkbox", "radio": "radio", "radio button": "radio", "text field": "field", "text box": "field",
    "textbox": "field", "input textbox": "field", "input field": "field", "text input": "field", "search box": "field",
    "search field": "field", "search bar": "field", "input box": "field", "input": "field", "field": "field",
    "entry field": "field", "text area": "textarea", "textarea": "textarea", "dropdown": "dropdown",
    "drop-down": "dropdown", "drop down": "dropdown", "dropdown list": "dropdown", "dropdown menu": "dropdown",
    "drop-down list": "dropdown", "select": "dropdown", "select box": "dropdown", "combo box": "dropdown",
    "combobox": "dropdown", "list box": "dropdown", "scroll list": "dropdown", "option": "option", "choice": "option",
    "slider": "slider", "spinner": "spinner", "spin box": "spinner", "number field": "spinner", "icon": "icon",
    "image": "image", "picture": "image", "photo": "image", "row": "row", "line": "row", "item": "item",
    "list item": "item", "entry": "item", "card": "item", "menu item": "item", "heading": "heading",
    "headline": "heading", "title": "heading", "dialog": "dialog", "dialog box": "dialog", "dialogue": "dialog",
    "popup": "dialog", "pop-up": "dialog", "modal": "dialog", "section": "section", "panel": "section",
    "accordion": "section", "menu": "menu", "paragraph": "paragraph", "table": "table", "form": "form",
    "file field": "file", "file input": "file", "text": "text", "label": "text", "message": "text", "date": "date",
    "date field": "date", "time": "date", "time field": "date", "date picker": "date", "datepicker": "date", "box": "box", "colored box": "box",
    "coloured box": "box", "list": "dropdown",
}  # fmt: skip
_NOUNS = "|".join(sorted((re.escape(noun).replace(r"\ ", r"\s+") for noun in _KINDS), key=len, reverse=True))
_NUMBERS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "last": -1, "final": -1, "1st": 1, "2nd": 2, "3rd": 3,
}  # fmt: skip
COUNT = rf"(?:{'|'.join(_NUMBERS)}|\d{{1,4}}(?:st|nd|rd|th))"
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (255, 0, 0), "green": (0, 128, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0),
    "orange": (255, 165, 0), "purple": (128, 0, 128), "violet": (238, 130, 238), "pink": (255, 192, 203),
    "brown": (165, 42, 42), "black": (0, 0, 0), "white": (255, 255, 255), "gray": (128, 128, 128),
    "grey": (128, 128, 128), "cyan": (0, 255, 255), "aqua": (0, 255, 255), "magenta": (255, 0, 255),
    "teal": (0, 128, 128), "navy": (0, 0, 128), "maroon": (128, 0, 0), "olive": (128, 128, 0), "gold": (255, 215, 0),
    "silver": (192, 192, 192), "beige": (245, 245, 220), "turquoise": (64, 224, 208),
}  # fmt: skip
_PLACES: dict[str, Place] = {
    "top": "top", "upper": "top", "bottom": "bottom", "lower": "bottom", "left": "left", "leftmost": "left",
    "right": "right", "rightmost": "right", "middle": "middle", "centre": "middle", "center": "middle",
    "central": "middle",
}  # fmt: skip

_QUOTE = re.compile(r"[\"“”«»`]([^\"“”«»`\n]+)[\"“”«»`]|(?<!\w)['‘]((?:[^'‘’\n]|(?<=\w)['’](?=\w))+)['’](?!\w)")
_ARTICLE = re.compile(r"^(?:(?P<any>an?|any|some|one\s+of\s+the)|the|this|that|their|its|his|her|your|my)\s+", _I)
_TRAILING = re.compile(r"\s+(?:below|above|here|there|on\s+the\s+page|on\s+this\s+page|on\s+screen|now)$", _I)
_NAMED = re.compile(
    r"\s+(?:(?:that\s+is\s+|which\s+is\s+)?(?:labell?ed|named|called|titled|saying|reading|marked)|"
    r"(?:that|which)\s+(?:says|reads|is\s+called|is\s+named)|with\s+(?:the\s+)?(?:text|label|name|title|caption))\s+",
    _I,
)
_RELATED: tuple[tuple[str, Relation], ...] = (
    (r"(?:to\s+the\s+|on\s+the\s+)?left\s+of|left\s+from", "left"),
    (r"(?:to\s+the\s+|on\s+the\s+)?right\s+of", "right"),
    (r"(?:next|close|closest|nearest|adjacent)\s+to|besides?|near(?:\s+to)?|in\s+front\s+of", "near"),
    (r"(?:in|on|of)\s+the\s+(?:same\s+)?(?:row|line|card|item|entry)\s+(?:of|with|for|as|where|that\s+has)", "near"),
    (r"under|below|beneath|underneath", "below"),
    (r"above|over", "above"),
    (r"inside(?:\s+of)?|within|in|on|at", "within"),
    (r"for|by|from|of|with|containing|belonging\s+to|that\s+(?:has|contains)|to", "near"),
)
_RELATIONS: tuple[tuple[re.Pattern[str], Relation], ...] = tuple(
    (re.compile(rf"\s+(?:{words})\s+", _I), relation) for words, relation in _RELATED
)
_ORDINAL = re.compile(rf"^(?P<count>{COUNT})\s+|^(?:number|no\.?|#)\s*(?P<digits>\d{{1,4}})\s+", _I)
_ORDINAL_LAST = re.compile(r"\s+(?:number|no\.?|#)\s*(?P<digits>\d{1,4})$", _I)
_ADJECTIVES = re.compile(
    rf"^(?P<word>{'|'.join([*COLOURS, *_PLACES])}|visible|correct|small|big|large|matching|given|following)"
    r"(?:[\s-]+(?:colou?red|most|hand))?\s+",
    _I,
)
_KIND_LAST = re.compile(rf"(?:^|\s+|(?<=[\"'”’»`])\s*)(?P<kind>{_NOUNS})(?:e?s)?$", _I)
_KIND_FIRST = re.compile(rf"^(?P<kind>{_NOUNS})(?:e?s)?(?:\s*:)?\s+", _I)


@dataclass(frozen=True, slots=True)
class Described:
    """A description, taken apart. Empty `name`: any of its kind. `is_any`: one of several will do."""

    name: str = ""
    kind: Kind | None = None
    noun: str = ""
    nth: int | None = None
    is_any: bool = False
    is_quoted: bool = False
    colour: str = ""
    place: Place | None = None
    relation: Relation | None = None
    anchor: str = ""


def number_of(word: str) -> int | None:
    """Return the number that an ordinal says: "second" and "2nd" are 2, "last" is -1; None for other words."""
    word = word.lower()
    if word in _NUMBERS:
        return _NUMBERS[word]
    digits = re.fullmatch(r"(\d{1,4})(?:st|nd|rd|th)", word)
    return int(digits[1]) if digits else None


def kind_of(words: str) -> Kind | None:
    """Return the kind of thing that a noun means."""
    noun = " ".join(words.lower().split())
    return _KINDS.get(noun) or _KINDS.get(noun.removesuffix("s")) or _KINDS.get(noun.removesuffix("es"))


def interpret(words: str) -> Iterator[Described]:
    """Yield what `words` may mean, the likeliest first: as one name, then with what it stands near or in."""
    text = " ".join(words.split()).strip(" ,.;:")
    article = _ARTICLE.match(text)
    entire = text[article.end() :] if article else text
    bare = _TRAILING.sub("", entire)
    is_any = bool(article and article["any"])
    plain = _QUOTE.sub(lambda match: "\x00" * len(match[0]), bare)
    if named := _NAMED.search(plain):
        head, name = bare[: named.start()], bare[named.end() :]
        called = _unquoted(_KIND_LAST.sub("", name) or name)
        for inner in interpret(head):
            if not inner.name or inner.relation or not inner.kind:
                yield replace(inner, name=called, is_quoted=True)
        return
    related = [
        replace(_read(bare[: match.start()]), is_any=is_any, relation=relation, anchor=bare[match.end() :])
        for pattern, relation in _RELATIONS
        for match in pattern.finditer(plain)
    ]
    if not (related and "\x00" in plain):  # a quoted name says where it ends; another may hold these words itself
        found = _read(bare)
        if (
            found.name and not found.is_quoted and (found.nth or found.place or found.colour)
        ):  # "First name", "Top score"
            whole = _unquoted(_KIND_LAST.sub("", bare))
            yield replace(found, name=whole, nth=None, place=None, colour="", is_any=is_any)
        yield replace(found, is_any=is_any)
    yield from related
    for each in related:
        if each.relation == "near" and not each.is_quoted:  # "the email by Ann": what is by Ann
            yield Described(name=_unquoted(each.anchor), is_any=each.is_any)
    if entire != bare and "\x00" not in plain:  # "Book now" may be all of its name
        yield Described(name=entire, is_any=is_any)


def _read(text: str) -> Described:
    """Read a description without a relation."""
    found = Described()
    is_whole_quote = _QUOTE.fullmatch(text)
    if is_whole_quote:
        return Described(name=_unquoted(text), is_quoted=True)
    while True:
        if match := _ORDINAL.match(text):
            count = match["count"]
            found = replace(found, nth=number_of(count) if count else int(match["digits"]))
        elif (match := _ADJECTIVES.match(text)) and text[match.end() :].strip():
            word = match["word"].lower()
            if word in COLOURS:
                found = replace(found, colour=word)
            elif word in _PLACES:
                found = replace(found, place=_PLACES[word])
        else:
            break
        text = text[match.end() :]
    if match := _KIND_LAST.search(text):
        found = replace(found, kind=kind_of(match["kind"]), noun=match["kind"])
        text = text[: match.start()]
    elif (match := _ORDINAL_LAST.search(text)) and (kind := kind_of(text[: match.start()])):
        return replace(found, kind=kind, nth=int(match["digits"]), name="")
    elif match := _KIND_FIRST.match(text):
        found = replace(found, kind=kind_of(match["kind"]))
        text = text[match.end() :]
    quoted = _QUOTE.search(text)
    return replace(found, name=_unquoted(text), is_quoted=quoted is not None)


def _unquoted(text: str) -> str:
    match = _QUOTE.search(text)
    return (match[1] or match[2]).strip() if match else text.strip(" \"'")
