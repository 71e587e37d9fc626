"""What the interoperability tests found, as the two tables that the run prints and that docs/interop.md shows."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

YES: Final = "yes"
NOT_OFFERED: Final = "–"

_BEGIN, _END = "<!-- printed by the run -->\n", "<!-- end -->"
_HEADS: Final[dict[str, tuple[str, ...]]] = {
    "Their agents, used by the orchestrator": ("agent", "dialect"),
    "Their clients, calling our services": ("client", "dialect", "service"),
}
AGENTS, CLIENTS = _HEADS

_found: dict[str, dict[tuple[str, ...], dict[str, str]]] = {AGENTS: {}, CLIENTS: {}}


def keep(table: str, row: tuple[str, ...], cells: Mapping[str, str]) -> None:
    """Keep what was found of one peer."""
    _found[table][row] = dict(cells)


def written() -> str:
    """Return the tables as Markdown; nothing when nothing was found."""
    return "\n".join(_table(title, rows) for title, rows in _found.items() if rows)


def publish(document: Path) -> None:
    """Put the tables in their place in a document."""
    text = document.read_text(encoding="utf-8")
    before, _, after = text.partition(_BEGIN)
    document.write_text(f"{before}{_BEGIN}\n{written()}\n{_END}{after.partition(_END)[2]}", encoding="utf-8")


def _table(title: str, rows: Mapping[tuple[str, ...], Mapping[str, str]]) -> str:
    columns = list(next(iter(rows.values())))
    lines = [(*_HEADS[title], *columns), ("---",) * (len(_HEADS[title]) + len(columns))]
    lines += [(*row, *(cells[column] for column in columns)) for row, cells in sorted(rows.items())]
    return f"### {title}\n\n" + "".join(map(_line, lines))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(' '.join(cell.replace('|', '/').split()) for cell in cells)} |\n"
