"""Plans with a language model: structured output, checked like every plan, sent back for repair once.

The catalogue is peer text: the model sees it typed, capped and fenced. What it plans may name only skills and agents of
the catalogue, attached files, and addresses that the person has named.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from orchestrator_service.planning import routing
from orchestrator_service.planning.parts import MENTION, URL
from orchestrator_service.planning.plan import (
    MAX_STEPS,
    Catalogue,
    Example,
    Goal,
    Offer,
    Plan,
    PlanInvalidError,
    PlanStep,
    check,
    strings,
)
from shared.agent import JsonObject, Usage
from shared.errors import ModelRefusedError
from shared.llm import Model, fence

MAX_GOAL_CHARS: Final = 20_000
MAX_OFFERS: Final = 80
_MAX_TURNS: Final = 10
_MAX_TURN_CHARS: Final = 2_000
_MAX_OUTPUT_CHARS: Final = 1_000
_MAX_EXAMPLE_CHARS: Final = 600
_MAX_ANSWER_TOKENS: Final = 4_096
_MIN_ANSWER_TOKENS: Final = 256
_CHARS_PER_TOKEN: Final = 3
_FORM_TOKENS: Final = 1_500

_FILES_OF_STEP: Final = re.compile(r"\{\{\s*steps\.[^{}\s]+\.artifacts\.[^{}\s]+\s*\}\}")
_SYSTEM: Final = """\
You plan work for a federation of agents. From a person's request you make the smallest plan that fulfils it.
- Each step is one message to one agent. It names a skill from the catalogue; leave `agent` null unless the person named
  one (for example "@browser").
- An agent sees only its own instruction and files. Write the instruction so that it stands alone, and keep URLs, file
  names, numbers, code and quoted words exactly as the person wrote them.
- Where a step needs the result of an earlier one, write {{ steps.ID.output }} at that place of its instruction.
- Where a step needs the files that an earlier one makes, such as code, add {{ steps.ID.artifacts.* }} to its files.
- Steps that do not need each other do not depend on each other; they run at the same time. Use `depends_on` only for an
  order that the person asked for.
- Several actions on the same page, or questions about the same table, are one step.
- Use only URLs that the person named. Invent nothing."""


_REVISE: Final = """

The plan for this request was begun, and some of its steps failed. Plan only what is still to be done:
- What is done stays done. Never do it again; where its result is needed, write {{ steps.ID.output }} with its id.
- Do otherwise what failed: another skill, another instruction, or another way to the same result. The same step again
  fails again. Where the agent may have acted all the same, do not use that skill.
- Of the steps that had not begun, plan again those that still help."""


@dataclass(frozen=True, slots=True)
class Done:
    """A step that completed, and what its agent answered (peer text)."""

    step: PlanStep
    output: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A step that failed for good, and its error. `harmful`: its agent may have acted, so it must not be done again."""

    step: PlanStep
    error: JsonObject
    harmful: bool


_FILES: Final = "Names of attached files the agent needs; {{ steps.ID.artifacts.* }} for those that a step makes."


class _Step(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Short and unique, such as read-page.")
    skill: str = Field(description="A skill id from the catalogue.")
    agent: str | None = Field(None, description="Name of the agent, only if the person named it.")
    instruction: str = Field(min_length=1, max_length=100_000, description="What the agent is told.")
    depends_on: list[str] = Field(default_factory=list[str], description="Ids of steps that must complete first.")
    files: list[str] = Field(default_factory=list[str], description=_FILES)


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore", title="Plan")

    steps: list[_Step] = Field(min_length=1, max_length=MAX_STEPS)


class LlmPlanner:
    """A planner that asks a language model. `tokens`: how many that may take, at most; None: as many as it takes."""

    def __init__(self, model: Model, tokens: int | None = None) -> None:
        self._model = model
        self._tokens = tokens

    async def plan(self, goal: Goal, catalogue: Catalogue) -> Plan:
        """Return a checked plan for the goal. Raises: one of MODEL_ERRORS, when one repair did not help either."""
        plan, _ = await self.draft(goal, catalogue)
        return plan

    async def draft(self, goal: Goal, catalogue: Catalogue) -> tuple[Plan, Usage]:
        """Return a checked plan and what it cost. Raises: as `plan`."""
        offers = await self._offers(goal, catalogue)
        prompt = _prompt(goal, await _shown(goal, offers, catalogue))
        return await self._ask(prompt, _SYSTEM, lambda form: _planned(form, goal, offers))

    async def revise(
        self,
        goal: Goal,
        done: Sequence[Done],
        failed: Sequence[Failed],
        open_steps: Sequence[PlanStep],
        catalogue: Catalogue,
    ) -> tuple[list[PlanStep], Usage]:
        """Return the steps that are to follow what is done, and what it cost to ask. Raises: as `plan`.

        `open_steps` had not begun; none of them goes on by itself. The steps fit together with those that are done.
        """
        offers = await self._offers(goal, catalogue)
        prompt = f"{_prompt(goal, await _shown(goal, offers, catalogue))}\n\n{_story(done, failed, open_steps)}"
        plan, usage = await self._ask(
            prompt, _SYSTEM + _REVISE, lambda form: _planned(form, goal, offers, done, failed)
        )
        kept = {each.step.id for each in done}
        return [step for step in plan.steps if step.id not in kept], usage

    async def _offers(self, goal: Goal, catalogue: Catalogue) -> list[Offer]:
        if len(goal.text) > MAX_GOAL_CHARS:
            raise ModelRefusedError(
                f"The request has {len(goal.text):,} characters; the model plans requests of up to {MAX_GOAL_CHARS:,}."
            )
        return await catalogue.offers()

    async def _ask(self, prompt: str, system: str, planned: Callable[[_Form], Plan]) -> tuple[Plan, Usage]:
        """Return the plan that is `planned` from an answer; one of which none can be is sent back for repair."""
        plans: list[Plan] = []
        _, usage = await self._model.structured(
            prompt,
            _Form,
            system=system,
            max_tokens=self._answer_tokens(len(prompt) + len(system)),
            verify=lambda form: plans.append(planned(form)),
        )
        return plans[-1], usage

    def _answer_tokens(self, prompt_chars: int) -> int:
        """Return how long the answer may be, so that two of them, the first one sent back, stay within the budget."""
        if self._tokens is None:
            return _MAX_ANSWER_TOKENS
        room = (self._tokens - 2 * (prompt_chars // _CHARS_PER_TOKEN + _FORM_TOKENS)) // 3
        if room < _MIN_ANSWER_TOKENS:
            raise ModelRefusedError(
                f"The {self._tokens:,} tokens left of the budget are too few for the model to plan."
            )
        return min(room, _MAX_ANSWER_TOKENS)


async def _shown(goal: Goal, offers: list[Offer], catalogue: Catalogue) -> list[Offer]:
    """Return the offers that the model is shown: those that fit the request best, where they are too many."""
    return offers if len(offers) <= MAX_OFFERS else [m.offer for m in await catalogue.rank(goal.text, MAX_OFFERS)]


def _planned(
    form: _Form, goal: Goal, offers: Sequence[Offer], done: Sequence[Done] = (), failed: Sequence[Failed] = ()
) -> Plan:
    """Return the model's plan after what is done, checked. Raises: PlanInvalidError."""
    agents = {step.id: _only(step.agent, offers) if step.agent else None for step in form.steps}
    errors = [*_foreign(form, goal), *(_unknown_agents(form, agents)), *_repeated(form, agents, done, failed)]
    wanted = {_only(found["name"], offers) for found in MENTION.finditer(goal.text)} - {None}
    asked = {*agents.values(), *(each.step.agent for each in done)}
    errors += [f"The person named the agent {agent}, but no step has it." for agent in wanted - asked]
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
    kept = [each.step for each in done]
    skills = {offer.skill_id for offer in offers} | {step.skill for step in kept if step.skill is not None}
    plan = Plan.model_construct(id="", revision=1, strategy="llm", steps=[*kept, *steps])
    return check(plan, skills=skills, inputs=goal.inputs)


def _repeated(form: _Form, agents: dict[str, str | None], done: Sequence[Done], failed: Sequence[Failed]) -> list[str]:
    """Say which steps of the plan do again what is done, or what failed."""
    finished = {each.step.id for each in done}
    errors = [f"Step {step.id} is done already; leave it out." for step in form.steps if step.id in finished]
    for step in form.steps:
        for each in failed:
            if step.skill != each.step.skill:
                continue
            if each.harmful:
                errors.append(f"Step {step.id}: {step.skill} may have acted in step {each.step.id}; do not use it.")
            elif step.instruction.split() == each.step.instruction.split() and agents[step.id] in {
                None,
                each.step.agent,
            }:
                errors.append(f"Step {step.id} is step {each.step.id} again, which failed; do it otherwise.")
    return errors


def _only(name: str, offers: Sequence[Offer]) -> str | None:
    named = routing.named_agents(name, offers)
    return named.pop() if len(named) == 1 else None


def _foreign(form: _Form, goal: Goal) -> list[str]:
    """Say which files and addresses of the plan the person never named."""
    named = "\n".join(
        [goal.text, *(text for role, text in goal.history if role == "user"), *strings(dict(goal.inputs or {}))]
    ).lower()
    errors: list[str] = []
    for step in form.steps:
        named_files = [name for name in step.files if not _FILES_OF_STEP.fullmatch(name)]
        errors += [f"Step {step.id}: there is no file {name!r}." for name in named_files if name not in goal.files]
        for found in URL.finditer(step.instruction):
            if not _is_named(urlsplit(found[0]).netloc.lower(), named):
                errors.append(f"Step {step.id}: the person did not name the address {found[0]}.")
    return errors


def _is_named(host: str, text: str) -> bool:
    """Tell whether a text names the host, with its port if it has one: as a whole, but for a "www." before it."""
    written = rf"(?<![^\W_])(?<![.-])(?:www\.)?{re.escape(host)}(?![^\W_]|-|[.:][^\W_])"
    return re.search(written, text) is not None


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
    if goal.examples:
        shown = "\n\n".join(_shown_example(example) for example in goal.examples)
        sections.append(f"Plans that fulfilled similar requests, as examples:\n{fence('earlier plans', shown)}")
    sections.append(f"The request to plan:\n{goal.text}")
    return "\n\n".join(sections)


def _shown_example(example: Example) -> str:
    steps = [
        {
            "id": step.id,
            "skill": step.skill,
            "instruction": step.instruction[:_MAX_EXAMPLE_CHARS],
            "depends_on": step.depends_on,
        }
        for step in example.steps
    ]
    return f"Request: {example.goal[:_MAX_EXAMPLE_CHARS]}\nPlan: {json.dumps(steps, ensure_ascii=False)}"


def _story(done: Sequence[Done], failed: Sequence[Failed], open_steps: Sequence[PlanStep]) -> str:
    """Tell how the plan went so far."""
    sections = [
        f"Done, as step {each.step.id} ({each.step.skill}): {each.step.instruction[:_MAX_OUTPUT_CHARS]}\n"
        + fence(f"result of {each.step.id}", each.output[:_MAX_OUTPUT_CHARS])
        for each in done
    ]
    for each in failed:
        may_have_acted = " Its agent may have acted all the same." if each.harmful else ""
        error = str(each.error.get("detail") or each.error.get("type"))[:_MAX_OUTPUT_CHARS]
        sections.append(
            f"Failed, as step {each.step.id} ({each.step.skill}): {each.step.instruction[:_MAX_OUTPUT_CHARS]}\n"
            f"{fence(f'error of {each.step.id}', error)}{may_have_acted}"
        )
    sections += [
        f"Not begun, as step {step.id} ({step.skill}): {step.instruction[:_MAX_OUTPUT_CHARS]}" for step in open_steps
    ]
    return "How the plan went so far:\n\n" + "\n\n".join(sections)
