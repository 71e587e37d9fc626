"""How long a server asks to be left alone: the `Retry-After` header. Pure, but for the clock."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(header: str | None) -> float | None:
    """Return the seconds of a `Retry-After`, a number or an HTTP date, at least 0; None for what is neither.

    Source: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
    """
    if header is None:
        return None
    try:
        wait_s = float(header)
    except ValueError:
        try:
            wait_s = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):  # TypeError: a date without a zone
            return None
    return max(wait_s, 0.0) if math.isfinite(wait_s) else None
