"""`federation learned`: which plans were learned, and how to forget them."""

from typing import Annotated

import typer

from federation.calling import AsJson, call, print_json
from federation.client import Client
from federation.display import Display
from federation.learned_plans import LearnedPlan
from federation.progress import first_line

learned = typer.Typer(help="See and forget plans that succeeded and are used again.", no_args_is_help=True)

PlanId = Annotated[str, typer.Argument(help="Id of the learned plan.")]


@learned.command("list")
def _list(context: typer.Context, as_json: AsJson = False) -> None:
    """List the learned plans, newest first."""
    found = call(context, lambda client: client.learned_plans())
    if as_json:
        print_json(found)
        return
    rows = [(plan.id, str(plan.successes), _skills(plan), first_line(plan.goal)) for plan in found]
    Display().table(("id", "succeeded", "skills", "request"), rows)


@learned.command("show")
def _show(context: typer.Context, plan_id: PlanId, as_json: AsJson = False) -> None:
    """Show one learned plan: the request and its steps."""
    plan = call(context, lambda client: client.learned_plan(plan_id))
    if as_json:
        print_json(plan)
        return
    display = Display()
    display.facts({"id": plan.id, "request": plan.goal, "succeeded": str(plan.successes), "last task": plan.task_id})
    rows = [(step.id, step.skill or "", first_line(step.instruction)) for step in plan.steps]
    display.table(("step", "skill", "instruction"), rows)


@learned.command("forget")
def _forget(
    context: typer.Context,
    plan_id: Annotated[str | None, typer.Argument(help="Id of the learned plan.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Forget all of them.")] = False,
) -> None:
    """Forget a learned plan, or all; the next request like it is planned anew."""
    if (plan_id is None) != every:
        raise typer.BadParameter("Give the id of a learned plan, or --all.")

    async def forget(client: Client) -> None:
        await client.forget_plans(plan_id)

    call(context, forget)
    Display().facts({"forgotten": plan_id or "all learned plans"})


def _skills(plan: LearnedPlan) -> str:
    return " → ".join(step.skill or step.agent or "" for step in plan.steps)
