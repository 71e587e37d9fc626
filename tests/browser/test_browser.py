"""One warm Chromium: found, started, shared, started again when it dies, and closed."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import pytest

from browser_service import chromium
from browser_service.agent import open_agent
from shared.errors import FederationError, NotInstalledError, UnavailableError
from tests.browser.conftest import Site, ask, make_settings, open_site, request


@pytest.fixture
async def site() -> AsyncGenerator[Site]:
    async with open_site() as served:
        yield served


async def test_a_killed_chromium_is_started_again(site: Site) -> None:
    async with open_agent(make_settings()) as agent:
        for dies in ("--headless", "run-driver"):
            assert (await ask(agent, f"get the title of {site.url}/")).text == "Harbour Town"
            kill(dies)
            assert (await ask(agent, f"get the title of {site.url}/")).text == "Harbour Town"


@pytest.mark.parametrize("dies", ["--headless", "--type=renderer", "run-driver"])
async def test_a_task_whose_chromium_dies_fails_with_a_sentence(site: Site, dies: str) -> None:
    async with open_agent(make_settings()) as agent:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(failure_of(ask(agent, f"open {site.url}/hang")))
            await until(lambda: "/hang" in site.hits)
            kill(dies)
            await until(lambda: site.hits.count("/hang") == 2 or task.done())  # nothing was done yet: it is tried again
            if not task.done():
                kill(dies)
        assert isinstance(task.result(), UnavailableError)
        assert "Try again" in str(task.result())
        assert (await ask(agent, f"get the title of {site.url}/")).text == "Harbour Town"


async def test_a_cancelled_task_closes_its_page(site: Site) -> None:
    async with open_agent(make_settings(browser_max_pages=1)) as agent:
        task = asyncio.create_task(ask(agent, f"open {site.url}/hang"))
        await until(lambda: "/hang" in site.hits)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: "/hang left" in site.hits)
        assert (await ask(agent, f"get the title of {site.url}/")).text == "Harbour Town"


async def test_an_answer_that_nobody_reads_to_the_end_closes_its_page(site: Site) -> None:
    async with open_agent(make_settings(browser_max_pages=1)) as agent:
        async with aclosing(agent.answer(request(f"get the title and the heading of {site.url}/"))) as updates:
            async for _ in updates:
                break
        answered = await ask(agent, f"get the title of {site.url}/")
        assert not any("Waiting" in text for text in answered.progress)


async def test_more_tasks_than_pages_wait_their_turn_and_say_so(site: Site) -> None:
    async with open_agent(make_settings(browser_max_pages=1)) as agent:
        async with asyncio.TaskGroup() as group:
            hanging = group.create_task(ask(agent, f"open {site.url}/hang"))
            await until(lambda: "/hang" in site.hits)
            waiting = group.create_task(ask(agent, f"get the title of {site.url}/"))
            await asyncio.sleep(0)
            hanging.cancel()
        assert waiting.result().text == "Harbour Town"
        assert waiting.result().progress[0] == "Waiting for a free page; all 1 are in use"


async def test_nothing_runs_after_the_service_has_ended(site: Site) -> None:
    async with open_agent(make_settings()) as agent:
        await ask(agent, f"get the title of {site.url}/")
        assert descendants("--headless")
    await until(lambda: not descendants("--headless") and not descendants("run-driver"))


async def test_without_a_chromium_the_service_says_what_to_install(tmp_path: Path) -> None:
    async with open_agent(make_settings(browser_executable=tmp_path / "nothing")) as agent:
        [problem] = agent.problems()
        assert "BROWSER_EXECUTABLE names" in problem
        assert "playwright install --only-shell chromium" in problem
        with pytest.raises(NotInstalledError, match="BROWSER_EXECUTABLE names"):
            await ask(agent, "open http://127.0.0.1:9900/")


async def test_a_program_that_is_no_chromium_is_named(tmp_path: Path) -> None:
    program = tmp_path / "no-chromium"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    async with open_agent(make_settings(browser_executable=program)) as agent:
        with pytest.raises(UnavailableError, match="no-chromium does not start as a Chromium"):
            await ask(agent, "open http://127.0.0.1:9900/")
        assert "no-chromium" in agent.problems()[0]


async def test_a_chromium_that_runs_already_is_used(site: Site, tmp_path: Path) -> None:
    async with running_chromium(tmp_path) as address:
        async with open_agent(make_settings(browser_cdp_url=address)) as agent:
            assert (await ask(agent, f"get the title of {site.url}/")).text == "Harbour Town"
        async with open_agent(make_settings(browser_cdp_url=address)) as agent:
            assert (await ask(agent, f"get the heading of {site.url}/")).text == "Welcome to Harbour Town"


async def test_a_devtools_address_where_nothing_answers_is_named(unused_tcp_port: int) -> None:
    async with open_agent(make_settings(browser_cdp_url=f"http://127.0.0.1:{unused_tcp_port}")) as agent:
        with pytest.raises(UnavailableError, match=f"BROWSER_CDP_URL is .*:{unused_tcp_port}, but no Chromium answers"):
            await ask(agent, "open http://127.0.0.1:9900/")


def test_a_chromium_is_found_in_the_promised_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "browsers"))
    assert chromium.find(make_settings()) is None
    assert "No Chromium was found" in chromium.problem()

    on_path = program(tmp_path / "bin" / "google-chrome")
    assert chromium.find(make_settings()) == chromium.Found("path", on_path)
    shell = program(tmp_path / "bin" / "chromium-headless-shell")
    assert chromium.find(make_settings()) == chromium.Found("path", shell)

    program(tmp_path / "browsers/chromium_headless_shell-999/chrome-headless-shell-linux64/chrome-headless-shell")
    newest = program(
        tmp_path / "browsers/chromium_headless_shell-1255/chrome-headless-shell-linux64/chrome-headless-shell"
    )
    assert chromium.find(make_settings()) == chromium.Found("playwright", newest)

    named = program(tmp_path / "own" / "chrome")
    assert chromium.find(make_settings(browser_executable=named)) == chromium.Found("setting", named)
    connected = make_settings(browser_executable=named, browser_cdp_url="http://127.0.0.1:9222")
    assert chromium.find(connected) == chromium.Found("cdp", "http://127.0.0.1:9222")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what other processes do sets no event here
            await asyncio.sleep(0.02)


async def failure_of(asked: object) -> FederationError | None:
    try:
        await asked  # pyright: ignore[reportGeneralTypeIssues]
    except FederationError as error:
        return error
    return None


def program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def descendants(word: str) -> list[int]:
    """Return the processes below this one whose command line holds `word`; "--headless": Chromium's first one."""
    parents, commands = _processes()
    below = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    found = [pid for pid in below if word in commands.get(pid, "")]
    return [pid for pid in found if word != "--headless" or "--type=" not in commands[pid]]


def _processes() -> tuple[dict[int, int], dict[int, str]]:
    """Return the parent and the command line of every process; a dead one that nobody has waited for has none."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                commands[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
    return parents, commands


def kill(word: str) -> None:
    found = descendants(word)
    assert found
    for pid in found:
        os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def running_chromium(folder: Path) -> AsyncGenerator[str]:
    found = chromium.find(make_settings())
    assert found is not None
    process = await asyncio.create_subprocess_exec(
        found.path,
        "--headless",
        "--no-sandbox",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder / 'profile'}",
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(20):
            while b"DevTools listening on" not in (line := await process.stderr.readline()):
                assert line, "Chromium ended"
        yield line.decode().split(" on ")[1].strip()
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the program may be a script that started the real one
        await process.communicate()
