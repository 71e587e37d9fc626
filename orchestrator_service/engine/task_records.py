"""The transitions of a task that runs: each is one transaction, refused when the run is not the task's newest.

Every transition ends with `_advance`: what is ready is begun in the same commit as the end of what it waited for.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, insert

from orchestrator_service import budgets, events, registry
from orchestrator_service.engine import closing, critique, leftovers, questions, review, step_records, task_reads, teams
from orchestrator_service.engine.decide import Finish, Park, Revise, StartSteps, Wait, decide
from orchestrator_service.engine.held import Held, hold
from orchestrator_service.engine.step_records import Rules
from orchestrator_service.engine.work import Move, Remote, Run, StepEnd, StepWork
from orchestrator_service.models import PlanRow
from orchestrator_service.planning.plan import Plan, PlanStep, check, literal
from orchestrator_service.planning.revision import allows
from orchestrator_service.planning.team import Evaluation
from shared.agent import JsonObject, Usage
from shared.auth import Caller
from shared.db import new_id, now
from shared.errors import FederationError
from shared.prepared import prepared


def go_on(connection: Connection, run: Run, rules: Rules) -> Move:
    """Take up the run that was claimed from the queue. Raises: StaleRunError, and as `take_up`."""
    return take_up(hold(connection, run), rules, None)


def take_up(held: Held, rules: Rules, given: Plan | None) -> Move:
    """Begin the run that was claimed: with the plan it has, or the one it was given; else a plan is wanted.

    `given` is the plan in the task's request, if it is at hand, checked.
    Raises: PlanInvalidError, NotFoundError (the named agent), BudgetExhaustedError: the task cannot run.
    """
    connection, run = held.connection, held.run
    if not held.has_started:
        held.changes["started_at"] = now()
    plan = task_reads.current_plan(connection, run.task_id) if held.steps else None  # steps come with their plan
    if plan is not None:
        held.run = replace(run, plan=plan)
    for step in held.steps.values():
        if step.status == "running":
            step.status = "pending"  # nobody performs it now: it goes on where it was
    if held.cancel_requested:
        return closing.stop(held, rules)
    if plan is None:
        if held.status != "planning":
            held.status = "planning"
            held.changes["status"] = "planning"
            held.tell("task.status", status="planning")
        plan = _direct_plan(connection, run) if given is None else given.model_copy(update={"strategy": "given"})
        if plan is not None:
            return _begin_plan(held, plan, rules)
        held.write()
        return Move(run, then="plan")
    if task_reads.waits_for_approval(connection, run.task_id):
        return closing.park(held)
    _show_executing(held)
    return _advance(held, rules)


def keep_plan(connection: Connection, run: Run, plan: Plan, usage: Usage, rules: Rules) -> Move:
    """Store the plan that was made, and begin it; first a person has to approve it, if the task says so.

    Raises: StaleRunError, PlanInvalidError, BudgetExhaustedError.
    """
    held = hold(connection, run)
    held.settle(budgets.PLANNING, usage)
    return _begin_plan(held, _checked(plan, run), rules)


def keep_revision(connection: Connection, run: Run, plan: Plan | None, reason: str, usage: Usage, rules: Rules) -> Move:
    """Go on with another plan for what is not done; without one, the task fails with the step that failed."""
    held = hold(connection, run)
    held.settle(budgets.PLANNING, usage)
    if plan is None:
        return _advance(held, replace(rules, max_revisions=0))
    _store_plan(held, plan, reason)
    return _advance(held, rules)


def proceed(connection: Connection, run: Run, rules: Rules) -> Move:
    """Begin what became ready from outside: a person has answered."""
    return _advance(hold(connection, run), rules)


def end_steps(connection: Connection, ends: Sequence[StepEnd], rules: Rules) -> Move:
    """Close steps of one run with their tries, and begin what follows. All have the same plan."""
    held = hold(connection, ends[0].work.run)
    for end in ends:
        held.drafts += end.drafts
        status = "canceled" if end.canceled else "failed" if end.error is not None else "completed"
        step_records.end(
            held, end.work.step.id, status, output=end.output, error=end.error, remote=end.remote, with_try=True
        )
        if end.is_left:
            leftovers.leave(connection, end.work)
        if end.work.reply is not None:
            questions.consume(held, end.work.reply.input_id)
    return _advance(held, rules)


def ask(
    connection: Connection,
    work: StepWork,
    rules: Rules,
    prompt: str,
    schema: JsonObject | None,
    *,
    is_auth: bool,
    remote: Remote | None,
    drafts: Sequence[events.Draft],
) -> Move:
    """Record that the remote task waits for a person: one pending input, announced."""
    held = hold(connection, work.run)
    held.drafts += drafts
    if work.attempt is not None:
        step_records.keep_remote(held, work.step.id, work.attempt.number, remote)
    if work.reply is not None:
        questions.consume(held, work.reply.input_id)
    tries = step_records.tries_of(connection, work.run.task_id, work.step.id)
    remote_id = tries[-1]["remote_task_id"] if tries else None
    questions.ask(held, work.step, "auth" if is_auth else "agent", prompt, schema, rules.input_timeout_s, remote_id)
    return _advance(held, rules)


def try_again(
    connection: Connection,
    work: StepWork,
    rules: Rules,
    error: JsonObject | None,
    usage: Usage,
    remote: Remote | None,
    *,
    is_left: bool,
) -> StepWork:
    """End the try, if there is one, and begin another with the agent that fits best now. `usage` is what it spent.

    If none can begin, the result has no try, and a refusal that says why. Raises: StaleRunError.
    """
    held = hold(connection, work.run)
    if error is not None:
        step_records.end_attempt(held, work.step.id, error, remote)
    if is_left:
        leftovers.leave(connection, work)
    if work.reply is not None:
        questions.consume(held, work.reply.input_id)  # it was for the try that is over
    if work.attempt is not None:
        held.settle(work.step.id, usage, again_after=work.attempt.number)
    tries = step_records.tries_of(connection, work.run.task_id, work.step.id)
    try:
        following = step_records.begin_attempt(held, work.step, rules, tries)
    except FederationError as refusal:
        following = replace(work, attempt=None, refusal=refusal)
    held.write()
    return following


def keep_progress(
    connection: Connection, work: StepWork, remote: Remote | None, drafts: Sequence[events.Draft]
) -> None:
    """Keep the remote task's id and context as soon as they are known, and what was told on the way."""
    held = hold(connection, work.run)
    if work.attempt is not None:
        step_records.keep_remote(held, work.step.id, work.attempt.number, remote)
    held.drafts += drafts
    held.write()


def tell(connection: Connection, run: Run, drafts: Sequence[events.Draft]) -> None:
    """Add events to the task's log."""
    held = hold(connection, run)
    held.drafts += drafts
    held.write()


def conclude(connection: Connection, run: Run, summary: str, usage: Usage | None) -> Move:
    """End the task with a summary that a model wrote."""
    held = hold(connection, run)
    if usage is not None:
        held.settle(budgets.SUMMARY, usage)
    return closing.end(held, "completed", summary=summary)


def keep_evaluation(
    connection: Connection, run: Run, plan: Plan, asked: Evaluation, evaluation: JsonObject, usage: Usage, rules: Rules
) -> Move:
    """End the task if its result is good enough; else do its last steps again, as often as that is wished.

    Raises: StaleRunError, BudgetExhaustedError.
    """
    held = hold(connection, run)
    held.settle(budgets.EVALUATION, usage)
    held.tell(review.EVALUATED, evaluation=evaluation)
    found = review.evaluations(connection, run.task_id)
    number = len(found) + 1
    found[number] = evaluation
    has_passed = critique.has_passed(evaluation)
    if not has_passed and number < asked.max_rounds:
        reason = f"Round {number}: {critique.says(evaluation)}"
        _store_plan(held, review.redo(connection, run, plan, evaluation, held.steps), reason)
        return _advance(held, rules)
    best = number if has_passed else critique.best(found)
    summary = review.answer(connection, run.task_id, review.steps_of(found[best]))
    error = None if has_passed or asked.unmet == "keep" else critique.not_met(found)
    more: JsonObject = {"evaluation": found[best], "rounds": [*found.values()]}
    return closing.end(held, "completed" if error is None else "failed", error, summary=summary, more=more)


def cancel(connection: Connection, run: Run, rules: Rules) -> Move:
    """End the task as canceled, when no step is under way; first the remote tasks that wait for a person."""
    return closing.stop(hold(connection, run), rules)


def stop_waiting(connection: Connection, run: Run, rules: Rules) -> Move:
    """Begin to end the remote tasks that wait for a person, because the task is canceled while others work."""
    held = hold(connection, run)
    stopping = closing.stop_waiting(held, rules) if held.cancel_requested else []
    held.write()
    return Move(held.run, tuple(stopping))


def fail(connection: Connection, run: Run, error: JsonObject, usage: Usage) -> Move:
    """End the task with an error that has nothing to do with one of its steps, and what was spent on the way."""
    held = hold(connection, run)
    held.settle(budgets.own_call(held.reserved), usage)
    return closing.end(held, "failed", error)


def reserve(connection: Connection, run: Run, call: str, rules: Rules) -> budgets.Amount | None:
    """Reserve what a call of the orchestrator's own may spend. Raises: BudgetExhaustedError."""
    held = hold(connection, run)
    granted = held.reserve(call, rules.daily)
    held.write()
    return granted


def _advance(held: Held, rules: Rules) -> Move:
    """Begin all that can be, or end or park the task; then write what was collected."""
    plan = held.run.plan
    if plan is None:
        raise AssertionError("A step ended before there was a plan.")
    begun: list[StepWork] = closing.stop_waiting(held, rules) if held.cancel_requested else []
    wish = held.run.request.get("replan")
    may_revise = allows(plan, wish if isinstance(wish, bool) else None, rules.max_revisions)
    while True:
        begun += teams.advance(held, plan, rules)
        outcomes = {step.id: ended for step in plan.steps if (ended := held.steps[step.id].outcome) is not None}
        running = {step.id for step in plan.steps if held.steps[step.id].status == "running"}
        match decide(plan, outcomes, running, canceling=held.cancel_requested, may_revise=may_revise):
            case StartSteps(steps):
                if not rules.may_begin:
                    break
                works = [work for step in steps if (work := teams.begin(held, step, rules)) is not None]
                begun += works
                if len(works) == len(steps):
                    break  # all of them run now: there is no more to decide
            case Wait():
                break
            case Park() if now() < held.run.deadline_at:
                return closing.park(held)
            case Park():  # what others waited for meanwhile comes too late
                begun += closing.end_waiting(held, rules)
            case Revise():
                held.write()
                return Move(held.run, then="revise")
            case Finish("completed") if review.wish(held.run) is not None:
                held.write()
                return Move(held.run, then="evaluate")
            case Finish("completed") if rules.has_model and len(plan.steps) > 1:  # one answer needs no summary
                held.write()
                return Move(held.run, then="summarize")
            case Finish(status, error):
                return closing.end(held, status, error)
    held.write()
    return Move(held.run, tuple(begun))


def _begin_plan(held: Held, plan: Plan, rules: Rules) -> Move:
    critique.check_judge(review.wish(held.run), has_model=rules.has_model)
    _store_plan(held, plan, None)
    if held.run.request.get("approve_plan") is True and not held.cancel_requested:
        questions.ask(held, None, "plan", "Approve this plan?", None, rules.input_timeout_s)
        return closing.park(held)
    _show_executing(held)
    return _advance(held, rules)


def _store_plan(held: Held, plan: Plan, reason: str | None) -> None:
    """Store a plan that was checked, and tell it. A revision, for a reason, keeps its numbers: what is done stays."""
    run, connection = held.run, held.connection
    stored = plan.model_copy(update={"id": new_id()})
    shown = task_reads.plan_json(stored)
    new = [step.id for step in stored.steps if step.id not in held.steps]
    budgets.check_steps(connection, run.task_id, run.request, run.root_task_id, len(new))
    connection.execute(
        _ADD_PLAN,
        {
            "id": stored.id,
            "task_id": run.task_id,
            "revision": stored.revision,
            "strategy": stored.strategy,
            "steps": shown["steps"],
            "reason": reason,
            "created_at": now(),
        },
    )
    for step_id, state in list(held.steps.items()):
        if state.outcome is None and not stored.has(step_id):
            step_records.end(held, step_id, "skipped")  # this plan does without it
    step_records.add(held, new)
    held.run = replace(run, plan=stored)
    held.tell("plan.created" if reason is None else "plan.revised", plan=shown, reason=reason)


def _show_executing(held: Held) -> None:
    if held.status in {"pending", "planning"}:
        held.status = "executing"
        held.changes["status"] = "executing"
        held.tell("task.status", status="executing")


def _direct_plan(connection: Connection, run: Run) -> Plan | None:
    """Return the plan that needs no planner: the one that was given, or one step for the agent that was named."""
    request = run.request
    if isinstance(written := request.get("plan"), dict):
        return _checked(Plan.model_validate({**written, "strategy": "given"}), run)
    if isinstance(agent := request.get("agent"), str):
        inputs = task_reads.given_inputs(request)
        agent_id = registry.identify(connection, Caller(run.tenant_id), agent)
        step = PlanStep(id="s1", agent=agent_id, instruction=literal(run.description, inputs), inputs=inputs)
        return _checked(Plan(strategy="direct", steps=[step]), run)
    return None


def _checked(plan: Plan, run: Run) -> Plan:
    return check(plan, inputs=task_reads.given_inputs(run.request))


_ADD_PLAN = prepared(insert(PlanRow))
