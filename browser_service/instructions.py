"""Reads plain words as actions, by rules alone: "open URL, click 'Sign in', then get all links". Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from browser_service import claims, masking
from browser_service.actions import Action, Click, Fill, Get, Open, Press, Screenshot, Scroll, Verify, WaitFor
from browser_service.checks import Check
from browser_service.masking import QUOTE_TOKEN, URL_TOKEN, Masked
from browser_service.reading import What
from shared.errors import InvalidRequestError

MAX_ACTIONS = 30
MAX_CHARS = 20_000

_MAX_CLAUSE_CHARS = 500

_I = re.IGNORECASE
_SEPARATOR = re.compile(
    r"\s*(?:\n+\s*(?:[-*•]\s+)?|;|[.!?](?=\s|$)|,|(?:^|(?<=\s))\d{1,2}[.)](?=\s)|"
    r"\b(?:and\s+)?(?:then|afterwards?|after\s+that|finally)\b|\band\b|&)\s*",
    _I,
)
_POLITE = re.compile(
    r"^(?:(?:please|kindly|now|first|next|also|just|can\s+you|could\s+you|i\s+want\s+(?:you\s+)?to|i\s+need\s+(?:you\s+)?to"
    r"|use\s+the\s+browser\s+to|in\s+the\s+browser)\b[\s,:]*)+",
    _I,
)
_VERIFY = re.compile(r"^(?:verify|check|make\s+sure|ensure|assert|confirm|validate|test|see|expect)\b\s*", _I)
_THAT = re.compile(r"^(?:that|whether|if)\s+", _I)
_WHERE = re.compile(
    rf"(?:\b(?:at|on|of|from|in|to|for|into|under)\s+)?(?:the\s+)?(?:(?:web\s*)?(?:page|site|address|url)\s+(?:at\s+|of\s+)?)?{URL_TOKEN}",
    _I,
)
_OPEN = re.compile(
    r"^(?:open|go|goto|visit|navigate|browse|load|launch|access|look\s+at|start\s+at|head)\b(?:\s+(?:up|over|to))*"
    r"(?:\s+(?:the\s+)?(?:(?:web\s*)?(?:page|site)|url|address|browser))?[\s:]*(?:to\s+)?",
    _I,
)
_URLS = re.compile(URL_TOKEN.replace("(", "(?:"))
_OPEN_NOTHING = re.compile(
    r"(?:open|go\s+to|visit|load|navigate\s+to|look\s+at|browse)(?:\s+(?:the|this|that))?"
    r"(?:\s+(?:(?:web\s*)?(?:page|site)|url|address|it))?",
    _I,
)
_KEYS = {
    "enter": "Enter", "return": "Enter", "tab": "Tab", "escape": "Escape", "esc": "Escape", "space": "Space",
    "backspace": "Backspace", "delete": "Delete", "up": "ArrowUp", "down": "ArrowDown", "left": "ArrowLeft",
    "right": "ArrowRight", "page up": "PageUp", "page down": "PageDown", "home": "Home", "end": "End",
}  # fmt: skip
_PRESS = re.compile(
    rf"(?:press|hit|push)\s+(?:the\s+)?(?:arrow\s+)?(?P<key>{'|'.join(_KEYS)})(?:\s+(?:arrow|key|bar))*", _I
)
_FIELD = r"(?:\s+(?:field|box|input|text\s*box|area|list|menu|drop-?down|select))*"
_FILL = re.compile(
    r"(?:type|enter|write|put|input|insert|paste|select|choose|pick)\s+(?P<text>.+?)\s+(?:in|into|to|from|for)\s+"
    rf"(?:the\s+)?(?P<name>.+?){_FIELD}",
    _I,
)
_FILL_WITH = re.compile(
    rf"(?:fill|complete|set)(?:\s+(?:in|out))?\s+(?:the\s+)?(?P<name>.+?){_FIELD}\s+(?:with|to|as)\s+(?P<text>.+)", _I
)
_SEARCH = re.compile(r"search(?:\s+(?:the\s+)?(?:page|site))?\s+for\s+(?P<text>.+)", _I)
_WAIT = re.compile(
    r"wait\s+(?:for|until|till)\s+(?:the\s+text\s+)?(?P<text>.+?)"
    r"(?:\s+(?:to\s+)?(?:appears?|shows?(?:\s+up)?|is\s+(?:shown|visible|there)|be\s+(?:shown|visible|there)|loads?))?",
    _I,
)
_SCROLL = re.compile(r"scroll\b(?P<where>.*)", _I)
_SUBMIT = re.compile(r"submit(?:\s+(?:the|it|this))?(?:\s+form)?", _I)
_CLICK = re.compile(
    r"(?:click|tap|press|push|hit|select|choose|follow|open|tick|toggle|activate)(?:\s+on)?\s+(?:the\s+)?(?:link|button|tab)?"
    r"\s*(?P<name>.+?)(?:\s+(?:button|link|tab|checkbox|box|icon|entry|item|option))?",
    _I,
)
_SCREENSHOT = re.compile(
    r"\b(?:screen\s*-?shots?|screen\s+capture|snapshot|picture\s+of\s+the\s+(?:\w+\s+)?page)\b", _I
)
_WHOLE = re.compile(r"\b(?:full|whole|entire|complete)(?:[\s-]*page)?\b", _I)
_GET_VERB = re.compile(
    r"^(?:get|read|extract|list|show|tell|give|find|fetch|return|collect|grab|print|report|display|retrieve|scrape|take|"
    r"what(?:\s+is|\s+are|'s)?|which|how\s+many)\b",
    _I,
)
_NOUNS: tuple[tuple[str, What], ...] = (
    (r"(?:all\s+)?(?:sub)?(?:headings|headlines)|outline|h[2-6]s?", "headings"),
    (r"(?:(?:main|first|top|page|biggest)\s+)*(?:heading|headline|h1)", "heading"),
    (r"(?:(?:page|document|tab)\s+)?title", "title"),
    (r"(?:hyper)?links?|urls|hrefs", "links"),
    (r"tables?(?:\s+(?:rows|data|contents?))?", "tables"),
    (r"(?:meta\s+)?description", "description"),
    (r"images?|pictures?|photos?", "images"),
    (r"(?:list\s+|bullet\s+)?(?:items|points|bullets|entries)|lists?", "list_items"),
    (r"prices?|costs?", "prices"),
    (r"buttons", "buttons"),
    (r"(?:(?:form|input)\s+)?fields|inputs", "fields"),
    (r"(?:(?:final|current)\s+)?(?:url|address)", "url"),
    (r"(?:(?:main|full|visible|page|body|whole)\s+)*(?:text|contents?|body|paragraphs?|article)|everything", "text"),
)
_NOUN = re.compile("|".join(rf"(?P<{what}>\b(?:{pattern})\b)" for pattern, what in _NOUNS), _I)
_FILLER = re.compile(
    r"\b(?:the|a|an|of|on|in|at|from|to|for|with|its|it's|it|all|any|each|every|this|that|these|there|me|us|page's|page|"
    r"web|webpage|website|site|is|are|as|out|back|which|what|you|see|take|get|make|capture|contains?|says?|data|rows|"
    r"main|visible|please)\b|[^\w\ue000-\ue002]+",
    _I,
)
_DEFAULT = (Get(what="title"), Get(what="heading"), Get(what="text"))


@dataclass(frozen=True, slots=True)
class Instructions:
    """A request as actions. `unread` are its pieces that the rules did not understand; `urls` all addresses in it,
    the one opened first at the head."""

    actions: tuple[Action, ...]
    unread: tuple[str, ...]
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Clause:
    actions: tuple[Action, ...]
    is_read: bool


def parse(text: str, skill: str | None = None, url: str | None = None) -> Instructions:
    """Read `text` as actions; `url` is opened when the text itself names none.

    Nothing asked for means title, main heading and text; with skill "screenshot" a screenshot, with "verify-page" that
    the page loads. Raises: InvalidRequestError for no address, one that is not http(s), or too much text or actions.
    """
    if len(text) > MAX_CHARS:
        raise InvalidRequestError(f"Instructions may have at most {MAX_CHARS:,} characters; these have {len(text):,}.")
    masked = masking.mask(text)
    verifying = skill == "verify-page"
    actions: list[Action] = []
    unread: list[str] = []
    before = 0
    for start, end in _spans(masked.text):
        words = masked.text[start:end]
        verifying = verifying or bool(_VERIFY.match(_POLITE.sub("", words)))
        clause = _read(words, masked, actions, verifying=verifying)
        if not clause.is_read and actions and isinstance(actions[-1], Click | Fill | WaitFor | Verify):
            # "click Save and Continue": the name itself may hold the word that clauses are split at.
            joined = _read(masked.text[before:end], masked, actions[:-1], verifying=verifying)
            if joined.is_read and [type(action) for action in joined.actions if action.do != "open"] == [
                type(actions[-1])
            ]:
                actions[-1:] = joined.actions
                continue
        before = start
        actions += clause.actions
        if not clause.is_read:
            unread.append(masked.unmask(words))
    actions = _opened_first(actions, url)
    actions = _with_question(actions, skill, is_understood=not unread)
    if len(actions) > MAX_ACTIONS:
        raise InvalidRequestError(
            f"The request asks for {len(actions)} actions; at most {MAX_ACTIONS} are done at once."
        )
    urls = tuple(dict.fromkeys(action.url for action in actions if isinstance(action, Open)))
    return Instructions(tuple(actions), tuple(unread), tuple(dict.fromkeys((*urls, *masked.urls))))


def _spans(text: str) -> list[tuple[int, int]]:
    """Return where the clauses of `text` begin and end."""
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _SEPARATOR.finditer(text):
        spans.append((start, match.start()))
        start = match.end()
    spans.append((start, len(text)))
    return [(start, end) for start, end in spans if text[start:end].strip()]


def _read(words: str, masked: Masked, before: Sequence[Action], *, verifying: bool) -> _Clause:
    """Read one clause; `before` are the actions of the earlier ones."""
    if len(words) > _MAX_CLAUSE_CHARS:
        return _Clause((), is_read=False)
    text = _POLITE.sub("", words.strip()).strip(" :.-\n")
    if verifying:
        text = _THAT.sub("", _VERIFY.sub("", text))
        if any(isinstance(action, Open) for action in before) and (found := _claim(text, masked, before)):
            return found
    opens: list[Action] = [Open(url=masked.unmask(token)) for token in _URLS.findall(text)]
    if opens:
        # In a claim only the first address is the page's own: "URL redirects to URL".
        opens = opens[:1] if verifying else opens
        text = _WHERE.sub("", text, count=1 if verifying else 0)
        text = _OPEN.sub("", text.strip())
    text = _POLITE.sub("", text).strip(" :.-")
    if not text or _OPEN_NOTHING.fullmatch(text):
        return _Clause(tuple(opens), is_read=True)
    rest = _action(text, masked) or (_claim(text, masked, before) if verifying else None) or _question(text)
    return _Clause((*opens, *rest.actions), rest.is_read)


def _action(text: str, masked: Masked) -> _Clause | None:
    """Read what is to be done to the page."""
    actions: list[Action] = []
    if match := _PRESS.fullmatch(text):
        actions = [Press.model_validate({"key": _KEYS[" ".join(match["key"].lower().split())]})]
    elif _SUBMIT.fullmatch(text):
        actions = [Press(key="Enter")]
    elif match := _FILL.fullmatch(text) or _FILL_WITH.fullmatch(text):
        actions = [Fill(name=_plain(match["name"], masked), text=_plain(match["text"], masked))]
    elif match := _SEARCH.fullmatch(text):
        actions = [Fill(name="Search", text=_plain(match["text"], masked)), Press(key="Enter")]
    elif match := _WAIT.fullmatch(text):
        name = _plain(match["text"], masked)
        actions = [] if name.lower() in {"page", "it", "page to load"} else [WaitFor(text=name)]
    elif match := _SCROLL.fullmatch(text):
        where = match["where"].lower()
        actions = [Scroll(to="bottom" if "bottom" in where or "end" in where else "top" if "top" in where else "down")]
    elif match := _CLICK.fullmatch(text):
        actions = [Click(name=_plain(match["name"], masked))]
    else:
        return None
    return _Clause(tuple(actions), is_read=True)


def _claim(text: str, masked: Masked, before: Sequence[Action]) -> _Clause | None:
    previous = next((action.check for action in reversed(before) if isinstance(action, Verify)), None)
    check = claims.parse(text, masked, previous)
    return _Clause((Verify(check=check),), is_read=True) if check is not None else None


def _question(text: str) -> _Clause:
    """Read what is to be told of the page: every noun that names a part of it. Other words left over are not read."""
    text = _GET_VERB.sub("", text)
    actions: list[Action] = []
    if _SCREENSHOT.search(text):
        actions.append(Screenshot(full_page=bool(_WHOLE.search(text))))
        text = _WHOLE.sub(" ", _SCREENSHOT.sub(" ", text))
    for match in _NOUN.finditer(text):
        actions += [Get.model_validate({"what": match.lastgroup})]
    return _Clause(tuple(actions), is_read=not _FILLER.sub("", _NOUN.sub(" ", text)))


def _opened_first(actions: list[Action], url: str | None) -> list[Action]:
    """Put the first `Open` at the head ("get the title of URL"). Raises: InvalidRequestError when there is none."""
    first = next((action for action in actions if isinstance(action, Open)), None)
    if first is not None:
        actions.remove(first)
        return [first, *actions]
    if url is None:
        raise InvalidRequestError(
            'The request names no address to open. Say which, e.g. "open https://example.com and get the main heading".'
        )
    opened = masking.mask(url).urls
    if len(opened) != 1:
        raise InvalidRequestError(f"{url[:200]!r} is not one http or https address.")
    return [Open(url=opened[0]), *actions]


def _with_question(actions: list[Action], skill: str | None, *, is_understood: bool) -> list[Action]:
    """Add what is asked where the words do not say it."""
    if skill == "screenshot" and not any(isinstance(action, Screenshot) for action in actions):
        return [*actions, Screenshot()]
    asked = [action for action in actions if isinstance(action, Get | Screenshot | Verify)]
    if not asked and skill == "verify-page":
        return [*actions, Verify(check=Check(subject="loads"))] if is_understood else actions
    if not asked:
        return [*actions, *_DEFAULT]
    if isinstance(actions[-1], Open):  # "get the title of URL and URL"
        return [*actions, *dict.fromkeys(asked)]
    return actions


def _plain(text: str, masked: Masked) -> str:
    """Return the quoted text in `text`, else all of it without an article before."""
    token = re.search(QUOTE_TOKEN, text)
    plain = masked.unmask(token[0] if token else text)
    return plain if token else re.sub(r"^(?:the|an?)\s+", "", plain, flags=_I)
