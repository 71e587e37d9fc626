"""Many tasks at once: how many get through in a second, and what each process pays for one."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final, TypeAlias

from benchmarks.harness import machine

Cpu: TypeAlias = Callable[[], float]
"""Reads a CPU clock, in seconds."""

_REST_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Costs:
    """How many tasks ran, how long it took, and the CPU time of each group of processes, in seconds.

    `queued_s` is how long the orchestrators were ready to run but had to wait for a core.
    """

    tasks: int
    took_s: float
    cpu_s: dict[str, float]
    queued_s: float

    @property
    def rate(self) -> float:
        """Tasks per second."""
        return self.tasks / self.took_s

    def per_task_ms(self, who: str) -> float:
        """Return the CPU time of one task, in milliseconds."""
        return self.cpu_s[who] / self.tasks * 1000

    def cores(self, who: str) -> float:
        """Return how many cores a group kept busy."""
        return self.cpu_s[who] / self.took_s

    def bound(self, cores: int) -> str:
        """Say what kept the rate from being higher."""
        busy = {who: self.cores(who) for who in self.cpu_s}
        who, most = max(busy.items(), key=lambda item: item[1])
        queued = self.queued_s / self.took_s
        if most > 0.85:
            return f"CPU: {who} used {most:.2f} of the one core that a Python process can use"
        if most + queued > 0.85:
            return f"the machine: {who} ran {most:.0%} of the time, waited for a core {queued:.0%} ({cores} cores)"
        return f"waiting for disk, agents, turns: {who} ran {most:.0%} of the time, waited for a core {queued:.0%}"


async def run_crowd(
    work: Callable[[], Awaitable[None]],
    count: int,
    at_once: int,
    clocks: Mapping[str, Cpu],
    orchestrators: Sequence[int] = (),
) -> Costs:
    """Do `work` `count` times, `at_once` at a time. What is written after the last answer belongs to the CPU's cost.

    `orchestrators` are the processes whose wait for a core is counted.
    """
    left = iter(range(count))

    async def repeat() -> None:
        for _ in left:
            await work()

    before = {who: clock() for who, clock in clocks.items()}
    queued_s = sum(map(machine.queued_s, orchestrators))
    began = perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(repeat())
    took_s = perf_counter() - began
    queued_s = sum(map(machine.queued_s, orchestrators)) - queued_s
    await asyncio.sleep(_REST_S)
    return Costs(count, took_s, {who: clock() - before[who] for who, clock in clocks.items()}, queued_s)


def clock_of(*pids: int) -> Cpu:
    """Return the clock of some processes together."""
    return lambda: sum(machine.cpu_s(pid) for pid in pids)


def own_clock() -> Cpu:
    """Return the clock of this process: the client."""
    return time.process_time
