"""Prints tables that can be pasted into Markdown."""

from collections.abc import Sequence


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; every column but the first is aligned to the right."""
    widths = [max(len(row[column]) for row in [columns, *rows]) for column in range(len(columns))]
    print(f"\n{title}\n")
    print(_line(columns, widths))
    print("|" + "|".join("-" * (width + 1) + ("-" if not place else ":") for place, width in enumerate(widths)) + "|")
    for row in rows:
        print(_line(row, widths), flush=True)


def verdict(value: float, most: float) -> str:
    """Say whether a value keeps its target."""
    return "ok" if value <= most else "MISSED"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if not place else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"
