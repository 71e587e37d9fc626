"""Reads dates and times as people write them. Pure."""

import re
from datetime import date, time

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_NAME = "|".join(f"{month[:3]}(?:{month[3:]})?" if len(month) > 3 else month for month in MONTHS)
_WRITTEN = re.compile(
    rf"(?:(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<m1>{_NAME})\.?|(?P<m2>{_NAME})\.?\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?)"
    r",?\s+(?P<y>\d{4})",
    re.IGNORECASE,
)
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_SLASHES = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_DOTS = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_TIME = re.compile(r"(\d{1,2})(?::(\d{2}))?(?::\d{2})?\s*([ap])\.?m\.?|(\d{1,2}):(\d{2})(?::\d{2})?", re.IGNORECASE)
_TITLE = re.compile(rf"\b(?P<month>{_NAME})\b\.?,?\s*(?P<year>\d{{4}})", re.IGNORECASE)


def read_date(text: str) -> date | None:
    """Return the date in `text`: 2026-11-21, 11/21/2026 (month first), 21.11.2026, November 21, 2026; None if none."""
    try:
        if match := _ISO.search(text):
            return date(int(match[1]), int(match[2]), int(match[3]))
        if match := _SLASHES.search(text):
            first, second = int(match[1]), int(match[2])
            return date(int(match[3]), first, second) if first <= 12 else date(int(match[3]), second, first)
        if match := _DOTS.search(text):
            return date(int(match[3]), int(match[2]), int(match[1]))
        if match := _WRITTEN.search(text):
            return date(int(match["y"]), _month(match["m1"] or match["m2"]), int(match["d1"] or match["d2"]))
    except ValueError:
        return None
    return None


def read_time(text: str) -> time | None:
    """Return the time of day in `text`: "14:05", "2:05 PM", "2pm"; None if none."""
    match = _TIME.search(text)
    if match is None:
        return None
    try:
        if match[3]:
            return time(int(match[1]) % 12 + (12 if match[3].lower() == "p" else 0), int(match[2] or 0))
        return time(int(match[4]), int(match[5]))
    except ValueError:
        return None


def read_month(text: str) -> tuple[int, int] | None:
    """Return year and month of a calendar's title such as "March 2026"; None if it is none."""
    match = _TITLE.search(text)
    return (int(match["year"]), _month(match["month"])) if match else None


def _month(name: str) -> int:
    return next(number for number, month in enumerate(MONTHS, 1) if month.startswith(name.lower()[:3]))
