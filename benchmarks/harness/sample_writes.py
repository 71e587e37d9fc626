"""The bare durable write path: a task's rows, written again under another id in as many transactions as they took.

The rows of a task that really ran are the sample, so tables, indexes, sizes and the number of transactions are those
of today; what one transaction wrote is told by the times of the events. Every statement is prepared SQL on one
`sqlite3` connection in WAL mode with `synchronous=FULL`: no ORM, no check, no decision.
"""

import sqlite3
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeAlias
from uuid import uuid4

import orjson

Row: TypeAlias = dict[str, str | int | float | bytes | None]

_TABLES: Final = {"tasks": "id", "plans": "task_id", "steps": "task_id", "attempts": "task_id", "events": "task_id"}


class SampleWrites:
    """Writes a sample task's rows again and again, into a copy of the database that they are in.

    `count` is the number of transactions; the remote call comes after that of number `before_call`.
    """

    def __init__(self, target: Path, sample: Path, task_id: str, commits: int) -> None:
        self._connection = sqlite3.connect(target, isolation_level=None, check_same_thread=False)
        with closing(sqlite3.connect(f"file:{sample}?mode=ro", uri=True)) as source:
            source.backup(self._connection)
            source.row_factory = sqlite3.Row
            self._rows = {
                table: [
                    dict(row) for row in source.execute(f"SELECT * FROM {table} WHERE {key} = ? ORDER BY 1", [task_id])
                ]
                for table, key in _TABLES.items()
            }
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._task_id = task_id
        self._transactions = _group(self._rows["events"], commits)
        self.count = len(self._transactions)
        self.before_call = next(n for n, events in enumerate(self._transactions) if "running" in _step_states(events))

    def new_task(self) -> str:
        """Return an id for another copy."""
        return str(uuid4())

    def write(self, number: int, task_id: str) -> None:
        """Do the transaction of that number (from 0) for the copy `task_id`, and commit it."""
        events = self._transactions[number]
        states = _step_states(events)
        self._connection.execute("BEGIN IMMEDIATE")
        if number == 0:
            self._insert("tasks", task_id, self._rows["tasks"])
        else:
            [task] = self._rows["tasks"]
            self._connection.execute(
                "UPDATE tasks SET status = ?, run_state = ?, result = ?, last_seq = ? WHERE id = ?",
                [task["status"], task["run_state"], task["result"], events[-1]["seq"], task_id],
            )
        if any(event["type"] == "plan.created" for event in events):
            self._insert("plans", task_id, self._rows["plans"])
            self._insert("steps", task_id, self._rows["steps"])
        if states:
            for step in self._rows["steps"]:
                self._connection.execute(
                    "UPDATE steps SET status = ?, output_text = ?, completed_at = ? WHERE task_id = ? AND step_id = ?",
                    [step["status"], step["output_text"], step["completed_at"], task_id, step["step_id"]],
                )
        if "running" in states:
            self._insert("attempts", task_id, self._rows["attempts"])
        elif states:
            [attempt, *_] = self._rows["attempts"]
            self._connection.execute(
                "UPDATE attempts SET remote_task_id = ?, ended_at = ? WHERE task_id = ?",
                [attempt["remote_task_id"], attempt["ended_at"], task_id],
            )
        self._insert("events", task_id, events)
        self._connection.execute("COMMIT")

    def _insert(self, table: str, task_id: str, rows: list[Row]) -> None:
        columns = list(rows[0])
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",
            [[self._renamed(table, column, row[column], task_id) for column in columns] for row in rows],
        )

    def _renamed(
        self, table: str, column: str, value: str | float | bytes | None, task_id: str
    ) -> str | int | float | bytes | None:
        if table == "plans" and column == "id":
            return f"plan of {task_id}"
        return task_id if value == self._task_id else value


def _group(events: list[Row], count: int) -> list[list[Row]]:
    """Return the events by their numbers, in `count` transactions: those closest in time were written in one."""
    groups = [[event] for event in sorted(events, key=lambda event: int(event["seq"] or 0))]
    while len(groups) > count:
        gaps = [_moment(later[0]) - _moment(earlier[-1]) for earlier, later in pairwise(groups)]
        nearest = gaps.index(min(gaps))
        groups[nearest] += groups.pop(nearest + 1)
    return groups


def _moment(event: Row) -> float:
    return datetime.fromisoformat(str(event["at"])).timestamp()


def _step_states(events: list[Row]) -> set[str]:
    data = [orjson.loads(str(event["data"])) for event in events if event["type"] == "step.status"]
    return {str(each["status"]) for each in data}
