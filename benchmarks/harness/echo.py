"""What the agents of the benchmarks do: they say what they were told, at once.

A text that begins with "wait 0.1" takes a tenth of a second; one that begins with "ask" has a question first.
"""

from typing import Final

SKILL: Final = "echo"
DESCRIPTION: Final = "Says again what it is told."

_WAIT: Final = "wait"
_ASK: Final = "ask"


def pause_s(text: str) -> float:
    """Return how long the answer is to take, in seconds."""
    words = text.split(maxsplit=2)
    return float(words[1]) if len(words) > 1 and words[0] == _WAIT else 0.0


def waiting(pause_s: float, text: str) -> str:
    """Return a text whose answer takes that long."""
    return f"{_WAIT} {pause_s:g} {text}" if pause_s else text


def asks(text: str) -> bool:
    """Return whether the agent has a question before it answers."""
    return text.startswith(_ASK)
