"""Finds the Chromium to use, and says what to install when there is none."""

import ipaddress
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from browser_service.settings import Settings

INSTALL = (
    "Install one with `playwright install --only-shell chromium`, or from your system's packages "
    "(on Debian and Ubuntu `apt-get install chromium-headless-shell` or `chromium`), "
    "or set BROWSER_EXECUTABLE to a Chromium or Chrome, or BROWSER_CDP_URL to one that is running."
)

_NAMES_ON_PATH = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
# Where Playwright unpacks its browsers, below its cache folder; a headless shell first: it starts faster.
_PLAYWRIGHT_PATTERNS = (
    "chromium_headless_shell-*/*/*headless*shell*",
    "chromium-*/chrome-*/chrome",
    "chromium-*/chrome-*/chrome.exe",
    "chromium-*/chrome-*/*.app/Contents/MacOS/*",
)


@dataclass(frozen=True, slots=True)
class Found:
    """A Chromium: `path` is its executable, or its DevTools address when `how` is "cdp"."""

    how: Literal["cdp", "setting", "playwright", "path"]
    path: str


def find(settings: Settings) -> Found | None:
    """Return the Chromium to use: BROWSER_CDP_URL, BROWSER_EXECUTABLE, Playwright's own, one on the PATH, or None.

    A BROWSER_EXECUTABLE that does not exist gives None: no other one is taken in its stead.
    """
    if settings.browser_cdp_url:
        return Found("cdp", settings.browser_cdp_url)
    if settings.browser_executable is not None:
        named = shutil.which(str(settings.browser_executable))
        return Found("setting", named) if named else None
    for path in _installed_by_playwright():
        return Found("playwright", str(path))
    for name in _NAMES_ON_PATH:
        if on_path := shutil.which(name):
            return Found("path", on_path)
    return None


def is_here(address: str) -> bool:
    """Tell whether a DevTools address is one of this machine: only such a browser can use a proxy of ours."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def describe_silence(address: str) -> str:
    """Return the sentences for when nobody answers at BROWSER_CDP_URL."""
    return f"BROWSER_CDP_URL is {address}, but no Chromium answers there. Start it, or correct the setting."


def problem(settings: Settings | None = None) -> str:
    """Return the sentences for when `find` finds none: what is missing, and how to get it."""
    if settings is not None and settings.browser_executable is not None:
        return (
            f"BROWSER_EXECUTABLE names {settings.browser_executable}, which is not a program that can be run. "
            f"Correct or unset it. {INSTALL}"
        )
    return f"No Chromium was found on this machine. {INSTALL}"


def _installed_by_playwright() -> Iterator[Path]:
    folder = _playwright_folder()
    for pattern in _PLAYWRIGHT_PATTERNS:
        found = [path for path in folder.glob(pattern) if path.is_file() and os.access(path, os.X_OK)]
        yield from sorted(found, key=lambda path: _revision(path.relative_to(folder)), reverse=True)


def _playwright_folder() -> Path:
    """Return where Playwright keeps its browsers. Source: https://playwright.dev/python/docs/browsers"""
    chosen = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    if chosen == "0":
        import playwright  # noqa: PLC0415  (only its place is asked for, and only in this case)

        return Path(playwright.__file__).parent / "driver" / "package" / ".local-browsers"
    if chosen:
        return Path(chosen)
    match sys.platform:
        case "darwin":
            return Path.home() / "Library" / "Caches" / "ms-playwright"
        case "win32":
            return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "ms-playwright"
        case _:
            return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ms-playwright"


def _revision(path: Path) -> int:
    number = path.parts[0].rpartition("-")[2]
    return int(number) if number.isdecimal() else 0
