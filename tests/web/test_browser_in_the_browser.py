"""Browser sessions in the UI: watched live, taken over, handed back, looked at afterwards."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.federation import step
from tests.web.browser_stage import open_browser_stage
from tests.web.conftest import poll, watch

_HEADING = "(canvas) => canvas.getContext('2d').getImageData(0, 245, 400, 45).data.reduce((sum, each) => sum + each, 0)"
"""Where the page has its heading, as one number."""


@pytest.mark.slow
def test_the_browser_is_watched_taken_over_handed_back_and_seen_again(browser: Browser, tmp_path: Path) -> None:
    errors: list[str] = []
    with open_browser_stage(tmp_path) as place:
        assert place.running is not None
        words = f"open {place.site}/, wait for 'Pressed by a person' and get the heading"
        place.run("Press what only a person presses", step("look", words, skill="browse"))
        with browser.new_context(base_url=place.running.url, viewport={"width": 1280, "height": 800}) as context:
            page = context.new_page()
            watch(page, errors)
            page.goto("/browser")
            page.get_by_role("link", name=re.compile("live")).click(timeout=60_000)
            expect(page.get_by_role("region", name="Steps").get_by_text("passed").first).to_be_visible()
            picture = page.get_by_role("img", name="The page as the browser sees it now")
            expect(page.get_by_text("Waiting for the picture")).to_have_count(0)
            page.get_by_role("button", name="Take over").click()
            expect(page.get_by_text("You have the mouse and the keys")).to_be_visible()
            expect(picture).to_be_focused()
            page.keyboard.type("c/?gt")
            page.keyboard.press("Control+k")
            expect(page.get_by_role("dialog")).to_have_count(0)
            before = picture.evaluate(_HEADING)
            _press(page)
            poll(lambda: picture.evaluate(_HEADING) != before)
            page.get_by_role("button", name="Hand back").click()
            expect(page.get_by_text("closed")).to_be_visible(timeout=60_000)
            expect(page.get_by_role("link", name="Trace")).to_be_visible(timeout=60_000)
            expect(page.get_by_alt_text("After step 1")).to_be_visible()
            page.get_by_role("link", name="Its task").click()
            expect(page.get_by_label("Result")).to_contain_text("Pressed by a person")
    assert errors == []


@pytest.mark.slow
def test_who_took_over_and_loads_the_page_again_still_has_the_browser(browser: Browser, tmp_path: Path) -> None:
    with open_browser_stage(tmp_path) as place:
        assert place.running is not None
        words = f"open {place.site}/, wait for 'Pressed by a person' and get the heading"
        place.run("Press what only a person presses", step("look", words, skill="browse"))
        with browser.new_context(base_url=place.running.url, viewport={"width": 1280, "height": 800}) as context:
            page = context.new_page()
            page.goto("/browser")
            page.get_by_role("link", name=re.compile("live")).click(timeout=60_000)
            expect(page.get_by_role("region", name="Steps").get_by_text("passed").first).to_be_visible()
            page.get_by_role("button", name="Take over").click()
            expect(page.get_by_text("You have the mouse and the keys")).to_be_visible()
            page.reload()
            picture = page.get_by_role("img", name="The page as the browser sees it now")
            expect(page.get_by_text("You have the mouse and the keys")).to_be_visible()
            expect(page.get_by_text("Waiting for the picture")).to_have_count(0)
            before = picture.evaluate(_HEADING)
            _press(page)
            poll(lambda: picture.evaluate(_HEADING) != before)
            page.route("**/control", lambda route: route.abort(), times=1)
            page.get_by_role("button", name="Hand back").click()
            expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
            page.get_by_role("button", name="Hand back").click()
            expect(page.get_by_text("closed")).to_be_visible(timeout=60_000)


def _press(page: Page) -> None:
    """Click on the button that lies at the top left of the page in the picture."""
    picture = page.get_by_role("img", name="The page as the browser sees it now")
    box, width = picture.bounding_box(), picture.evaluate("(canvas) => canvas.width")
    assert box is not None
    page.mouse.click(box["x"] + 100 * box["width"] / width, box["y"] + 100 * box["width"] / width)
