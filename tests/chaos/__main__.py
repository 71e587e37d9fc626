"""The long form of the chaos suite: `python -m tests.chaos --seed 1`. The short form is a part of the tests."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.clients import Habits
from tests.chaos.scenarios import (
    IN_AGENT,
    IN_ORCHESTRATOR,
    Scenario,
    die_at,
    freeze_at,
    kill_at_random,
    play,
    restart_postgres,
    take_over,
)
from tests.chaos.world import Layout

_MANY_LINES = Habits(watchers=4, patience=(1, 3))


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
    folder: Path = given.folder or Path(tempfile.mkdtemp(prefix="federation-chaos-"))
    broken = played = reconnects = 0
    for scenario, seed in _scenarios(given.seed, given.seeds, given.rounds):
        if given.only not in scenario.name:
            continue
        played += 1
        if given.list:
            sys.stdout.write(f"{scenario.name} (seed {seed})\n")
            continue
        place = folder / f"{played:03}"
        place.mkdir(parents=True)
        verdict = asyncio.run(play(scenario, seed, place))
        sys.stdout.write(f"{verdict}\n")
        sys.stdout.flush()
        broken += bool(verdict.violations)
        reconnects += verdict.reconnects
    sys.stdout.write(f"{played} scenarios, {broken} with violations, {reconnects} reconnects, seed {given.seed}\n")
    sys.stdout.write(f"The histories are in {folder}.\n")
    return 1 if broken else 0


def _scenarios(seed: int, seeds: int, rounds: int) -> Iterator[tuple[Scenario, int]]:
    """Yield every phase and process with each seed, then what goes on for longer."""
    two = Layout(2, on_postgres=True)
    for each in range(seed, seed + seeds):
        for failpoint in IN_ORCHESTRATOR:
            yield die_at("orchestrator-1", [failpoint], Layout()), each
            yield die_at("orchestrator-1", [failpoint], two), each
            yield freeze_at("orchestrator-1", failpoint), each
        for failpoint in IN_AGENT:
            yield die_at("sink-1", [failpoint], Layout(sinks=1)), each
        yield take_over(3), each
        yield restart_postgres(10), each
    yield kill_at_random(rounds, Layout(), _MANY_LINES), seed
    yield kill_at_random(rounds, two, _MANY_LINES), seed


if __name__ == "__main__":
    sys.exit(main())
