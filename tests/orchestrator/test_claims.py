"""A claim is known to the database before it is known to the worker that made it."""
# pyright: reportPrivateUsage=false
# What is tested happens between a commit and the moment that its result is told.

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection

from orchestrator_service.engine import engine, queue
from orchestrator_service.engine.work import Run
from shared import transactions
from tests.support.echo import ECHO
from tests.support.federation import federation, step


async def test_a_task_that_was_just_claimed_is_not_taken_for_left_behind(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    written = threading.Event()
    owned, settle = queue.owned, transactions._settle

    def look(connection: Connection, worker_id: str) -> list[tuple[str, int]]:
        written.wait(0.5)
        return owned(connection, worker_id)

    def tell_late(batch: Sequence[transactions._Job], results: Sequence[tuple[object, BaseException | None]]) -> None:
        if any(_is_claim(result) for result, _ in results):
            written.set()
            time.sleep(0.3)  # its thread gets no turn: meanwhile the upkeep looks
            written.clear()
        settle(batch, results)

    monkeypatch.setattr(engine, "_UPKEEP_S", 0.05)
    monkeypatch.setattr(queue, "owned", look)
    monkeypatch.setattr(transactions, "_settle", tell_late)
    async with federation(tmp_path, ECHO, database_url=database_url) as running:
        for _ in range(3):
            task = await running.run(step("a"))
            statuses = [event["status"] for event in await running.events(task) if event["type"] == "step.status"]
            assert statuses == ["running", "completed"]
    assert "a run is another worker's by now, or its task is over" not in caplog.messages


def _is_claim(result: object) -> bool:
    return isinstance(result, tuple) and isinstance(result[0], list) and any(isinstance(run, Run) for run in result[0])  # pyright: ignore[reportUnknownVariableType]
