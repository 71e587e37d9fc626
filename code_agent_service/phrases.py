"""Plain words to Python, for what can be computed from the words alone: arithmetic, lists of numbers, primes, counts.

Pure. It never guesses: a phrase that is not understood as a whole is not translated. The computing itself is done by
the program, in the sandbox.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from code_agent_service import arithmetic

MAX_NUMBERS = 10_000
"""Most numbers that are taken out of a text."""

_MAX_PHRASE_CHARS = 2_000
_MAX_PHRASES = 100
_MAX_UNREAD, _MAX_UNREAD_CHARS = 5, 200


@dataclass(frozen=True, slots=True)
class Formula:
    """A Python expression; `setup` are the lines that it needs before it, `label` the words it was made from."""

    label: str
    expression: str
    setup: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What words ask to compute, in their order, and the `unread` parts of them, which no formula answers."""

    formulas: tuple[Formula, ...] = ()
    unread: tuple[str, ...] = ()


_Translation: TypeAlias = tuple[str, tuple[str, ...]]
"""An expression and its setup."""

_Context: TypeAlias = Callable[[], str]
"""Gives the text around a phrase, which it may refer to."""

_ASK = re.compile(
    r"\b(?P<strong>compute|calculate|evaluate|work out)\b[:\s]+"
    r"|\b(?:what(?:'s| is| are)|how much (?:is|are)|find|determine|give me|tell me|print|show|get"
    r"|(?=how many|count|is))(?:\s*:\s*|\s+|\b)",
    re.IGNORECASE,
)
_MEANS = r"(?:python|code|sandbox|program|script|interpreter|code agent)"
_BY_MEANS = (
    r"(?:with|using|use|by|in|via|by running|inside)\s+(?:(?:a|an|the|some|your)\s+)?"
    rf"(?:(?:small|short|little|python)\s+)*{_MEANS}(?:\s+{_MEANS})?"
)
_QUALIFIER = re.compile(
    rf"\b(?:{_BY_MEANS}|for me|please"
    r"|and (?:show|print|report|tell me|give me|return|answer with) (?:it|that|the (?:result|answer|value|number)))"
    r"[\s.!?]*$",
    re.IGNORECASE,
)
_LEAD = re.compile(
    rf"^(?:{_BY_MEANS}[\s,:]+)?(?:the\s+)?(?:(?:exact\s+)?(?:result|value|answer|outcome)\s+(?:of|to)\s+)?(?:the\s+)?",
    re.IGNORECASE,
)
_EARLIER = r'^Result of step \d+ \([^\n]*\):\n(?=""")'
_EARLIER_HEAD = re.compile(_EARLIER, re.MULTILINE)
_EARLIER_STEP = re.compile(rf'{_EARLIER}"""\n.*?^"""$', re.MULTILINE | re.DOTALL)
_POLITE = re.compile(
    r"(?:\W|\b(?:hello|hi|hey|thanks?|you|a lot|very much|in advance|please|can|could|would|and|then|to"
    rf"|{_BY_MEANS})\b)+",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"\b(?:what(?:'s| is| are)?|how|why|who|when|where|which|find|determine|give me|tell me|if|unless|otherwise)\b"
    r"|^\W*(?:\d+[.)]\s*)?(?:then|and|also|finally|next|now|add|subtract|multiply|divide|round|convert|write|save|say"
    r"|show|print|explain|sort|list|draw|plot|compare|check|translate|repeat)\b|\?\s*$|\band\W*$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.?;])(?=\s)|,?\s+(?:and\s+)?then\b", re.IGNORECASE)
_PART_END = re.compile(r"[.?;](?=\s|$)|\n|,?\s+(?:and\s+)?then\b", re.IGNORECASE)

_PLAIN_NUMBER = r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?"
_DIGITS = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_FOUND_NUMBER = re.compile(
    rf"(?<![\w.,/:#-])(?:(?<=\s)|(?<=[\[(|$€£])|^){_PLAIN_NUMBER}(?![\w/:]|[-.,]\d)", re.MULTILINE
)
_NOT_A_VALUE = re.compile(  # what numbers a list, a citation, or something named by its number
    r"^[^\S\n]*\d+[.)]\s|\[\d+\]|\b(?:step|task|page|section|chapter|figure|table|version|line|no\.|source)\s+\d+\b",
    re.MULTILINE | re.IGNORECASE,
)

_STATISTICS = "import statistics"
_OVER_NUMBERS: dict[str, _Translation] = {
    "sum": ("sum({})", ()),
    "total": ("sum({})", ()),
    "average": ("statistics.mean({})", (_STATISTICS,)),
    "mean": ("statistics.mean({})", (_STATISTICS,)),
    "arithmetic mean": ("statistics.mean({})", (_STATISTICS,)),
    "median": ("statistics.median({})", (_STATISTICS,)),
    "mode": ("statistics.multimode({})", (_STATISTICS,)),
    "standard deviation": ("statistics.stdev({})", (_STATISTICS,)),
    "variance": ("statistics.variance({})", (_STATISTICS,)),
    "min": ("min({})", ()),
    "minimum": ("min({})", ()),
    "smallest": ("min({})", ()),
    "lowest": ("min({})", ()),
    "max": ("max({})", ()),
    "maximum": ("max({})", ()),
    "largest": ("max({})", ()),
    "highest": ("max({})", ()),
    "biggest": ("max({})", ()),
    "product": ("math.prod({})", ("import math",)),
}
_OVER = re.compile(
    rf"(?P<what>{'|'.join(sorted(_OVER_NUMBERS, key=len, reverse=True))})(?:\s+(?:value|number|one))?"
    r"\s+(?:of|from|in|among)\s+(?P<words>[^\d:]*?):?\s*(?P<list>(?<![a-z])[-+\[(]?\s*\d.*)?",
    re.IGNORECASE,
)

_ABOUT_NUMBERS = re.compile(
    r"a|above|all|an|and|below|column|data|entries|figures|file|following|from|given|her|here|his|in|integers|its|items"
    r"|list|listed|my|numbers?|of|our|set|table|text|the|their|these|this|those|values?|your"
)
_CHANGES_NUMBERS = re.compile(
    r"squares?|cubes?|roots?|digits?|reciprocals?|inverses?|factorials?|factors?|divisors?|multiples?|powers?|log\w*"
    r"|differences?|products?|sums?|half|halves|double|triple|absolute|even|odd|primes?|positive|negative|non|unique"
    r"|distinct|different|first|last|top|bottom|middle|every|each|other|others|one|two|three|four|five|larg\w+|small\w+"
    r"|high\w+|low\w+|big\w+|great\w+|less|least|more|most|than|over|under|after|before|between|with|without|except"
    r"|excluding|but|only|not|no|or|that|which|whose|who|where|when|if|unless|by|per|minus|plus|times|lengths?|\w+ed"
)
_MAX_FREE_WORDS = 2  # "the unit prices"

_PRIMES = (
    "def primes():",
    "    known, number = [], 2",
    "    while True:",
    "        if all(number % prime for prime in known if prime * prime <= number):",
    "            known.append(number)",
    "            yield number",
    "        number += 1",
    "",
)
_ITERTOOLS = "import itertools"
_PRIME_FACTORS = (
    "def prime_factors(number):",
    "    factors, divisor = [], 2",
    "    while divisor * divisor <= number:",
    "        while number % divisor == 0:",
    "            factors.append(divisor)",
    "            number //= divisor",
    "        divisor += 1",
    "    return factors + [number] * (number > 1)",
    "",
)
_FIBONACCI = (
    "def fibonacci(count):",
    "    numbers, a, b = [], 0, 1",
    "    for _ in range(count):",
    "        a, b = b, a + b",
    "        numbers.append(a)",
    "    return numbers",
    "",
)
_TAKE = "list(itertools.islice(primes(), {}))"
_BELOW = "list(itertools.takewhile(lambda prime: prime {}, primes()))"
_INTEGERS = r"(?:(?:whole |natural |positive )*(?:numbers|integers))"
_RANGE = r"(?:(?:from )?(\d+) (?:to|through|up to) (\d+)|between (\d+) and (\d+))(?: inclusive)?"
_BOUND = r"(?:are )?(?:there )?(?:that are )?(below|under|less than|smaller than|up to)"
_NUMBER = r"-?\d+(?:\.\d+)?"
_ORDER = r"(?:(?: in)? (ascending|(descending))(?: order)?)?"
_DATE = r"(\d{4}-\d\d-\d\d)"

_PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], _Translation]], ...] = (
    (
        rf"sum of (?:all |the )*(?:(even|odd) )?{_INTEGERS}?\s*{_RANGE}",
        lambda m: _sum_of_range(m[2] or m[4], m[3] or m[5], m[1]),
    ),
    (
        rf"sum of (?:all |the )*squares of (?:all |the )*{_INTEGERS} {_RANGE}",
        lambda m: (f"sum(number**2 for number in range({m[1] or m[3]}, {m[2] or m[4]} + 1))", ()),
    ),
    (
        rf"sum of (?:the )?first (\d+) {_INTEGERS}",
        lambda m: _sum_of_range("1", m[1], None),
    ),
    (r"(sum of )?(?:the )?first (\d+) prime(?: number)?s", lambda m: _primes(_TAKE.format(m[2]), m[1])),
    (
        rf"(sum of |how many |number of |count )?(?:all )?(?:the )?prime(?: number)?s {_BOUND} (\d+)",
        lambda m: _primes(_BELOW.format(f"{'<=' if m[2].lower() == 'up to' else '<'} {m[3]}"), m[1]),
    ),
    (r"(\d+)(?:st|nd|rd|th) prime(?: number)?", lambda m: _primes(f"{_TAKE.format(m[1])}[-1]", None)),
    (
        r"is (\d+) (?:a )?prime(?: number)?|(?:whether )?(\d+) is (?:a )?prime(?: number)?",
        lambda m: (f"prime_factors({m[1] or m[2]}) == [{m[1] or m[2]}]", _PRIME_FACTORS),
    ),
    (
        r"prime (?:factors|factori[sz]ation) of (\d+)|factori[sz]e (\d+)",
        lambda m: (f"prime_factors({m[1] or m[2]})", _PRIME_FACTORS),
    ),
    (
        rf"sort (?:the )?(?:numbers )?({_NUMBER}(?:(?:, and|,| and) ?{_NUMBER})+){_ORDER}",
        lambda m: (f"sorted([{', '.join(re.findall(_NUMBER, m[1]))}]{', reverse=True' if m[3] else ''})", ()),
    ),
    (r"first (\d+) fibonacci numbers", lambda m: (f"fibonacci({m[1]})", _FIBONACCI)),
    (
        r"(\d+)(?:st|nd|rd|th) fibonacci number|fib(?:onacci)?(?: number| of)?\s*\(?(\d+)\)?",
        lambda m: (f"fibonacci({m[1] or m[2]})[-1]", _FIBONACCI),
    ),
    (
        r"(?:gcd|greatest common divisor|(lcm|least common multiple)) of (\d+(?:(?:, | and |, and )\d+)+)",
        lambda m: (f"math.{'lcm' if m[1] else 'gcd'}({', '.join(re.findall(r'[0-9]+', m[2]))})", ("import math",)),
    ),
    (
        rf"(?:how many|number of) days (?:are (?:there )?)?(between|from) {_DATE} (?:and|to|until) {_DATE}",
        lambda m: _days(m[2], m[3], is_signed=m[1].lower() == "from"),
    ),
)
_COUNT = re.compile(
    r"(?:how many|(?:the )?number of|count(?: the)?(?: number of)?) (?P<what>words|letters|characters|lines) "
    r"(?:are (?:there )?)?(?:in|of)\s*"
    r"(?P<words>(?:the |this |that )?(?:following )?(?:text|sentence|heading|title|output|result|it|that)"
    r"(?: above| below)?)?"
    r"\s*:?\s*(?P<text>.*)",
    re.IGNORECASE | re.DOTALL,
)
_COUNTS = {
    "words": "len({}.split())",
    "letters": "sum(map(str.isalpha, {}))",
    "characters": "len({})",
    "lines": "len({}.splitlines())",
}


def read(text: str) -> Reading:
    """Return what `text` asks to compute; no formulas, where it says "compute" of what is not understood."""
    text = text.strip()
    if whole := _translate(text, str):
        return Reading(tuple(whole))
    asked = _EARLIER_STEP.sub(lambda step: re.sub(r"[^\n]", " ", step[0]), text)
    found: list[Formula] = []
    spans: list[tuple[int, int]] = []
    referred: list[str] = []
    position = 0
    for _ in range(_MAX_PHRASES):
        ask = _ASK.search(asked, position)
        if ask is None:
            unread = tuple(_find_unread(asked, spans, is_about_rest=bool(referred))) if found else ()
            return Reading(tuple(found), unread)
        end = _PART_END.search(asked, ask.end(), ask.end() + _MAX_PHRASE_CHARS)
        stop = end.start() if end else len(asked)
        formulas = _translate(asked[ask.end() : stop], partial(_context, text, ask.start(), stop, referred))
        if not formulas and ask["strong"] and not _ASK.match(asked, ask.end()):  # but: "calculate what is …"
            return Reading()
        if formulas:
            found += formulas
            spans.append((ask.start(), stop))
        position = stop if formulas else max(ask.end(), ask.start() + 1)
    return Reading()


def find_numbers(text: str) -> list[str]:
    """Return the numbers that stand in `text` as values: not those of dates, addresses, names, lists and citations."""
    numbers = _FOUND_NUMBER.findall(_NOT_A_VALUE.sub(" ", text))
    return [_clean(number) for number in numbers[:MAX_NUMBERS]]


def _context(text: str, start: int, stop: int, referred: list[str]) -> str:
    """Return what a part of `text` may refer to: what follows, or else the lines before its own; note that it did."""
    before, after = text[: text.rfind("\n", 0, start) + 1], _EARLIER_HEAD.sub("", text[stop:])
    referred.append(after if find_numbers(after) else before + after)
    return referred[-1]


def _find_unread(text: str, spans: Sequence[tuple[int, int]], *, is_about_rest: bool) -> list[str]:
    """Return the parts of `text` outside `spans` that ask for something, or follow in a line that does.

    `is_about_rest`: the other lines are what the formulas are about.
    """
    rest, position = "", 0
    for start, stop in spans:
        rest += f"{text[position:start]}\0"
        position = stop
    unread: list[str] = []
    for line in f"{rest}{text[position:]}".split("\n"):
        before, read_here, after = line.partition("\0")
        if is_about_rest and not read_here:
            continue
        unread += [part for part in _SENTENCE_END.split(before) if _REQUEST.search(part)]
        unread += _SENTENCE_END.split(after.replace("\0", " "))
    parts = [" ".join(part.split()) for part in unread if not _POLITE.fullmatch(part)]
    return [part[:_MAX_UNREAD_CHARS] for part in parts if any(map(str.isalpha, part))][:_MAX_UNREAD]


def _translate(phrase: str, context: _Context) -> list[Formula]:
    """Return the formulas of `phrase`, of all of it."""
    if len(phrase) > _MAX_PHRASE_CHARS:
        return []
    phrase = _strip(phrase)
    if not phrase:
        return []
    translation = _translate_one(phrase, context)
    if translation is not None:
        return [Formula(phrase, *translation)]
    parts = [_strip(part) for part in re.split(r",?\s+and\s+", phrase)]
    if not parts[0][:1].isdigit() and any(part[:1].isdigit() for part in parts):
        return []  # "the sum of 3, 4 and 5 * 2": what is one, and what the other?
    translations = [_translate_one(part, str) for part in parts]
    known = [(part, one) for part, one in zip(parts, translations, strict=True) if one is not None]
    return [Formula(part, *one) for part, one in known] if len(known) == len(parts) > 1 else []


def _translate_one(phrase: str, context: _Context) -> _Translation | None:
    for pattern, build in _PATTERNS:
        match = re.fullmatch(pattern, phrase, re.IGNORECASE)
        if match:
            return build(match)
    return _over_numbers(phrase, context) or arithmetic.translate(phrase) or _count(phrase, context)


def _over_numbers(phrase: str, context: _Context) -> _Translation | None:
    match = _OVER.fullmatch(phrase)
    if match is None:
        return None
    free = [word for word in re.findall(r"[^\W\d]+", match["words"].lower()) if not _ABOUT_NUMBERS.fullmatch(word)]
    if len(free) > _MAX_FREE_WORDS or any(map(_CHANGES_NUMBERS.fullmatch, free)):
        return None
    listed = match["list"]
    numbers = find_numbers(context()) if listed is None else _read_list(listed)
    if not numbers:
        return None
    expression, setup = _OVER_NUMBERS[match["what"].lower()]
    return expression.format(f"[{', '.join(numbers)}]"), setup


def _read_list(text: str) -> list[str]:
    """Return the numbers of a list, or nothing, when it is anything else. `1,200, 3` has two, `1,200,3` three."""
    text = re.sub(r"\band\b", " ", text.strip("[]() "))
    spaced = re.search(r",\s|;|\s{3}", text)  # else a comma separates numbers, not thousands
    parts = [part for part in re.split(r",\s+|[;\s]+" if spaced else r"[,\s]+", text) if part]
    pattern = _PLAIN_NUMBER if spaced else _DIGITS
    return [_clean(part) for part in parts] if all(re.fullmatch(pattern, part) for part in parts) else []


def _count(phrase: str, context: _Context) -> _Translation | None:
    match = _COUNT.fullmatch(phrase)
    if match is None:
        return None
    text = match["text"].strip(" \n.?;:") or context().strip()
    quoted = re.fullmatch(r"([\"'“‘])(.*)[\"'”’]", text, re.DOTALL)
    text = quoted[2] if quoted else text
    if not text or (not quoted and not match["words"] and ":" not in phrase):
        return None
    return _COUNTS[match["what"].lower()].format(repr(text)), ()


def _sum_of_range(first: str, last: str, parity: str | None) -> _Translation:
    only = f" if number % 2 == {int(parity.lower() == 'odd')}" if parity else ""
    numbers = f"range({first}, {last} + 1)"
    return (f"sum(number for number in {numbers}{only})" if only else f"sum({numbers})"), ()


def _days(first: str, last: str, *, is_signed: bool) -> _Translation:
    days = f"(date.fromisoformat('{last}') - date.fromisoformat('{first}')).days"
    return (days if is_signed else f"abs({days})"), ("from datetime import date",)


def _primes(expression: str, wanted: str | None) -> _Translation:
    function = {"sum": "sum", "how": "len", "number": "len", "count": "len"}.get((wanted or "").split(" ")[0].lower())
    return (f"{function}({expression})" if function else expression), (_ITERTOOLS, "", *_PRIMES)


def _strip(phrase: str) -> str:
    phrase = phrase.strip().rstrip(".?;:").strip()
    while (shorter := _QUALIFIER.sub("", phrase).rstrip(" ,\n")) != phrase:
        phrase = shorter
    return _LEAD.sub("", phrase).strip()


def _clean(number: str) -> str:
    number = number.replace(",", "").lstrip("+")
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    return sign + (digits.lstrip("0") or "0" if digits.isdigit() else digits)
