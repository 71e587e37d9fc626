"""A small web site for tests: pages that are static, drawn by scripts, slow, endless, huge, broken or hostile.

    async with serve(pages.create()) as site:
        await client.get(f"{site}/")

`create(elsewhere=URL)` makes `/hostile` and the `/to-elsewhere` redirects point there. `site.state.hits` is the list of
paths asked for, in order; `site.state.websockets` those of WebSockets.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

HOME = """<!doctype html><html lang="en"><head><title>Harbour Town</title>
<meta name="description" content="A small town by the sea."></head><body>
<h1>Welcome to Harbour Town</h1><p>Ferries leave every hour.</p>
<h2>Timetable</h2>
<table><thead><tr><th>Ferry</th><th>Leaves</th><th>Price</th></tr></thead>
<tbody><tr><td>Gull</td><td>09:00</td><td>$12.50</td></tr><tr><td>Tern</td><td>10:30</td><td>$9.00</td></tr></tbody></table>
<h2>More</h2><ul><li>Lighthouse</li><li>Fish market</li></ul>
<a href="/about">About us</a> <a href="https://example.com/ferries">Ferries elsewhere</a>
<a href="/popup-target" target="_blank">New window</a>
<img src="/dot.svg" alt="A gull"><p hidden>Secret offer</p></body></html>"""

RENDERED = """<!doctype html><title>Loading</title><body><div id="app">Please wait</div><script>
fetch('/data.json').then((r) => r.json()).then((data) => setTimeout(() => {
  document.title = data.title;
  document.getElementById('app').innerHTML = '<h1>' + data.heading + '</h1><p>Drawn by a script.</p>';
  customElements.define('side-note', class extends HTMLElement { connectedCallback() {
    this.attachShadow({ mode: 'open' }).innerHTML = '<h2>In the shadow</h2><p>Note of the side.</p>'; } });
  document.body.append(document.createElement('side-note'));
}, 100));</script></body>"""

FORM = """<!doctype html><title>Greeter</title><body><h1>Who are you?</h1>
<form onsubmit="event.preventDefault(); document.querySelector('h1').textContent =
  'Hello ' + this.elements.who.value + ', ' + this.elements.colour.value;">
<label>Your name <input name="who"></label>
<label>Colour <select name="colour"><option>Red</option><option>Blue</option></select></label>
<button>Greet me</button></form>
<button onclick="setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<p>It came late.</p>'), 300)">
Save and Continue</button>
<button onclick="alert('stop'); document.title = 'After the dialog'">Ask</button>
<a href="/missing">A dead link</a></body>"""

OPENS_LATE = """<!doctype html><title>Opener</title><h1>Here</h1>
<button onclick="window.open('/late-window')">Open</button>
<form action="/late-window" target="_blank"><label>Word <input></label></form>"""

FRAMES = """<!doctype html><title>Framed</title><body><h1>Outside</h1>
<iframe srcdoc="<h2>Inside</h2><p>Text of the frame.</p>
<button onclick=&quot;this.textContent='Pressed'&quot;>Press me</button>"></iframe></body>"""

HOSTILE = """<!doctype html><title>Hostile</title><body><h1>Nothing to see</h1><script>
let left = 6;
const tried = () => { left -= 1; if (left === 0) document.body.append('Tried everything'); };
</script>
<img src="ELSEWHERE/image" onload="tried()" onerror="tried()">
<img src="/to-elsewhere" onload="tried()" onerror="tried()">
<iframe src="ELSEWHERE/frame"></iframe><iframe src="/to-elsewhere"></iframe>
<script>
fetch('ELSEWHERE/fetch', {mode: 'no-cors'}).then(tried, tried);
navigator.sendBeacon('ELSEWHERE/beacon', 'x');
new WebSocket('ELSEWHERE/echo'.replace('http', 'ws')).onmessage = (message) => document.body.append(message.data);
new EventSource('ELSEWHERE/events').onerror = function () { this.close(); tried(); };
new Worker('/worker.js').onmessage = tried;
new SharedWorker('/shared-worker.js').port.onmessage = tried;
try { navigator.serviceWorker.register('/worker.js').catch(() => 0); } catch (refused) {}
window.open('ELSEWHERE/window');
</script></body>"""

_WORKER = """const tries = Promise.allSettled([
fetch('ELSEWHERE/NAME', {mode: 'no-cors'}), fetch('/to-elsewhere', {mode: 'no-cors'})]);"""
WORKER = _WORKER.replace("NAME", "worker") + "tries.then(() => postMessage('tried'));"
SHARED_WORKER = (
    _WORKER.replace("NAME", "shared-worker")
    + "onconnect = (event) => tries.then(() => event.ports[0].postMessage('tried'));"
)

WEBRTC = """<h1>Talking</h1><script>
const peer = new RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:' + location.search.slice(1)}]});
peer.createDataChannel('x');
peer.onicegatheringstatechange = () => {
  if (peer.iceGatheringState === 'complete') {
    document.body.append(peer.localDescription.sdp.includes('a=candidate') ? 'Gathered' : 'Gathered nothing');
  }
};
peer.createOffer().then((offer) => peer.setLocalDescription(offer));
</script>"""

BUSY = "<title>Busy</title><h1>Busy</h1><script>while (true) {}</script>"
BUSY_LATER = "<title>Busy</title><h1>Busy</h1><script>setTimeout(() => { while (true) {} }, 50)</script>"
SWELLS = "<title>Swells</title><h1>Small so far</h1><script>fetch('/huge').then((answer) => answer.text())</script>"
TALL = "<title>Tall</title><div style='height: 30000px; background: linear-gradient(red, blue)'></div>"
TAMPERED = "<h1>Mine</h1><script>Array.prototype.filter = () => 1;</script>"
SOCKET = """<h1>Waiting</h1><script>new WebSocket('ws://' + location.host + '/echo').onmessage = (message) => {
  document.querySelector('h1').textContent = message.data; };</script>"""


def create(elsewhere: str = "http://127.0.0.1:1") -> Starlette:
    """Return the site as an ASGI app."""

    def page(html: str, status: int = 200) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_request: Request) -> Response:
            return HTMLResponse(html.replace("ELSEWHERE", elsewhere), status)

        return answer

    async def to_elsewhere(_request: Request) -> Response:
        return RedirectResponse(f"{elsewhere}/redirected")

    def script(code: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_request: Request) -> Response:
            return Response(code.replace("ELSEWHERE", elsewhere), media_type="text/javascript")

        return answer

    async def late_window(_request: Request) -> Response:
        await asyncio.sleep(1.5)
        return HTMLResponse("<!doctype html><title>Late</title><h1>A window that took its time</h1>")

    site = Starlette(
        routes=[
            Route("/", page(HOME)),
            Route("/about", page("<!doctype html><title>About</title><h1>About Harbour Town</h1>")),
            Route("/popup-target", page("<!doctype html><title>Window</title><h1>A window of its own</h1>")),
            Route("/opens-late", page(OPENS_LATE)),
            Route("/late-window", late_window),
            Route("/rendered", page(RENDERED)),
            Route("/form", page(FORM)),
            Route("/frames", page(FRAMES)),
            Route("/frame-of-elsewhere", page("<h1>Around</h1><iframe src='ELSEWHERE/huge'></iframe>")),
            Route("/hostile", page(HOSTILE)),
            Route("/worker.js", script(WORKER)),
            Route("/shared-worker.js", script(SHARED_WORKER)),
            Route("/broken", page("<h1>Out of order</h1>", 500)),
            Route("/busy", page(BUSY)),
            Route("/busy-later", page(BUSY_LATER)),
            Route("/tall", page(TALL)),
            Route("/empty", page("")),
            Route("/controls", page("<title>A\u202eB\x07C</title><h1>Plain\u200f text\x1b[31m</h1>")),
            Route("/tampered", page(TAMPERED)),
            Route("/websocket", page(SOCKET)),
            Route("/webrtc", page(WEBRTC)),
            Route("/moves-on", page("<h1>Here</h1><script>location = 'ELSEWHERE/moved'</script>")),
            Route("/leads-away", page("<h1>Here</h1><a href='ELSEWHERE/clicked'>Away</a>")),
            Route("/never-finishes", page("<title>Half</title><h1>The first half</h1><img src='/hang'>")),
            Route("/visits", _visits),
            Route("/data.json", _data),
            Route("/redirect", _redirect),
            Route("/circle", _circle),
            Route("/to-elsewhere", to_elsewhere),
            Route("/hang", _hang),
            Route("/drip", _drip),
            Route("/huge", _huge),
            Route("/swells", page(SWELLS)),
            Route("/download.zip", _download),
            Route("/dot.svg", _dot),
            Route("/plain.txt", _plain),
            WebSocketRoute("/echo", _echo),
        ],
        middleware=[Middleware(_Hits)],
    )
    site.state.hits = []
    site.state.websockets = []
    return site


class _Hits:
    """Notes every path that is asked for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            noted = scope["app"].state.hits if scope["type"] == "http" else scope["app"].state.websockets
            noted.append(scope["path"])
        await self._app(scope, receive, send)


async def _data(_request: Request) -> Response:
    await asyncio.sleep(0.3)
    return JSONResponse({"title": "Drawn", "heading": "Drawn heading"})


async def _visits(request: Request) -> Response:
    count = int(request.cookies.get("visits", "0")) + 1
    answer = HTMLResponse(f"<h1>Visit {count}</h1>")
    answer.set_cookie("visits", str(count))
    return answer


async def _redirect(_request: Request) -> Response:
    return RedirectResponse("/about")


async def _circle(_request: Request) -> Response:
    return RedirectResponse("/circle")


async def _hang(request: Request) -> Response:
    """Answer nothing until the caller is gone, and note that as a hit of "/hang left"."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    request.app.state.hits.append("/hang left")
    return Response()


async def _drip(_request: Request) -> Response:
    async def drops() -> AsyncGenerator[bytes]:
        yield b"<!doctype html><title>Drip</title><h1>Drip</h1>"
        while True:
            await asyncio.sleep(0.05)
            yield b"<p>drop</p>"

    return StreamingResponse(drops(), media_type="text/html")


async def _huge(_request: Request) -> Response:
    async def blocks() -> AsyncGenerator[bytes]:
        yield b"<!doctype html><title>Huge</title><h1>Huge</h1>"
        while True:
            yield b"<p>" + b"x" * 100_000 + b"</p>"
            await asyncio.sleep(0)

    return StreamingResponse(blocks(), media_type="text/html")


async def _download(_request: Request) -> Response:
    return Response(b"PK", media_type="application/zip", headers={"content-disposition": "attachment"})


async def _dot(_request: Request) -> Response:
    return Response("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", media_type="image/svg+xml")


async def _plain(_request: Request) -> Response:
    return PlainTextResponse("Only words.")


async def _echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("Said by a socket")
    await socket.receive()
