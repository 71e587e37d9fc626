"""What the browser agent makes of pages: it reads, clicks, fills in, extracts, takes screenshots, verifies."""

import struct
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from browser_service.agent import open_agent
from browser_service.errors import ElementNotFoundError, PageNotLoadedError, PageTimedOutError
from shared.agent import OpenAgent
from shared.errors import InvalidRequestError, TimedOutError, TooLargeError, UnavailableError
from tests.browser.conftest import Site, ask, make_settings, open_site

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_main_heading_of_a_page_is_the_answer(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"open {site.url}/ and get the main heading")
    assert answered.answer.name == "page"
    assert answered.text == "Welcome to Harbour Town"
    assert answered.data == {
        "url": f"{site.url}/",
        "final_url": f"{site.url}/",
        "status": 200,
        "title": "Harbour Town",
        "heading": "Welcome to Harbour Town",
    }
    assert answered.progress == [f"Opening {site.url}/", "Reading the main heading"]


async def test_a_page_drawn_by_scripts_is_read_as_it_is_shown(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"open {site.url}/rendered and get the title, the headings and the text")
    assert answered.data["title"] == "Drawn"
    assert answered.data["headings"] == [
        {"level": 1, "text": "Drawn heading"},
        {"level": 2, "text": "In the shadow"},
    ]
    assert answered.data["text"] == "Drawn heading\n\nDrawn by a script.\nIn the shadow\nNote of the side."


async def test_links_tables_lists_images_and_prices_are_extracted(agent: OpenAgent, site: Site) -> None:
    words = "get the links, the table, the list items, the images, the meta description and the prices of"
    answered = await ask(agent, f"{words} {site.url}/", "extract-page")
    assert answered.data["links"] == [
        {"text": "About us", "url": f"{site.url}/about"},
        {"text": "Ferries elsewhere", "url": "https://example.com/ferries"},
        {"text": "New window", "url": f"{site.url}/popup-target"},
    ]
    assert answered.data["tables"] == [
        [
            {"Ferry": "Gull", "Leaves": "09:00", "Price": "$12.50"},
            {"Ferry": "Tern", "Leaves": "10:30", "Price": "$9.00"},
        ]
    ]
    assert answered.data["list_items"] == ["Lighthouse", "Fish market"]
    assert answered.data["images"] == [{"text": "A gull", "url": f"{site.url}/dot.svg"}]
    assert answered.data["description"] == "A small town by the sea."
    assert answered.data["prices"] == ["$12.50", "$9.00"]
    assert "| Gull | 09:00 | $12.50 |" in answered.text


async def test_nothing_asked_means_title_heading_and_text_without_what_is_hidden(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"{site.url}/")
    assert answered.text.startswith("**Title:** Harbour Town\n\n**Main heading:** Welcome to Harbour Town")
    assert "Ferries leave every hour." in answered.text
    assert "Secret offer" not in answered.text


async def test_a_form_is_filled_in_and_sent(agent: OpenAgent, site: Site) -> None:
    words = "type 'Ann' into 'Your name', select 'Blue' from 'Colour', click 'Greet me' and get the heading"
    answered = await ask(agent, f"open {site.url}/form, {words}")
    assert answered.text == "Hello Ann, Blue"


async def test_enter_sends_a_form(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"open {site.url}/form, fill in 'Your name' with 'Bo', press Enter and get the heading")
    assert answered.text == "Hello Bo, Red"


async def test_a_text_that_comes_late_is_waited_for(agent: OpenAgent, site: Site) -> None:
    words = "click Save and Continue, wait for 'It came late' and get the text"
    assert "It came late." in (await ask(agent, f"open {site.url}/form, {words}")).text


async def test_frames_are_read_and_clicked_in(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"open {site.url}/frames, click 'Press me' and get the text")
    assert answered.text == "Outside\n\nInside\n\nText of the frame.\n\nPressed"


async def test_a_window_that_a_click_opens_becomes_the_page(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"open {site.url}/, click 'New window' and get the heading")
    assert answered.text == "A window of its own"
    assert answered.data["final_url"] == f"{site.url}/popup-target"


@pytest.mark.parametrize("opening", ["click 'Open'", "fill 'x' into the Word field, press Enter"])
async def test_a_window_that_takes_its_time_is_waited_for(agent: OpenAgent, site: Site, opening: str) -> None:
    answered = await ask(agent, f"open {site.url}/opens-late, {opening} and get the heading")
    assert answered.text == "A window that took its time"


async def test_a_dialog_does_not_hold_up_the_task(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"open {site.url}/form, click 'Ask' and get the title")
    assert answered.text == "After the dialog"


async def test_a_redirect_is_followed_and_told(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"get the heading of {site.url}/redirect")
    assert (answered.data["url"], answered.data["final_url"]) == (f"{site.url}/redirect", f"{site.url}/about")


async def test_a_websocket_of_a_page_works(agent: OpenAgent, site: Site) -> None:
    assert (await ask(agent, f"get the heading of {site.url}/websocket")).text == "Said by a socket"


async def test_two_pages_are_told_apart(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"get the heading of {site.url}/ and {site.url}/about")
    assert answered.data["pages"] == [
        {"url": f"{site.url}/", "status": 200, "heading": "Welcome to Harbour Town"},
        {"url": f"{site.url}/about", "status": 200, "heading": "About Harbour Town"},
    ]


async def test_a_task_sees_nothing_of_another_one(agent: OpenAgent, site: Site) -> None:
    keep = "get the heading of"
    first = await ask(agent, f"{keep} {site.url}/visits")
    second = await ask(agent, f"{keep} {site.url}/visits")
    assert first.text == second.text == "Visit 1"
    both = await ask(agent, f"{keep} {site.url}/visits and {site.url}/visits?again")
    assert "Visit 2" in both.text


async def test_a_screenshot_is_a_png_of_what_is_in_view(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"{site.url}/", "screenshot")
    [produced] = answered.files
    assert (produced.file.name, produced.file.media_type) == ("screenshot.png", "image/png")
    assert _png_size(produced.file.content) == (1280, 800)
    assert answered.data["screenshots"] == [{"name": "screenshot.png", "width_px": 1280, "height_px": 800}]


async def test_a_screenshot_of_a_very_high_page_is_cut_and_says_so(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"take a screenshot of the full page {site.url}/tall")
    assert _png_size(answered.files[0].file.content) == (1280, 8000)
    assert "higher than a screenshot may be" in answered.text


async def test_claims_that_hold_pass(agent: OpenAgent, site: Site) -> None:
    words = f"verify that {site.url}/ shows 'Ferries leave', has a link 'About us' and the title is 'Harbour Town'"
    answered = await ask(agent, words, "verify-page")
    assert answered.data["passed"] is True
    assert answered.text.startswith("Passed: all 3 checks hold.")


async def test_a_claim_that_does_not_hold_is_an_answer_not_a_failure(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"verify that {site.url}/ has a table and the main heading is 'Bye'", "verify-page")
    assert answered.data["passed"] is False
    cells = "Ferry Leaves Price Gull 09:00 $12.50 Tern 10:30 $9.00"
    assert answered.data["checks"] == [
        {"description": "the page has a table", "passed": True, "details": f"Found: '{cells}'."},
        {"description": "the main heading is 'Bye'", "passed": False, "details": "Found: 'Welcome to Harbour Town'."},
    ]


async def test_a_claim_may_come_true_a_moment_later(agent: OpenAgent, site: Site) -> None:
    words = f"open {site.url}/form, click 'Save and Continue' and check that 'It came late' is shown"
    assert (await ask(agent, words)).data["passed"] is True


async def test_a_page_that_answers_with_an_error_fails_its_verification(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"{site.url}/missing", "verify-page")
    assert answered.data["passed"] is False
    assert answered.data["status"] == 404


async def test_a_button_that_is_missing_fails_a_verification(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"open {site.url}/form, click 'Buy' and verify that 'Thanks' is shown", "verify-page")
    [check] = answered.data["checks"] if isinstance(answered.data["checks"], list) else []
    assert isinstance(check, dict)
    assert check["description"] == 'Clicking "Buy"'
    assert answered.data["passed"] is False


async def test_a_claim_that_cannot_be_read_is_refused_with_examples(agent: OpenAgent, site: Site) -> None:
    with pytest.raises(InvalidRequestError, match=r"could not be read as a check: .*feels friendly.*Say for example"):
        await ask(agent, f"verify that {site.url}/ feels friendly", "verify-page")


async def test_what_is_not_understood_is_said_beside_the_answer(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"open {site.url}/, get the heading and juggle")
    assert answered.text == "Welcome to Harbour Town\n\nNote: This part of the request was not understood: 'juggle'."


async def test_a_missing_button_is_named_with_what_resembles_it(agent: OpenAgent, site: Site) -> None:
    with pytest.raises(
        ElementNotFoundError, match=r"No button, link or text \"Greet you\" is on the page\. There is: 'Greet me'\."
    ):
        await ask(agent, f"open {site.url}/form and click 'Greet you'")
    with pytest.raises(ElementNotFoundError, match=r"No field \"Surname\" .* There is: 'Your name'"):
        await ask(agent, f"open {site.url}/form and type 'x' into 'Surname'")
    with pytest.raises(ElementNotFoundError, match=r"'Colour' has no choice 'Green'\. There is: 'Red', 'Blue'\."):
        await ask(agent, f"open {site.url}/form and select 'Green' from 'Colour'")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/missing", "answered with HTTP status 404: there is no such page"),
        ("/broken", "answered with HTTP status 500: the server failed"),
        ("/circle", "it redirects in a circle"),
        ("/download.zip", "it is a download, not a page"),
        ("/tampered", "changes its browser's own functions"),
    ],
)
async def test_a_page_that_cannot_be_shown_says_why(agent: OpenAgent, site: Site, path: str, sentence: str) -> None:
    with pytest.raises(PageNotLoadedError, match=sentence):
        await ask(agent, f"open {site.url}{path}")


async def test_a_click_that_leads_to_an_error_page_says_so(agent: OpenAgent, site: Site) -> None:
    with pytest.raises(PageNotLoadedError, match=r"/missing answered with HTTP status 404"):
        await ask(agent, f"open {site.url}/form, click 'A dead link' and get the text")


async def test_a_server_that_is_not_there_is_named(agent: OpenAgent, unused_tcp_port: int) -> None:
    with pytest.raises(PageNotLoadedError, match=f"nothing listens at 127.0.0.1:{unused_tcp_port}") as refused:
        await ask(agent, f"open http://127.0.0.1:{unused_tcp_port}/")
    assert not refused.value.retryable


async def test_a_name_that_does_not_exist_is_named(agent: OpenAgent) -> None:
    with pytest.raises(UnavailableError, match=r"no-such-host\.invalid cannot be resolved"):
        await ask(agent, "open http://no-such-host.invalid/")


async def test_a_page_that_never_finishes_loading_is_read_as_far_as_it_came(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"get the heading of {site.url}/never-finishes")
    assert answered.data["heading"] == "The first half"
    assert "had not finished loading" in answered.text


async def test_a_document_that_never_ends_names_the_setting(site: Site) -> None:
    async with open_agent(make_settings(browser_navigation_timeout_s=1)) as agent:
        for path in ("/drip", "/hang"):
            with pytest.raises(PageTimedOutError, match=r"within 1 s \(BROWSER_NAVIGATION_TIMEOUT_S\)") as late:
                await ask(agent, f"open {site.url}{path}")
            assert not late.value.retryable
        assert (await ask(agent, f"get the heading of {site.url}/")).text == "Welcome to Harbour Town"


async def test_a_page_that_keeps_its_browser_busy_does_not_hold_the_task(agent: OpenAgent, site: Site) -> None:
    with pytest.raises(TimedOutError, match="keeps its browser busy and cannot be used"):
        await ask(agent, f"get the heading of {site.url}/busy-later")


async def test_a_task_ends_at_its_deadline(site: Site) -> None:
    async with open_agent(make_settings(browser_task_timeout_s=1, browser_settle_timeout_s=30)) as agent:
        with pytest.raises(TimedOutError, match=r"more than 1 s \(BROWSER_TASK_TIMEOUT_S\)"):
            await ask(agent, f"get the heading of {site.url}/never-finishes")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict_agent() -> AsyncGenerator[OpenAgent]:
    async with open_agent(make_settings(browser_max_page_bytes=2_000_000, browser_max_text_chars=100)) as opened:
        yield opened


async def test_an_endless_page_is_cut_off_at_the_limit(strict_agent: OpenAgent, site: Site) -> None:
    with pytest.raises(TooLargeError, match=r"2,000,000 bytes \(BROWSER_MAX_PAGE_BYTES\)"):
        await ask(strict_agent, f"open {site.url}/huge")


async def test_an_endless_frame_of_another_site_is_cut_off_too(strict_agent: OpenAgent, site: Site) -> None:
    elsewhere = site.url.replace("127.0.0.1", "localhost")  # another site, so another process of Chromium
    async with open_site(elsewhere) as around:
        with pytest.raises(TooLargeError, match="BROWSER_MAX_PAGE_BYTES"):
            await ask(strict_agent, f"open {around.url}/frame-of-elsewhere")


async def test_long_text_is_cut_and_says_so(strict_agent: OpenAgent, site: Site) -> None:
    answered = await ask(strict_agent, f"get the text of {site.url}/")
    assert len(str(answered.data["text"])) <= 100
    assert "cut" in answered.text


async def test_control_and_direction_characters_of_a_page_are_dropped(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, f"get the title and heading of {site.url}/controls")
    assert (answered.data["title"], answered.data["heading"]) == ("AB C", "Plain text[31m")


async def test_a_request_without_an_address_says_so(agent: OpenAgent) -> None:
    with pytest.raises(InvalidRequestError, match="names no address"):
        await ask(agent, "get the main heading")


async def test_the_address_may_come_as_data(agent: OpenAgent, site: Site) -> None:
    answered = await ask(agent, "get the main heading", data={"url": f"{site.url}/about"})
    assert answered.text == "About Harbour Town"


def _png_size(content: bytes | None) -> tuple[int, int]:
    assert content is not None
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    return width, height
