"""What can be done on a page: one closed union of typed actions. Plain words, models and callers all come to these."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from browser_service import checks, reading
from browser_service.checks import Check
from browser_service.targets import Target, Words

MAX_ACTIONS = 50
"""Most actions of one request."""


_NAMES: dict[str, str] = {**reading.LABELS}


class _Action(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Navigate(_Action):
    """Go to an address."""

    do: Literal["navigate"] = "navigate"
    url: Words


class Back(_Action):
    """Go back to the page before."""

    do: Literal["back"] = "back"


class Click(_Action):
    """Click something. `seek`: open tabs, sections, menus and following pages until it is there."""

    do: Literal["click"] = "click"
    target: Target
    seek: bool = False


class DoubleClick(_Action):
    """Click something twice, fast."""

    do: Literal["double_click"] = "double_click"
    target: Target


class Hover(_Action):
    """Move the mouse over something."""

    do: Literal["hover"] = "hover"
    target: Target


class Fill(_Action):
    """Put a value into a field of any kind: text, choice, date, number, slider. Without a target: the one that fits.

    `copy_of`: the text or value of another thing instead of `value`. `credential`: the name of a secret that the
    service fills in itself. Nothing of what is filled in is told to watchers.
    """

    do: Literal["fill"] = "fill"
    target: Target | None = None
    value: Annotated[str, Field(max_length=10_000)] = ""
    copy_of: Target | None = None
    credential: Words | None = None


class Clear(_Action):
    """Empty a field."""

    do: Literal["clear"] = "clear"
    target: Target


class Press(_Action):
    """Press a key or keys at once, as Playwright names them ("Enter", "Control+A"); at `target`, or at the focus."""

    do: Literal["press"] = "press"
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+(\+[A-Za-z0-9]+){0,3}$", max_length=40)]
    target: Target | None = None


class Select(_Action):
    """Choose by their names: in a list, among radio buttons, boxes, menu or list items; anywhere without a target."""

    do: Literal["select"] = "select"
    options: Annotated[list[Words], Field(max_length=100)]
    target: Target | None = None


class Tick(_Action):
    """Tick a box or choose a radio button; nothing happens if it is already."""

    do: Literal["check"] = "check"
    target: Target


class Uncheck(_Action):
    """Take the tick out of a box."""

    do: Literal["uncheck"] = "uncheck"
    target: Target


class Upload(_Action):
    """Give files to a file field: names of files that came with the request, or that the session downloaded."""

    do: Literal["upload"] = "upload"
    files: Annotated[list[Words], Field(min_length=1, max_length=20)]
    target: Target | None = None


class Download(_Action):
    """Click something and keep the file that comes."""

    do: Literal["download"] = "download"
    target: Target


class Drag(_Action):
    """Drag something onto another thing, or by so many pixels."""

    do: Literal["drag"] = "drag"
    target: Target
    to: Target | None = None
    side: Literal["onto", "before", "after"] = "onto"
    by_x_px: Annotated[int, Field(ge=-5_000, le=5_000)] = 0
    by_y_px: Annotated[int, Field(ge=-5_000, le=5_000)] = 0


class Scroll(_Action):
    """Scroll the page, or what is named: a screen down or up, to an end; or until what is named is in view."""

    do: Literal["scroll"] = "scroll"
    to: Literal["down", "up", "bottom", "top", "into_view"] = "down"
    target: Target | None = None


class WaitFor(_Action):
    """Wait until a text or a thing is shown (or gone), the address has a text in it, or some seconds are over."""

    do: Literal["wait_for"] = "wait_for"
    text: Words | None = None
    target: Target | None = None
    url: Words | None = None
    gone: bool = False
    seconds: Annotated[float, Field(ge=0, le=60)] = 0


class SwitchTab(_Action):
    """Go on in another window of the session: by number (1 the first, -1 the newest), or part of title or address."""

    do: Literal["switch_tab"] = "switch_tab"
    number: Annotated[int, Field(ge=-50, le=50)] | None = None
    titled: Words | None = None


class Dialog(_Action):
    """Accept or dismiss the next dialog (alert, confirm, prompt): stands before or right after what opens it."""

    do: Literal["dialog"] = "dialog"
    accept: bool = True
    text: Annotated[str, Field(max_length=2_000)] = ""


class SelectText(_Action):
    """Mark the text of something, or one piece of it, as with the mouse."""

    do: Literal["select_text"] = "select_text"
    target: Target
    piece: Words | None = None


class Extract(_Action):
    """Read something off the page, or off one part of it (`target`).

    `what` "attribute" needs `attribute`; "data" takes a JSON Schema and fills it from labels, tables and lists.
    """

    do: Literal["extract"] = "extract"
    what: reading.What | Literal["markdown", "attribute", "data", "value"] = "text"
    target: Target | None = None
    attribute: Annotated[str, Field(pattern=r"^[A-Za-z][\w:-]{0,60}$")] | None = None
    schema_: dict[str, JsonValue] | None = Field(default=None, alias="schema")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Screenshot(_Action):
    """Take a picture of what is in view, of the whole page, or of one thing."""

    do: Literal["screenshot"] = "screenshot"
    full_page: bool = False
    target: Target | None = None


class Assert(_Action):
    """Check that something is so on the page."""

    do: Literal["assert"] = "assert"
    check: Check


class CallTool(_Action):
    """Call a tool that the page itself offers (WebMCP), or its frame of the `origin`, such as "https://example.com"."""

    do: Literal["call_tool"] = "call_tool"
    tool: Words
    origin: Words | None = None
    arguments: dict[str, JsonValue] = Field(default_factory=dict)


class InWords(_Action):
    """Do what plain words say, by what is on the page. `about`: what "it" and "them" stand for."""

    do: Literal["words"] = "words"
    words: Words
    about: Target | None = None


Action: TypeAlias = Annotated[
    Navigate
    | Back
    | Click
    | DoubleClick
    | Hover
    | Fill
    | Clear
    | Press
    | Select
    | Tick
    | Uncheck
    | Upload
    | Download
    | Drag
    | Scroll
    | WaitFor
    | SwitchTab
    | Dialog
    | SelectText
    | Extract
    | Screenshot
    | Assert
    | CallTool
    | InWords,
    Field(discriminator="do"),
]

ACTIONS: TypeAdapter[list[Action]] = TypeAdapter(Annotated[list[Action], Field(min_length=1, max_length=MAX_ACTIONS)])
"""Reads a list of actions."""


def describe(action: Action) -> str:
    """Return what is being done, for a person who waits. What is filled in is not told."""
    match action:
        case Navigate(url=url):
            words = f"Opening {url}"
        case Back():
            words = "Going back"
        case Click(target=target):
            words = f"Clicking {target}"
        case DoubleClick(target=target):
            words = f"Double-clicking {target}"
        case Hover(target=target):
            words = f"Pointing at {target}"
        case Fill(target=target):
            words = f"Filling {target or 'the field'}"
        case Clear(target=target):
            words = f"Clearing {target}"
        case Press(key=key):
            words = f"Pressing {key}"
        case Select(options=options):
            words = f"Choosing {', '.join(options)}"[:200]
        case Tick(target=target):
            words = f"Ticking {target}"
        case Uncheck(target=target):
            words = f"Unticking {target}"
        case Upload(files=files):
            words = f"Uploading {', '.join(files)}"[:200]
        case Download(target=target):
            words = f"Downloading {target}"
        case Drag(target=target):
            words = f"Dragging {target}"
        case Scroll(to=to):
            ways = {"down": "down", "up": "up", "into_view": "into view"}
            words = f"Scrolling {ways.get(to, f'to the {to}')}"
        case WaitFor():
            words = f"Waiting for {action.text or action.target or action.url or f'{action.seconds:g} s'}"
        case SwitchTab():
            words = f"Switching to window {action.titled or action.number or ''}".rstrip()
        case Dialog(accept=accept):
            words = f"{'Accepting' if accept else 'Dismissing'} the next dialog"
        case SelectText(target=target):
            words = f"Marking the text of {target}"
        case Extract(what=what):
            words = f"Reading the {_NAMES.get(what, what).lower()}"
        case Screenshot(full_page=full_page, target=target):
            words = f"Taking a screenshot of {target or ('the whole page' if full_page else 'the page')}"
        case Assert(check=check):
            words = f"Checking that {checks.describe(check)}"
        case CallTool(tool=tool):
            words = f"Calling the page's tool {tool}"
        case InWords(words=said):
            words = said[:200]
    return words
