"""Page tests performed by TinyFish, and the same API served by our own browser."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from browser_service import main
from browser_service.agent import open_agent
from shared.agent import JsonObject, OpenAgent, Progress
from shared.errors import FederationError, UnavailableError
from shared.page_tests import PageTest
from tests.browser import live_page, tested_site
from tests.browser.conftest import ask, make_settings, request
from tests.browser.fake_tinyfish import KEY, FakeTinyFish, tinyfish_server
from tests.support.federation import until
from tests.support.serving import serve

GOAL = "Verify the page loads and has a heading that says Example Domain"
PAGE = "https://example.com/"


@asynccontextmanager
async def with_tinyfish(key: str = KEY) -> AsyncGenerator[tuple[FakeTinyFish, OpenAgent]]:
    async with tinyfish_server() as fake:
        settings = make_settings(tinyfish_api_key=key, tinyfish_url=fake.url, browser_executable="/no/chromium")
        async with open_agent(settings) as agent:
            yield fake, agent


async def run_test(agent: OpenAgent) -> PageTest:
    answered = await ask(agent, "Test it", "verify-page", {"page_test": {"url": PAGE, "goal": GOAL}})
    assert answered.progress[-1] == "[Evaluator] Synthesizing results..."
    return PageTest.model_validate(answered.data)


def steps(*passed: bool) -> JsonObject:
    return {"steps": [{"step_number": n, "passed": each, "details": f"saw {n}"} for n, each in enumerate(passed, 1)]}


async def test_tinyfish_performs_a_page_test_and_only_what_it_reports_passed() -> None:
    async with with_tinyfish() as (fake, agent):
        fake.say("STARTED", runId="r1")
        fake.say("STREAMING_URL", runId="r1", streamingUrl="https://tf.example/r1")
        fake.say("STEP", purpose="Opening the page")
        fake.say("COMPLETE", runId="r1", status="COMPLETED", resultJson=steps(True, True, True))
        test = await run_test(agent)
        assert (test.result.passed, test.result.steps_passed) == (True, 3)
        assert test.browser_result.streaming_url == "https://tf.example/r1"
        assert fake.asked[0]["url"] == PAGE
        assert "3. Verify that the page has a heading" in str(fake.asked[0]["goal"])
        assert fake.canceled == []


@pytest.mark.parametrize(
    ("result", "statuses"),
    [
        (steps(True, False, True), ["passed", "failed", "not_run"]),
        (steps(True), ["passed", "not_run", "not_run"]),
        ({"result": "All done: " + json.dumps(steps(True, True))}, ["passed", "passed", "not_run"]),
    ],
)
async def test_what_tinyfish_does_not_report_as_passed_is_not_passed(result: JsonObject, statuses: list[str]) -> None:
    async with with_tinyfish() as (fake, agent):
        fake.say("COMPLETE", status="COMPLETED", result=result)
        test = await run_test(agent)
        assert not test.result.passed
        assert test.result.error is None
        assert [each.status for each in test.result.step_results] == statuses


async def test_a_run_that_fails_is_no_verdict_of_the_page() -> None:
    for kind, facts in (
        ("ERROR", {"message": "no browser"}),
        ("COMPLETE", {"status": "FAILED", "error": "no browser"}),
    ):
        async with with_tinyfish() as (fake, agent):
            fake.say(kind, **facts)
            test = await run_test(agent)
            assert (test.result.passed, test.browser_result.success, test.result.error) == (False, False, "no browser")
    async with with_tinyfish() as (fake, agent):
        fake.say("COMPLETE", status="COMPLETED", result="It looks fine.")
        assert "without a report" in str((await run_test(agent)).result.error)


async def test_a_wrong_key_and_a_stream_that_breaks_off_are_said() -> None:
    async with with_tinyfish("wrong") as (_, agent):
        with pytest.raises(FederationError, match="TINYFISH_API_KEY"):
            await run_test(agent)
    async with with_tinyfish() as (fake, agent):
        fake.say("STARTED", runId="r2")
        with pytest.raises(UnavailableError, match="closed the stream"):
            await run_test(agent)
        assert fake.canceled == ["r2"]


async def test_a_canceled_test_cancels_its_run() -> None:
    async with with_tinyfish() as (fake, agent):
        fake.say("STARTED", runId="r3")
        fake.say("STEP", message="Looking")
        fake.hangs = True
        wanted = request("Test it", "verify-page", {"page_test": {"url": PAGE, "goal": GOAL}})
        async with aclosing(agent.answer(wanted)) as updates:
            async for update in updates:
                if update == Progress("TinyFish: Looking"):
                    break
        assert fake.canceled == ["r3"]
        fake.hangs = False


@asynccontextmanager
async def service(folder: Path, port: int) -> AsyncGenerator[httpx.AsyncClient]:
    settings = make_settings(
        data_dir=folder, browser_port=port, federation_register=False, browser_action_timeout_s=15.0
    )
    async with serve(main.create(settings), port=port) as url, httpx.AsyncClient(base_url=url, timeout=60) as http:
        yield http


async def test_our_own_browser_is_driven_by_the_same_api(tmp_path: Path, unused_tcp_port: int) -> None:
    async with service(tmp_path, unused_tcp_port) as http, serve(tested_site.create()) as site:
        events = read_events((await http.post("/v1/automation/run-sse", json={"url": f"{site}/", "goal": GOAL})).text)
        kinds = [kind for _, kind, _ in events]
        assert kinds[:2] == ["STARTED", "STREAMING_URL"]
        assert set(kinds[2:-1]) == {"STEP"}
        assert (kinds[-1], events[-1][2]["status"], events[-1][2]["verdict"]) == ("COMPLETE", "COMPLETED", "passed")
        third = events[2][0]
        headers = {"Last-Event-ID": third}
        resumed = await http.post("/v1/automation/run-sse", json={"url": "x", "goal": "x"}, headers=headers)
        assert read_events(resumed.text) == events[3:]
        run_id = str(events[0][2]["run_id"])
        assert read_events((await http.get(f"/v1/automation/runs/{run_id}/events", headers=headers)).text) == events[3:]
        at_end = await http.get(f"/v1/automation/runs/{run_id}/events", headers={"Last-Event-ID": events[-1][0]})
        assert (at_end.status_code, read_events(at_end.text)) == (200, [])
        for never_told in (f"{run_id}:{len(events) + 1}", f"{run_id}:x", "3"):
            refused = await http.get(f"/v1/automation/runs/{run_id}/events", headers={"Last-Event-ID": never_told})
            assert refused.status_code == 422
        assert (await http.get(f"/v1/automation/runs/{run_id}/view")).headers["location"].startswith("/v1/sessions/")
        failed = (await http.post("/v1/automation/run", json={"url": f"{site}/gone", "goal": GOAL})).json()
        assert (failed["status"], failed["verdict"], failed["error"]) == ("COMPLETED", "failed", None)
        wrong = (await http.post("/v1/automation/run", json={"url": "ftp://x", "goal": GOAL})).json()
        assert (wrong["status"], wrong["verdict"]) == ("FAILED", None)
        told = (await http.post("/v1/automation/run", json={"url": f"{site}/", "goal": "Get the title"})).json()
        assert (told["status"], told["verdict"], told["result"]["title"]) == ("COMPLETED", None, "Example Domain")
        assert (await http.post("/v1/automation/run", json={"url": f"{site}/", "goal": " "})).status_code == 422
        assert (await http.get("/v1/runs/none")).status_code == 404


async def test_a_run_is_canceled_and_who_follows_it_is_told(tmp_path: Path, unused_tcp_port: int) -> None:
    async with service(tmp_path, unused_tcp_port) as http, serve(live_page.create()) as site:
        goal = "wait for 'Something that never comes' and verify the heading says Never"
        begun = (await http.post("/v1/automation/run-async", json={"url": f"{site}/", "goal": goal})).json()
        path = f"/v1/runs/{begun['run_id']}"
        following = asyncio.create_task(http.get(f"/v1/automation/runs/{begun['run_id']}/events"))
        await until(lambda: sessions(http), lambda found: bool(found["items"]))
        assert (await http.post(f"{path}/cancel")).json()["status"] == "CANCELLED"
        assert read_events((await following).text)[-1][1] == "ERROR"
        assert (await http.post(f"{path}/cancel")).status_code == 409
        assert (await http.get(path)).json()["status"] == "CANCELLED"


async def sessions(http: httpx.AsyncClient) -> JsonObject:
    return (await http.get("/v1/sessions")).json()


def read_events(text: str) -> list[tuple[str, str, JsonObject]]:
    """Return the id, type and data of each event."""
    found: list[tuple[str, str, JsonObject]] = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found
