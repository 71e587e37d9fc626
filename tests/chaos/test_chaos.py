"""The short form of the chaos suite: each process dies in each phase, and nothing is lost or done twice."""

from pathlib import Path

import pytest

from tests.chaos.scenarios import (
    IN_AGENT,
    IN_ORCHESTRATOR,
    Scenario,
    die_at,
    kill_at_random,
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


async def test_an_agent_may_die_in_every_phase(tmp_path: Path) -> None:
    await hold(die_at("sink-1", IN_AGENT, Layout(sinks=1)), tmp_path)


async def test_any_process_may_be_killed_at_any_time(tmp_path: Path) -> None:
    await hold(kill_at_random(5, Layout()), tmp_path)


async def test_one_orchestrator_takes_over_from_another_that_freezes_or_dies(tmp_path: Path) -> None:
    await hold(take_over(1), tmp_path)


async def test_postgresql_may_die_again_and_again(tmp_path: Path) -> None:
    await hold(restart_postgres(3), tmp_path)
