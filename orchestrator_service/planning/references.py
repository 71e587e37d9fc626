"""Sees which earlier parts, or attached files, a part speaks of: "summarize it", "the second result", "the file". Pure.

Rather once too often than once too seldom: a result that is handed on needlessly does little harm.
"""

import re
from collections.abc import Sequence
from typing import Final

from orchestrator_service.planning.parts import FILLER, mask
from orchestrator_service.planning.words import TRANSFORMING_VERBS, stems, words

_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_RESULTS: Final = r"(?:results?|outputs?|answers?|outcomes?|findings?|responses?)"

_STEP: Final = re.compile(
    r"\b(?:step|part|task|item|point)s?\s+#?(?P<numbers>\d{1,2}(?:\s*(?:,|and|&)\s*\d{1,2})*)\b", re.IGNORECASE
)
_ORDINAL: Final = re.compile(
    rf"\bthe\s+(?P<ordinal>{'|'.join(_ORDINALS)}|last)\s+(?:{_RESULTS}|step|one|part|task)\b", re.IGNORECASE
)
_ALL: Final = re.compile(
    rf"\b(?:all|both|each|every)\s+(?:(?:of\s+)?(?:the|these|those|them|your|my|above)\s+)*(?:{_RESULTS}|parts|steps|three|two)\b"
    r"|\b(?:all|both|each)\s+of\s+(?:them|these|those|it|this)\b|\bthem\s+all\b|\beverything\b|\ball\s+(?:this|that|above)\b"
    r"|\bboth\b(?=\s*(?:[.,;!?]|$))"
    r"|\b(?:compare|combine|merge|contrast|join)\s+(?:them|both|these|those|the\s+two|the\s+three)\b",
    re.IGNORECASE,
)
_LOOSE: Final = re.compile(
    r"\b(?:the|these|those|your)\s+(?:results|answers|outputs|outcomes|findings|responses)\b|\bthe\s+above\b",
    re.IGNORECASE,
)
_RESULT: Final = re.compile(
    rf"\b(?:the|that|this|its|your|each)\s+(?:\w+\s+)?{_RESULTS}\b|\bthe\s+previous\b", re.IGNORECASE
)
_PRONOUN: Final = re.compile(
    r"\b(?:it|its|itself|them|their|they)\b"
    rf"|\b(?:this|that|these|those)\b(?=\s*(?:[.,;:!?)]|$)|\s+(?:in|into|to|as|for|with|and|by|on|using|{_RESULTS}|"
    r"number|value|information|data|text|page|list|heading|title|code|table)\b)",
    re.IGNORECASE,
)
_OBJECT: Final = re.compile(
    r"\w+\s+(?:\w+\s+(?:of|for|from)\s+)?(?:the|that|this|these|those)\s+(?P<nouns>\w+(?:\s+\w+){0,2})", re.IGNORECASE
)
_NO_OBJECT: Final = re.compile(r"\w+\s*(?:$|[.!?]|(?:in|as|to|into|for|by|using|with|briefly|again)\b)", re.IGNORECASE)
_SAYS_FILES: Final = re.compile(
    r"\b(?:the|this|that|these|those|my|attached|uploaded|all|both|each|every)\s+(?:\w+\s+)?"
    r"(?P<noun>files?|csvs?|tables?|documents?|spreadsheets?|datasets?|data|attachments?|images?|pdfs?)\b",
    re.IGNORECASE,
)
_ORDINAL_FILE: Final = re.compile(
    r"\b(?P<ordinal>first|second|third|last)\s+(?:file|csv|table|document|dataset)\b", re.IGNORECASE
)
_ORDINAL_PLACES: Final = {"first": 0, "second": 1, "third": 2, "last": -1}
_ANY_MATERIAL: Final = stems(
    "text page content summary data heading title code report table numbers list article program"
)
_PRONOUN_WORDS: Final = 7
_READ_CHARS: Final = 2_000


def earlier(text: str, before: Sequence[str], used: frozenset[int] = frozenset()) -> frozenset[int]:
    """Return the places (from 0) of the parts in `before` whose results `text` needs.

    `used`: places whose results another part has already taken up: "the results" are those of the others.
    """
    if not before:
        return frozenset()
    masked = mask(text[:_READ_CHARS])
    count = len(before)
    if named := _named(masked, count):
        return named
    if _ALL.search(masked):
        return frozenset(range(count))
    if _LOOSE.search(masked):
        return frozenset(range(count)) - used or frozenset({count - 1})
    return frozenset({count - 1}) if refers_back(text) else _object_of(masked, before)


def _named(masked: str, count: int) -> frozenset[int]:
    """Return the parts named by number: "step 2", "the first result"; none for what does not exist."""
    numbers = {int(number) for found in _STEP.finditer(masked) for number in re.findall(r"\d+", found["numbers"])}
    for found in _ORDINAL.finditer(masked):
        ordinal = found["ordinal"].lower()
        numbers.add(count if ordinal == "last" else _ORDINALS.index(ordinal) + 1)
    return frozenset(number - 1 for number in numbers if 1 <= number <= count)


def refers_back(text: str) -> bool:
    """Tell whether a text speaks of something said before it: "it", "the result", "summarize in two sentences"."""
    masked = mask(text[:_READ_CHARS])
    if speaks_of_results(masked):
        return True
    pronoun = _PRONOUN.search(masked)
    if pronoun and FILLER not in masked[: pronoun.start()]:
        return len(words(masked[: pronoun.start()])) < _PRONOUN_WORDS
    return _verb(masked) in TRANSFORMING_VERBS and FILLER not in masked and bool(_NO_OBJECT.match(masked))


def files(text: str, attached: Sequence[str]) -> tuple[str, ...]:
    """Return the attached files a text speaks of: by name, by name without ending, by place, or as "the file"."""
    named = tuple(
        name
        for name in attached
        if name in text or (len(stem := name.rsplit(".", 1)[0]) > 2 and re.search(rf"\b{re.escape(stem)}\b", text))
    )
    if named or not attached:
        return named
    if found := _ORDINAL_FILE.search(text):
        place = _ORDINAL_PLACES[found["ordinal"].lower()]
        return (attached[place],) if place < len(attached) else ()
    if found := _SAYS_FILES.search(text):
        ending = "." + found["noun"].lower().rstrip("s")
        return tuple(name for name in attached if name.lower().endswith(ending)) or tuple(attached)
    return ()


def speaks_of_results(text: str) -> bool:
    """Tell whether a text speaks of results: "the result", "all answers", "the findings"."""
    return any(pattern.search(text[:_READ_CHARS]) for pattern in (_RESULT, _ALL, _LOOSE))


def _object_of(masked: str, before: Sequence[str]) -> frozenset[int]:
    """Find the part that "translate the heading" speaks of: the last one with that noun."""
    found = _OBJECT.match(masked)
    if found is None or FILLER in masked or _verb(masked) not in TRANSFORMING_VERBS:
        return frozenset()
    nouns = stems(found["nouns"])
    for place in range(len(before) - 1, -1, -1):
        if nouns & stems(before[place][:_READ_CHARS]):
            return frozenset({place})
    return frozenset({len(before) - 1}) if nouns & _ANY_MATERIAL else frozenset()


def _verb(text: str) -> str:
    return next(iter(words(text[:100])), "")
