"""How long a step and the calls to its agent may take: what the plan or the task asks for, else the settings."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator_service.engine.work import Run
from orchestrator_service.planning.plan import PlanStep
from orchestrator_service.settings import Settings
from shared.agent import JsonObject
from shared.agent_client import Deadlines
from shared.db import now


@dataclass(frozen=True, slots=True)
class Limit:
    """The moment when a step has to be over, and the sentence for one that is not."""

    at: datetime
    says: str


def of_calls(settings: Settings, run: Run) -> Deadlines:
    """Return the deadlines of the calls to a step's agent."""
    asked = _asked(run.request, "deadlines")
    return Deadlines(
        connect_s=_seconds(asked, "connect_s") or settings.connect_timeout_s,
        first_byte_s=_seconds(asked, "first_byte_s") or settings.first_byte_timeout_s,
        gap_s=_seconds(asked, "gap_s") or settings.stream_gap_timeout_s,
        total_s=max((run.deadline_at - now()).total_seconds(), 1.0),
    )


def of_step(settings: Settings, run: Run, step: PlanStep) -> Limit:
    """Return the limit of a step that begins now: its own, or its task's if that is nearer."""
    seconds, name = settings.step_timeout_s, "STEP_TIMEOUT_S"
    if step.timeout_s is not None:
        seconds, name = step.timeout_s, "its timeout_s"
    elif (asked_s := _seconds(_asked(run.request, "deadlines"), "step_s")) is not None:
        seconds, name = asked_s, "the task's deadlines.step_s"
    at = now() + timedelta(seconds=seconds)
    if run.deadline_at <= at:
        return Limit(run.deadline_at, of_task(settings, run))
    return Limit(at, f"The step did not end within {seconds:g} s ({name}).")


def of_task(settings: Settings, run: Run) -> str:
    """Return the sentence for a task whose time is up."""
    asked_s = _seconds(_asked(run.request, "deadlines"), "task_s")
    budget_s = _seconds(_asked(run.request, "budget"), "seconds")
    seconds, name = settings.task_timeout_s, "TASK_TIMEOUT_S"
    if asked_s is not None:
        seconds, name = asked_s, "its deadlines.task_s"
    if budget_s is not None and budget_s < seconds:
        seconds, name = budget_s, "its budget.seconds"
    return f"The task did not end within {seconds:g} s ({name})."


def _asked(request: JsonObject, of: str) -> JsonObject:
    given = request.get(of)
    return given if isinstance(given, dict) else {}


def _seconds(asked: JsonObject, name: str) -> float | None:
    value = asked.get(name)
    return float(value) if isinstance(value, int | float) else None
