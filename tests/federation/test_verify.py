"""`federation verify` and `run_pipeline.py`: what they print, how they end, and that nothing stays."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from browser_service.agent import open_agent
from tests.browser import tested_site
from tests.browser.conftest import make_settings
from tests.federation.processes import PORTS, ROOT, free_ports, poll, started
from tests.support.federation import TestAgent, federation
from tests.support.serving import serve

GOAL = "Verify the page loads and has a heading that says Example Domain"
_UNSET = ("OPENAI_API_KEY", "GROQ_API_KEY", "LLM_BASE_URL", "DATABASE_URL", "TINYFISH_API_KEY")
_FEDERATION = (sys.executable, "-c", "from federation.cli import main; main()")


async def call(*command: str, folder: Path, **env: str) -> tuple[int, str]:
    """Run a command in `folder` to its end; returns its exit code and all that it said."""

    def calling() -> tuple[int, str]:
        with started(command, env={**dict.fromkeys(_UNSET, ""), "PYTHONPATH": str(ROOT), **env}, cwd=folder) as process:
            return process.end(timeout_s=150), process.text

    return await asyncio.to_thread(calling)


@asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[tuple[str, str]]:
    """Run an orchestrator with a browser agent, and a site: yields both addresses."""
    async with (
        open_agent(make_settings()) as browser,
        serve(tested_site.create()) as site,
        federation(folder, TestAgent("Browser", browser.answer, ("verify-page",))) as own,
    ):
        yield own.url, site


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_without_a_federation_it_starts_what_it_needs_says_just_this_and_stops_it_again(tmp_path: Path) -> None:
    ports = {name: str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
    data = tmp_path / "data"
    async with serve(tested_site.create()) as site:
        code, said = await call(
            sys.executable,
            str(ROOT / "run_pipeline.py"),
            f"{site}/",
            GOAL,
            folder=tmp_path,
            DATA_DIR=str(data),
            **ports,
        )
    lines = said.splitlines()
    assert code == 0, said
    assert lines[:-1] == [
        "[Planner] Creating test plan...",
        "[Planner] 3 steps planned",
        f"[Browser] Step 1/3: Navigate to {site}/...",
        "[Browser] Step 1/3: ✓ Passed",
        "[Browser] Step 2/3: Verify that the page loads...",
        "[Browser] Step 2/3: ✓ Passed",
        "[Browser] Step 3/3: Verify that the page has a heading that says Example Domain...",
        "[Browser] Step 3/3: ✓ Passed",
        "[Evaluator] Synthesizing results...",
    ]
    assert re.fullmatch(r"\[Result\] PASSED — 3/3 steps passed in [\d,]+ms", lines[-1])
    poll(lambda: not _alive(data))


async def test_what_the_script_shows_for_help_can_be_typed(tmp_path: Path) -> None:
    code, said = await call(sys.executable, str(ROOT / "run_pipeline.py"), "--help", folder=tmp_path)
    assert code == 0
    assert "Usage: federation verify [OPTIONS] {URL} {goal}" in said


async def test_a_failed_test_says_what_was_there_ends_with_1_and_is_reported(tmp_path: Path) -> None:
    async with running(tmp_path) as (url, site):
        report = tmp_path / "report.xml"
        goal = "verify the heading says Example Page, click 'Go'"
        code, said = await call(
            *_FEDERATION, "--url", url, "verify", f"{site}/", goal, "--junit", str(report), folder=tmp_path
        )
        lines = said.splitlines()
        assert code == 1, said
        assert lines[5].startswith("[Browser] Step 2/3: ✗ Failed — Expected: the main heading is 'Example Page'. Found")
        assert lines[6] == "[Browser] Step 3/3: – Not run"
        assert re.fullmatch(r"\[Result\] FAILED — 1/3 steps passed in [\d,]+ms", lines[-1])
        cases = list(ET.parse(report).getroot().iter("testcase"))
        assert [case[0].tag if len(case) else "passed" for case in cases] == ["passed", "failure", "skipped"]
        code, said = await call(*_FEDERATION, "--url", url, "verify", f"{site}/", GOAL, "--json", folder=tmp_path)
        assert code == 0
        assert json.loads(said)["result"]["passed"] is True


async def test_what_could_not_be_run_ends_with_2(tmp_path: Path) -> None:
    async with running(tmp_path) as (url, _):
        code, said = await call(*_FEDERATION, "--url", url, "verify", "ftp://example.org", GOAL, folder=tmp_path)
        assert (code, said.splitlines()[-1][:16]) == (2, "[Result] ERROR —")
        assert "form. #/url: 'ftp://example.org' is no address of a web page; write it like https://example.com" in said
    code, said = await call(*_FEDERATION, "--url", url, "verify", "http://example.org", GOAL, folder=tmp_path)
    assert (code, said.splitlines()[-1][:16]) == (2, "[Result] ERROR —")
    code, said = await call(*_FEDERATION, "verify", "http://example.org", "  ", folder=tmp_path)
    assert code == 2


async def test_a_report_that_cannot_be_written_is_said_before_the_test_or_beside_its_verdict(tmp_path: Path) -> None:
    async with running(tmp_path) as (url, site):
        test = (*_FEDERATION, "--url", url, "verify", f"{site}/", GOAL)
        for place in ("no-such-folder/report.xml", "/proc/none/report.xml", str(tmp_path)):
            code, said = await call(*test, "--junit", place, folder=tmp_path)
            assert code == 2, said
            assert "Nothing can be written to" in said
            assert "[Planner]" not in said
            assert "Traceback" not in said
        code, said = await call(*test, "--junit", "/dev/full", folder=tmp_path)
        assert code == 2, said
        assert "[Result] PASSED" in said
        assert said.splitlines()[-1].startswith("The report could not be written to /dev/full (No space left")


def _alive(data: Path) -> list[int]:
    """Return every living process that was started with this data folder, browsers included."""
    mark = f"DATA_DIR={data}".encode()
    found: list[int] = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in place.read_bytes().split(b"\0"):
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found
