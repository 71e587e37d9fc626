"""Statements that run often: compiled once for each connection, then handed to the driver with little in between.

SQLAlchemy takes three times as long for a small statement as SQLite takes to run it: it looks for the compiled form,
makes a context and a cursor's description of columns each time. For a statement that says `prepared`, a
`PreparedConnection` keeps what of that never changes; rows come back as named tuples. All other statements take its
usual way, and so do prepared ones that need more than values put in and taken out (lists that expand, defaults made in
Python).
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Generic, NoReturn, Protocol, TypeAlias, TypeVar, TypeVarTuple, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Dialect,
    Engine,
    Executable,
    Insert,
    Result,
    Select,
    Update,
    bindparam,
)
from sqlalchemy.engine.interfaces import CoreExecuteOptionsParameter
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

S = TypeVar("S", bound=Executable)
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_PREPARED: Final = "prepared"
_MOST_KEPT: Final = 500

_Given: TypeAlias = Mapping[str, object]
_Row: TypeAlias = tuple[object, ...]
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


class Together:
    """Changes of two tables, made one after the other; on PostgreSQL in one statement, for each is a round trip.

    What both are given by the same name is the same.
    """

    def __init__(self, first: Insert | Update, second: Update) -> None:
        self._parts = [(prepared(part), _wanted(part)) for part in (first, second)]
        self._whole = prepared(second.add_cte(first.cte("first")))

    def execute(self, connection: Connection, values: _Given) -> None:
        """Make them; the values are those of both."""
        if connection.dialect.name == "postgresql":
            connection.execute(self._whole, values)
            return
        for part, names in self._parts:
            connection.execute(part, {name: values[name] for name in names})


def _wanted(statement: Insert | Update) -> list[str]:
    return [name for bind, name in statement.compile().bind_names.items() if bind.required]


class PreparedConnection(Connection):
    """A connection that is in a transaction, and keeps prepared statements."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._plans: dict[int, _Plan | None] = {}
        self._marked: list[Executable] = []  # their ids stay theirs

    def execute(  # pyright: ignore[reportIncompatibleMethodOverride] - typed as the one overload that fits all
        self,
        statement: Executable,
        parameters: _Given | Sequence[_Given] | None = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> CursorResult[Any]:
        """Execute a statement as SQLAlchemy does."""
        plan = self._plans.get(id(statement))
        if plan is None:
            plan = self._prepare(statement, parameters)
            if plan is None:
                return super().execute(statement, parameters, execution_options=execution_options)
        return plan.execute(parameters)  # pyright: ignore[reportReturnType] - has what is used of one

    def _prepare(self, statement: Executable, parameters: _Given | Sequence[_Given] | None) -> "_Plan | None":
        """Make what is kept of the statement, if it is marked, and can be."""
        key = id(statement)
        if key in self._plans or not statement.get_execution_options().get(_PREPARED, False):
            return None
        if len(self._plans) >= _MOST_KEPT:
            self._plans.clear()
            self._marked.clear()
        plan = self._plans[key] = _make(statement, self.dialect, self.connection.dbapi_connection, parameters)
        self._marked.append(statement)
        return plan


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
        self,
        compiled: SQLCompiler,
        dialect: Dialect,
        cursor: _Cursor,
        columns: Mapping[str, TypeEngine[Any]],
        given: Sequence[str],
    ) -> None:
        self._sql = str(compiled)
        self._dialect = dialect
        self._cursor = cursor
        self._columns = list(columns)
        self._bind = _binder(compiled, dialect, given)
        self._row = _row_maker(columns, dialect)

    def execute(self, parameters: _Given | Sequence[_Given] | None) -> "_Rows":
        """Run the statement; several sets of parameters bring no rows."""
        try:
            if isinstance(parameters, (list, tuple)):
                self._cursor.executemany(self._sql, [*map(self._bind, parameters)])
                return _NO_ROWS
            self._cursor.execute(self._sql, self._bind(parameters or _NOTHING))
            return _Rows([*map(self._row, self._cursor.fetchall())], self._columns) if self._columns else _NO_ROWS
        except self._dialect.loaded_dbapi.Error as error:
            raise DBAPIError.instance(
                self._sql, None, error, self._dialect.loaded_dbapi.Error, hide_parameters=True, dialect=self._dialect
            ) from error


class _Found(Generic[T]):
    """What a statement brought, all of it: as much of SQLAlchemy's `Result` as is used here."""

    __slots__ = ("_all",)

    def __init__(self, found: list[T]) -> None:
        self._all = found

    def __iter__(self) -> Iterator[T]:
        return iter(self._all)

    def all(self) -> list[T]:
        return self._all

    def first(self) -> T | None:
        return self._all[0] if self._all else None

    def one(self) -> T:
        if len(self._all) == 1:
            return self._all[0]
        raise MultipleResultsFound if self._all else NoResultFound

    def one_or_none(self) -> T | None:
        return self.one() if self._all else None


class _Rows(_Found[_Row]):
    """Rows, which have their columns as attributes."""

    __slots__ = ("_columns",)

    def __init__(self, found: list[_Row], columns: Sequence[str]) -> None:
        self._all = found
        self._columns = columns

    def mappings(self) -> _Found[dict[str, object]]:
        return _Found([dict(zip(self._columns, row, strict=True)) for row in self._all])

    def scalars(self) -> _Found[object]:
        return _Found([row[0] for row in self._all])

    def scalar_one(self) -> object:
        return self.one()[0]

    def scalar_one_or_none(self) -> object:
        return self.one()[0] if self._all else None


_NOTHING: Final[_Given] = MappingProxyType({})
_NO_ROWS: Final = _Rows([], ())
_new_row: Callable[..., _Row] = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def _binder(compiled: SQLCompiler, dialect: Dialect, given: Sequence[str]) -> Callable[[Any], object]:
    """Return what makes of the given values those that the driver takes; what is fixed is converted once, here."""
    binds = {name: bind for bind, name in compiled.bind_names.items()}
    names = list(compiled.positiontup or binds)
    known: dict[str, object] = {"wanted": dict.fromkeys(given).keys(), "refuse": _refuse}
    sources: list[str] = []
    for number, name in enumerate(names):
        convert = binds[name].type.dialect_impl(dialect).bind_processor(dialect)
        if name in given or binds[name].required:
            sources.append(_converted(f"given[{name!r}]", convert, number, known))
        else:
            value = binds[name].effective_value
            known[f"fixed_{number}"] = value if convert is None else convert(value)
            sources.append(f"fixed_{number}")
    if compiled.positiontup is None:
        values = f"{{{', '.join(f'{name!r}: {source}' for name, source in zip(names, sources, strict=True))}}}"
    else:
        values = f"[{', '.join(sources)}]"
    return _function(f"{values} if given.keys() == wanted else refuse(given, wanted)", known)


def _refuse(given: _Given, wanted: Iterable[str]) -> NoReturn:
    raise TypeError(f"A prepared statement got {sorted(given)} where it was made for {sorted(wanted)}.")


def _row_maker(columns: Mapping[str, TypeEngine[Any]], dialect: Dialect) -> Callable[[Any], _Row]:
    """Return what makes named tuples; a column that has no name of its own has none there either."""
    converters = [type_.dialect_impl(dialect).result_processor(dialect, None) for type_ in columns.values()]
    row = namedtuple("Row", columns, rename=True)  # pyright: ignore[reportUntypedNamedTuple]
    if not any(converters):
        return partial(_new_row, row)
    known: dict[str, object] = {"new": _new_row, "row": row}
    values = [_converted(f"given[{place}]", convert, place, known) for place, convert in enumerate(converters)]
    return _function(f"new(row, [{', '.join(values)}])", known)


def _converted(source: str, convert: _Convert | None, number: int, known: dict[str, object]) -> str:
    """Return the source of a value that is converted; None is left as it is where it would come out as None."""
    if convert is None:
        return source
    known[f"convert_{number}"] = convert
    if convert(None) is not None:
        return f"convert_{number}({source})"
    return f"None if (value := {source}) is None else convert_{number}(value)"


def _function(source: str, known: dict[str, object]) -> Callable[[Any], Any]:
    """Return a function of what is `given`, made from source as `namedtuple` does it: one call for all the values."""
    return eval(f"lambda given: {source}", known)  # noqa: S307 - places and names of our own statements


def _make(
    statement: Executable, dialect: Dialect, driver: object, parameters: _Given | Sequence[_Given] | None
) -> _Plan | None:
    """Compile the statement; None if it needs more than values put in and taken out."""
    first = parameters if parameters is None or isinstance(parameters, Mapping) else parameters[0]
    by_libpq = first is parameters and dialect.driver == "psycopg"  # its cursors send many sets of values together
    compiled = cast("_Compilable", statement).compile(
        dialect=_numbered() if by_libpq else dialect, column_keys=list(first or {})
    )
    if compiled.post_compile_params or compiled.literal_execute_params:
        return None
    if compiled.insert_prefetch or compiled.update_prefetch:
        return None
    exported = cast("_Exporting", statement).exported_columns
    columns = {name: column.type for name, column in exported.items()}
    cursor = _statement(driver, compiled) if by_libpq else cast("_Driver", driver).cursor()
    return _Plan(compiled, dialect, cursor, columns, list(first or ()))


def _numbered() -> Dialect:
    from shared.prepared_postgres import NUMBERED  # noqa: PLC0415 - only for those who use PostgreSQL

    return NUMBERED


def _statement(driver: object, compiled: SQLCompiler) -> _Cursor:
    from shared.prepared_postgres import PostgresConnection, Statement  # noqa: PLC0415

    return Statement(cast("PostgresConnection", driver), str(compiled), len(compiled.positiontup or ()))


class _Compilable(Protocol):
    """Every statement of SQLAlchemy."""

    def compile(self, *, dialect: Dialect, column_keys: list[str]) -> SQLCompiler: ...


class _Exporting(Protocol):
    """Every statement that may return rows."""

    @property
    def exported_columns(self) -> ReadOnlyColumnCollection[str, Any]: ...
