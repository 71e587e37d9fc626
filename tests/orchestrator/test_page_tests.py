"""Page tests through the orchestrator: kept, run by request and by their times, with history, as JSON and JUnit XML."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from sqlalchemy import update

from browser_service.agent import open_agent
from orchestrator_service.page_test_models import PageTestRow
from orchestrator_service.page_tests import next_run, to_task
from shared import db
from shared.agent import AgentRequest, JsonObject, Update
from shared.db import Database, open_database
from shared.errors import InvalidRequestError, NotInstalledError
from shared.page_tests import PageTestRequest
from tests.browser import tested_site
from tests.browser.conftest import make_settings
from tests.support.federation import Federation, TestAgent, federation, until
from tests.support.serving import serve

GOAL = "Verify the page loads and has a heading that says Example Domain"


@asynccontextmanager
async def page_testing(folder: Path, database_url: str | None = None) -> AsyncGenerator[tuple[Federation, str]]:
    """Run a federation with a browser agent, and a site to test."""
    async with (
        open_agent(make_settings()) as browser,
        serve(tested_site.create()) as site,
        federation(
            folder, TestAgent("Browser", browser.answer, ("verify-page",)), database_url=database_url
        ) as running,
    ):
        yield running, site


async def test_a_test_is_kept_run_again_and_its_history_is_there(tmp_path: Path, database_url: str | None) -> None:
    async with page_testing(tmp_path, database_url) as (running, site):
        kept = await running.post("/api/tests", {"name": "Home", "url": f"{site}/", "goal": GOAL}, 201)
        path = f"/api/tests/{kept['id']}"
        run = await running.post(f"{path}/run")
        assert set(run) >= {"task_id", "plan", "browser_result", "result"}
        result, plan, browser = run["result"], run["plan"], run["browser_result"]
        assert isinstance(result, dict)
        assert isinstance(plan, dict)
        assert isinstance(browser, dict)
        assert (result["passed"], result["steps_passed"], result["steps_total"], result["error"]) == (True, 3, 3, None)
        assert set(plan) == {"goal_prompt", "steps", "total_steps"}
        assert browser["success"] is True
        assert isinstance(browser["streaming_url"], str)
        broken = await running.post(f"{path}/run", {"url": f"{site}/gone"})
        assert (broken["result"]["passed"], broken["result"]["error"]) == (False, None)  # pyright: ignore[reportOptionalSubscript, reportCallIssue, reportArgumentType, reportIndexIssue]
        accepted = await running.client.post(f"{path}/run", headers={"Prefer": "respond-async"})
        assert accepted.status_code == 202
        await running.task_when(accepted.json(), lambda task: task["status"] == "completed")
        history = (await running.get(f"{path}/runs"))["items"]
        assert isinstance(history, list)
        assert [_passed(each) for each in history] == [True, False, True]
        last = (await running.get(path))["last_runs"]
        assert isinstance(last, list)
        assert [each["passed"] for each in last if isinstance(each, dict)] == [True, False, True]
        xml = await running.client.get(f"{path}/runs/{broken['task_id']}", headers={"Accept": "application/xml"})
        suite = ET.fromstring(xml.text)
        assert [case[0].tag if len(case) else "" for case in suite.iter("testcase")] == [
            "failure",
            "skipped",
            "skipped",
        ]
        assert (await running.client.delete(path)).status_code == 204
        await running.get(path, 404)


async def test_a_test_that_is_not_kept_runs_too(tmp_path: Path) -> None:
    async with page_testing(tmp_path) as (running, site):
        run = await running.post("/api/tests/run", {"url": f"{site}/", "goal": GOAL})
        assert _passed(run) is True
        assert (await running.get("/api/tests"))["items"] == []


async def test_a_test_runs_at_its_time_once_and_the_next_time_is_known(
    tmp_path: Path, database_url: str | None
) -> None:
    async with page_testing(tmp_path, database_url) as (running, site):
        wanted: JsonValue = {"name": "Nightly", "url": f"{site}/", "goal": GOAL, "cron": "0 3 * * *"}
        kept = await running.post("/api/tests", wanted, 201)
        async with open_database(db.database_url(running.settings, "orchestrator")) as database:
            await _make_due(database, str(kept["id"]))
        await running.post("/api/tests", {"name": "Other", "url": f"{site}/", "goal": GOAL}, 201)  # wakes the schedule
        path = f"/api/tests/{kept['id']}"
        seen = await until(lambda: running.get(f"{path}/runs"), _is_over)
        items = seen["items"]
        assert isinstance(items, list)
        [run] = items
        assert isinstance(run, dict)
        assert (run["origin"], _passed(run)) == ("schedule", True)
        following = (await running.get(path))["next_run_at"]
        assert isinstance(following, str)
        assert datetime.now(UTC) < datetime.fromisoformat(following) < datetime.now(UTC) + timedelta(days=1, minutes=1)


async def test_a_run_of_a_test_that_is_just_deleted_begins_or_is_refused(
    tmp_path: Path, database_url: str | None
) -> None:
    async with federation(tmp_path, database_url=database_url) as running:
        for _ in range(20):
            test = await running.post("/api/tests", {"name": "Home", "url": "http://127.0.0.1/", "goal": GOAL}, 201)
            path, prefer = f"/api/tests/{test['id']}", {"Prefer": "respond-async"}
            runs = [running.client.post(f"{path}/run", headers=prefer) for _ in range(4)]
            answers = await asyncio.gather(*runs[:2], running.client.delete(path), *runs[2:])
            assert {answer.status_code for answer in answers} <= {202, 204, 404}


async def test_what_cannot_be_run_has_an_error_and_no_verdict_of_the_page(tmp_path: Path) -> None:
    async def answer(_request: AgentRequest) -> AsyncGenerator[Update]:
        raise NotInstalledError("No Chromium was found on this machine.")
        yield  # an agent is a generator

    async with federation(tmp_path, TestAgent("Browser", answer, ("verify-page",)), step_attempts=1) as running:
        run = await running.post("/api/tests/run", {"url": "http://127.0.0.1:1/", "goal": GOAL})
        result = run["result"]
        assert isinstance(result, dict)
        assert result["passed"] is False
        assert "No Chromium" in str(result["error"])


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"url": "ftp://a.test/"}, "#/url"),
        ({"goal": "  "}, "#/goal"),
        ({"cron": "every day"}, "#/cron"),
        ({"cron": "0 0 31 2 *"}, "#/cron"),
        ({"cron": "* * * * * *"}, "#/cron"),
        ({"cron": "0 9 * * *", "timezone": "Middle-earth/Shire"}, "#/timezone"),
        ({"unknown": 1}, "#/unknown"),
    ],
)
async def test_what_is_wrong_in_a_test_is_said_and_nothing_is_kept(
    tmp_path: Path, change: JsonObject, pointer: str
) -> None:
    async with federation(tmp_path) as running:
        body: JsonObject = {"name": "x", "url": "http://a.test/", "goal": GOAL, **change}
        problem = await running.post("/api/tests", body, 422)
        errors = problem["errors"]
        assert isinstance(errors, list)
        assert pointer in [error["pointer"] for error in errors if isinstance(error, dict)]
        assert (await running.get("/api/tests"))["items"] == []


async def test_a_schedule_is_changed_and_ended(tmp_path: Path) -> None:
    async with federation(tmp_path) as running:
        body: JsonValue = {"name": "x", "url": "http://a.test/", "goal": GOAL, "cron": "0 9 * * 1-5"}
        kept = await running.post("/api/tests", body, 201)
        assert kept["next_run_at"] is not None
        path = f"/api/tests/{kept['id']}"
        changed = (await running.client.patch(path, json={"cron": None, "name": "y"})).json()
        assert (changed["name"], changed["cron"], changed["next_run_at"], changed["goal"]) == ("y", None, None, GOAL)
        await running.get("/api/tests/none", 404)
        await running.post("/api/tests/none/run", None, 404)


@given(
    st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2030, 1, 1)),
    st.sampled_from(["UTC", "Europe/Oslo"]),
)
def test_the_next_time_is_later_and_at_the_hour_of_the_zone(after: datetime, zone: str) -> None:
    found = next_run("30 9 * * *", zone, after.replace(tzinfo=UTC))
    assert found is not None
    assert found > after.replace(tzinfo=UTC)
    assert (found.astimezone(ZoneInfo(zone)).hour, found.astimezone(ZoneInfo(zone)).minute) == (9, 30)


def test_a_scheduled_run_has_the_same_id_whoever_begins_it() -> None:
    at = datetime(2026, 11, 21, 3, tzinfo=UTC)
    request = PageTestRequest(url="http://a.test/", goal="{{ steps.x.output }} is shown")
    one, other = to_task("t", request, scheduled_at=at), to_task("t", request, scheduled_at=at)
    assert one.id == other.id
    assert one.id != to_task("t", request, scheduled_at=at + timedelta(days=1)).id
    assert one.plan is not None
    assert one.plan.in_order()[0].instruction.count("\\{{") == 1


def test_no_cron_is_no_time() -> None:
    assert next_run(None, "UTC", datetime.now(UTC)) is None
    with pytest.raises(InvalidRequestError):
        next_run("61 * * * *", "UTC", datetime.now(UTC))


async def _make_due(database: Database, test_id: str) -> None:
    past = datetime.now(UTC) - timedelta(minutes=1)
    await database.write(
        lambda connection: connection.execute(
            update(PageTestRow).where(PageTestRow.id == test_id).values(next_run_at=past)
        )
    )


def _is_over(runs: JsonObject) -> bool:
    items = runs["items"]
    return isinstance(items, list) and any(isinstance(run, dict) and run["completed_at"] for run in items)


def _passed(run: JsonValue) -> JsonValue:
    assert isinstance(run, dict)
    result = run["result"]
    assert isinstance(result, dict)
    return result["passed"]
