"""How much longer does a program take in the sandbox than bare Python takes for it?

    .venv/bin/python benchmarks/sandbox_start.py [--rounds 40]

The program does nothing. *Bare* is this interpreter with the same options, as a child process whose output is read.
*In the sandbox* is the whole of `Sandbox.run`: files packed, walls built, the launcher, the program, the report read,
everything gone again. Where the walls of Landlock work they are measured, too, and Node where it is installed.

Target: the sandbox adds at most 50 ms to bare Python.
"""

import argparse
import asyncio
import statistics
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop

from benchmarks.harness import machine
from benchmarks.harness.rounds import interleave, timed
from benchmarks.harness.tables import show, verdict
from code_agent_service import bubblewrap, toolbox
from code_agent_service.landlock import LandlockWalls
from code_agent_service.runs import Limits, Program, WorkFile
from code_agent_service.sandbox import BoxedSandbox, Sandbox, open_sandbox
from code_agent_service.settings import Settings
from shared.errors import FederationError

_TARGET_MS: Final = 50.0
_BARE: Final = "bare Python"
_NOTHING: Final = Program("main.py", (WorkFile("main.py", b"pass\n"),))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it works")
    chosen = parser.parse_args()
    print(machine.describe())
    uvloop.run(_measure(5 if chosen.quick else chosen.rounds))


async def _measure(rounds: int) -> None:
    settings = Settings(sandbox_max_runs=1)
    sandbox = await open_sandbox(settings)
    cases: dict[str, Callable[[], Awaitable[object]]] = {_BARE: _run_bare, sandbox.kind: _runner(sandbox, _NOTHING)}
    weaker = BoxedSandbox(LandlockWalls(), Limits.from_settings(settings))
    if sandbox.kind != weaker.kind and await _works(weaker):
        cases[weaker.kind] = _runner(weaker, _NOTHING)
    if node := toolbox.find_node():
        script = Program("main.js", (WorkFile("main.js", b";\n"),), language="javascript", mounts=node)
        cases[f"{sandbox.kind}, Node"] = _runner(sandbox, script)
    samples = await interleave({name: timed(work) for name, work in cases.items()}, rounds)
    rows: list[list[str]] = []
    for name, times in samples.items():
        added = statistics.median(one - bare for one, bare in zip(times, samples[_BARE], strict=True)) * 1000
        is_judged = name == sandbox.kind
        rows.append(
            [
                name,
                f"{statistics.median(times) * 1000:.1f} ms",
                f"{sorted(times)[int(len(times) * 0.9)] * 1000:.1f} ms",
                "" if name == _BARE else f"{added:.1f} ms",
                f"≤ {_TARGET_MS:g} ms: {verdict(added, _TARGET_MS)}" if is_judged else "",
            ]
        )
    show(f"A program that does nothing (n = {rounds})", ["", "median", "90 %", "added to bare", "target"], rows)


async def _run_bare() -> None:
    command = [bubblewrap.find_python(), "-s", "-B", "-u", "-c", "pass"]
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    await process.communicate()


def _runner(sandbox: Sandbox, program: Program) -> Callable[[], Awaitable[object]]:
    async def run() -> None:
        ended = await sandbox.run(program)
        assert ended.exit_code == 0, ended.stderr

    return run


async def _works(sandbox: Sandbox) -> bool:
    try:
        return (await sandbox.run(_NOTHING)).exit_code == 0
    except FederationError:
        return False


if __name__ == "__main__":
    main()
