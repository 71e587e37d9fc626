"""A federation with a real browser service, in a thread of its own, for journeys that watch the browser."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from browser_service import main
from shared.agent import JsonObject
from tests.browser import live_page
from tests.browser.conftest import make_settings
from tests.support.federation import Federation, federation, free_port
from tests.support.serving import serve


class BrowserStage:
    """A federation with a browser service, and a page for it."""

    def __init__(self, folder: Path) -> None:
        self.site = ""
        self.running: Federation | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._folder = folder
        self._up, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()))

    def open(self) -> None:
        """Return when it is up."""
        self._thread.start()
        assert self._up.wait(60)

    def close(self) -> None:
        """Stop it."""
        self._stop.set()
        self._thread.join(60)

    def run(self, description: str, *steps: JsonObject) -> JsonObject:
        """Submit a task with this plan."""
        assert self.loop is not None
        assert self.running is not None
        work = self.running.submit(description, wait_s=None, plan={"steps": [*steps]})
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    async def _live(self) -> None:
        self.loop = asyncio.get_running_loop()
        port = free_port()
        settings = make_settings(
            data_dir=self._folder / "browser",
            browser_port=port,
            federation_register=False,
            browser_action_timeout_s=60.0,
        )
        async with (
            serve(live_page.create()) as self.site,
            serve(main.create(settings), port=port) as service,
            federation(self._folder, browser_port=port) as self.running,
        ):
            await self.running.post("/api/agents", {"endpoint": service}, 201)
            self._up.set()
            await asyncio.to_thread(self._stop.wait)


@contextmanager
def open_browser_stage(folder: Path) -> Generator[BrowserStage]:
    """Run a federation with a browser service for as long as it is needed."""
    place = BrowserStage(folder)
    place.open()
    try:
        yield place
    finally:
        place.close()
