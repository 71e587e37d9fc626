"""What comes of steps: charts that load nothing, and the answers of several agents."""

from playwright.sync_api import Page, expect

from tests.support.federation import step
from tests.web.stage import Stage


def test_a_chart_is_drawn_from_its_own_rows_and_from_nothing_else(page: Page, stage: Stage) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    task = stage.ended(stage.submit("Charts", step("a", "chart: sold, remote, endless", skill="write-report")))
    page.goto(f"/tasks/{task['id']}/steps/a?tab=artifacts")
    drawn = page.get_by_role("region", name="sold.vl.json")
    expect(drawn.get_by_role("img", name="Tickets sold")).to_be_visible()
    assert drawn.get_by_role("img", name="Tickets sold").evaluate("(image) => image.naturalHeight > 200")
    drawn.get_by_text("Data", exact=True).click()
    expect(drawn.get_by_role("row", name="Bergen 120")).to_be_visible()
    drawn.get_by_text("Source", exact=True).click()
    expect(drawn).to_contain_text('"mark"')
    for name, why in {"remote": "loads nothing from elsewhere", "endless": "too many rows"}.items():
        expect(page.get_by_role("region", name=f"{name}.vl.json")).to_contain_text(why)
    assert [url for url in asked if not url.startswith((stage.url, "blob:"))] == []


def test_a_step_of_several_agents_shows_who_said_what_and_why_it_was_taken(page: Page, stage: Stage) -> None:
    wish = {"criteria": ["at most 3 words", "matches /[0-9]{6}|,/"]}
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
