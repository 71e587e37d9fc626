"""What does the profile of a large table cost, beside DuckDB alone on the same file, in time and in memory?

    .venv/bin/python benchmarks/data_profile.py [--rows 1000000] [--rounds 5] [--megabytes 100]

*Ours* is `analyze-data` as it is asked of the agent: the file is checked, its columns are typed by what they hold, and
profiled exactly: different values, quartiles, top groups, outliers, correlations, repeated rows; no chart.
*DuckDB alone* is its own profile of the same file, `SUMMARIZE` over `read_csv`, whose counts of different values and
quartiles are estimates. Both have as many threads, each a process of its own.

Targets: ours takes at most three times as long; and a file of 100 MB raises the memory of one that has answered for
a small one, by less than 100 MB.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Final

import uvloop

from api_agent_service.agent import open_agent
from api_agent_service.settings import Settings
from benchmarks.harness import machine
from benchmarks.harness.asked import open_asked
from benchmarks.harness.rounds import interleave, ratio
from benchmarks.harness.tables import show, verdict
from shared.agent import AgentRequest, Answer

_MODULE: Final = "benchmarks.data_profile"
_MOST_RATIO: Final = 3.0
_MOST_MB: Final = 100.0
_OURS: Final = "ours"
_ALONE: Final = "DuckDB alone"
_HEADER: Final = "order_id,day,city,product,status,price,quantity,revenue,note\n"
_CITIES: Final = ("Paris", "Rome", "Oslo", "Lyon", "Graz", "Bonn")
_STATES: Final = ("open", "shipped", "cancelled")


def main() -> None:
    """Measure and print; or, asked by this program itself, do the work that is measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=100, help="size of the file whose memory is measured")
    parser.add_argument("--quick", action="store_true", help="small files, few rounds: to see that it works")
    parser.add_argument("--worker", choices=(_OURS, "alone"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        _work(chosen.worker)
        return
    print(machine.describe())
    rows, rounds, megabytes = (20_000, 2, 5) if chosen.quick else (chosen.rows, chosen.rounds, chosen.megabytes)
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(_measure(Path(folder), rows, rounds, megabytes))


async def _measure(folder: Path, rows: int, rounds: int, megabytes: int) -> None:
    table = folder / "table.csv"
    size = await asyncio.to_thread(_write, table, rows=rows)
    async with (
        open_asked(_MODULE, ["--worker", _OURS], folder / "ours") as ours,
        open_asked(_MODULE, ["--worker", "alone"], folder / "alone") as alone,
    ):

        def asking(ask: Callable[[str], Awaitable[str]]) -> Callable[[], Awaitable[float]]:
            async def case() -> float:
                return float((await ask(str(table))).split()[0])

            return case

        took = await interleave({_OURS: asking(ours.ask), _ALONE: asking(alone.ask)}, rounds, warm_up=1)
    times = ratio(took[_OURS], took[_ALONE])
    shown = [[name, f"{statistics.median(took[name]):.2f} s", ""] for name in (_ALONE, _OURS)]
    shown[1][2] = f"{times:.2f} × (≤ {_MOST_RATIO:g} ×: {verdict(times, _MOST_RATIO)})"
    show(f"The profile of {rows:,} rows, {size / 1e6:.0f} MB (n = {rounds})", ["", "median", "to DuckDB alone"], shown)

    small, large = folder / "small.csv", folder / "large.csv"
    await asyncio.to_thread(_write, small, rows=1_000)
    size = await asyncio.to_thread(_write, large, size_bytes=megabytes * 1_000_000)
    async with open_asked(_MODULE, ["--worker", _OURS], folder / "memory") as ours:
        after_small = float((await ours.ask(str(small))).split()[1])
        peak = float((await ours.ask(str(large))).split()[1])
    added = peak - after_small
    columns = ["file", "after a small one", "at most", "added"]
    judged = f"{added:.0f} MB (< {_MOST_MB:g} MB: {verdict(added, _MOST_MB)})"
    show("Memory (RSS)", columns, [[f"{size / 1e6:.0f} MB", f"{after_small:.0f} MB", f"{peak:.0f} MB", judged]])


def _write(path: Path, *, rows: int = sys.maxsize, size_bytes: int = sys.maxsize) -> int:
    """Write a table of so many rows, or so large; returns its size in bytes."""
    numbers = random.Random(1)
    size = 0
    with path.open("w", encoding="ascii") as file:
        size += file.write(_HEADER)
        for row in range(rows):
            if size >= size_bytes:
                break
            price, many = round(numbers.uniform(1, 500), 2), numbers.randint(1, 20)
            day = date(2020, 1, 1) + timedelta(days=numbers.randint(0, 1500))
            size += file.write(
                f"{row},{day},{numbers.choice(_CITIES)},P{numbers.randint(1, 400)},{numbers.choice(_STATES)},"
                f"{price if row % 50 else ''},{many},{price * many:.2f},customer {numbers.randint(1, 200_000)} said\n"
            )
    return size


def _work(which: str) -> None:
    """Answer each line, a path, with how long its profile took in seconds, and the most memory so far in MB."""
    profile = _profile_alone if which == "alone" else _profile
    print("ready", flush=True)
    for line in sys.stdin:
        seconds = profile(line.strip())
        print(f"{seconds} {_most_mb()}", flush=True)


def _profile(path: str) -> float:
    file = Path(path)
    no_model = dict.fromkeys(("openai_api_key", "groq_api_key", "anthropic_api_key", "llm_base_url", "llm_provider"))
    settings = Settings.model_validate({**no_model, "data_files": file.parent, "data_dir": Path.cwd()})
    request = AgentRequest(f"Profile {file.name}, no chart", "t", "c", "m", skill="analyze-data")

    async def answer() -> None:
        async with open_agent(settings) as agent, aclosing(agent.answer(request)) as updates:
            assert [update async for update in updates if isinstance(update, Answer)]

    began = perf_counter()
    asyncio.run(answer())
    return perf_counter() - began


def _profile_alone(path: str) -> float:
    import duckdb  # noqa: PLC0415 - not measured with the other one

    settings = Settings.model_validate({})
    began = perf_counter()
    with duckdb.connect(config={"threads": settings.data_threads}) as connection:
        connection.execute(f"SUMMARIZE SELECT * FROM read_csv('{path}')").fetchall()
    return perf_counter() - began


def _most_mb() -> float:
    """Return the most memory that this process has had, in MB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError("Linux tells it")


if __name__ == "__main__":
    main()
