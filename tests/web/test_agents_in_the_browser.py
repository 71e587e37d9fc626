"""Agents in the UI: registered, tried, suspended, accepted after a change."""

import re
from collections.abc import AsyncGenerator

from playwright.sync_api import Page, expect

from shared.agent import AgentRequest, Answer, Update
from tests.support.federation import TestAgent, free_port
from tests.web.stage import Stage, objects


async def _greet(request: AgentRequest) -> AsyncGenerator[Update]:
    yield Answer("greeting", f"Hello, {request.text}")


def test_an_agent_is_looked_at_registered_and_tried(page: Page, stage: Stage) -> None:
    url = stage.serve(TestAgent("Greeter", _greet, ("greet",)))
    page.goto("/agents")
    page.get_by_role("link", name="Register an agent").click()
    page.get_by_role("textbox", name="Address").fill(url)
    page.get_by_role("button", name="Look at it").click()
    found = page.get_by_role("region", name="What was found")
    expect(found).to_contain_text("Greeter")
    expect(found).to_contain_text("Grade A")
    assert all(agent["name"] != "Greeter" for agent in stage.client.get("/api/agents").json()["items"])
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="Greeter")).to_be_visible()
    page.get_by_role("tab", name="Try it").click()
    page.get_by_label("Message").fill("Ada")
    page.get_by_role("button", name="Send", exact=True).click()
    announced = page.locator("[aria-live=polite]")
    expect(announced.get_by_role("region", name="Answer")).to_contain_text("Hello, Ada")
    traffic = page.get_by_role("region", name="Traffic")
    expect(announced.filter(has_text="SendStreamingMessage")).to_have_count(0)
    traffic.get_by_role("button", name=re.compile("sent.*SendStreamingMessage")).click()
    expect(traffic).to_contain_text('"text": "Ada"')
    expect(traffic.get_by_role("button", name=re.compile("TASK_STATE_COMPLETED"))).to_be_visible()


def test_what_is_wrong_with_a_card_is_listed(page: Page, stage: Stage) -> None:
    page.goto("/agents/new")
    page.get_by_text("Its card", exact=True).click()
    page.get_by_label("Agent card").fill('{"name": "Nobody", "skills": []}')
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("alert")).to_contain_text("The agent card is not valid")
    expect(page.get_by_role("listitem").filter(has_text="error").first).to_be_visible()


def test_an_address_where_nobody_answers_is_said(page: Page, stage: Stage) -> None:
    page.goto(f"/agents/new?url=http://127.0.0.1:{free_port()}")
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")


def test_a_try_is_canceled_at_the_agent(page: Page, stage: Stage) -> None:
    keeper = next(each for each in stage.client.get("/api/agents").json()["items"] if each["name"] == "Gatekeeper")
    page.goto(f"/agents/{keeper['id']}?tab=try")
    page.get_by_label("Message").fill("try-gate")
    page.get_by_role("button", name="Send", exact=True).click()
    traffic = page.get_by_role("region", name="Traffic")
    traffic.get_by_role("button", name=re.compile("WORKING")).first.click()  # of the task itself, or of an update
    found = re.search(r'"(?:taskId|task": \{\s*"id)": "([\w-]+)"', traffic.inner_text())
    assert found is not None, traffic.inner_text()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    own = f"{keeper['endpoint']}/tasks/{found[1]}"
    stage.until(lambda: "CANCELED" in stage.client.get(own, headers={"A2A-Version": "1.0"}).text)


def test_a_message_to_be_tried_waits_while_the_card_is_read(page: Page, stage: Stage) -> None:
    agent = next(each for each in objects(stage.get("/api/agents")["items"]) if each["name"] == "Echo")
    page.goto(f"/agents/{agent['id']}?tab=try")
    page.get_by_label("Message").fill("A long message")
    page.get_by_role("tab", name="Card").click()
    expect(page.get_by_label("Message")).to_have_count(0)
    page.get_by_role("tab", name="Try it").click()
    expect(page.get_by_label("Message")).to_have_value("A long message")


def test_saved_credentials_are_removed_when_one_says_so(page: Page, stage: Stage) -> None:
    url = stage.serve(TestAgent("Confidant", _greet, ("greet",)))
    agent = stage.client.post("/api/agents", json={"endpoint": url, "headers": {"X-Key": "secret"}}).json()
    page.goto(f"/agents/{agent['id']}?tab=credentials")
    page.get_by_role("button", name="Add a header").click()
    page.get_by_role("textbox", name="Header").fill(" ")
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Remove what is saved").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Remove what is saved").click()
    with page.expect_request(lambda request: request.method == "PATCH") as removal:
        page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("status").get_by_text("Removed.")).to_be_visible()
    assert removal.value.post_data_json == {"headers": {}}


def test_from_an_agent_that_is_gone_a_way_leads_to_the_others(page: Page, stage: Stage) -> None:
    page.goto("/agents/no-such-agent")
    expect(page.get_by_role("heading", name="Agent", level=1)).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("There is no agent")
    page.get_by_role("link", name="All agents").click()
    expect(page.get_by_role("link", name=re.compile("Echo"))).to_be_visible()


def test_every_agent_is_listed_on_however_many_pages_they_come(page: Page, stage: Stage) -> None:
    page.route("**/api/agents?*", lambda route: route.continue_(url=route.request.url.replace("limit=200", "limit=1")))
    page.goto("/agents")
    names = [str(each["name"]) for each in objects(stage.get("/api/agents?limit=200")["items"])]
    assert len(names) > 1
    for name in names:
        expect(page.get_by_role("main").get_by_role("link", name=re.compile(re.escape(name))).first).to_be_visible()


def test_an_agent_is_suspended_and_resumed(page: Page, stage: Stage) -> None:
    auditor = next(each for each in stage.client.get("/api/agents").json()["items"] if each["name"] == "Auditor")
    page.goto(f"/agents/{auditor['id']}")
    page.get_by_role("button", name="Suspend").click()
    expect(page.locator("header").get_by_text("suspended")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("header").get_by_text("active")).to_be_visible()


def test_a_changed_card_is_accepted_from_its_diff(page: Page, stage: Stage) -> None:
    url = stage.serve(TestAgent("Changeling", _greet, ("greet",)))
    agent = stage.client.post("/api/agents", json={"endpoint": url}).json()
    card = agent["card"]
    card["skills"].append({"id": "steal", "name": "Steal", "description": "It takes what it likes.", "tags": ["theft"]})
    changed = stage.client.post("/api/agents", json={"endpoint": url, "card": card})
    assert changed.json()["status"] == "quarantined", changed.text
    page.goto(f"/agents/{agent['id']}")
    diff = page.get_by_role("region", name="Its card has changed")
    expect(diff).to_contain_text("skill steal")
    diff.get_by_role("button", name="Accept the new card").click()
    expect(diff).to_have_count(0)
    expect(page.locator("header").get_by_text("active")).to_be_visible()


def test_a_card_that_changed_again_is_shown_instead_of_being_accepted(page: Page, stage: Stage) -> None:
    url = stage.serve(TestAgent("Shapeshifter", _greet, ("greet",)))
    agent = stage.client.post("/api/agents", json={"endpoint": url}).json()

    def change(skill: str) -> None:
        card = agent["card"]
        card["skills"].append({"id": skill, "name": skill, "description": "It does it.", "tags": [skill]})
        assert stage.client.post("/api/agents", json={"endpoint": url, "card": card}).json()["status"] == "quarantined"

    change("steal")
    page.add_init_script("window.setInterval = () => 0")  # nothing is read again by itself
    page.goto(f"/agents/{agent['id']}")
    diff = page.get_by_role("region", name="Its card has changed")
    expect(diff).to_contain_text("skill steal")
    change("hide")
    diff.get_by_role("button", name="Accept the new card").click()
    expect(diff.get_by_role("alert")).to_contain_text("look at it once more")
    expect(diff).to_contain_text("skill hide")
    assert stage.get(f"/api/agents/{agent['id']}")["status"] == "quarantined"
    diff.get_by_role("button", name="Accept the new card").click()
    expect(diff).to_have_count(0)


def test_an_agents_health_is_shown_over_time(page: Page, stage: Stage) -> None:
    agent = next(each for each in objects(stage.get("/api/agents")["items"]) if each["name"] == "Auditor")
    page.goto(f"/agents/{agent['id']}")
    for _ in range(2):
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            page.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("img", name="The last day: answered 100 % of checks")).to_be_visible()
    [span] = objects(stage.get(f"/api/agents/{agent['id']}/health")["items"])
    assert (span["checks"], span["failures"], span["error"]) == (2, 0, None)
