"""Types of columns of typed formats, made plain: numbers, dates, times and truth values; whatever else as text."""

from collections.abc import Sequence

from api_agent_service import database
from api_agent_service.column_types import LARGEST, TOO_LONG, Column, finite
from api_agent_service.database import Database


def simplify(store: Database, scan: str, columns: Sequence[tuple[str, str]]) -> tuple[list[Column], list[str]]:
    """Return the columns of a typed format with plain types, and notes: decimals as numbers, what else as text.

    Blocking. Raises: as `Database.run`.
    """
    found: list[Column] = []
    notes: list[str] = []
    for name, kind in columns:
        quoted = database.name(name)
        match kind.partition("(")[0]:
            case "BOOLEAN":
                found.append(Column(name, quoted, "boolean"))
            case "TINYINT" | "SMALLINT" | "INTEGER" | "BIGINT" | "UTINYINT" | "USMALLINT" | "UINTEGER":
                found.append(Column(name, f"CAST({quoted} AS BIGINT)", "number"))
            case "HUGEINT" | "UHUGEINT" | "UBIGINT" | "DECIMAL" if _is_whole(kind):
                found.append(_whole_number(store, scan, name))
            case "DECIMAL" | "FLOAT" | "DOUBLE":
                found.append(Column(name, finite(f"CAST({quoted} AS DOUBLE)"), "number"))
            case "DATE":
                found.append(Column(name, quoted, "date"))
            case "TIMESTAMP WITH TIME ZONE":
                found.append(Column(name, f"timezone('UTC', {quoted})", "datetime"))
            case "TIMESTAMP" | "TIMESTAMP_S" | "TIMESTAMP_MS" | "TIMESTAMP_NS":
                found.append(Column(name, f"CAST({quoted} AS TIMESTAMP)", "datetime"))
            case "INTERVAL":
                found.append(Column(name, f"CAST(epoch({quoted}) AS DOUBLE)", "number"))
                notes.append(f"The durations in {name} are in seconds.")
            case "BLOB":
                notes.append(f"The column {name} is binary and left out.")
            case _ if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
                found.append(Column(name, f"CAST(to_json({quoted}) AS VARCHAR)", "text"))
            case _:
                found.append(Column(name, f"CAST({quoted} AS VARCHAR)", "text"))
    return found, notes


def _is_whole(kind: str) -> bool:
    return not kind.startswith("DECIMAL") or kind.endswith(",0)")


def _whole_number(store: Database, scan: str, name: str) -> Column:
    """Return a column of whole numbers as such, or as text where they are too long for that."""
    quoted = database.name(name)
    [is_long] = store.row(f"SELECT max({quoted}) >= {LARGEST} OR min({quoted}) <= -{LARGEST} FROM {scan}")
    if is_long:
        return Column(name, f"CAST({quoted} AS VARCHAR)", "text", TOO_LONG.format(name))
    return Column(name, f"CAST({quoted} AS BIGINT)", "number")
