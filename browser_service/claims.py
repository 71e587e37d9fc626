"""Reads a claim about a page in plain words ("shows 'Welcome'", "the title is X", "has no table") as a check. Pure."""

import re
from typing import Final

from browser_service.checks import Check, State, Subject
from browser_service.masking import QUOTE_TOKEN, URL_TOKEN, Masked

# What people call the parts of a page; the longer names first.
_NOUNS: Final[tuple[tuple[str, Subject], ...]] = (
    (r"(?:auto-?complete|type-?ahead|search)\s+(?:suggestions?|results?|lists?|menu|options)", "suggestions"),
    (r"suggestions?|results?|completions?|auto-?completes?", "suggestions"),
    (r"(?:(?:validation|form)\s+)?(?:error|validation|warning)(?:\s+(?:messages?|texts?))?|errors|alerts?", "error"),
    (
        r"(?:success|confirmation|thank[- ]you)\s+(?:messages?|notices?|texts?)|notifications?|toasts?|notices?",
        "notice",
    ),
    (r"check\s*box(?:es)?|toggles?|switch(?:es)?", "checkbox"),
    (r"radio(?:\s+buttons?)?", "radio"),
    (r"progress\s+bars?|spinners?|load(?:er|ing\s+(?:indicator|animation|spinner))s?", "spinner"),
    (r"(?:navigation|nav)(?:\s+(?:bar|menu)|bar)?|menus?", "menu"),
    (r"dialogs?|modals?|pop-?ups?|dialogue?\s+box(?:es)?", "dialog"),
    (
        r"(?:text\s*|combo\s*|select\s+)box(?:es)?|(?:text|input|search|form|entry)\s+(?:field|box|bar)(?:s|es)?",
        "field",
    ),
    (r"fields?|inputs?|text\s*areas?|drop-?downs?(?:\s+(?:menu|list|box))?", "field"),
    (r"h1", "main_heading"),
    (r"(?:sub)?headings?|headlines?", "heading"),
    (r"titles?", "title"),
    (r"(?:hyper)?links?", "link"),
    (r"buttons?", "button"),
    (r"tables?", "table"),
    (r"rows?", "row"),
    (r"(?:list\s+)?items?|entries|entry|bullet\s+points?", "item"),
    (r"lists?", "list"),
    (r"images?|pictures?|photos?|icons?", "image"),
    (r"logos?", "image"),
    (r"videos?", "video"),
    (r"forms?", "form"),
    (r"prices?", "price"),
    (r"footers?", "footer"),
    (r"(?:page\s+)?headers?|banners?", "header"),
    (r"tabs?", "tab"),
    (r"paragraphs?", "paragraph"),
    (r"descriptions?", "description"),
    (r"urls?|address(?:es)?", "url"),
    (r"status", "status"),
    (r"texts?|words?|phrases?|messages?|sentences?|labels?", "text"),
)
_NOUN: Final = rf"(?P<noun>{'|'.join(words for words, _ in _NOUNS)})"
_IN_MARKUP: Final = frozenset({"field", "form", "image", "menu", "dialog", "list", "table", "header", "footer"})
_COUNTED: Final = frozenset(
    {"link", "button", "field", "checkbox", "radio", "table", "row", "list", "item", "image", "form", "tab"}
)
_OF_TEXT: Final = frozenset({"title", "url", "status", "text", "description", "price", "heading", "main_heading"})

_TOKEN: Final = f"{QUOTE_TOKEN}|{URL_TOKEN}"
_PAGE = r"(?:(?:the|this|that)\s+)?(?:(?:web\s*)?(?:page|site)|it)?\s*"
_NOT = r"(?P<not>(?:does\s+not|doesn't|do\s+not|don't|is\s+not|isn't|are\s+not|aren't|never)\s+)?"
_HAS = (
    r"(?:has|have|shows?|contains?|displays?|includes?|says?|mentions?|reads?|offers?|"
    r"there\s+(?:is|are|should\s+be|must\s+be))"
)
_WITH = (
    r"(?:(?:that\s+)?(?:says|reads|contains|is|saying|reading|containing)|named|called|titled|labell?ed|to|for|of|:|"
    r"with(?:\s+(?:the\s+)?(?:text|title|label|name))?)"
)
_THERE = (
    r"(?:(?:does\s+|do\s+)?(?P<not3>not\s+)?(?P<appears>appears?|pops?\s+up|shows?\s+up|opens?)|exists?|"
    r"(?:is|are|gets?|becomes?)\s+(?P<not2>not\s+)?(?:shown|visible|displayed|present|there|available|on\s+the\s+page))"
)
_ANY = r"(?:(?:an?|the|any|some|its|at\s+least\s+one|one)\s+)?"
_IS = r"(?:is|are|becomes?|gets?|stays?|remains?)"
_STATES: Final[tuple[tuple[str, State], ...]] = (
    (r"disabled|gr[ae]yed\s+out|inactive|not\s+clickable", "disabled"),
    (r"enabled|clickable|active", "enabled"),
    (r"unchecked|unticked|unselected|not\s+ticked|off", "unchecked"),
    (r"checked|ticked|on", "checked"),
    (r"selected|current", "selected"),
    (r"required|mandatory", "required"),
    (r"(?:marked\s+(?:as\s+)?)?invalid", "invalid"),
    (r"focused|in\s+focus", "focused"),
    (r"expanded", "expanded"),
    (r"collapsed", "collapsed"),
    (r"read-?\s?only", "readonly"),
    (r"empty|blank|cleared", "empty"),
)
_OF_STATE: Final[dict[State, Subject]] = {
    "checked": "checkbox",
    "unchecked": "checkbox",
    "empty": "field",
    "invalid": "field",
}
_NUMBERS: Final = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
}

# Tried in this order; the first that fits the whole claim is taken.
_LOADS = (
    rf"{_PAGE}{_NOT}(?:loads?|works?|opens?|responds?|answers?|(?:is\s+|be\s+)?(?:up|online|reachable|available|ok))"
    r"(?:\s+(?:correctly|properly|fine|well|successfully|(?P<clean>without\s+(?:any\s+)?(?:\w+\s+)?errors?)))?"
)
_NO_SCRIPT_ERRORS = (
    rf"{_PAGE}(?:(?:has|shows|throws|there\s+are)\s+)?no\s+(?P<clean>(?:console|script|java-?script|js)\s+errors?)"
    r"(?:\s+.{0,30})?"
)
_STATUS = (
    rf"{_PAGE}{_NOT}(?:(?:returns?|gives?|(?:responds?|answers?)\s+with)\s+|(?:the\s+)?(?=(?:http\s+)?status))"
    r"(?:an?\s+)?(?:http\s+)?(?:status\s*)?(?:code\s*)?(?:is\s+|of\s+)?(?P<value>\d{3})"
)
_REDIRECTS = rf"{_PAGE}{_NOT}(?:redirects?|leads?|forwards?|goes)\s+to\s+(?P<value>.+)"
_COUNT = (
    rf"(?:(?:the|this|it)\s+)?(?:page|site|list|table|menu|form)?\s*{_HAS}\s+(?:(?P<how>exactly|at\s+least|at\s+most|more\s+than|fewer\s+than|less\s+than|only)\s+)?"
    rf"(?P<count>\d{{1,6}}|{'|'.join(_NUMBERS)})\s+(?:(?P<name>.+?)\s+)?{_NOUN}(?:\s+{_THERE})?"
)
_STATE = (
    rf"(?:the\s+)?(?:(?P<name>.+?)\s+)?{_NOUN}\s+{_IS}\s+(?P<not>not\s+)?(?P<state>{'|'.join(w for w, _ in _STATES)})"
)
_QUOTED_STATE = (
    rf"(?:the\s+)?(?P<name>{QUOTE_TOKEN})\s+{_IS}\s+(?P<not>not\s+)?(?P<state>{'|'.join(w for w, _ in _STATES)})"
)
_INSIDE = (
    r"(?:the\s+)?(?:(?P<name>.+?)\s+)?(?P<noun>fields?|(?:text\s*|input\s+|search\s+)?box|inputs?|drop-?down)\s+"
    r"(?:(?P<equal>is|equals|holds|has\s+the\s+value|says|reads)|(?P<part>contains?|shows?|has|includes?))\s+"
    r"(?:set\s+to\s+|the\s+(?:value|text)\s+)?(?P<value>.+)"
)
_PROPERTY = (
    r"(?:the\s+|its\s+)?(?:(?:main|first|page's|page|document|final|current|meta)\s+)*"
    rf"{_NOUN}(?:\s+(?:of|on)\s+the\s+page)?\s+"
    r"(?P<relation>is\s+not|isn't|is|equals|reads|says|=|"
    r"(?:(?:does\s+not|doesn't)\s+)?(?:contains?|includes?|mentions?|has))\s+(?:equal\s+to\s+|exactly\s+)?(?P<value>.+)"
)
_BARE_PART = rf"{_ANY}(?:main\s+|page\s+)*{_NOUN}\s+{_NOT}{_THERE}"
_PART = (
    rf"{_PAGE}{_NOT}{_HAS}\s+(?P<no>no\s+)?{_ANY}"
    rf"(?:(?:main|page|meta|visible)\s+)*{_NOUN}(?:\s+(?P<with>{_WITH}))?(?:\s+(?P<value>.+))?"
)
_CALLED_PART = rf"{_PAGE}{_NOT}{_HAS}\s+(?P<no>no\s+)?{_ANY}(?P<name>.+?)\s+{_NOUN}"
_NAMED_PART = rf"{_ANY}(?P<name>.+?)\s+{_NOUN}\s+{_NOT}{_THERE}"
_SHOWN = rf"(?:the\s+)?(?:(?P<explicit>texts?|words?|phrase|message|price)\s+)?(?P<value>.+?)\s+{_NOT}{_THERE}"
_SHOWS = (
    rf"{_PAGE}{_NOT}{_HAS}\s+(?P<no>no\s+|not\s+)?(?:the\s+)?(?:(?P<explicit>texts?|words?|phrase|message)\s+)?"
    r"(?P<value>.+)"
)


def parse(claim: str, masked: Masked, previous: Check | None) -> Check | None:
    """Return the check that `claim`, a piece of a masked request, makes; None when it is none.

    A quoted text alone repeats the previous check with that text: "shows 'A' and 'B'".
    """
    text = claim.strip(" .:")
    if previous is not None and re.fullmatch(rf"(?:the\s+)?{QUOTE_TOKEN}", text):
        return previous.model_copy(update={"value": _value(text, masked)})
    for pattern, subject in _PATTERNS:
        if match := pattern.fullmatch(text):
            groups = {name: group or "" for name, group in match.groupdict().items()}
            if groups.get("count"):
                return _count(groups, masked)
            if (check := _build(groups, subject, masked)) is not None:
                return check
    return None


def _build(groups: dict[str, str], subject: Subject | None, masked: Masked) -> Check | None:
    """Return the check that the named groups of a pattern make; without `subject` their noun says what it is about."""
    relation = groups.get("relation", "")
    negations = (groups.get(key) for key in ("not", "no", "not2", "not3"))
    expected = not (any(negations) or "not" in relation or "n't" in relation)
    if groups.get("clean"):
        return Check(subject="script_errors", expected=not expected)
    if groups.get("state"):
        return _in_state(groups, masked, expected=expected)
    subject = subject or _subject(groups["noun"])
    if groups.get("equal") or groups.get("part"):
        return _inside(subject, groups, masked)
    if subject == "text":
        return _shown(groups, masked, expected=expected)
    return _of_part(subject, groups, masked, expected=expected)


def _inside(subject: Subject, groups: dict[str, str], masked: Masked) -> Check:
    name = _value(groups.get("name", ""), masked) or _implied(groups["noun"])
    relation = "is" if groups.get("equal") else "contains"
    return Check(subject=subject, relation=relation, value=_value(groups["value"], masked), name=name)


def _of_part(subject: Subject, groups: dict[str, str], masked: Masked, *, expected: bool) -> Check | None:
    relation = groups.get("relation", "")
    name, value = groups.get("name", ""), _value(groups.get("value", ""), masked)
    if value.islower() and groups.get("with") == "" and not re.search(_TOKEN, groups["value"]):
        return None  # "has a spinner turning smoothly" is about more than a spinner of that name
    name = name or ("" if value else _implied(groups.get("noun", "")))
    if name and subject not in _OF_TEXT:
        return _called(subject, name, masked, appears=bool(groups.get("appears")), expected=expected)
    value = value or _value(name, masked)
    if groups.get("appears") and subject in _APPEARING and expected:
        relation = "appears"
    return _holding(subject, relation, value, expected=expected)


def _holding(subject: Subject, relation: str, value: str, *, expected: bool) -> Check:
    """Return the check that the subject is there, appears, or is or contains the value."""
    if subject == "suggestions" or relation == "appears":
        return Check(subject=subject, relation="appears", expected=expected)
    if relation and subject == "heading":
        subject = "main_heading"
    is_equal = subject == "status" or relation.split()[:1] in _EQUAL
    if subject == "error" and relation in {"says", "reads"}:
        is_equal = False  # a message says more than the word that matters
    how = "is" if is_equal else "contains" if value else "exists"
    return Check(subject=subject, relation=how, value=value, expected=expected)


def _in_state(groups: dict[str, str], masked: Masked, *, expected: bool) -> Check:
    words = " ".join(groups["state"].lower().split())
    state: State = next(known for pattern, known in _STATES if re.fullmatch(pattern, words))
    noun = groups.get("noun", "")
    name = _value(groups.get("name", ""), masked) or _implied(noun)
    subject = _subject(noun) if noun else _OF_STATE.get(state, "button")
    return Check(subject=subject, relation="state", state=state, name=name, expected=expected)


def _shown(groups: dict[str, str], masked: Masked, *, expected: bool) -> Check | None:
    """Return the check that a text is shown. Words that may not be meant literally prove nothing by their absence."""
    raw = groups.get("value") or groups.get("name", "")
    value = _value(raw, masked)
    is_literal = bool(groups.get("explicit") or re.search(_TOKEN, raw))
    is_name = not groups.get("value") and not any(character.isupper() for character in value)
    if not value or not (is_literal or (expected and not is_name)):
        return None
    return Check(subject="text", relation="contains", value=value, expected=expected)


def _called(subject: Subject, name: str, masked: Masked, *, appears: bool, expected: bool) -> Check:
    """Return the check for "the NAME button": as it is written when quoted or with a capital, else as it is meant."""
    plain = _value(name, masked)
    if subject == "suggestions":
        return Check(subject=subject, relation="appears", expected=expected)
    if appears and subject in _APPEARING:
        return Check(subject=subject, relation="appears", name=plain, expected=expected)
    is_quoted = bool(re.search(QUOTE_TOKEN, name))
    if is_quoted or (subject not in _IN_MARKUP and any(character.isupper() for character in plain)):
        return Check(subject=subject, relation="contains", value=plain, expected=expected)
    return Check(subject=subject, name=plain, expected=expected)


def _count(groups: dict[str, str], masked: Masked) -> Check | None:
    subject, count = _subject(groups["noun"]), groups["count"].lower()
    if subject not in _COUNTED:
        return None
    number, name = int(_NUMBERS.get(count, count)), _value(groups.get("name", ""), masked)
    match " ".join(groups.get("how", "").lower().split()):
        case "at least":
            return Check(subject=subject, relation="at_least", value=str(number), name=name)
        case "more than":
            return Check(subject=subject, relation="at_least", value=str(number + 1), name=name)
        case "at most":
            return Check(subject=subject, relation="at_most", value=str(number), name=name)
        case "fewer than" | "less than":
            return Check(subject=subject, relation="at_most", value=str(max(0, number - 1)), name=name)
        case _:
            return Check(subject=subject, relation="exactly", value=str(number), name=name)


def _subject(noun: str) -> Subject:
    return next(subject for words, subject in _NOUNS if re.fullmatch(words, noun, re.IGNORECASE))


def _implied(noun: str) -> str:
    """Return the name that lies in the noun itself: a search box, a logo."""
    found = re.search(r"search(?!\s+(?:results?|suggestions?))|logo", noun, re.IGNORECASE)
    return found[0].lower() if found else ""


_APPEARING: Final = frozenset({"dialog", "error", "notice"})
_EQUAL = (["is"], ["isn't"], ["equals"], ["reads"], ["says"], ["="])
_TRIED: tuple[tuple[str, Subject | None], ...] = (
    (_LOADS, "loads"),
    (_NO_SCRIPT_ERRORS, "script_errors"),
    (_STATUS, "status"),
    (_REDIRECTS, "url"),
    (_COUNT, None),
    (_STATE, None),
    (_QUOTED_STATE, None),
    (_INSIDE, "field"),
    (_BARE_PART, None),
    (_PROPERTY, None),
    (_PART, None),
    (_CALLED_PART, None),
    (_NAMED_PART, None),
    (_SHOWN, "text"),
    (_SHOWS, "text"),
)
_PATTERNS: list[tuple[re.Pattern[str], Subject | None]] = [
    (re.compile(pattern, re.IGNORECASE), subject) for pattern, subject in _TRIED
]


def _value(text: str, masked: Masked) -> str:
    """Return the quoted text or address in `text`, else all of it without an article before."""
    token = re.search(_TOKEN, text)
    return masked.unmask(token[0]) if token else re.sub(r"^(?:the|an?)\s+", "", text.strip(), flags=re.IGNORECASE)
