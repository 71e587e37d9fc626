"""Takes the pictures in docs/ui: `python -m tests.web.screenshots [NAME …]`. Look at each before it is kept."""

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from playwright.sync_api import Browser, Page, sync_playwright

from browser_service import chromium
from browser_service.settings import Settings
from shared.agent import JsonObject
from tests.support.federation import step
from tests.web.browser_stage import open_browser_stage
from tests.web.stage import Stage, open_stage

_FOLDER: Final = Path(__file__).parents[2] / "docs" / "ui"
_THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


def main() -> None:
    """Take them all, or those that are named."""
    wanted = set(sys.argv[1:])
    _FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, open_stage(Path(folder)) as stage, sync_playwright() as playwright:
        found = chromium.find(Settings())
        assert found is not None, chromium.problem()
        browser = playwright.chromium.launch(executable_path=found.path, args=["--no-sandbox"])
        for name, path in _prepare(stage).items():
            if not wanted or name in wanted:
                _take(browser, stage.url, name, path)
        stage.gates.open("north")
        if not wanted or wanted & {"browser", "browser-live", "browser-recording"}:
            _take_browser(browser, Path(folder) / "with-browser")
        browser.close()


def _prepare(stage: Stage) -> dict[str, str]:
    """Let the federation do something worth looking at; returns the pages' names and addresses."""
    report = stage.ended(
        stage.submit(
            "Write the autumn sales report, check it, and send it round",
            step("write", "Write the sales report", skill="write-report"),
            step("hello", "Say hello to the readers"),
            step("check", "Repeat what matters: {{ steps.write.output }}"),
            step("send", "Join greeting and report: {{ steps.hello.output }} {{ steps.check.output }}"),
        )
    )
    trip = stage.submit("Book a trip to the sea", step("a", "Book a trip to the sea", skill="book-trip"))
    failed = stage.ended(
        stage.submit(
            "Close the books of May",
            step("a", "Check the ledger of May", skill="check-ledger"),
            step("b", "Say {{ steps.a.output }}"),
        )
    )
    stage.submit(
        "Wait for the gate, then tell everybody",
        step("a", "north", skill="wait-for-gate"),
        step("b", "Tell everybody: {{ steps.a.output }}"),
    )
    plan = stage.submit(
        "Greet the new customers", step("a", "Say hello"), step("b", "Say goodbye", depends_on=["a"]), approve_plan=True
    )
    for task in (trip, plan):
        stage.task_when(str(task["id"]), lambda found: found["status"] == "input_required")
    team = stage.ended(
        stage.submit(
            "Count the people of Oslo, and draw what was sold",
            step("count", "How many people live in Oslo?", skill="count-people", agents=3, consensus="vote",
                 evaluate={"criteria": ["at most 3 words", "matches /[0-9]/"]}),
            step("draw", "Draw a chart: sold", skill="write-report"),
        )
    )  # fmt: skip
    session = stage.client.post("/api/sessions", json={}).json()
    for text, agent in (("Say hello to Ada", "Echo"), ("And now the autumn report", "Writer")):
        stage.ended(stage.submit(text, session_id=session["id"], agent=agent))
    agents: list[JsonObject] = stage.client.get("/api/agents").json()["items"]
    writer = f"/agents/{agents[0]['id']}"
    for _ in range(3):
        stage.client.post(f"/api{writer}/health")
    return {
        "home": "/",
        "inbox": "/inbox",
        "tasks": "/tasks",
        "task": f"/tasks/{report['id']}",
        "task-timeline": f"/tasks/{report['id']}/steps/write?view=timeline&tab=artifacts",
        "task-list": f"/tasks/{report['id']}/steps/check?view=list",
        "task-raw": f"/tasks/{report['id']}/steps/write?view=raw&tab=wire",
        "task-question": f"/tasks/{trip['id']}",
        "task-failed": f"/tasks/{failed['id']}/steps/a?tab=why",
        "task-plan": f"/tasks/{plan['id']}",
        "task-answers": f"/tasks/{team['id']}/steps/count?tab=answers",
        "task-chart": f"/tasks/{team['id']}/steps/draw?tab=artifacts",
        "chat": f"/chat/{session['id']}",
        "agents": "/agents",
        "agent": writer,
        "agent-card": f"{writer}?tab=card",
        "agent-try": f"{writer}?tab=try",
        "agent-new": f"/agents/new?url={stage.endpoint('Echo')}",
        "workflows": "/workflows",
        "insights": "/insights",
        "settings": "/settings",
    }


def _take_browser(browser: Browser, folder: Path) -> None:
    """Take the pages of the browser: live, with a step that waits, and its recording when it is over."""
    with open_browser_stage(folder) as place:
        assert place.running is not None
        url = place.running.url
        words = f"open {place.site}/, get the heading, wait for 'Pressed by a person' and get the heading"
        place.run("Press what only a person presses", step("look", words, skill="browse"))
        with browser.new_context(base_url=url, viewport={"width": 1280, "height": 800}) as context:
            page = context.new_page()
            page.goto("/browser")
            page.get_by_role("link", name=re.compile("live")).click(timeout=60_000)
            page.get_by_role("region", name="Steps").get_by_text("passed").nth(1).wait_for()
            page.get_by_text("Waiting for the picture").wait_for(state="detached")
            path = page.url.removeprefix(url)
            _take(browser, url, "browser-live", path)
            page.get_by_role("button", name="Take over").click()
            picture = page.get_by_role("img", name="The page as the browser sees it now")
            box, width = picture.bounding_box(), picture.evaluate("(canvas) => canvas.width")
            assert box is not None
            scale = box["width"] / width
            page.mouse.click(box["x"] + 100 * scale, box["y"] + 100 * scale)
            page.wait_for_timeout(1_500)
            page.get_by_role("button", name="Hand back").click()
            page.get_by_role("link", name="Trace").wait_for(timeout=60_000)
        _take(browser, url, "browser", "/browser")
        _take(browser, url, "browser-recording", path)


def _take(browser: Browser, url: str, name: str, path: str) -> None:
    with browser.new_context(base_url=url, viewport={"width": 1280, "height": 800}, reduced_motion="reduce") as context:
        page = context.new_page()
        page.emulate_media(color_scheme=_THEMES[0])
        page.goto(path)
        _settle(page, name)
        for theme in _THEMES:
            page.emulate_media(color_scheme=theme)
            page.wait_for_timeout(1_000)  # what is drawn in steps: the graph, code, pictures
            page.screenshot(path=_FOLDER / f"{name}-{theme}.png")


def _settle(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    if name == "agent-new":
        page.get_by_role("button", name="Look at it").click()
        page.get_by_role("region", name="What was found").wait_for()
    if name == "agent-try":
        page.get_by_label("Message").fill("The autumn report, please")
        page.get_by_role("button", name="Send", exact=True).click()
        page.get_by_role("region", name="Answer").wait_for()
    if name in {"task", "task-question", "task-failed", "task-plan"}:
        page.locator(".graph .node").first.wait_for()
    if name == "browser-live":
        page.get_by_text("Waiting for the picture").wait_for(state="detached")


if __name__ == "__main__":
    main()
