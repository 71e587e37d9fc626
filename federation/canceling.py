"""Cancels a task when the person who wanted it no longer does, even while it is being handed in."""

import asyncio
from collections.abc import Awaitable, Callable

from federation.client import Client
from federation.connection import RefusedError
from federation.models import Task
from shared.errors import FederationError, TimedOutError

_TIMEOUT_S = 10.0


async def cancel(client: Client, task_id: str) -> Task:
    """Cancel the task and return it. Raises: FederationError when it is refused, or not answered for 10 s."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await client.cancel(task_id)
    except TimeoutError as error:
        raise TimedOutError("no answer") from error


async def hand_in(client: Client, handing_in: Awaitable[Task], tell: Callable[[str], None]) -> Task:
    """Return the task that is handed in. Cancelled itself (Ctrl-C), it cancels what may be accepted all the same."""
    answer = asyncio.ensure_future(handing_in)
    try:
        return await asyncio.shield(answer)
    except asyncio.CancelledError:
        tell("Canceling the task …")
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                task = await answer
            await cancel(client, task.id)
        except RefusedError as error:  # nothing was accepted, or it is over already
            tell(str(error))
        except (FederationError, TimeoutError):
            tell("It may go on; `federation tasks list` shows whether it was accepted.")
        raise
