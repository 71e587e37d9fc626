"""Conversations in the UI: said, planned, answered, followed up, stopped."""

import re

from playwright.sync_api import Page, Route, expect

from tests.web.stage import Stage, lose_the_answer, objects


def _say(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message").fill(text)
    page.get_by_role("textbox", name="Message").press("Enter")


def test_a_conversation_goes_on(page: Page, stage: Stage) -> None:
    page.goto("/chat")
    _say(page, "@Echo hello there")
    page.wait_for_url(re.compile(r"/chat/[\w-]+"))
    log = page.get_by_role("log")
    expect(log).to_contain_text("You said: hello there")
    _say(page, "@Writer the autumn report")
    expect(log.get_by_role("cell", name="Tromsø")).to_be_visible()
    expect(log.get_by_role("button", name="sales.csv")).to_be_visible()
    expect(log.get_by_role("article")).to_have_count(2)
    page.reload()
    expect(log.get_by_role("article")).to_have_count(2)
    expect(log).to_contain_text("You said: hello there")
    log.get_by_role("link", name="Open the task").first.click()
    page.wait_for_url(re.compile(r"/tasks/"))


def test_an_agent_is_named_by_a_few_letters(page: Page, stage: Stage) -> None:
    page.goto("/chat")
    page.get_by_role("textbox", name="Message").fill("@gate")
    expect(page.get_by_role("option")).to_have_count(1)
    page.get_by_role("textbox", name="Message").press("Enter")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("@Gatekeeper ")


def test_an_answer_is_stopped_and_asked_for_in_other_words(page: Page, stage: Stage) -> None:
    page.goto("/chat")
    _say(page, "@Gatekeeper chat-gate")
    log = page.get_by_role("log")
    expect(log.locator("[aria-live=off]")).to_contain_text("Waiting for the gate")
    log.get_by_role("button", name="Stop").click()
    expect(log).to_contain_text("stopped")
    log.get_by_role("article").first.hover()
    log.get_by_role("button", name="Edit and send again").click()
    expect(page.get_by_role("textbox", name="Message")).to_have_value(re.compile("chat-gate"))
    _say(page, "@Echo never mind")
    expect(log).to_contain_text("You said: never mind")
    stage.gates.open("chat-gate")


def test_why_an_answer_could_not_be_stopped_is_said(page: Page, stage: Stage) -> None:
    session = stage.client.post("/api/sessions", json={"title": "Not stopped"}).json()
    task = stage.submit("chat-stop-gate", session_id=session["id"], agent="Gatekeeper")
    page.route("**/cancel", lambda route: route.abort())
    page.goto(f"/chat/{session['id']}")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    stage.gates.open("chat-stop-gate")
    stage.ended(task)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_question_is_answered_in_the_conversation(page: Page, stage: Stage) -> None:
    page.goto("/chat")
    _say(page, "@Travel desk to the sea")
    log = page.get_by_role("log")
    log.get_by_label("City").fill("Tromsø")
    log.get_by_label("Nights").fill("2")
    log.get_by_role("button", name="Send answer").click()
    expect(log).to_contain_text("Booked: Tromsø")


def test_a_file_goes_along_with_the_task(page: Page, stage: Stage) -> None:
    page.goto("/chat")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files({"name": "notes.md", "mimeType": "text/markdown", "buffer": b"# Notes"})
    expect(page.get_by_text("notes.md")).to_be_visible()
    with page.expect_request("**/api/tasks") as submitted:
        _say(page, "@Echo read this")
    body = submitted.value.post_data_json
    assert body is not None
    assert body["files"] == [{"name": "notes.md", "media_type": "text/markdown", "content": "IyBOb3Rlcw=="}]
    expect(page.get_by_role("log")).to_contain_text("You said: read this")


def test_a_table_keeps_its_type_where_the_system_calls_it_a_spreadsheet(page: Page, stage: Stage) -> None:
    page.goto("/")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files(
        {"name": "prices.CSV", "mimeType": "application/vnd.ms-excel", "buffer": b"city,price\nOslo,42\n"}
    )
    page.get_by_label("What is to be done?").fill("Say prices")
    page.get_by_role("button", name="Start").click()
    came = page.get_by_role("region", name="Came with the task")
    came.get_by_role("button", name="prices.CSV").click()
    expect(came.get_by_role("cell", name="Oslo")).to_be_visible()


def test_a_conversation_is_forgotten(page: Page, stage: Stage) -> None:
    session = stage.client.post("/api/sessions", json={"title": "Forget me"}).json()
    page.goto(f"/chat/{session['id']}")
    page.get_by_role("listitem").filter(has_text="Forget me").hover()
    expect(page.get_by_role("heading", name="Forget me", level=1)).to_have_count(1)
    page.get_by_role("button", name="Forget Forget me").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert stage.client.get(f"/api/sessions/{session['id']}").status_code == 200
    page.get_by_role("button", name="Forget Forget me").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(page.get_by_role("link", name=re.compile("Forget me"))).to_have_count(0)
    assert stage.client.get(f"/api/sessions/{session['id']}").status_code == 404


def test_what_could_not_be_sent_leaves_one_conversation_however_often_it_is_tried(page: Page, stage: Stage) -> None:
    def refuse(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(status=503, json={"title": "Not now", "detail": "The database is locked."})
        else:
            route.continue_()

    def count() -> int:
        return len(stage.client.get("/api/sessions?limit=200").json()["items"])

    before = count()
    page.goto("/chat")
    page.route("**/api/tasks", refuse)
    for _ in range(2):
        with page.expect_response("**/api/tasks"):
            _say(page, "@Echo anybody there?")
        expect(page.get_by_role("alert")).to_contain_text("The database is locked.")
        expect(page.get_by_role("button", name="Send")).to_be_enabled()
    page.unroute("**/api/tasks")
    _say(page, "@Echo anybody there?")
    expect(page.get_by_role("log")).to_contain_text("You said: anybody there?")
    assert count() == before + 1


def test_a_conversation_that_could_not_be_forgotten_is_said(page: Page, stage: Stage) -> None:
    session = stage.client.post("/api/sessions", json={"title": "Keep me"}).json()
    page.goto("/chat")
    page.route(f"**/api/sessions/{session['id']}", lambda route: route.fulfill(status=503, json={"detail": "Not now."}))
    page.get_by_role("listitem").filter(has_text="Keep me").hover()
    page.get_by_role("button", name="Forget Keep me").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(page.get_by_role("alert")).to_contain_text("Not now.")


def test_older_conversations_are_shown_when_one_asks_for_them(page: Page, stage: Stage) -> None:
    for title in ("The oldest", "In between", "The newest"):
        stage.client.post("/api/sessions", json={"title": title})
    page.route("**/api/sessions?*", lambda route: route.continue_(url=route.request.url.replace("=200", "=2")))
    page.goto("/chat")
    expect(page.get_by_role("link", name="In between")).to_be_visible()
    expect(page.get_by_role("link", name="The oldest")).to_have_count(0)
    page.get_by_role("button", name="Show older ones").click()
    expect(page.get_by_role("link", name="The oldest")).to_be_visible()


def test_a_file_that_was_taken_away_can_be_attached_again(page: Page, stage: Stage) -> None:
    page.goto("/chat")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files({"name": "notes.md", "mimeType": "text/markdown", "buffer": b"# Notes"})
    page.get_by_role("button", name="Remove notes.md").click()
    expect(page.locator("input[type=file]")).to_have_value("")  # the same file is no change to a field that holds it


def test_a_message_whose_answer_was_lost_makes_one_task_when_it_is_sent_again(page: Page, stage: Stage) -> None:
    page.goto("/chat")
    page.route("**/api/tasks", lose_the_answer)
    _say(page, "@Echo only once, please")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.unroute("**/api/tasks")
    page.get_by_role("button", name="Send").click()
    log = page.get_by_role("log")
    expect(log).to_contain_text("You said: only once, please")
    _say(page, "@Echo only once, please")  # said again after it was accepted, it is another message
    expect(log.get_by_text("You said: only once, please")).to_have_count(2)
    assert len(objects(stage.get("/api/tasks?q=only once, please")["items"])) == 2


def test_what_is_typed_while_a_message_is_sent_stays(page: Page, stage: Stage) -> None:
    held: list[Route] = []
    page.goto("/chat")
    page.route(
        "**/api/tasks", lambda route: held.append(route) if route.request.method == "POST" else route.continue_()
    )
    message = page.get_by_role("textbox", name="Message")
    for place, said in enumerate(("the first", "the second")):
        with page.expect_request(lambda request: request.method == "POST" and request.url.endswith("/api/tasks")):
            _say(page, f"@Echo {said}")
        message.press_sequentially(" and what comes next")
        held[place].continue_()
        expect(page.get_by_role("log")).to_contain_text(f"You said: {said}")
        expect(message).to_have_value("and what comes next")


def test_a_draft_waits_in_its_conversation_until_it_is_sent(page: Page, stage: Stage) -> None:
    session = stage.client.post("/api/sessions", json={"title": "With a draft"}).json()
    message = page.get_by_role("textbox", name="Message")
    page.goto(f"/chat/{session['id']}")
    message.fill("@Echo to be said later")
    page.get_by_role("link", name="Home").first.click()
    page.get_by_role("link", name="Chat").first.click()
    expect(message).to_have_value("")
    page.goto(f"/chat/{session['id']}")
    expect(message).to_have_value("@Echo to be said later")
    expect(message).to_be_focused()
    page.keyboard.type(" on")
    message.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("You said: to be said later on")
    expect(message).to_have_value("")
    page.reload()
    expect(message).to_have_value("")
