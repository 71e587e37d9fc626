"""Prepared statements of PostgreSQL and commits, sent by libpq itself: psycopg takes longer for one than the server.

Values and rows are converted by psycopg, as its cursors do it.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any, Final, TypeAlias, cast

from psycopg import Connection, OperationalError, errors
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

PostgresConnection: TypeAlias = Connection[Any]
NUMBERED: Final[Dialect] = PGDialect_psycopg(paramstyle="numeric_dollar")
"""Compiles statements with their parameters as libpq takes them: $1, $2, …"""

_DONE: Final = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})
_FORGOTTEN: Final = (errors.InvalidSqlStatementName, errors.FeatureNotSupported)
_numbers: Final = count(1)


def commit(connection: PostgresConnection) -> None:
    """Commit the transaction, if one is open. Raises: errors of psycopg."""
    pgconn = connection.pgconn
    if pgconn.transaction_status != TransactionStatus.IDLE:
        _checked(pgconn, pgconn.exec_(b"COMMIT"))


class Statement:
    """What a cursor is, for one statement. It begins the transaction if none is open.

    Where the server has forgotten it, or has changed what it brings, the connection is closed: a new one begins anew.
    """

    def __init__(self, connection: PostgresConnection, sql: str, parameters: int) -> None:
        self._pgconn = connection.pgconn
        self._begin = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if connection.read_only else b"BEGIN"
        self._transformer = Transformer(connection)
        self._formats = [PyFormat.TEXT] * parameters
        self._sql = sql.encode()
        self._name: bytes | None = None
        self._result: PGresult | None = None

    def execute(self, _statement: str, values: object, /) -> None:
        """Run it with some values, in their order. Raises: errors of psycopg."""
        pgconn = self._pgconn
        if pgconn.transaction_status == TransactionStatus.IDLE:
            _checked(pgconn, pgconn.exec_(self._begin))
        name = self._name
        if name is None:
            name = f"federation_{next(_numbers)}".encode()
            _checked(pgconn, pgconn.prepare(name, self._sql))
            self._name = name
        given = self._transformer.dump_sequence(cast("Sequence[object]", values), self._formats)
        try:
            self._result = _checked(pgconn, pgconn.exec_prepared(name, cast("Sequence[bytes]", given)))  # None is NULL
        except _FORGOTTEN as error:
            pgconn.finish()
            raise OperationalError("the server does not know a prepared statement any more") from error

    def executemany(self, statement: str, values: Sequence[object], /) -> None:
        """Run it once for each set of values."""
        for each in values:
            self.execute(statement, each)

    def fetchall(self) -> list[tuple[object, ...]]:
        """Return the rows that it brought."""
        result, self._result = self._result, None
        if result is None:
            return []
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)


def _checked(pgconn: PGconn, result: PGresult) -> PGresult:
    if result.status in _DONE:
        return result
    if pgconn.status != ConnStatus.OK:
        raise OperationalError(pgconn.get_error_message())
    raise errors.error_from_result(result)
