"""The waits of a run end when its task is canceled, also while an older run of the task is still ending."""

import asyncio
from datetime import timedelta

import pytest

from orchestrator_service.engine.waits import Waits
from shared.db import now


async def test_a_run_that_ends_leaves_the_waits_of_the_next_one_alone() -> None:
    waits, has_begun = Waits(), asyncio.Event()

    async def wait() -> None:
        with waits.running("task"):
            async with waits.until("task", now() + timedelta(minutes=1)):
                has_begun.set()
                await asyncio.Event().wait()

    with waits.running("task"):
        newer = asyncio.create_task(wait())
        await has_begun.wait()
    waits.cancel("task")
    with pytest.raises(TimeoutError):
        await newer
    assert not waits.is_canceled("task")
