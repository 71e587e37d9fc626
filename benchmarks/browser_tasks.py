"""What does a browser task cost, beside plain Playwright doing the same with a context made ahead?

    .venv/bin/python -m benchmarks.browser_tasks [--quick] [--peers]

- An isolated task: a new context, a local page, its heading; ours as an agent's answer, and bare Playwright, in turn.
  The same on a page with a script, where ours waits until nothing is pending in it and Playwright does not.
- What a context costs that waits: memory of all processes with and without five of them.
- A Chromium that is killed: how long until another one opens a page, beside a bare start of Chromium by Playwright.
- An observation of a page with 5,000 elements: how long and how large.
- Tasks a second with 1, 4 and 8 at once.

With `--peers` others do the isolated task too, without a model (`browser_peers.py`).
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import playwright.async_api as playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from benchmarks import browser_peers
from browser_service import chromium, observation
from browser_service.agent import open_agent
from browser_service.browser import open_browser
from browser_service.session_events import Owner
from browser_service.settings import Settings
from shared.agent import AgentRequest
from tests.browser.soak import memory_mb
from tests.browser.test_browser import descendants
from tests.support.serving import serve

_PAGE = "<!doctype html><title>Local</title><h1>A heading</h1><p>Some text.</p>"
_SCRIPTED = f"{_PAGE}<script>document.querySelector('p').textContent = 'Written by a script.'</script>"


def _site() -> Starlette:
    async def page(_request: Request) -> HTMLResponse:
        return HTMLResponse(_PAGE)

    async def scripted(_request: Request) -> HTMLResponse:
        return HTMLResponse(_SCRIPTED)

    async def many(_request: Request) -> HTMLResponse:
        rows = "".join(f"<div><span>Row {n}</span><button>Use {n}</button></div>" for n in range(1_667))
        return HTMLResponse(f"<!doctype html><title>Many</title><h1>Many</h1>{rows}")

    return Starlette(routes=[Route("/", page), Route("/scripted", scripted), Route("/many", many)])


def _settings(folder: Path, pages: int = 4) -> Settings:
    return Settings.model_validate(
        {"federation_host": "127.0.0.1", "data_dir": folder, "browser_max_pages": pages, "browser_recording": "none"}
    )


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1000


async def _isolated(url: str, folder: Path, rounds: int) -> None:
    found = chromium.find(_settings(folder))
    if found is None:
        sys.exit(chromium.problem())
    async with (
        open_agent(_settings(folder)) as agent,
        playwright.async_playwright() as driver,
        await driver.chromium.launch(executable_path=found.path, chromium_sandbox=os.geteuid() != 0) as bare,
    ):
        ready = [await bare.new_context()]

        async def ours(path: str) -> None:
            request = AgentRequest(f"get the heading of {url}{path}", task_id="t", context_id="c", message_id="m")
            async for _ in agent.answer(request):
                pass

        async def plain(path: str) -> None:
            context = ready.pop()
            page = await context.new_page()
            await page.goto(f"{url}{path}")
            await page.text_content("h1")
            await context.close()

        for name, path in (("An isolated task", "/"), ("On a page with a script", "/scripted")):
            times: dict[str, list[float]] = {"ours": [], "plain Playwright": []}
            for _ in range(rounds + 1):
                times["ours"].append(await _timed(lambda path=path: ours(path)))
                times["plain Playwright"].append(await _timed(lambda path=path: plain(path)))
                ready.append(await bare.new_context())
            pairs = zip(times["ours"][1:], times["plain Playwright"][1:], strict=True)
            print(f"\n{name}")
            for who, each in times.items():
                print(f"  {who:<18}{statistics.median(each[1:]):8.1f} ms")
            print(f"  ours to plain     {statistics.median(a / b for a, b in pairs):8.2f} x   (n = {rounds})")


async def _idle(folder: Path) -> None:
    async with open_browser(_settings(folder, 10)) as browser, browser.open_session(Owner("b", "b")):
        await asyncio.sleep(1)
        before = memory_mb()
        contexts = [browser.open_session(Owner("b", str(number))) for number in range(5)]
        for each in contexts:
            await each.__aenter__()
        await asyncio.sleep(1)
        after = memory_mb()
        for each in contexts:
            await each.__aexit__(None, None, None)
    print(f"\nAn idle context\n  {(after - before) / 5:.1f} MB (PSS, with its blank page)")


async def _revived(folder: Path, rounds: int) -> None:
    found = chromium.find(_settings(folder))
    assert found is not None
    times: dict[str, list[float]] = {"ours": [], "plain Playwright": []}
    async with open_browser(_settings(folder)) as browser:
        for _ in range(rounds):
            async with browser.open_session(Owner("b", "b")):
                pids = descendants("--headless")
            began = time.perf_counter()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            while not set(descendants("--headless")) - set(pids):  # noqa: ASYNC110 - a process
                await asyncio.sleep(0.01)
            async with browser.open_session(Owner("b", "b")):
                pass
            times["ours"].append((time.perf_counter() - began) * 1000)
    for _ in range(rounds):
        began = time.perf_counter()
        async with playwright.async_playwright() as driver:
            bare = await driver.chromium.launch(executable_path=found.path, chromium_sandbox=os.geteuid() != 0)
            await bare.new_page()
            times["plain Playwright"].append((time.perf_counter() - began) * 1000)
            await bare.close()
    print("\nA killed Chromium is back")
    for name, each in times.items():
        print(f"  {name:<18}{statistics.median(each):8.1f} ms (at most {max(each):.1f}, n = {rounds})")


async def _observe(url: str, folder: Path, rounds: int) -> None:
    async with open_browser(_settings(folder)) as browser, browser.open_session(Owner("b", "b")) as session:
        await session.open_url(f"{url}/many")
        times: list[float] = []
        told = ""
        for _ in range(rounds):
            began = time.perf_counter()
            told = observation.observe(await session.elements.look("viewport"), "interactive")
            times.append((time.perf_counter() - began) * 1000)
    size = len(told.encode())
    print(f"\nAn observation of 5,000 elements\n  {statistics.median(times):.1f} ms, {size:,} bytes (n = {rounds})")


async def _throughput(url: str, folder: Path, tasks: int) -> None:
    print("\nTasks a second")
    for at_once in (1, 4, 8):
        async with open_agent(_settings(folder, at_once)) as agent:
            turns = asyncio.Semaphore(at_once)

            async def one(turns: asyncio.Semaphore = turns, answer: Callable[..., object] = agent.answer) -> None:
                async with turns:
                    request = AgentRequest(f"get the heading of {url}/", task_id="t", context_id="c", message_id="m")
                    async for _ in answer(request):  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
                        pass

            await one()
            took_ms = await _timed(lambda one=one: asyncio.gather(*(one() for _ in range(tasks))))
            print(f"  {at_once} at once {tasks / took_ms * 1000:8.2f}")


async def _peers(url: str, folder: Path, rounds: int) -> None:
    """Do the isolated task with ours and with each peer, in turn."""
    for name, why in browser_peers.prepare().items():
        print(f"\n{name} could not be installed and is left out: {why}")
    found = chromium.find(_settings(folder))
    assert found is not None
    async with open_agent(_settings(folder)) as agent:

        async def ours() -> None:
            request = AgentRequest(f"get the heading of {url}/", task_id="t", context_id="c", message_id="m")
            async for _ in agent.answer(request):
                pass

        print("\nThe isolated task, by others")
        for open_peer in (browser_peers.open_mcp, browser_peers.open_browser_use):
            try:
                async with open_peer(f"{url}/", found.path) as (name, task):
                    times = [(await _timed(ours), await _timed(task)) for _ in range(rounds + 1)][1:]
            except (OSError, RuntimeError, TimeoutError) as error:
                print(f"  left out: {error}")
                continue
            theirs = statistics.median(each for _, each in times)
            ratio = statistics.median(b / a for a, b in times)
            print(f"  {name:<24}{theirs:8.1f} ms, ours {ratio:.1f} x as fast (target: 3 x, n = {rounds})")


async def _run(*, quick: bool, peers: bool) -> None:
    rounds = 3 if quick else 30
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with serve(_site()) as url:
            await _isolated(url, folder, rounds)
            await _idle(folder)
            await _revived(folder, 3 if quick else 10)
            await _observe(url, folder, rounds)
            await _throughput(url, folder, 8 if quick else 80)
            if peers:
                await _peers(url, folder, 3 if quick else 10)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few rounds only, to see that it works")
    parser.add_argument(
        "--peers", action="store_true", help="install @playwright/mcp and browser-use; compare them too"
    )
    chosen = parser.parse_args()
    asyncio.run(_run(quick=chosen.quick, peers=chosen.peers))


if __name__ == "__main__":
    main()
