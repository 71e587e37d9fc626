"""What words in a question can mean: the columns of a table and the values in them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["number", "text", "date", "datetime", "boolean"]

_LEAST_LIKENESS = 0.82
_ASIDE = re.compile(r"^(?:is|was|has) ")
_NEGATIONS = ("in", "un", "non", "non ", "dis", "not ")
TRUTHS = (
    ("true", "false"),
    ("yes", "no"),
    ("y", "n"),
    ("ja", "nein"),
    ("ja", "nee"),
    ("ja", "nej"),
    ("ja", "nei"),
    ("oui", "non"),
    ("sí", "no"),
    ("si", "no"),
    ("sì", "no"),
    ("sim", "não"),
)
"""Words for true and false, by language."""

TRUE_WORDS = frozenset(yes for yes, _ in TRUTHS)
FALSE_WORDS = frozenset(no for _, no in TRUTHS)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The columns of a table with their kinds, and the values that occur in its text columns, by their columns.

    `flags` are columns of numbers that are all 0 or 1.
    """

    kinds: Mapping[str, Kind]
    columns: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]
    flags: frozenset[str] = frozenset()

    def column(self, words: str, *, fuzzy: bool = True) -> str | None:
        """Return the column that some words name: by its name, its plural, a part of it, or nearly its name."""
        wanted = normalize(words)
        if not wanted:
            return None
        if found := self.columns.get(wanted):
            return found
        if not fuzzy:
            return None
        parts = set(wanted.split())
        within = [name for key, name in self.columns.items() if parts <= set(key.split())]
        if len(within) == 1:
            return within[0]
        close = get_close_matches(wanted, list(self.columns), 1, _LEAST_LIKENESS) if len(wanted) > 3 else []
        return self.columns[close[0]] if close and not _are_opposites(wanted, close[0]) else None

    def opposite(self, word: str) -> str | None:
        """Return the column of truth values that a word is the opposite of: `active` for "inactive"."""
        wanted = normalize(word)
        found = (name for key, name in self.columns.items() if self.truth(name) and _are_opposites(wanted, key))
        return next(found, None)

    def truth(self, column: str, *, of: bool = True) -> str | None:
        """Return what stands for true or false in a column, None in one that does not hold truth values."""
        if column in self.flags:
            return str(int(of))
        return str(of).lower() if self.kinds[column] == "boolean" else None

    def value(self, words: str) -> Mapping[str, str]:
        """Return the values that some words are, whatever their case or plural, by the columns that have them."""
        wanted = words.casefold().split()
        return self.values.get(" ".join(wanted)) or self.values.get(" ".join(map(singular, wanted)), {})

    def of_kind(self, *kinds: Kind) -> list[str]:
        """Return the columns of these kinds, in order."""
        return [name for name, kind in self.kinds.items() if kind in kinds]


def build(
    kinds: Mapping[str, Kind], values: Iterable[tuple[str, Sequence[str]]], flags: Iterable[str] = ()
) -> Vocabulary:
    """Make a vocabulary."""
    columns: dict[str, str] = {}
    for name in kinds:
        columns.setdefault(normalize(name), name)
    known: dict[str, dict[str, str]] = {}
    for column, items in values:
        for item in items:
            known.setdefault(" ".join(item.casefold().split()), {}).setdefault(column, item)
    known.pop("", None)
    return Vocabulary(kinds, columns, known, frozenset(flags))


def normalize(text: str) -> str:
    """Return words in one form: `unitPrices`, `Unit_Price` and `unit prices` are all `unit price`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return " ".join(singular(word) for word in re.findall(r"[^\W_]+", spaced.casefold()))


_INTENSIVE = re.compile(
    r"\b(?:price|rate|rating|score|temperature|temp|age|ratio|percent|percentage|average|avg|mean|height|weight|speed|grade|"
    r"duration|latency|density|index|humidity|pressure|salary|margin|year|pct)\b"
)


def is_amount(column: str) -> bool:
    """Tell by a column's name whether its numbers add up: prices and temperatures do not."""
    return not _INTENSIVE.search(normalize(column))


def is_identifier(column: str) -> bool:
    """Tell whether a column's name says that it numbers things: `order_id`, `customerNumber`."""
    words = normalize(column).split()
    return bool(words) and words[-1] in {"id", "index", "nr", "no", "number", "key", "uuid", "code"}


def is_numbering(column: str) -> bool:
    """Tell whether a column's name says that its numbers are names of something: years, and what identifies things."""
    return is_identifier(column) or normalize(column).split()[-1:] == ["year"]


def _are_opposites(one: str, other: str) -> bool:
    bare, other_bare = _ASIDE.sub("", one), _ASIDE.sub("", other)
    return any(f"{no}{bare}" == other_bare or f"{no}{other_bare}" == bare for no in _NEGATIONS)


def singular(word: str) -> str:
    """Return an English noun without its plural ending; other words come back as they are, or as good as."""
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return word.removesuffix("s")
