"""How long does a task take, beside the least that it could take?

    .venv/bin/python benchmarks/task_latency.py [--rounds 60] [--bundled]

Client, orchestrator, agent and floor are processes of their own; the agent answers at once, the plan is given.

*Ours* is one `POST /api/tasks` with `Prefer: wait`, from before the request to after the whole answer.

*The floor* is the bare durable write path plus one raw HTTP call to the same agent: the same rows are written in the
same number of transactions as one of our tasks takes (both are taken from a task that ran just before; prepared SQL on
one connection, WAL, `synchronous=FULL`), and the agent is called once with plain httpx over a connection that is kept
open. It has no HTTP request in front, no planning, no registry, no checks, no reading back. Its pieces are shown as
well, each measured alone.

Targets: one step ≤ 3 × the floor; three chained steps ≤ 3 × one step; 20 parallel steps of 100 ms ≤ 250 ms.

By default the agent is the least that speaks A2A. `--bundled` takes one that is built as ours are, which stores each
task durably before it answers: the floor and our time both grow by that.
"""

import argparse
import asyncio
from pathlib import Path
from time import perf_counter

from benchmarks.harness import machine
from benchmarks.harness.counting import take_sample
from benchmarks.harness.floor import open_floor
from benchmarks.harness.processes import folder
from benchmarks.harness.rounds import Case, interleave, median_ms, ratio, spread_ms, timed
from benchmarks.harness.scene import Scene, chain, fan, open_scene, step
from benchmarks.harness.tables import show, verdict
from shared.agent import JsonObject

_WIDTH = 20
_CROWD = 16


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--bundled", action="store_true", help="an agent built as the bundled ones are")
    chosen = parser.parse_args()
    print(machine.describe())
    with folder() as data:
        asyncio.run(_measure(data, chosen.rounds, bundled=chosen.bundled))


async def _measure(data: Path, rounds: int, *, bundled: bool) -> None:
    sample = await take_sample(data / "sample")
    async with open_scene(data / "scene", bundled=bundled) as scene:
        async with open_floor(data / "floor", sample, scene.agents[0].url) as floor:
            one = _run(scene, [step(1)])
            cases: dict[str, Case] = {
                "floor": floor.case("all"),
                "one step": one,
                "HTTP call alone": floor.case("call"),
                "commits alone": floor.case("commits"),
                "three chained steps": _run(scene, chain(3)),
            }
            found = await interleave(cases, rounds)
            _show_task(found, sample.commits, bundled=bundled)
        parallel = await interleave(
            {"one": one, "wide": _run(scene, fan(_WIDTH, "wait 0.1"))}, max(10, rounds // 4), warm_up=2
        )
        _show_parallel(parallel)
        await _show_cost(scene, rounds)


def _run(scene: Scene, steps: list[JsonObject]) -> Case:
    return timed(lambda: scene.run(steps))


def _show_task(found: dict[str, list[float]], commits: int, *, bundled: bool) -> None:
    floor, one, three = found["floor"], found["one step"], found["three chained steps"]
    kind = "built as the bundled ones are" if bundled else "the least that speaks A2A"
    names = {
        "floor": f"floor: {commits} commits, one call",
        "HTTP call alone": "· one raw HTTP call, alone",
        "commits alone": f"· {commits} durable commits, alone",
        "one step": "ours: one step, submit to result",
        "three chained steps": "ours: three chained steps",
    }
    rows = [
        [name, f"{median_ms(found[key]):.1f}", spread_ms(found[key]), f"{ratio(found[key], floor):.2f} ×"]
        for key, name in names.items()
    ]
    show(
        f"A task, agent: {kind}; n = {len(one)} rounds, interleaved",
        ["what", "median ms", "quartiles ms", "to the floor"],
        rows,
    )
    to_floor, to_one = ratio(one, floor), ratio(three, one)
    print(f"\none step / floor: {to_floor:.2f} (target ≤ 3: {verdict(to_floor, 3)})")
    print(f"three chained steps / one step: {to_one:.2f} (target ≤ 3: {verdict(to_one, 3)})")


def _show_parallel(found: dict[str, list[float]]) -> None:
    wide = median_ms(found["wide"])
    print(
        f"{_WIDTH} parallel steps of 100 ms: median {wide:.0f} ms, quartiles {spread_ms(found['wide'])} ms, "
        f"n = {len(found['wide'])} (target ≤ 250 ms: {verdict(wide, 250)})"
    )


async def _show_cost(scene: Scene, rounds: int) -> None:
    """Print what a task costs in CPU and how many a second get through, one at a time and many at once."""
    rows: list[list[str]] = []
    for name, steps in {"one step": [step(1)], "three chained steps": chain(3)}.items():
        for crowd in (1, _CROWD):
            count = max(rounds, 3 * crowd)
            before = [machine.cpu_s(running.pid) for running in (scene.orchestrator, *scene.agents)]
            began = perf_counter()
            await _run_all(scene, steps, count, crowd)
            took = perf_counter() - began
            await asyncio.sleep(0.2)  # what is written after the answer belongs to the cost
            after = [machine.cpu_s(running.pid) for running in (scene.orchestrator, *scene.agents)]
            ours, agents = after[0] - before[0], sum(after[1:]) - sum(before[1:])
            per_task = [f"{ours / count * 1000:.1f}", f"{agents / count * 1000:.1f}"]
            rows.append([name, str(crowd), str(count), f"{count / took:.1f}", *per_task])
    columns = ["plan", "at once", "n", "tasks/s", "orchestrator CPU ms", "agent CPU ms"]
    show("Cost per task", columns, rows)


async def _run_all(scene: Scene, steps: list[JsonObject], count: int, crowd: int) -> None:
    left = iter(range(count))

    async def submit() -> None:
        for _ in left:
            await scene.run(steps)

    async with asyncio.TaskGroup() as group:
        for _ in range(crowd):
            group.create_task(submit())


if __name__ == "__main__":
    main()
