"""What the nodes of the research graph share, and what is kept of it between them."""

import operator
from typing import Annotated, TypedDict

from a2a_agent_service.outcome import Problem
from a2a_agent_service.passages import Passage
from a2a_agent_service.question import Question
from a2a_agent_service.ranking import Ranked
from a2a_agent_service.writing import Draft
from shared.agent import File, Usage


class State(TypedDict):
    """What is known so far. Lists that nodes running at once add to are joined; `usage` adds up.

    `message_id` is the request that is worked on. `parts` are what the answer must speak of, `searches` what this round
    searches for and where, `looked` where was searched, `respelled` words that are looked for in another spelling.
    `asks` is the question back, if there is one; `has_asked` says that it was answered already. `model_failed`: it is
    not asked any more.
    """

    message_id: str
    question: Question
    files: tuple[File, ...]
    analysis: bool
    has_asked: bool
    asks: str
    parts: tuple[str, ...]
    round: int
    queries: list[str]
    searches: dict[str, list[str]]
    looked: list[str]
    pages: Annotated[list[str], operator.add]
    read_pages: list[str]
    passages: Annotated[list[Passage], operator.add]
    searched: Annotated[list[str], operator.add]
    problems: Annotated[list[Problem], operator.add]
    respelled: dict[str, str]
    model_failed: bool
    selected: list[Ranked]
    draft: Draft | None
    unanswered: list[str]
    usage: Annotated[Usage, operator.add]


class Searching(TypedDict):
    """What a search is sent: which source it asks, and for what."""

    source: str
    queries: list[str]
    question: str


def begin(message_id: str, question: Question, files: tuple[File, ...], *, analysis: bool, has_asked: bool) -> State:
    """Return the state that a run begins with."""
    return State(
        message_id=message_id,
        question=question,
        files=files,
        analysis=analysis,
        has_asked=has_asked,
        asks="",
        parts=question.parts,
        round=0,
        queries=[],
        searches={},
        looked=[],
        pages=[],
        read_pages=[],
        passages=[],
        searched=[],
        problems=[],
        respelled={},
        model_failed=False,
        selected=[],
        draft=None,
        unanswered=[],
        usage=Usage(),
    )
