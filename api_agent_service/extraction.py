"""Facts that rules find in a text: addresses, numbers with a meaning, key-value pairs, tables. Nothing is made up."""

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import cast

from pydantic import JsonValue

from api_agent_service import markup_tables, material
from shared.agent import JsonObject

_MOST_FOUND = 1_000
_MOST_MATCHES = 10_000


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fact: its key in the JSON, its name for people, the words that ask for it, and how it is found."""

    key: str
    name: str
    asked_by: str
    find: Callable[[str], list[JsonValue]]


def read_kinds(instruction: str) -> tuple[Kind, ...]:
    """Return the kinds that an instruction asks for by name; none when it names none."""
    return tuple(kind for kind in KINDS if re.search(rf"\b(?:{kind.asked_by})\b", instruction, re.IGNORECASE))


def extract(text: str, kinds: Iterable[Kind]) -> JsonObject:
    """Return what a text holds of some kinds, each fact once, in order. Blocking."""
    return {kind.key: kind.find(text)[:_MOST_FOUND] for kind in kinds}


def html_facts(content: bytes) -> tuple[list[JsonValue], list[str]]:
    """Return the tables of an HTML page as lists of records, and the addresses its links lead to. Blocking."""
    tables = [cast("JsonValue", table.records()) for table in markup_tables.read_html(content)]
    links = re.findall(rb"""href\s*=\s*["']?((?:https?://|mailto:)[^\s"'<>]{1,2000})""", content, re.IGNORECASE)
    return tables, list(dict.fromkeys(link.decode("utf-8", "replace") for link in links))


def _matches(pattern: re.Pattern[str], text: str) -> Iterable[re.Match[str]]:
    return islice(pattern.finditer(text), _MOST_MATCHES)


def _unique(found: Iterable[JsonValue]) -> list[JsonValue]:
    seen: dict[str, JsonValue] = {}
    for item in found:
        seen.setdefault(repr(item), item)
    return list(seen.values())


_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)


def _emails(text: str) -> list[JsonValue]:
    return _unique(match[0] for match in _matches(_EMAIL, text))


def _urls(text: str) -> list[JsonValue]:
    return _unique(material.urls(text))


_IP4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IP6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{3,39}(?![\w:])")


def _ips(text: str) -> list[JsonValue]:
    found = [match[0] for match in _matches(_IP4, text)]
    found += [match[0] for match in _matches(_IP6, text) if match[0].count(":") > 1]
    return _unique(item for item in found if _is_address(item))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return len(text) > 3


_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)"
)
_DATE = re.compile(
    rf"(?<![\w./-])(?:(?P<iso>\d{{4}}-\d{{2}}-\d{{2}})(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?"
    rf"|(?P<dmy>\d{{1,2}}\.\d{{1,2}}\.\d{{4}})|(?P<slash>\d{{1,2}}/\d{{1,2}}/\d{{4}})"
    rf"|(?P<day>\d{{1,2}}(?:st|nd|rd|th)?\.? {_MONTH}\.?,? \d{{4}})"
    rf"|(?P<month>{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}))(?![\w/])",
    re.IGNORECASE,
)


def _dates(text: str) -> list[JsonValue]:
    """Return dates as written and in ISO form, which one that can be read two ways, as 03/04/2024, does not have."""
    return _unique({"text": match[0], "iso": _iso(match)} for match in _matches(_DATE, text) if _is_possible(match))


def _iso(match: re.Match[str]) -> str | None:
    if match["slash"]:
        one, two, year = map(int, match["slash"].split("/"))
        if one <= 12 and two <= 12 and one != two:
            return None
        month, day = (one, two) if two > 12 or one == two else (two, one)
        return _date(f"{year}-{month}-{day}", "%Y-%m-%d")
    if match["iso"]:
        return _date(match["iso"], "%Y-%m-%d")
    if match["dmy"]:
        return _date(match["dmy"], "%d.%m.%Y")
    words = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b|[.,]", "", match["day"] or match["month"], flags=re.IGNORECASE).split()
    if match["month"]:
        words = [words[1], words[0], words[2]]
    return _date(f"{words[0]} {words[1][:3]} {words[2]}", "%d %b %Y")


def _is_possible(match: re.Match[str]) -> bool:
    if match["slash"]:
        one, two, _ = map(int, match["slash"].split("/"))
        return min(one, two) > 0 and min(one, two) <= 12 and max(one, two) <= 31
    return _iso(match) is not None


def _date(text: str, form: str) -> str | None:
    try:
        return date.isoformat(datetime.strptime(text, form))
    except ValueError:
        return None


_CURRENCIES = {
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "US$": "USD",
    "dollars": "USD",
    "dollar": "USD",
    "euros": "EUR",
    "euro": "EUR",
    "pounds": "GBP",
    "yen": "JPY",
    "rupees": "INR",
    "francs": "CHF",
    **{
        code: code
        for code in ("USD", "EUR", "GBP", "JPY", "INR", "CHF", "CAD", "AUD", "CNY", "SEK", "NOK", "DKK", "PLN", "BRL")
    },
}
_AMOUNT = r"\d{1,3}(?:[,.' ]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d{1,15}(?:[.,]\d{1,4})?(?!\d)"
_SCALES = {
    "thousand": 1e3,
    "k": 1e3,
    "million": 1e6,
    "m": 1e6,
    "mn": 1e6,
    "billion": 1e9,
    "bn": 1e9,
    "b": 1e9,
    "trillion": 1e12,
}
_SCALE = r"(?:\s?(thousand|million|billion|trillion|mn|bn|[kmb])\b)?"
_CODES = "USD|EUR|GBP|JPY|INR|CHF|CAD|AUD|CNY|SEK|NOK|DKK|PLN|BRL"
_BEFORE = re.compile(rf"(?<!\w)(US\$|[$€£¥₹]|(?:{_CODES})\s)\s?({_AMOUNT}){_SCALE}", re.IGNORECASE)
_AFTER = re.compile(
    rf"(?<![\w.,])({_AMOUNT}){_SCALE}\s?([€£¥₹]|(?:{_CODES}|dollars?|euros?|pounds|yen|rupees|francs)\b)", re.IGNORECASE
)


def _amounts(text: str) -> list[JsonValue]:
    before = list(_matches(_BEFORE, text))
    starts = [match.start() for match in before]
    found = [(match.start(), _amount(match[0], match[1], match[2], match[3])) for match in before]
    for match in _matches(_AFTER, text):
        place = bisect_right(starts, match.end() - 1) - 1
        if place < 0 or before[place].end() <= match.start():
            found.append((match.start(), _amount(match[0], match[3], match[1], match[2])))
    return _unique(item for _, item in sorted(found, key=lambda pair: pair[0]))


def _amount(text: str, sign: str, digits: str, scale: str | None) -> JsonValue:
    sign = sign.strip()
    currency = _CURRENCIES.get(sign.upper()) or _CURRENCIES.get(sign.lower())
    return {
        "text": text.strip(),
        "amount": read_number(digits) * _SCALES.get((scale or "").lower(), 1),
        "currency": currency,
    }


def read_number(digits: str) -> float:
    """Return the number that digits with separators are.

    The last of two kinds of marks is the point, and a single one that does not have three digits behind it.
    """
    plain = re.sub(r"[' ]", "", digits)
    marks = [mark for mark in plain if mark in ",."]
    if not marks:
        return float(plain)
    last = marks[-1]
    tail = len(plain) - plain.rindex(last) - 1
    is_point = len(set(marks)) > 1 or (len(marks) == 1 and tail != 3)
    whole, _, fraction = plain.rpartition(last) if is_point else (plain, "", "")
    return float(re.sub(r"[,.]", "", whole) + (f".{fraction}" if fraction else ""))


_PERCENT = re.compile(r"(?<![\w.,])([+-]?\d{1,9}(?:[.,]\d{1,6})?)\s?(?:%|percent\b|per cent\b)", re.IGNORECASE)


def _percentages(text: str) -> list[JsonValue]:
    return _unique({"text": match[0], "value": float(match[1].replace(",", "."))} for match in _matches(_PERCENT, text))


_PHONE = re.compile(
    r"(?<![\w.+/-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{1,5}\)[ .-]?)?\d{2,5}(?:[ .-]\d{2,8}){1,5}(?![\w/-]|\.\d)"
    r"|(?<!\w)\+\d{7,15}(?!\d)"
)


def _phones(text: str) -> list[JsonValue]:
    def is_phone(match: re.Match[str]) -> bool:
        digits = sum(character.isdigit() for character in match[0])
        around = text[max(0, match.start() - 3) : match.end() + 4]
        dated = _DATE.search(match[0]) or re.fullmatch(r"\d{4}[ .-]\d{2}[ .-]\d{2}|\d{4}-\d{4}", match[0])
        return 7 <= digits <= 15 and not dated and not _IP4.search(match[0]) and not re.search(r"[$€£¥₹%]", around)

    return _unique(match[0].strip() for match in _matches(_PHONE, text) if is_phone(match))


_PAIR = re.compile(
    r"^[ \t]*(?:[-*•][ \t]+)?\**([^\W\d_][\w /().&'-]{0,48}?)\**[ \t]*(?::|=)\**[ \t]+(\S[^\n]{0,299})$", re.MULTILINE
)


def _pairs(text: str) -> list[JsonValue]:
    pairs = [(match[1].strip(), match[2].strip().rstrip("*")) for match in _matches(_PAIR, text)]
    return _unique({"key": key, "value": value} for key, value in pairs if len(key.split()) <= 6)


def _tables(text: str) -> list[JsonValue]:
    spans = markup_tables.find_markdown(text)
    return [cast("JsonValue", markup_tables.read_markdown(text[start:end]).records()) for start, end in spans]


KINDS = (
    Kind("emails", "e-mail addresses", r"e-?mails?(?: addresses)?|mail addresses", _emails),
    Kind("urls", "URLs", r"urls?|links?|web ?sites?|web addresses", _urls),
    Kind("phones", "phone numbers", r"phones?|phone numbers?|telephones?|telephone numbers?", _phones),
    Kind("dates", "dates", r"dates?|days?|deadlines?", _dates),
    Kind("amounts", "amounts of money", r"amounts?|money|prices?|costs?|currency|currencies|totals?|sums?", _amounts),
    Kind("percentages", "percentages", r"percentages?|percents?|per cent|rates?", _percentages),
    Kind("ips", "IP addresses", r"ips?|ip addresses|ip address", _ips),
    Kind("pairs", "key-value pairs", r"key[- ]?values?|key[- ]value pairs|pairs|fields?|properties", _pairs),
    Kind("tables", "tables", r"tables?|rows?|records?", _tables),
)
