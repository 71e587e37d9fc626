"""A last row that is the total of the rows above it: it is none of them, and would count twice."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from api_agent_service import database
from api_agent_service.column_types import Column
from api_agent_service.database import TABLE, Database
from api_agent_service.delimited import TextTable
from shared.words import TOTAL

_LABEL: Final = re.compile(rf"\W*{TOTAL}\W*", re.IGNORECASE)
_MENTIONED: Final = re.compile(rf"\b{TOTAL}\b", re.IGNORECASE)
_TAIL_BYTES: Final = 10_000
_ROW: Final = "last_row"
_ROUNDED: Final = 0.011


@dataclass(frozen=True, slots=True)
class Total:
    """A last row that is called a total: its `label`, and the rows above it as a table in SQL."""

    label: str
    above: str


def may_end(found: TextTable) -> bool:
    """Tell whether a table of text may end with a total: whether its last lines name one. Blocking."""
    return _MENTIONED.search(_tail(found)) is not None


def find(store: Database, scan: str) -> Total | None:
    """Return the last row of what is scanned, if that is called a total. Blocking. Raises: as `Database.run`."""
    above = database.whole(store.row(f"SELECT count(*) FROM {scan}")[0]) - 1
    if above < 1:
        return None
    store.run(f"CREATE OR REPLACE TEMP TABLE {_ROW} AS SELECT * FROM {scan} LIMIT 1 OFFSET {above}")
    cells = [str(value or "").strip() for value in store.row(f"SELECT * FROM {_ROW}")]
    label = next((cell for cell in cells if _LABEL.fullmatch(cell)), None)
    return Total(label, f"(SELECT * FROM {scan} LIMIT {above})") if label else None


def adds_up(store: Database, columns: Sequence[Column]) -> bool:
    """Tell whether the last row has the sum of a column of the table, which holds the rows above it. Blocking."""
    for column in columns:
        if column.kind != "number":
            continue
        try:
            [total] = store.row(f"SELECT CAST({column.expression} AS DOUBLE) FROM {_ROW}")
        except duckdb.InvalidInputException:  # the label stands in it
            continue
        [added] = store.row(f"SELECT CAST(sum({database.name(column.name)}) AS DOUBLE) FROM {TABLE}")
        if (
            isinstance(total, float)
            and added
            and math.isclose(total, float(str(added)), rel_tol=1e-9, abs_tol=_ROUNDED)
        ):
            return True
    return False


def _tail(found: TextTable) -> str:
    with found.path.open("rb") as file:
        file.seek(max(0, found.path.stat().st_size - _TAIL_BYTES))
        return file.read().decode("utf-8", "replace")
