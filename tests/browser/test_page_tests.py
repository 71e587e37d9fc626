"""Page tests: goals in plain words, tried in a real browser; nothing passes that was not seen."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from pydantic import JsonValue

from browser_service.agent import open_agent
from shared.agent import JsonObject, OpenAgent
from shared.errors import AddressRefusedError, InvalidRequestError, NotInstalledError, TimedOutError
from shared.page_tests import PageTest
from tests.browser import tested_site
from tests.browser.conftest import Answered, Site, ask, make_settings
from tests.support.federation import free_port
from tests.support.model_server import Hang, model_server
from tests.support.serving import serve


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tested() -> AsyncGenerator[str]:
    async with serve(tested_site.create()) as url:
        yield url


pytestmark = pytest.mark.asyncio(loop_scope="module")


FILL = "enter 'ada' in 'User name' and"
SUGGEST = "type 'hello' into the search box and verify suggestions appear"


async def run(agent: OpenAgent, url: str, goal: str) -> tuple[PageTest, Answered]:
    """Run a page test and return its result."""
    answered = await ask(agent, "Test it", "verify-page", {"page_test": {"url": url, "goal": goal}})
    return PageTest.model_validate(answered.data), answered


async def test_a_page_test_tells_each_step_and_the_verdict(agent: OpenAgent, tested: str) -> None:
    goal = "Verify the page loads and has a heading that says Example Domain"
    test, answered = await run(agent, f"{tested}/", goal)
    assert answered.progress == [
        "[Planner] Creating test plan...",
        "[Planner] 3 steps planned",
        f"[Browser] Step 1/3: Navigate to {tested}/...",
        "[Browser] Step 1/3: ✓ Passed",
        "[Browser] Step 2/3: Verify that the page loads...",
        "[Browser] Step 2/3: ✓ Passed",
        "[Browser] Step 3/3: Verify that the page has a heading that says Example Domain...",
        "[Browser] Step 3/3: ✓ Passed",
        "[Evaluator] Synthesizing results...",
    ]
    assert (test.result.passed, test.result.steps_passed, test.result.steps_total, test.result.error) == (
        True,
        3,
        3,
        None,
    )
    assert test.plan.goal_prompt.count("\n") == 4
    assert test.plan.total_steps == len(test.plan.steps) == 3


@pytest.mark.parametrize(
    ("path", "goal"),
    [
        ("/search", "type 'hello' into the search box and verify suggestions appear"),
        ("/search", "navigate to the login page, verify the form is visible and that the Sign in button exists"),
        ("/login", "navigate to the login page, verify the form is visible and that the Sign in button exists"),
        ("/login", f"Test the login form: {FILL} 'x' in 'Password', click 'Sign in', and expect an error message"),
        ("/login", f"{FILL} 'right' in 'Password', click 'Sign in' and verify the heading says Hello ada"),
        ("/login", "Make sure the login form and the footer are visible, and that there is no table"),
        ("/login", "verify that the 'Delete account' button is disabled and the Sign in button is enabled"),
        ("/login", "click 'Stay signed in' and verify that the 'Stay signed in' checkbox is checked"),
        ("/login", f"{FILL[:-4]}, check that the User name field contains 'ada' and the Password field is empty"),
        ("/search", "there is a search box, at least 1 link and the title is 'Finder'"),
        ("/broken-script", "Verify the page loads"),
        ("/", "Verify the page loads without errors"),
    ],
)  # fmt: skip
async def test_what_is_so_passes(agent: OpenAgent, tested: str, path: str, goal: str) -> None:
    test, _ = await run(agent, f"{tested}{path}", goal)
    assert test.result.passed, test.result.details
    assert 2 <= test.plan.total_steps <= 8


@pytest.mark.parametrize(
    ("path", "goal", "expected", "found"),
    [
        ("/", "verify the heading says Example Page", "the main heading is 'Example Page'", "'Example Domain'"),
        ("/gone", "verify the heading says Welcome", "loads", "status is 500"),
        ("/search-broken", SUGGEST, "suggestions appear", "Nothing"),
        ("/search-without-luck", SUGGEST, "suggestions appear", "Nothing"),
        ("/", "navigate to the login page and verify the form is visible", "the login page", "none"),
        ("/login", "verify that the 'Delete account' button is enabled", "is enabled", "disabled"),
        ("/login", "verify that the Pay now button is not disabled", "is not disabled", "Sign in"),
        ("/login", "an error message is visible", "error", "no error"),
        ("/login", "there are at least 2 forms", "at least 2", "There are 1"),
        ("/broken-script", "Verify the page loads without errors", "without errors", "undefinedThing"),
        ("/unseen", "verify that 'Transparent words' is shown", "Transparent words", "Visible words"),
        ("/unseen", "verify that 'Words outside' is shown", "Words outside", "Visible words"),
        ("/unseen", "verify that 'Clipped words' is shown", "Clipped words", "Visible words"),
        ("/unseen", "verify that 'Words without size' is shown", "Words without size", "Visible words"),
        ("/unseen", "verify that 'Words without colour' is shown", "Words without colour", "Visible words"),
        ("/unseen", "verify that 'Indented words' is shown", "Indented words", "Visible words"),
        ("/unseen", "verify that 'Words only for ears' is shown", "Words only for ears", "Visible words"),
        ("/unseen", "verify that the Buy now button exists", "Buy now", "no button"),
        ("/unseen", "verify that the form is visible", "a form", "no form"),
        ("/", "verify the page feels friendly", "feels friendly", "could not be checked"),
        ("/", "verify that the spinner animation looks smooth", "looks smooth", "could not be checked"),
    ],
)  # fmt: skip
async def test_what_is_not_so_fails_and_says_what_was_there(
    agent: OpenAgent, tested: str, path: str, goal: str, expected: str, found: str
) -> None:
    test, _ = await run(agent, f"{tested}{path}", goal)
    [failed] = [each for each in test.result.step_results if each.status == "failed"]
    assert not test.result.passed
    assert test.result.error is None
    assert expected in failed.expected
    assert found in failed.found
    assert failed.details == f"Expected: {failed.expected} Found: {failed.found}"
    assert "Found: Found" not in failed.details


async def test_steps_after_a_failed_one_are_not_run(agent: OpenAgent, tested: str) -> None:
    test, answered = await run(agent, f"{tested}/gone", "verify that 'Welcome' is shown, click 'Go'")
    assert [each.status for each in test.result.step_results] == ["failed", "not_run", "not_run"]
    assert test.result.steps_passed == 0
    assert answered.progress[-2:] == ["[Browser] Step 3/3: – Not run", "[Evaluator] Synthesizing results..."]


async def test_a_server_that_is_away_is_a_failed_test(agent: OpenAgent) -> None:
    test, _ = await run(agent, f"http://127.0.0.1:{free_port()}/", "verify the page loads")
    assert (test.result.passed, test.result.error) == (False, None)
    assert "nothing listens" in test.result.details


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("{}/circle", "redirects in a circle"),
        ("{}/download.zip", "download"),
        ("{}/missing", "status is 404"),
        ("{}/busy", "did not load"),
        ("https{}/", "encryption"),
        ("http://nothing.invalid/", "cannot be resolved"),
    ],
)
async def test_a_page_that_cannot_be_shown_is_a_failed_test(agent: OpenAgent, site: Site, url: str, found: str) -> None:
    address = url.format(site.url.removeprefix("http") if url.startswith("https{}") else site.url)
    test, _ = await run(agent, address, "verify the heading says Welcome")
    assert [each.status for each in test.result.step_results] == ["failed", "not_run"]
    assert found in test.result.step_results[0].found
    assert test.result.error is None


@pytest.mark.parametrize("url", ["ftp://example.org/", "nothing", "http://", "http://a b/"])
async def test_what_is_no_address_cannot_be_tested(agent: OpenAgent, url: str) -> None:
    with pytest.raises((InvalidRequestError, AddressRefusedError)):
        await run(agent, url, "verify the page loads")


async def test_without_a_browser_nothing_is_tested(tested: str) -> None:
    async with open_agent(make_settings(browser_executable="/nowhere/chromium")) as agent:
        with pytest.raises(NotInstalledError):
            await run(agent, tested, "verify the page loads")


async def test_a_model_plans_and_its_checks_are_still_judged_by_what_is_seen(tested: str) -> None:
    steps: JsonValue = [
        {
            "description": "Open it",
            "success_criteria": "It opens.",
            "actions": [{"do": "navigate", "url": f"{tested}/"}],
        },
        {
            "description": "Look at the heading",
            "success_criteria": "It greets.",
            "checks": [{"subject": "heading", "relation": "contains", "value": "Example Domain"}],
            "claims": ["the page is for examples"],
        },
    ]
    lie: JsonObject = {"holds": True, "evidence": "These words are not on the page", "found": ""}
    async with (
        model_server({"steps": steps}, lie) as model,
        open_agent(make_settings(llm_base_url=model.base_url, llm_model="scripted")) as agent,
    ):
        test, _ = await run(agent, f"{tested}/", "it greets people and is for examples")
    assert [each.status for each in test.result.step_results] == ["passed", "failed"]
    assert "is not on it" in test.result.step_results[1].found


async def test_a_model_that_does_not_answer_ends_a_page_test_at_its_limit_without_a_verdict(tested: str) -> None:
    opened: JsonObject = {
        "description": "Open it",
        "success_criteria": "It loads",
        "actions": [{"do": "navigate", "url": f"{tested}/"}],
    }
    claimed: JsonObject = {"description": "Read it", "success_criteria": "It is kind", "claims": ["it is kind"]}
    async with (
        model_server({"steps": [opened, claimed]}, Hang(), Hang()) as model,
        open_agent(
            make_settings(llm_base_url=model.base_url, llm_model="scripted", browser_task_timeout_s=4.0)
        ) as agent,
    ):
        for _ in ("where a claim is judged", "where the test is planned"):
            with pytest.raises(TimedOutError, match=r"BROWSER_TASK_TIMEOUT_S\): the language model .* not answer"):
                await run(agent, f"{tested}/", "it is kind")
    assert len(model.requests) == 3
