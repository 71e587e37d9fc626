"""What SQL that others wrote may be: one SELECT over the table, as DuckDB's own parser reads it.

The database it runs on is sealed as well (`Database.seal`): this check refuses with a sentence that helps, and is the
first of two walls.
"""

from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from api_agent_service.database import TABLE, Database
from shared.agent import JsonObject
from shared.errors import InvalidRequestError

_TABLE_FUNCTIONS: Final = frozenset({"unnest", "range", "generate_series"})
_REFUSED_FUNCTIONS: Final = frozenset(
    {"current_setting", "getenv", "getvariable", "nextval", "currval", "txid_current"}
)
_MOST_CHARS: Final = 20_000


def check(store: Database, sql: str) -> str:
    """Return a statement that may be run, without a semicolon at its end. Raises: InvalidRequestError."""
    statement = sql.strip().removesuffix(";").strip()
    if not statement or len(statement) > _MOST_CHARS:
        raise InvalidRequestError(f"The SQL is empty or longer than {_MOST_CHARS:,} characters.")
    tree = store.tree(statement)
    if tree.get("error"):
        raise InvalidRequestError(
            f"Only one SELECT statement can be run: {tree.get('error_message')} (no PIVOT, no DESCRIBE)."
        )
    statements = tree["statements"]
    if not isinstance(statements, list) or len(statements) != 1:
        raise InvalidRequestError("Only one SELECT statement can be run; these are several.")
    nodes = list(_nodes(statements))
    known = {TABLE} | {str(node["key"]).lower() for node in nodes if _is_named_query(node)}
    for node in nodes:
        _check_source(node, known)
        called = str(node.get("function_name", "")).lower()
        if called in _REFUSED_FUNCTIONS:
            raise InvalidRequestError(f"The function {called} cannot be used.")
    return statement


def _nodes(value: JsonValue) -> Iterator[JsonObject]:
    """Yield every object in a syntax tree."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as node:
                yield node
                waiting += node.values()
            case list() as items:
                waiting += items
            case _:
                pass


def _is_named_query(node: JsonObject) -> bool:
    """Tell whether this is the entry of a query that WITH gives a name."""
    value = node.get("value")
    return "key" in node and isinstance(value, dict) and "query_node" in value


def _check_source(node: JsonObject, known: set[str]) -> None:
    """Check what a query reads from: the table, a part of the query itself, or rows that it makes up."""
    if "sample" not in node or "alias" not in node:
        return
    match node.get("type"):
        case "BASE_TABLE":
            path = [str(node[part]) for part in ("catalog_name", "schema_name", "table_name") if node.get(part)]
            if len(path) > 1 or path[0].lower() not in known:
                raise InvalidRequestError(f"There is no table {'.'.join(path)!r}; the only one is {TABLE!r}.")
        case "TABLE_FUNCTION":
            function = node.get("function")
            called = str(function.get("function_name", "")).lower() if isinstance(function, dict) else ""
            if called not in _TABLE_FUNCTIONS:
                raise InvalidRequestError(f"The table function {called!r} cannot be used; the only table is {TABLE!r}.")
        case "SUBQUERY" | "JOIN" | "EMPTY" | "EXPRESSION_LIST":
            pass
        case kind:
            raise InvalidRequestError(f"{kind} cannot be used in FROM; the only table is {TABLE!r}.")
