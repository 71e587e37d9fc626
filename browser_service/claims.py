"""Reads a claim about a page in plain words ("shows 'Welcome'", "the title is X", "has no table") as a check. Pure."""

import re

from browser_service.checks import Check, Subject
from browser_service.masking import QUOTE_TOKEN, URL_TOKEN, Masked

_SUBJECTS: dict[str, Subject] = {
    "title": "title",
    "heading": "heading",
    "headline": "heading",
    "h1": "main_heading",
    "link": "link",
    "button": "button",
    "field": "field",
    "input": "field",
    "textbox": "field",
    "table": "table",
    "image": "image",
    "picture": "image",
    "form": "form",
    "price": "price",
    "description": "description",
    "url": "url",
    "address": "url",
    "status": "status",
    "text": "text",
    "word": "text",
    "words": "text",
    "phrase": "text",
    "message": "text",
}
_NOUN = rf"(?P<noun>{'|'.join(_SUBJECTS)})"
_PAGE = r"(?:(?:the|this|that)\s+)?(?:(?:web\s*)?(?:page|site)|it)?\s*"
_NOT = r"(?P<not>(?:does\s+not|doesn't|do\s+not|don't|is\s+not|isn't|never)\s+)?"
_HAS = r"(?:has|have|shows?|contains?|displays?|includes?|says?|mentions?|reads?|offers?|there\s+(?:is|are))"
_WITH = (
    r"(?:(?:that\s+)?(?:says|reads|contains|is|saying|reading|containing)|named|called|titled|labell?ed|to|for|of|:|"
    r"with(?:\s+(?:the\s+)?(?:text|title|label|name))?)"
)
_THERE = r"(?:appears?|exists?|(?:is|are)\s+(?P<not2>not\s+)?(?:shown|visible|displayed|present|there|on\s+the\s+page))"

# Tried in this order; the first that fits the whole claim is taken.
_LOADS = (
    rf"{_PAGE}{_NOT}(?:loads?|works?|opens?|responds?|answers?|(?:is\s+|be\s+)?(?:up|online|reachable|available|ok))"
    r"(?:\s+(?:correctly|properly|fine|well|without\s+errors?))?"
)
_STATUS = (
    rf"{_PAGE}{_NOT}(?:(?:returns?|gives?|(?:responds?|answers?)\s+with)\s+|(?:the\s+)?(?=(?:http\s+)?status))"
    r"(?:an?\s+)?(?:http\s+)?(?:status\s*)?(?:code\s*)?(?:is\s+|of\s+)?(?P<value>\d{3})"
)
_REDIRECTS = rf"{_PAGE}{_NOT}(?:redirects?|leads?|forwards?|goes)\s+to\s+(?P<value>.+)"
_PROPERTY = (
    r"(?:the\s+|its\s+)?(?:(?:main|first|page's|page|document|final|current|meta)\s+)*"
    rf"{_NOUN}(?:\s+(?:of|on)\s+the\s+page)?\s+"
    r"(?P<relation>is\s+not|isn't|is|equals|reads|says|=|"
    r"(?:(?:does\s+not|doesn't)\s+)?(?:contains?|includes?|mentions?|has))\s+(?:equal\s+to\s+|exactly\s+)?(?P<value>.+)"
)
_PART = (
    rf"{_PAGE}{_NOT}{_HAS}\s+(?P<no>no\s+)?(?:(?:an?|the|any|some|at\s+least\s+one)\s+)?"
    rf"(?:(?:main|page|meta|visible)\s+)*{_NOUN}s?(?:\s+{_WITH})?(?:\s+(?P<value>.+))?"
)
_NAMED_PART = rf"(?:an?\s+|the\s+)?(?P<value>.+?)\s+{_NOUN}\s+{_NOT}{_THERE}"
_SHOWN = rf"(?:the\s+)?(?:(?:text|words?|phrase|message|price)\s+)?(?P<value>.+?)\s+{_NOT}{_THERE}"
_SHOWS = rf"{_PAGE}{_NOT}{_HAS}\s+(?P<no>no\s+|not\s+)?(?:the\s+)?(?P<value>.+)"


def parse(claim: str, masked: Masked, previous: Check | None) -> Check | None:
    """Return the check that `claim`, a piece of a masked request, makes; None when it is none.

    A quoted text alone repeats the previous check with that text: "shows 'A' and 'B'".
    """
    text = claim.strip(" .:")
    if previous is not None and re.fullmatch(rf"(?:the\s+)?{QUOTE_TOKEN}", text):
        return previous.model_copy(update={"value": _value(text, masked)})
    for pattern, subject in _PATTERNS:
        if match := pattern.fullmatch(text):
            return _build({name: group or "" for name, group in match.groupdict().items()}, subject, masked)
    return None


def _build(groups: dict[str, str], subject: Subject | None, masked: Masked) -> Check:
    """Return the check that the named groups of a pattern make; without `subject` their noun says it."""
    value = _value(groups.get("value", ""), masked)
    relation = groups.get("relation", "")
    named = subject or _SUBJECTS[groups["noun"].lower()]
    is_negative = any(groups.get(name) for name in ("not", "no", "not2")) or "not" in relation or "n't" in relation
    if relation and named == "heading":
        named = "main_heading"
    if named == "status" or relation.split()[:1] in _EQUAL:
        return Check(subject=named, relation="is", value=value, expected=not is_negative)
    return Check(subject=named, relation="contains" if value else "exists", value=value, expected=not is_negative)


_EQUAL = (["is"], ["isn't"], ["equals"], ["reads"], ["says"], ["="])
_TRIED: tuple[tuple[str, Subject | None], ...] = (
    (_LOADS, "loads"),
    (_STATUS, "status"),
    (_REDIRECTS, "url"),
    (_PROPERTY, None),
    (_PART, None),
    (_NAMED_PART, None),
    (_SHOWN, "text"),
    (_SHOWS, "text"),
)
_PATTERNS: list[tuple[re.Pattern[str], Subject | None]] = [
    (re.compile(pattern, re.IGNORECASE), subject) for pattern, subject in _TRIED
]


def _value(text: str, masked: Masked) -> str:
    """Return the quoted text or address in `text`, else all of it without an article before."""
    token = re.search(f"{QUOTE_TOKEN}|{URL_TOKEN}", text)
    return masked.unmask(token[0]) if token else re.sub(r"^(?:the|an?)\s+", "", text.strip(), flags=re.IGNORECASE)
