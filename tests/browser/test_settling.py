"""A page is read when it has drawn itself, however it does that: what is still to come is waited for."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from shared.agent import OpenAgent
from tests.browser.conftest import ask
from tests.support.serving import serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

_PAGE = "<!doctype html><title>T</title><body><h1>Early</h1>{}</body>"
_DRAW = "const draw = () => { document.querySelector('h1').textContent = 'Whole'; };"
_LATE = "postMessage(1); setTimeout(() => postMessage(2), 100)"

# How pages put off what they draw, as people write it.
WAYS = {
    "at once": "draw()",
    "a timer": "setTimeout(draw, 150)",
    "a timer that is due when it has loaded": "setTimeout(draw, 500); document.write('<img src=/slow>')",
    "a timer that is due soon after it has loaded": "setTimeout(draw, 620); document.write('<img src=/slow>')",
    "a chain of timers": "let n = 0; const next = () => ++n < 6 ? setTimeout(next, 35) : draw(); next()",
    "timers with text": "window.draw = draw; setTimeout('draw()', '150')",
    "an interval": "const t = setInterval(() => { clearInterval(t); draw(); }, 100)",
    "frames": "let n = 0; const next = () => ++n < 8 ? requestAnimationFrame(next) : draw(); next()",
    "an idle moment": "requestIdleCallback(() => setTimeout(draw, 60))",
    "after load": "addEventListener('load', () => setTimeout(draw, 120))",
    "a fetch": "fetch('/data').then((a) => a.json()).then(draw)",
    "fetches and timers": "fetch('/data').then((a) => a.json()).then(() => setTimeout(() => "
    "fetch('/data').then((a) => a.json()).then(() => setTimeout(draw, 80)), 90))",
    "a fetch after load": "addEventListener('load', () => setTimeout(() => fetch('/data').then(draw), 30))",
    "XMLHttpRequest": "const x = new XMLHttpRequest(); x.open('GET', '/data'); x.onload = draw; x.send()",
    "an answer in pieces": "fetch('/pieces').then((a) => a.text()).then(draw)",
    "a script": "window.draw = draw; const s = document.createElement('script'); s.src = '/late.js'; "
    "document.head.append(s)",
    "a module": "window.draw = draw; import('/late.js')",
    "a picture": "Object.assign(new Image(), {onload: draw, src: '/slow'})",
    "messages to itself": "let n = 0; onmessage = () => ++n < 50 ? postMessage(n, '*') : draw(); postMessage(0, '*')",
    "a worker": f"new Worker(URL.createObjectURL(new Blob([`{_LATE}`]))).onmessage = (m) => m.data === 2 && draw()",
    "a socket": "new WebSocket('ws://' + location.host + '/socket').onmessage = draw",
    "an event source": "new EventSource('/events').onmessage = draw",
    "a database": "indexedDB.open('d').onsuccess = () => setTimeout(draw, 20)",
    "a hash": "crypto.subtle.digest('SHA-256', new Uint8Array(40000000)).then(draw)",
    "an observer": "new IntersectionObserver(() => setTimeout(draw, 90)).observe(document.querySelector('h1'))",
    "an animation": "document.querySelector('h1').animate([{opacity: 0}, {opacity: 1}], 120).onfinish = draw",
    "a frame": "const f = document.createElement('iframe'); document.body.append(f); "
    "f.contentWindow.setTimeout(draw, 150)",
    "timers of its own": "const real = window.setTimeout; window.setTimeout = (f, ms) => real.call(window, f, ms * 2); "
    "setTimeout(draw, 90)",
    "no timers any more": "window.setTimeout = window.requestAnimationFrame = () => 0; draw()",
    "a script that takes itself out": "document.currentScript.remove(); setTimeout(draw, 150)",
    "another address of the same document": "history.replaceState({}, '', '/ways/here'); setTimeout(draw, 90)",
    "another document": "setTimeout(() => { location = '/moved' }, 60)",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ways() -> AsyncGenerator[str]:
    async def page(request: Request) -> Response:
        script = WAYS[request.path_params["way"]]
        return HTMLResponse(_PAGE.format(f"<script>{{ {_DRAW} {script} }}</script>"))

    async def slow(_request: Request) -> Response:
        await asyncio.sleep(0.4)
        return Response("<svg xmlns='http://www.w3.org/2000/svg'/>", media_type="image/svg+xml")

    async def data(_request: Request) -> Response:
        await asyncio.sleep(0.1)
        return JSONResponse({})

    async def late(_request: Request) -> Response:
        await asyncio.sleep(0.1)
        return Response("setTimeout(draw, 90)", media_type="text/javascript")

    async def pieces(_request: Request) -> Response:
        async def send() -> AsyncGenerator[str]:
            for piece in range(4):
                await asyncio.sleep(0.15)
                yield str(piece)

        return StreamingResponse(send())

    async def events(_request: Request) -> Response:
        async def send() -> AsyncGenerator[str]:
            await asyncio.sleep(0.1)
            yield "data: now\n\n"

        return StreamingResponse(send(), media_type="text/event-stream")

    async def moved(_request: Request) -> Response:
        return HTMLResponse(_PAGE.format(f"<script>{_DRAW} setTimeout(draw, 100)</script>"))

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await asyncio.sleep(0.1)
        await websocket.send_text("now")
        await websocket.receive()

    routes = [
        Route("/ways/{way}", page),
        Route("/slow", slow),
        Route("/data", data),
        Route("/late.js", late),
        Route("/pieces", pieces),
        Route("/events", events),
        Route("/moved", moved),
        WebSocketRoute("/socket", socket),
    ]
    async with serve(Starlette(routes=routes)) as url:
        yield url


async def test_a_page_is_read_whole_however_it_draws_itself(agent: OpenAgent, ways: str) -> None:
    turns = asyncio.Semaphore(3)

    async def read(way: str) -> str:
        async with turns:
            return (await ask(agent, f"get the heading of {ways}/ways/{way.replace(' ', '%20')}")).text

    texts = await asyncio.gather(*(read(way) for way in WAYS))
    assert [way for way, text in zip(WAYS, texts, strict=True) if "Whole" not in text] == []
