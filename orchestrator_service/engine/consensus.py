"""Which answers say the same: by equality of what they say, whatever its form, or by meaning. Pure.

Equal are texts that differ in letter case, blanks, quotes around them, a full stop, or how a number is written; JSON
that differs in the order of keys, blanks or how a number is written; answers with the same data beside other words.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

import orjson
from pydantic import JsonValue

from shared.strict_json import JsonError, parse

_NUMBER: Final = re.compile(
    r"(?<![\w.,])[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w,])|(?<![\w.,])[+-]?\d+(?:\.\d+)?(?!\w)"
)
_FENCED: Final = re.compile(r"\A\s*```(?:json)?\s*\n(.*)\n\s*```\s*\Z", re.DOTALL)
_AROUND: Final = " \t\r\n.!;:,`'\"*_“”‘’«»"
_MOST_JSON_CHARS: Final = 1_000_000
_PHRASE: Final = 4
_NEGATIONS: Final = frozenset({"no", "not", "never", "none", "nobody", "nothing", "neither", "nor", "without", "false"})


@dataclass(frozen=True, slots=True)
class Given:
    """An answer of a round. `id` is the engine's name for it, `data` the JSON parts that came with the text."""

    id: str
    agent_name: str
    text: str
    data: tuple[JsonValue, ...] = ()


Same: TypeAlias = Callable[[Given, Given], bool]


def agreeing(answers: Sequence[Given], same: Same) -> list[list[Given]]:
    """Return the answers in groups that say the same, the largest first, then by who answered first in the list."""
    groups: list[list[Given]] = []
    for answer in answers:
        group = next((group for group in groups if any(same(answer, other) for other in group)), None)
        if group is None:
            groups.append([answer])
        else:
            group.append(answer)
    return sorted(groups, key=lambda group: -len(group))


def is_equal(one: Given, other: Given) -> bool:
    """Tell whether two answers say the same in another form."""
    if one.data and other.data and _plain_json(list(one.data)) == _plain_json(list(other.data)):
        return True
    return normal(one.text) == normal(other.text)


def may_mean_the_same(one: Given, other: Given) -> bool:
    """Tell whether two answers can be compared by meaning: whole phrases with the same numbers, both negated or none.

    Vectors of texts that differ only in those are too near each other to tell.
    """
    words = [normal(answer.text).split() for answer in (one, other)]
    if min(map(len, words)) < _PHRASE or sorted(_numbers(one)) != sorted(_numbers(other)):
        return False
    return _is_negated(words[0]) == _is_negated(words[1])


def normal(text: str) -> str:
    """Return what a text says without its form: equal for texts that `is_equal` holds for the same."""
    stripped = found[1] if (found := _FENCED.match(text)) else text
    if stripped.lstrip()[:1] in {"{", "["} and len(stripped) <= _MOST_JSON_CHARS:
        try:
            return _plain_json(parse(stripped.encode(errors="replace")))
        except JsonError:
            pass
    folded = " ".join(unicodedata.normalize("NFKC", stripped).casefold().split())
    return _NUMBER.sub(lambda number: _plain_number(number[0]), folded.strip(_AROUND)) or folded


def union(answers: Sequence[Given]) -> str:
    """Return all that was answered, what was said twice once, each with who said it."""
    parts = [
        f"*{', '.join(dict.fromkeys(answer.agent_name for answer in group))}:*\n\n{group[0].text.strip()}"
        for group in agreeing(answers, is_equal)
    ]
    return "\n\n".join(parts)


def _numbers(answer: Given) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", normal(answer.text))


def _is_negated(words: Sequence[str]) -> bool:
    return any(word in _NEGATIONS or word.endswith(("n't", "n’t")) for word in words)


def _plain_json(value: JsonValue) -> str:
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS).decode()


def _plain(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
        case bool() | None:
            return value
        case int() | float():
            return _plain_number(repr(value))
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}


def _plain_number(written: str) -> str:
    """Return a number as it is always written: no commas, no zeros at the end, no plus."""
    try:
        number = Decimal(written.replace(",", ""))
    except InvalidOperation:
        return written
    plain = f"{number:f}" if abs(number.adjusted()) < 400 else str(number)
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in {"-0", "+0"} else plain.removeprefix("+")
