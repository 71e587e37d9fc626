"""Lets a browser's requests out only to addresses that outgoing calls may reach.

Chromium's own Fetch domain, on the browser itself, pauses every HTTP request of every page, frame and worker until it
is judged, each hop of a redirect too. (Playwright's `context.route` sees neither redirects nor shared workers.)
If the judge is gone, requests stay paused: nothing gets out unseen.

What this cannot see, and what stands in its place:
- Chromium resolves a name again after it was judged, so the name can lead elsewhere by then. The address that answered
  is judged as well (`check_answer`), and a page that got such an answer is closed before anything of it is told.
- WebSockets are not requests of the Fetch domain. Those of pages and frames are routed by Playwright
  (`route_web_socket`); one that a worker opens is not seen.
- A browser at BROWSER_CDP_URL has Chromium's own command line: start it with that of `browser`.
- WebRTC is kept to proxied connections, and QUIC and DNS prefetch are off, by Chromium's command line.
Source: https://chromedevtools.github.io/devtools-protocol/tot/Fetch/
"""

import ipaddress
import logging
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import TypeVar, cast

import httpx
from playwright.async_api import Browser, CDPSession, Error, Response, WebSocketRoute
from pydantic import BaseModel, Field

from shared.agent import JsonObject
from shared.egress import EgressPolicy
from shared.errors import AddressRefusedError, FederationError
from shared.http import check_url, parse_url
from shared.settings import FederationSettings

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

logger = logging.getLogger(__name__)

_LOCAL_SCHEMES = ("data:", "blob:", "about:")  # never leave the browser
_REMEMBER_S = 5.0
_MAX_REMEMBERED = 1_000


class _Request(BaseModel):
    url: str


class _Paused(BaseModel):
    """The event Fetch.requestPaused, as far as it is used."""

    request_id: str = Field(alias="requestId")
    request: _Request


async def send(cdp: CDPSession, method: str, params: JsonObject | None = None) -> None:
    """Send a command of the DevTools protocol whose answer says nothing. Raises: playwright's Error."""
    await cdp.send(method, cast("dict[str, object]", params))  # pyright: ignore[reportUnknownMemberType] - untyped there


class RequestFilter:
    """Judges where a browser's requests go. Verdicts are kept for some seconds per scheme, host and port."""

    def __init__(self, settings: FederationSettings) -> None:
        self._settings = settings
        self._policy = EgressPolicy.from_settings(settings)
        self._verdicts: OrderedDict[tuple[str, str, int | None], tuple[float, FederationError | None]] = OrderedDict()
        self._refused: OrderedDict[str, FederationError] = OrderedDict()

    async def attach(self, browser: Browser) -> None:
        """Judge every request of `browser` from now on. Raises: playwright's Error."""
        cdp = await browser.new_browser_cdp_session()

        async def judge(event: dict[str, object]) -> None:
            await self._judge(cdp, _Paused.model_validate(event))

        cdp.on("Fetch.requestPaused", judge)
        await send(cdp, "Fetch.enable", {"patterns": [{"urlPattern": "*"}]})

    async def check(self, url: str) -> None:
        """Check that `url` may be reached. Raises: AddressRefusedError, InvalidRequestError, UnavailableError."""
        parsed = parse_url(url)
        key = (parsed.scheme, parsed.host, parsed.port)
        now = time.monotonic()
        checked_at, verdict = self._verdicts.get(key, (-_REMEMBER_S, None))
        if now - checked_at >= _REMEMBER_S or parsed.userinfo:
            try:
                await check_url(self._settings, url)
                verdict = None
            except FederationError as error:
                verdict = error
            _remember(self._verdicts, key, (now, verdict))
        if verdict is not None:
            raise type(verdict)(verdict.detail)

    def refusal(self, url: str) -> FederationError | None:
        """Return why the request to `url` was stopped, if it was."""
        return self._refused.get(url)

    async def check_answer(self, response: Response) -> None:
        """Check the address that `response` came from. Raises: AddressRefusedError, playwright's Error."""
        address = await response.server_addr()
        if address is None or not address["ipAddress"]:  # from a cache or a data URL
            return
        url = httpx.URL(response.url)
        port = int(address["port"])
        self._policy.check_addresses(
            url.host, [ipaddress.ip_address(address["ipAddress"].strip("[]").partition("%")[0])], port
        )

    async def route_web_socket(self, socket: WebSocketRoute) -> None:
        """Connect a page's WebSocket where that may be reached, else close it."""
        try:
            await self.check(socket.url.replace("ws", "http", 1))
        except FederationError as error:
            logger.info("web socket refused", extra={"url": socket.url, "why": error.detail})
            await socket.close(code=1008, reason="refused")
        else:
            socket.connect_to_server()

    async def _judge(self, cdp: CDPSession, paused: _Paused) -> None:
        url = paused.request.url
        try:
            try:
                if not url.startswith(_LOCAL_SCHEMES):
                    await self.check(url)
            except FederationError as error:
                _remember(self._refused, url, error)
                logger.info("browser request refused", extra={"url": url, "why": error.detail})
                reason = "AccessDenied" if isinstance(error, AddressRefusedError) else "NameNotResolved"
                await send(cdp, "Fetch.failRequest", {"requestId": paused.request_id, "errorReason": reason})
            else:
                await send(cdp, "Fetch.continueRequest", {"requestId": paused.request_id})
        except Error as error:  # the page or the browser is gone, and the request with it
            logger.debug("request no longer waits", extra={"why": str(error)})


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    while len(memory) > _MAX_REMEMBERED:
        memory.popitem(last=False)
