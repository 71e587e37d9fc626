"""Understands short requests that lean on the one before them: "do the same for b.csv", "and for Berlin?". Pure.

The rules, for a request of at most FOLLOW_UP_CHARS:
- "the same for X", "again for X", "repeat that with X", "and for X?", "what about X?": the last request that was not
  itself such a follow-up, with X in the place of what it names of the same sort: a URL, a file, a quote, a number;
- "the second file" stands for the second attached file;
- otherwise X takes the place of what follows the same preposition, else the last one;
- nothing to replace: the last request, with "This time for: X" below it;
- "again", "do that again": the last request as it was.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator_service.planning.parts import FILE, URL
from orchestrator_service.planning.plan import Goal

FOLLOW_UP_CHARS: Final = 300

_LEAD: Final = r"^(?:(?:and|now|ok|okay|please|then|also|next|can\s+you|could\s+you)\b[\s,]*)*"
_REPEATED: Final = (
    r"(?:(?:do|try|run|repeat|make|apply|get|show)\s+)?(?:the\s+|exactly\s+the\s+)?same(?:\s+(?:thing|again|analysis|task))?"
    r"|(?:do\s+|try\s+|run\s+|repeat\s+)(?:it|that|this|so)(?:\s+again)?|(?:once\s+)?again|once\s+more|repeat|likewise"
)
_END: Final = r"(?:[\s,]+(?:please|too|as\s+well|thanks|now))*[\s.!?]*$"
_AGAIN: Final = re.compile(rf"{_LEAD}(?:{_REPEATED}){_END}", re.IGNORECASE)
_SAME_FOR: Final = re.compile(
    rf"{_LEAD}(?:{_REPEATED})[\s,]+(?:but\s+)?(?P<preposition>for|with|on|to|in|using|about)\s+(?P<new>.+?){_END}",
    re.IGNORECASE | re.DOTALL,
)
_AND_FOR: Final = re.compile(
    rf"^(?:and|now|also)[\s,]+(?P<preposition>for|with|in|on|about)\s+(?P<new>.+?){_END}", re.IGNORECASE
)
_WHAT_ABOUT: Final = re.compile(rf"^(?:and\s+)?(?:what|how)\s+about\s+(?P<new>.+?){_END}", re.IGNORECASE)
_AND_X: Final = re.compile(r"^and\s+(?P<new>[^\s?][^?\n]{0,80}?)\s*\?$", re.IGNORECASE)

_ORDINAL_FILE: Final = re.compile(
    r"^the\s+(?P<ordinal>first|second|third|fourth|fifth|last|other|next)\s+(?:file|csv|table|document|dataset|one|page|url)$",
    re.IGNORECASE,
)
_SAYS_FILE: Final = re.compile(
    r"\b(?:the|this|that|my)\s+(?:(?:first|second|third|last|attached)\s+)?(?:file|csv|table|document|dataset)\b",
    re.IGNORECASE,
)
_ORDINALS: Final = {"first": 0, "second": 1, "other": 1, "next": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}
_QUOTE: Final = re.compile(r'"[^"\n]+"|“[^”]+”|(?<!\w)\'[^\'\n]+\'(?!\w)')
_NUMBER: Final = re.compile(r"(?<![\w.])-?\d+(?:[.,]\d+)*(?![\w])")


def resolve(goal: Goal) -> str:
    """Return what is asked for, in full: the goal's text, or what a follow-up stands for."""
    asked = [text.strip() for role, text in goal.history if role == "user" and text.strip()]
    text = goal.text.strip()
    if asked and asked[-1] == text and _follow_up(text) is not None:
        asked = asked[:-1]  # the request itself may be in the history already
    standing = ""
    for request in asked:
        standing = _resolved(request, standing, goal.files)
    return _resolved(text, standing, goal.files)


def _resolved(text: str, standing: str, files: Sequence[str]) -> str:
    said = _follow_up(text)
    if said is None or not standing:
        return text
    return _substituted(standing, said, files) if said.new else standing


@dataclass(frozen=True, slots=True)
class _FollowUp:
    """What to put in place (nothing for a plain "again"), and the preposition before it, if there was one."""

    new: str = ""
    preposition: str = ""


def _follow_up(text: str) -> _FollowUp | None:
    """Return what a follow-up says, None for a request that stands alone."""
    if len(text) > FOLLOW_UP_CHARS:
        return None
    if _AGAIN.match(text):
        return _FollowUp()
    for pattern in (_SAME_FOR, _AND_FOR):
        if found := pattern.match(text):
            return _FollowUp(found["new"], found["preposition"])
    found = _WHAT_ABOUT.match(text) or _AND_X.match(text)
    return _FollowUp(found["new"]) if found else None


def _substituted(request: str, said: _FollowUp, files: Sequence[str]) -> str:
    new = said.new
    ordinal = _ORDINAL_FILE.match(new)
    if ordinal and files:
        place = _ORDINALS[ordinal["ordinal"].lower()]
        new = files[place] if place < len(files) else new
    if ordinal or FILE.fullmatch(new) or new in files:
        return _put(request, (FILE, _SAYS_FILE), new)
    for pattern in (URL, _QUOTE, _NUMBER):
        if pattern.fullmatch(new) and pattern.search(request):
            return _put(request, (pattern,), new)
    return _put(request, (_phrase_after(said.preposition or "about"), _phrase_after(r"\w+")), new)


def _phrase_after(preposition: str) -> re.Pattern[str]:
    """Match the words after a preposition, up to the next one; addresses and file names have dots and do not match."""
    known = r"(?:about|for|of|in|on|by|with|from|to|at)\b"
    word = rf"(?!{known})[^\s,;.:?!/]+(?=[\s,;?!]|\.?$|\.\s)"
    return re.compile(rf"\b(?={known}){preposition}\s+(?P<old>{word}(?:\s+{word}){{0,8}})", re.IGNORECASE)


def _put(request: str, patterns: Sequence[re.Pattern[str]], new: str) -> str:
    """Replace the last place where a pattern is found, the first such pattern; or say below what is meant."""
    for pattern in patterns:
        group = "old" if "old" in pattern.groupindex else 0
        if places := [found.span(group) for found in pattern.finditer(request)]:
            start, end = places[-1]
            return f"{request[:start]}{new}{request[end:]}"
    return f"{request}\n\nThis time for: {new}"
