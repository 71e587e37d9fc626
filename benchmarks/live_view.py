"""What do live viewers cost the task that they watch?

    .venv/bin/python benchmarks/live_view.py [--rounds 15] [--viewers 3]

The task is a page test of seven steps on a page that moves all the time, at the browser service as a process of its
own. It is run without viewers and with viewers in turn; each viewer acknowledges every frame at once. Compared is
what the service itself says that the test took. Viewers run in this process, on the same machine.

Target: three viewers cost the task ≤ 10 %.
"""

import argparse
import asyncio
import json
import statistics
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

import httpx
import uvicorn
from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks.harness import machine
from benchmarks.harness.processes import folder, free_port, serving
from benchmarks.harness.tables import show, verdict

_MOST: Final = 1.10
_GOAL: Final = ", ".join(f"click 'Next' and verify the heading says Page {number}" for number in (1, 2, 3))
_PAGE: Final = """<!doctype html><title>Pages</title><h1>Page 0</h1><button>Next</button>
<style>div { height: 400px; background: linear-gradient(45deg, red, blue); animation: turn 3s linear infinite; }
@keyframes turn { to { transform: rotate(1turn); } }</style><div></div><script>
let page = 0;
document.querySelector('button').onclick = () => {
  document.querySelector('h1').textContent = 'Page ' + (++page); };
</script>"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--viewers", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round: to see that it works")
    chosen = parser.parse_args()
    print(machine.describe())
    with folder() as data:
        asyncio.run(_measure(data, 1 if chosen.quick else chosen.rounds, chosen.viewers))


async def _measure(data: Path, rounds: int, viewers: int) -> None:
    port, site_port = free_port(), free_port()
    settings = {"DATA_DIR": data, "BROWSER_PORT": port, "FEDERATION_REGISTER": "false"}
    site = uvicorn.Server(uvicorn.Config(Starlette(routes=[Route("/", _page)]), port=site_port, log_config=None))
    serving_site = asyncio.create_task(site.serve())
    alone: list[float] = []
    watched: list[float] = []
    frames: list[int] = []
    try:
        async with (
            serving("browser_service.main", [], settings, port, data) as service,
            httpx.AsyncClient(base_url=service.url, timeout=120) as http,
        ):
            url = f"http://127.0.0.1:{site_port}/"
            await _run(http, url)  # the first one starts Chromium
            for _ in range(rounds):
                alone.append(await _run(http, url))
                seen = [0] * viewers
                watching = [asyncio.create_task(_watch(http, service.url, seen, place)) for place in range(viewers)]
                watched.append(await _run(http, url))
                for viewer in watching:
                    viewer.cancel()
                await asyncio.gather(*watching, return_exceptions=True)
                frames.append(min(seen))
    finally:
        site.should_exit = True
        await serving_site
    ratio = statistics.median(b / a for a, b in zip(alone, watched, strict=True))
    show(
        f"A page test of seven steps, n = {rounds}",
        ("", "median", "frames per viewer"),
        [
            ("nobody watches", f"{statistics.median(alone):.0f} ms", "-"),
            (f"{viewers} viewers", f"{statistics.median(watched):.0f} ms", f"≥ {statistics.median(frames):.0f}"),
        ],
    )
    print(f"\nto nobody: {ratio:.2f} × (target ≤ {_MOST:.2f} ×: {verdict(ratio, _MOST)})")


async def _page(_request: Request) -> Response:
    return HTMLResponse(_PAGE)


async def _run(http: httpx.AsyncClient, url: str) -> float:
    """Run the test, and return how long it took, in milliseconds."""
    run: dict[str, JsonValue] = (await http.post("/v1/automation/run", json={"url": url, "goal": _GOAL})).json()
    result = cast("dict[str, dict[str, JsonValue]]", run["result"])["result"]
    assert result["passed"] is True, result["details"]
    return float(cast("int", result["duration_ms"]))


async def _watch(http: httpx.AsyncClient, url: str, seen: list[int], place: int) -> None:
    """Watch the next session that is open, to its end."""
    while True:
        items = (await http.get("/v1/sessions")).json()["items"]
        if going_on := [item["id"] for item in items if item["status"] == "open"]:
            break
        await asyncio.sleep(0.05)
    with suppress(WebSocketException):
        async with connect(f"{url.replace('http', 'ws')}/v1/sessions/{going_on[0]}/live") as viewer:
            async for message in viewer:
                if isinstance(message, bytes):
                    seen[place] += 1
                    await viewer.send(json.dumps({"type": "ack"}))


if __name__ == "__main__":
    main()
