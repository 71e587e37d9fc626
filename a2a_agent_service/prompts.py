"""What the language model is asked. Everything that others wrote goes in fenced."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from a2a_agent_service.passages import Passage
from shared.llm import fence

NOT_FOUND = "NOT FOUND"
"""What the model answers when the passages do not hold an answer."""

SYSTEM = (
    "You are a careful researcher. You say only what the numbered passages say, in the language of the question, and "
    "put the number of the passage after each sentence, like this: [2]. Never use a number that no passage has."
)


JUDGE = "You compare sentences with the passages they cite. You are strict: what no passage says is not supported."


class SearchQueries(BaseModel):
    """Queries for a full-text search, or a question back."""

    queries: list[str] = Field(default=[], max_length=4, description="Few words each, no operators.")
    ask: str = Field(
        default="",
        max_length=500,
        description="Only if the question can be understood in ways that need quite different answers: what to ask the "
        "person, in the language of the question. Else empty.",
    )


class Verdicts(BaseModel):
    """Which of the numbered sentences say no more than their passages."""

    supported: list[int] = Field(description="The numbers of those sentences.")


def plan_queries(question: str, tried: Sequence[str], earlier: Sequence[str]) -> str:
    """Return the prompt for search queries that differ from those tried; `earlier` are questions asked before."""
    prompt = f"Which full-text searches find passages that answer this question?\n{fence('question', question)}"
    if earlier:
        prompt += f"\nThe same person asked before, the newest first:\n{fence('earlier questions', '; '.join(earlier))}"
    if tried:
        prompt += (
            f"\nThese searches were tried; use other words, such as synonyms:\n{fence('searches', '; '.join(tried))}"
        )
    return prompt


def write(question: str, passages: Sequence[Passage], *, compare: bool) -> str:
    """Return the prompt for an answer from passages, which are numbered from 1."""
    task = (
        "Compare and weigh what the passages say about the question: where they agree, where they differ, what is open."
        if compare
        else "Answer the question from the passages, briefly."
    )
    fenced = [
        fence(f"passage {number}: {passage.source.title}, {passage.heading}", passage.text)
        for number, passage in enumerate(passages, 1)
    ]
    lines = [
        f"{task} Cite a passage after every sentence. If the passages do not hold an answer, reply only: {NOT_FOUND}",
        fence("question", question),
        *fenced,
    ]
    return "\n\n".join(lines)


def judge(sentences: Sequence[tuple[str, Sequence[Passage]]]) -> str:
    """Return the prompt that asks whether sentences, numbered from 1, say no more than the passages they cite."""
    parts = [
        fence(f"sentence {number}", sentence)
        + "\n"
        + "\n".join(fence(f"passage of sentence {number}", passage.text) for passage in passages)
        for number, (sentence, passages) in enumerate(sentences, 1)
    ]
    return "\n\n".join(["Which of these sentences are fully supported by their passages?", *parts])


def repair(prompt: str, answer: str, unknown: Sequence[int], count: int) -> str:
    """Return the prompt that asks for the same answer with citations that exist."""
    wrong = f"cites {', '.join(f'[{number}]' for number in unknown)}" if unknown else "cites no passage"
    return (
        f"{prompt}\n\nYou answered:\n{fence('answer', answer)}\nThat {wrong}; only [1] to [{count}] exist. "
        "Write it again with citations of these, and leave out what they do not say."
    )
