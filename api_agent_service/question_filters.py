"""Conditions in a question: "where city is Paris", "in 2024", "price above 10", "between 5 and 10", "in March"."""

import re
from collections.abc import Callable
from dataclasses import replace
from re import Pattern

from api_agent_service.query import Filter, Operator
from api_agent_service.question_items import Item, codes
from api_agent_service.vocabulary import FALSE_WORDS, TRUE_WORDS, Vocabulary

_LITERAL = "[NYDQVM]"
_EXACT = 2**53
_SWITCHING = frozenset({"is", "are", "was", "were", "be", "is not", "are not", "isn't", "of", "for"})
"""Words before a column of 0 and 1 that make it a condition: not "=", as in "price = quantity"."""


def spell_out(items: list[Item]) -> list[Item]:
    """Return the items with what conditions leave out: "price above 15 but below 45", "a price of at least 30"."""
    items = list(items)
    for place, item in enumerate(items):
        if item.text.casefold() == "but" and place:
            after = codes(items[place + 1 :])
            code = "&" if re.match("I?[XS]", after) else "x" if re.match("P?V", after) else item.code
            items[place] = replace(item, code=code)
    while match := re.search(r"C(P)(?=X)|(?<=w)C(P)(?=N)", codes(items)):
        if items[match.end() - 1].text != "of":
            break
        del items[match.end() - 1]
    while match := re.search(rf"CI?[XS]{_LITERAL}&+(?=I?[XS]{_LITERAL})", codes(items)):
        items.insert(match.end(), items[match.start()])
    return items


def take_filters(items: list[Item], vocabulary: Vocabulary) -> tuple[list[Item], list[Filter]]:
    """Return the items that are no conditions, and the conditions."""
    filters: list[Filter] = []
    for pattern, make in _RULES:
        place = 0
        while match := pattern.search(codes(items), place):
            found = make(items[match.start() : match.end()], vocabulary)
            if found:
                filters += found
                items = items[: match.start()] + items[match.end() :]
            place = match.start() if found else match.start() + 1
    return items, filters


def _between(items: list[Item], vocabulary: Vocabulary) -> list[Filter]:
    low, high = [item for item in items if item.code in "NYD"]
    column = _compared_column(items, vocabulary)
    return [_filter(column, ">=", low), _filter(column, "<=", high)] if column else []


def _compared(items: list[Item], vocabulary: Vocabulary) -> list[Filter]:
    operator = next(item.meaning for item in items if item.code in "XS")
    column = _compared_column(items, vocabulary)
    return [_filter(column, operator, items[-1])] if column and operator != "between" else []


def _equal(items: list[Item], _vocabulary: Vocabulary) -> list[Filter]:
    column = next(item.column for item in items if item.code == "C")
    negated = any(item.code == "x" for item in items)
    last = items[-1]
    elsewhere = last.code == "V" and column not in {last.column, *last.others}
    if elsewhere and not any(item.code == "w" for item in items):  # "how many products are open"
        return []
    return [_filter(column, "!=" if negated else "=", last)]


def _missing(items: list[Item], _vocabulary: Vocabulary) -> list[Filter]:
    column = next(item.column for item in items if item.code == "C")
    present = any(item.code == "x" or item.meaning == "!=" for item in items)
    return [Filter(column=column, operator="present" if present else "missing")]


def _lacking(items: list[Item], _vocabulary: Vocabulary) -> list[Filter]:
    lacks = any(item.text in {"no", "without"} for item in items)
    return [Filter(column=items[-1].column, operator="missing")] if lacks else []


def _told(items: list[Item], vocabulary: Vocabulary) -> list[Filter]:
    """Return a condition on a column of truth values whose value is said: "shipped is no"."""
    column = next(item.column for item in items if item.code == "C")
    word = items[-1].text.casefold()
    value = vocabulary.truth(column, of=word in TRUE_WORDS)
    if word not in TRUE_WORDS | FALSE_WORDS or value is None:
        return []
    return [Filter(column=column, operator="!=" if items[-2].code == "x" else "=", value=value)]


def _flagged(items: list[Item], vocabulary: Vocabulary) -> list[Filter]:
    """Return a condition on a column of truth values that says it by its name: "shipped orders", "were not shipped"."""
    column = items[-1].column
    if vocabulary.kinds[column] != "boolean" or any(item.code == "X" and item.meaning != "!=" for item in items):
        return []
    negated = any(item.code in "xX" for item in items)
    return [Filter(column=column, operator="=", value="false" if negated else "true")]


def _switched(items: list[Item], vocabulary: Vocabulary) -> list[Filter]:
    """Return a condition on a column of 0 and 1, where words around it tell that it is one: "how many are active"."""
    column = items[-1].column
    if column not in vocabulary.flags or any(item.text not in _SWITCHING for item in items[:-1] if item.code in "IXP"):
        return []
    negated = any(item.code in "xX" for item in items)
    return [Filter(column=column, operator="=", value=vocabulary.truth(column, of=not negated))]


def _period(items: list[Item], vocabulary: Vocabulary) -> list[Filter]:
    """Return a condition on year, month or both: of a column of that name, else of the first column with dates."""
    found: list[Filter] = []
    for code, part in (("Y", "year"), ("M", "month")):
        item = next((item for item in items if item.code == code), None)
        if item is None:
            continue
        dates = vocabulary.of_kind("date", "datetime")
        column = vocabulary.column(part, fuzzy=False) or (dates[0] if dates else None)
        if column is None:
            return []
        operator: Operator = "year" if part == "year" else "month"
        value = float(item.meaning) if vocabulary.kinds[column] != "text" else item.text
        found.append(Filter(column=column, operator=operator, value=value))
    return found


def _valued(items: list[Item], _vocabulary: Vocabulary) -> list[Filter]:
    if any(item.others for item in items):
        return []
    negated = any(item.code == "x" or item.meaning == "!=" for item in items)
    return [_filter(item.column, "!=" if negated else "=", item) for item in items if item.code == "V"]


_Make = Callable[[list[Item], Vocabulary], list[Filter]]
_RULES: tuple[tuple[Pattern[str], _Make], ...] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        (r"w?(?<![AHLU])CI?X[NYD]&[NYD]", _between),
        (r"I?[Xw]?X[YD]&[YD]", _between),
        (rf"(?<!w[AHLK])[&Pw]*CI?[XS](?:{_LITERAL}|W)", _compared),
        (r"[Pw&]*S[YD]", _compared),
        (r"[Pw&]*CI?X?x?0|w0P?C|0P?C", _missing),
        (r"[Pw&]*CI?x?[Wx]", _told),
        (r"(?<![BUAHLTtX])(?<![BC]C&)(?<!Z&)[Pw]*(?:Ix?|x|X)?C(?!X|I[xXSWVNYDQM0C])", _flagged),
        (
            r"(?:(?<!G)(?:Ix?|X)|wx?|(?<=[K%])x?|(?<=K[WR])x?|(?<=%R)|(?<=[AHL]C)|(?<=[CR])(?<![BZ&]C)P)C(?!I?[XSNYDQVM0]|I[xWC])",
            _switched,
        ),
        (r"[Pw&]*xC(?![IX])", _lacking),
        (rf"[Pw&]*CIx?{_LITERAL}|[Pw&]*w[Pw&]*CI?x?(?:{_LITERAL}|W)", _equal),
        (r"[Pw]MY?|PY|(?<=C)Y", _period),
        (r"[PwxI]*(?:X(?=V))?V(?:&V)*", _valued),
    )
)


def _compared_column(items: list[Item], vocabulary: Vocabulary) -> str | None:
    """Return the column that is compared, if its kind allows it: the one named, else the first with dates."""
    dates = vocabulary.of_kind("date", "datetime")
    column = next((item.column for item in items if item.code == "C"), None)
    if column is None:
        return dates[0] if dates else None
    dated = any(item.code == "D" for item in items) or (any(item.code == "S" for item in items) and bool(dates))
    return None if dated and column not in dates else column


def _filter(column: str, operator: str, item: Item) -> Filter:
    value = item.meaning or item.text
    number = item.code in "NY" and abs(float(value)) < _EXACT
    return Filter(column=column, operator=operator, value=float(value) if number else value)  # pyright: ignore[reportArgumentType] - checked by pydantic
