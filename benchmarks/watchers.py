"""What do many watchers cost, and does each of them get every event?

    .venv/bin/python benchmarks/watchers.py [--watchers 1000] [--tasks 20] [--database sqlite]

Tasks of three steps (the first takes a second) wait for their plans' approval. The watchers follow their events
(server-sent events), the same number of them each task; when all are connected, the plans are approved, and all tasks
run at once while they are watched. Memory is the orchestrator's PSS: with the tasks waiting but nobody watching, and
the most that is seen from then on, every quarter of a second, until the last task has ended.

Each watcher's events are then compared with the task's log: the same events, once each, in order, to the terminal one.

Target: 1,000 watchers ≤ 150 MB.
"""

import argparse
import asyncio
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

import orjson
import uvloop

from benchmarks.harness import databases, machine
from benchmarks.harness.client import Client, open_client
from benchmarks.harness.crowd import clock_of, own_clock
from benchmarks.harness.databases import Database, open_database
from benchmarks.harness.memory import Peak
from benchmarks.harness.processes import BenchmarkError, folder
from benchmarks.harness.scene import Scene, given, open_scene, output, step
from benchmarks.harness.tables import show, verdict
from shared.agent import JsonObject

_MOST_MB: Final = 150


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one watcher saw of which task."""

    task_id: str
    events: list[JsonObject]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", default="sqlite", help=databases.HELP)
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="a few watchers: to see that it works")
    chosen = parser.parse_args()
    watchers, tasks = (20, 2) if chosen.quick else (chosen.watchers, chosen.tasks)
    print(machine.describe())
    with folder() as data, open_database(chosen.database, data) as database:
        uvloop.run(_measure(data, database, watchers, tasks))


async def _measure(data: Path, database: Database, watchers: int, tasks: int) -> None:
    async with open_scene(data, database=database) as scene, open_client(scene.orchestrator.url) as client:
        await scene.run([step(1)])
        waiting = [await client.run_until_input(_task()) for _ in range(tasks)]
        alone_mb, _ = machine.memory_mb(scene.orchestrator.pid)
        clocks = {"orchestrator": clock_of(scene.orchestrator.pid), "client": own_clock()}
        began = {who: clock() for who, clock in clocks.items()}
        async with Peak(scene.orchestrator.pid) as peak, asyncio.TaskGroup() as group:
            connected = asyncio.Semaphore(0)
            following = [
                group.create_task(_watch(client, str(waiting[number % tasks]["id"]), connected))
                for number in range(watchers)
            ]
            for _ in following:
                await connected.acquire()
            still_mb, _ = machine.memory_mb(scene.orchestrator.pid)
            started = perf_counter()
            for task in waiting:
                await _approve(client, task)
            seen = [await each for each in following]
            took_s = perf_counter() - started
        cpu = {who: clock() - began[who] for who, clock in clocks.items()}
        complete = await _count_complete(scene, seen)
    events = sum(len(each.events) for each in seen)
    added_mb = peak.most_mb - alone_mb
    rows = [
        ["watchers, over how many tasks", f"{watchers}, {tasks}"],
        ["PSS with nobody watching, MB", f"{alone_mb:.0f}"],
        ["added while all watch and nothing happens, MB", f"{still_mb - alone_mb:.0f}"],
        ["added at most, while the tasks run, MB", f"{added_mb:.0f}"],
        ["of that for one watcher, kB", f"{added_mb / watchers * 1000:.0f}"],
        ["events sent, in seconds", f"{events}, {took_s:.1f}"],
        ["CPU of the orchestrator for one event to one watcher, ms", f"{cpu['orchestrator'] / events * 1000:.2f}"],
        ["CPU of the client for it, ms", f"{cpu['client'] / events * 1000:.2f}"],
        ["watchers that got every event, once, in order", f"{complete} of {watchers}"],
    ]
    show(f"Watchers by server-sent events, {database.name}", ["what", "measured"], rows)
    print(f"\n{added_mb:.0f} MB (target ≤ {_MOST_MB} MB for 1,000: {verdict(added_mb, _MOST_MB)})")


def _task() -> JsonObject:
    steps = [step(1, "wait 1 first"), *(step(n, f"{n}: {output(n - 1)}", after=[n - 1]) for n in (2, 3))]
    return {**given(steps), "approve_plan": True}


async def _watch(client: Client, task_id: str, connected: asyncio.Semaphore) -> _Seen:
    events: list[JsonObject] = []
    async with client.session.get(f"{client.url}/api/tasks/{task_id}/events") as response:
        async for line in response.content:
            if line.startswith(b"data:"):
                if not events:
                    connected.release()
                events.append(orjson.loads(line[5:]))
    return _Seen(task_id, events)


async def _approve(client: Client, task: JsonObject) -> None:
    match task:
        case {"id": str(task_id), "pending_inputs": [{"input_id": str(input_id)}]}:
            await client.answer(task_id, {"input_id": input_id, "approve": True})
        case _:
            raise BenchmarkError(f"The task {task['id']} waits for nothing.")


async def _count_complete(scene: Scene, seen: list[_Seen]) -> int:
    logs = {task_id: await scene.events({"id": task_id}) for task_id in {each.task_id for each in seen}}
    whole = {
        task_id for task_id, log in logs.items() if [event["seq"] for event in log] == list(range(1, len(log) + 1))
    }
    return sum(each.task_id in whole and each.events == logs[each.task_id] for each in seen)


if __name__ == "__main__":
    main()
