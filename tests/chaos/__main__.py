"""The long form of the chaos suite: `python -m tests.chaos --seed 1`. The short form is a part of the tests."""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Final

from tests.chaos.clients import Habits
from tests.chaos.scenarios import (
    IN_AGENT,
    IN_ORCHESTRATOR,
    IN_RECOVERY,
    Scenario,
    die_at,
    die_while_held,
    freeze_at,
    kill_at_random,
    lose_commits,
    play,
    restart_postgres,
    take_over,
)
from tests.chaos.world import Layout

_MANY_LINES: Final = Habits(watchers=4, patience=(1, 3))
_LEAST_RECONNECTS: Final = 1_000


def main() -> int:
    """Play every scenario, say how each went, and return 1 if any invariant was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="what all chance comes from; runs differ by timing only")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds each phase is played with")
    parser.add_argument("--rounds", type=int, default=200, help="how many processes are killed at random")
    parser.add_argument("--only", default="", help="play only scenarios whose name has this in it")
    parser.add_argument("--folder", type=Path, help="where data and histories are kept; default: a new one")
    parser.add_argument("--list", action="store_true", help="only name the scenarios")
    given = parser.parse_args()
    chosen = [each for each in _scenarios(given.seed, given.seeds, given.rounds) if given.only in each[0].name]
    if given.list:
        _say(*(f"{scenario.name} (seed {seed})" for scenario, seed in chosen))
        return 0
    folder: Path = given.folder or Path(tempfile.mkdtemp(prefix="federation-chaos-"))
    total, began = Counter[str](), monotonic()
    for number, (scenario, seed) in enumerate(chosen, start=1):
        place = folder / f"{number:03}"
        place.mkdir(parents=True)
        verdict = asyncio.run(play(scenario, seed, place))
        _say(f"[{number}/{len(chosen)}] {verdict}")
        total.update(
            tasks=verdict.tasks,
            deaths=verdict.deaths,
            reconnects=verdict.reconnects,
            broken=int(bool(verdict.violations)),
        )
    _say(
        f"{len(chosen)} scenarios in {(monotonic() - began) / 60:.0f} min, seeds {given.seed} to "
        f"{given.seed + given.seeds - 1}: {total['tasks']} tasks, {total['deaths']} deaths, "
        f"{total['reconnects']} reconnects, {total['broken']} scenarios with violations.",
        f"The histories are in {folder}.",
    )
    is_whole = not given.only
    if is_whole and total["reconnects"] < _LEAST_RECONNECTS:
        _say(f"Too few reconnects to say anything: {_LEAST_RECONNECTS} are wanted.")
        return 1
    return 1 if total["broken"] else 0


def _scenarios(seed: int, seeds: int, rounds: int) -> list[tuple[Scenario, int]]:
    """Return every phase and process with each seed, then what goes on for longer."""
    one, two = Layout(), Layout(2, on_postgres=True)
    alone = (Layout(sinks=1), Layout(on_postgres=True, sinks=1))
    each_seed = [
        *(
            scenario
            for failpoint in IN_ORCHESTRATOR
            for scenario in (
                die_at("orchestrator-1", [failpoint], one),
                die_at("orchestrator-1", [failpoint], two),
                freeze_at("orchestrator-1", failpoint),
            )
        ),
        *(
            scenario
            for layout in alone
            for scenario in (
                die_at("orchestrator-1", IN_RECOVERY, layout),
                *(die_at("sink-1", [failpoint], layout) for failpoint in IN_AGENT),
                die_while_held("sink-1", "orchestrator-1", IN_ORCHESTRATOR, layout),
                die_while_held("orchestrator-1", "sink-1", IN_AGENT, layout),
            )
        ),
        die_while_held("postgres", "orchestrator-1", IN_ORCHESTRATOR, alone[1]),
        die_while_held("postgres", "sink-1", IN_AGENT, alone[1]),
        lose_commits(50, two),
        take_over(3),
        restart_postgres(10, two),
    ]
    long = [kill_at_random(rounds, layout, _MANY_LINES) for layout in (one, two)]
    return [
        *((scenario, number) for number in range(seed, seed + seeds) for scenario in each_seed),
        *((scenario, seed) for scenario in long),
    ]


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
