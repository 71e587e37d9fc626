"""What can be done on a page, as typed actions, and doing one. Rules, models and callers all come to these."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from browser_service import checks, reading
from browser_service.browser_session import BrowserSession, Picture
from browser_service.checks import Check, CheckResult
from browser_service.page_content import Content

Text = Annotated[str, Field(min_length=1, max_length=2_000)]


class _Action(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Open(_Action):
    """Go to an address."""

    do: Literal["open"] = "open"
    url: Text


class Click(_Action):
    """Click a button, link or other thing by its visible name."""

    do: Literal["click"] = "click"
    name: Text


class Fill(_Action):
    """Write text into the field called `name`, or choose it there in a list."""

    do: Literal["fill"] = "fill"
    name: Text
    text: Annotated[str, Field(max_length=10_000)]


class Press(_Action):
    """Press a key, as Playwright names it."""

    do: Literal["press"] = "press"
    key: Literal[
        "Enter", "Tab", "Escape", "Space", "Backspace", "Delete", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight",
        "PageUp", "PageDown", "Home", "End",
    ]  # fmt: skip


class WaitFor(_Action):
    """Wait until a text is shown."""

    do: Literal["wait_for"] = "wait_for"
    text: Text


class Scroll(_Action):
    """Scroll a screen down, or to one end of the page."""

    do: Literal["scroll"] = "scroll"
    to: Literal["down", "bottom", "top"] = "down"


class Screenshot(_Action):
    """Take a picture of what is in view, or of the whole page."""

    do: Literal["screenshot"] = "screenshot"
    full_page: bool = False


class Get(_Action):
    """Read something off the page."""

    do: Literal["get"] = "get"
    what: reading.What


class Verify(_Action):
    """Check that something is so on the page."""

    do: Literal["verify"] = "verify"
    check: Check


Action: TypeAlias = Annotated[
    Open | Click | Fill | Press | WaitFor | Scroll | Screenshot | Get | Verify, Field(discriminator="do")
]


_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Reading:
    """A page as it was when something of it was asked for."""

    what: reading.What
    content: Content
    status: int | None


@dataclass(slots=True)
class Findings:
    """What the actions of one task have brought so far. `patience_s` is left for checks that may yet come true."""

    patience_s: float
    readings: list[Reading] = field(default_factory=list[Reading])
    checks: list[CheckResult] = field(default_factory=list[CheckResult])
    pictures: list[Picture] = field(default_factory=list[Picture])


async def perform(action: Action, session: BrowserSession, findings: Findings) -> None:
    """Do `action` on the session's page, and add what it brings to `findings`. Raises: FederationError."""
    match action:
        case Open(url=url):
            await session.open_url(url)
        case Click(name=name):
            await session.click(name)
        case Fill(name=name, text=text):
            await session.fill(name, text)
        case Press(key=key):
            await session.press(key)
        case WaitFor(text=text):
            await session.wait_for(text)
        case Scroll(to=to):
            await session.scroll(to=to)
        case Screenshot(full_page=full_page):
            findings.pictures.append(await session.take_screenshot(full_page=full_page))
        case Get(what=what):
            findings.readings.append(Reading(what, await session.read(), session.status))
        case Verify(check=check):
            findings.checks.append(await _verify(check, session, findings))


async def _verify(check: Check, session: BrowserSession, findings: Findings) -> CheckResult:
    """Judge `check`, again and again while there is patience: a page may show something a moment later."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        result = checks.judge(check, await session.read(), session.status)
        waited_s = loop.time() - began
        if result.passed or check.subject in {"loads", "status"} or waited_s >= findings.patience_s:
            findings.patience_s -= waited_s
            return result
        await asyncio.sleep(_POLL_S)


def describe(action: Action) -> str:
    """Return what is being done, for a person who waits."""
    match action:
        case Open(url=url):
            words = f"Opening {url}"
        case Click(name=name):
            words = f"Clicking {name!r}"
        case Fill(name=name):
            words = f"Filling {name!r}"
        case Press(key=key):
            words = f"Pressing {key}"
        case WaitFor(text=text):
            words = f"Waiting for {text!r}"
        case Scroll(to=to):
            words = f"Scrolling {'down' if to == 'down' else f'to the {to}'}"
        case Screenshot(full_page=full_page):
            words = f"Taking a screenshot of the {'whole page' if full_page else 'page'}"
        case Get(what=what):
            words = f"Reading the {reading.LABELS[what].lower()}"
        case Verify(check=check):
            words = f"Checking that {checks.describe(check)}"
    return words
