"""Statements that run often: compiled once for each connection, then handed to the driver with little in between.

SQLAlchemy takes three times as long for a small statement as SQLite takes to run it: it looks for the compiled form,
makes a context and a cursor's description of columns each time. For a statement that says `prepared`, a
`PreparedConnection` keeps what of that never changes; what comes back are SQLAlchemy's own rows. All other statements
take its usual way, and so do prepared ones that need more than values put in and taken out (lists that expand,
defaults made in Python).
"""

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, TypeVarTuple, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Dialect,
    Engine,
    Executable,
    Result,
    Select,
    bindparam,
)
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.interfaces import CoreExecuteOptionsParameter
from sqlalchemy.engine.result import ResultMetaData, SimpleResultMetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

S = TypeVar("S", bound=Executable)
Ts = TypeVarTuple("Ts")

_PREPARED: Final = "prepared"
_MOST_KEPT: Final = 500

_Values: TypeAlias = Mapping[str, object]
_Convert: TypeAlias = Callable[[object], object]
_Among: TypeAlias = Callable[[QueryableAttribute[str | None]], ColumnElement[bool]]


def prepared(statement: S) -> S:
    """Mark a statement that is built once and always given the same parameters, by name.

    The result of one that returns rows has no `rowcount`; columns are asked for by name.
    """
    return statement.execution_options(**{_PREPARED: True})


class OneOrMany(Generic[*Ts]):
    """A query for the rows of some keys. `build` gets what tells whether a column holds one of them.

    It is prepared for one key, for which it is asked most often.
    """

    def __init__(self, build: Callable[[_Among], Select[*Ts]]) -> None:
        self._one = prepared(build(lambda column: column == bindparam("key")))
        self._many = build(lambda column: column.in_(bindparam("keys", expanding=True)))

    def execute(self, connection: Connection, keys: Sequence[str], **values: object) -> Result[*Ts]:
        """Return the rows of these keys; `values` are the query's other parameters."""
        if len(keys) == 1:
            return connection.execute(self._one, {"key": keys[0], **values})
        return connection.execute(self._many, {"keys": keys, **values})


class PreparedConnection(Connection):
    """A connection that is in a transaction, and keeps prepared statements."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._plans: dict[int, _Plan | None] = {}
        self._marked: list[Executable] = []  # their ids stay theirs

    def execute(  # pyright: ignore[reportIncompatibleMethodOverride] - typed as the one overload that fits all
        self,
        statement: Executable,
        parameters: _Values | Sequence[_Values] | None = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> CursorResult[Any]:
        """Execute a statement as SQLAlchemy does."""
        key = id(statement)
        plan = self._plans.get(key)
        if plan is None:
            if key not in self._plans and statement.get_execution_options().get(_PREPARED, False):
                if len(self._plans) >= _MOST_KEPT:
                    self._plans.clear()
                    self._marked.clear()
                plan = self._plans[key] = _make(statement, self.dialect, parameters)
                self._marked.append(statement)
            if plan is None:
                return super().execute(statement, parameters, execution_options=execution_options)
        return cast("CursorResult[Any]", plan.execute(cast("_Driver", self.connection.dbapi_connection), parameters))


class _Driver(Protocol):
    """What both drivers' connections have."""

    def cursor(self) -> "_Cursor": ...


class _Cursor(Protocol):
    """What both drivers' cursors have."""

    def execute(self, statement: str, values: object, /) -> object: ...

    def executemany(self, statement: str, values: Sequence[object], /) -> object: ...

    def fetchall(self) -> list[tuple[object, ...]]: ...


class _Plan:
    """A statement as the driver takes it, and how values go in and rows come out."""

    def __init__(
        self, compiled: SQLCompiler, dialect: Dialect, columns: Mapping[str, TypeEngine[Any]], given: Set[str]
    ) -> None:
        self._given = given
        self._sql = str(compiled)
        self._dialect = dialect
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        self._names = list(compiled.positiontup or binds)
        self._is_positional = compiled.positiontup is not None
        self._fixed = {name: bind.effective_value for name, bind in binds.items() if not bind.required}
        into = ((name, bind.type.dialect_impl(dialect).bind_processor(dialect)) for name, bind in binds.items())
        self._into: dict[str, _Convert] = {name: convert for name, convert in into if convert is not None}
        self._metadata: ResultMetaData | None = SimpleResultMetaData(list(columns)) if columns else None
        out = (type_.dialect_impl(dialect).result_processor(dialect, None) for type_ in columns.values())
        self._out: list[tuple[int, _Convert]] = [
            (place, convert) for place, convert in enumerate(out) if convert is not None
        ]
        self._cursor: _Cursor | None = None

    def execute(self, driver: _Driver, parameters: _Values | Sequence[_Values] | None) -> Result[Any]:
        """Run the statement; several sets of parameters bring no rows."""
        cursor = self._cursor = self._cursor or driver.cursor()  # psycopg's remembers how the statement is sent
        try:
            if parameters is None or isinstance(parameters, Mapping):
                cursor.execute(self._sql, self._bind(parameters or {}))
            else:
                cursor.executemany(self._sql, [self._bind(each) for each in parameters])
                return _nothing()
            if self._metadata is None:
                return _nothing()
            rows = cursor.fetchall()
        except self._dialect.loaded_dbapi.Error as error:
            raise DBAPIError.instance(
                self._sql, None, error, self._dialect.loaded_dbapi.Error, hide_parameters=True, dialect=self._dialect
            ) from error
        return IteratorResult(self._metadata, iter([self._read(row) for row in rows] if self._out else rows))

    def _bind(self, given: _Values) -> object:
        if given.keys() != self._given:
            raise TypeError(f"A prepared statement got {sorted(given)} where it was made for {sorted(self._given)}.")
        values = {**self._fixed, **given} if self._fixed else given
        into = self._into
        if self._is_positional:
            return [into[name](values[name]) if name in into else values[name] for name in self._names]
        return {name: into[name](values[name]) if name in into else values[name] for name in self._names}

    def _read(self, row: tuple[object, ...]) -> tuple[object, ...]:
        found = list(row)
        for place, convert in self._out:
            found[place] = convert(found[place])
        return tuple(found)


_NO_COLUMNS: Final = SimpleResultMetaData([])


def _nothing() -> Result[Any]:
    return IteratorResult(_NO_COLUMNS, iter(()))


def _make(statement: Executable, dialect: Dialect, parameters: _Values | Sequence[_Values] | None) -> _Plan | None:
    """Compile the statement; None if it needs more than values put in and taken out."""
    first = parameters if parameters is None or isinstance(parameters, Mapping) else parameters[0]
    compiled = cast("_Compilable", statement).compile(dialect=dialect, column_keys=list(first or {}))
    if compiled.post_compile_params or compiled.literal_execute_params:
        return None
    if compiled.insert_prefetch or compiled.update_prefetch:
        return None
    exported = cast("_Exporting", statement).exported_columns
    columns = {name: column.type for name, column in exported.items()}
    return _Plan(compiled, dialect, columns, frozenset(first or ()))


class _Compilable(Protocol):
    """Every statement of SQLAlchemy."""

    def compile(self, *, dialect: Dialect, column_keys: list[str]) -> SQLCompiler: ...


class _Exporting(Protocol):
    """Every statement that may return rows."""

    @property
    def exported_columns(self) -> ReadOnlyColumnCollection[str, Any]: ...
