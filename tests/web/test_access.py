"""Everybody can use it: axe finds nothing serious in either theme, keys go everywhere, it fits a telephone."""

import base64
import re
from typing import Final, Literal, TypedDict, cast

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.agent import JsonObject
from tests.support.federation import step
from tests.web.conftest import axe_source, poll
from tests.web.stage import Stage

_RUN = """async (rules) => (await axe.run(document, {resultTypes: ['violations'], ...rules})).violations
    .filter((each) => ['serious', 'critical'].includes(each.impact))
    .map((each) => `${each.id}: ${each.help}: ${each.nodes.map((node) => node.html.slice(0, 200)).join(' | ')}`)"""

_AT_ONCE = "*, *::before, *::after { transition: none !important }"
"""Nothing fades from one theme to the other: colours on their way are nobody's."""

_RULES: Final[dict[Literal["light", "dark"], JsonObject]] = {
    "light": {},
    "dark": {"runOnly": ["color-contrast", "link-in-text-block"]},
}
"""The theme changes colours and nothing else: in the second one, the rules that look at colours are enough."""


@pytest.fixture(scope="module")
def places(stage: Stage) -> dict[str, str]:
    """A page of every kind, with something on it."""
    done = stage.ended(
        stage.submit(
            "Everything", step("a", "Write the report", skill="write-report"), step("b", "Say {{ steps.a.output }}")
        )
    )
    failed = stage.ended(stage.submit("Fails", step("a", "Ledger for axe", skill="check-ledger")))
    many = stage.ended(
        stage.submit(
            "Many",
            step("a", "How many?", skill="count-people", agents=3, evaluate={"criteria": ["at most 3 words"]}),
            step("b", "chart: sold", skill="write-report"),
        )
    )
    asks = stage.submit("Asks", step("a", "Book for axe", skill="book-trip"))
    stage.task_when(str(asks["id"]), lambda found: found["status"] == "input_required")
    approve = stage.submit("Approve for axe", step("a", "Say yes"), approve_plan=True)
    session = stage.client.post("/api/sessions", json={"title": "Axe"}).json()
    stage.ended(stage.submit("Say hello", session_id=session["id"], agent="Echo"))
    agent: JsonObject = stage.client.get("/api/agents").json()["items"][0]
    task, at = f"/tasks/{done['id']}", f"/agents/{agent['id']}"
    return {
        "home": "/",
        "inbox": "/inbox",
        "tasks": "/tasks",
        "task graph": task,
        "task timeline": f"{task}/steps/a?view=timeline&tab=artifacts",
        "task list": f"{task}/steps/a?view=list&tab=log",
        "task raw": f"{task}/steps/a?view=raw&tab=wire",
        "task failed": f"/tasks/{failed['id']}/steps/a?tab=why",
        "task answers": f"/tasks/{many['id']}/steps/a?tab=answers",
        "task chart": f"/tasks/{many['id']}/steps/b?tab=artifacts",
        "task asks": f"/tasks/{asks['id']}",
        "task approve": f"/tasks/{approve['id']}",
        "agents": "/agents",
        "agent": at,
        "agent card": f"{at}?tab=card",
        "agent try": f"{at}?tab=try",
        "agent credentials": f"{at}?tab=credentials",
        "register": "/agents/new",
        "chat": "/chat",
        "conversation": f"/chat/{session['id']}",
        "workflows": "/workflows",
        "browser": "/browser",
        "insights": "/insights",
        "learned": "/insights?view=learned",
        "settings": "/settings",
    }


class _Found(TypedDict):
    """What is wrong with each page: by axe in both themes, and how wide it is on a telephone if that is too wide."""

    light: dict[str, list[str]]
    dark: dict[str, list[str]]
    telephone: dict[str, list[str]]
    too_wide: dict[str, int]


@pytest.fixture(scope="module")
def found(browser: Browser, stage: Stage, places: dict[str, str]) -> _Found:
    """Every page, loaded once and looked at in both themes and on a telephone: nothing else of it depends on these."""
    axe = axe_source()
    found: _Found = {"light": {}, "dark": {}, "telephone": {}, "too_wide": {}}
    with browser.new_context(base_url=stage.url, reduced_motion="reduce", color_scheme="light") as context:
        page = context.new_page()
        for name, path in places.items():
            page.set_viewport_size({"width": 1280, "height": 800})
            page.goto(path)
            _settle(page)
            page.evaluate(axe)
            page.add_style_tag(content=_AT_ONCE)
            for theme, rules in _RULES.items():
                page.emulate_media(color_scheme=theme)
                expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", theme)
                if violations := cast("list[str]", page.evaluate(_RUN, rules)):
                    found[theme][name] = violations
            page.emulate_media(color_scheme="light")
            page.set_viewport_size({"width": 320, "height": 740})
            if (width := int(page.evaluate("document.documentElement.scrollWidth"))) > 320:
                found["too_wide"][name] = width
            if violations := cast("list[str]", page.evaluate(_RUN, {"runOnly": ["scrollable-region-focusable"]})):
                found["telephone"][name] = violations
    return found


@pytest.mark.parametrize("how", ["light", "dark", "telephone"])
def test_axe_finds_nothing_serious_on_any_page(found: _Found, how: Literal["light", "dark", "telephone"]) -> None:
    assert found[how] == {}


def test_every_page_fits_a_telephone(browser: Browser, stage: Stage, found: _Found) -> None:
    assert found["too_wide"] == {}
    with browser.new_context(base_url=stage.url, viewport={"width": 320, "height": 740}, has_touch=True) as context:
        page = context.new_page()
        page.goto("/")
        start = page.get_by_role("button", name="Start").locator(".mantine-Button-label")
        assert start.evaluate("(label) => label.scrollWidth <= label.clientWidth")
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("link", name="Settings").click()
        expect(page.get_by_role("heading", name="Settings")).to_be_visible()


@pytest.mark.parametrize("key", ["Enter", "Control+k", "?"])
def test_axe_finds_nothing_serious_in_a_dialog(page: Page, stage: Stage, key: str) -> None:
    task = stage.ended(stage.submit("Dialogs for axe", step("a", "Say hello")))
    page.goto(f"/tasks/{task['id']}")
    page.get_by_role("button", name="Fork").focus()
    page.keyboard.press(key)
    expect(page.get_by_role("dialog")).to_be_visible()
    page.evaluate(axe_source())
    assert page.evaluate(_RUN, {}) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_where_an_agent_is_removed(
    page: Page, stage: Stage, theme: Literal["light", "dark"]
) -> None:
    agent: JsonObject = stage.client.get("/api/agents").json()["items"][0]
    page.emulate_media(color_scheme=theme)
    page.goto(f"/agents/{agent['id']}")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Remove")).to_be_visible()
    page.evaluate(axe_source())
    assert page.evaluate(_RUN, {}) == []


def test_a_tablet_shows_the_filters_in_a_row_and_the_costs_whole(page: Page, stage: Stage) -> None:
    stage.ended(stage.submit("Costs", step("a", "Write the report", skill="write-report")))
    page.set_viewport_size({"width": 768, "height": 1024})
    page.goto("/tasks")
    filters = [page.get_by_label(name, exact=True).first for name in ("Search tasks", "Status", "Agent")]
    assert len({each.evaluate("(field) => field.getBoundingClientRect().top") for each in filters}) == 1
    page.goto("/insights")
    costs = page.get_by_role("region", name="Costs by agent")
    expect(costs).to_be_visible()
    assert costs.evaluate("(box) => box.scrollWidth - box.clientWidth") == 0


def test_a_long_and_wide_table_is_scrolled_by_keys(page: Page, stage: Stage) -> None:
    rows = "\n".join(",".join(f"{row}.{column}" for column in range(40)) for row in range(300))
    file = {"name": "long.csv", "media_type": "text/csv", "content": base64.b64encode(rows.encode()).decode()}
    task = stage.ended(stage.submit("Look at it", step("a", "Say hello"), files=[file]))
    page.goto(f"/tasks/{task['id']}")
    page.get_by_role("button", name="long.csv").click()
    table = page.get_by_role("region", name="long.csv, table")
    table.focus()
    page.keyboard.press("End")
    expect(table.get_by_role("cell", name="299.0", exact=True)).to_be_in_viewport()
    page.evaluate(axe_source())
    assert page.evaluate(_RUN, {}) == []


def test_keys_go_everywhere(page: Page, stage: Stage) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    for key, title in {"t": "Tasks", "i": "Inbox", "a": "Agents", "s": "Settings", "h": "Home"}.items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Search and commands")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("c")
    expect(page.get_by_label("What is to be done?")).to_be_focused()
    page.keyboard.type("g a task about gates")
    expect(page.get_by_label("What is to be done?")).to_have_value("g a task about gates")


def test_the_palette_finds_pages_agents_and_tasks(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("A needle in the haystack", step("a", "Say hello")))
    page.goto("/")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search").fill("gatekee")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Gatekeeper")).to_be_visible()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search").fill("needle in")
    expect(page.get_by_role("option", name=re.compile("needle"))).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tasks/{task['id']}")


def test_who_closes_a_dialog_is_where_it_was_opened(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("Dialogs", step("a", "Say hello")))
    page.goto(f"/tasks/{task['id']}")
    fork = page.get_by_role("button", name="Fork")
    for key in ("Enter", "Control+k", "?"):
        fork.focus()
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(fork).to_be_focused()


def test_the_menu_of_a_telephone_is_closed_by_a_key_and_beside_it(page: Page, stage: Stage) -> None:
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto("/tasks")
    expect(page.get_by_role("heading", name="Tasks")).to_be_visible()
    menu, rail = page.get_by_role("button", name="Menu"), page.get_by_role("navigation", name="Main")
    menu.click()
    expect(rail).to_be_visible()
    page.keyboard.press("Escape")
    expect(rail).to_be_hidden()
    expect(menu).to_be_focused()
    menu.click()
    page.mouse.click(350, 75)  # what lies there is under the shade: a button that leads elsewhere
    expect(rail).to_be_hidden()
    expect(page).to_have_url(re.compile("/tasks$"))


def test_what_the_keys_select_in_the_palette_is_in_view(page: Page, stage: Stage) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option").nth(11)).to_be_attached()
    page.keyboard.press("ArrowUp")  # to the last one
    expect(page.get_by_role("option", selected=True)).to_be_in_viewport(ratio=0.9)


def test_keys_can_be_switched_off(page: Page, stage: Stage) -> None:
    page.goto("/settings")
    page.get_by_role("switch", name=re.compile("Single keys")).uncheck()
    page.locator("body").press("?")
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()


def test_the_theme_is_chosen_and_kept(page: Page, stage: Stage) -> None:
    page.goto("/")
    page.get_by_role("button", name="Switch to the dark theme").click()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    page.reload(wait_until="commit")
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")


def test_a_task_is_read_and_steered_by_keys_alone(page: Page, stage: Stage) -> None:
    task = stage.ended(stage.submit("By keys", step("a", "Say one"), step("b", "Then {{ steps.a.output }}")))
    page.goto(f"/tasks/{task['id']}?view=list")
    second = page.get_by_role("list", name="Steps").get_by_role("button").nth(1)
    second.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Step 2")).to_be_visible()
    page.get_by_label("Step 2").get_by_role("tab", name="Output").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Step 2").get_by_role("tab", name="Input", selected=True)).to_be_visible()
    page.goto(f"/tasks/{task['id']}")
    for key, words, panel in (("Enter", "Say one completed", "Step 1"), ("Space", "Then", "Step 2")):
        page.get_by_label("Graph of the plan").get_by_role("button", name=words).focus()
        page.keyboard.press(key)
        expect(page.get_by_label(panel)).to_be_visible()


@pytest.mark.parametrize("view", ["graph", "list"])
def test_who_closes_a_step_by_keys_is_where_it_was_opened(page: Page, stage: Stage, view: str) -> None:
    task = stage.ended(stage.submit("Closed by keys", step("a", "Say one"), step("b", "Then {{ steps.a.output }}")))
    page.goto(f"/tasks/{task['id']}?view={view}")
    steps = page.get_by_label("Graph of the plan" if view == "graph" else "Steps")
    opener = steps.get_by_role("button", name="Then")
    for each in (steps.get_by_role("button", name="Say one"), opener):
        each.focus()
        page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Step 2")).to_be_visible()
    page.get_by_role("button", name="Close the step").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Task")).to_be_visible()
    expect(opener).to_be_focused()


@pytest.mark.parametrize("view", ["graph", "list"])
def test_a_step_that_is_opened_on_a_telephone_is_in_view(page: Page, stage: Stage, view: str) -> None:
    task = stage.ended(stage.submit("On a telephone", step("a", "Say one"), step("b", "Then {{ steps.a.output }}")))
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"/tasks/{task['id']}?view={view}")
    page.get_by_label("Graph of the plan" if view == "graph" else "Steps").get_by_role("button", name="Say one").click()
    expect(page.get_by_role("complementary", name="Step 1").get_by_text("You said: Say one")).to_be_in_viewport()


def test_nothing_moves_for_who_wants_it_so(browser: Browser, stage: Stage) -> None:
    task = stage.submit("Still", step("a", "still-gate", skill="wait-for-gate"))
    with browser.new_context(base_url=stage.url, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(f"/tasks/{task['id']}")
        expect(page.get_by_label("Graph of the plan").get_by_text("running")).to_be_visible()
        poll(lambda: page.evaluate("document.getAnimations().filter((a) => a.playState === 'running').length") == 0)
    stage.gates.open("still-gate")


def test_what_becomes_of_a_task_is_announced(page: Page, stage: Stage) -> None:
    task = stage.submit("Announced", step("a", "announced", skill="wait-for-gate"))
    page.goto(f"/tasks/{task['id']}")
    expect(page.get_by_role("status").filter(has_text="executing")).to_be_visible()
    stage.gates.open("announced")
    expect(page.get_by_role("status").filter(has_text="completed")).to_be_visible()


def test_where_the_system_gives_the_colours_what_is_chosen_is_seen(browser: Browser, stage: Stage) -> None:
    task = stage.ended(stage.submit("Few colours", step("a", "Say one"), step("b", "Then {{ steps.a.output }}")))
    with browser.new_context(base_url=stage.url, forced_colors="active", reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(f"/tasks/{task['id']}/steps/a?view=timeline")
        expect(page.get_by_role("tab", name="Output")).to_be_visible()
        looks = "(one) => [getComputedStyle(one).backgroundColor, getComputedStyle(one).outlineStyle]"
        rows = page.locator("[aria-pressed]")
        expect(rows).to_have_count(2)
        for chosen, other in (
            (page.get_by_role("link", name="Tasks"), page.get_by_role("link", name="Agents")),
            (page.get_by_role("tab", name="Output"), page.get_by_role("tab", name="Log")),
            (page.get_by_text("Timeline", exact=True).locator("xpath=ancestor::label"),
             page.get_by_text("Raw", exact=True).locator("xpath=ancestor::label")),
            (rows.first, rows.last),
        ):  # fmt: skip
            assert chosen.evaluate(looks) != other.evaluate(looks), chosen


def _settle(page: Page) -> None:
    """Wait until the page has read what it needs and shows it."""
    expect(page.locator("main")).not_to_be_empty()
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("status", name=re.compile("Loading"))).to_have_count(0)
