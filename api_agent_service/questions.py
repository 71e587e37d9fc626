"""Questions in plain words → typed queries, by rules: "average price by city", "top 5 products by revenue in 2024".

A question is read as a row of items (columns, values, numbers, aggregations, words), from which conditions, groups and
measures are taken one after another. What cannot be read is told, never guessed.
"""

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

from api_agent_service.query import Aggregation, Bucket, Filter, Group, Measure, Query, label
from api_agent_service.question_filters import spell_out, take_filters
from api_agent_service.question_items import Item, codes, itemize
from api_agent_service.vocabulary import Vocabulary, is_amount, is_identifier, normalize, singular

Order: TypeAlias = Literal["descending", "ascending"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood, and what was not.

    `unknown` are words where a column should be, but is none; `unread` are conditions that could not be read;
    `ambiguous` are values that stand in several columns, with these. A question with any of them has no query.
    `ignored` are words that may have meant something in questions that have one. `rest` are the sentences that no rule
    reads at all.
    """

    queries: tuple[Query, ...] = ()
    unknown: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    ambiguous: tuple[tuple[str, tuple[str, ...]], ...] = ()
    rest: tuple[str, ...] = ()


def read(text: str, vocabulary: Vocabulary) -> Reading:
    """Return the queries that a text asks for, in order; none when it asks nothing that rules can read."""
    asked = _questions(text)
    readings = [_read_one(question, vocabulary) for question in asked]
    return Reading(
        tuple(dict.fromkeys(query for reading in readings for query in reading.queries)),
        tuple(dict.fromkeys(word for reading in readings for word in reading.unknown)),
        tuple(dict.fromkeys(word for reading in readings for word in reading.unread)),
        tuple(dict.fromkeys(word for reading in readings for word in reading.ignored)),
        tuple(dict.fromkeys(value for reading in readings for value in reading.ambiguous)),
        tuple(question for question, reading in zip(asked, readings, strict=True) if reading == Reading()),
    )


_ASKING = (
    r"how many|how much|what|which|who|when|average|mean|median|total|sum|count|number of|max|min|"
    r"(?:top|bottom) (?:\d+ )?[a-z]+|"
    r"the (?:average|total)"
)
_JOINTS = re.compile(
    rf",?\s+(?:and|then|also|as well as)\s+(?=(?:also\s+)?(?:{_ASKING})\b)|,\s+(?=(?:{_ASKING})\b)", re.IGNORECASE
)
_DRAW = r"(?:please |also |then )*(?:plot|chart|graph|draw)"
_DRAWING = re.compile(
    rf"(?:,\s*|\s+)(?:and\s+)?(?={_DRAW}\s+(?!it\b|them\b|this\b|that\b|by\b|per\b)\w)", re.IGNORECASE
)
_DRAWING_IT = re.compile(rf"\W*(?:and )?{_DRAW}\s+(?:it|them|this|that)\s+(?=by\b|per\b|over\b)", re.IGNORECASE)


def _questions(text: str) -> list[str]:
    """Return the questions in a text. "And" ends one only where what follows it groups by something of its own."""
    questions: list[str] = []
    sentences = re.split(r"[?;\n]+|[.!:](?:\s+|$)", text)
    for line in (part for sentence in sentences for part in _DRAWING.split(sentence)):
        if questions and (found := _DRAWING_IT.match(line)):  # "what is the average price? Plot it by city"
            questions.append(f"{questions[-1]} {line[found.end() :]}")
            continue
        parts = [part for part in _JOINTS.split(line) if part.strip()]
        pending = ""
        for part in parts:
            pending = f"{pending} and {part}" if pending else part
            if len(parts) > 1 and _stands_alone(part):
                questions.append(pending)
                pending = ""
        if pending:
            questions.append(pending)
    return questions


def _stands_alone(part: str) -> bool:
    words = part.split()
    return len(words) > 1 and bool(
        re.search(r"\b(?:by|per|each|in|for|where|how many|which|what|top|bottom|number of)\b", part, re.IGNORECASE)
    )


@dataclass(slots=True)
class _Question:
    """A question while it is read: the items not used yet, and what came of the others."""

    items: list[Item]
    vocabulary: Vocabulary
    groups: list[Group] = field(default_factory=list[Group])
    measures: list[Measure] = field(default_factory=list[Measure])
    unknown: list[str] = field(default_factory=list[str])
    counted: list[str] = field(default_factory=list[str])
    unranked: list[str] = field(default_factory=list[str])
    heads: list[str] = field(default_factory=list[str])
    order: Order | None = None
    limit: int | None = None
    rows: bool = False

    def take(self, pattern: str) -> list[Item]:
        """Remove and return the first items whose codes match."""
        match = re.search(pattern, codes(self.items))
        if match is None:
            return []
        taken = self.items[match.start() : match.end()]
        self.items = self.items[: match.start()] + self.items[match.end() :]
        return taken

    def adds_up(self, item: Item) -> bool:
        """Tell whether an item is a column whose numbers are amounts, no numbers of things."""
        return item.code == "C" and self.vocabulary.kinds[item.column] == "number" and not is_identifier(item.column)


def _read_one(text: str, vocabulary: Vocabulary) -> Reading:
    items = _set_ends_before(spell_out(itemize(text, vocabulary)))
    asks = any(item.code in "AHLEKUTtG%" for item in items)
    if alternatives := _alternatives(items, vocabulary):
        return Reading(unread=tuple(alternatives))  # conditions are joined by "and" only
    items, filters = take_filters(items, vocabulary)
    if asks and (ambiguous := [item for item in items if item.others]):
        return Reading(ambiguous=tuple((item.text, (item.column, *item.others)) for item in ambiguous))
    question = _Question(items, vocabulary)
    unread = [f"{one.text} {of.text}" for one, of in pairwise(items) if one.code == "%" and question.adds_up(of)]
    if question.take("%"):
        filters = _group_by_conditions(question, filters)
    _take_ranking(question)
    ranked = len(question.groups)
    _take_groups(question, filters)
    if ranked:  # "revenue by product for the top 2 cities" ranks cities first
        unread += [f"by {group.column}" for group in question.groups[ranked:]]
    _take_measures(question)
    if question.rows:  # "average quantity of the 2 cheapest products" is computed from rows that are listed only
        unread += [label(measure) for measure in question.measures[1:]]
    _take_default_measure(question, filtered=bool(filters))
    unread += question.unranked
    unread += [item.text for item in question.items if item.code in "AXSVQDMYN0xoZHLEU"]
    loose = [after.text for before, after in pairwise(question.items) if before.code in "Pw" and after.code == "W"]
    unread += [word for word in loose if word[0].isupper()]
    if question.unknown or (unread and question.measures):
        return Reading(unknown=tuple(question.unknown), unread=tuple(unread)) if asks else Reading()
    if not question.measures:
        return Reading()
    query = Query(
        measures=tuple(dict.fromkeys(question.measures))[:8],
        groups=tuple(dict.fromkeys(question.groups))[:3],
        filters=tuple(dict.fromkeys(filters))[:12],
        order=question.order,
        limit=question.limit,
        rows=question.rows,
    )
    return Reading((query,), ignored=(*question.counted, *loose))


def _set_ends_before(items: list[Item]) -> list[Item]:
    """Return the items of "in which city was the total amount highest" as those of "which city has the highest ..."."""
    found = re.search(r"G[WR]*[CZ]I?(A?C)I?([HL])$", codes(items))
    if found is None:
        return items
    return [*items[: found.start(1)], items[found.start(2)], *items[slice(*found.span(1))]]


def _alternatives(items: list[Item], vocabulary: Vocabulary) -> list[str]:
    """Return conditions after an "or" that are of something else than what stands before it."""
    found: list[str] = []
    for match in re.finditer("&(?=[PwIx]*(?:C[IXS]|P[MY]))|(?<=V)&(?=[PwIx]*V)|&(?=[PwIx]*C)", codes(items)):
        before, after = items[match.start() - 1], items[match.end() :]
        one = next(item for item in after if item.code in "CVMY")
        same = before.code == one.code == "V" and before.column == one.column
        named = one.code == "C" and not re.match("[PwIx]*C[IXS]", codes(after))
        is_condition = vocabulary.truth(one.column) is not None if named else not same
        if items[match.start()].text == "or" and is_condition:
            found.append(f"or {one.text}")
    return found


def _group_by_conditions(question: _Question, filters: list[Filter]) -> list[Filter]:
    """Ask for shares: a share of the rows with a value is seen best beside those with other values."""
    question.measures.append(Measure(aggregation="count"))
    question.groups += [Group(column=item.column) for item in filters if item.operator == "="]
    return [item for item in filters if item.operator != "="]


_LINES = frozenset({"rows", "row", "records", "record", "entries", "entry", "lines"})
_MEASURE = "(?:[AHL]?C|K[CWR]?|[AHL])"


def _take_ranking(question: _Question) -> None:
    """Take "top 5 products by revenue", "the 3 largest orders by price", "which city has the highest average price"."""
    if taken := question.take(r"&?[Tt]N$"):  # "average price by city, top 3"
        question.order = "ascending" if "t" in codes(taken) else "descending"
        question.limit = min(max(int(float(taken[-1].meaning)), 1), 1000)
        return
    if taken := question.take(
        rf"[Tt]N?[HL]?[CWRZ]*B{_MEASURE}|N[HL][CWRZ]+B{_MEASURE}|[HL]N[CWRZ]+B{_MEASURE}|[HL]ZB{_MEASURE}"
    ):
        by = next(index for index, item in enumerate(taken) if item.code == "B")
        subject, measure = taken[:by], taken[by + 1 :]
    elif taken := question.take(r"(?:G[WR]*[CZ][IWRw]*|^Cw)[HL][AK]*[CWR]?"):
        by = next(index for index, item in enumerate(taken) if item.code in "HL")
        subject, measure = taken[: by + 1], taken[by + 1 :]
        question.limit = 1
        if not measure or (measure[-1].code == "W" and singular(measure[-1].text) == measure[-1].text):
            question.unknown.append(taken[-1].text)
            return
    elif taken := question.take(r"G[WR]*w?[HL]A?C|N[WR]*w?[HL]A?C|[Tt]N?R(?!B)"):
        subject, measure = _end_of_rows(question, taken)
        question.limit = 1
        question.rows = True
        if taken[0].text.casefold() in {"top", "bottom"} and taken[-1].text.casefold() not in _LINES:
            question.unranked.append(" ".join(item.text for item in taken))
    elif taken := question.take(r"N?E[CWR]?|G[CWR]?I?E"):
        measure = [item for item in taken if item.code == "E"]
        subject = [*(item for item in taken if item.code == "N"), *(item for item in measure if item.meaning == "min")]
        question.limit = 1
        question.rows = True
    elif taken := question.take(r"[Tt]N?C"):
        subject, measure = taken, [Item("K", "count")]
        if question.adds_up(taken[-1]):  # "top 3 prices"
            measure = [taken[-1]]
            question.rows = True
    else:
        return
    codes_taken = codes(subject)
    ascending = set(codes_taken) & {"L", "t"} or any(item.meaning == "min" for item in subject)
    question.order = "ascending" if ascending else "descending"
    question.limit = next((int(float(item.meaning)) for item in subject if item.code == "N"), question.limit or 10)
    question.limit = min(max(question.limit, 1), 1000)
    groups = _named_groups(question, [item for item in subject if item.code in "CZ"])
    if question.rows or not groups:
        question.rows = True
        question.measures.append(_sorting(measure, question.order))
        if question.measures[0].column is None and "B" in codes(taken):
            question.unknown.append(taken[-1].text)
        return
    question.groups += groups
    _add_ranked_measure(question, measure, averaged="B" in codes(taken))


def _end_of_rows(question: _Question, taken: list[Item]) -> tuple[list[Item], list[Item]]:
    """Return which end is wanted, of what: "when was the last order" asks by day, "the last order" by place."""
    dates = question.vocabulary.of_kind("date", "datetime")
    if dates and question.items[:1] and normalize(question.items[0].text) == "when":
        return [Item("L" if "T" in codes(taken) else "H", "")], [Item("C", dates[0], column=dates[0])]
    return taken, [item for item in taken if item.code == "C"][-1:]


def _sorting(measure: list[Item], order: Order) -> Measure:
    column = next((item.column for item in measure if item.code in "CE"), None)
    if column is None:
        return Measure(aggregation="count")
    return Measure(aggregation="max" if order == "descending" else "min", column=column)


def _add_ranked_measure(question: _Question, measure: list[Item], *, averaged: bool) -> None:
    column = next((item.column for item in measure if item.code == "C"), None)
    if any(item.code == "K" for item in measure):
        question.measures.append(_count(question, next((item for item in measure if item.code == "C"), None)))
    elif column is None:
        if measure and measure[0].code in "AHL":
            question.unknown.append(measure[-1].text)
        else:
            question.measures.append(Measure(aggregation="count"))
    elif question.vocabulary.kinds[column] != "number" or is_identifier(column):
        question.measures.append(Measure(aggregation="distinct", column=column))
    elif named := next((item for item in measure if item.code in "AHL"), None):
        question.measures.append(Measure(aggregation=_aggregation(named), column=column))
    elif _usual_aggregation(column) == "sum":
        question.measures.append(Measure(aggregation="sum", column=column))
    else:
        extreme: Aggregation = "max" if question.order == "descending" else "min"
        question.measures.append(Measure(aggregation="mean" if averaged else extreme, column=column))


def _take_groups(question: _Question, filters: list[Filter]) -> None:
    columns = [item.column for item in filters if item.operator == "="]
    compared = len(columns) > len(set(columns)) and not set(codes(question.items)) & set("AHLKU")
    question.heads = [one.text for one, of in pairwise(question.items) if one.code == "W" and of.code == "B"]
    while taken := question.take(r"B[CZz](?:&[CZz](?![C]))*(?:PC)?|z"):
        named = [item for item in taken if item.code in "CZz"]
        of = named.pop().column if codes(taken).endswith("PC") and named[0].code != "C" else ""
        if compared and len(named) == 1 and question.adds_up(named[0]):  # "compare Paris and Rome by revenue"
            question.items.append(named[0])
            break
        question.groups += _named_groups(question, named, of)
    question.take("BR")
    if taken := question.take("BW"):
        question.unknown.append(taken[1].text)
    for column in dict.fromkeys(columns):
        if (
            columns.count(column) > 1
            and question.order is None
            and all(group.column != column for group in question.groups)
        ):
            question.groups.append(Group(column=column))


def _named_groups(question: _Question, named: list[Item], of: str = "") -> list[Group]:
    """Return groups by columns and time spans; these are `of` a column, else of the first one with dates."""
    groups: list[Group] = []
    for item in named:
        if item.code == "C":
            groups.append(Group(column=item.column))
        elif column := of or next(iter(question.vocabulary.of_kind("date", "datetime")), ""):
            groups.append(Group(column=column, bucket=_BUCKETS[item.meaning]))
        else:
            question.unknown.append(item.text)
    return groups


def _take_measures(question: _Question) -> None:
    while taken := question.take(r"[AHL](?:&?[AHL])*P?C(?:&C(?!I))*"):
        columns = [item.column for item in taken if item.code == "C"]
        question.measures += [
            Measure(aggregation=_aggregation(item), column=column)
            for column in columns
            for item in taken
            if item.code in "AHL"
        ]
    while taken := question.take(r"KU?P?C|K[RW]?|UP?C"):
        column = next((item for item in taken if item.code == "C"), None)
        question.counted += [item.text for item in taken if item.code == "W"]
        if taken[0].code == "U" and column:
            question.groups.append(Group(column=column.column))
            column = None
        question.measures.append(_count(question, column, distinct="U" in codes(taken)))
    if taken := question.take(r"[AHL](?:&?[AHL])*P?[WR]"):
        question.unknown.append(taken[-1].text)
    elif not question.measures and (taken := question.take(r"(?<!C)(?<!CI)[AHL](?:&?[AHL])*$")):
        numbers = [name for name in question.vocabulary.of_kind("number") if not is_identifier(name)]
        question.measures += [
            Measure(aggregation=_aggregation(item), column=column)
            for column in numbers[:4]
            for item in taken
            if item.code in "AHL"
        ]


def _count(question: _Question, item: Item | None, *, distinct: bool = False) -> Measure:
    """Return how many rows there are, or values of a column; of amounts, as in "how many units", how many in all."""
    if item is None:
        return Measure(aggregation="count")
    adds_up = not distinct and question.adds_up(item) and is_amount(item.column)
    return Measure(aggregation="sum" if adds_up else "distinct", column=item.column)


def _take_default_measure(question: _Question, *, filtered: bool) -> None:
    """Where groups are asked for, but not what of: the numbers that are named, else how many rows; or else rows."""
    if question.measures:
        return
    if question.groups and not question.unknown:
        kinds = question.vocabulary.kinds
        named = [item.column for item in question.items if item.code == "C" and kinds[item.column] == "number"]
        question.measures += [Measure(aggregation=_usual_aggregation(column), column=column) for column in named[:4]]
        if not question.measures:
            question.measures.append(Measure(aggregation="count"))
            question.counted += question.heads  # "profit by store", where there is no profit
    elif filtered and (totalled := _total_of_rows(question)):
        question.measures.append(Measure(aggregation="sum", column=totalled))
    elif filtered and question.take("R"):
        question.rows = True
        question.limit = 20
        question.measures.append(Measure(aggregation="count"))


def _total_of_rows(question: _Question) -> str:
    """Return the column of "total of orders", where one has that name; else nothing."""
    place = codes(question.items).find("CPR")
    item = question.items[place] if place >= 0 else None
    if item is None or not question.adds_up(item) or normalize(item.text) != "total":
        return ""
    question.take("CPR")
    return item.column


_BUCKETS: dict[str, Bucket] = {bucket: bucket for bucket in get_args(Bucket)}
_AGGREGATIONS: dict[str, Aggregation] = {"mean": "mean", "median": "median", "sum": "sum", "std": "std", "min": "min"}


def _aggregation(item: Item) -> Aggregation:
    if item.code in "HL":
        return "max" if item.code == "H" else "min"
    return _AGGREGATIONS.get(item.meaning, "mean")


def _usual_aggregation(column: str) -> Aggregation:
    """Return what one does with a column's numbers: amounts add up, prices and temperatures do not."""
    return "sum" if is_amount(column) else "mean"
