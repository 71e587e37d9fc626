"""Serves the built web UI: its files for ever, its page for every address that the UI knows, with a strict policy.

`/tasks` and `/tasks/ID` are addresses of A2A's HTTP+JSON binding, too: a browser says that it wants HTML.
"""

import asyncio
import re
from http import HTTPStatus
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

FOLDER: Final = Path(__file__).parent / "web_dist"
"""Where the build is; `make ui` makes it, and a release has it."""

_FILES: Final = "/ui/"
_PAGES: Final = re.compile(r"/(?:(?:inbox|tasks|chat|agents|workflows|browser|insights|settings)(?:/.*)?)?")
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_HASHED: Final = re.compile(r".*-[\w-]{8}\.\w+")

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self'; media-src 'self' blob:; connect-src 'self'; frame-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_SAFETY: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_NOT_BUILT: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Agent Federation</title><meta name="viewport" content="width=device-width">
<style>body { font: 16px/1.6 system-ui, sans-serif; max-width: 40rem; margin: 10vh auto; padding: 0 1rem }</style>
</head>
<body>
<h1>Agent Federation</h1>
<p>The API runs. The web UI is not built here: install Node.js 20 or newer, run <code>make ui</code> in the project's
folder, and load this page again. A release brings the UI along.</p>
<p><a href="/docs">What the API can do</a></p>
</body>
</html>
"""


def install(app: FastAPI, folder: Path = FOLDER) -> None:
    """Let `app` serve the UI that is built in `folder`; without one, `/` says how to get it.

    Whoever goes to an address where nothing is gets the UI, too, which says so; programs get what `app` answers.
    """
    ui = _WebUi(folder)
    nothing_there = app.router.default

    async def default(scope: Scope, receive: Receive, send: Send) -> None:
        if ui.is_for_people(scope):
            await ui.say_lost(scope, receive, send)
        else:
            await nothing_there(scope, receive, send)

    app.router.routes.insert(0, ui)
    app.router.default = default


class _WebUi(BaseRoute):
    def __init__(self, folder: Path) -> None:
        self._files = StaticFiles(directory=folder, check_dir=False)
        self._index = folder / "index.html"

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take the UI's files, and its pages if HTML is wanted."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return Match.NONE, {}
        path = str(scope["path"])
        is_page = _PAGES.fullmatch(path) is not None and _wants_html(scope)
        return (Match.FULL if is_page or path == "/" or path.startswith(_FILES) else Match.NONE), {}

    def is_for_people(self, scope: Scope) -> bool:
        """Tell whether somebody goes to an address by a browser, and the UI is there to answer."""
        is_asked = scope["type"] == "http" and scope["method"] == "GET" and _wants_html(scope)
        return is_asked and not str(scope["path"]).startswith("/api/") and self._index.is_file()

    async def say_lost(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the UI, which says that there is no such page."""
        page = await asyncio.to_thread(self._index.read_bytes)
        response = HTMLResponse(page, HTTPStatus.NOT_FOUND, {**_SAFETY, "Cache-Control": "no-store"})
        await response(scope, receive, send)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises: HTTPException (there is no such file)."""
        path = str(scope["path"])
        if path.startswith(_FILES):
            response = await self._file(path[1:], scope)
        elif self._index.is_file():
            response = await self._file("index.html", scope)
            response.headers["Vary"] = "Accept, Accept-Encoding"
        else:
            response = HTMLResponse(_NOT_BUILT, headers={"Cache-Control": "no-store", "Vary": "Accept"})
        await response(scope, receive, send)

    async def _file(self, path: str, scope: Scope) -> Response:
        """Return a file, in the smallest form that is there and that the client takes."""
        plain = await self._files.get_response(path, scope)
        response = plain
        accepted = Request(scope).headers.get("accept-encoding", "")
        for name, suffix in _ENCODINGS if plain.status_code == HTTPStatus.OK else ():
            if name in accepted and (Path(str(self._files.directory)) / (path + suffix)).is_file():
                response = await self._files.get_response(path + suffix, scope)
                response.headers["Content-Encoding"] = name
                response.headers["Content-Type"] = plain.headers.get("content-type", "application/octet-stream")
                break
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = _FOR_EVER if _HASHED.fullmatch(path) else "no-cache"
        response.headers.update(_SAFETY)
        return response


def _wants_html(scope: Scope) -> bool:
    return "text/html" in Headers(scope=scope).get("accept", "")
