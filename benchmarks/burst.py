"""What becomes of ten thousand tasks that are submitted at once?

    .venv/bin/python benchmarks/burst.py [--tasks 10000] [--connections 200] [--database sqlite]

Tasks of one step are submitted as fast as that many connections can; each answer has to be 202, or 429 with
`Retry-After`. A refused one is not tried again. Then it is waited until every task that was accepted has ended, and all
have to be completed, as `/metrics` counts them. While tasks are submitted, `/health` is asked every
tenth of a second, to see whether the service still answers. Memory is the orchestrator's PSS, before and at most.

`--limit` sets MAX_QUEUED_TASKS, so that refusals are seen too; the default run takes everything.
"""

import argparse
import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final

import uvloop

from benchmarks.harness import databases, machine
from benchmarks.harness.client import Client, open_client
from benchmarks.harness.crowd import run_crowd
from benchmarks.harness.databases import Database, open_database
from benchmarks.harness.memory import Peak
from benchmarks.harness.processes import BenchmarkError, folder
from benchmarks.harness.rounds import Progress
from benchmarks.harness.scene import given, open_scene, step
from benchmarks.harness.tables import show

_WARM_UP: Final = 50
_LOOK_S: Final = 0.5
_ASK_S: Final = 0.1
_QUIET_S: Final = 60.0
_METRIC: Final = re.compile(r'^federation_tasks\{status="(\w+)"\} (\S+)$', re.MULTILINE)
_BODY: Final = given([step(1)])


@dataclass(slots=True)
class _Answers:
    """What the submissions were answered."""

    accepted: int = 0
    refused: int = 0
    others: Counter[str] = field(default_factory=Counter[str])
    retry_after_s: set[str] = field(default_factory=set[str])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", default="sqlite", help=databases.HELP)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--limit", type=int, help="MAX_QUEUED_TASKS; default: the orchestrator's own")
    parser.add_argument("--quick", action="store_true", help="a hundred tasks, of which some are refused")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.tasks, chosen.connections, chosen.limit = 100, 50, 20
    print(machine.describe())
    with folder() as data, open_database(chosen.database, data) as database:
        uvloop.run(_measure(data, database, chosen.tasks, chosen.connections, chosen.limit))


async def _measure(data: Path, database: Database, tasks: int, connections: int, limit: int | None) -> None:
    settings: dict[str, object] = {} if limit is None else {"MAX_QUEUED_TASKS": limit}
    async with (
        open_scene(data, database=database, settings=settings) as scene,
        open_client(scene.orchestrator.url) as client,
    ):
        pid = scene.orchestrator.pid
        await run_crowd(lambda: client.run(_BODY), min(_WARM_UP, tasks), 8, {})
        before_mb, _ = machine.memory_mb(pid)
        done_before = (await _count(client))["completed"]
        answers = _Answers()
        began, used = perf_counter(), machine.cpu_s(pid)
        async with Peak(pid) as peak:
            async with _asking_health(client) as slow_s:
                await run_crowd(lambda: _submit(client, answers), tasks, connections, {})
            submitted_s = perf_counter() - began
            await _until_over(client, answers.accepted, done_before)
            took_s = perf_counter() - began
        completed = (await _count(client))["completed"] - done_before
        cpu_ms = (machine.cpu_s(pid) - used) / max(answers.accepted, 1) * 1000
        after_mb, _ = machine.memory_mb(pid)
    rows = [
        ["submitted", f"{tasks}"],
        ["accepted (202)", f"{answers.accepted}"],
        [
            "refused (429), with a Retry-After of",
            f"{answers.refused}, {', '.join(sorted(answers.retry_after_s)) or '-'} s",
        ],
        ["answered otherwise", ", ".join(f"{each}: {count}" for each, count in answers.others.items()) or "none"],
        ["answered, a second", f"{tasks / submitted_s:.0f}"],
        ["slowest answer of /health meanwhile, ms", f"{max(slow_s, default=0) * 1000:.0f}"],
        ["all accepted had ended after, s", f"{took_s:.1f} ({answers.accepted / took_s:.1f} a second)"],
        ["completed", f"{completed} of {answers.accepted}"],
        ["CPU of the orchestrator, ms a task", f"{cpu_ms:.1f}"],
        ["PSS before, at most, after, MB", f"{before_mb:.0f}, {peak.most_mb:.0f}, {after_mb:.0f}"],
    ]
    show(f"{tasks} tasks at once over {connections} connections, {database.name}", ["what", "measured"], rows)
    if completed != answers.accepted or answers.others:
        raise BenchmarkError("Something was lost, or answered with what is neither 202 nor 429 with Retry-After.")


async def _submit(client: Client, answers: _Answers) -> None:
    status, headers = await client.try_to_submit(_BODY)
    match status, headers.get("Retry-After"):
        case 202, _:
            answers.accepted += 1
        case 429, str(retry_after):
            answers.refused += 1
            answers.retry_after_s.add(retry_after)
        case _, retry_after:
            answers.others[f"{status}, Retry-After {retry_after}"] += 1


@asynccontextmanager
async def _asking_health(client: Client) -> AsyncGenerator[list[float]]:
    """Ask `/health` again and again; yields how long each answer took, in seconds."""
    took_s: list[float] = []

    async def ask() -> None:
        while True:
            began = perf_counter()
            async with client.session.get(f"{client.url}/health") as response:
                await response.read()
            took_s.append(perf_counter() - began)
            await asyncio.sleep(_ASK_S)

    asking = asyncio.create_task(ask())
    try:
        yield took_s
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def _until_over(client: Client, accepted: int, over_before: int) -> None:
    """Wait until all that were accepted have ended. Raises: BenchmarkError when none has ended for a minute."""
    over, changed_at = 0, perf_counter()
    with Progress("tasks to end", accepted) as progress:
        while over < accepted:
            await asyncio.sleep(_LOOK_S)
            found = await _count(client)
            now_over = sum(found[status] for status in ("completed", "failed", "canceled")) - over_before
            progress.advance(now_over - over)
            if now_over > over:
                over, changed_at = now_over, perf_counter()
            elif perf_counter() - changed_at > _QUIET_S:
                raise BenchmarkError(f"{accepted - over} tasks have not ended, and none has for {_QUIET_S:g} s.")


async def _count(client: Client) -> Counter[str]:
    """Return how many tasks there are, by status, as /metrics tells."""
    async with client.session.get(f"{client.url}/metrics") as response:
        text = await response.text()
    return Counter({found[1]: int(float(found[2])) for found in _METRIC.finditer(text)})


if __name__ == "__main__":
    main()
