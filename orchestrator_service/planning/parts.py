"""Takes a request apart: which pieces of it are requests of their own, and in which order they were asked for. Pure.

Nothing is split inside quotes, code, pasted tables, URLs, file names, numbers and parentheses: these are *masked*
first, that is, replaced by a filler of the same length, so that places in the mask are places in the text. Every
pattern here takes time linear in the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from orchestrator_service.planning.words import DONE_VERBS, DOUBTFUL_VERBS, QUESTION_WORDS, REQUEST_VERBS, words

Joint = Literal["apart", "beside", "then", "last"]
"""How a part follows those before it: on its own, beside the one before, after the ones just before, or after all."""

FILLER: Final = "\ue000"
SPLIT_CHARS: Final = 20_000

URL: Final = re.compile(r"\bhttps?://[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]}]", re.IGNORECASE)
FILE: Final = re.compile(
    r"(?<![\w/.-])(?:\.{0,2}/)?\w[\w./-]{0,200}\.(?:csv|tsv|jsonl?|ndjson|parquet|xlsx?|pdf|md|txt|html?|docx?|py|log|ya?ml|xml)\b",
    re.IGNORECASE,
)
FENCE: Final = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
MENTION: Final = re.compile(r"(?<![\w@./])@(?P<name>[A-Za-z0-9](?:[\w.-]{0,98}\w)?)")

_QUOTED: Final = re.compile(
    r'`[^`\n]{1,2000}`|"[^"\n]{1,2000}"|“[^”]{1,2000}”|«[^»]{1,2000}»|„[^“”]{1,2000}[“”]|(?<!\w)\'[^\'\n]{1,500}\'(?!\w)'
)
_BRACKETED: Final = re.compile(r"\((?!\d{1,2}\))[^()\n]{1,2000}\)|\[[^\[\]\n]{1,2000}\]|\{[^{}\n]{1,2000}\}")
_ROW: Final = r"(?![^\n]{0,500}:[ \t])[^,;|\t\n]{0,200}(?:[,;|\t](?! )[^,;|\t\n]{0,200})+"
TABLE: Final = re.compile(rf"^{_ROW}(?:\n{_ROW})+$", re.MULTILINE)  # in prose, a space follows a comma
_ABBREVIATION: Final = re.compile(
    r"\b(?:e\.g|i\.e|etc|vs|approx|dr|mr|mrs|ms|prof|st|fig|cf|nr|vol|p\.m|a\.m)\.", re.IGNORECASE
)
_CODE_LINE: Final = re.compile(
    r"\b(?:code|python|script|snippet|program|expression|run)\s*:[ \t]*(?P<content>\S.*?)"
    r"(?=,?\s+(?:and\s+)?then\s|,?\s+after\s+that\b|\n|\Z)",
    re.IGNORECASE,
)
_INTRODUCED: Final = re.compile(
    r"\b(?:following|this|below|these)(?:\s+\w+){0,2}?\s+(?:text|article|passage|paragraph|e-?mail|message|document|"
    r"data|csv|json|table|content|transcript|letter|notes?|story|report|sentences?|words?|code|function|snippet|log|poem|"
    r"conversation|items|numbers)\s*:(?=\s)"
    r"|\b(?:summari[sz]e|translate|rewrite|rephrase|proofread|paraphrase|classify|explain|condense)\b[^.:;\n]{0,80}:(?=\s)",
    re.IGNORECASE,
)
_LINE_ITEM: Final = re.compile(r"^[ \t]{0,3}(?:\(?\d{1,3}[.)]|[-*•+–])[ \t]+(?=\S)", re.MULTILINE)
_INLINE_ITEM: Final = re.compile(r"(?:^|(?<=\s))\(?(?P<number>\d{1,2})[.)]\s+(?=\S)")
_LEAD_IN: Final = re.compile(
    r"(?:[\s,;:–-]|\b(?:please|kindly|also|and|now|just|first|firstly|second|secondly|third|thirdly|"
    r"to\s+begin\s+with|(?:can|could|would|will)\s+you|i(?:\s+want|\s+need|'d\s+like|\s+would\s+like)(?:\s+you)?\s+to|"
    r"you\s+should|let'?s|next|then|after\s+that|afterwards?|finally|lastly|at\s+the\s+end|in\s+the\s+end)\b)+",
    re.IGNORECASE,
)
_LATER: Final = re.compile(r"\b(?:next|then|after\s+that|afterwards?|second|secondly|third|thirdly)\b", re.IGNORECASE)
_LAST: Final = re.compile(r"\b(?:finally|lastly|at\s+the\s+end|in\s+the\s+end)\b", re.IGNORECASE)
_BREAK: Final = re.compile(
    r"(?P<then>(?:\s{0,9}[,;.]?\s{1,9}|\s{0,9}[,;])(?:and\s+)?\b(?:then|after\s+that|afterwards|finally|lastly|next)\b,?\s+)"
    r"|(?P<sentence>(?<![.!?…。！？])(?!(?<=\d)!\s+(?:and|then)\b)[.!?…。！？]+[\"')\]]{0,3}(?:\s+|(?<=[。！？]))|\s{0,9}\n\s*)"
    r"|(?P<semicolon>\s{0,9};\s*)"
    r"|(?P<and>\s{0,9},\s*(?:and\s+(?:also\s+)?|&\s+|also\s+)?|\s{1,9}(?:and|&)\s+(?:also\s+)?)",
    re.IGNORECASE,
)
_SHOWS_REQUEST: Final = re.compile(
    r"\s+(?:(?:the|a|an|all|any|each|every|this|that|these|those|it|them|its|their|my|our|on|for|what|which|how|who|if|"
    r"whether)\b|\ue000|\d)",
    re.IGNORECASE,
)
_DIRECT_QUESTION: Final = re.compile(
    r"\W*\w+\s+(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|much|many|often|long|far)\b",
    re.IGNORECASE,
)
_COMPUTED: Final = re.compile(r"\d\s{0,3}[*+/^-]{1,2}\s{0,3}\d")
_UNKNOWN_REQUEST: Final = re.compile(r"(?P<verb>[a-z]{3,12})\s+(?:[A-Z]\w*|me|him|her|us|everyone|everybody)\s*[.!]?$")
_NO_VERB: Final = re.compile(
    r".*(?:ing|ed|er|est|ly|ern|al|ous|ful|ive|ic|ish|ent|ant|s)$|(?:all|and|any|both|but|each|east|even|every|except|for|from"
    r"|here|how|into|just|like|near|new|north|not|off|old|one|only|out|over|per|same|some|south|such|than|that|the|then|this"
    r"|two|under|upon|what|when|where|west|who|with|avoid|ignore|omit|prefer|round|skip|keep)$"
)
_DONE: Final = "|".join(DONE_VERBS)
_HAVE_DONE: Final = re.compile(
    rf"\b(?:have|get)\s+(?P<object>it|this|that|them|the\s+\w+)\s+"
    rf"(?P<done>(?:{_DONE})(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+)(?:{_DONE}))*)\b",
    re.IGNORECASE,
)
_SUBORDINATE: Final = re.compile(r"\b(?:to|can|could|should|must|will|would|may|might)\s+(?P<verb>\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the text that asks for one thing: text[start:end], and how it follows what was asked before it.

    `intro` is what stands before the list that the part is an item of.
    """

    start: int
    end: int
    joint: Joint = "apart"
    intro: str = ""


def in_active_voice(text: str) -> str:
    """Return the text with "have it reviewed and documented" as "review it and document it"."""
    for found in reversed(list(_HAVE_DONE.finditer(mask(text[:SPLIT_CHARS])))):
        verbs = [DONE_VERBS[word] for word in words(found["done"]) if word in DONE_VERBS]
        asked = " and ".join(f"{verb} {found['object']}" for verb in verbs)
        text = text[: found.start()] + asked + text[found.end() :]
    return text


def mask(text: str) -> str:
    """Return the text with everything filled in that must not be split."""
    masked = _fill(text, FENCE)
    for pattern in (TABLE, URL, FILE, _QUOTED, _BRACKETED, _ABBREVIATION):
        masked = _fill(masked, pattern)
    masked = _CODE_LINE.sub(lambda found: _filled(found, "content"), masked)
    introduced = _INTRODUCED.search(masked)
    if introduced and not masked[introduced.end() :].lstrip().startswith(FILLER):
        masked = masked[: introduced.end()] + FILLER * (len(masked) - introduced.end())
    return masked


def split(text: str, verbs: frozenset[str] = frozenset()) -> list[Part]:
    """Return the requests in a text, in order; at least one if there is a word in it.

    A text of more than SPLIT_CHARS, code blocks not counted, is one request with its material.
    `verbs`: further words that begin a request, such as those by which agents describe their skills.
    """
    if len(text) > SPLIT_CHARS and len(FENCE.sub("", text)) > SPLIT_CHARS:
        start = len(text) - len(text.lstrip())
        return [Part(start, len(text.rstrip()))] if any(map(str.isalnum, text)) else []
    masked = mask(text)
    parts: list[Part] = []
    for segment in _segments(text, masked, verbs):
        parts += _clauses(masked, segment, verbs)
    parts = [part for part in parts if any(map(str.isalnum, text[part.start : part.end]))]
    if len(parts) > 1 and _leads_up(masked, parts[0], parts[1], verbs):
        parts[:2] = [replace(parts[1], start=parts[0].start)]
    return parts


def _leads_up(masked: str, lead: Part, part: Part, verbs: frozenset[str]) -> bool:
    """Tell whether the first part only leads up to the second: "Hello!", "I have sales.csv."."""
    first, second = masked[lead.start : lead.end], masked[part.start : part.end]
    both_name_something = FILLER in first and FILLER in second
    return not starts_request(first, verbs) and starts_request(second, verbs) and not both_name_something


def starts_request(clause: str, verbs: frozenset[str] = frozenset(), *, doubtful: bool = True) -> bool:
    """Tell whether a masked clause begins with a request; `doubtful`: also with a word that could be a noun."""
    lead = _LEAD_IN.match(clause)
    rest = clause[lead.end() if lead else 0 :][:200]
    if rest.startswith("@"):
        return True
    first = re.match(r"\w+", rest)
    if first is None:
        return False
    word = first[0].lower()
    if word in REQUEST_VERBS or word in verbs or word in QUESTION_WORDS:
        return True
    return word in DOUBTFUL_VERBS and (doubtful or bool(_SHOWS_REQUEST.match(rest, first.end())))


def without_courtesy(text: str) -> str:
    """Return a request without the words that only lead into it: "please", "can you", "I want you to"."""
    lead = _LEAD_IN.match(text)
    return text[lead.end() :] if lead else text


def _segments(text: str, masked: str, verbs: frozenset[str]) -> Iterator[Part]:
    """Cut a text into the items of its list, and what stands before and after; the whole text if it has no list."""
    marks = _line_marks(masked) or _inline_marks(masked)
    ends = [start for start, _ in marks[1:]] + [len(masked)]
    items = [(start, end) for (_, start), end in zip(marks, ends, strict=True)] if marks else []
    asked = sum(starts_request(masked[start:end], verbs) for start, end in items)
    numbered_from_the_start = bool(marks) and marks[0][0] == 0 and masked[0] not in "-*•+–"
    if not items or (asked * 2 < len(items) and not numbered_from_the_start):
        yield Part(0, len(masked))
        return
    intro = masked[: marks[0][0]].strip()
    is_intro = intro.endswith(":") or not starts_request(intro, verbs)
    if not is_intro:
        yield Part(0, marks[0][0])
    for start, end in items:
        paragraph = masked.find("\n\n", start) if end == len(masked) else -1
        stop = paragraph if paragraph >= 0 and starts_request(masked[paragraph:end], verbs) else end
        yield Part(start, stop, intro=text[: marks[0][0]].strip() if is_intro else "")
        if stop < end:
            yield Part(stop, end)


def _line_marks(masked: str) -> list[tuple[int, int]]:
    marks = [(found.start(), found.end()) for found in _LINE_ITEM.finditer(masked)]
    return marks if len(marks) > 1 else []


def _inline_marks(masked: str) -> list[tuple[int, int]]:
    marks: list[tuple[int, int]] = []
    for found in _INLINE_ITEM.finditer(masked):
        if int(found["number"]) == len(marks) + 1:
            marks.append((found.start(), found.end()))
    return marks if len(marks) > 1 else []


def _clauses(masked: str, segment: Part, verbs: frozenset[str]) -> Iterator[Part]:
    start = segment.start
    joint: Joint = "apart"
    for found in _BREAK.finditer(masked, segment.start, segment.end):
        if not _breaks(found, masked, start, segment.end, verbs):
            continue
        yield _trimmed(masked, replace(segment, start=start, end=found.start(), joint=joint), verbs)
        start = found.end()
        joint = _joint_of(found[0], "then") if found["then"] else "beside" if found["and"] else "apart"
    yield _trimmed(masked, replace(segment, start=start, joint=joint), verbs)


def _trimmed(masked: str, part: Part, verbs: frozenset[str]) -> Part:
    """Trim a clause; words that lead into it ("please", "then", "finally") say its order and go."""
    start, end, joint = part.start, part.end, part.joint
    lead = _LEAD_IN.match(masked, start, end)
    if lead and starts_request(masked[lead.end() : end], verbs):
        joint = _joint_of(lead[0], joint)
        start = lead.end()
    while end > start and masked[end - 1] in " \t\r\n,;":
        end -= 1
    while start < end and masked[start] in " \t\r\n,;":
        start += 1
    return replace(part, start=start, end=end, joint=joint)


def _joint_of(lead: str, otherwise: Joint) -> Joint:
    if _LAST.search(lead):
        return "last"
    return "then" if _LATER.search(lead) else otherwise


def _breaks(found: re.Match[str], masked: str, start: int, end: int, verbs: frozenset[str]) -> bool:
    left = masked[start : found.start()][-500:]
    right = masked[found.end() : min(end, found.end() + 300)]
    if not right.strip() or not left.strip():
        return False
    if found["sentence"]:
        return starts_request(right, verbs)
    if found["semicolon"]:
        return starts_request(right, verbs) or FILLER in left or FILLER in right
    if found["then"]:
        return _breaks_at_then(found[0], left, right, verbs)
    return _breaks_at_and(found[0], left, right, verbs)


def _breaks_at_then(mark: str, left: str, right: str, verbs: frozenset[str]) -> bool:
    if re.search(r"(?:^|[,;.:])\s*(?:if|when|once)\b", left, re.IGNORECASE) and not re.search(
        r"and\s", mark, re.IGNORECASE
    ):
        return False
    if re.search(r"\b(?:since|by|until|till|back|the|what)$", left, re.IGNORECASE):
        return False
    if re.match(r"\s*[,;.]|\s+and\s", mark, re.IGNORECASE) and "next" not in mark.lower():
        return True
    return starts_request(right, verbs, doubtful="next" not in mark.lower())


def _breaks_at_and(mark: str, left: str, right: str, verbs: frozenset[str]) -> bool:
    comma_and = "," in mark and "and" in mark.lower()
    if not starts_request(right, verbs, doubtful=comma_and):
        return comma_and and _is_unknown_request(left, right)
    own_target = FILLER in re.split(r"[,;.!?]\s|\s+and\s", right, maxsplit=1)[0]
    if next(iter(words(right[:60])), "") in QUESTION_WORDS:
        own_target = own_target or bool(_COMPUTED.search(left) and _COMPUTED.search(right))
        return bool(_DIRECT_QUESTION.match(right)) and (own_target or comma_and)
    clause = _LEAD_IN.sub("", left, count=1) if _LEAD_IN.match(left) else left
    if not starts_request(clause, verbs):
        return own_target
    left_words = words(clause)
    if left_words[:1] and left_words[0] in QUESTION_WORDS:
        return own_target
    if any(found["verb"].lower() in REQUEST_VERBS | DOUBTFUL_VERBS for found in _SUBORDINATE.finditer(clause)):
        return own_target
    return len(left_words) > 1 or FILLER in clause


def _is_unknown_request(left: str, right: str) -> bool:
    """Tell whether what follows ", and" asks for something of its own in words that are not known: "greet Ada".

    Only after a computation or something named, and only where all of it is a verb and whom it concerns.
    """
    found = _UNKNOWN_REQUEST.match(right)
    if found is None or _NO_VERB.match(found["verb"]) or "," in left:
        return False
    return starts_request(left) and (FILLER in left or bool(_COMPUTED.search(left)))


def _fill(text: str, pattern: re.Pattern[str]) -> str:
    return pattern.sub(lambda found: FILLER * len(found[0]), text)


def _filled(found: re.Match[str], group: str) -> str:
    start, end = found.start(group) - found.start(), found.end(group) - found.start()
    return found[0][:start] + FILLER * (end - start) + found[0][end:]
