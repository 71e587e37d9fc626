"""Tasks made from tasks that are over: a retry does what was not done, a fork does a part of it again.

The new task stands for itself: plan, finished steps, outputs and files are copied in the transaction that accepts it,
and its log tells of them as if they had just happened. `origin` and `kept_from` say where they come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from pydantic import JsonValue
from sqlalchemy import Connection, RowMapping, bindparam, insert, select

from orchestrator_service import artifacts, deliveries, events, idempotency, inputs, tasks
from orchestrator_service.models import Artifact, PendingInput, PlanRow, StepRow, Task
from orchestrator_service.planning import team
from orchestrator_service.planning.plan import Plan, PlanStep, check, needs
from shared.agent import JsonObject
from shared.auth import Caller
from shared.db import new_id, now
from shared.errors import ConflictError, InvalidRequestError, NotFoundError


class NotOverError(ConflictError):
    """A task that is not over cannot be done again yet."""

    slug = "not-over"
    title = "The task is not over"


class NothingToRetryError(ConflictError):
    """The task completed in full."""

    slug = "nothing-to-retry"
    title = "Nothing of the task is left to do"


class UnknownStepError(InvalidRequestError):
    """The plan has no such step."""

    slug = "unknown-step"
    title = "The task's plan has no such step"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a task that is over. A fork begins at `from_step`, with another instruction if one is given."""

    kind: Literal["retry", "fork"]
    task_id: str
    from_step: str = ""
    instruction: str | None = None


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the new task does not take from the old one."""

    timeout_s: float
    input_timeout_s: float
    trace_id: str
    trace_flags: str


def copy(
    connection: Connection,
    caller: Caller,
    task_id: str,
    wish: Wish,
    defaults: Defaults,
    key: idempotency.Key | None,
    *,
    is_full: bool,
) -> tasks.Submitted:
    """Store the new task `task_id`, queued, with the plan and the completed steps that it keeps, in one commit.

    Without a plan to keep, it is planned anew. A plan that waited for approval in vain, and a step that is told
    something else in a task whose plans are approved, are put before a person again.
    Raises: NotFoundError, NotOverError, NothingToRetryError, UnknownStepError, PlanInvalidError, and as `tasks.submit`.
    """
    origin = connection.execute(_ORIGIN.where(tasks.visible_to(caller)), {"of_task": wish.task_id}).mappings().first()
    if origin is None:
        raise NotFoundError(f"There is no task {wish.task_id!r}.")
    if origin["status"] not in events.TERMINAL:
        raise NotOverError(
            f"The task is {origin['status']}; a {wish.kind} needs one that is over. Wait for its end, or cancel it."
        )
    old = _plan(connection, wish.task_id)
    done = {
        row["step_id"]: row
        for row in connection.execute(_DONE, {"of_task": wish.task_id}).mappings()
        if old is not None and old.has(row["step_id"])
    }
    request: JsonObject = origin["request"]
    plan, again = _chosen(old, origin["status"], set(done), wish, request)
    new = _new_task(task_id, origin, plan, wish, defaults)
    submitted = tasks.submit(connection, caller, new, key, is_full=is_full)
    if not submitted.is_new:
        return submitted
    changes: dict[str, object] = {"request": {**request, "trace_flags": new.trace_flags}}  # its files are copied below
    drafts: list[events.Draft] = []
    kept = {step_id: row for step_id, row in done.items() if step_id not in again}
    parts = {} if plan is None or wish.kind == "fork" else _kept_parts(connection, wish.task_id, plan, set(kept))
    answers = {step_id: row for step_id, row in parts.items() if row is not None}
    files = _copy_files(connection, task_id, wish.task_id, {*kept, *answers})
    if plan is not None:
        drafts += _copy_plan(connection, task_id, wish.task_id, plan, kept, files)
        drafts += _copy_parts(connection, task_id, wish.task_id, parts, files)
        if _needs_approval(connection, request, wish):
            at = now()
            expires_at = at + timedelta(seconds=defaults.input_timeout_s)
            question = inputs.Question("plan", "Approve this plan?", expires_at, path=(task_id,))
            drafts += [inputs.ask(connection, task_id, question), events.draft("task.status", status="input_required")]
            changes |= {"status": "input_required", "run_state": "idle", "parked_at": at}
    events.append(connection, task_id, drafts, **changes)
    if "parked_at" in changes and isinstance(url := request.get("callback_url"), str):
        deliveries.announce(connection, task_id, url)
    return submitted


def dependents(plan: Plan, step_id: str) -> set[str]:
    """Return the step and all that need it, directly or not."""
    found = {step_id}
    for step in plan.in_order():
        if needs(step) & found:
            found.add(step.id)
    return found


def _plan(connection: Connection, task_id: str) -> Plan | None:
    """Return the newest revision of the task's plan, as the first one of a new task."""
    row = connection.execute(_NEWEST_PLAN, {"of_task": task_id}).one_or_none()
    if row is None:
        return None
    return Plan(strategy=row.strategy, steps=[PlanStep.model_validate(step) for step in row.steps])


def _chosen(
    plan: Plan | None, status: str, done: set[str], wish: Wish, request: JsonObject
) -> tuple[Plan | None, set[str]]:
    """Return the plan to follow and which of its steps are done again though they are done."""
    if wish.kind == "retry":
        if status == "completed" and plan is not None and all(step.id in done for step in plan.steps):
            raise NothingToRetryError(
                "The task completed in full, so nothing is left to retry. To do a step and what depends on it again, "
                f"fork the task: POST /api/tasks/{wish.task_id}/fork with `from_step`."
            )
        return plan, set()
    if plan is None:
        raise UnknownStepError(
            f"The task has no step {wish.from_step!r}: it ended before it had a plan. Retry it instead: "
            f"POST /api/tasks/{wish.task_id}/retry.",
            errors=[{"pointer": "#/from_step", "detail": "The task has no plan."}],
        )
    if not plan.has(wish.from_step):
        known = ", ".join(step.id for step in plan.steps)
        raise UnknownStepError(
            f"The task has no step {wish.from_step!r}. Its steps: {known}.",
            errors=[{"pointer": "#/from_step", "detail": f"It is none of {known}."}],
        )
    if wish.instruction is not None:
        plan = _told_otherwise(plan, wish.from_step, wish.instruction, request)
    return plan, dependents(plan, wish.from_step)


def _kept_parts(connection: Connection, origin_id: str, plan: Plan, kept: set[str]) -> dict[str, RowMapping | None]:
    """Return the single answers to keep of steps with several answers or rounds that were not completed, by their ids.

    None stands for one of the last round that is still to be asked for. What was decided in vain is decided anew; of a
    step whose last round was decided on, and not good enough, nothing is kept: all of it is done again.
    """
    found: dict[str, dict[str, RowMapping]] = {}
    for row in connection.execute(_PARTS, {"of_task": origin_id}).mappings():
        found.setdefault(team.owner(row["step_id"]), {})[row["step_id"]] = row
    parts: dict[str, RowMapping | None] = {}
    for step in plan.steps:
        rows = found.get(step.id, {})
        if step.id in kept or not any(row["status"] == "completed" for row in rows.values()):
            continue
        last = max(map(team.round_of, rows))
        verdict = rows.get(team.verdict_id(step.id, last))
        is_decided = verdict is not None and verdict["status"] == "completed"
        if is_decided and (step.evaluate is None or last >= step.evaluate.max_rounds):
            continue
        for step_id, row in rows.items():
            if row["status"] == "completed":
                parts[step_id] = row
            elif team.round_of(step_id) == last and not team.is_verdict(step_id):
                parts[step_id] = None
    return parts


def _told_otherwise(plan: Plan, step_id: str, instruction: str, request: JsonObject) -> Plan:
    """Return the plan with another instruction for the step, checked. Raises: PlanInvalidError."""
    steps = [
        step.model_copy(update={"instruction": instruction}) if step.id == step_id else step for step in plan.steps
    ]
    given = request.get("inputs")
    return check(
        plan.model_copy(update={"steps": steps, "strategy": "given"}), inputs=given if isinstance(given, dict) else None
    )


def _new_task(task_id: str, origin: RowMapping, plan: Plan | None, wish: Wish, defaults: Defaults) -> tasks.NewTask:
    request: JsonObject = origin["request"]
    lineage: JsonObject = {"kind": wish.kind, "task_id": wish.task_id}
    if wish.from_step:
        lineage["from_step"] = wish.from_step
    return tasks.NewTask(
        id=task_id,
        description=origin["description"],
        session_id=origin["session_id"],
        user_id=origin["user_id"],
        plan=plan,  # the same wish has the same plan, so that an Idempotency-Key knows it again
        budget=_object(request.get("budget")),
        priority=origin["priority"],
        deadlines=_object(request.get("deadlines")),
        origin=lineage,
        timeout_s=defaults.timeout_s,
        trace_id=defaults.trace_id,
        trace_flags=defaults.trace_flags,
    )


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _copy_files(connection: Connection, task_id: str, origin_id: str, kept: set[str]) -> dict[str, list[JsonObject]]:
    """Copy the files that came with the task and those of the kept steps: other rows, the same bytes.

    Returns those of the steps, by step.
    """
    rows: list[dict[str, object]] = []
    files: dict[str, list[JsonObject]] = {}
    for row in connection.execute(_FILES, {"of_task": origin_id}):
        if row.step_id is not None and row.step_id not in kept:
            continue
        artifact_id = new_id()
        rows.append(
            {
                "id": artifact_id,
                "task_id": task_id,
                "step_id": row.step_id,
                "name": row.name,
                "media_type": row.media_type,
                "size_bytes": row.size_bytes,
                "sha256": row.sha256,
                "created_at": now(),
            }
        )
        if row.step_id is not None:
            shown = artifacts.to_json(
                artifact_id, task_id, row.step_id, row.name, row.media_type, row.size_bytes, row.sha256
            )
            files.setdefault(row.step_id, []).append(shown)
    if rows:
        connection.execute(insert(Artifact), rows)
    return files


def _copy_plan(
    connection: Connection,
    task_id: str,
    origin_id: str,
    plan: Plan,
    kept: dict[str, RowMapping],
    files: dict[str, list[JsonObject]],
) -> list[events.Draft]:
    """Store the plan and its steps, those that are kept as completed; returns the events that tell of them."""
    stored = plan.model_copy(update={"id": new_id()})
    shown: JsonObject = stored.model_dump(mode="json")
    connection.execute(
        insert(PlanRow).values(
            id=stored.id,
            task_id=task_id,
            revision=stored.revision,
            strategy=stored.strategy,
            steps=shown["steps"],
            created_at=now(),
        )
    )
    drafts = [events.draft("plan.created", plan=shown)]
    rows: list[dict[str, object]] = []
    for step in stored.in_order():
        if (row := kept.get(step.id)) is None:
            rows.append({**_NOT_BEGUN, "task_id": task_id, "step_id": step.id})
            continue
        kept_from = row["kept_from"] or origin_id
        rows.append({**row, "task_id": task_id, "kept_from": kept_from})
        drafts += _story(step.id, row, kept_from, files.get(step.id, []))
    connection.execute(insert(StepRow), rows)
    return drafts


def _copy_parts(
    connection: Connection,
    task_id: str,
    origin_id: str,
    parts: dict[str, RowMapping | None],
    files: dict[str, list[JsonObject]],
) -> list[events.Draft]:
    """Store the single answers that are kept, and those still to be asked for; returns the events that tell of them."""
    drafts: list[events.Draft] = []
    rows: list[dict[str, object]] = []
    for step_id, row in parts.items():
        if row is None:
            rows.append({**_NOT_BEGUN, "task_id": task_id, "step_id": step_id})
            continue
        kept_from = row["kept_from"] or origin_id
        rows.append({**row, "task_id": task_id, "kept_from": kept_from})
        if not team.is_verdict(step_id):
            drafts += _story(step_id, row, kept_from, files.get(step_id, []))
    if rows:
        connection.execute(insert(StepRow), rows)
    return drafts


def _story(step_id: str, row: RowMapping, kept_from: str, files: Sequence[JsonObject]) -> list[events.Draft]:
    text: str | None = row["output_text"]
    return [
        *([events.draft("step.output", step_id=step_id, text=text, append=False)] if text else []),
        *(events.draft("step.artifact", step_id=step_id, artifact=file) for file in files),
        events.draft(
            "step.status", step_id=step_id, status="completed", agent_name=row["agent_name"], kept_from=kept_from
        ),
    ]


def _needs_approval(connection: Connection, request: JsonObject, wish: Wish) -> bool:
    """Tell whether a person has to see the plan: nobody has approved it, or it is not the one that was approved."""
    if request.get("approve_plan") is not True:
        return False
    if wish.instruction is not None:
        return True
    asked = connection.execute(_APPROVAL, {"of_task": wish.task_id}).first()
    return asked is not None and (asked.answer is None or asked.answer.get("approve") is not True)


_ORIGIN: Final = select(
    Task.status, Task.description, Task.session_id, Task.user_id, Task.priority, Task.request
).where(Task.id == bindparam("of_task"))
_NEWEST_PLAN: Final = (
    select(PlanRow.strategy, PlanRow.steps)
    .where(PlanRow.task_id == bindparam("of_task"))
    .order_by(PlanRow.revision.desc())
    .limit(1)
)
_COPIED: Final = (
    "step_id",
    "status",
    "agent_id",
    "agent_name",
    "why_chosen",
    "output_text",
    "output_data",
    "kept_from",
    "started_at",
    "completed_at",
)
"""What is copied of a completed step; what it cost was paid by the task that did it."""

_DONE: Final = select(*(StepRow.__table__.c[name] for name in _COPIED)).where(
    StepRow.task_id == bindparam("of_task"), StepRow.status == "completed"
)
_PARTS: Final = select(*(StepRow.__table__.c[name] for name in _COPIED)).where(
    StepRow.task_id == bindparam("of_task"), StepRow.step_id.contains(":")
)
_NOT_BEGUN: Final[dict[str, object]] = {**dict.fromkeys(_COPIED), "status": "pending"}
_FILES: Final = (
    select(Artifact.step_id, Artifact.name, Artifact.media_type, Artifact.size_bytes, Artifact.sha256)
    .where(Artifact.task_id == bindparam("of_task"))
    .order_by(Artifact.id)
)
_APPROVAL: Final = (
    select(PendingInput.answer)
    .where(PendingInput.task_id == bindparam("of_task"), PendingInput.kind == "plan")
    .order_by(PendingInput.id.desc())
    .limit(1)
)
