"""Browser sessions in the UI: watched live, taken over, handed back, looked at afterwards."""

import asyncio
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from browser_service import main
from shared.agent import JsonObject
from tests.browser import live_page
from tests.browser.conftest import make_settings
from tests.support.federation import Federation, federation, free_port, step
from tests.support.serving import serve
from tests.web.conftest import poll, watch

_HEADING = "(canvas) => canvas.getContext('2d').getImageData(0, 245, 400, 45).data.reduce((sum, each) => sum + each, 0)"
"""Where the page has its heading, as one number."""


class _Place:
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
def _open(folder: Path) -> Generator[_Place]:
    place = _Place(folder)
    place.open()
    try:
        yield place
    finally:
        place.close()


@pytest.mark.slow
def test_the_browser_is_watched_taken_over_handed_back_and_seen_again(browser: Browser, tmp_path: Path) -> None:
    errors: list[str] = []
    with _open(tmp_path) as place:
        assert place.running is not None
        words = f"open {place.site}/, wait for 'Pressed by a person' and get the heading"
        place.run("Press what only a person presses", step("look", words, skill="browse"))
        with browser.new_context(base_url=place.running.url, viewport={"width": 1280, "height": 800}) as context:
            page = context.new_page()
            watch(page, errors)
            page.goto("/browser")
            page.get_by_role("link", name=re.compile("live")).click(timeout=60_000)
            expect(page.get_by_role("region", name="Steps").get_by_text("passed").first).to_be_visible()
            picture = page.get_by_role("img", name="The page as the browser sees it now")
            expect(page.get_by_text("Waiting for the picture")).to_have_count(0)
            page.get_by_role("button", name="Take over").click()
            expect(page.get_by_text("You have the mouse and the keys")).to_be_visible()
            before = picture.evaluate(_HEADING)
            box = picture.bounding_box()
            width = picture.evaluate("(canvas) => canvas.width")
            assert box is not None
            page.mouse.click(box["x"] + 100 * box["width"] / width, box["y"] + 100 * box["width"] / width)
            poll(lambda: picture.evaluate(_HEADING) != before)
            page.get_by_role("button", name="Hand back").click()
            expect(page.get_by_text("closed")).to_be_visible(timeout=60_000)
            expect(page.get_by_role("link", name="Trace")).to_be_visible(timeout=60_000)
            expect(page.get_by_alt_text("After step 1")).to_be_visible()
            page.get_by_role("link", name="Its task").click()
            expect(page.get_by_label("Result")).to_contain_text("Pressed by a person")
    assert errors == []
