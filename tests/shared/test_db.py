"""The database: many writers at once, each on its own; and in trouble: who waits, who is told, what is kept."""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, Executable, Integer, bindparam, func, literal, make_url, select, text
from sqlalchemy.exc import IntegrityError

from shared.ahead import Ahead
from shared.db import JSON_COLUMN, Database, DatabaseUnavailableError, UtcTime, now, open_database, patience
from shared.prepared import prepared
from tests.support.postgres import new_database
from tests.support.postgres_server import PrivatePostgres, private_postgres

_SLOW_COMMIT = """
    CREATE TABLE t (n INTEGER PRIMARY KEY);
    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_sleep(0.3);
        IF NEW.n = 1 THEN RAISE disk_full; END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slowly()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    with new_database() as address:
        yield address.replace("postgresql://", "postgresql+psycopg://")


async def test_writers_at_once_each_keep_or_lose_their_own_and_nothing_else(url: str) -> None:
    async with open_database(url) as database:
        await database.write(
            lambda connection: connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)")) and None
        )
        ends = await asyncio.gather(*(_add(database, number) for number in range(200)), return_exceptions=True)
        failed = {number for number, end in enumerate(ends) if isinstance(end, Exception)}
        assert failed == {number for number in range(200) if number % 10 == 7}
        assert all(isinstance(ends[number], IntegrityError if number % 20 == 7 else ValueError) for number in failed)
        kept = await database.read(lambda connection: connection.execute(text("SELECT n FROM t")).scalars().all())
        assert sorted(kept) == [number for number in range(200) if number not in failed]


async def test_a_writer_that_is_not_waited_for_any_more_harms_nobody(url: str) -> None:
    async with open_database(url) as database:
        await database.write(
            lambda connection: connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)")) and None
        )
        tasks = [asyncio.create_task(_add(database, number)) for number in range(40) if number % 10 != 7]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        kept = await database.read(lambda connection: connection.execute(text("SELECT n FROM t")).scalars().all())
        assert {end for end in ends if isinstance(end, int)} <= set(kept)


async def test_readers_and_writers_at_once_each_see_one_state(url: str) -> None:
    async with _table(url) as database:
        await database.write(lambda connection: _run(connection, "INSERT INTO t VALUES (1), (2)"))
        changes = asyncio.gather(*(database.write(_run, "UPDATE t SET n = n + 2") for _ in range(50)))
        for first, second in await asyncio.gather(*(database.read(_twice) for _ in range(200))):
            assert first == second
        await changes
        assert await _kept(database) == [101, 102]


async def test_work_that_only_reads_may_fail_without_harm_to_the_rest(url: str) -> None:
    async with _table(url) as database:
        ends = await asyncio.gather(
            *(database.read(_run, "SELECT n FROM t" if number % 3 else "SELECT m FROM t") for number in range(60)),
            return_exceptions=True,
        )
        assert [number for number, end in enumerate(ends) if isinstance(end, Exception)] == list(range(0, 60, 3))


async def test_an_error_does_not_say_what_was_to_be_stored(url: str) -> None:
    add = text("INSERT INTO t VALUES (:n, :said)")
    async with open_database(url) as database:
        await database.write(
            lambda connection: connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY, said TEXT)")) and None
        )
        values: dict[str, object] = {"n": 1, "said": "sesame"}
        await database.write(lambda connection: connection.execute(add, values) and None)
        with pytest.raises(IntegrityError, match="INSERT INTO t") as refused:
            await database.write(lambda connection: connection.execute(add, values) and None)
        assert "sesame" not in str(refused.value)


async def test_a_prepared_statement_brings_what_the_usual_way_brings(url: str) -> None:
    at = now()
    usual = select(
        bindparam("n", type_=Integer).label("n"),
        bindparam("at", type_=UtcTime()).label("at"),
        bindparam("data", type_=JSON_COLUMN).label("data"),
        bindparam("none", type_=JSON_COLUMN).label("none"),
        func.count(),
    )
    given = {"n": 7, "at": at, "data": {"list": [1, None, "ü"]}, "none": None}
    async with open_database(url) as database:
        for statement in (usual, prepared(usual)):

            def ask(connection: Connection, statement: Executable = statement) -> list[object]:
                row = connection.execute(statement, given).one()
                mapping = connection.execute(statement, given).mappings().one()
                return [
                    tuple(row),
                    (row.n, row.at, row.data, row.none),
                    [mapping[key] for key in given],
                    connection.execute(statement, given).scalars().all(),
                    connection.execute(statement, given).scalar_one(),
                    [tuple(each) for each in connection.execute(statement, given)],
                    connection.execute(statement, given).first() is None,
                ]

            found = await database.write(ask)
            row = (7, at, {"list": [1, None, "ü"]}, None, 1)
            assert found == [row, row[:4], list(row[:4]), [7], 7, [row], False]


async def test_a_prepared_statement_refuses_other_parameters_than_it_was_made_for(url: str) -> None:
    statement = prepared(select(bindparam("n", type_=Integer).label("n"), literal("fixed").label("fixed")))

    def ask(connection: Connection) -> object:
        first = connection.execute(statement, {"n": 7}).one()
        for given in ({}, {"m": 7}, {"n": 7, "m": 7}):
            with pytest.raises(TypeError, match="where it was made for"):
                connection.execute(statement, given)
        return tuple(first)

    async with open_database(url) as database:
        assert await database.read(ask) == (7, "fixed")


async def test_a_transaction_is_done_again_when_the_server_has_forgotten_its_statements() -> None:
    numbers = [prepared(select(literal(n).label("n"))) for n in range(20)]

    def ask(connection: Connection) -> int:
        return sum(connection.execute(number).scalar_one() for number in numbers)

    def ask_and_forget(connection: Connection) -> int:
        found = ask(connection)
        connection.execute(text("DEALLOCATE ALL"))
        return found

    with new_database() as address:
        async with open_database(address.replace("postgresql://", "postgresql+psycopg://")) as database:
            for run in (database.write, database.read):
                assert [await run(ask_and_forget) for _ in range(10)] == [190] * 10


async def test_what_was_begun_ahead_of_a_commit_that_fails_is_undone_before_the_work_is_done_again() -> None:
    with new_database() as address:
        async with open_database(address.replace("postgresql://", "postgresql+psycopg://")) as database:
            await database.write(lambda connection: connection.execute(text(_SLOW_COMMIT)) and None)
            told: list[str] = []
            commits: list[Ahead] = []

            def work(connection: Connection) -> int:
                number = sum(line.startswith("work") for line in told) + 1
                told.append(f"work {number}")
                connection.execute(text("INSERT INTO t (n) VALUES (:n)"), {"n": number})
                return number

            def ahead(number: int, commit: Ahead) -> Callable[[], object]:
                assert not commit.is_there
                told.append(f"ahead {number}")
                commits.append(commit)
                return lambda: told.append(f"undone {number}")

            assert await database.write_ahead(work, ahead) == 2
            assert told == ["work 1", "ahead 1", "undone 1", "work 2", "ahead 2"]
            assert [commit.is_there for commit in commits] == [False, True]


async def test_when_locked_by_another_process_changes_are_refused_or_wait_as_long_as_asked(tmp_path: Path) -> None:
    async with _table(f"sqlite:///{tmp_path}/test.db") as database:
        with _locked(tmp_path / "test.db") as holder:
            with pytest.raises(DatabaseUnavailableError, match="locked by another process") as refusal, patience(1):
                await _add(database, 1)
            assert refusal.value.facts["retry_after_s"] == 2
            assert await _kept(database) == []  # reading goes on
            with patience(None):
                waiting = asyncio.create_task(_add(database, 2))
            with pytest.raises(DatabaseUnavailableError), patience(0.3):
                await _add(database, 3)
            assert not waiting.done()
            holder.communicate("let go\n")
            assert await waiting == 2
        assert await _kept(database) == [2]


async def test_when_the_disk_is_full_nothing_is_half_written_and_what_waits_goes_on(tmp_path: Path) -> None:
    async with _table(f"sqlite:///{tmp_path}/test.db") as database:
        pages = await database.write(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar_one())
        await database.write(_run, f"PRAGMA max_page_count = {pages}")
        with pytest.raises(DatabaseUnavailableError, match="no room left") as refusal, patience(0.2):
            await database.write(_fill)
        assert isinstance(refusal.value.__cause__, Exception)
        with patience(None):
            waiting = asyncio.create_task(database.write(_fill))
        with pytest.raises(DatabaseUnavailableError), patience(0.2):
            await database.write(_fill)
        assert await _kept(database) == []
        await database.write(_run, "PRAGMA max_page_count = 100000")
        await waiting
        assert await _kept(database) == list(range(2000))


async def test_a_database_that_can_only_be_read_is_read(tmp_path: Path) -> None:
    async with _table(f"sqlite:///{tmp_path}/test.db") as database:
        await database.write(_run, "PRAGMA query_only = ON")
        with pytest.raises(DatabaseUnavailableError, match="can only be read"), patience(0.2):
            await _add(database, 1)
        assert await _kept(database) == []


async def test_a_file_that_is_no_database_is_told_as_that(tmp_path: Path) -> None:
    file = tmp_path / "test.db"
    file.write_text("a text, long enough to be taken for the first page of a database" * 100)
    async with open_database(f"sqlite:///{file}") as database:
        with pytest.raises(DatabaseUnavailableError, match="is damaged, or is none"), patience(0.2):
            await _kept(database)


async def test_at_the_connection_limit_what_there_is_does_all_the_work() -> None:
    with _limited(4) as address:
        async with _table(address) as database:
            with patience(20):
                ends = await asyncio.gather(
                    *(_add(database, number) for number in range(0, 400, 2)), *(_kept(database) for _ in range(100))
                )
            assert len(ends) == 300
            assert await _kept(database) == list(range(0, 400, 2))


async def test_without_any_connection_callers_are_told_and_later_it_goes_on() -> None:
    with _limited(1) as address:
        with psycopg.connect(address.replace("+psycopg", "")):
            async with open_database(address) as database:
                with pytest.raises(DatabaseUnavailableError, match="no more connections"), patience(0.3):
                    await database.read(_run, "SELECT 1")
        async with open_database(address) as database, asyncio.timeout(20):
            with patience(None):
                await database.read(_run, "SELECT 1")


@pytest.fixture
def server() -> Generator[PrivatePostgres]:
    """A PostgreSQL that only this test uses."""
    with private_postgres() as server:
        yield server


async def test_while_the_server_is_away_callers_are_told_soon_and_what_waits_goes_on(server: PrivatePostgres) -> None:
    async with _table(server.url) as database:
        await asyncio.gather(*(_add(database, number) for number in range(0, 20, 2)))
        await asyncio.to_thread(server.stop)
        with patience(None):
            waiting = asyncio.gather(*(_add(database, number) for number in range(20, 220, 2)))
        with pytest.raises(DatabaseUnavailableError, match="does not answer"), patience(0.5):
            await _add(database, 1000)
        with pytest.raises(DatabaseUnavailableError, match="does not answer"), patience(0.5):
            await _kept(database)
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(30):
            await waiting
        assert await _kept(database) == list(range(0, 220, 2))


async def test_a_server_that_is_stuck_holds_nobody_longer_than_asked(server: PrivatePostgres) -> None:
    async with _table(server.url) as database:
        with server.frozen():
            with pytest.raises(DatabaseUnavailableError), patience(1):
                await database.read(_run, "SELECT 1")
            with patience(None):
                waiting = asyncio.create_task(_kept(database))
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            assert await waiting == []


async def test_who_is_frozen_in_a_transaction_keeps_its_locks_for_seconds_only(server: PrivatePostgres) -> None:
    async with _table(server.url) as database, open_database(server.url) as frozen:
        await database.write(_run, "INSERT INTO t VALUES (1)")
        with frozen.engine.connect() as connection:
            connection.execute(text("UPDATE t SET n = 2"))
            with patience(20):
                await database.write(_run, "UPDATE t SET n = 3")
            connection.invalidate()
        assert await _kept(database) == [3]


@asynccontextmanager
async def _table(url: str) -> AsyncGenerator[Database]:
    async with open_database(url) as database:
        with patience(20):
            await database.write(_run, "CREATE TABLE t (n INTEGER PRIMARY KEY)")
        yield database


def _run(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


def _fill(connection: Connection) -> None:
    for number in range(2000):
        connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})


def _twice(connection: Connection) -> tuple[list[int], list[int]]:
    query = text("SELECT n FROM t ORDER BY n")
    return list(connection.execute(query).scalars()), list(connection.execute(query).scalars())


async def _kept(database: Database) -> list[int]:
    return (await database.read(_twice))[0]


@contextmanager
def _locked(path: Path) -> Generator[subprocess.Popen[str]]:
    """Let another process hold the SQLite file until it is told something."""
    hold = "c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); input()"
    script = f"import sqlite3, sys; {hold}"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder


@contextmanager
def _limited(connections: int) -> Generator[str]:
    """Yield the address of a database for one who may have so many connections."""
    role = f"limited_{uuid.uuid4().hex}"
    with new_database() as address:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT {connections}".encode())
            connection.execute(f"GRANT ALL ON SCHEMA public TO {role}".encode())
        try:
            url = make_url(address).set(drivername="postgresql+psycopg", username=role)
            yield url.render_as_string(hide_password=False)
        finally:
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(f"DROP OWNED BY {role}".encode())
                connection.execute(f"DROP ROLE {role}".encode())


async def _add(database: Database, number: int) -> int:
    def add(connection: Connection) -> int:
        connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
        if number % 20 == 7:
            connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
        if number % 20 == 17:
            raise ValueError("changed its mind")
        return number

    return await database.write(add)
