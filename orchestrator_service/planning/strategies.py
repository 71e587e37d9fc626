"""Which planner plans: the model where there is one, the rules where there is none or where it failed."""

from orchestrator_service.planning.llm_planner import LlmPlanner
from orchestrator_service.planning.plan import Catalogue, Goal, Plan, check
from orchestrator_service.planning.rules_planner import RulesPlanner
from shared.agent import Usage
from shared.errors import FederationError
from shared.llm import MODEL_ERRORS, Model, charge, spent


async def plan_goal(
    goal: Goal, catalogue: Catalogue, model: Model | None, tokens: int | None = None
) -> tuple[Plan, list[str], Usage]:
    """Return a checked plan, notes on how it came about (why the model's was not taken), and what planning cost.

    `tokens` is how many the model may use, at most; where they are too few, the rules plan.
    Raises: PlanningFailedError when no agent fits a part; PlanInvalidError when the plan would be too large.
    """
    notes: list[str] = []
    usage = Usage()
    if model is not None:
        try:
            plan, usage = await LlmPlanner(model, tokens).draft(goal, catalogue)
        except MODEL_ERRORS as error:
            usage = spent(error)
            notes.append(f"Planned by rules, because the model could not: {error.detail}")
        else:
            return plan, notes, usage
    try:
        plan = await RulesPlanner().plan(goal, catalogue)
        skills = {offer.skill_id for offer in await catalogue.offers()}
        return check(plan, skills=skills, inputs=goal.inputs), notes, usage
    except FederationError as error:
        raise charge(error, usage) from error
