"""A grade for an agent, A to F, from what was found: its card, dialects, streaming, cancel, push and latency.

Pure. Each part costs points for what is wrong with it, and says why; the sum is the letter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pydantic import JsonValue

from orchestrator_service.verification.findings import Finding
from orchestrator_service.verification.probing import Probe
from shared.agent import JsonObject

Letter: TypeAlias = Literal["A", "B", "C", "D", "E", "F"]
Part: TypeAlias = Literal["card", "dialects", "streaming", "cancel", "push", "latency"]

_LETTERS: Final[tuple[tuple[int, Letter], ...]] = ((0, "A"), (2, "B"), (4, "C"), (6, "D"), (9, "E"))
_SLOW_MS: Final = 1_000
_VERY_SLOW_MS: Final = 3_000


@dataclass(frozen=True, slots=True)
class Claims:
    """What the card claims of what is not probed by itself."""

    streaming: bool
    push: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """What a part of the grade cost, in points, and why."""

    part: Part
    points: int
    text: str


@dataclass(frozen=True, slots=True)
class Grade:
    """The letter, and a reason for each part, also for those that are well."""

    letter: Letter
    reasons: tuple[Reason, ...]

    def to_json(self) -> JsonObject:
        """Return it as the API shows it."""
        reasons: list[JsonValue] = [
            {"part": each.part, "points": each.points, "text": each.text} for each in self.reasons
        ]
        return {"letter": self.letter, "reasons": reasons}


def grade(findings: Sequence[Finding], probes: Sequence[Probe], claims: Claims) -> Grade:
    """Return the grade: `findings` are those of the card and its signature."""
    reasons = (
        _card(findings),
        _dialects(probes),
        _streaming(probes, claims),
        Reason("cancel", 0, "not looked at: there are servers that the cancel of an unknown task ends"),
        _push(probes, claims),
        _latency(probes),
    )
    total = sum(reason.points for reason in reasons)
    speaks = any(probe.speaks for probe in probes)
    return Grade(_letter(total) if speaks else "F", reasons)


def _letter(points: int) -> Letter:
    for most, letter in _LETTERS:
        if points <= most:
            return letter
    return "F"


def _card(findings: Sequence[Finding]) -> Reason:
    warnings = [finding for finding in findings if finding.severity == "warning"]
    if not warnings:
        return Reason("card", 0, "as the specification asks")
    points = 1 if len(warnings) == 1 else 2 if len(warnings) <= 3 else 3
    if any(finding.where == "/signatures" for finding in warnings):
        points += 3
    return Reason("card", points, f"{len(warnings)} warnings; the first: {warnings[0]}")


def _dialects(probes: Sequence[Probe]) -> Reason:
    asked = [probe for probe in probes if probe.get != "not asked"]
    wrong = [probe for probe in asked if probe.get not in {"ok", "locked"}]
    spoken = ", ".join(" ".join(probe.interface.split(" ")[:2]) for probe in asked if probe.speaks)
    if wrong:
        names = ", ".join(f"{' '.join(probe.interface.split(' ')[:2])} ({probe.get})" for probe in wrong)
        points = sum(1 if probe.get == "odd" else 2 for probe in wrong)
        return Reason("dialects", min(points, 6), f"not as the card claims: {names}")
    is_older = bool(asked) and not any(" 1." in probe.interface for probe in asked)
    return Reason("dialects", 1 if is_older else 0, f"answers {spoken}" + ("; nothing newer" if is_older else ""))


def _streaming(probes: Sequence[Probe], claims: Claims) -> Reason:
    if not claims.streaming:
        return Reason("streaming", 1, "not offered: its progress is asked for again and again")
    asked = [probe.subscribe for probe in probes if probe.subscribe != "not asked"]
    if not asked:
        return Reason("streaming", 1, "claimed, and could not be looked at")
    wrong = [outcome for outcome in asked if outcome not in {"ok", "locked"}]
    if wrong:
        return Reason("streaming", 2 if "odd" not in wrong else 1, f"claimed, but SubscribeToTask: {', '.join(wrong)}")
    return Reason("streaming", 0, "as claimed")


def _push(probes: Sequence[Probe], claims: Claims) -> Reason:
    if not claims.push:
        return Reason("push", 0, "not offered; it is not needed")
    asked = [probe.pushes for probe in probes if probe.pushes != "not asked"]
    wrong = [outcome for outcome in asked if outcome not in {"ok", "odd", "locked"}]
    if wrong:
        return Reason("push", 2, f"claimed, but ListTaskPushNotificationConfigs: {', '.join(wrong)}")
    return Reason("push", 0, "as claimed; that it comes is seen with the first task" if asked else "claimed; not asked")


def _latency(probes: Sequence[Probe]) -> Reason:
    taken = [probe.latency_ms for probe in probes if probe.latency_ms is not None]
    if not taken:
        return Reason("latency", 2, "no answer at all")
    best = min(taken)
    points = 0 if best < _SLOW_MS else 1 if best < _VERY_SLOW_MS else 2
    return Reason("latency", points, f"{best:.0f} ms for a question about a task")
