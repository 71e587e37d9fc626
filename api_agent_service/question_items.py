"""A question as a row of items: what each word, number and name in it can mean.

Every item has a code of one letter, so that the grammar (`questions`, `question_filters`) is regular expressions over
the row of codes:

C column, V value of a text column or the opposite of a column of truth values, N number, Y year, D date, M month name,
Q quoted text, A aggregation, H highest, L lowest, E "cheapest" (of a column), T top, t bottom, K "how many",
% "share of", U distinct, B "by", Z time span, z "monthly", P preposition, X comparison, S comparison in time, I "is",
w "where", x negation, 0 missing, & "and", G "which", R what rows are called, o what no query says ("second", "weekend",
"growth"), W any other word.
"""

import re
from dataclasses import dataclass

from api_agent_service.vocabulary import Vocabulary, normalize


@dataclass(frozen=True, slots=True)
class Item:
    """A word or phrase with its meaning: the column, value, aggregation, operator or bucket that it names.

    Of a value that stands in several columns, `column` is the first and `others` are the rest.
    """

    code: str
    text: str
    meaning: str = ""
    column: str = ""
    others: tuple[str, ...] = ()


_MEANINGS = (
    ("A", "mean", "average|averages|mean|avg|typical"),
    ("A", "median", "median"),
    ("A", "sum", "total|totals|sum|sums|sum of|how much|overall"),
    ("A", "std", "standard deviation|std|stdev|stddev"),
    ("H", "max", "highest|largest|biggest|max|maximum|greatest|latest|best"),
    ("H", "most", "most"),
    ("L", "min", "lowest|smallest|min|minimum|earliest|worst"),
    ("L", "most", "least|fewest"),
    ("T", "", "top|first|rank"),
    ("t", "", "bottom|last"),
    ("K", "", "how many|how many times|number of|count|count of|counts|how often"),
    ("%", "", "percentage of|what percentage of|percent of|share of|proportion of"),
    ("U", "", "distinct|unique|different"),
    (
        "B",
        "",
        "by|per|for each|for every|grouped by|group by|in each|of each|at each|by each|each|every|across|for all",
    ),
    ("B", "", "broken down by|split by|ranked by|depending on|against|according to|in terms of"),
    ("Z", "year", "year|years"),
    ("Z", "quarter", "quarter|quarters"),
    ("Z", "month", "month|months"),
    ("Z", "week", "week|weeks"),
    ("Z", "day", "day|days"),
    ("Z", "hour", "hour|hours"),
    ("Z", "weekday", "weekday|weekdays|day of the week|day of week"),
    ("z", "year", "yearly|annual"),
    ("z", "quarter", "quarterly"),
    ("z", "month", "monthly|over time"),
    ("z", "week", "weekly"),
    ("z", "day", "daily"),
    ("z", "hour", "hourly"),
    ("P", "", "in|for|from|at|on|during|within|of"),
    ("X", ">", ">|greater than|more than|above|over|larger than|higher than|exceeding"),
    ("X", ">=", ">=|≥|at least|no less than"),
    ("X", "<", "<|less than|below|under|smaller than|lower than|fewer than"),
    ("X", "<=", "<=|≤|at most|no more than|up to"),
    ("X", "!=", "!=|<>|≠|is not|are not|isn't|not equal to|other than"),
    ("X", "contains", "contains|contain|containing|includes|including"),
    ("X", "between", "between"),
    ("S", ">", "after|later than"),
    ("S", ">=", "since|starting"),
    ("S", "<", "before|earlier than"),
    ("S", "<=", "until"),
    ("I", "", "is|are|was|were|be|=|==|equals|equal to"),
    ("w", "", "where|with|when|whose|having|if|only|that have"),
    ("x", "", "not|no|excluding|except|except for|without|ignoring|outside|outside of|apart from|aside from"),
    ("0", "", "missing|missing values|null|nulls|empty"),
    ("&", "", "and|or|&|,|plus|versus|vs|as well as"),
    ("G", "", "which|what|who"),
    (
        "R",
        "",
        "rows|row|records|record|entries|entry|lines|orders|order|sales|transactions|transaction|purchases|items",
    ),
    ("R", "", "observations|cases|events|people"),
    ("N", "2", "two"),
    ("N", "3", "three"),
    ("N", "4", "four"),
    ("N", "5", "five"),
    ("N", "10", "ten"),
    ("o", "", "second|third|fourth|fifth|2nd|3rd|4th|5th|half|previous|past|recent|today|yesterday|ago"),
    ("o", "", "monday|tuesday|wednesday|thursday|friday|saturday|sunday|weekend|weekends"),
    ("o", "", "running|cumulative|rolling|moving|weighted|times|multiplied|divided|minus|difference|ratio"),
    ("o", "", "growth|change|percentile|variance|neither|nor|never|none"),
)
_PHRASES = {phrase: (code, meaning) for code, meaning, phrases in _MEANINGS for phrase in phrases.split("|")}
_SUPERLATIVES: dict[str, tuple[str, tuple[str, ...]]] = {
    "cheapest": ("min", ("price", "cost")),
    "most expensive": ("max", ("price", "cost")),
    "least expensive": ("min", ("price", "cost")),
    "oldest": ("max", ("age",)),
    "youngest": ("min", ("age",)),
    "heaviest": ("max", ("weight",)),
    "lightest": ("min", ("weight",)),
    "tallest": ("max", ("height",)),
    "hottest": ("max", ("temperature",)),
    "warmest": ("max", ("temperature",)),
    "coldest": ("min", ("temperature",)),
    "longest": ("max", ("duration", "length")),
    "shortest": ("min", ("duration", "length")),
}
_LONGEST_PHRASE = 4
_NAME_WORDS = 5
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DROPPED_TEXT = """
    the a an to all this that these those data dataset table file csv tsv json please me us my our it its there their
    attached following given provided column columns value values do does did has have had show give tell compute
    calculate find get list display answer return chart plot graph diagram bar line markdown
    breakdown distribution
"""
_DROPPED = frozenset(_DROPPED_TEXT.split())
_ADVERBS = frozenset({"above", "below", "over", "under", "after", "before", "since", "until", "starting", "up to"})
"""Comparisons only before a number or date: "the data below" compares nothing."""
_EXPECTS_NAME = re.compile("[AHLBKU&ZTtw]P?$")
_TOKEN = re.compile(
    r"\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']*'(?!\w)|`[^`]*`"
    r"|\d{4}-\d{2}-\d{2}|-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w])|[^\W\d][\w'’]*(?:[-.][^\W_]\w*)*|\w+|[<>!=]=|<>|[<>=≥≤≠&,]"
)


def itemize(question: str, vocabulary: Vocabulary) -> list[Item]:
    """Return the items of a question, in order. Longer names and phrases win; a column wins over anything as long."""
    tokens = [match[0] for match in _TOKEN.finditer(question)]
    items: list[Item] = []
    place = 0
    while place < len(tokens):
        item, length = _next(tokens, place, items, vocabulary)
        if item is not None:
            items.append(item)
        place += length
    return items


def codes(items: list[Item]) -> str:
    """Return the row of codes."""
    return "".join(item.code for item in items)


def _next(  # noqa: PLR0911 - one line for each way to read a word
    tokens: list[str], place: int, before: list[Item], vocabulary: Vocabulary
) -> tuple[Item | None, int]:
    """Return the item that begins at a place, or none for a word that says nothing, and how many tokens it takes."""
    if superlative := _superlative(tokens, place, vocabulary):
        return superlative
    column, column_length = _name(tokens, place, vocabulary)
    phrase, phrase_length = _phrase(tokens, place)
    if (
        column
        and column_length >= phrase_length
        and not (phrase and _name(tokens, place + phrase_length, vocabulary)[0])
    ):
        return column, column_length
    value, value_length = _value(tokens, place, vocabulary)
    if value and (value_length > phrase_length or not phrase):
        return value, value_length
    following = tokens[place + phrase_length : place + phrase_length + 1]
    if phrase and not (phrase.code in "XS" and phrase.text in _ADVERBS and not (following and _literal(following[0]))):
        return phrase, phrase_length
    token = tokens[place]
    if literal := _literal(token):
        return literal, 1
    word = token.casefold()
    if word in _DROPPED or word in _ADVERBS:
        return None, 1
    if (opposite := vocabulary.opposite(token)) and (false := vocabulary.truth(opposite, of=False)):
        return Item("V", token, false, opposite), 1
    after, _ = _phrase(tokens, place + 1)
    if _EXPECTS_NAME.search(codes(before)) or (after and after.code in "XSI"):
        for length in range(min(3, len(tokens) - place), 0, -1):
            words = " ".join(tokens[place : place + length])
            if (length == 1 or normalize(tokens[place + length - 1])) and (found := vocabulary.column(words)):
                return Item("C", words, column=found), length
    return Item("W", token), 1


def _superlative(tokens: list[str], place: int, vocabulary: Vocabulary) -> tuple[Item, int] | None:
    for length in (2, 1):
        words = " ".join(tokens[place : place + length]).casefold()
        if words in _SUPERLATIVES:
            extreme, names = _SUPERLATIVES[words]
            column = next((found for name in names if (found := vocabulary.column(name))), None)
            return (Item("E", words, extreme, column), length) if column else None
    return None


def _name(tokens: list[str], place: int, vocabulary: Vocabulary) -> tuple[Item | None, int]:
    """Return the column that is named exactly, but for case, plural and spelling of its parts."""
    for length in range(min(_NAME_WORDS, len(tokens) - place), 0, -1):
        words = " ".join(tokens[place : place + length]).strip("\"'`“”")
        if not normalize(tokens[place]) or not normalize(tokens[place + length - 1]):
            continue
        if found := vocabulary.column(words, fuzzy=False):
            return Item("C", words, column=found), length
    return None, 0


def _phrase(tokens: list[str], place: int) -> tuple[Item | None, int]:
    for length in range(min(_LONGEST_PHRASE, len(tokens) - place), 0, -1):
        words = " ".join(tokens[place : place + length]).casefold()
        if words in _PHRASES:
            code, meaning = _PHRASES[words]
            return Item(code, words, meaning), length
    return None, 0


def _value(tokens: list[str], place: int, vocabulary: Vocabulary) -> tuple[Item | None, int]:
    for length in range(min(_NAME_WORDS, len(tokens) - place), 0, -1):
        words = " ".join(tokens[place : place + length]).strip("\"'`“”")
        if length == 1 and words.casefold() in _DROPPED:
            continue
        if found := vocabulary.value(words):
            column, *others = found
            return Item("V", words, found[column], column, tuple(others)), length
    return None, 0


def _literal(token: str) -> Item | None:
    if token[0] in "\"'`“":
        return Item("Q", token, token.strip("\"'`“”"))
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", token):
        return Item("D", token, token)
    if re.fullmatch(r"1[5-9]\d\d|2[01]\d\d", token):
        return Item("Y", token, token)
    if re.fullmatch(r"-?\d+(?:,\d{3})*(?:\.\d+)?", token):
        return Item("N", token, token.replace(",", ""))
    if token.casefold() in _MONTHS:
        return Item("M", token, str(_MONTHS.index(token.casefold()) + 1))
    return None
