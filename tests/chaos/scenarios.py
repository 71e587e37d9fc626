"""What is done to a federation while clients use it, and a whole run, from its start to the checker's verdict."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Final, TypeAlias

from tests.chaos.case import Violation
from tests.chaos.checker import check
from tests.chaos.clients import Clients, Habits
from tests.chaos.evidence import gather
from tests.chaos.goals import KINDS, goals
from tests.chaos.history import History
from tests.chaos.webhooks import receiving
from tests.chaos.world import Layout, World, running

IN_ORCHESTRATOR: Final = (
    "request-read",
    "task-stored",
    "plan-made",
    "step-begun",
    "step-sent",
    "step-streaming",
    "step-done",
    "step-recorded",
    "task-ended",
    "webhook-sent",
    "cancel-stored",
    "input-answered",
    "run-taken",
)
IN_AGENT: Final = (
    "agent-message-read",
    "agent-message-stored",
    "agent-run-begun",
    "agent-run-told",
    "agent-run-ended",
)
"""The failpoints, by the process in which they are."""

IN_RECOVERY: Final = ("step-streaming", "run-taken")
"""A life that ends at work, and one that ends when it takes that work up again."""

FREEZE_S: Final = 12.0
_PHASE_S: Final = 40.0
_MAX_LINE_CHARS: Final = 600
_FINISH_S: Final = 120.0

Disturbance: TypeAlias = Callable[[World, random.Random, History], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A layout, what is done to it, and how many goals there are at least."""

    name: str
    layout: Layout
    disturb: Disturbance
    least_goals: int = len(KINDS)
    habits: Habits = field(default_factory=Habits)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run went. Without violations all is well."""

    scenario: str
    seed: int
    history: Path
    violations: Sequence[Violation]
    tasks: int
    reconnects: int
    deaths: int
    seconds: float

    def __str__(self) -> str:
        """Return it as text; with violations, it says how to run the same again and where to look."""
        head = (
            f"{self.scenario}: {self.tasks} tasks, {self.deaths} deaths, {self.reconnects} reconnects, "
            f"{len(self.violations)} violations in {self.seconds:.0f} s"
        )
        if not self.violations:
            return head
        count = Counter(violation.kind for violation in self.violations)
        first = {violation.kind: violation for violation in reversed(self.violations)}
        lines = [f"  {count[kind]} × {first[kind]}"[:_MAX_LINE_CHARS] for kind in sorted(first)]
        return "\n".join([head, *lines, f"  seed {self.seed}, history {self.history}"])


async def play(scenario: Scenario, seed: int, folder: Path) -> Verdict:
    """Run the scenario in an empty folder, wait until all that was asked for is over, and check it."""
    began = monotonic()
    key = f"{seed}/{scenario.name}"
    async with AsyncExitStack() as stack:
        history = stack.enter_context(closing(History(folder / "history.jsonl")))
        webhooks = await stack.enter_async_context(receiving(history))
        world, others = await stack.enter_async_context(running(folder, scenario.layout, history))
        clients = Clients(world.urls, history, key, scenario.habits)
        disturbed = asyncio.Event()

        async def disturb() -> None:
            try:
                await scenario.disturb(world, random.Random(key), history)
            finally:
                disturbed.set()

        async def work() -> None:
            wanted = goals(key, webhooks.url)
            working = asyncio.ensure_future(clients.work(wanted, scenario.least_goals, disturbed))
            await disturbed.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(working, _FINISH_S)

        async with asyncio.TaskGroup() as group:
            group.create_task(disturb())
            group.create_task(work())
        await world.until_nothing_is_left()
        await webhooks.until_told_of(clients.ended)
        await others.aclose()
        evidence = await asyncio.to_thread(gather, history.path, world.database_url, dict(world.sinks))
    deaths = sum(line["what"] == "ended" and line["code"] == -signal.SIGKILL for line in evidence.history)
    seconds = monotonic() - began
    found = check(evidence)
    return Verdict(scenario.name, seed, history.path, found, len(evidence.tasks), clients.reconnects, deaths, seconds)


def die_at(process: str, failpoints: Sequence[str], layout: Layout) -> Scenario:
    """Return a scenario in which one life of the process after the other ends at the next of the failpoints."""
    planned = {process: [f"{failpoint}:kill" for failpoint in failpoints]}

    async def disturb(world: World, _rng: random.Random, history: History) -> None:
        dying = world.processes[process]
        for number, failpoint in enumerate(failpoints, start=2):
            with suppress(TimeoutError):
                async with asyncio.timeout(_PHASE_S):
                    await dying.until_life(number)
            if dying.lives < number:
                history.note("missed", process=process, failpoint=failpoint)
                dying.kill()
                await dying.until_life(number)

    where = failpoints[0] if len(failpoints) == 1 else f"each of {len(failpoints)} phases"
    name = f"{process} dies at {where}, {layout}"
    return Scenario(name, replace(layout, failpoints=planned), disturb)


def die_while_held(victim: str, process: str, failpoints: Sequence[str], layout: Layout) -> Scenario:
    """Return a scenario in which a process is held in each phase, as it comes to it, and another one dies meanwhile."""
    planned = {process: [",".join(f"{failpoint}:stop" for failpoint in failpoints)]}

    async def disturb(world: World, rng: random.Random, history: History) -> None:
        held, dying = world.processes[process], world.processes[victim]
        for number in range(len(failpoints)):
            with suppress(TimeoutError):
                async with asyncio.timeout(_PHASE_S):
                    await held.until_frozen()
            if not held.is_frozen():
                history.note("missed", process=process, failpoint=f"{len(failpoints) - number} of them")
                return
            await dying.until_up()
            dying.kill()
            if rng.random() < 0.5:
                await dying.until_life(dying.lives + 1)
            held.send(signal.SIGCONT)
            await asyncio.sleep(0.05)  # else it might still be seen frozen

    name = f"{victim} dies while {process} is at {failpoints[0]} to {failpoints[-1]}, {layout}"
    return Scenario(name, replace(layout, failpoints=planned), disturb)


def lose_commits(number: int, layout: Layout) -> Scenario:
    """Return a scenario in which lines to PostgreSQL break at commits, before they are stored or after."""

    async def disturb(world: World, rng: random.Random, _history: History) -> None:
        assert world.line is not None
        await world.line.break_some(rng, number)

    return Scenario(f"{number} commits or their answers are lost, {layout}", replace(layout, has_line=True), disturb)


def freeze_at(process: str, failpoint: str) -> Scenario:
    """Return a scenario in which one of two orchestrators freezes in a phase, and wakes when it was given up."""
    layout = Layout(2, on_postgres=True, failpoints={process: [f"{failpoint}:stop"]})

    async def disturb(world: World, _rng: random.Random, history: History) -> None:
        freezing = world.processes[process]
        with suppress(TimeoutError):
            async with asyncio.timeout(_PHASE_S):
                await freezing.until_frozen()
        if not freezing.is_frozen():
            history.note("missed", process=process, failpoint=failpoint)
        await asyncio.sleep(FREEZE_S)
        freezing.send(signal.SIGCONT)

    return Scenario(f"{process} freezes at {failpoint}, {layout}", layout, disturb)


def kill_at_random(rounds: int, layout: Layout, habits: Habits | None = None) -> Scenario:
    """Return a scenario in which a random process is killed, again and again; half of the times when all work again."""

    async def disturb(world: World, rng: random.Random, _history: History) -> None:
        processes = list(world.processes.values())
        for _ in range(rounds):
            if rng.random() < 0.5:
                await asyncio.gather(*(process.until_up() for process in processes))
            await asyncio.sleep(rng.uniform(0.2, 1.5))
            rng.choice(processes).kill()

    return Scenario(f"{rounds} random kills, {layout}", layout, disturb, habits=habits or Habits())


def take_over(rounds: int) -> Scenario:
    """Return a scenario in which of two orchestrators one is frozen, the other killed, and the first told to stop."""

    async def disturb(world: World, rng: random.Random, _history: History) -> None:
        both = world.named("orchestrator")
        for _ in range(rounds):
            rng.shuffle(both)
            await asyncio.sleep(rng.uniform(0.5, 1.5))
            await both[0].freeze(FREEZE_S)
            await asyncio.sleep(rng.uniform(0.5, 1.5))
            both[1].kill()
            await both[1].until_life(both[1].lives + 1)
            await asyncio.sleep(rng.uniform(1.5, 3.0))
            both[0].send(signal.SIGTERM)
            await both[0].until_life(both[0].lives + 1)

    layout = Layout(2, on_postgres=True)
    return Scenario(f"one freezes, one is killed, one stopped, {layout}", layout, disturb)


def restart_postgres(rounds: int, layout: Layout) -> Scenario:
    """Return a scenario in which PostgreSQL dies every few seconds."""

    async def disturb(world: World, rng: random.Random, _history: History) -> None:
        for _ in range(rounds):
            await asyncio.sleep(rng.uniform(1.5, 4.0))
            server = world.processes["postgres"]
            if rng.random() < 0.5:
                server.kill()
            else:
                server.send(signal.SIGQUIT)  # what its own "immediate" shutdown is

    return Scenario(f"PostgreSQL dies again and again, {layout}", layout, disturb)
