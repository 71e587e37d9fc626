"""Types of columns of text: text that holds numbers, dates or truth values becomes such.

What a column may be is read off its first values; DuckDB then tries that on all of them, and a column of which too many
do not fit stays text. Every conversion is an expression in SQL, so no value passes through Python but a few samples.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from api_agent_service import database
from api_agent_service.database import Database
from api_agent_service.vocabulary import TRUE_WORDS, TRUTHS, Kind

MISSING: Final = ("", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "?")
"""What stands for a missing value, in any case, with or without blanks around it."""

UNEXPECTED: Final = "A value is not as the first ones of its column are."
"""What DuckDB's error says when a column of `expect_columns` holds something else."""

LARGEST: Final = 10**18
"""Whole numbers below it are computed with."""

TOO_LONG: Final = "The numbers in {} have more digits than are computed with exactly; they stay text."

_MISSING: Final = database.text("|".join(map(re.escape, MISSING)))
_BLANK: Final = r"[\s\x{a0}\x{2003}\x{3000}]*"
_BLANK_OR_MISSING: Final = database.text(f"{_BLANK}(?:{'|'.join(map(re.escape, MISSING))}){_BLANK}")

Shape: TypeAlias = Literal["boolean", "number", "date", "datetime"]

_SAMPLE_ROWS: Final = 1_000
_TRIED_AT_ONCE: Final = 50
_LEAST_SHARE: Final = 0.9
_LEAST_ROWS: Final = 10
_EXACT: Final = 2**53
_UNITS: Final = "$€£¥₹%"
_SIGN: Final = rf"^[+-]?[{_UNITS}]?[+-]?"
_ENGLISH: Final = rf"{_SIGN}(?:(?:[1-9]\d{{0,2}}(?:,\d{{3}})+|\d+)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s?[{_UNITS}]?$"
_EUROPEAN: Final = rf"{_SIGN}(?:[1-9]\d{{0,2}}(?:\.\d{{3}})+|\d+)(?:,\d+)?\s?[{_UNITS}]?$"
_SPACED: Final = rf"{_SIGN}\d{{1,3}}(?:[ '’\x{{a0}}\x{{202f}}]\d{{3}})+(?:[.,]\d+)?\s?[{_UNITS}]?$"
_LEADING_ZERO: Final = r"^\s*[+-]?0\d"
_PLAIN: Final = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_DATES: Final = (
    (r"\d{4}-\d{1,2}-\d{1,2}", "%Y-%m-%d", ""),
    (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d", ""),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", "%d.%m.%Y", ""),
    (r"\d{1,2}/\d{1,2}/\d{4}", "%m/%d/%Y", "month/day/year"),
    (r"\d{1,2}/\d{1,2}/\d{4}", "%d/%m/%Y", "day/month/year"),
    (r"\d{1,2}-\d{1,2}-\d{4}", "%d-%m-%Y", "day-month-year"),
    (r"\d{1,2}-\d{1,2}-\d{4}", "%m-%d-%Y", "month-day-year"),
    (r"\d{1,2} [A-Za-z]{3,9}\.? \d{4}", "%d %b %Y", ""),
    (r"\d{1,2} [A-Za-z]{3,9} \d{4}", "%d %B %Y", ""),
    (r"[A-Za-z]{3,9}\.? \d{1,2},? \d{4}", "%b %d %Y", ""),
    (r"[A-Za-z]{3,9} \d{1,2},? \d{4}", "%B %d %Y", ""),
    (r"\d{4}-\d{2}", "%Y-%m", ""),
)
_TIME: Final = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
_CLOCK: Final = f"[T ]{_TIME}"
_ZONE: Final = r"(?:Z|[+-]\d{2}:?\d{2})"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it goes into the table: how it is computed, its kind, what had to be decided, its unit."""

    name: str
    expression: str
    kind: Kind
    note: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One way to read a column, as an expression that is NULL for what does not fit.

    `fast` is a short way to the same, where all first values are plain: it is enough if it reads all the others, too.
    """

    shape: Shape
    expression: str
    fast: str = ""
    order: str = ""
    note: str = ""
    digits: str = ""  # for numbers: the value as text without anything but digits


@dataclass(frozen=True, slots=True)
class _Tried:
    """What came of a candidate: values that are present, of these not readable, and for numbers what they are like."""

    present: int
    lost: int
    is_whole: bool
    largest: float
    has_leading_zeros: bool

    @property
    def fits(self) -> bool:
        """Whether all could be read, or all but few of many."""
        few = self.present >= _LEAST_ROWS and self.lost <= (1 - _LEAST_SHARE) * self.present
        return self.lost == 0 or few


def expect_columns(store: Database, scan: str, names: Sequence[str]) -> list[Column]:
    """Return the columns of a scanned table of text, typed by what their first values let expect of the others.

    So what is plain is read only once. Computing a column fails, with `UNEXPECTED` in the error's text, at a value that
    is otherwise; `type_columns` reads such a table. Blocking. Raises: as `Database.run`.
    """
    samples = _sample(store, scan, names)
    candidates = {name: _candidates(name, samples[name]) for name in names}
    expected = {name: _expect(name, candidates[name], samples[name]) for name in names}
    rest = [name for name in names if expected[name] is None]
    decided = {column.name: column for column in _decide_all(store, scan, rest, candidates, samples)}
    return [expected[name] or decided[name] for name in names]


def type_columns(store: Database, scan: str, names: Sequence[str]) -> list[Column]:
    """Return the columns of a scanned table of text, typed by what they hold. Blocking. Raises: as `Database.run`."""
    samples = _sample(store, scan, names)
    candidates = {name: _candidates(name, samples[name]) for name in names}
    return _decide_all(store, scan, names, candidates, samples)


def _sample(store: Database, scan: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the first values of each column that are not missing."""
    rows = store.rows(f"SELECT * FROM {scan} LIMIT {_SAMPLE_ROWS}")
    texts = ([str(row[place] or "").strip() for row in rows] for place in range(len(names)))
    samples = {
        name: [value for value in values if value.lower() not in MISSING]
        for name, values in zip(names, texts, strict=True)
    }
    if len(rows) == _SAMPLE_ROWS:
        for name in (name for name, values in samples.items() if not values):
            later = store.rows(f"SELECT {_clean(name)} AS v FROM {scan} WHERE v IS NOT NULL LIMIT {_SAMPLE_ROWS}")
            samples[name] = [str(value) for (value,) in later]
    return samples


def _clean(name: str) -> str:
    """Return the text of a column without blanks around it, NULL where it stands for a missing value."""
    trimmed = database.trimmed(name)
    is_short = f"strlen({trimmed}) <= {max(map(len, MISSING))}"
    # no IN: a long list there becomes a join, with the memory of one, for each column
    is_missing = f"regexp_full_match({trimmed}, {_MISSING}, 'i')"
    return f"CASE WHEN {is_short} AND {is_missing} THEN NULL ELSE {trimmed} END"


def finite(number: str) -> str:
    """Return the expression of a number that is NULL where the number is infinite, or none."""
    return f"CASE WHEN isfinite({number}) THEN {number} END"


def _candidates(name: str, sample: Sequence[str]) -> list[_Candidate]:
    """Return the ways to read a column that most of its first values allow; none for text."""
    if not sample:
        return []
    if words := _truth_words(sample):
        listed = " ".join(f"WHEN '{word}' THEN {str(word in TRUE_WORDS).lower()}" for word in words)
        return [_Candidate("boolean", f"CASE lower({database.trimmed(name)}) {listed} END")]
    return _numbers(name, sample) or _times(name, sample)


_ENGLISH_TRUTH: Final = frozenset({"true", "false", "yes", "no"})


def _truth_words(sample: Sequence[str]) -> Collection[str]:
    """Return the words for true and false; none where there are other values. Other than English ones come in pairs."""
    found = frozenset(value.lower() for value in sample)
    return (
        _ENGLISH_TRUTH if found <= _ENGLISH_TRUTH else next((pair for pair in TRUTHS if found == frozenset(pair)), ())
    )


def _numbers(name: str, sample: Sequence[str]) -> list[_Candidate]:
    trimmed = database.trimmed(name)
    plain = f"regexp_replace({trimmed}, '[{_UNITS}\\s''’\\x{{a0}}\\x{{202f}}]', '', 'g')"
    styles = (
        (_ENGLISH, f"replace({plain}, ',', '')", f"try_cast({database.name(name)} AS DOUBLE)"),
        (_EUROPEAN, f"replace(replace({plain}, '.', ''), ',', '.')", ""),
        (_SPACED, f"replace({plain}, ',', '.')", ""),
    )
    has_two_meanings = _share(sample, _EUROPEAN) == 1 and any("." in value for value in sample)
    found: list[_Candidate] = []
    for pattern, digits, fast in styles:
        if _share(sample, _python(pattern)) < _LEAST_SHARE / 2:
            continue
        slow = f"CASE WHEN regexp_matches({trimmed}, {database.text(pattern)}) THEN try_cast({digits} AS DOUBLE) END"
        is_plain = bool(fast) and _share(sample, _PLAIN) == 1 and not has_two_meanings
        found.append(_Candidate("number", finite(slow), finite(fast) if is_plain else "", digits=digits))
    return found


def _python(pattern: str) -> str:
    return re.sub(r"\\x\{(\w+)\}", lambda match: chr(int(match[1], 16)), pattern)


def _times(name: str, values: Sequence[str]) -> list[_Candidate]:
    sample = values[:50]
    if not all(re.search(r"\d", value) and 6 <= len(value) <= 40 for value in sample):
        return []
    trimmed = database.trimmed(name)
    if _share(sample, rf"^\d{{4}}-\d{{2}}-\d{{2}}{_CLOCK}\s?{_ZONE}$") >= _LEAST_SHARE:
        expression = f"timezone('UTC', try_cast({trimmed} AS TIMESTAMPTZ))"
        return [_Candidate("datetime", expression, note=f"The times in {name} are given in UTC.")]
    found: list[_Candidate] = []
    for pattern, form, order in _DATES:
        is_named = "%b" in form or "%B" in form
        dates = f"regexp_replace({trimmed}, '[,.]', '', 'g')" if is_named else trimmed
        if _share(sample, f"^{pattern}$") >= _LEAST_SHARE:
            slow, fast = (f"CAST(try_strptime({text}, '{form}') AS DATE)" for text in (dates, database.name(name)))
            found.append(_Candidate("date", slow, fast, order))
        elif _share(sample, f"^{pattern}{_CLOCK}$") >= _LEAST_SHARE:
            found.append(_Candidate("datetime", _moment(trimmed, form, is_named=is_named), order=order))
    return found


def _moment(trimmed: str, form: str, *, is_named: bool) -> str:
    if form == "%Y-%m-%d":
        return f"try_cast({trimmed} AS TIMESTAMP)"
    spaced = f"regexp_replace({trimmed}, '(\\d)T(\\d)', '\\1 \\2')"
    if is_named:
        spaced = f"regexp_replace({spaced}, '[,.]', '', 'g')"
    clocks = ", ".join(f"'{form} {clock}'" for clock in ("%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S.%n", "%H:%M"))
    return f"try_strptime({spaced}, [{clocks}])"


def _share(values: Sequence[str], pattern: str) -> float:
    """Return the share of values that match."""
    matches: Callable[[str], object] = re.compile(pattern).match
    return sum(1 for value in values if matches(value)) / len(values)


def _expect(name: str, candidates: Sequence[_Candidate], sample: Sequence[str]) -> Column | None:
    """Return a column as its first values let expect it, None where only all values can tell."""
    if not candidates:
        return Column(name, _clean(name), "text")
    one, *others = candidates
    column = database.name(name)
    value, unexpected = one.fast or one.expression, f"error({database.text(UNEXPECTED)})"
    # no _clean: what it has twice would be computed for every row, not only for those without a value; and first, as
    # DuckDB computes once what the first condition shares with others
    is_lost = f"({value}) IS NULL AND NOT regexp_full_match({column}, {_BLANK_OR_MISSING}, 'i')"
    if one.shape != "number":
        strict = f"CASE WHEN {is_lost} THEN {unexpected} ELSE {value} END"
        return None if others else Column(name, strict, one.shape, one.note)
    numbers = [float(each) for each in sample] if one.fast else []
    if not numbers or _share(sample, _LEADING_ZERO) or max(map(abs, numbers)) >= _EXACT:
        return None
    is_whole = all(map(float.is_integer, numbers))
    has_zeros = f"{column} < '1' AND regexp_matches({column}, '{_LEADING_ZERO}')"
    is_other = f" WHEN ({value}) <> trunc({value}) OR abs({value}) >= {_EXACT} THEN {unexpected}" if is_whole else ""
    strict = f"CASE WHEN {is_lost} THEN {unexpected} WHEN {has_zeros} THEN {unexpected}{is_other} ELSE {value} END"
    return Column(name, f"CAST({strict} AS BIGINT)" if is_whole else strict, "number")


def _try_all(
    store: Database, scan: str, candidates: dict[str, list[_Candidate]]
) -> dict[str, list[tuple[_Candidate, _Tried]]]:
    """Try every candidate on all values: the short ways first, and the long ones of columns where these do not do."""
    short = [(name, replace(one, expression=one.fast)) for name, ways in candidates.items() for one in ways if one.fast]
    settled: dict[str, list[tuple[_Candidate, _Tried]]] = {name: [] for name in candidates}
    for (name, one), result in zip(short, _try(store, scan, short, is_short=True), strict=True):
        if not result.lost:
            settled[name].append((one, result))
    long = [(name, one) for name, ways in candidates.items() for one in ways if not settled[name]]
    for (name, one), result in zip(long, _try(store, scan, long, is_short=False), strict=True):
        settled[name].append((one, result))
    return settled


def _try(store: Database, scan: str, pairs: Sequence[tuple[str, _Candidate]], *, is_short: bool) -> list[_Tried]:
    """Try candidates on all values, in one pass. For short ways, whatever they do not read counts as lost."""
    if len(pairs) > _TRIED_AT_ONCE:
        rest = _try(store, scan, pairs[_TRIED_AT_ONCE:], is_short=is_short)
        return _try(store, scan, pairs[:_TRIED_AT_ONCE], is_short=is_short) + rest
    if not pairs:
        return []
    counted: list[str] = []
    for name, one in pairs:
        column, value = database.name(name), one.expression
        lost = f"CASE WHEN ({value}) IS NULL THEN {column if is_short else _clean(name)} END"
        counted += [f"count({value})", f"count({lost})"]
        if one.shape == "number":
            zeros = f"regexp_matches({column}, '{_LEADING_ZERO}')"
            counted += [f"bool_and({value} = trunc({value}))", f"max(abs({value}))", f"bool_or({zeros})"]
        else:
            counted += ["false", "0", "false"]
    row = store.row(f"SELECT {', '.join(counted)} FROM {scan}")
    found: list[_Tried] = []
    for place in range(0, len(row), 5):
        read, lost, is_whole, largest, zeros = row[place : place + 5]
        numbers = database.whole(read), database.whole(lost)
        found.append(_Tried(sum(numbers), numbers[1], bool(is_whole), float(str(largest or 0)), bool(zeros)))
    return found


def _decide_all(
    store: Database,
    scan: str,
    names: Sequence[str],
    candidates: dict[str, list[_Candidate]],
    samples: dict[str, list[str]],
) -> list[Column]:
    tried = _try_all(store, scan, {name: candidates[name] for name in names})
    found = [_decide(store, scan, name, tried[name]) for name in names]
    return [_with_unit(each, samples[each.name]) if each.kind == "number" else each for each in found]


def _decide(store: Database, scan: str, name: str, tried: Sequence[tuple[_Candidate, _Tried]]) -> Column:
    fitting = [(one, result) for one, result in tried if result.fits and result.lost < result.present]
    if not fitting or fitting[0][1].has_leading_zeros:  # zip codes, article numbers
        return Column(name, _clean(name), "text")
    fewest = min(result.lost for _, result in fitting)
    (one, result), *others = [(one, result) for one, result in fitting if result.lost == fewest]
    if one.shape == "boolean":
        return Column(name, one.expression, "boolean") if not result.lost else Column(name, _clean(name), "text")
    note = _odd(store, scan, name, one, result.lost) if result.lost else ""
    if one.shape == "number" and _is_too_long(store, scan, one, result):
        return Column(name, _clean(name), "text", TOO_LONG.format(name))
    if one.shape == "number":
        if any(_differ(store, scan, one, other) for other, _ in others):
            note = f"{_POINTS.format(name)} {note}".strip()
        return Column(name, _number(one, result), "number", note)
    ambiguous = next((other.order for other, _ in others if one.order and other.order), "")
    order = f"The dates in {name} are read as {one.order}; {ambiguous} would fit too." if ambiguous else ""
    return Column(name, one.expression, one.shape, " ".join(filter(None, (one.note, order, note))))


_POINTS: Final = "The points in {} are read as decimal points; as marks of thousands they would fit too."


def _is_too_long(store: Database, scan: str, one: _Candidate, result: _Tried) -> bool:
    """Tell whether whole numbers are too long to be told apart as such: most of them are, as ids, or two become one."""
    if not result.is_whole or result.largest < LARGEST:
        return False
    number, digits = one.expression, one.digits
    is_written_out = f"bool_and(regexp_full_match({digits}, '[+-]?\\d+'))"
    are_long = f"2 * count(*) FILTER (WHERE abs({number}) >= {_EXACT}) > count(*)"
    are_lost = f"count(DISTINCT {digits}) > count(DISTINCT {number})"
    [found] = store.row(
        f"SELECT {is_written_out} AND ({are_long} OR {are_lost}) FROM {scan} WHERE ({number}) IS NOT NULL"
    )
    return bool(found)


def _differ(store: Database, scan: str, one: _Candidate, other: _Candidate) -> bool:
    """Tell whether the points of numbers can be read in two ways; a comma before three digits marks thousands."""
    return bool(store.rows(f"SELECT 1 FROM {scan} WHERE abs({one.expression}) < abs({other.expression}) LIMIT 1"))


def _number(one: _Candidate, result: _Tried) -> str:
    if not result.is_whole or result.largest >= LARGEST:
        return one.expression
    if result.largest < _EXACT:
        return f"CAST({one.expression} AS BIGINT)"
    return f"CASE WHEN ({one.expression}) IS NOT NULL THEN try_cast({one.digits} AS BIGINT) END"


def _with_unit(column: Column, sample: Sequence[str]) -> Column:
    """Return a column of numbers with the one currency or per cent sign that they have, or a note on several."""
    units = [unit for unit in _UNITS if any(unit in value for value in sample)]
    if len(units) < 2:
        return replace(column, unit="".join(units))
    note = f"The numbers in {column.name} have several units ({', '.join(units)}), which are not converted."
    return replace(column, note=" ".join(filter(None, (column.note, note))))


def _odd(store: Database, scan: str, name: str, one: _Candidate, lost: int) -> str:
    odd = store.rows(
        f"SELECT {_clean(name)} AS v FROM {scan} WHERE v IS NOT NULL AND ({one.expression}) IS NULL LIMIT 3"
    )
    kind = {"number": "numbers", "date": "dates", "datetime": "times", "boolean": "truth values"}[one.shape]
    examples = ", ".join(repr(str(value)[:40]) for (value,) in odd)
    count = "1 value" if lost == 1 else f"{lost} values"
    return f"{count} in {name} cannot be read among the {kind} and count as missing: {examples}."
