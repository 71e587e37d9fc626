"""Where the webhooks of a run arrive, to be noted in its history."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestrator_service.events import TERMINAL
from tests.chaos.history import History
from tests.support.serving import serve

_LAST_S: Final = 40.0


class Webhooks:
    """The receiver."""

    def __init__(self, history: History) -> None:
        self.url = ""
        self._history = history
        self._ends: set[str] = set()
        self._came = asyncio.Event()

    async def take(self, request: Request) -> Response:
        """Note a webhook."""
        body = await request.json()
        task_id, status = body["data"]["id"], body["data"]["status"]
        self._history.note("webhook", id=request.headers["webhook-id"], task_id=task_id, status=status)
        if status in TERMINAL:
            self._ends.add(task_id)
            self._came.set()
        return Response(status_code=204)

    async def until_told_of(self, task_ids: Collection[str]) -> None:
        """Wait until the end of each task was told; bounded: what is missing then is for the checker to find."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                while not self._ends.issuperset(task_ids):
                    self._came.clear()
                    await self._came.wait()


@asynccontextmanager
async def receiving(history: History) -> AsyncGenerator[Webhooks]:
    """Serve a receiver."""
    webhooks = Webhooks(history)
    async with serve(Starlette(routes=[Route("/webhook", webhooks.take, methods=["POST"])])) as url:
        webhooks.url = f"{url}/webhook"
        yield webhooks
