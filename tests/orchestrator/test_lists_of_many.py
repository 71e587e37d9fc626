"""Lists, and looks that are repeated all the time, cost the same however many tasks, questions and runs are over."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Connection, insert, select

from orchestrator_service import inputs, memory, page_tests, task_views
from orchestrator_service.models import PendingInput, Session, StepRow, Task
from orchestrator_service.page_test_models import PageTestRow, PageTestRun
from shared.auth import LOCAL
from shared.db import new_id, now, open_engine
from tests.support.ready_made import on_postgres, put_orchestrators

_FEW, _MANY = 200, 2_000


_LOOKS: Final[dict[str, Callable[[Connection], object]]] = {
    "tasks": lambda connection: task_views.search(connection, LOCAL, task_views.Filters(), None, 20),
    "tasks of a user": lambda connection: task_views.search(
        connection, LOCAL, task_views.Filters(user_id="ada"), None, 20
    ),
    "tasks of an agent": lambda connection: task_views.search(
        connection, LOCAL, task_views.Filters(agent="Echo"), None, 20
    ),
    "tasks of some statuses and an agent": lambda connection: task_views.search(
        connection, LOCAL, task_views.Filters(statuses=("completed", "failed"), agent="Echo"), None, 20
    ),
    "open questions": lambda connection: task_views.open_questions(connection, LOCAL, None, 20),
    "questions that expire": lambda connection: inputs.expire(connection, now(), 20),
    "sessions": lambda connection: memory.list_sessions(connection, LOCAL, None, 20),
    "page tests": lambda connection: page_tests.search(connection, LOCAL, None, 20),
    "page tests that are due": page_tests.due,
}


@pytest.mark.parametrize("look", _LOOKS.values(), ids=_LOOKS)
def test_a_look_costs_the_same_however_much_is_over(look: Callable[[Connection], object], tmp_path: Path) -> None:
    few, many = (_cost(look, tmp_path / str(count), count) for count in (_FEW, _MANY))
    assert many < 1.5 * few + 30


def test_answers_given_elsewhere_are_found_among_any_number_of_tasks_that_wait() -> None:
    with on_postgres() as url:
        engine = open_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        try:
            with engine.begin() as connection:
                _store(connection, 1)
                [ended] = connection.execute(select(Task.id)).scalars()
                waiting = {new_id(): now() for _ in range(70_000)}
                assert inputs.gone_on(connection, {**waiting, ended: now()}) == [ended]
        finally:
            engine.dispose()


def _cost(look: Callable[[Connection], object], folder: Path, count: int) -> int:
    """Return how many hundreds of SQLite's own instructions a look takes, with so much of everything that is over."""
    engine = open_engine(f"sqlite:///{put_orchestrators(folder)}")
    hundreds = 0

    def take_note() -> None:
        nonlocal hundreds
        hundreds += 1

    try:
        with engine.begin() as connection:
            _store(connection, count)
            driver = connection.connection.dbapi_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.set_progress_handler(take_note, 100)
            look(connection)
            driver.set_progress_handler(None, 0)
    finally:
        engine.dispose()
    return hundreds


def _store(connection: Connection, count: int) -> None:
    """Store tasks that are over, each with an answered question that has expired by now and as a page test's run."""
    at = now() - timedelta(days=1)
    ids = [new_id() for _ in range(count)]
    mine: dict[str, object] = {"tenant_id": LOCAL.tenant_id, "created_at": at}
    over: dict[str, object] = {
        "user_id": "ada",
        "description": "d",
        "request": {},
        "status": "completed",
        "run": 1,
        "run_state": "idle",
        "priority": 5,
        "last_seq": 1,
        "usage": {},
        "trace_id": "",
        "cancel_requested": False,
        "deadline_at": at,
    }
    connection.execute(insert(Task), [{**mine, **over, "id": each} for each in ids])
    step: dict[str, object] = {"step_id": "a", "status": "completed", "agent_id": "echo", "agent_name": "Echo"}
    connection.execute(insert(StepRow), [{**step, "task_id": each} for each in ids])
    answered = {"kind": "plan", "prompt": "?", "consumed": True, "answered_at": at, "expires_at": at, "created_at": at}
    connection.execute(insert(PendingInput), [{**answered, "id": new_id(), "task_id": each} for each in ids])
    session: dict[str, object] = {"title": "", "metadata": {}, "updated_at": at}
    connection.execute(insert(Session), [{**mine, **session, "id": each} for each in ids])
    test = {"id": "t", "name": "n", "url": "u", "goal": "g", "cron": "* * * * *", "timezone": "UTC"}
    connection.execute(insert(PageTestRow), {**mine, **test, "next_run_at": at, "updated_at": at})
    run = {"test_id": "t", "url": "u", "goal": "g", "origin": "schedule"}
    connection.execute(insert(PageTestRun), [{**run, "task_id": each} for each in ids])
