"""Plans: a graph of steps, the checks every plan passes, and how one step's result flows into another. Pure.

Field names and the reference syntax are the API's contract: `{{ steps.ID.output }}`, `{{ steps.ID.artifacts.NAME }}`
(`*` for all of them) and `{{ inputs.NAME }}` in a step's instruction and in string values of its inputs. A backslash
before the braces makes it plain text (`literal` writes it, `fill` takes it away).
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from orchestrator_service.planning.team import Agents, Consensus, Evaluation
from shared.errors import FederationError

Strategy = Literal["rules", "llm", "workflow", "direct", "given", "learned"]

MAX_STEPS = 50
MAX_DEPTH = 20
MAX_WIDTH = 32
MAX_INSTRUCTION_CHARS = 1_000_000
MAX_DURATION_S = 366 * 86_400.0

_REFERENCE = re.compile(r"(\\?)\{\{\s*(steps|inputs)\.([^{}\s]+?)\s*\}\}")
_STEP_PATH = re.compile(r"(?P<id>[A-Za-z0-9_-]+)\.(?:(?P<output>output)|artifacts\.(?P<artifact>.+))")


class PlanInvalidError(FederationError):
    """A plan that must not run. `facts["errors"]` lists every reason as `{pointer, detail}`."""

    slug = "plan-invalid"
    title = "The plan is not valid"
    status = 422


class PlanningFailedError(FederationError):
    """No plan could be made for the goal; the text says which part found no agent, and what is registered."""

    slug = "planning-failed"
    title = "The goal could not be planned"
    status = 422


def _is_none(value: object) -> bool:
    return value is None  # left out where a plan is stored: workers of before read it, too


class PlanStep(BaseModel):
    """One message to one agent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Unique within the plan.")
    step_number: int = Field(default=0, ge=0, description="Place in the plan, from 1; 0 lets the server number it.")
    skill: str | None = Field(
        default=None, max_length=200, description="Skill id the agent must have; null with `agent`: the agent decides."
    )
    agent: str | None = Field(
        default=None, max_length=2000, description="Name or id of the agent; null: chosen at run time."
    )
    instruction: str = Field(min_length=1, max_length=MAX_INSTRUCTION_CHARS, description="What the agent is told.")
    inputs: dict[str, JsonValue] = Field(
        default_factory=dict[str, JsonValue],
        description="Sent to the agent as JSON; `files` names the task's files to send, or refers to those of a step.",
    )
    depends_on: list[str] = Field(default_factory=list[str], description="Ids of the steps that must complete first.")
    success_criteria: str | None = Field(default=None, description="How one sees that the step succeeded.")
    timeout_s: float | None = Field(
        default=None, gt=0, le=MAX_DURATION_S, description="Longest time for this step, in seconds."
    )
    idempotent: bool = Field(default=False, description="True if doing it twice has the effect of doing it once.")
    approve: bool = Field(
        default=False, description="A person must approve the step before it starts.", examples=[True]
    )
    input_timeout_s: float | None = Field(
        default=None,
        gt=0,
        le=MAX_DURATION_S,
        description="How long a question of the step may wait for a person, in seconds; null: INPUT_TIMEOUT_S.",
        examples=[86_400],
    )
    agents: Agents | None = Field(
        default=None,
        exclude_if=_is_none,
        description="How many answers of different agents are asked for at once, or the agents' names.",
        examples=[3],
    )
    consensus: Consensus | None = Field(
        default=None,
        exclude_if=_is_none,
        description="How those answers become one; vote, if only `agents` is given.",
        examples=["vote"],
    )
    evaluate: Evaluation | None = Field(
        default=None,
        exclude_if=_is_none,
        description="What the answer has to be like; one that is not is asked for again with a critique.",
    )

    @property
    def is_team(self) -> bool:
        """Whether the step is more than one question to one agent."""
        return self.agents is not None or self.consensus is not None or self.evaluate is not None

    @model_validator(mode="after")
    def _names_agents_once(self) -> "PlanStep":
        if self.agent is not None and isinstance(self.agents, list):
            raise ValueError("name the agents in `agents`, or one in `agent`, not both")
        return self


class Plan(BaseModel):
    """A directed acyclic graph of steps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = ""
    revision: int = Field(default=1, ge=1)
    strategy: Strategy = "given"
    steps: list[PlanStep] = Field(min_length=1, max_length=MAX_STEPS)

    def step(self, step_id: str) -> PlanStep:
        """Return the step with that id. Raises: KeyError."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def has(self, step_id: str) -> bool:
        """Tell whether the plan has a step with that id."""
        return any(step.id == step_id for step in self.steps)

    def in_order(self) -> list[PlanStep]:
        """Return the steps, each after those it needs, and else in the plan's order. Raises: CycleError."""
        return self.sort({step.id: needs(step) for step in self.steps})

    def sort(self, needed: Mapping[str, Collection[str]]) -> list[PlanStep]:
        """Return the steps in order as `in_order` does, for one who knows already which each needs."""
        done: set[str] = set()
        for step in self.steps:
            if not done.issuperset(needed[step.id]):
                break
            done.add(step.id)
        else:
            return list(self.steps)  # as most plans are written
        place = {step.id: place for place, step in enumerate(self.steps)}
        sorter = TopologicalSorter(needed)
        sorter.prepare()
        ordered: list[PlanStep] = []
        ready: list[int] = []
        while sorter.is_active():
            for step_id in sorter.get_ready():
                heappush(ready, place[step_id])
            ordered.append(self.steps[heappop(ready)])
            sorter.done(ordered[-1].id)
        return ordered


@dataclass(frozen=True, slots=True)
class Example:
    """A request and the steps that fulfilled it."""

    goal: str
    steps: tuple[PlanStep, ...]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a person asked for, with what is known of the conversation before it.

    `history` holds the session's earlier turns, oldest first, as (role, text); `files` the names of attached files;
    `examples` plans that fulfilled similar requests.
    """

    text: str
    history: tuple[tuple[str, str], ...] = ()
    inputs: Mapping[str, JsonValue] | None = None
    files: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """One skill of one agent that may be chosen now. Name, description, tags and examples are peer text."""

    agent_id: str
    agent_name: str
    skill_id: str
    skill_name: str
    description: str
    tags: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """An offer ranked for a need: `score` is 0 or more, comparable within one ranking; `why` a short reason."""

    offer: Offer
    score: float
    why: str


class Catalogue(Protocol):
    """The skills on offer, as the registry knows them. (The registry in service, a list in tests.)"""

    async def offers(self) -> list[Offer]:
        """Return every skill of every agent that may be chosen now."""
        ...

    async def rank(self, need: str, limit: int = 5) -> list[Match]:
        """Return the offers that fit a need in plain words, best first; empty when none fits."""
        ...


class Planner(Protocol):
    """A strategy: from a goal to a plan."""

    async def plan(self, goal: Goal, catalogue: Catalogue) -> Plan:
        """Return a plan that passes `check`. Raises: PlanningFailedError, ModelUnavailableError, ModelAnswerError."""
        ...


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in a text where a value is filled in: a step's output, a step's artifact, or an input of the task."""

    kind: Literal["output", "artifact", "input"]
    name: str
    step_id: str = ""


def references(step: PlanStep) -> set[Reference]:
    """Return what the step's instruction and inputs refer to. Raises: PlanInvalidError for a malformed reference."""
    return {
        _parse(kind, path)
        for text in _texts(step)
        if "{{" in text
        for escape, kind, path in _REFERENCE.findall(text)
        if not escape
    }


def literal(text: str, inputs: Collection[str] = ()) -> str:
    """Return a text as an instruction in which nothing refers to a step, nor to an input but the named ones."""

    def escape(found: re.Match[str]) -> str:
        known = not found[1] and found[2] == "inputs" and found[3] in inputs
        return found[0] if known else f"\\{found[0]}"

    return _REFERENCE.sub(escape, text)


def needs(step: PlanStep) -> set[str]:
    """Return the ids of the steps that must complete before this one: those it lists and those it refers to."""
    return {*step.depends_on, *(reference.step_id for reference in references(step) if reference.step_id)}


def fill(value: JsonValue, values: Mapping[Reference, str]) -> JsonValue:
    """Return `value` with each reference replaced by its value, in every string of it, in one pass.

    What is filled in is not looked at again: an agent's output cannot refer to anything. Raises: KeyError.
    """
    match value:
        case str():
            return fill_text(value, values)[0]
        case list():
            return [fill(item, values) for item in value]
        case dict():
            return {key: fill(item, values) for key, item in value.items()}
        case _:
            return value


def fill_text(text: str, values: Mapping[Reference, str]) -> tuple[str, list[tuple[int, int]]]:
    """Return the text as `fill` does, and where in it what steps brought stands: [start, end). Raises: KeyError."""
    places: list[tuple[int, int]] = []
    longer = 0

    def put(found: re.Match[str]) -> str:
        nonlocal longer
        named = None if found[1] else _parse(found[2], found[3])
        value = found[0][1:] if named is None else values[named]
        if named is not None and named.step_id and value:
            places.append((found.start() + longer, found.start() + longer + len(value)))
        longer += len(value) - len(found[0])
        return value

    return _REFERENCE.sub(put, text), places


def strings(value: JsonValue) -> Iterator[str]:
    """Yield every string value in a JSON value; the names of fields are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def check(plan: Plan, *, skills: set[str] | None = None, inputs: Mapping[str, JsonValue] | None = None) -> Plan:
    """Return the plan, numbered, with `depends_on` complete; or say everything that is wrong with it.

    `skills`: the skill ids on offer; a step whose skill is not among them is refused, unless it names its agent.
    `inputs`: the task's inputs, which `{{ inputs.NAME }}` may refer to.

    Raises: PlanInvalidError.
    """
    errors: list[dict[str, JsonValue]] = list(_problems(plan, skills, inputs or {}))
    order: list[PlanStep] = []
    needed: dict[str, set[str]] = {}
    if not errors:
        needed = {step.id: needs(step) for step in plan.steps}
        try:
            order = plan.sort(needed)
        except CycleError as error:
            cycle: list[str] = error.args[1]
            circle = f"The steps wait for each other in a circle: {' → '.join(cycle)}."
            errors = [{"pointer": "/steps", "detail": circle}]
        else:
            errors = list(_shape_problems(order, needed))
    if errors:
        summary = "; ".join(f"{error['pointer']}: {error['detail']}" for error in errors[:3])
        raise PlanInvalidError(f"The plan cannot run: {summary}", errors=list[JsonValue](errors))
    steps = [
        step.model_copy(update={"step_number": number, "depends_on": sorted(needed[step.id])})
        for number, step in enumerate(order, start=1)
    ]
    return plan.model_copy(update={"steps": steps})


def _problems(plan: Plan, skills: set[str] | None, inputs: Mapping[str, JsonValue]) -> Iterator[dict[str, JsonValue]]:
    seen: set[str] = set()
    for place, step in enumerate(plan.steps):
        at = f"/steps/{place}"
        if step.id in seen:
            yield {"pointer": f"{at}/id", "detail": f"Two steps have the id {step.id!r}; ids must be unique."}
        seen.add(step.id)
        if step.skill is None and step.agent is None:
            yield {"pointer": at, "detail": "The step names neither a skill nor an agent; name one."}
        if skills is not None and step.agent is None and step.skill is not None and step.skill not in skills:
            known = ", ".join(sorted(skills)) or "none"
            yield {
                "pointer": f"{at}/skill",
                "detail": f"No registered agent has the skill {step.skill!r}. Known: {known}.",
            }
        try:
            found = references(step)
        except PlanInvalidError as error:
            yield {"pointer": f"{at}/instruction", "detail": error.detail}
            continue
        for reference in sorted(found, key=str):
            if reference.kind == "input" and reference.name not in inputs:
                yield {
                    "pointer": f"{at}/instruction",
                    "detail": f"It refers to the input {reference.name!r}, which the task does not have.",
                }
        for needed in sorted({*step.depends_on, *(reference.step_id for reference in found if reference.step_id)}):
            if not plan.has(needed):
                yield {
                    "pointer": f"{at}/depends_on",
                    "detail": f"It needs the step {needed!r}, which the plan does not have.",
                }


def _shape_problems(order: Sequence[PlanStep], needed: Mapping[str, Collection[str]]) -> Iterator[dict[str, JsonValue]]:
    depth: dict[str, int] = {}
    for step in order:
        depth[step.id] = 1 + max((depth[other] for other in needed[step.id]), default=0)
    if (deepest := max(depth.values())) > MAX_DEPTH:
        yield {
            "pointer": "/steps",
            "detail": f"The longest chain has {deepest} steps; at most {MAX_DEPTH} are allowed.",
        }
    widest = max(list(depth.values()).count(level) for level in set(depth.values()))
    if widest > MAX_WIDTH:
        yield {"pointer": "/steps", "detail": f"{widest} steps would run at once; at most {MAX_WIDTH} are allowed."}


def _parse(kind: str, path: str) -> Reference:
    if kind == "inputs":
        return Reference("input", path)
    found = _STEP_PATH.fullmatch(path)
    if found is None:
        raise PlanInvalidError(
            f"'{{{{ steps.{path} }}}}' is not a reference; write steps.ID.output or steps.ID.artifacts.NAME."
        )
    if found["output"]:
        return Reference("output", "output", found["id"])
    return Reference("artifact", found["artifact"], found["id"])


def _texts(step: PlanStep) -> Iterator[str]:
    yield step.instruction
    yield from strings(step.inputs)
