"""What the agent of the benchmarks does: it says what it was told, at once; "wait 0.1" takes it a tenth of a second."""

from typing import Final

SKILL: Final = "echo"
DESCRIPTION: Final = "Says again what it is told."

_WAIT: Final = "wait "


def pause_s(text: str) -> float:
    """Return how long the answer is to take, in seconds."""
    return float(text.removeprefix(_WAIT)) if text.startswith(_WAIT) else 0.0
