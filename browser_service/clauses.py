"""Splits a request into clauses, each of which asks for one thing. Pure.

A comma or an "and" only ends a clause where a verb begins the next one: "select a, b and c and click Submit" has two.
"""

import re

from browser_service.masking import URL_TOKEN

_I = re.IGNORECASE
VERBS = (
    "click|tap|press|push|hit|select|choose|pick|check|uncheck|tick|untick|deselect|fill|type|enter|write|put|input|insert|"
    "paste|copy|set|change|search|look|scroll|wait|go|open|navigate|visit|browse|load|drag|move|drop|hover|point|expand|collapse|close|"
    "dismiss|accept|submit|read|get|tell|extract|give|show|find|locate|take|screenshot|clear|empty|delete|remove|reply|"
    "respond|forward|mark|switch|focus|highlight|upload|attach|download|list|follow|return|use|using|buy|book|order|add|like|"
    "share|retweet|star|double[- ]?click|log\\s+in|sign\\s+in|send|create|make|report|print|resize|sort|confirm|verify|"
    "ensure|assert|validate|save|toggle|activate|fetch|collect|grab|display|retrieve|scrape|navigate|rate|comment"
)
_POLITE = r"(?:(?:please|also|now|next|finally|just|kindly|lastly|you\s+should|afterwards?)\s+)*"
_HARD = (
    r"\n+\s*(?:[-*•]\s+)?|;|[.!?](?=\s|$)|(?:^|(?<=\s))\d{1,2}[.)](?=\s)|"
    r",?\s*\b(?:and\s+)?(?:then|afterwards?|after\s+that|finally)\b,?"
)
_SOFT = r",\s*(?:and\b\s*)?|\band\b|&"
_SEPARATOR = re.compile(
    rf"\s*(?:(?P<hard>{_HARD}|(?<=\w\s)(?=(?:hit|press|click)\s+submit\b))|(?P<soft>{_SOFT})(?=\s*{_POLITE}(?:(?:{VERBS})\b|{URL_TOKEN.replace('(', '(?:')}|that\s+(?:the|it)\b)))\s*",
    _I,
)
_ANY = re.compile(rf"\s*(?:{_HARD}|{_SOFT})\s*", _I)
_PURPOSE = re.compile(
    r"^(?P<first>(?:use|using|expand|switch|open|scroll|turn|navigate|go|flip|look)\b.+?),?\s+(?:in\s+order\s+)?to\s+"
    r"(?P<then>(?:find|click|enter|type|search|select|choose|write|locate|set|fill|delete)\b.*)$",
    _I | re.DOTALL,
)
_LONE = re.compile(rf"{_POLITE}(?:{VERBS})", _I)
_COMPLETE_ALONE = re.compile(
    rf"{_POLITE}(?:submit|screenshot|go|search|find|save|send|reply|scroll|log\s+in|sign\s+in)", _I
)


def split(text: str) -> list[tuple[int, int]]:
    """Return where the clauses of a masked text begin and end."""
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _SEPARATOR.finditer(text):
        if match["soft"] and _is_lone_word(text, match.end()):
            continue
        spans.append((start, match.start()))
        start = match.end()
    spans.append((start, len(text)))
    found: list[tuple[int, int]] = []
    for begin, end in spans:
        if not text[begin:end].strip():
            continue
        purpose = _PURPOSE.match(text[begin:end])
        if purpose:
            found += [(begin, begin + purpose.end("first")), (begin + purpose.start("then"), end)]
        else:
            found.append((begin, end))
    return found


def split_claims(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return where the claims of one clause begin and end: there a comma and an "and" always part."""
    spans: list[tuple[int, int]] = []
    begin = start
    for match in _ANY.finditer(text, start, end):
        spans.append((begin, match.start()))
        begin = match.end()
    spans.append((begin, end))
    return [(a, b) for a, b in spans if text[a:b].strip()]


def items(text: str) -> list[str]:
    """Return what a list names: "a, b and c" are three."""
    parts = re.split(r"\s*,\s*(?:and\s+|or\s+)?|\s+and\s+|\s*&\s*", text.strip(), flags=_I)
    return [part for part in parts if part]


def _is_lone_word(text: str, start: int) -> bool:
    """Tell whether what follows is one word, a verb that needs an object: then it is a name in a list."""
    rest = _ANY.split(text[start:], maxsplit=1)[0]
    return bool(_LONE.fullmatch(rest.strip())) and not _COMPLETE_ALONE.fullmatch(rest.strip())
