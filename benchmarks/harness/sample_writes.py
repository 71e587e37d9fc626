"""The bare durable write path: a task's rows, written again under another id in as many transactions as they took.

The rows of a task that really ran are the sample, so tables, indexes, sizes and the number of transactions are those
of today. Events of one transaction have one time; each time is one transaction here. Every statement is prepared SQL
on one `sqlite3` connection in WAL mode with `synchronous=FULL`: no ORM, no check, no decision.
"""

import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Final, TypeAlias
from uuid import uuid4

Row: TypeAlias = dict[str, str | int | float | bytes | None]

_TABLES: Final = {"tasks": "id", "plans": "task_id", "steps": "task_id", "attempts": "task_id", "events": "task_id"}


class SampleWrites:
    """Writes a sample task's rows again and again, into a copy of the database that they are in."""

    def __init__(self, target: Path, sample: Path, task_id: str) -> None:
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
        self._task_id = task_id
        by_time: defaultdict[str, list[Row]] = defaultdict(list)
        for event in sorted(self._rows["events"], key=lambda event: int(event["seq"] or 0)):
            by_time[str(event["at"])].append(event)
        self._transactions = list(by_time.values())
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            self._connection.execute(f"PRAGMA {pragma}")

    @property
    def count(self) -> int:
        """How many transactions a task has."""
        return len(self._transactions)

    def new_task(self) -> str:
        """Return an id for another copy."""
        return str(uuid4())

    def write(self, number: int, task_id: str) -> None:
        """Do the transaction of that number (from 0) for the copy `task_id`, and commit it."""
        events = self._transactions[number]
        kinds = {str(event["type"]) for event in events}
        self._connection.execute("BEGIN IMMEDIATE")
        if number == 0:
            self._insert("tasks", task_id, self._rows["tasks"])
        else:
            [task] = self._rows["tasks"]
            self._connection.execute(
                "UPDATE tasks SET status = ?, run_state = ?, result = ?, last_seq = ? WHERE id = ?",
                [task["status"], task["run_state"], task["result"], events[-1]["seq"], task_id],
            )
        if "plan.created" in kinds:
            self._insert("plans", task_id, self._rows["plans"])
            self._insert("steps", task_id, self._rows["steps"])
        elif "step.status" in kinds and not self._has_attempts(task_id):
            self._insert("attempts", task_id, self._rows["attempts"])
            self._update_steps(task_id)
        elif "step.status" in kinds:
            self._update_steps(task_id)
            [attempt, *_] = self._rows["attempts"]
            self._connection.execute(
                "UPDATE attempts SET remote_task_id = ?, ended_at = ? WHERE task_id = ?",
                [attempt["remote_task_id"], attempt["ended_at"], task_id],
            )
        self._insert("events", task_id, events)
        self._connection.execute("COMMIT")

    def _has_attempts(self, task_id: str) -> bool:
        found = self._connection.execute("SELECT 1 FROM attempts WHERE task_id = ? LIMIT 1", [task_id])
        return found.fetchone() is not None

    def _update_steps(self, task_id: str) -> None:
        for step in self._rows["steps"]:
            self._connection.execute(
                "UPDATE steps SET status = ?, output_text = ?, completed_at = ? WHERE task_id = ? AND step_id = ?",
                [step["status"], step["output_text"], step["completed_at"], task_id, step["step_id"]],
            )

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
