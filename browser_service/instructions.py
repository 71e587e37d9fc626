"""Reads plain words as actions, by rules alone: "open URL, click 'Sign in', then get all links". Pure.

What can only be decided by what is on the page becomes an `InWords` action, which `wishes.py` does there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from browser_service import claims, clauses, masking, phrases, questions
from browser_service.actions import (
    MAX_ACTIONS,
    Action,
    Assert,
    Click,
    Extract,
    Fill,
    InWords,
    Navigate,
    Screenshot,
    WaitFor,
)
from browser_service.checks import Check
from browser_service.masking import QUOTE_TOKEN, URL_TOKEN, Masked
from browser_service.phrase_context import Context
from shared.errors import InvalidRequestError

MAX_CHARS = 20_000

_MAX_CLAUSE_CHARS = 500

_I = re.IGNORECASE
_POLITE = re.compile(
    r"^(?:(?:please|kindly|now|first|next|also|just|can\s+you|could\s+you|i\s+want\s+(?:you\s+)?to|i\s+need\s+(?:you\s+)?to"
    r"|use\s+the\s+browser\s+to|in\s+the\s+browser)\b[\s,:]*)+",
    _I,
)
_VERIFY = re.compile(
    r"^(?:verify|check|make\s+sure|ensure|assert|confirm|validate|test|see|expect)\b(?!\s+(?:the\s+)?(?:\w+\s+)?"
    r"(?:checkbox|box|radio|password|alert|dialog|option))\s*",
    _I,
)
_NAMES = re.compile(r"check\s+(?P<name>.+)", _I)  # perhaps a box to tick: the page decides
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
_OPENED = re.compile(rf"{_OPEN.pattern}(?:the\s+)?(?P<what>{QUOTE_TOKEN})", _I)
_FILLED = re.compile(
    rf"(?:type|enter|write|put|input|insert|paste|fill)\s+(?:in\s+)?{URL_TOKEN}\s+(?:in(?:to)?|as)\s+(?!.*\baddress\s+bar\b).+"
    rf"|(?:fill|set|change)\s+.+\s+(?:with|to)\s+{URL_TOKEN}",
    _I,
)
_SAID_BEFORE = re.compile(
    r'^(?:(?:Result of step \d{1,9} \([^\n]{0,200}\)|The answer before):\n"""|An earlier answer to this was not good .*)$',
    re.MULTILINE,
)
"""How what was said before is handed on: from there on, to the end, nothing is what a person asks for."""

_DEFAULT = (Extract(what="title"), Extract(what="heading"), Extract(what="text"))


@dataclass(frozen=True, slots=True)
class Instructions:
    """A request as actions. `unread` are its pieces that the rules did not understand (each also an `InWords` among the
    actions, for the page may have a control of that name); `urls` all addresses in it, the one opened first at the head."""

    actions: tuple[Action, ...]
    unread: tuple[str, ...]
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Clause:
    actions: tuple[Action, ...]
    unread: str = ""


def parse(
    text: str,
    skill: str | None = None,
    url: str | None = None,
    *,
    peer_text: Sequence[tuple[int, int]] = (),
    is_open: bool = False,
) -> Instructions:
    """Read `text` as actions; `url` is opened when the text itself names none, nothing when a page `is_open` already.

    Nothing asked for means title, main heading and text; with skill "screenshot" a screenshot, with "verify-page" that
    the page loads. What other agents said asks for nothing: amid the text, at the places `peer_text` ([start, end), in
    order), it is a value like a quoted one. Of it only addresses are taken, where no other is named or it is opened.
    Raises: InvalidRequestError for no address, one that is not http(s), or too much text, in all or in one action, or
    too many actions.
    """
    if len(text) > MAX_CHARS:
        raise InvalidRequestError(f"Instructions may have at most {MAX_CHARS:,} characters; these have {len(text):,}.")
    text, said = masking.set_apart(text, peer_text)
    masked = masking.mask(asked := _SAID_BEFORE.split(text, maxsplit=1)[0], said)
    if (said or len(asked) < len(text)) and not (masked.urls or url or is_open):
        before = masking.addresses(Masked("", (), said).unmask(text[len(asked) :]))
        masked = masking.mask("\n".join([masking.with_addresses(asked, said), *before]), said)
    context = Context(masked)
    actions: list[Action] = []
    unread: list[str] = []
    verifying = skill == "verify-page"
    for start, end in clauses.split(masked.text):
        words = masked.text[start:end]
        named = _NAMES.fullmatch(_POLITE.sub("", words.strip())) if not verifying else None
        if named and not _THAT.match(named["name"]) and claims.parse(named["name"], masked, None) is None:
            actions.append(InWords(words=masked.requote(named[0]), about=context.subject))
            continue
        is_claim = bool(_VERIFY.match(_POLITE.sub("", words)))
        verifying = verifying or is_claim
        pieces = clauses.split_claims(masked.text, start, end) if is_claim or skill == "verify-page" else [(start, end)]
        before = start
        for begin, stop in pieces:
            piece = masked.text[begin:stop]
            clause = _read(piece, context, actions, verifying=verifying)
            if clause.unread and actions and isinstance(actions[-1], Click | Fill | WaitFor | Assert):
                # "shows Save and Continue": the text itself may hold the word that claims are split at.
                joined = _read(masked.text[before:stop], context, actions[:-1], verifying=verifying)
                done = [type(action) for action in joined.actions if action.do != "navigate"]
                if not joined.unread and done == [type(actions[-1])]:
                    actions[-1:] = joined.actions
                    continue
            before = begin
            actions += clause.actions
            if clause.unread:
                unread.append(masked.unmask(clause.unread))
                if not verifying:
                    actions.append(InWords(words=masked.requote(clause.unread), about=context.subject))
    if not is_open:
        actions = _opened_first(actions, url)
        actions = _with_question(actions, skill, is_understood=not unread)
    if len(actions) > MAX_ACTIONS:
        raise InvalidRequestError(
            f"The request asks for {len(actions)} actions; at most {MAX_ACTIONS} are done at once."
        )
    urls = tuple(dict.fromkeys(action.url for action in actions if isinstance(action, Navigate)))
    return Instructions(tuple(actions), tuple(unread), tuple(dict.fromkeys((*urls, *masked.urls))))


def _read(words: str, context: Context, before: Sequence[Action], *, verifying: bool) -> _Clause:
    """Read one clause; `before` are the actions of the earlier ones.

    Raises: InvalidRequestError for a text that is longer than its action takes.
    """
    try:
        return _understand(words, context, before, verifying=verifying)
    except ValidationError as error:
        wrong = str(error.errors(include_url=False)[0]["msg"])
        raise InvalidRequestError(
            f"A text in the request is not one for what is to be done with it: {wrong}."
        ) from error


def _understand(words: str, context: Context, before: Sequence[Action], *, verifying: bool) -> _Clause:
    masked = context.masked
    if len(words) > _MAX_CLAUSE_CHARS:
        return _Clause((), words)
    text = _POLITE.sub("", words.strip()).strip(" :.-\n")
    is_claim = bool(_VERIFY.match(text))
    if verifying:
        bare = _THAT.sub("", _VERIFY.sub("", text))
        if any(isinstance(action, Navigate) for action in before) and (found := _claim(bare, masked, before)):
            return found
        text = bare if is_claim else text
    if (match := _OPENED.fullmatch(text)) and masking.is_address(opened := masked.unmask(match["what"])):
        return _Clause((Navigate(url=opened),))
    if (
        _FILLED.fullmatch(text)
        and len(_URLS.findall(text)) == 1
        and (filled := phrases.read(text, context)) is not None
    ):
        return _Clause(tuple(filled))
    opens: list[Action] = [Navigate(url=masked.unmask(token)) for token in _URLS.findall(text)]
    if opens:
        # In a claim only the first address is the page's own: "URL redirects to URL".
        opens = opens[:1] if verifying else opens
        text = _WHERE.sub("", text, count=1 if verifying else 0)
        text = _OPEN.sub("", text.strip())
    text = re.sub(r"^(?:and|then)\b\s*", "", _POLITE.sub("", text).strip(" :.-,"), flags=_I)
    if not text or _OPEN_NOTHING.fullmatch(text):
        return _Clause(tuple(opens))
    if verifying and (claimed := _claim(text, masked, before)):
        return _Clause((*opens, *claimed.actions))
    done = None if is_claim else phrases.read(text, context)
    if done is not None:
        return _Clause((*opens, *done))
    asked, unread = questions.read(text, context)
    return _Clause((*opens, *asked), unread)


def _claim(text: str, masked: Masked, before: Sequence[Action]) -> _Clause | None:
    previous = next((action.check for action in reversed(before) if isinstance(action, Assert)), None)
    check = claims.parse(text, masked, previous)
    return _Clause((Assert(check=check),)) if check is not None else None


def _opened_first(actions: list[Action], url: str | None) -> list[Action]:
    """Put the first address at the head ("get the title of URL"). Raises: InvalidRequestError when there is none."""
    first = next((action for action in actions if isinstance(action, Navigate)), None)
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
    return [Navigate(url=opened[0]), *actions]


def _with_question(actions: list[Action], skill: str | None, *, is_understood: bool) -> list[Action]:
    """Add what is asked where the words do not say it."""
    if skill == "screenshot" and not any(isinstance(action, Screenshot) for action in actions):
        return [*actions, Screenshot()]
    asked = [action for action in actions if isinstance(action, Extract | Screenshot | Assert)]
    if not asked and not is_understood and any(isinstance(action, InWords) for action in actions):
        return actions  # what is asked may be in the words that were not understood
    if not asked and skill == "verify-page":
        return [*actions, Assert(check=Check(subject="loads"))] if is_understood else actions
    if not asked and not any(isinstance(action, InWords) and action.words.startswith("tell ") for action in actions):
        return [*actions, *_DEFAULT]
    if isinstance(actions[-1], Navigate):  # "get the title of URL and URL"
        return [*actions, *dict.fromkeys(asked)]
    return actions
