"""What goes wrong, and what comes from others: shown safely and clearly, never as a blank page."""

import json
import re
from collections.abc import Sequence

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect
from pydantic import JsonValue

from shared.agent import JsonObject
from tests.support.federation import step
from tests.web.stage import Stage, ignore

_AT = "2026-11-21T09:00:00+00:00"


def _problem(page: Page, status: int, body: JsonObject | None = None, path: str = "**/api/tasks?*") -> None:
    content = "<html>nginx</html>" if body is None else json.dumps(body)
    page.route(path, lambda route: route.fulfill(status=status, body=content, content_type="application/problem+json"))


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, None, "You are not signed in"),
        (403, {"title": "Not allowed here", "detail": "Ask an admin."}, "Ask an admin."),
        (409, {"title": "Conflict", "detail": "Somebody was faster."}, "Somebody was faster."),
        (422, {"title": "Not valid", "detail": "See errors.", "errors": [{"pointer": "#/q", "detail": "odd"}]}, "#/q"),
        (429, {"title": "Too many", "detail": "Wait a little."}, "Wait a little."),
        (500, None, "gave no reason"),
        (502, None, "gave no reason"),
    ],
)
def test_a_refusal_is_explained(page: Page, stage: Stage, status: int, body: JsonObject | None, says: str) -> None:
    _problem(page, status, body)
    page.goto("/tasks")
    expect(page.get_by_role("alert")).to_contain_text(says)
    expect(page.get_by_role("heading", name="Tasks")).to_be_visible()
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_api_that_is_down_is_said_and_comes_back_by_itself(page: Page, stage: Stage) -> None:
    for path in ("**/api/**", "**/health", "**/ready"):
        page.route(path, lambda route: route.abort())
    page.route_web_socket("**/api/events/ws", lambda socket: socket.close())
    page.goto("/")
    expect(page.get_by_test_id("connection-lost")).to_be_visible()
    expect(page.get_by_role("alert").first).to_contain_text("The orchestrator cannot be reached")
    page.unroute_all()
    expect(page.get_by_test_id("connection-lost")).to_have_count(0, timeout=30_000)
    expect(page.get_by_role("region", name="Agents")).to_contain_text("Writer", timeout=30_000)


def test_a_task_that_did_not_arrive_is_not_said_to_go_on(page: Page, stage: Stage) -> None:
    page.goto("/")
    page.get_by_label("What is to be done?").fill("Say hello")
    page.route("**/api/tasks", lambda route: route.abort())
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    expect(page.get_by_role("alert")).not_to_contain_text("by itself")


@pytest.mark.parametrize("path", ["/tasks/nobody", "/agents/nobody", "/chat/nobody", "/nowhere"])
def test_what_is_not_there_is_said(page: Page, stage: Stage, path: str) -> None:
    page.goto(path)
    expect(page.locator("main").get_by_text("There is no").first).to_be_visible()


def test_what_is_not_there_is_said_over_the_width_of_the_page(page: Page, stage: Stage) -> None:
    page.goto("/tasks/nowhere")
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    box = alert.bounding_box()
    assert box is not None
    assert box["width"] > 900


def test_a_slow_api_shows_that_it_waits(page: Page, stage: Stage) -> None:
    held: list[Route] = []
    page.route("**/api/agents?*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright wants a function
    page.goto("/agents")
    expect(page.get_by_role("status", name="Loading agents")).to_be_visible()
    while held:
        held.pop().continue_()
    expect(page.get_by_text("Gatekeeper").first).to_be_visible()


def test_a_wrong_plan_is_refused_with_what_is_wrong(page: Page, stage: Stage) -> None:
    page.goto("/")
    page.get_by_label("What is to be done?").fill("x" * 1_000_001)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("#/description")
    expect(page.get_by_role("button", name="Start")).to_be_enabled()


def test_agents_cannot_run_anything_in_the_page(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Nasty", step("a", "Something nasty", skill="write-report")))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"/tasks/{task['id']}")
    result = page.get_by_label("Result")
    expect(result).to_contain_text("A name with marks of direction")
    assert "\u202e" not in result.inner_text()
    expect(result).to_contain_text("not loaded: http://198.51.100.7/beacon.png")
    assert result.locator("script, iframe, img").count() == 0
    assert page.get_by_role("link", name="click").get_attribute("href") in {None, ""}
    frame = page.locator("iframe")
    expect(frame).to_have_attribute("sandbox", "")
    expect(frame.content_frame.get_by_text("Harmless text.")).to_be_visible()
    expect(page.get_by_alt_text("drawing.svg")).to_be_visible()
    assert page.evaluate("window.pwned") is None
    assert page.title() != "pwned"
    assert all(url.startswith((stage.url, "blob:", "data:", "about:")) for url in requests), requests


def _tell(page: Page, task_id: str, events: Sequence[JsonObject]) -> None:
    """Let the page hear these events of the task, in place of its own."""

    def greet(socket: WebSocketRoute) -> None:
        told = json.dumps({"type": "events", "task_id": task_id, "events": events})
        socket.on_message(lambda message: socket.send(told) if task_id in str(message) else None)
        socket.send('{"type": "hello"}')

    page.route_web_socket("**/api/events/ws", greet)


def test_an_event_of_an_unknown_type_does_no_harm(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Future", step("a", "Say hello")))
    task_id = str(task["id"])
    events = stage.client.get(f"/api/tasks/{task_id}/events", headers={"Accept": "application/json"}).json()["items"]
    odd: JsonObject = {
        "type": "task.dreamt",
        "task_id": task_id,
        "seq": len(events) + 1,
        "at": _AT,
        "dream": {"of": "sheep"},
    }
    _tell(page, task_id, [*events, odd])
    page.goto(f"/tasks/{task_id}?view=raw")
    expect(page.get_by_role("button", name=re.compile("task.dreamt"))).to_be_visible()
    expect(page.get_by_label("Result")).to_contain_text("You said")


def test_a_plan_of_300_steps_and_names_of_500_characters_are_shown(page: Page, stage: Stage) -> None:
    task_id = str(stage.ended(stage.submit("Giant", step("a", "Say hello")))["id"])
    long = "A very long name " * 30
    steps: list[JsonValue] = [
        step(f"s{n}", f"{n} {long}", step_number=n + 1, agent=long, depends_on=[f"s{n - 3}"] if n > 2 else [])
        for n in range(300)
    ]
    plan: JsonObject = {"id": "p", "revision": 1, "strategy": "given", "steps": steps}
    told: list[JsonObject] = [
        {"type": "plan.created", "plan": plan},
        *(
            {"type": "step.status", "step_id": f"s{n}", "status": status, "agent_name": long}
            for n, status in enumerate(["completed"] * 200 + ["failed"])
        ),
    ]
    _tell(page, task_id, [{**each, "task_id": task_id, "seq": n, "at": _AT} for n, each in enumerate(told, start=1)])
    page.goto(f"/tasks/{task_id}")
    expect(page.get_by_text("200 of 300 steps completed, 1 failed")).to_be_visible()
    graph = page.get_by_label("Graph of the plan")
    expect(graph.get_by_text(re.compile(r"\d+ completed steps")).first).to_be_attached()
    page.get_by_text("List", exact=True).click()
    expect(page.get_by_role("list", name="Steps").get_by_role("listitem")).to_have_count(300)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_agent_with_a_name_of_200_characters_fits(page: Page, stage: Stage) -> None:
    echo = next(each for each in stage.client.get("/api/agents").json()["items"] if each["name"] == "Echo")
    name = "\u202eLong" + "g" * 195
    stage.client.patch(f"/api/agents/{echo['id']}", json={"name": name}).raise_for_status()
    try:
        for path in ("/", "/agents", f"/agents/{echo['id']}", "/chat"):
            page.goto(path)
            expect(page.get_by_role("heading").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            assert "\u202e" not in page.inner_text("main")
    finally:
        stage.client.patch(f"/api/agents/{echo['id']}", json={"name": "Echo"}).raise_for_status()


def test_an_event_connection_that_says_nothing_leaves_the_stored_task(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Silent", step("a", "Say hello")))
    page.route_web_socket("**/api/events/ws", ignore)
    page.goto(f"/tasks/{task['id']}")
    expect(page.get_by_role("heading", name="Silent")).to_be_visible()
