"""Measures cases side by side: one of each in every round, in turn, so that a machine that drifts drifts for all."""

import statistics
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic, perf_counter
from typing import TypeAlias

Case: TypeAlias = Callable[[], Awaitable[float]]
"""Does one thing and returns how long that took, in seconds."""

_NEWS_S = 5.0


def timed(work: Callable[[], Awaitable[object]]) -> Case:
    """Return the case of doing `work`, timed from here."""

    async def measure() -> float:
        began = perf_counter()
        await work()
        return perf_counter() - began

    return measure


async def interleave(cases: Mapping[str, Case], rounds: int, *, warm_up: int = 5) -> dict[str, list[float]]:
    """Run every case once in each round, A B C A B C, and return the times in seconds; the warm-up's are dropped."""
    samples: dict[str, list[float]] = {name: [] for name in cases}
    with Progress(", ".join(cases), warm_up + rounds) as progress:
        for number in range(warm_up + rounds):
            for name, case in cases.items():
                seconds = await case()
                if number >= warm_up:
                    samples[name].append(seconds)
            progress.advance()
    return samples


class Progress:
    """Says on standard error how far something is, every few seconds and at its end."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._began = self._said = monotonic()

    def __enter__(self) -> "Progress":
        _say(f"  {self._what}: {self._total} rounds …")
        return self

    def __exit__(self, *_: object) -> None:
        _say(f"  {self._done} of {self._total} after {monotonic() - self._began:.0f} s")

    def advance(self, rounds: int = 1) -> None:
        """Count one round, or more."""
        self._done += rounds
        if monotonic() - self._said > _NEWS_S:
            self._said = monotonic()
            _say(f"  {self._done} of {self._total}")


def median_ms(samples: Sequence[float]) -> float:
    """Return the median in milliseconds."""
    return statistics.median(samples) * 1000


def spread_ms(samples: Sequence[float]) -> str:
    """Return the lower and the upper quartile in milliseconds."""
    lower, _, upper = statistics.quantiles(samples, n=4)
    return f"{lower * 1000:.1f}–{upper * 1000:.1f}"


def ratio(samples: Sequence[float], to: Sequence[float]) -> float:
    """Return the median of the rounds' ratios: each round compares what ran side by side."""
    return statistics.median(mine / other for mine, other in zip(samples, to, strict=True))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
