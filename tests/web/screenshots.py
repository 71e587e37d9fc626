"""Takes the pictures in docs/ui: `python -m tests.web.screenshots [NAME …]`. Look at each before it is kept."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from playwright.sync_api import Browser, Page, sync_playwright

from browser_service import chromium
from browser_service.settings import Settings
from shared.agent import JsonObject
from tests.support.federation import step
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
                _take(browser, stage, name, path)
        browser.close()
        stage.gates.open("north")


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
    session = stage.client.post("/api/sessions", json={}).json()
    for text, agent in (("Say hello to Ada", "Echo"), ("And now the autumn report", "Writer")):
        stage.ended(stage.submit(text, session_id=session["id"], agent=agent))
    agents: list[JsonObject] = stage.client.get("/api/agents").json()["items"]
    writer = f"/agents/{agents[0]['id']}"
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


def _take(browser: Browser, stage: Stage, name: str, path: str) -> None:
    for theme in _THEMES:
        with browser.new_context(
            base_url=stage.url, color_scheme=theme, viewport={"width": 1280, "height": 800}, reduced_motion="reduce"
        ) as context:
            page = context.new_page()
            page.goto(path)
            _settle(page, name)
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
    page.wait_for_timeout(1_000)  # what is drawn in steps: the graph, code, pictures


if __name__ == "__main__":
    main()
