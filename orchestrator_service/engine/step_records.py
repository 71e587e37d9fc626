"""What the engine keeps of steps and their tries. Each function is a part of a transition on a task that is held."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from sqlalchemy import ARRAY, Connection, RowMapping, String, bindparam, func, insert, literal, select, update
from uuid_utils import UUID, uuid5

from orchestrator_service import ancestry, artifacts, budgets, choosing, inputs
from orchestrator_service.budgets import Amount
from orchestrator_service.engine import questions, step_inputs
from orchestrator_service.engine.held import Held, StepState, usage_json
from orchestrator_service.engine.suspensions import AgentSuspendedError
from orchestrator_service.engine.work import OpenAttempt, Output, Remote, StepWork
from orchestrator_service.models import Attempt, StepRow
from orchestrator_service.planning import team
from orchestrator_service.planning.plan import PlanStep, fill
from shared.agent import JsonObject, Usage
from shared.db import UtcTime, now
from shared.errors import AgentProtocolError, FederationError
from shared.prepared import Together, prepared

_MESSAGES: Final = UUID("6f1d8a52-9d0e-4d3c-8a55-0c3a6f6e2b11")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a transition needs to know of settings and of the state of this process.

    `daily` is what a tenant may spend on a day; `resting` are agents that are left alone for a moment; `may_begin` is
    False while the worker drains. `exploration` is the share of steps that go to little-known agents; for
    the skills in `spawnable` an agent can be begun.
    """

    input_timeout_s: float
    max_revisions: int
    has_model: bool
    max_hops: int
    daily: Amount
    resting: frozenset[str] = frozenset()
    may_begin: bool = True
    exploration: float = 0.0
    spawnable: frozenset[str] = frozenset()


def add(held: Held, step_ids: Sequence[str]) -> None:
    """Add steps that nobody has begun; on PostgreSQL in one statement, for each is a round trip."""
    if not step_ids:
        return
    task_id = held.run.task_id
    if held.connection.dialect.name == "postgresql":
        held.connection.execute(_ADD_TOGETHER, {"of_task": task_id, "of_steps": list(step_ids)})
    else:
        held.connection.execute(
            _ADD, [{"task_id": task_id, "step_id": step_id, "status": "pending"} for step_id in step_ids]
        )
    held.steps |= {step_id: StepState("pending") for step_id in step_ids}


def begin(held: Held, step: PlanStep, rules: Rules) -> StepWork | None:
    """Begin a step, or go on with it; None if it waits for approval, or failed before it began."""
    try:
        if step.approve and not questions.is_approved(held, step, rules.input_timeout_s):
            return None
        tries = tries_of(held.connection, held.run.task_id, step.id) if held.steps[step.id].begun else ()
        if tries and tries[-1]["ended_at"] is None:
            return resume(held, step, tries[-1], rules)
        return begin_attempt(held, step, rules, tries)
    except FederationError as error:
        if error.retryable or is_spawnable(error, rules):
            mark_running(held, step)
            is_begun = is_spawnable(error, rules)
            text = f"No agent has the skill {step.skill}: one is begun." if is_begun else error.detail
            held.tell("step.progress", step_id=step.id, text=text)
            return StepWork(held.run, step, None, error)
        status = "skipped" if isinstance(error, inputs.StepRejectedError) else "failed"
        end(held, step.id, status, error=error.to_metadata())
        return None


def is_spawnable(error: FederationError, rules: Rules) -> bool:
    """Tell whether a step has no agent, and one can be begun for it."""
    return error.facts.get("missing_skill") in rules.spawnable


def begin_attempt(held: Held, step: PlanStep, rules: Rules, tries: Sequence[RowMapping]) -> StepWork:
    """Record that the step goes to an agent, before anything is sent; `tries` are the earlier ones.

    Raises: NoAgentError, AgentsAwayError, AgentUnavailableError, NotFoundError, BudgetExhaustedError,
    LoopDetectedError.
    """
    run, connection = held.run, held.connection
    tried = [row["agent_id"] for row in tries]
    others = _asked_too(held, step.id)
    choice = choosing.choose(
        connection,
        run.tenant_id,
        step.skill,
        step.agent,
        step.instruction,
        tried,
        rules.resting,
        others,
        lot="" if tried or others else f"{run.task_id}/{step.id}",
        exploration=rules.exploration,
    )
    number = len(tries) + 1
    granted = held.reserve(step.id, rules.daily, lambda: _parts(held, step.id))
    attempt = OpenAttempt(
        number=number,
        agent_id=choice.agent_id,
        agent_name=choice.name,
        endpoint=choice.endpoint,
        card_hash=choice.card_hash,
        credentials=choice.credentials,
        max_concurrency=choice.max_concurrency,
        granted=granted,
        message_id=_unheard(tries, choice.agent_id) or str(uuid5(_MESSAGES, f"{run.task_id}/{step.id}/{number}")),
    )
    work = _work(held, step, attempt, rules)
    at = now()
    _GIVE.execute(
        connection,
        {
            "of_task": run.task_id,
            "of_step": step.id,
            "of_number": number,
            "to_agent": choice.agent_id,
            "to_name": choice.name,
            "because": choice.why,
            "for_skill": step.skill,
            "by_message": attempt.message_id,
            "granted": None if granted is None else granted.model_dump(mode="json", exclude_none=True),
            "at": at,
        },
    )
    held.steps[step.id] = StepState("running", begun=True)
    held.tell("step.status", step_id=step.id, status="running", agent_name=choice.name, why_chosen=choice.why)
    return work


def _parts(held: Held, step_id: str) -> int:
    """Return by how much what is left is divided for a step; for an answer of a round, by the others to come too.

    A step that waits for an agent runs, and holds nothing yet.
    """
    if held.run.plan is None:
        return 1
    holding = budgets.holding(held.reserved)
    owner = team.owner(step_id)
    begun = [owner, *(name for name, state in held.steps.items() if name in holding or state.outcome is not None)]
    parts = budgets.parts(held.run.plan, owner, begun)
    if owner == step_id:
        return parts
    return parts + len({name for name in held.steps if team.owner(name) == owner} - {step_id, *begun})


def _asked_too(held: Held, step_id: str) -> set[str]:
    """Return the agents of the round's other answers."""
    if not team.is_member(step_id):
        return set()
    round_ = step_id.rpartition(".")[0]
    others = [name for name in held.steps if name.rpartition(".")[0] == round_ and name != step_id]
    found = held.connection.execute(_AGENTS, {"of_task": held.run.task_id, "of_steps": others}).scalars()
    return {agent_id for agent_id in found if agent_id is not None}


def resume(held: Held, step: PlanStep, last: RowMapping, rules: Rules) -> StepWork:
    """Go on with the try that an earlier life or a person's answer left under way."""
    mark_running(held, step)
    agent = choosing.reach(held.connection, last["agent_id"])
    if agent is None:
        raise AgentProtocolError("The step's agent was removed while it worked.")
    attempt = OpenAttempt(
        number=last["number"],
        agent_id=agent.agent_id,
        agent_name=agent.name,
        endpoint=agent.endpoint,
        card_hash=agent.card_hash,
        credentials=agent.credentials,
        max_concurrency=agent.max_concurrency,
        message_id=last["message_id"],
        remote_task_id=last["remote_task_id"],
        remote_context_id=last["remote_context_id"],
        granted=None if last["reserved"] is None else Amount.model_validate(last["reserved"]),
        may_have_begun=True,
    )
    work = _work(held, step, attempt, rules)
    return replace(work, refusal=AgentSuspendedError(agent.name)) if agent.is_suspended else work


def tries_of(connection: Connection, task_id: str, step_id: str) -> Sequence[RowMapping]:
    """Return the step's tries, in order."""
    return connection.execute(_TRIES, {"of_task": task_id, "of_step": step_id}).mappings().all()


def _unheard(tries: Sequence[RowMapping], agent_id: str) -> str | None:
    """Return the id of the message that the agent says it never got: if it did all the same, it knows it by that id."""
    for row in reversed(tries):
        if row["agent_id"] == agent_id:
            error: JsonObject = row["error"] or {}
            return row["message_id"] if row["remote_task_id"] is None and error.get("reached") is False else None
    return None


def keep_remote(held: Held, step_id: str, number: int, remote: Remote | None) -> None:
    """Keep the remote task's id and context as soon as they are known."""
    if remote is not None:
        named = {"of_task": held.run.task_id, "of_step": step_id, "of_number": number}
        held.connection.execute(_KEEP_REMOTE, named | {"remote": remote[0], "context": remote[1]})


def end_attempt(held: Held, step_id: str, error: JsonObject | None, remote: Remote | None = None) -> None:
    """Record that the try under way is over, and with it the remote task, if it was not kept yet."""
    remote_id, context_id = remote or (None, None)
    named = {"of_task": held.run.task_id, "of_step": step_id, "remote": remote_id, "context": context_id}
    held.connection.execute(_END_ATTEMPT, named | {"at": now(), "with_error": error})


def end(
    held: Held,
    step_id: str,
    status: Literal["completed", "failed", "skipped", "canceled"],
    *,
    output: Output | None = None,
    error: JsonObject | None = None,
    remote: Remote | None = None,
    with_try: bool = False,
) -> None:
    """Close the step, with what it brought; `with_try`: and the try under way, as `end_attempt`."""
    values: dict[str, object] = {
        "of_task": held.run.task_id,
        "of_step": step_id,
        "to_status": status,
        "with_error": error,
        "at": now(),
        "text": None if output is None else output.text,
        "data": None if output is None else list(output.data),
        "spent": None if output is None else usage_json(output.usage),
    }
    if with_try:
        remote_id, context_id = remote or (None, None)
        _END_WITH_TRY.execute(held.connection, values | {"remote": remote_id, "context": context_id})
    else:
        held.connection.execute(_END, values)
    held.steps[step_id] = StepState(status, error, begun=True)
    held.changes["recoveries"] = 0
    if output is not None:
        held.said[step_id] = output.text
        for file in output.files:
            if file.content is not None:
                artifact = artifacts.store(held.connection, held.run.task_id, step_id, file)
                held.tell("step.artifact", step_id=step_id, artifact=artifact)
    held.settle(step_id, Usage() if output is None else output.usage)
    held.tell("step.status", step_id=step_id, status=status, error=error)


def _work(held: Held, step: PlanStep, attempt: OpenAttempt, rules: Rules) -> StepWork:
    """Return what the try needs. Raises: LoopDetectedError, when its message must not be sent."""
    connection, run = held.connection, held.run
    reply = questions.reply(connection, run.task_id, step.id) if attempt.may_have_begun else None
    if reply is not None and reply.refusal is not None:
        return StepWork(run, step, attempt, reply.refusal, reply=reply)
    if attempt.remote_task_id is not None:
        return StepWork(run, step, attempt, reply=reply)
    values = step_inputs.values(connection, run.task_id, step, run.request, held.said)
    told = ancestry.child_metadata(
        task_id=run.task_id,
        root_task_id=run.root_task_id,
        ancestry=run.ancestry,
        step_id=step.id,
        agent=attempt.endpoint,
        request_text=str(fill(step.instruction, values)),
        max_hops=rules.max_hops,
    )
    return StepWork(
        run,
        step,
        attempt,
        reply=reply,
        values=values,
        files=tuple(step_inputs.files(connection, run.task_id, step, run.request, values)),
        metadata=told
        | step_inputs.wishes(run.request, run.session_id)
        | budgets.to_metadata(attempt.granted, run.request, run.deadline_at, planned=len(held.steps)),
    )


def mark_running(held: Held, step: PlanStep) -> None:
    """Let the step be at work, if it is not yet."""
    if held.steps[step.id].status != "running":
        named = {"of_task": held.run.task_id, "of_step": step.id}
        held.connection.execute(_SET_STATUS, named | {"to_status": "running"})
        held.tell("step.status", step_id=step.id, status="running")
    held.steps[step.id] = StepState("running", begun=True)


_of_step = (StepRow.task_id == bindparam("of_task"), StepRow.step_id == bindparam("of_step"))
_of_attempt = (
    Attempt.task_id == bindparam("of_task"),
    Attempt.step_id == bindparam("of_step"),
    Attempt.number == bindparam("of_number"),
)
_ADD: Final = prepared(insert(StepRow))
_ADD_TOGETHER: Final = prepared(
    insert(StepRow).from_select(
        ["task_id", "step_id", "status"],
        select(
            bindparam("of_task", type_=String()),
            func.unnest(bindparam("of_steps", type_=ARRAY(String()))),
            literal("pending"),
        ),
    )
)
_GIVE: Final = Together(
    insert(Attempt).values(
        task_id=bindparam("of_task"),
        step_id=bindparam("of_step"),
        number=bindparam("of_number"),
        agent_id=bindparam("to_agent"),
        agent_name=bindparam("to_name"),
        why=bindparam("because"),
        skill=bindparam("for_skill"),
        message_id=bindparam("by_message"),
        reserved=bindparam("granted"),
        started_at=bindparam("at", type_=UtcTime()),
    ),
    update(StepRow)
    .where(*_of_step)
    .values(
        status="running",
        agent_id=bindparam("to_agent"),
        agent_name=bindparam("to_name"),
        why_chosen=bindparam("because"),
        started_at=func.coalesce(StepRow.started_at, bindparam("at", type_=UtcTime())),
    ),
)
_END: Final = prepared(
    update(StepRow)
    .where(*_of_step)
    .values(
        status=bindparam("to_status"),
        error=bindparam("with_error"),
        completed_at=bindparam("at"),
        output_text=bindparam("text"),
        output_data=bindparam("data"),
        usage=bindparam("spent"),
    )
)
_AGENTS: Final = select(StepRow.agent_id).where(
    StepRow.task_id == bindparam("of_task"),
    StepRow.step_id.in_(bindparam("of_steps", expanding=True)),
)
_SET_STATUS: Final = prepared(update(StepRow).where(*_of_step).values(status=bindparam("to_status")))
_TRIES: Final = prepared(
    select(
        Attempt.number,
        Attempt.agent_id,
        Attempt.message_id,
        Attempt.remote_task_id,
        Attempt.remote_context_id,
        Attempt.reserved,
        Attempt.ended_at,
        Attempt.error,
    )
    .where(Attempt.task_id == bindparam("of_task"), Attempt.step_id == bindparam("of_step"))
    .order_by(Attempt.number)
)
_KEEP_REMOTE: Final = prepared(
    update(Attempt)
    .where(*_of_attempt)
    .values(remote_task_id=bindparam("remote"), remote_context_id=bindparam("context"))
)
_END_ATTEMPT: Final = prepared(
    update(Attempt)
    .where(*_of_attempt[:2], Attempt.ended_at.is_(None))
    .values(
        ended_at=bindparam("at"),
        error=bindparam("with_error"),
        remote_task_id=func.coalesce(bindparam("remote", type_=String()), Attempt.remote_task_id),
        remote_context_id=func.coalesce(bindparam("context", type_=String()), Attempt.remote_context_id),
    )
)
_END_WITH_TRY: Final = Together(_END_ATTEMPT, _END)
