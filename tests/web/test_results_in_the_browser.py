"""What comes of steps: charts that load nothing, and the answers of several agents."""

import re
from collections.abc import AsyncGenerator

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect
from pydantic import JsonValue

from shared.agent import AgentRequest, Answer, File, JsonObject, Produced, Update
from tests.support.federation import TestAgent, step
from tests.web.conftest import poll
from tests.web.stage import Stage

_COLOURED = """(image) => {
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let coloured = 0;
    for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] > 200 && Math.abs(data[at] - data[at + 1]) > 20) coloured += 1;
    }
    return coloured / (data.length / 4);
}"""
"""The share of an image that is neither grey nor transparent."""


def test_a_chart_is_drawn_from_its_own_rows_and_from_nothing_else(page: Page, stage: Stage) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    task = stage.ended(stage.submit("Charts", step("a", "chart: sold, spread, remote, endless", skill="write-report")))
    page.goto(f"/tasks/{task['id']}/steps/a?tab=artifacts")
    drawn = page.get_by_role("region", name="sold.vl.json")
    expect(drawn.get_by_role("img", name="Tickets sold")).to_be_visible()
    assert drawn.get_by_role("img", name="Tickets sold").evaluate("(image) => image.naturalHeight > 200")
    spread = page.get_by_role("region", name="spread.vl.json").get_by_role("img", name="Prices")
    expect(spread).to_be_visible()
    assert spread.evaluate(_COLOURED) > 0.3, "Its bars are not there."
    drawn.get_by_text("Data", exact=True).click()
    expect(drawn.get_by_role("row", name="Bergen 120")).to_be_visible()
    drawn.get_by_text("Source", exact=True).click()
    expect(drawn).to_contain_text('"mark"')
    for name, why in {"remote": "loads nothing from elsewhere", "endless": "too many rows"}.items():
        expect(page.get_by_role("region", name=f"{name}.vl.json")).to_contain_text(why)
    assert [url for url in asked if not url.startswith((stage.url, "blob:"))] == []


def test_a_step_of_several_agents_shows_who_said_what_and_why_it_was_taken(page: Page, stage: Stage) -> None:
    wish: JsonObject = {"criteria": ["at most 3 words", "matches /[0-9]{6}|,/"]}
    asked = step("a", "How many people?", skill="count-people", agents=3, consensus="vote", evaluate=wish)
    task = stage.ended(stage.submit("Count", asked))
    page.goto(f"/tasks/{task['id']}")
    expect(page.get_by_text("1 of 1 step completed")).to_be_visible()
    page.get_by_label("Graph of the plan").get_by_text("How many people?").click()
    panel = page.get_by_label("Step 1")
    panel.get_by_role("tab", name="Answers").click()
    first = panel.get_by_role("region", name="Round 1")
    expect(first).to_contain_text("Decided by majority: 2 of 3 say the same.")
    expect(first.get_by_role("listitem").filter(has_text="Ben")).to_contain_text("about 700,000")
    expect(first.get_by_text("taken")).to_have_count(1)
    expect(first).to_contain_text("Score 1.00: good enough.")
    panel.get_by_role("tab", name="Wire").click()
    expect(panel.get_by_role("region", name="Answer 2, try 1")).to_contain_text("SendStreamingMessage")


def test_learned_plans_are_read_and_forgotten(page: Page, stage: Stage) -> None:
    plan: dict[str, JsonValue] = {
        "goal": "Weigh the moon",
        "steps": [{"id": "a", "skill": "echo", "instruction": "Weigh it"}],
    }
    times: dict[str, JsonValue] = {"created_at": "2026-11-21T09:00:00+00:00", "used_at": "2026-11-21T09:00:00+00:00"}
    kept: list[JsonValue] = [{**plan, **times, "id": "one", "task_id": "t", "successes": 2, "failures": 1}]

    def answer(route: Route) -> None:
        if route.request.method == "DELETE":
            kept.clear()
            route.fulfill(status=204)
        else:
            route.fulfill(json={"items": kept, "next_cursor": None})

    page.route(re.compile("/api/learned-plans"), answer)
    page.goto("/insights?view=learned")
    page.get_by_text("Weigh the moon").click()
    expect(page.get_by_text("Weigh it")).to_be_visible()
    expect(page.get_by_text("succeeded 2 times, failed 1 time")).to_be_visible()
    page.get_by_role("button", name="Forget: Weigh the moon").click()
    expect(page.get_by_text("Nothing was learned yet")).to_be_visible()


def test_what_models_cost_is_drawn_by_day_and_told_in_numbers(page: Page, stage: Stage) -> None:
    stage.ended(stage.submit("Costs", step("a", "Write the report", skill="write-report")))
    page.goto("/insights?by=model&days=7")
    bars = page.get_by_role("img", name="Cost of 7 days").locator("div:empty")
    expect(bars).to_have_count(7)
    heights = bars.evaluate_all("(bars) => bars.map((bar) => bar.getBoundingClientRect().height)")
    assert heights[-1] > 60
    assert max(heights[:-1]) == 0
    page.get_by_text("In numbers").click()
    expect(page.get_by_label("Cost by day").get_by_role("row")).to_have_count(2)
    expect(page.get_by_label("Cost by day").get_by_role("columnheader", name="Day (UTC)")).to_be_visible()
    expect(page.get_by_role("region", name="By group").get_by_role("cell", name="test:writer")).to_be_visible()
    page.get_by_text("A year").click()
    expect(page.get_by_role("img", name="Cost of 365 days").locator("div:empty")).to_have_count(53)


def test_a_wide_table_is_scrolled_and_its_words_stay_whole(page: Page, stage: Stage) -> None:
    names = [f"quarter{number}" for number in range(14)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in (names, ["---"] * 14, ["1234567"] * 14))
    task = stage.ended(stage.submit("Quarters", step("a", f"Say\n\n{table}", skill="echo")))
    page.goto(f"/tasks/{task['id']}/steps/a")
    head = page.get_by_role("group", name="Table").get_by_role("columnheader")
    expect(head).to_have_count(14)
    last = head.last.bounding_box()
    assert last is not None
    assert last["height"] < 50, "Its words are broken."


async def _produce_oddly(request: AgentRequest) -> AsyncGenerator[Update]:
    yield Produced(File("blob.bin", "application/octet-stream", bytes(range(256))))
    yield Produced(File("nothing.csv", "text/csv", b""))
    yield Produced(File("torn.png", "image/png", b"this is no picture"))
    yield Answer("odd", "")


@pytest.fixture(scope="module")
def odd_task(stage: Stage) -> JsonObject:
    """A task with files that cannot be shown, a step that said nothing, and one that was never begun."""
    endpoint = stage.serve(TestAgent("Odd", _produce_oddly, ("produce-oddly",)))
    stage.client.post("/api/agents", json={"endpoint": endpoint}).raise_for_status()
    odd = step("a", "Produce oddly", skill="produce-oddly")
    task = stage.submit(
        "Odd things", odd, step("b", "odd-gate", skill="wait-for-gate"), step("c", "Say {{ steps.b.output }}")
    )
    stage.task_when(str(task["id"]), lambda found: "completed" in str(found["steps"]))
    return task


def test_a_file_that_cannot_be_shown_says_so(page: Page, stage: Stage, odd_task: JsonObject) -> None:
    page.goto(f"/tasks/{odd_task['id']}/steps/a?tab=artifacts")
    for name, says in {
        "blob.bin": "It cannot be shown here",
        "nothing.csv": "It is empty.",
        "torn.png": "It cannot be read as a picture",
    }.items():
        expect(page.get_by_role("region", name=name)).to_contain_text(says)


def test_a_step_that_is_over_says_nothing_is_to_come(page: Page, stage: Stage, odd_task: JsonObject) -> None:
    page.goto(f"/tasks/{odd_task['id']}/steps/a")
    expect(page.get_by_label("Step 1").get_by_text("It said nothing.")).to_be_visible()
    page.goto(f"/tasks/{odd_task['id']}/steps/c?tab=log")
    panel = page.get_by_label("Step 3")
    expect(panel.get_by_text("Nothing has happened yet.")).to_be_visible()
    stage.client.post(f"/api/tasks/{odd_task['id']}/cancel").raise_for_status()
    expect(panel.get_by_text("canceled").first).to_be_visible()
    panel.get_by_role("tab", name="Agent").click()
    expect(panel.get_by_text("No agent was asked.", exact=True)).to_be_visible()


def test_each_paragraph_runs_in_the_direction_of_its_words(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Directions", step("a", "Say hello\n\nשלום עולם.\n\nHello again.", skill="echo")))
    page.goto(f"/tasks/{task['id']}/steps/a")
    output = page.get_by_label("Step 1").locator(".markdown")
    begins = "(words) => { const box = words.getBoundingClientRect(); const range = document.createRange();"
    begins += "range.selectNodeContents(words); const text = range.getBoundingClientRect();"
    begins += "return text.right > box.right - 2 ? 'right' : 'left'; }"
    assert output.locator("p", has_text="שלום").evaluate(begins) == "right"
    assert output.locator("p", has_text="Hello again").evaluate(begins) == "left"


def test_a_task_is_printed_with_its_whole_result(page: Page, stage: Stage) -> None:
    lines = "\n\n".join(f"Line {number}" for number in range(200))
    task = stage.ended(stage.submit("To be printed", step("a", lines)))
    page.goto(f"/tasks/{task['id']}")
    last = page.get_by_label("Result").get_by_text("Line 199").last
    expect(last).to_be_attached()
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(last).to_be_visible()
    poll(lambda: bool(page.evaluate("document.documentElement.scrollHeight > 4000")))


@pytest.mark.parametrize("is_secure", [True, False])
def test_an_answer_is_copied_over_plain_http_too(context: BrowserContext, stage: Stage, *, is_secure: bool) -> None:
    if is_secure:
        context.grant_permissions(["clipboard-write"])
    else:  # as over plain HTTP, from elsewhere than the loopback
        context.add_init_script("delete Navigator.prototype.clipboard")
    task = stage.ended(stage.submit("To copy", step("a", "Write the report", skill="write-report")))
    page = context.new_page()
    page.goto(f"/tasks/{task['id']}")
    page.get_by_role("button", name="Copy", exact=True).first.click()
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    page.goto("/")
    page.get_by_label("What is to be done?").press("Control+v")
    expect(page.get_by_label("What is to be done?")).to_have_value(re.compile(r"return sum\(prices\)"))
