"""Steps that are more than one question to one agent: several answers that become one, and rounds until it is good.

Each answer of such a step is a step of its own to the engine, under an id that no plan can hold: STEP:ROUND.NUMBER,
and what is decided on a round's answers is STEP:ROUND.v. They are rows like others: their tries, remote tasks, budgets
and questions are kept, found again after a crash and canceled as those of any step. Pure.
"""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Consensus: TypeAlias = Literal["vote", "judge", "merge"]
"""How answers become one: what most of them say, what a model finds best, or all of it put together."""

MOST_AGENTS: Final = 8
MOST_ROUNDS: Final = 9
PASSES: Final = 0.7
"""The score from which on a criterion that a model judges is met, where no threshold is given."""

_ANSWERS: Final = 3

Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=2000)]
Agents: TypeAlias = (
    Annotated[int, Field(ge=2, le=MOST_AGENTS)] | Annotated[list[Name], Field(min_length=2, max_length=MOST_AGENTS)]
)


class Evaluation(BaseModel):
    """What an answer has to be like, and what happens if it is not.

    Each criterion gets a score from 0 to 1. Without `threshold` each has to be met; with one, their mean has to reach
    it. An answer that is not good enough is asked for again with the critique, up to `max_rounds` answers in all; if
    none is, the step fails, or keeps the best one (`unmet: keep`).
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"criteria": ["at most 100 words", 'mentions "Oslo"'], "max_rounds": 3}]},
    )

    criteria: list[Annotated[str, Field(min_length=1, max_length=10_000, pattern=r"\S")]] = Field(
        min_length=1,
        max_length=20,
        description='Checks such as `contains "total"`, `at most 100 words`, `is valid JSON`; a model judges others.',
    )
    threshold: float | None = Field(default=None, ge=0, le=1, description="What the mean of the scores has to reach.")
    max_rounds: int = Field(default=3, ge=1, le=MOST_ROUNDS, description="Answers that are asked for, at most.")
    unmet: Literal["fail", "keep"] = Field(
        default="fail", description="What happens if no answer is good enough: fail, or keep the best one."
    )


def member_id(step_id: str, round_: int, number: int) -> str:
    """Return the id under which the engine keeps the answer `number` (from 1) of a step's round (from 1)."""
    return f"{step_id}:{round_}.{number}"


def verdict_id(step_id: str, round_: int) -> str:
    """Return the id under which the engine keeps what was decided on a round's answers."""
    return f"{step_id}:{round_}.v"


def owner(step_id: str) -> str:
    """Return the id of the plan's step that this is an answer of; of any other step, its own."""
    return step_id.partition(":")[0]


def is_member(step_id: str) -> bool:
    """Tell whether it is the id of a single answer, or of what was decided on a round's answers."""
    return ":" in step_id


def round_of(step_id: str) -> int:
    """Return the round of an answer, or of what was decided on one."""
    return int(step_id.partition(":")[2].partition(".")[0])


def is_verdict(step_id: str) -> bool:
    """Tell whether it is the id of what was decided on a round's answers."""
    return step_id.endswith(".v")


def wanted(agent: str | None, agents: int | list[str] | None, consensus: Consensus | None) -> list[str | None]:
    """Return the agent of each answer of a round: a name, or None where the best that is left gets it."""
    match agents:
        case list():
            return [*agents]
        case int():
            return [agent] * agents
        case None:
            return [agent] * (1 if consensus is None else _ANSWERS)
