"""What was begun to be written in the UI and not sent: it waits until it is sent or given up."""

import re

from playwright.sync_api import FilePayload, Page, expect

from tests.support.federation import step
from tests.web.conftest import poll
from tests.web.stage import Stage, objects

_NOTES: FilePayload = {"name": "notes.md", "mimeType": "text/markdown", "buffer": b"# Notes"}


def _attach(page: Page) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files(_NOTES)


def test_words_for_a_step_wait_while_another_step_or_page_is_looked_at(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Fork me slowly", step("a", "Say one"), step("b", "Say two")))
    page.goto(f"/tasks/{task['id']}")
    fork = page.get_by_role("button", name="Fork")
    fork.click()
    editor = page.get_by_role("dialog")
    words = editor.get_by_label("What the step is told")
    words.fill("Say one much louder")
    editor.get_by_role("radio", name=re.compile("2. Say two")).click()
    expect(words).to_have_value("Say two")
    editor.get_by_role("radio", name=re.compile("1. Say one")).click()
    expect(words).to_have_value("Say one much louder")
    page.mouse.click(5, 5)
    expect(editor).to_have_count(0)
    fork.click()
    expect(words).to_have_value("Say one much louder")
    editor.get_by_role("button", name="Cancel").click()
    fork.click()
    expect(words).to_have_value("Say one")


def test_a_card_waits_until_its_agent_is_registered(page: Page, stage: Stage) -> None:
    agent = next(each for each in objects(stage.get("/api/agents")["items"]) if each["name"] == "Echo")
    page.goto("/agents/new")
    page.get_by_role("textbox", name="Address").fill(str(agent["endpoint"]))
    page.get_by_role("button", name="Add a header").click()
    page.get_by_role("textbox", name="Value").fill("Bearer of-news")
    page.get_by_text("Its card", exact=True).click()
    page.get_by_role("textbox", name="Agent card").fill('{"name": "Written by hand"}')
    page.get_by_role("link", name="Home").first.click()
    expect(page.get_by_role("textbox", name="Agent card")).to_have_count(0)
    page.get_by_role("link", name="Agents").first.click()
    page.get_by_role("link", name="Register an agent").click()
    expect(page.get_by_role("textbox", name="Agent card")).to_have_value('{"name": "Written by hand"}')
    expect(page.get_by_role("textbox", name="Value")).to_have_value("Bearer of-news")
    page.get_by_text("Its address", exact=True).click()
    expect(page.get_by_role("textbox", name="Address")).to_have_value(str(agent["endpoint"]))
    assert "of-news" not in page.evaluate("JSON.stringify(sessionStorage)")
    page.get_by_role("button", name="Look at it").click()
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="Echo", level=1)).to_be_visible()
    page.goto("/agents/new")
    expect(page.get_by_role("textbox", name="Address")).to_have_value("")
    stage.client.patch(f"/api/agents/{agent['id']}", json={"headers": {}}).raise_for_status()


def test_attached_files_wait_with_what_is_written(page: Page, stage: Stage) -> None:
    page.goto("/")
    _attach(page)
    page.get_by_role("link", name="Chat").first.click()
    expect(page.get_by_text("notes.md")).to_have_count(0)
    page.get_by_role("link", name="Home").first.click()
    expect(page.get_by_text("notes.md")).to_be_visible()
    page.get_by_role("textbox", name="What is to be done?").fill("Echo, say what came along")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/tasks/[\w-]+"))
    expect(page.get_by_role("region", name="Came with the task")).to_contain_text("notes.md")
    page.get_by_role("link", name="Home").first.click()
    expect(page.get_by_role("button", name="Attach files")).to_be_visible()
    expect(page.get_by_text("notes.md")).to_have_count(0)


def test_attached_files_wait_in_their_conversation(page: Page, stage: Stage) -> None:
    session = stage.client.post("/api/sessions", json={"title": "With a file"}).json()
    page.goto(f"/chat/{session['id']}")
    _attach(page)
    page.get_by_role("link", name="New conversation").click()
    expect(page.get_by_text("notes.md")).to_have_count(0)
    page.get_by_role("link", name=re.compile("With a file")).click()
    expect(page.get_by_text("notes.md")).to_be_visible()
    message = page.get_by_role("textbox", name="Message")
    message.fill("@Echo read this")
    message.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("You said: read this")
    expect(page.get_by_role("button", name="Remove notes.md")).to_have_count(0)


def test_an_answer_that_was_begun_is_forgotten_when_the_question_is_over(page: Page, stage: Stage) -> None:
    task = stage.submit("Trip of two", step("a", "Book Trip of two", skill="book-trip"))
    stage.task_when(str(task["id"]), lambda found: found["status"] == "input_required")
    page.goto(f"/tasks/{task['id']}")
    expect(page).to_have_title(re.compile(r"^\(\d+\)"))
    page.get_by_role("region", name="It waits for you").get_by_label("City").fill("Begun here")
    assert "Begun here" in page.evaluate("JSON.stringify(sessionStorage)")
    (question,) = objects(stage.get(f"/api/tasks/{task['id']}")["pending_inputs"])
    answer = {"input_id": question["input_id"], "data": {"city": "Elsewhere", "nights": 1}}
    stage.client.post(f"/api/tasks/{task['id']}/input", json=answer).raise_for_status()
    expect(page.get_by_label("Result")).to_contain_text("Elsewhere")
    poll(lambda: "Begun here" not in page.evaluate("JSON.stringify(sessionStorage)"))
