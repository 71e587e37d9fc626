"""Questions to people in the UI: forms, approvals, two tabs at once."""

import re
from collections.abc import AsyncGenerator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from shared.agent import AgentRequest, Answer, InputRequired, JsonObject, Update
from tests.support.federation import TestAgent, step
from tests.web.stage import Stage, ignore, objects


def _ask(stage: Stage, name: str) -> str:
    task = stage.submit(name, step("a", f"Book {name}", skill="book-trip"))
    stage.task_when(str(task["id"]), lambda found: found["status"] == "input_required")
    return str(task["id"])


def test_a_form_says_what_is_missing_then_the_task_goes_on(page: Page, stage: Stage) -> None:
    task_id = _ask(stage, "Trip to Oslo")
    page.goto("/inbox")
    card = page.get_by_role("article").filter(has_text="Trip to Oslo")
    card.get_by_role("button", name="Send answer").click()
    expect(card.get_by_text("It is missing.")).to_have_count(2)
    card.get_by_label("City").fill("Oslo")
    card.get_by_label("Nights").fill("99")
    card.get_by_role("button", name="Send answer").click()
    expect(card.get_by_text(re.compile("99 is greater"))).to_be_visible()
    assert stage.get(f"/api/tasks/{task_id}")["status"] == "input_required"
    card.get_by_label("Nights").fill("3")
    card.get_by_role("group", name="Guests").get_by_role("button", name="Add").click()
    card.get_by_role("group", name="Guests").get_by_label("Name").fill("Ada")
    card.get_by_label("E-mail").fill("ada@example.org")
    card.get_by_role("button", name="Send answer").click()
    expect(card).to_have_count(0)
    assert stage.ended({"id": task_id})["status"] == "completed"


def test_an_inbox_that_does_not_show_all_says_so(page: Page, stage: Stage) -> None:
    ids = [_ask(stage, f"Trip {number} of many") for number in range(2)]
    page.route("**/api/inputs*", lambda route: route.continue_(url=route.request.url.replace("limit=200", "limit=1")))
    page.goto("/inbox")
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_text("These are the oldest 1; the others come")).to_be_visible()
    for task_id in ids:
        stage.client.post(f"/api/tasks/{task_id}/cancel").raise_for_status()


def test_a_question_is_answered_where_it_is_asked(page: Page, stage: Stage) -> None:
    task_id = _ask(stage, "Trip to Bergen")
    page.goto(f"/tasks/{task_id}")
    expect(page).to_have_title(re.compile(r"^\(\d+\)"))
    question = page.get_by_role("region", name="It waits for you")
    question.get_by_label("City").fill("Bergen")
    question.get_by_label("Nights").fill("2")
    question.get_by_role("button", name="Send answer").click()
    expect(page.get_by_label("Result")).to_contain_text("Booked: Bergen")


def test_what_was_begun_to_be_answered_is_found_again(page: Page, stage: Stage) -> None:
    task_id = _ask(stage, "Trip to be thought about")
    page.goto(f"/tasks/{task_id}")
    page.get_by_role("region", name="It waits for you").get_by_label("City").fill("Oslo")
    page.get_by_label("Graph of the plan").get_by_text("Book Trip to be thought about").click()
    panel = page.get_by_label("Step 1")
    expect(panel.get_by_label("City")).to_have_value("Oslo")
    panel.get_by_label("Nights").fill("2")
    page.goto("/inbox")
    card = page.get_by_role("article").filter(has_text="Trip to be thought about")
    expect(card.get_by_label("City")).to_have_value("Oslo")
    card.get_by_role("button", name="Send answer").click()
    assert stage.ended({"id": task_id})["status"] == "completed"


def test_a_plan_that_was_begun_to_be_changed_is_found_again(page: Page, stage: Stage) -> None:
    task = stage.submit("Change me slowly", step("a", "Say one"), approve_plan=True)
    page.goto(f"/tasks/{task['id']}")
    page.get_by_role("button", name="Change the steps").click()
    page.get_by_role("textbox", name="Step 1").fill("Say first")
    page.get_by_label("Comment").fill("Better so")
    page.get_by_label("Graph of the plan").get_by_text("Say one").click()
    page.get_by_role("button", name="Close the step").click()
    expect(page.get_by_label("Comment")).to_have_value("Better so")
    expect(page.get_by_role("textbox", name="Step 1")).to_have_value("Say first")


def test_who_answers_second_is_told(page: Page, stage: Stage) -> None:
    task_id = _ask(stage, "Trip for two")
    page.goto(f"/tasks/{task_id}")
    page.get_by_label("City").fill("Oslo")
    page.get_by_label("Nights").fill("1")
    input_id = objects(stage.get(f"/api/tasks/{task_id}")["pending_inputs"])[0]["input_id"]

    def be_late(route: Route) -> None:
        """Let another answer arrive just before this one."""
        answer = {"input_id": input_id, "data": {"city": "Bergen", "nights": 1}}
        stage.client.post(f"/api/tasks/{task_id}/input", json=answer).raise_for_status()
        route.continue_()

    page.route("**/input", be_late)
    with page.expect_response("**/input") as answered:
        page.get_by_role("button", name="Send answer").click()
    assert answered.value.status == 409
    expect(page.get_by_role("alert").filter(has_text="is not open any more")).to_contain_text("Oslo")
    expect(page.get_by_label("Result")).to_contain_text("Booked: Bergen")


def test_who_is_still_writing_when_a_question_is_answered_keeps_what_was_written(page: Page, stage: Stage) -> None:
    task = stage.submit("Answer me elsewhere", step("a", "Say yes"), approve_plan=True)
    asked = stage.task_when(str(task["id"]), lambda found: bool(found["pending_inputs"]))
    page.goto("/inbox")
    card = page.get_by_role("article").filter(has_text="Answer me elsewhere")
    card.get_by_label("Comment").press_sequentially("Not before I have seen")
    answer = {"input_id": objects(asked["pending_inputs"])[0]["input_id"], "approve": True}
    stage.client.post(f"/api/tasks/{task['id']}/input", json=answer).raise_for_status()
    expect(card).to_have_count(0)
    page.keyboard.type(" cats?")
    told = page.get_by_role("alert").filter(has_text="is not open any more")
    expect(told).to_contain_text("Not before I have seen")
    expect(page).to_have_url(re.compile("/inbox$"))
    expect(page.get_by_role("dialog")).to_have_count(0)
    told.get_by_role("button", name="Close").click()
    expect(told).to_have_count(0)
    page.keyboard.type("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_an_answer_that_comes_too_late_is_explained(page: Page, stage: Stage) -> None:
    task_id = _ask(stage, "Trip too late")
    page.route_web_socket("**/api/events/ws", ignore)
    page.goto("/inbox")
    card = page.get_by_role("article").filter(has_text="Trip too late")
    card.get_by_label("City").fill("Oslo")
    card.get_by_label("Nights").fill("1")
    stage.client.post(f"/api/tasks/{task_id}/cancel").raise_for_status()
    page.route("**/api/inputs*", lambda route: route.abort())
    card.get_by_role("button", name="Send answer").click()
    expect(card.get_by_role("alert")).to_contain_text("its questions are void")


def test_a_plan_is_approved(page: Page, stage: Stage) -> None:
    task = stage.submit("Approve me", step("a", "Say yes"), approve_plan=True)
    page.goto(f"/tasks/{task['id']}")
    page.get_by_label("Comment").fill("Gladly")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_label("Result")).to_contain_text("You said: Say yes")
    expect(page.get_by_text("is not open any more")).to_have_count(0)


def test_a_plan_is_rejected_with_a_comment(page: Page, stage: Stage) -> None:
    task = stage.submit("Reject me", step("a", "Say no"), approve_plan=True)
    page.goto("/inbox")
    card = page.get_by_role("article").filter(has_text="Reject me")
    card.get_by_label("Comment").fill("Not today")
    card.get_by_role("button", name="Reject").click()
    expect(card).to_have_count(0)
    ended = stage.ended(task)
    assert ended["status"] == "canceled"
    assert "Not today" in str(ended["error"])


def test_a_task_whose_plan_was_rejected_is_not_said_to_go_on(page: Page, stage: Stage) -> None:
    stage.submit("Reject me unseen", step("a", "Say no"), approve_plan=True)
    page.route_web_socket("**/api/events/ws", ignore)
    page.goto("/inbox")
    card = page.get_by_role("article").filter(has_text="Reject me unseen")
    expect(card).to_be_visible()
    page.route("**/api/inputs*", lambda route: route.abort())
    card.get_by_role("button", name="Reject").click()
    expect(card.get_by_role("status")).to_have_text("Sent.")


def test_a_plan_is_changed_and_approved(page: Page, stage: Stage) -> None:
    task = stage.submit(
        "Change me", step("a", "Say one"), step("b", "Say two"), step("c", "Say three"), approve_plan=True
    )
    page.goto(f"/tasks/{task['id']}")
    page.get_by_role("button", name="Change the steps").click()
    page.get_by_role("textbox", name="Step 1").fill("Say first")
    page.get_by_role("button", name="Remove step 2").click()
    page.get_by_role("button", name="Approve with these changes").click()
    expect(page.get_by_text("2 of 2 steps completed")).to_be_visible()
    ended = stage.ended(task)
    assert [each["instruction"] for each in objects(ended["steps"])] == ["Say first", "Say three"]
    assert ended["status"] == "completed"


def test_what_is_wrong_with_a_changed_plan_is_said(page: Page, stage: Stage) -> None:
    task = stage.submit("Empty me", step("a", "Say something"), approve_plan=True)
    page.goto(f"/tasks/{task['id']}")
    page.get_by_role("button", name="Change the steps").click()
    page.get_by_role("textbox", name="Step 1").fill("")
    page.get_by_role("button", name="Approve with these changes").click()
    expect(page.get_by_role("alert")).to_contain_text("#/plan/steps/0/instruction")
    page.get_by_role("textbox", name="Step 1").fill("Say it again")
    page.get_by_role("button", name="Approve with these changes").click()
    expect(page.get_by_label("Result")).to_contain_text("You said: Say it again")


_FREE: JsonObject = {
    "type": "object",
    "properties": {
        "note": {"type": "string", "title": "Note"},
        "extra": {"type": "object", "title": "Extra"},
        "sure": {"type": "boolean", "title": "Sure"},
        "when": {"type": "string", "format": "date-time", "title": "When"},
        "day": {"type": "string", "format": "date", "title": "Day"},
        "account": {"type": "integer", "title": "Account"},
    },
}


async def _ask_freely(request: AgentRequest) -> AsyncGenerator[Update]:
    if not request.history:
        yield InputRequired("What else?", _FREE)
        return
    yield Answer("noted", f"Noted: {request.data}")


@pytest.fixture(scope="module")
def clerk(stage: Stage) -> None:
    """An agent that asks for a note, JSON and a moment."""
    endpoint = stage.serve(TestAgent("Clerk", _ask_freely, ("note-it",)))
    stage.client.post("/api/agents", json={"endpoint": endpoint}).raise_for_status()


def _open_question(page: Page, stage: Stage) -> Locator:
    task = stage.submit("Note it", step("a", "Note it", skill="note-it"))
    page.goto(f"/tasks/{task['id']}")
    return page.get_by_role("region", name="It waits for you")


@pytest.mark.usefixtures("clerk")
def test_json_that_is_not_finished_is_not_left_out_of_an_answer(page: Page, stage: Stage) -> None:
    question = _open_question(page, stage)
    question.get_by_label("Extra").fill('{"city": "Oslo"')
    question.get_by_label("Note").fill("for you")
    question.get_by_label("Note").press("Enter")
    expect(question.get_by_text("This is not valid JSON.")).to_be_visible()
    question.get_by_label("Extra").fill('{"city": "Oslo"}')
    question.get_by_label("Note").press("Enter")
    expect(page.get_by_label("Result")).to_contain_text("Oslo")


@pytest.mark.usefixtures("clerk")
def test_what_is_below_json_that_is_not_finished_is_changed_by_the_first_click(page: Page, stage: Stage) -> None:
    question = _open_question(page, stage)
    question.get_by_label("Extra").fill('{"city": "Oslo"')
    sure = question.get_by_role("checkbox", name="Sure")
    box = sure.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    page.mouse.up()
    expect(sure).to_be_checked()
    question.get_by_role("button", name="Send answer").click()
    expect(question.get_by_text("This is not valid JSON.")).to_be_visible()


@pytest.mark.usefixtures("clerk")
def test_a_moment_in_a_far_year_does_not_break_the_form(page: Page, stage: Stage) -> None:
    question = _open_question(page, stage)
    when = question.get_by_label("When")
    when.fill("12026-11-23T10:00")
    expect(when).to_have_value("12026-11-23T10:00")
    when.fill("2026-11-23T10:00")
    question.get_by_role("button", name="Send answer").click()
    expect(page.get_by_label("Result")).to_contain_text("2026-11-23T10:00:00.000Z")


@pytest.mark.usefixtures("clerk")
def test_a_number_that_would_be_rounded_is_not_sent(page: Page, stage: Stage) -> None:
    question = _open_question(page, stage)
    account = question.get_by_label("Account")
    account.fill("12345678901234567")
    question.get_by_role("button", name="Send answer").click()
    expect(question.get_by_text("A number this long would be rounded, here to 12345678901234568.")).to_be_visible()
    expect(account).to_have_value("12345678901234567")
    account.fill("-")
    account.press("Enter")
    expect(question.get_by_text("This is not a number.")).to_be_visible()
    account.fill("")
    question.get_by_label("Extra").fill('{"account": 12345678901234567}')
    question.get_by_role("button", name="Send answer").click()
    expect(question.get_by_text("A number this long would be rounded")).to_be_visible()
    question.get_by_label("Extra").fill('{"account": "12345678901234567"}')
    account.fill("123456789012345")
    question.get_by_role("button", name="Send answer").click()
    expect(page.get_by_label("Result")).to_contain_text("'12345678901234567'")
    expect(page.get_by_label("Result")).to_contain_text("123456789012345")


@pytest.mark.usefixtures("clerk")
def test_a_day_in_a_far_year_or_half_a_day_is_not_sent(page: Page, stage: Stage) -> None:
    question = _open_question(page, stage)
    day = question.get_by_label("Day")
    day.fill("12026-11-23")
    question.get_by_role("button", name="Send answer").click()
    expect(question.get_by_text("Give a whole date or time")).to_be_visible()
    day.fill("")
    day.press_sequentially("23")
    question.get_by_role("button", name="Send answer").click()
    expect(question.get_by_text("Give a whole date or time")).to_be_visible()
    day.fill("2026-11-23")
    question.get_by_role("button", name="Send answer").click()
    expect(page.get_by_label("Result")).to_contain_text("2026-11-23")
