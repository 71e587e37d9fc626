"""Names that look like others: what a name looks like to a reader, whatever characters it is written in.

NFKC and case are folded, what cannot be seen is dropped, and each character becomes the plain letter that it can be
confused with (Unicode's table of confusables). Source: https://www.unicode.org/reports/tr39/#Confusable_Detection
"""

import unicodedata
from functools import cache
from typing import Final

_MAX_CHARS: Final = 200
_ALIKE: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "5": "s"})


def skeleton(name: str) -> str:
    """Return what the name looks like: names that can be taken for each other have the same skeleton."""
    plain = "".join(map(_plain_letter, unicodedata.normalize("NFKC", name[:_MAX_CHARS])))
    plain = "".join(map(_plain_letter, plain.casefold()))
    return "".join(char for char in plain.casefold().translate(_ALIKE) if char.isalnum())


def is_imitation(name: str, other: str) -> bool:
    """Tell whether `name` looks like `other` without being it, but for case and the number of spaces."""
    return skeleton(name) == skeleton(other) != "" and _said(name) != _said(other)


def _said(name: str) -> str:
    return " ".join(name.casefold().split())


def _plain_letter(char: str) -> str:
    """Return the ASCII character that looks like `char`, or `char` if there is none."""
    if char.isascii():
        return char
    return next((other for other in _table().get(char, ()) if other.isascii()), char)


@cache
def _table() -> dict[str, tuple[str, ...]]:
    """Return which characters each one can be confused with. Loaded when the first foreign letter is met: 3 MB."""
    from confusable_homoglyphs.confusables import confusables_data  # noqa: PLC0415

    found: dict[str, list[dict[str, str]]] = confusables_data
    return {char: tuple(other["c"] for other in others) for char, others in found.items() if not char.isascii()}
