"""Tasks in the UI: submitted, watched, stopped, done again."""

import re

from playwright.sync_api import BrowserContext, Page, Route, WebSocketRoute, expect

from tests.support.federation import step
from tests.web.conftest import poll
from tests.web.stage import Stage, ignore, lose_the_answer, objects

_THREE = (
    step("a", "Write the report", skill="write-report"),
    step("b", "Repeat {{ steps.a.output }}"),
    step("c", "And once more {{ steps.b.output }}"),
)

_COLLECT_TIMES = """window.times = [];
new MutationObserver(() => window.times.push(...[...document.querySelectorAll('time')].map((each) => each.textContent)))
    .observe(document.body, { subtree: true, childList: true, characterData: true });"""


def test_a_task_of_the_composer_is_watched_to_its_result(page: Page, stage: Stage) -> None:
    page.goto("/")
    page.get_by_role("textbox", name="What is to be done?").fill("Echo, say hello, then repeat it")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/tasks/[\w-]+"))
    expect(page.get_by_role("banner").or_(page.locator("header")).get_by_text("completed").first).to_be_visible()
    expect(page.get_by_label("Result")).to_contain_text("You said")


def test_a_budget_holds_when_the_task_is_started_from_its_field(page: Page, stage: Stage) -> None:
    page.goto("/")
    page.get_by_role("textbox", name="What is to be done?").fill("Say hello cheaply")
    page.get_by_role("button", name="Options").click()
    page.get_by_label("May cost (USD)").press_sequentially("0.50")
    page.get_by_label("May cost (USD)").press("Enter")
    page.wait_for_url(re.compile(r"/tasks/[\w-]+"))
    expect(page.get_by_text("of $0.50")).to_be_visible()


def test_steps_appear_in_the_graph_as_they_go(page: Page, stage: Stage) -> None:
    task = stage.submit(
        "Through the gate",
        step("a", "graph-gate", skill="wait-for-gate"),
        step("b", "Repeat {{ steps.a.output }}"),
        step("c", "Again {{ steps.b.output }}"),
    )
    page.goto(f"/tasks/{task['id']}")
    nodes = page.get_by_label("Graph of the plan")
    expect(nodes.get_by_text("running")).to_be_visible()
    expect(nodes.get_by_text("waits for 1 of 1")).to_have_count(2)
    stage.gates.open("graph-gate")
    expect(nodes.get_by_text("completed")).to_have_count(3)
    expect(page.get_by_text("3 of 3 steps completed")).to_be_visible()


def test_steps_side_by_side_can_be_read(page: Page, stage: Stage) -> None:
    steps = [step(f"s{number}", f"Say {number}") for number in range(1, 11)]
    task = stage.ended(stage.submit("Ten at once", *steps))
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"/tasks/{task['id']}")
        first = page.get_by_role("button", name=re.compile("Say 1 "))
        expect(first).to_be_in_viewport(ratio=0.99)
        box = first.bounding_box()
        assert box is not None
        assert box["width"] > 160


def test_a_step_shows_output_input_files_log_wire_and_agent(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Report", *_THREE))
    page.goto(f"/tasks/{task['id']}")
    page.get_by_label("Graph of the plan").get_by_text("Write the report").click()
    page.wait_for_url(re.compile(r"/steps/a"))
    panel = page.get_by_label("Step 1")
    expect(panel.get_by_role("cell", name="Tromsø")).to_be_visible()
    for tab, text in {
        "Input": "Write the report",
        "Files": "sales.csv",
        "Log": "Looking at the figures",
        "Agent": "Writer",
        "Wire": "GetTask",
    }.items():
        panel.get_by_role("tab", name=tab).click()
        expect(panel).to_contain_text(text)
    panel.get_by_role("button", name=re.compile("SendStreamingMessage")).click()
    expect(panel).to_contain_text('"messageId"')
    expect(panel).to_contain_text("A2A-Version: 1.0")
    expect(panel.get_by_role("button", name="progress: Looking at the figures")).to_be_visible()
    panel.get_by_role("button", name=re.compile("received.*TASK_STATE")).click()
    expect(panel).to_contain_text('"TASK_STATE_COMPLETED"')


def test_a_link_to_a_step_opens_it_in_the_same_view_after_a_reload(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Report", *_THREE))
    page.goto(f"/tasks/{task['id']}/steps/b?view=list&tab=input")
    for _ in range(2):
        expect(page.get_by_role("list", name="Steps").get_by_role("button", pressed=True)).to_contain_text("Repeat")
        expect(page.get_by_label("Step 2").get_by_role("tab", name="Input", selected=True)).to_be_visible()
        page.reload()


def test_every_view_tells_of_every_step(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Report", *_THREE))
    page.goto(f"/tasks/{task['id']}?view=list")
    expect(page.get_by_role("list", name="Steps").get_by_role("listitem")).to_have_count(3)
    page.get_by_text("Timeline", exact=True).click()
    expect(page.get_by_role("button", name=re.compile("Write the report"))).to_be_visible()
    page.get_by_text("Raw", exact=True).click()
    page.get_by_role("button", name=re.compile("plan.created")).click()
    expect(page.get_by_text('"strategy": "given"')).to_be_visible()


def test_a_task_is_stopped(page: Page, stage: Stage) -> None:
    task = stage.submit("For ever", step("a", "never", skill="wait-for-gate"))
    page.goto(f"/tasks/{task['id']}")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("header").get_by_text("canceled").first).to_be_visible()
    assert stage.ended(task)["status"] == "canceled"
    stage.gates.open("never")


def test_what_failed_is_retried_and_the_rest_is_kept(page: Page, stage: Stage) -> None:
    plan = (step("a", "Say hello"), step("b", "Ledger of June", skill="check-ledger", depends_on=["a"]))
    task = stage.ended(stage.submit("Check", *plan))
    assert task["status"] == "failed"
    page.goto(f"/tasks/{task['id']}")
    page.get_by_role("button", name="Retry").click()
    page.get_by_role("menuitem", name="What did not complete").click()
    page.wait_for_url(lambda url: str(task["id"]) not in url)
    expect(page.get_by_text("2 of 2 steps completed")).to_be_visible()
    expect(page.get_by_role("link", name="Retry of an earlier task")).to_be_visible()
    page.get_by_text("List", exact=True).click()
    expect(page.get_by_text("kept from an earlier task")).to_have_count(1)


def test_a_task_with_files_names_them_and_is_begun_anew_with_them(page: Page, stage: Stage) -> None:
    file = {"name": "notes.md", "media_type": "text/markdown", "content": "IyBOb3Rlcw=="}
    plan = step("a", "Say what is in it", inputs={"files": ["notes.md"]})
    task = stage.ended(stage.submit("Read the notes", plan, files=[file]))
    page.goto(f"/tasks/{task['id']}")
    came = page.get_by_role("region", name="Came with the task")
    came.get_by_role("button", name="notes.md").click()
    expect(came.get_by_role("heading", name="Notes")).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    page.get_by_role("menuitem", name="Everything, planned anew").click()
    page.wait_for_url(lambda url: str(task["id"]) not in url)
    expect(came.get_by_role("button", name="notes.md")).to_be_visible()
    made = stage.get(f"/api/tasks/{page.url.rsplit('/', 1)[1]}")
    (kept,) = objects(made["files"])
    assert (kept["media_type"], stage.client.get(str(kept["url"])).content) == ("text/markdown", b"# Notes")


def test_a_step_is_run_again_with_other_words(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Fork me", step("a", "Say one"), step("b", "Then {{ steps.a.output }}")))
    page.goto(f"/tasks/{task['id']}")
    page.get_by_role("button", name="Fork").click()
    editor = page.get_by_role("dialog")
    editor.get_by_role("radio", name=re.compile("2. Then")).click()
    expect(editor).to_contain_text("1 step again, 1 result kept")
    editor.get_by_label("What the step is told").fill("Now say {{ steps.a.output }} louder")
    editor.get_by_role("button", name="Run").click()
    page.wait_for_url(lambda url: str(task["id"]) not in url)
    expect(page.get_by_label("Result")).to_contain_text("Now say You said: Say one louder")


def test_a_fork_says_which_words_it_does_not_send(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Forks", step("a", "Say one"), step("b", "Now say {{ steps.a.output }}")))
    page.goto(f"/tasks/{task['id']}/steps/b")
    page.get_by_role("button", name="Run again from here").click()
    editor = page.get_by_role("dialog")
    editor.get_by_label("What the step is told").fill("Now shout {{ steps.a.output }}")
    expect(editor.get_by_role("status")).to_have_count(0)
    editor.get_by_label("1. Say one").check()
    expect(editor.get_by_role("status")).to_contain_text("what you wrote for step 2 is not sent")


def test_a_lost_connection_is_said_and_resumed_without_a_gap_or_a_repeat(
    page: Page, context: BrowserContext, stage: Stage
) -> None:
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    page.route_web_socket("**/api/events/ws", pass_on)
    task = stage.submit("Lost", step("a", "lost-gate", skill="wait-for-gate"), step("b", "Repeat {{ steps.a.output }}"))
    page.goto(f"/tasks/{task['id']}?view=raw")
    expect(page.get_by_role("button", name=re.compile("step.progress"))).to_be_visible()
    context.set_offline(True)
    sockets[-1].close()
    expect(page.get_by_test_id("connection-lost")).to_be_visible()
    stage.gates.open("lost-gate")
    stage.ended(task)
    context.set_offline(False)
    expect(page.locator("header").get_by_text("completed").first).to_be_visible()
    events = stage.client.get(f"/api/tasks/{task['id']}/events", headers={"Accept": "application/json"}).json()["items"]
    rows = page.get_by_label("Events").get_by_role("button")
    expect(rows).to_have_count(len(events))
    assert [int(text.split("\n")[0]) for text in rows.all_inner_texts()] == [event["seq"] for event in events]


def test_without_websockets_the_page_still_follows(page: Page, stage: Stage) -> None:
    page.route_web_socket("**/api/events/ws", lambda socket: socket.close())
    task = stage.submit("By stream", step("a", "sse-gate", skill="wait-for-gate"))
    page.goto(f"/tasks/{task['id']}")
    expect(page.get_by_label("Graph of the plan").get_by_text("running")).to_be_visible()
    stage.gates.open("sse-gate")
    expect(page.get_by_label("Result")).to_contain_text("is open")


def test_after_an_outage_the_page_goes_on_by_its_websocket(page: Page, stage: Stage) -> None:
    refused: list[WebSocketRoute] = []
    served: list[WebSocketRoute] = []
    is_away = False

    def serve(socket: WebSocketRoute) -> None:
        if is_away:
            refused.append(socket)
            socket.close()
        else:
            served.append(socket)
            socket.connect_to_server()

    def answer(route: Route) -> None:
        if is_away:
            route.abort()
        else:
            route.continue_()

    page.route_web_socket("**/api/events/ws", serve)
    page.route("**/health", answer)
    task = stage.submit("Outage", step("a", "outage-gate", skill="wait-for-gate"))
    page.goto(f"/tasks/{task['id']}")
    expect(page.get_by_label("Graph of the plan").get_by_text("running")).to_be_visible()
    is_away = True
    served[-1].close()
    expect(page.get_by_test_id("connection-lost")).to_be_visible()
    poll(lambda: bool(page.title()) and len(refused) == 3)
    is_away = False
    expect(page.get_by_test_id("connection-lost")).to_have_count(0)
    assert len(served) == 2
    stage.gates.open("outage-gate")
    expect(page.get_by_label("Result")).to_contain_text("is open")


def test_a_stream_that_is_cut_off_is_asked_for_again(page: Page, stage: Stage) -> None:
    page.route_web_socket("**/api/events/ws", lambda socket: socket.close())
    page.route("**/events?after=*", lambda route: route.fulfill(content_type="text/event-stream", body=""), times=1)
    task = stage.submit("Cut off", step("a", "cut-gate", skill="wait-for-gate"))
    page.goto(f"/tasks/{task['id']}")
    expect(page.get_by_label("Graph of the plan").get_by_text("running")).to_be_visible()
    stage.gates.open("cut-gate")
    expect(page.get_by_label("Result")).to_contain_text("is open")


def test_what_is_over_is_shown_so_before_its_log_is_read(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Long over", step("a", "Say hello")))
    page.route_web_socket("**/api/events/ws", ignore)
    page.goto(f"/tasks/{task['id']}")
    expect(page.get_by_label("Result")).to_contain_text("You said: Say hello")
    expect(page.locator("header").get_by_text("completed").first).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    expect(page.get_by_text("Planning")).to_have_count(0)
    page.goto(f"/tasks/{task['id']}/steps/a")
    expect(page.get_by_role("status", name="Loading the step")).to_be_visible()


def test_tasks_are_searched_filtered_and_canceled_together(page: Page, stage: Stage) -> None:
    for number in (1, 2):
        stage.submit(f"Parcel {number}", step("a", "parcel-gate", skill="wait-for-gate"))
    done = stage.ended(stage.submit("Parcel 3", step("a", "Say hello")))
    page.goto("/tasks")
    page.get_by_role("searchbox", name="Search tasks").fill("Parcel")
    page.wait_for_url(re.compile("q=Parcel"))
    rows = page.get_by_label("Tasks", exact=True).get_by_role("listitem")
    expect(rows).to_have_count(3)
    for number in (1, 2):
        page.get_by_role("checkbox", name=f"Choose Parcel {number}").check()
    page.get_by_role("button", name="Cancel 2").click()
    expect(rows.get_by_text("canceled")).to_have_count(2)
    page.get_by_role("combobox", name="Status").click()
    page.get_by_role("option", name="completed").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(str(done["description"]))
    stage.gates.open("parcel-gate")


def test_the_search_field_says_what_the_address_says(page: Page, stage: Stage) -> None:
    rail = page.get_by_role("navigation", name="Main")
    for place, name in {"tasks": "Tasks", "agents": "Agents"}.items():
        page.goto(f"/{place}")
        field = page.get_by_role("searchbox", name=f"Search {place}")
        field.fill("nothing-is-called-so")
        page.wait_for_url(re.compile("q=nothing"))
        rail.get_by_role("link", name=name).click()
        expect(field).to_have_value("")
        page.go_back()
        expect(field).to_have_value("nothing-is-called-so")


def test_only_what_can_be_retried_is_retried_together(page: Page, stage: Stage) -> None:
    stage.ended(stage.submit("Crate 1", step("a", "Say hello")))
    stage.ended(stage.submit("Crate 2", step("a", "Ledger of the crate", skill="check-ledger")))
    page.goto("/tasks?q=Crate")
    for number in (1, 2):
        page.get_by_role("checkbox", name=f"Choose Crate {number}").check()
    page.get_by_role("button", name="Retry 1").click()
    rows = page.get_by_label("Tasks", exact=True).get_by_role("listitem")
    expect(rows).to_have_count(3)
    expect(page.get_by_text("could not be changed")).to_have_count(0)


def test_a_task_whose_answer_was_lost_is_one_task_when_it_is_started_again(page: Page, stage: Stage) -> None:
    page.goto("/")
    page.get_by_role("textbox", name="What is to be done?").fill("Say hello only once")
    page.route("**/api/tasks", lose_the_answer)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.unroute("**/api/tasks")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/tasks/[\w-]+"))
    assert len(objects(stage.get("/api/tasks?q=Say hello only once")["items"])) == 1


def test_a_fork_whose_answer_was_lost_is_one_task_when_it_is_run_again(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Fork me only once", step("a", "Say one")))
    page.goto(f"/tasks/{task['id']}")
    page.get_by_role("button", name="Fork").click()
    page.route("**/fork", lose_the_answer)
    page.get_by_role("dialog").get_by_role("button", name="Run").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.unroute("**/fork")
    page.get_by_role("dialog").get_by_role("button", name="Run").click()
    page.wait_for_url(lambda url: str(task["id"]) not in url)
    assert len(objects(stage.get("/api/tasks?q=Fork me only once")["items"])) == 2


def test_a_task_begun_long_ago_still_runs_on_the_first_page(page: Page, stage: Stage) -> None:
    task = stage.submit("Begun long ago", step("a", "long-ago", skill="wait-for-gate"))
    for number in range(12):
        stage.ended(stage.submit(f"Short {number}", step("a", "Say it")))
    page.goto("/")
    expect(page.get_by_role("region", name="Running")).to_contain_text("Begun long ago")
    expect(page.get_by_role("region", name="Lately")).to_contain_text("Short 11")
    expect(page.get_by_role("region", name="Lately")).not_to_contain_text("Begun long ago")
    stage.gates.open("long-ago")
    stage.ended(task)
    expect(page.get_by_role("region", name="Running").get_by_text("Begun long ago")).to_have_count(0)


def test_a_draft_waits_on_the_first_page_until_it_is_started(page: Page, stage: Stage) -> None:
    page.goto("/")
    goal = page.get_by_role("textbox", name="What is to be done?")
    goal.fill("Echo, say what was a draft")
    page.get_by_role("button", name="Options").click()
    page.get_by_label("May cost (USD)").fill("0.50")
    page.get_by_role("link", name="Agents").first.click()
    expect(goal).to_have_count(0)
    page.get_by_role("link", name="Home").first.click()
    expect(goal).to_have_value("Echo, say what was a draft")
    page.reload()
    expect(goal).to_have_value("Echo, say what was a draft")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/tasks/[\w-]+"))
    expect(page.get_by_text("of $0.50")).to_be_visible()
    page.get_by_role("link", name="Home").first.click()
    expect(goal).to_have_value("")


def test_who_reads_the_log_by_keys_is_left_where_they_read(page: Page, stage: Stage) -> None:
    begin = [step(f"a{number}", f"Say {number}") for number in range(10)]
    rest = [step(f"b{number}", f"Say {number} again", depends_on=["gate"]) for number in range(10)]
    gate = step("gate", "log-gate", skill="wait-for-gate", depends_on=[each["id"] for each in begin])
    last = step("last", "log-end-gate", skill="wait-for-gate", depends_on=["gate"])
    task = stage.submit("A long log", *begin, gate, *rest, last)
    page.goto(f"/tasks/{task['id']}?view=raw")
    log = page.get_by_role("group", name="Events")
    expect(log.get_by_text("Waiting for the gate")).to_be_visible()
    log.press("Home")
    first = log.get_by_role("button", name=re.compile(r"^1 task"))
    expect(first).to_be_in_viewport()
    expect(page.get_by_role("button", name="Jump to live")).to_be_visible()
    stage.gates.open("log-gate")
    expect(page.get_by_text("21 of 22 steps completed")).to_be_visible()
    expect(first).to_be_in_viewport()
    page.get_by_role("button", name="Jump to live").click()
    expect(first).not_to_be_in_viewport()
    stage.gates.open("log-end-gate")
    stage.ended(task)


def test_a_time_is_right_when_it_is_first_seen(page: Page, stage: Stage) -> None:
    stage.ended(stage.submit("Seen later", step("a", "Say hello")))
    page.clock.install()
    page.goto("/settings")
    page.get_by_role("link", name="Insights").click()
    page.clock.fast_forward(600_000)
    page.evaluate(_COLLECT_TIMES)
    page.get_by_role("link", name="Tasks").click()
    expect(page.get_by_text("Seen later").first).to_be_visible()
    assert "just now" not in page.evaluate("window.times")


def test_a_slow_list_is_read_to_its_end_though_tasks_change_meanwhile(page: Page, stage: Stage) -> None:
    held: list[Route] = []
    changes: list[str] = []
    given_up: list[str] = []
    is_slow = True

    def hold(route: Route) -> None:
        if is_slow:
            held.append(route)
        else:
            route.continue_()

    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: _note(changes, frame)))
    page.on("requestfailed", lambda request: given_up.append(request.url))
    stage.ended(stage.submit("Before it is slow", step("a", "Say hello")))
    page.goto("/tasks")
    expect(page.get_by_role("link", name="Before it is slow")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.route("**/api/tasks?*", hold)
    for name in ("First while slow", "Second while slow"):
        seen = len(changes)
        stage.ended(stage.submit(name, step("a", "Say hello")))
        poll(lambda seen=seen: bool(page.title()) and len(changes) > seen and len(held) > 0)
    is_slow = False
    for route in held:
        route.continue_()
    expect(page.get_by_role("link", name="Second while slow")).to_be_visible()
    assert given_up == []


def _note(changes: list[str], frame: str | bytes) -> None:
    """Note what tells that lists changed."""
    if isinstance(frame, str) and '"changed"' in frame:
        changes.append(frame)
