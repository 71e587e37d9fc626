"""Criteria that need no model: a small language of checks on a text, written as people say them. Pure.

    contains "total" and "EUR"        does not mention "draft"        matches /\\d+ EUR/
    at most 100 words                 between 2 and 4 sentences       at least 3 lines
    is valid JSON                     fits the schema {"type": "object", "required": ["total"]}
    starts with "Dear"                is "yes"                        is not empty

"The answer", "it", "must" and the like before them do not count, nor does letter case, but in /…/.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from pydantic import JsonValue

from orchestrator_service import schemas
from orchestrator_service.planning.team import PASSES, Evaluation
from shared.agent import JsonObject
from shared.strict_json import JsonError, parse

_QUOTED: Final = r"(?:\"[^\"]+\"|'[^']+'|“[^”]+”|«[^»]+»)"
_LIST: Final = rf"{_QUOTED}(?:\s*(?:,|and|,\s*and|or|,\s*or)\s*{_QUOTED})*"
_LEAD: Final = re.compile(
    r"\A\s*(?:(?:the\s+)?(?:answer|output|result|text|reply|response|page|it)\s+)?"
    r"(?:(?:must|should|has\s+to|shall|does|needs\s+to)\s+)?(?:be\s+(?=(?:at|between|exactly|valid|json))|have\s+|has\s+)?",
    re.IGNORECASE,
)
_CONTAINS: Final = re.compile(
    rf"(?P<no>(?:does\s+|do\s+)?not\s+)?(?P<verb>contains?|mentions?|includes?|shows?|starts?\s+with|begins?\s+with|"
    rf"ends?\s+with|is|equals?)\s+(?P<values>{_LIST})\s*\.?",
    re.IGNORECASE,
)
_MATCHES: Final = re.compile(r"(?P<no>(?:does\s+|do\s+)?not\s+)?match(?:es)?\s+/(?P<pattern>.+)/\s*\.?", re.IGNORECASE)
_UNITS: Final = r"(?P<unit>words?|characters?|chars?|letters|lines?|sentences?|paragraphs?)"
_LENGTH: Final = re.compile(
    rf"(?:is\s+|are\s+)?(?:(?P<way>at\s+most|no\s+more\s+than|up\s+to|at\s+least|no\s+fewer\s+than|exactly|"
    rf"fewer\s+than|less\s+than|more\s+than)\s+(?P<number>\d[\d,]*)|"
    rf"between\s+(?P<low>\d[\d,]*)\s+and\s+(?P<high>\d[\d,]*))\s+{_UNITS}(?:\s+long)?\s*\.?",
    re.IGNORECASE,
)
_JSON: Final = re.compile(r"(?:is\s+)?(?:valid\s+)?JSON\s*\.?", re.IGNORECASE)
_SCHEMA: Final = re.compile(
    r"(?:fits?|match(?:es)?|follows?)\s+(?:the\s+|this\s+)?(?:JSON\s+)?schema:?\s*(?P<schema>\{.*\})\s*\.?",
    re.IGNORECASE | re.DOTALL,
)
_EMPTY: Final = re.compile(r"(?:is\s+|be\s+)?not\s+(?:be\s+)?empty\s*\.?", re.IGNORECASE)
_SENTENCE_END: Final = re.compile(r"[.!?…][\"')»”]*(?=\s|\Z)")
_FENCED: Final = re.compile(r"\A\s*```\w*\s*\n(.*)\n\s*```\s*\Z", re.DOTALL)
_MOST_ERRORS: Final = 3
_SHOWN: Final = 160


@dataclass(frozen=True, slots=True)
class Score:
    """How well an answer meets a criterion, 0 to 1, and why. `by` is "check" or "model"."""

    criterion: str
    score: float
    reason: str
    by: str = "check"

    def to_json(self) -> JsonObject:
        """Return it as the API shows it."""
        return {"criterion": self.criterion, "score": self.score, "reason": self.reason, "by": self.by}


Check: TypeAlias = Callable[[str, Sequence[JsonValue]], str]
"""Tells what of an answer (its text and JSON parts) does not meet a criterion; an empty text if nothing."""


def check_of(criterion: str) -> Check | None:
    """Return the check that the criterion states; None for one that only a model can judge."""
    words = _LEAD.sub("", criterion.strip(), count=1)
    if found := _CONTAINS.fullmatch(words):
        return _says(found)
    if found := _MATCHES.fullmatch(words):
        return _pattern(found["pattern"], is_wanted=found["no"] is None)
    if found := _LENGTH.fullmatch(words):
        return _length(found)
    if found := _SCHEMA.fullmatch(words):
        return _schema(found["schema"])
    if _JSON.fullmatch(words):
        return _is_json
    return _is_said if _EMPTY.fullmatch(words) else None


def for_a_model(criteria: Sequence[str]) -> list[str]:
    """Return those of the criteria that only a model can judge."""
    return [criterion for criterion in criteria if check_of(criterion) is None]


def apply(criteria: Sequence[str], text: str, data: Sequence[JsonValue] = ()) -> list[Score]:
    """Return the scores by those of the criteria that are checks: 1 or 0."""
    scores: list[Score] = []
    for criterion in criteria:
        if (check := check_of(criterion)) is not None:
            wrong = check(text, data)
            scores.append(Score(criterion, 0.0 if wrong else 1.0, wrong or "It is so."))
    return scores


def mean(scores: Sequence[Score]) -> float:
    """Return the mean of the scores."""
    return round(sum(score.score for score in scores) / max(len(scores), 1), 3)


def passes(wish: Evaluation, scores: Sequence[Score]) -> bool:
    """Tell whether an answer with these scores is good enough."""
    if wish.threshold is not None:
        return mean(scores) >= wish.threshold
    return all(score.score >= (1.0 if score.by == "check" else PASSES) for score in scores)


def _says(found: re.Match[str]) -> Check:
    values = [value[1:-1] for value in re.findall(_QUOTED, found["values"])]
    verb, is_wanted = found["verb"].lower().split()[0].rstrip("s"), found["no"] is None
    is_any = verb in {"i", "equal"} or re.search(rf"{_QUOTED}(?:\s*,)?\s*or\s*{_QUOTED}", found["values"]) is not None

    def holds(text: str, value: str) -> bool:
        there, sought = _folded(text), _folded(value)
        match verb:
            case "start" | "begin":
                return there.startswith(sought)
            case "end":
                return there.endswith(sought)
            case "i" | "equal":
                return there == sought
            case _:
                return sought in there

    def check(text: str, data: Sequence[JsonValue]) -> str:
        del data
        met = [value for value in values if holds(text, value)]
        if not is_wanted:
            return f"It does so: {met[0]!r}." if met else ""
        missing = [value for value in values if value not in met]
        is_met = bool(met) if is_any else not missing
        return "" if is_met else f"It does not: {' or '.join(map(repr, missing))}."

    return check


def _pattern(pattern: str, *, is_wanted: bool) -> Check | None:
    """Return the check by an engine whose time grows with the text only; None for a pattern that it does not know."""
    import jsonschema_rs  # noqa: PLC0415 - 10 MB that only these checks need

    options = jsonschema_rs.RegexOptions()
    try:
        validator = jsonschema_rs.validator_for({"pattern": pattern}, offline=True, pattern_options=options)
    except ValueError:
        return None

    def check(text: str, data: Sequence[JsonValue]) -> str:
        del data
        if validator.is_valid(text) == is_wanted:
            return ""
        return f"It {'does not match' if is_wanted else 'matches'} /{pattern}/."

    return check


def _length(found: re.Match[str]) -> Check:
    unit = found["unit"].lower().rstrip("s")
    low, high = _limits(found)

    def check(text: str, data: Sequence[JsonValue]) -> str:
        del data
        there = _count(text, unit)
        too_few, too_many = low is not None and there < low, high is not None and there > high
        return f"It has {there:,} {unit}s." if too_few or too_many else ""

    return check


def _limits(found: re.Match[str]) -> tuple[int | None, int | None]:
    if found["low"] is not None:
        return int(found["low"].replace(",", "")), int(found["high"].replace(",", ""))
    number = int(found["number"].replace(",", ""))
    match " ".join(found["way"].lower().split()):
        case "at most" | "no more than" | "up to":
            return None, number
        case "at least" | "no fewer than":
            return number, None
        case "fewer than" | "less than":
            return None, number - 1
        case "more than":
            return number + 1, None
        case _:
            return number, number


def _count(text: str, unit: str) -> int:
    match unit:
        case "word":
            return len(text.split())
        case "line":
            return len([line for line in text.splitlines() if line.strip()])
        case "sentence":
            return len([part for part in _SENTENCE_END.split(text) if part.strip()])
        case "paragraph":
            return len([part for part in re.split(r"\n\s*\n", text) if part.strip()])
        case _:
            return len(text)


def _json_of(text: str, data: Sequence[JsonValue]) -> tuple[JsonValue, str]:
    """Return the JSON that an answer is, or brings beside its text; and why there is none, if there is none."""
    try:
        return parse((found[1] if (found := _FENCED.match(text)) else text).encode(errors="replace")), ""
    except JsonError as error:
        return (data[0], "") if data else (None, f"It is no JSON: the text {error}.")


def _is_json(text: str, data: Sequence[JsonValue]) -> str:
    return _json_of(text, data)[1]


def _schema(written: str) -> Check | None:
    try:
        schema = parse(written.encode())
    except JsonError:
        return None
    if (validator := schemas.validator_of(schema if isinstance(schema, dict) else {})) is None:
        return None

    def check(text: str, data: Sequence[JsonValue]) -> str:
        value, wrong = _json_of(text, data)
        if wrong:
            return wrong
        found = islice(validator.iter_errors(value), _MOST_ERRORS)
        told = [f"/{'/'.join(map(str, error.instance_path))}: {error.message[:_SHOWN]}" for error in found]
        return f"It does not fit: {'; '.join(told)}" if told else ""

    return check


def _is_said(text: str, data: Sequence[JsonValue]) -> str:
    return "" if text.strip() or data else "It is empty."


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
