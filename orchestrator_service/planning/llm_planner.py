"""Plans with a language model: structured output, checked like every plan, sent back for repair once.

The catalogue is peer text: the model sees it typed, capped and fenced. What it plans may name only skills and agents of
the catalogue, attached files, and addresses that the person has named.
"""

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from orchestrator_service.planning import routing
from orchestrator_service.planning.parts import MENTION, URL
from orchestrator_service.planning.plan import (
    MAX_STEPS,
    Catalogue,
    Goal,
    Offer,
    Plan,
    PlanInvalidError,
    PlanStep,
    check,
)
from shared.agent import Usage
from shared.errors import ModelRefusedError
from shared.llm import Model, fence

MAX_GOAL_CHARS: Final = 20_000
MAX_OFFERS: Final = 80
_MAX_TURNS: Final = 10
_MAX_TURN_CHARS: Final = 2_000

_SYSTEM: Final = """\
You plan work for a federation of agents. From a person's request you make the smallest plan that fulfils it.
- Each step is one message to one agent. It names a skill from the catalogue; leave `agent` null unless the person named
  one (for example "@browser").
- An agent sees only its own instruction and files. Write the instruction so that it stands alone, and keep URLs, file
  names, numbers, code and quoted words exactly as the person wrote them.
- Where a step needs the result of an earlier one, write {{ steps.ID.output }} at that place of its instruction.
- Steps that do not need each other do not depend on each other; they run at the same time. Use `depends_on` only for an
  order that the person asked for.
- Several actions on the same page, or questions about the same table, are one step.
- Use only URLs that the person named. Invent nothing."""


class _Step(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Short and unique, such as read-page.")
    skill: str = Field(description="A skill id from the catalogue.")
    agent: str | None = Field(None, description="Name of the agent, only if the person named it.")
    instruction: str = Field(min_length=1, max_length=100_000, description="What the agent is told.")
    depends_on: list[str] = Field(default_factory=list[str], description="Ids of steps that must complete first.")
    files: list[str] = Field(default_factory=list[str], description="Names of attached files the agent needs.")


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore", title="Plan")

    steps: list[_Step] = Field(min_length=1, max_length=MAX_STEPS)


class LlmPlanner:
    """A planner that asks a language model."""

    def __init__(self, model: Model) -> None:
        self._model = model

    async def plan(self, goal: Goal, catalogue: Catalogue) -> Plan:
        """Return a checked plan for the goal. Raises: one of MODEL_ERRORS, when one repair did not help either."""
        plan, _ = await self.draft(goal, catalogue)
        return plan

    async def draft(self, goal: Goal, catalogue: Catalogue) -> tuple[Plan, Usage]:
        """Return a checked plan and what it cost. Raises: as `plan`."""
        if len(goal.text) > MAX_GOAL_CHARS:
            raise ModelRefusedError(
                f"The request has {len(goal.text):,} characters; the model plans requests of up to {MAX_GOAL_CHARS:,}."
            )
        offers = await catalogue.offers()
        shown = offers if len(offers) <= MAX_OFFERS else [m.offer for m in await catalogue.rank(goal.text, MAX_OFFERS)]
        form, usage = await self._model.structured(
            _prompt(goal, shown), _Form, system=_SYSTEM, verify=lambda form: _planned(form, goal, offers)
        )
        return _planned(form, goal, offers), usage


def _planned(form: _Form, goal: Goal, offers: Sequence[Offer]) -> Plan:
    """Return the model's plan, checked. Raises: PlanInvalidError."""
    agents = {step.id: _only(step.agent, offers) if step.agent else None for step in form.steps}
    errors = [*_foreign(form, goal), *(_unknown_agents(form, agents))]
    wanted = {_only(found["name"], offers) for found in MENTION.finditer(goal.text)} - {None}
    errors += [f"The person named the agent {agent}, but no step has it." for agent in wanted - set(agents.values())]
    if errors:
        raise PlanInvalidError(" ".join(errors[:5]))
    steps = [
        PlanStep(
            id=step.id,
            skill=step.skill,
            agent=agents[step.id],
            instruction=step.instruction,
            inputs={"files": list(step.files)} if step.files else {},
            depends_on=step.depends_on,
        )
        for step in form.steps
    ]
    return check(Plan(strategy="llm", steps=steps), skills={offer.skill_id for offer in offers}, inputs=goal.inputs)


def _only(name: str, offers: Sequence[Offer]) -> str | None:
    named = routing.named_agents(name, offers)
    return named.pop() if len(named) == 1 else None


def _foreign(form: _Form, goal: Goal) -> list[str]:
    """Say which files and addresses of the plan the person never named."""
    named = " ".join(
        [goal.text, *(text for role, text in goal.history if role == "user"), json.dumps(dict(goal.inputs or {}))]
    ).lower()
    errors: list[str] = []
    for step in form.steps:
        errors += [f"Step {step.id}: there is no file {name!r}." for name in step.files if name not in goal.files]
        for found in URL.finditer(step.instruction):
            if urlsplit(found[0]).netloc.lower() not in named:
                errors.append(f"Step {step.id}: the person did not name the address {found[0]}.")
    return errors


def _unknown_agents(form: _Form, agents: dict[str, str | None]) -> list[str]:
    return [
        f"Step {step.id}: there is no agent {step.agent!r}; leave agent null."
        for step in form.steps
        if step.agent and agents[step.id] is None
    ]


def _prompt(goal: Goal, offers: Sequence[Offer]) -> str:
    lines = [
        json.dumps(
            {
                "skill": offer.skill_id,
                "agent": offer.agent_name[:80],
                "description": offer.description[:300],
                "tags": [tag[:30] for tag in offer.tags[:8]],
                "examples": [example[:120] for example in offer.examples[:2]],
            },
            ensure_ascii=False,
        )
        for offer in offers
    ]
    sections = [f"The catalogue of skills, one a line:\n{fence('skill catalogue', chr(10).join(lines))}"]
    if goal.history:
        turns = [f"{role}: {text[:_MAX_TURN_CHARS]}" for role, text in goal.history[-_MAX_TURNS:]]
        sections.append(f"The conversation before:\n{fence('conversation', chr(10).join(turns))}")
    if goal.files:
        sections.append(f"Attached files:\n{fence('file names', chr(10).join(goal.files))}")
    if goal.inputs:
        sections.append("Inputs, to be used as {{ inputs.NAME }}:\n" + fence("input names", "\n".join(goal.inputs)))
    sections.append(f"The request to plan:\n{goal.text}")
    return "\n\n".join(sections)
