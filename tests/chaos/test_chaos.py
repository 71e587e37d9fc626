"""The short form of the chaos suite: each process dies in each phase, and nothing is lost or done twice."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chaos.scenarios import (
    IN_AGENT,
    IN_ORCHESTRATOR,
    Scenario,
    die_at,
    kill_at_random,
    lose_commits,
    play,
    restart_postgres,
    take_over,
)
from tests.chaos.world import Layout

pytestmark = pytest.mark.timeout(300)  # what is waited for is bounded inside; this is for machines under load

SEED = 1


async def hold(scenario: Scenario, folder: Path) -> None:
    """Play the scenario; its verdict says how to play it again."""
    verdict = await play(scenario, SEED, folder)
    assert not verdict.violations, str(verdict)


async def test_an_orchestrator_may_die_in_every_phase(tmp_path: Path) -> None:
    await hold(die_at("orchestrator-1", IN_ORCHESTRATOR, Layout()), tmp_path)


# At most one death before the message is kept: a step is tried three times, and the sink itself fails one once.
@pytest.mark.parametrize("phases", [IN_AGENT[0:3:2], IN_AGENT[1:4:2], IN_AGENT[4:]], ids=" and ".join)
async def test_an_agent_may_die_in_every_phase(tmp_path: Path, phases: Sequence[str]) -> None:
    await hold(die_at("sink-1", phases, Layout(sinks=1)), tmp_path)


async def test_any_process_may_be_killed_at_any_time(tmp_path: Path) -> None:
    await hold(kill_at_random(4, Layout()), tmp_path)


async def test_one_orchestrator_takes_over_from_another_that_freezes_or_dies(tmp_path: Path) -> None:
    await hold(take_over(1), tmp_path)


async def test_postgresql_may_die_again_and_again(tmp_path: Path) -> None:
    await hold(restart_postgres(2, Layout(2, on_postgres=True)), tmp_path)


async def test_a_commit_may_be_lost_or_its_answer(tmp_path: Path) -> None:
    await hold(lose_commits(12, Layout(on_postgres=True)), tmp_path)
