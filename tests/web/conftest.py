"""A federation and a real Chromium for the UI's journeys. What a page logs as an error fails the test."""

from collections.abc import Callable, Generator
from pathlib import Path
from time import monotonic

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from browser_service import chromium
from browser_service.settings import Settings
from orchestrator_service import web_ui
from tests.web.stage import Stage, open_stage

_EXPECTED = ("Failed to load resource", "Blocked script execution in 'about:srcdoc'")
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """The federation, with the cast of agents."""
    if not (web_ui.FOLDER / "index.html").is_file():
        pytest.skip("The web UI is not built: install Node.js 20 or newer, then `make ui`.")
    with open_stage(tmp_path_factory.mktemp("stage")) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """The Chromium that the browser service would use.

    Not for the session: while it is open, no test that brings its own event loop can run in the process.
    """
    found = chromium.find(Settings())
    assert found is not None, chromium.problem()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found.path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def context(browser: Browser, stage: Stage) -> Generator[BrowserContext]:
    """A browser without a past, at the UI's address."""
    opened = browser.new_context(
        base_url=stage.url, viewport={"width": 1280, "height": 800}, reduced_motion="reduce", locale="en-GB"
    )
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Generator[Page]:
    """A tab. Errors of scripts, and what the content policy refused, fail the test."""
    errors: list[str] = []
    opened = context.new_page()
    watch(opened, errors)
    yield opened
    opened.close()
    assert errors == []


def watch(page: Page, errors: list[str]) -> None:
    """Collect what the page logs as errors, except answers that are errors: these are the test's business."""
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: (
            errors.append(message.text)
            if message.type == "error" and not any(each in message.text for each in _EXPECTED)
            else None
        ),
    )


def poll(condition: Callable[[], bool]) -> None:
    """Return when the condition holds; bounded."""
    deadline = monotonic() + 20
    while not condition():
        assert monotonic() < deadline, "It did not become true."


def axe_source() -> str:
    """Return axe-core, as npm installed it for the UI."""
    found = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
    if not found.is_file():
        pytest.skip("axe-core is not installed: `make ui`.")
    return found.read_text(encoding="utf-8")
