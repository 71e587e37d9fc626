"""Reads clauses about fields: type, fill in, tick, choose. Pure."""

import re

from browser_service import clauses, dates
from browser_service.actions import Action, Click, Fill, InWords, Select, Tick, Uncheck
from browser_service.described import COUNT
from browser_service.masking import QUOTE_TOKEN
from browser_service.phrase_context import ALL, PRONOUN, Context, in_words
from browser_service.targets import Target

_I = re.IGNORECASE
_Q = QUOTE_TOKEN.replace("(", "(?:")
_SEARCH = re.compile(r"(?:search|look)(?:\s+(?:the\s+)?(?:page|site|web|it))?\s+for\s+.+|search\s+.+", _I)
_IN_CASE = re.compile(r"\s+in\s+(?:all\s+)?(?P<case>upper|lower|capital)[\s-]*(?:case)?(?:\s+letters)?(?=\s|$)", _I)
_FILL = re.compile(
    r"(?:type|enter|write|put|input|insert|paste|fill)\s+(?:in\s+)?(?P<text>.+?)\s+(?:in(?:to)?|to|on|inside|for|as)\s+"
    r"(?:the\s+)?(?P<name>.+)",
    _I,
)
_FILL_WITH = re.compile(
    r"(?:fill|complete|set|change)(?:\s+(?:in|out))?\s+(?:the\s+)?(?P<name>.+?)\s+(?:with|to|as|=)\s+(?P<text>.+)", _I
)
_FILL_NAMED = re.compile(
    rf"(?:type|enter|write|put|input|fill\s+in)\s+(?:the\s+|an?\s+)?(?P<name>[\w -]{{2,40}}?)\s*:?\s+(?P<text>{_Q})", _I
)
_FILL_ONLY = re.compile(rf"(?:type|enter|write|input)\s+(?P<text>{_Q}|\S+)(?:\s+there)?", _I)
_PAIR = re.compile(rf"(?:the\s+|an?\s+)?(?P<name>[\w -]{{2,40}}?)\s*:?\s*(?P<text>{_Q})", _I)
_EACH = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+", _I)
_INTO = re.compile(rf"(?P<text>{_Q}|\S+(?:\s+\S+)?)\s+(?:in(?:to)?|to|inside|for|as)\s+(?:the\s+)?(?P<name>.+)", _I)
_WITH = re.compile(r"(?:the\s+)?(?P<name>.+?)\s+(?:with|to|as|=)\s+(?P<text>.+)", _I)
_FORM = re.compile(r"(?:fill|complete)(?:\s+(?:in|out))?\s+(?:the\s+|this\s+)?(?:\w+\s+)?form\s*(?:\bwith\b|:).+", _I)
_LOGIN = re.compile(
    r"(?:log\s*in|sign\s*in|login)\s+(?:with|as|using)\s+(?:the\s+)?(?:user(?:name)?\s+)?(?P<user>.+?)\s+(?:and|with|/)\s+(?:the\s+)?(?:password\s+)?(?P<password>.+)",
    _I,
)
_AS_DATE = re.compile(
    r"(?:select|choose|pick|enter|set)\s+(?P<text>.+?)\s+as\s+(?:the\s+)?(?P<name>.*(?:date|day|time).*)", _I
)
_SELECT = re.compile(r"(?:select|choose|pick)\s+(?P<text>.+)", _I)
_SELECT_IN = re.compile(r"(?P<text>.+?)\s+(?:from|in|with|using|on|out\s+of|for|as)\s+(?P<name>.+)", _I)
_MOVED = re.compile(r"slider|spinner|spin\s*box", _I)
_LISTS = re.compile(r"drop-?\s*down|\blist\b|\bmenu\b|select|combo|picker", _I)
_GENERIC_LIST = re.compile(r"(?:the\s+)?(?:scroll\s+)?(?:list|menu|options?|choices?)(?:\s+below)?", _I)
_KINDS_TICKED = re.compile(r"\b(?:check\s*box|checkbox|radio(?:\s+button)?|tick\s*box|box|option)(?:es|s)?$", _I)
_TICK = re.compile(r"(?P<verb>check|tick|uncheck|untick|deselect)(?:\s+off)?\s+(?P<name>.+)", _I)


def read_filling(text: str, context: Context) -> list[Action] | None:
    if match := _LOGIN.fullmatch(text):
        user, password = (
            Fill(target=Target(described=name), value=context.plain(match[group]))
            for name, group in (("username", "user"), ("password", "password"))
        )
        return [user, password, InWords(words="submit")]
    if _SEARCH.fullmatch(text):
        return [in_words(text, context)]
    if match := _AS_DATE.fullmatch(text):
        return [Fill(target=context.target(match["name"]), value=context.plain(match["text"]))]
    verb = re.match(r"(?:type|enter|write|put|input|insert|paste|fill|complete|set|change)\b", text, _I)
    if verb is None:
        return None
    cased = _IN_CASE.search(text)
    plain_text = _IN_CASE.sub("", text, count=1) if cased else text
    if ALL.search(re.sub(_Q, "", plain_text)) or re.search(
        r"\bstarts?\s+with\b|\bends?\s+with\b|\bsliders\b", text, _I
    ):
        return [in_words(text, context)]
    if pairs := _pairs(plain_text) or ([] if cased else _several(plain_text)):
        return [Fill(target=context.target(name), value=context.plain(value)) for name, value in pairs]
    if _FORM.fullmatch(plain_text):
        return [in_words(text, context)]
    if match := _FILL.fullmatch(plain_text) or _FILL_WITH.fullmatch(plain_text):
        if PRONOUN.fullmatch(match["text"].strip()):
            return [in_words(text, context)]
        value = _cased(context.plain(match["text"]), cased["case"] if cased else "")
        return [Fill(target=context.target(match["name"]), value=value)]
    if match := _FILL_NAMED.fullmatch(plain_text):
        return [Fill(target=context.target(match["name"]), value=context.plain(match["text"]))]
    if match := _FILL_ONLY.fullmatch(plain_text):
        if PRONOUN.fullmatch(match["text"]):
            return [in_words(text, context)]
        value = _cased(context.plain(match["text"]), cased["case"] if cased else "")
        return [Fill(target=context.tool, value=value)]
    return None


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return what several fields are to get: "the username 'a' and the password 'b'"; nothing if that is one, or has no name."""
    found: list[tuple[str, str]] = []
    for match in _PAIR.finditer(re.sub(r"^\w+\s+", "", text)):
        name = re.sub(r"^(?:(?:and|the|with|an?|as|into|in|to)\b\s*)+", "", match["name"].strip(), flags=_I)
        if not name:
            return []
        found.append((name, match["text"]))
    return found if len(found) > 1 else []


def _several(text: str) -> list[tuple[str, str]]:
    """Return what several fields are to get: "'a' into the Name, 'b' into the Town"; nothing if a part does not say so."""
    parts = _EACH.split(re.sub(r"^\w+\s+(?:(?:in|out)\s+)?", "", text))
    for form in (_WITH,) if re.match(r"set|change|complete", text, _I) else (_INTO, _WITH):
        found = [match for part in parts if (match := form.fullmatch(part)) and not PRONOUN.fullmatch(match["text"])]
        if 1 < len(found) == len(parts):
            return [(match["name"], match["text"]) for match in found]
    return []


def read_choosing(text: str, context: Context) -> list[Action] | None:
    if (match := _TICK.fullmatch(text)) and not ALL.search(text):
        is_on = match["verb"].lower() in {"check", "tick"}
        names = [match["name"]] if _KINDS_TICKED.search(match["name"]) else clauses.items(match["name"])
        return [Tick(target=context.target(name)) if is_on else Uncheck(target=context.target(name)) for name in names]
    match = _SELECT.fullmatch(text)
    if match is None:
        return None
    wanted = match["text"]
    if re.fullmatch(r"(?:nothing|none(?:\s+of\s+them)?|no\s+\w+)", wanted, _I):
        return []
    if ALL.search(re.sub(_Q, "", wanted)):
        return [in_words(text, context)]
    inside = _SELECT_IN.fullmatch(wanted)
    if inside and (
        _MOVED.search(inside["name"]) or (dates.read_date(context.plain(inside["text"])) and "date" in inside["name"])
    ):
        return [Fill(target=context.target(inside["name"]), value=context.plain(inside["text"]))]
    if inside and (
        _LISTS.search(inside["name"])
        or re.search(QUOTE_TOKEN, inside["text"])
        or re.search(QUOTE_TOKEN, inside["name"])
    ):
        options = [context.plain(item) for item in clauses.items(inside["text"])]
        is_generic = _GENERIC_LIST.fullmatch(inside["name"])
        return [Select(options=options, target=None if is_generic else context.target(inside["name"]))]
    if re.match(rf"(?:the\s+)?{COUNT}\s", wanted, _I) or _KINDS_TICKED.search(wanted):
        return [Click(target=context.target(wanted), seek=context.seek)]
    if inside:  # "Niger as country", "Save as draft": the page has a list of that name, or a choice of that one
        return [in_words(text, context)]
    return [Select(options=[context.plain(item) for item in clauses.items(wanted)])]


def _cased(text: str, case: str) -> str:
    match case.lower():
        case "upper" | "capital":
            return text.upper()
        case "lower":
            return text.lower()
        case _:
            return text
