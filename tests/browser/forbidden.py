"""A place that pages must not reach, which notes whoever comes, and a page that tries every way to get there."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.support.serving import serve


@dataclass
class Listener:
    """Listens for TCP on 127.0.0.1 and ::1, and for UDP. `came`: the first line of each caller, or "connected"."""

    port: int
    came: list[str] = field(default_factory=list[str])

    @property
    def ways(self) -> set[str]:
        """The ways that got here, by the paths that they asked for."""
        return {line.split("/")[1].split()[0].split("?")[0] for line in self.came if line.count("/") > 1}


@asynccontextmanager
async def listening() -> AsyncGenerator[Listener]:
    """Listen on a free port."""
    async with AsyncExitStack() as stack:
        listener = Listener(0)

        async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            place = len(listener.came)
            listener.came.append("connected")
            with suppress(OSError, ValueError, TimeoutError):
                async with asyncio.timeout(2):
                    listener.came[place] = (await reader.readline()).decode("latin-1").strip() or "connected"
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    await writer.drain()
            writer.close()

        class Datagrams(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
                listener.came.append("a datagram")

        server = await asyncio.start_server(note, "127.0.0.1", 0)
        stack.callback(server.close)
        listener.port = server.sockets[0].getsockname()[1]
        if socket.has_ipv6:
            with suppress(OSError):
                six = await asyncio.start_server(note, "::1", listener.port)
                stack.callback(six.close)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Datagrams, ("127.0.0.1", listener.port))
        stack.callback(transport.close)
        yield listener


# Each way has a name, which is the path that it asks for; TO is the forbidden origin, PORT its port.
MARKUP: dict[str, str] = {
    "img": '<img src="TO/img">',
    "srcset": '<img srcset="TO/srcset 1x">',
    "picture": '<picture><source srcset="TO/picture"><img></picture>',
    "input-image": '<input type="image" src="TO/input-image">',
    "background": '<table background="TO/background"><tr><td>x</td></tr></table>',
    "script": '<script src="TO/script"></script>',
    "module": '<script type="module" src="TO/module"></script>',
    "stylesheet": '<link rel="stylesheet" href="TO/stylesheet">',
    "css-url": '<div style="background: url(TO/css-url); height: 9px">x</div>',
    "css-import": '<style>@import "TO/css-import";</style>',
    "font": '<style>@font-face { font-family: f; src: url(TO/font); } p { font-family: f }</style><p>letters</p>',
    "cursor": '<style>body { cursor: url(TO/cursor), auto; }</style>',
    "iframe": '<iframe src="TO/iframe"></iframe>',
    "srcdoc": '<iframe srcdoc="<img src=TO/srcdoc>"></iframe>',
    "sandboxed": '<iframe sandbox="allow-scripts" srcdoc="<script>fetch(\'TO/sandboxed\')</script>"></iframe>',
    "object": '<object data="TO/object"></object>',
    "embed": '<embed src="TO/embed">',
    "video": '<video src="TO/video" preload="auto" autoplay muted></video>',
    "poster": '<video poster="TO/poster"></video>',
    "audio": '<audio src="TO/audio" preload="auto"></audio>',
    "track": '<video src="/silence"><track default kind="subtitles" src="TO/track"></video>',
    "svg-image": '<svg><image href="TO/svg-image" width="9" height="9"/></svg>',
    "svg-use": '<svg><use href="TO/svg-use#a"/></svg>',
    "prefetch": '<link rel="prefetch" href="TO/prefetch">',
    "preload": '<link rel="preload" as="image" href="TO/preload">',
    "modulepreload": '<link rel="modulepreload" href="TO/modulepreload">',
    "preconnect": '<link rel="preconnect" href="TO"><link rel="dns-prefetch" href="//localhost:PORT">',
    "manifest": '<link rel="manifest" href="TO/manifest">',
    "icon": '<link rel="icon" href="TO/icon">',
    "refresh": '<iframe srcdoc="<meta http-equiv=refresh content=\'0; url=TO/refresh\'>"></iframe>',
    "form-get": '<iframe name="g"></iframe><form id="form-get" target="g" action="TO/form-get"></form>',
    "form-post": '<iframe name="p"></iframe><form id="form-post" method="post" target="p" action="TO/form-post"></form>',  # noqa: E501
    "ping": '<a id="ping" href="#here" ping="TO/ping">ping</a>',
    "redirected-img": '<img src="/to?redirected-img">',
    "redirected-frame": '<iframe src="/to?redirected-frame"></iframe>',
    "speculation": '<script type="speculationrules">{"prerender": [{"urls": ["TO/speculation"], "eagerness": "immediate"}]}</script>',  # noqa: E501
    "userinfo": '<iframe src="http://user:word@127.0.0.1:PORT/userinfo"></iframe>',
    "decimal": '<img src="http://2130706433:PORT/decimal">',
    "hexadecimal": '<img src="http://0x7f000001:PORT/hexadecimal">',
    "octal": '<img src="http://0177.0.0.1:PORT/octal">',
    "short": '<img src="http://127.1:PORT/short">',
    "zero": '<img src="http://0.0.0.0:PORT/zero">',
    "localhost": '<img src="http://localhost:PORT/localhost">',
    "below-localhost": '<img src="http://a.localhost:PORT/below-localhost">',
    "six": '<img src="http://[::1]:PORT/six">',
    "mapped": '<img src="http://[::ffff:127.0.0.1]:PORT/mapped">',
    "https": '<img src="https://127.0.0.1:PORT/https">',
    "view-source": '<iframe src="view-source:TO/view-source"></iframe>',
    "file": '<iframe src="file:///etc/passwd"></iframe>',
    "chrome": '<iframe src="chrome://version"></iframe>',
}  # fmt: skip
SCRIPTS: dict[str, str] = {
    "fetch": "fetch('TO/fetch', {mode: 'no-cors'})",
    "fetch-post": "fetch('TO/fetch-post', {method: 'POST', mode: 'no-cors', body: 'x'})",
    "keepalive": "fetch('TO/keepalive', {mode: 'no-cors', keepalive: true})",
    "redirected-fetch": "fetch('/to?redirected-fetch', {mode: 'no-cors'})",
    "xhr": "(() => { const x = new XMLHttpRequest(); x.open('GET', 'TO/xhr'); x.send(); })()",
    "beacon": "navigator.sendBeacon('TO/beacon', 'x')",
    "event-source": "new EventSource('TO/event-source')",
    "web-socket": "new WebSocket('ws://127.0.0.1:PORT/web-socket')",
    "web-socket-name": "new WebSocket('ws://localhost:PORT/web-socket-name')",
    "web-transport": "new WebTransport('https://127.0.0.1:PORT/web-transport')",
    "import": "import('TO/import')",
    "image": "new Image().src = 'TO/image'",
    "worker": "new Worker('/worker.js?worker')",
    "blob-worker": "new Worker(URL.createObjectURL(new Blob([\"fetch('TO/blob-worker', {mode: 'no-cors'})\"])))",
    "shared-worker": "new SharedWorker('/worker.js?shared-worker')",
    "service-worker": "navigator.serviceWorker.register('/service.js?service-worker')",
    "import-scripts": "new Worker(URL.createObjectURL(new Blob([\"importScripts('TO/import-scripts')\"])))",
    "worker-socket": "new Worker(URL.createObjectURL(new Blob([\"new WebSocket('ws://127.0.0.1:PORT/worker-socket')\"])))",
    "window": "window.open('TO/window')",
    "window-file": "window.open('file:///etc/passwd')",
    "frame-location": "frames[0] && (frames[0].location = 'TO/frame-location')",
    "form-get": "document.getElementById('form-get').submit()",
    "form-post": "document.getElementById('form-post').submit()",
    "ping": "document.getElementById('ping').click()",
    "stun": """(() => { const p = new RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:PORT'}]});
      p.createDataChannel('x'); p.createOffer().then((o) => p.setLocalDescription(o)); })()""",
    "turn-tcp": """(() => { const p = new RTCPeerConnection({iceTransportPolicy: 'relay', iceServers: [
      {urls: 'turn:127.0.0.1:PORT?transport=tcp', username: 'u', credential: 'c'}]});
      p.createDataChannel('x'); p.createOffer().then((o) => p.setLocalDescription(o)); })()""",
    "payment": "new PaymentRequest([{supportedMethods: 'https://localhost:PORT/pay'}], {total: {label: 'x', amount: "
    "{currency: 'EUR', value: '1'}}}).canMakePayment()",
    "font-face": "new FontFace('g', 'url(TO/font-face)').load()",
    "audio-worklet": "new AudioContext().audioWorklet.addModule('TO/audio-worklet')",
    "css-registered": "document.body.style.setProperty('list-style-image', 'url(TO/css-registered)')",
}  # fmt: skip

WAYS = frozenset({*MARKUP, *SCRIPTS})


@asynccontextmanager
async def serve_trying(port: int) -> AsyncGenerator[str]:
    """Serve a page that tries every way to get to 127.0.0.1:`port`, and says so when it has."""
    target = f"http://127.0.0.1:{port}"

    def fill(code: str) -> str:
        return code.replace("TO", target).replace("PORT", str(port))

    tries = "".join(
        f"try {{ Promise.resolve({fill(code)}).catch(() => 0); }} catch {{}}\n" for code in SCRIPTS.values()
    )
    page = f"""<!doctype html><title>Trying</title><h1>Trying</h1>{"".join(map(fill, MARKUP.values()))}
<script>addEventListener('load', () => {{ {tries}
setTimeout(() => document.body.append('Tried everything'), 1500); }});</script>"""
    headers = {
        "Content-Security-Policy-Report-Only": f"default-src 'none'; report-uri {target}/csp",
        "Reporting-Endpoints": f'default="{target}/reports"',
    }

    async def home(_request: Request) -> Response:
        return HTMLResponse(page, headers=headers)

    async def to(request: Request) -> Response:
        return RedirectResponse(f"{target}/{request.url.query}")

    async def worker(request: Request) -> Response:
        name = request.url.query
        code = f"fetch('{target}/{name}', {{mode: 'no-cors'}}); fetch('/to?{name}', {{mode: 'no-cors'}});"
        return Response(code, media_type="text/javascript")

    async def moving(_request: Request) -> Response:
        return HTMLResponse(f"<h1>Moving</h1><script>location = '{target}/moved'</script>")

    async def top(_request: Request) -> Response:
        return RedirectResponse(f"{target}/top")

    app = Starlette(
        routes=[
            Route("/", home),
            Route("/to", to),
            Route("/worker.js", worker),
            Route("/service.js", worker),
            Route("/moving", moving),
            Route("/top", top),
        ]
    )
    async with serve(app) as url:
        yield url
