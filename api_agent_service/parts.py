"""A long text in parts that a model can read, one call each, as many as it may be called."""

import math
from dataclasses import dataclass

from api_agent_service import summary


@dataclass(frozen=True, slots=True)
class Parts:
    """A text as a model will read it; `left_out` says in a sentence what of it the model will not read."""

    texts: tuple[str, ...]
    left_out: str = ""


def divide(text: str, *, most_chars: int, most_parts: int, setting: str) -> Parts:
    """Divide a text into at most so many parts of so many characters; parts that are still too long lose sentences.

    `setting` names what bounds the number of parts. Blocking.
    """
    if len(text) <= most_chars:
        return Parts((text,))
    whole = summary.divide(text, min(most_parts, math.ceil(len(text) / most_chars) + 1))
    texts = tuple(summary.condense(part, most_chars) for part in whole)
    read = sum(map(len, texts))
    left_out = (
        f"The text has {len(text):,} characters. Of each of its {len(texts)} parts the most telling sentences were "
        f"read, {read:,} characters in all ({setting}, MODEL_INPUT_CHARS)."
    )
    return Parts(texts, left_out if read < sum(map(len, whole)) else "")
