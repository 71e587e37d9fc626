"""Starts Chromium by Playwright's driver, a process that outlives each Chromium; or says why it does not start."""

import asyncio
import logging
import os
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TypeVar

import playwright.async_api as playwright

from browser_service import chromium, egress_proxy
from browser_service.egress_proxy import EgressProxy, Rules
from browser_service.request_filter import RequestFilter
from shared.errors import UnavailableError

T = TypeVar("T")
logger = logging.getLogger(__name__)

LAUNCH_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0

_NODE_OPTIONS = "--max-semi-space-size=1"  # the driver idles most of the time: 15 MB less
# Beyond Playwright's own: no way out beside the proxy, and no page that takes all memory.
_ARGUMENTS = (
    *egress_proxy.FLAGS,
    "--js-flags=--max-old-space-size=512",
    "--mute-audio",
    "--enable-features=WebMCP",  # pages may offer tools; Playwright adds its own features to it
)
# Playwright lets pages open as many windows as they like; a browser does not.
_NOT_WANTED = ("--disable-popup-blocking", "--disable-ipc-flooding-protection")


@dataclass(frozen=True, slots=True)
class Running:
    """A Chromium. `gone` is done as soon as it is away: calls that are under way then may never end.

    `is_proxied`: its contexts go through doors of ours; one on another machine is filtered from within instead.
    """

    browser: playwright.Browser
    resources: AsyncExitStack
    is_proxied: bool
    gone: asyncio.Event

    async def bound(self, call: Coroutine[None, None, T], limit_s: float) -> T:
        """Await `call` while Chromium is there, at most `limit_s`. Raises: playwright's Error, TimeoutError."""
        task, going = asyncio.ensure_future(call), asyncio.ensure_future(self.gone.wait())
        try:
            await asyncio.wait({task, going}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
        finally:
            going.cancel()
            if not task.cancel() and not task.cancelled():
                task.exception()  # seen, so that asyncio does not report it as lost
        raise playwright.Error("Chromium has been closed") if self.gone.is_set() else TimeoutError


class Starter:
    """Starts Chromiums, one at a time; the driver is started with the first, and again when it has died."""

    def __init__(self, proxy: EgressProxy, request_filter: RequestFilter) -> None:
        self._proxy = proxy
        self._filter = request_filter
        self._driver: playwright.Playwright | None = None
        self._resources = AsyncExitStack()

    async def start(self, found: chromium.Found) -> Running:
        """Start it. Raises: UnavailableError, which says why it does not start."""
        try:
            async with asyncio.timeout(LAUNCH_TIMEOUT_S):
                if self._driver is not None:
                    with suppress(playwright.Error):
                        return await self._launch(self._driver, found)
                    await self.stop()  # it may be the driver that died
                os.environ.setdefault("NODE_OPTIONS", _NODE_OPTIONS)
                self._driver = await self._resources.enter_async_context(playwright.async_playwright())
                return await self._launch(self._driver, found)
        except (playwright.Error, TimeoutError, OSError) as error:
            raise UnavailableError(_explain(found, error)) from error

    async def stop(self) -> None:
        """Stop the driver."""
        self._driver = None
        with suppress(playwright.Error, TimeoutError, OSError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._resources.aclose()

    async def _launch(self, driver: playwright.Playwright, found: chromium.Found) -> Running:
        async with AsyncExitStack() as resources:
            if found.how == "cdp":
                browser = await driver.chromium.connect_over_cdp(found.path)
            else:
                nowhere = await resources.enter_async_context(self._proxy.open_door(Rules(allow=("nowhere.invalid",))))
                browser = await driver.chromium.launch(
                    executable_path=found.path,
                    args=[*_ARGUMENTS, f"--proxy-server={nowhere.address}"],  # what is no page's
                    ignore_default_args=list(_NOT_WANTED),
                    chromium_sandbox=not _is_root(),  # it does not work as root, and only then is it off
                )
            resources.push_async_callback(browser.close)
            gone = asyncio.Event()
            browser.on("disconnected", lambda _: gone.set())
            is_proxied = found.how != "cdp" or chromium.is_here(found.path)
            if not is_proxied:
                await self._filter.attach(browser)
            return Running(browser, resources.pop_all(), is_proxied, gone)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _explain(found: chromium.Found, error: BaseException) -> str:
    if found.how == "cdp":
        return chromium.describe_silence(found.path)
    if any(sign in str(error) for sign in ("No usable sandbox", "sandboxing failed")):
        return (
            f"{found.path} cannot build its sandbox. Allow unprivileged user namespaces on this machine, "
            "or run Chromium in a container of its own and set BROWSER_CDP_URL."
        )
    if isinstance(error, TimeoutError):
        return f"{found.path} did not start within {LAUNCH_TIMEOUT_S:g} s."
    return f"{found.path} does not start as a Chromium. {chromium.INSTALL}"
