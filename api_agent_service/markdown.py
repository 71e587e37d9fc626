"""Pieces of Markdown for people: tables, numbers, and text from elsewhere made harmless."""

import re
from collections.abc import Sequence


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table. Cells hold text from elsewhere: bars, line ends and markup in them are made harmless."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(
        "| " + " | ".join(text(cell) if index != 1 else cell for cell in line) + " |"
        for index, line in enumerate(lines)
    )


def text(value: str) -> str:
    """Return peer text for a line of Markdown: one line, nothing invisible, no markup that would render."""
    line = "".join(character for character in " ".join(value.split()) if character.isprintable())
    return re.sub(r"([\\`*\[\]<>|]|(?<!\w)_|_(?!\w))", r"\\\1", line)


def number(value: float | None) -> str:
    """Return a number for people: thousands separated, six significant digits."""
    if value is None:
        return "–"
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    if abs(value) >= 1e15 or abs(value) < 1e-4:
        return f"{value:.4g}"
    return f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.6g}"


def count(amount: int, noun: str) -> str:
    """Return "1 row", "2,000 rows"."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"
