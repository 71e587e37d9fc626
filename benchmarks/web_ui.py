"""How fast the web UI is, in real Chromium: sizes, first view, a stream of 5,000 events, growing Markdown, 10,000 rows.

The page's own server is real; what is measured is told to it over its WebSocket by this script, so that the agents and
the engine cost nothing. Prints one line for each question.
"""

import gzip
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

from playwright.sync_api import Browser, Page, WebSocketRoute, sync_playwright

from browser_service import chromium
from browser_service.settings import Settings
from orchestrator_service import web_ui
from shared.agent import JsonObject
from tests.support.federation import step
from tests.web.stage import Stage, objects, open_stage

_AT: Final = "2026-11-21T09:00:00+00:00"
_STEPS: Final = 200
_EVENTS: Final = 5_000
_SECONDS: Final = 10
_TICK_MS: Final = 20
_ROWS: Final = 10_000
_MARKDOWN_BYTES: Final = 60_000

_TRACED: Final = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
_FRAMES: Final = """() => {
    const frames = [];
    let last = performance.now();
    const next = (now) => { frames.push(now - last); last = now; if (window.measuring) requestAnimationFrame(next); };
    window.measuring = true;
    window.frames_ = frames;
    requestAnimationFrame(next);
}"""


def main() -> None:
    """Measure everything once."""
    _print_sizes()
    with TemporaryDirectory() as folder, open_stage(Path(folder)) as stage, sync_playwright() as playwright:
        found = chromium.find(Settings())
        assert found is not None, chromium.problem()
        browser = playwright.chromium.launch(
            executable_path=found.path, args=["--no-sandbox", "--enable-precise-memory-info", "--js-flags=--expose-gc"]
        )
        task = str(stage.ended(stage.submit("A task", *(step(f"s{n}", f"Say {n}") for n in range(5))))["id"])
        _print_first_view(browser, stage, task)
        _print_stream(browser, stage, task)
        _print_markdown(browser, stage, task)
        _print_rows(browser, stage)
        browser.close()


def _print_sizes() -> None:
    page = (web_ui.FOLDER / "index.html").read_text(encoding="utf-8")
    entry = sum(_gzipped(name) for name in set(re.findall(r'(?:src|href)="/(ui/[^"]+\.(?:js|css))"', page)))
    print(f"entry, gzip: {entry / 1000:.0f} kB (at most 200)")


def _count(received: list[int], event: dict[str, float]) -> None:
    received.append(int(event["encodedDataLength"]))


def _gzipped(name: str) -> int:
    return len(gzip.compress((web_ui.FOLDER / name).read_bytes(), 9))


def _print_first_view(browser: Browser, stage: Stage, task: str) -> None:
    times: list[float] = []
    wire = 0
    for _ in range(5):
        with browser.new_context(base_url=stage.url) as context:
            page = context.new_page()
            session = context.new_cdp_session(page)
            session.send("Network.enable", {})  # pyright: ignore[reportUnknownMemberType] - Playwright says no more
            received: list[int] = []
            session.on("Network.loadingFinished", partial(_count, received))
            page.goto(f"/tasks/{task}")
            page.get_by_label("Graph of the plan").get_by_text("completed").first.wait_for()
            times.append(float(page.evaluate("performance.now()")))
            page.wait_for_load_state("networkidle")
            wire = sum(received)
    print(f"task page, first view: median {median(times):.0f} ms, slowest {max(times):.0f} ms (at most 1500)")
    print(f"task page, on the wire: {wire / 1000:.0f} kB (at most 520)")


def _print_stream(browser: Browser, stage: Stage, task: str) -> None:
    plan = [
        {"id": f"s{n}", "step_number": n + 1, "skill": "echo", "agent": None, "instruction": f"Step {n}",
         "depends_on": [] if n < 10 else [f"s{n - 10}"]}
        for n in range(_STEPS)
    ]  # fmt: skip

    def events() -> Iterator[dict[str, object]]:
        yield {"type": "task.status", "status": "executing"}
        yield {"type": "plan.created", "plan": {"id": "p", "revision": 1, "strategy": "given", "steps": plan}}
        for n in range(_EVENTS):
            step_id, turn = f"s{n * _STEPS // _EVENTS}", n % (_EVENTS // _STEPS)
            if turn == 0:
                yield {"type": "step.status", "step_id": step_id, "status": "running", "agent_name": "Echo"}
            elif turn == _EVENTS // _STEPS - 1:
                yield {"type": "step.status", "step_id": step_id, "status": "completed"}
            elif turn % 4 == 0:
                yield {"type": "step.progress", "step_id": step_id, "text": f"At part {turn}"}
            else:
                yield {"type": "step.output", "step_id": step_id, "text": f"Word {n} ", "append": True}

    with browser.new_context(base_url=stage.url, viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        start = _tell(page, task, list(events()), _EVENTS * _TICK_MS // (_SECONDS * 1000))
        page.goto(f"/tasks/{task}")
        page.get_by_text("Planning").first.wait_for()
        page.evaluate(_FRAMES)
        browser.start_tracing(page=page, categories=_TRACED)
        start()
        page.get_by_text(f"{_STEPS} of {_STEPS} steps completed").wait_for(timeout=120_000)
        work_ms = _longest_work_ms(browser.stop_tracing())
        print(f"{_STEPS} steps, {_EVENTS:,} events in {_SECONDS} s: {_frames(page)} (no frame over 200 ms)")
        print(f"most that the page itself did between two frames: {work_ms:.0f} ms of the processor")
        during, once = _heap(page), _heap_elsewhere(page)
        page.go_back()
        page.get_by_text("Planning").first.wait_for()
        start()
        page.get_by_text(f"{_STEPS} of {_STEPS} steps completed").wait_for(timeout=120_000)
        twice = _heap_elsewhere(page)
        print(
            f"memory: {during:.1f} MB with the task, {once:.1f} MB after leaving it, {twice:.1f} MB after a second time"
        )


def _print_markdown(browser: Browser, stage: Stage, task: str) -> None:
    block = (
        "## Part\n\nSome *words* with `code` and a [link](https://example.org).\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n"
    )
    text = (block * (_MARKDOWN_BYTES // len(block) + 1))[:_MARKDOWN_BYTES]
    pieces = [text[at : at + 60] for at in range(0, len(text), 60)]
    events: list[dict[str, object]] = [
        {"type": "task.status", "status": "executing"},
        *({"type": "result.delta", "text": piece} for piece in pieces),
    ]
    with browser.new_context(base_url=stage.url) as context:
        page = context.new_page()
        start = _tell(page, task, events, 4)
        page.goto(f"/tasks/{task}")
        page.get_by_text("Planning").first.wait_for()
        page.evaluate("""() => {
            window.made = 0;
            new MutationObserver((changes) => {
                const added = changes.flatMap((change) => [...change.addedNodes]);
                window.made += added.filter((node) => node.tagName === 'H2').length;
            }).observe(document.body, {childList: true, subtree: true});
        }""")
        page.evaluate(_FRAMES)
        start()
        parts = text.count("## Part")
        page.locator(".markdown h2").nth(parts - 1).wait_for(timeout=120_000)
        made = page.evaluate("window.made")
        print(f"{_MARKDOWN_BYTES // 1000} kB of Markdown in {len(pieces)} pieces: {_frames(page)}")
        print(f"headings made: {made} for {parts} (a finished block is not rendered again)")


def _print_rows(browser: Browser, stage: Stage) -> None:
    first = objects(stage.get("/api/tasks?limit=1")["items"])[0]
    items: list[JsonObject] = [
        {**first, "id": f"{n:05d}", "description": f"Task {n}", "steps": []} for n in range(_ROWS)
    ]
    with browser.new_context(base_url=stage.url) as context:
        page = context.new_page()
        body = json.dumps({"items": items, "next_cursor": None})
        page.route("**/api/tasks?*", lambda route: route.fulfill(body=body, content_type="application/json"))
        page.goto("/tasks")
        page.get_by_text("Task 0", exact=True).wait_for()
        page.evaluate(_FRAMES)
        page.evaluate("""async () => {
            const box = document.querySelector('[aria-label="Tasks"][role="group"]');
            for (let n = 0; n < 180; n += 1) {
                box.scrollTop += 2400;
                await new Promise(requestAnimationFrame);
            }
        }""")
        drawn = page.evaluate("document.querySelectorAll('.task-row').length")
        print(f"list of {_ROWS:,} tasks, scrolled: {_frames(page)}; {drawn} rows drawn")


def _tell(page: Page, task: str, events: list[dict[str, object]], each: int) -> Callable[[], None]:
    """Let the page hear the events, `each` of them every tick, from when the returned function is called."""
    numbered = [{**event, "task_id": task, "seq": n, "at": _AT} for n, event in enumerate(events, start=1)]
    messages = [
        json.dumps({"type": "events", "task_id": task, "events": numbered[at : at + each]})
        for at in range(0, len(numbered), each)
    ]
    sockets: list[WebSocketRoute] = []

    def greet(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.on_message(lambda _: None)
        socket.send('{"type": "hello"}')

    def start() -> None:
        for message in messages:
            sockets[-1].send(message)
            page.wait_for_timeout(_TICK_MS)

    page.route_web_socket("**/api/events/ws", greet)
    return start


def _frames(page: Page) -> str:
    frames = sorted(cast("list[float]", page.evaluate("() => { window.measuring = false; return window.frames_; }")))
    return (
        f"{len(frames) * 1000 / sum(frames):.0f} frames per second, frame median {median(frames):.0f} ms, "
        f"p99 {frames[int(len(frames) * 0.99)]:.0f} ms, longest {frames[-1]:.0f} ms"
    )


def _longest_work_ms(trace: bytes) -> float:
    """Return the most processor time that the page's main thread took for one frame: what others do does not count."""
    events: list[dict[str, Any]] = json.loads(trace)["traceEvents"]
    frames = sorted((e for e in events if e["name"] == "FireAnimationFrame"), key=_at)
    main = (frames[0]["pid"], frames[0]["tid"])
    tasks = [e for e in events if e["name"] == "RunTask" and (e["pid"], e["tid"]) == main]
    longest = work = 0.0
    for event in sorted((*tasks, *frames), key=_at):
        if event["name"] == "RunTask":
            work += event.get("tdur", 0) / 1000
            longest = max(longest, work)
        else:  # the task that draws a frame is the last that counts for it
            work = 0.0
    return longest


def _at(event: dict[str, Any]) -> int:
    return int(event["ts"])


def _heap_elsewhere(page: Page) -> float:
    """Leave the page by the rail, and return the memory of what is left of it."""
    for name in ("Settings", "Workflows"):
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("heading", name=name, exact=True).wait_for()
    page.wait_for_timeout(1_000)
    found = _heap(page)
    page.go_back()
    return found


def _heap(page: Page) -> float:
    """Return the live memory of the page's scripts in MB."""
    memory: Any = page.evaluate("() => { window.gc?.(); return performance.memory.usedJSHeapSize; }")
    return float(memory) / 1e6


if __name__ == "__main__":
    sys.exit(main())
