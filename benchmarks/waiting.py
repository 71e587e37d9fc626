"""What do tasks cost that wait for a person?

    .venv/bin/python benchmarks/waiting.py [--tasks 1000] [--database sqlite] [--idle 15]

Half of the tasks wait for an answer to their agent's question, half for their plan's approval. Memory is the
orchestrator's PSS before them and with all of them waiting; it is warmed up by tasks that ran through. CPU is what it
uses in `--idle` seconds in which nothing is asked of it, before and with them. At the end every one is answered, and
has to complete.

Targets: 1,000 waiting tasks ≤ 100 MB and ≤ 5 % of a core.
"""

import argparse
import asyncio
import itertools
from pathlib import Path
from time import perf_counter
from typing import Final

import orjson
import uvloop

from benchmarks.harness import databases, machine
from benchmarks.harness.client import Client, open_client
from benchmarks.harness.crowd import run_crowd
from benchmarks.harness.databases import Database, open_database
from benchmarks.harness.processes import BenchmarkError, folder
from benchmarks.harness.rounds import Progress
from benchmarks.harness.scene import given, open_scene, step
from benchmarks.harness.tables import show, verdict
from shared.agent import JsonObject

_AT_ONCE: Final = 16
_WARM_UP: Final = 100
_SETTLE_S: Final = 2
_MOST_MB: Final = 100
_MOST_CORE: Final = 0.05


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", default="sqlite", help=databases.HELP)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--idle", type=float, default=15, help="seconds to watch while nothing is asked")
    parser.add_argument("--quick", action="store_true", help="a few tasks: to see that it works")
    chosen = parser.parse_args()
    tasks, idle_s = (10, 0.5) if chosen.quick else (chosen.tasks, chosen.idle)
    print(machine.describe())
    with folder() as data, open_database(chosen.database, data) as database:
        uvloop.run(_measure(data, database, tasks, idle_s))


async def _measure(data: Path, database: Database, tasks: int, idle_s: float) -> None:
    async with open_scene(data, database=database) as scene, open_client(scene.orchestrator.url) as client:
        pid = scene.orchestrator.pid
        await run_crowd(lambda: client.run(given([step(1)])), min(_WARM_UP, tasks), _AT_ONCE, {})
        before_cpu, before_mb = await _idle_cpu(pid, idle_s), machine.memory_mb(pid)[0]
        waiting: list[JsonObject] = []
        kinds = itertools.cycle([given([step(1, "ask first")]), {**given([step(1)]), "approve_plan": True}])
        with Progress("tasks that wait", tasks) as progress:

            async def submit() -> None:
                waiting.append(await client.run_until_input(next(kinds)))
                progress.advance()

            costs = await run_crowd(submit, tasks, _AT_ONCE, {})
        cpu, mb = await _idle_cpu(pid, idle_s), machine.memory_mb(pid)[0]
        left = iter(waiting)
        answered = await run_crowd(lambda: _answer(client, next(left)), tasks, _AT_ONCE, {})
    share, added_mb = cpu - before_cpu, mb - before_mb
    rows = [
        ["tasks that wait", f"{tasks}"],
        ["PSS before, MB", f"{before_mb:.0f}"],
        ["added with all of them waiting, MB", f"{added_mb:.1f}"],
        ["CPU of a core before", f"{before_cpu:.2%}"],
        ["CPU of a core with all of them waiting", f"{cpu:.2%}"],
        ["became waiting, a second", f"{costs.rate:.0f}"],
        ["answered and completed, a second", f"{answered.rate:.0f}"],
    ]
    show(f"Tasks that wait for a person, {database.name}", ["what", "measured"], rows)
    print(f"\nMemory {added_mb:.1f} MB (target ≤ {_MOST_MB} MB for 1,000: {verdict(added_mb, _MOST_MB)})")
    print(f"CPU {share:.2%} of a core (target ≤ {_MOST_CORE:.0%}: {verdict(share, _MOST_CORE)})")


async def _idle_cpu(pid: int, idle_s: float) -> float:
    await asyncio.sleep(min(_SETTLE_S, idle_s))
    used, began = machine.cpu_s(pid), perf_counter()
    await asyncio.sleep(idle_s)
    return (machine.cpu_s(pid) - used) / (perf_counter() - began)


async def _answer(client: Client, task: JsonObject) -> None:
    """Answer what the task waits for, and see it complete."""
    match task:
        case {"id": str(task_id), "pending_inputs": [{"input_id": input_id, "step_id": str()}]}:
            await client.answer(task_id, {"input_id": input_id, "text": "the first"})
        case {"id": str(task_id), "pending_inputs": [{"input_id": input_id}]}:
            await client.answer(task_id, {"input_id": input_id, "approve": True})
        case _:
            raise BenchmarkError(f"The task {task['id']} waits for nothing.")
    last = await client.last_event(task_id)
    if last["status"] != "completed":
        raise BenchmarkError(f"An answered task did not complete: {orjson.dumps(last).decode()}")


if __name__ == "__main__":
    main()
