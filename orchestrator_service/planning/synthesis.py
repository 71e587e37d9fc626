"""The summary of a task's result: written by the model where there is one, else composed; it says what came from where.

Without a model: each output under a heading that names its step and agent. With one: a text that cites "[step 2]".
Citations of steps that do not exist are taken out, and a text that cites nothing is given its sources.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from shared.agent import Usage
from shared.llm import MODEL_ERRORS, Model, fence, spent

_MAX_SOURCE_CHARS: Final = 60_000
_MAX_GOAL_CHARS: Final = 8_000
_CITATION: Final = re.compile(r"\s?\[steps?\s+(?P<numbers>\d{1,3}(?:\s*(?:,|and)\s*\d{1,3})*)\]", re.IGNORECASE)
_MAYBE_CITATION: Final = re.compile(r"\s?\[[^\]\n]{0,40}\Z|\s\Z")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_MARKUP: Final = re.compile(r"[`*_<>\[\]#|\\]")

_SYSTEM: Final = """\
You write the final answer to a person's request from the results of the steps that were carried out for it.
Answer the request directly and briefly, in the language of the request, in Markdown. Use only what the results say;
where they do not answer something, say so. After each statement cite the step it came from as [step N]."""


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What one completed step answered. `step_number` is from 1; `agent_name` and `text` are peer text."""

    step_number: int
    step_id: str
    instruction: str
    agent_name: str
    text: str


def compose(goal_text: str, outputs: Sequence[StepOutput]) -> str:
    """Return the outputs as one Markdown text in which each part names its step and agent."""
    texts = [output for output in outputs if output.text.strip()]
    if not texts:
        return f"No step produced an output for: {_line(goal_text)}"
    if len(outputs) == 1:
        return f"{texts[0].text.strip()}\n\n*{_origin(texts[0])}*"
    return "\n\n".join(
        f"## {output.step_number}. {_line(output.instruction)}\n\n*{_origin(output)}*\n\n{output.text.strip()}"
        for output in texts
    )


async def summarize(model: Model, goal_text: str, outputs: Sequence[StepOutput]) -> AsyncGenerator[str | Usage]:
    """Yield the model's answer in pieces, then its usage; the composed outputs instead, or after it, where it fails."""
    if not any(output.text.strip() for output in outputs):
        yield compose(goal_text, outputs)
        return
    known = {output.step_number for output in outputs}
    cited = False
    written = ""
    held = ""
    usage = Usage()
    try:
        async with aclosing(model.stream(_prompt(goal_text, outputs), system=_SYSTEM, max_tokens=2048)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Usage):
                    usage = piece
                    continue
                ready, held = _cut_before_citation(held + piece)
                text, found = _with_known_citations(ready, known)
                cited = cited or found
                written += text
                if text:
                    yield text
        text, found = _with_known_citations(held, known)
        yield text if cited or found else f"{text.rstrip()}\n\n{_sources(outputs)}"
    except MODEL_ERRORS as error:
        usage = spent(error)
        broken = "\n\n---\n\n*The language model broke off here; what the steps answered:*\n\n" if written else ""
        yield broken + compose(goal_text, outputs)
    if usage.llm_calls:
        yield usage


def _prompt(goal_text: str, outputs: Sequence[StepOutput]) -> str:
    share = _MAX_SOURCE_CHARS // len(outputs)
    results = [
        f"Step {output.step_number} ({_line(output.instruction)}), by {_name(output)}:\n"
        + fence(f"result of step {output.step_number}", _shortened(output.text, share))
        for output in outputs
    ]
    return "\n\n".join([f"The request:\n{goal_text[:_MAX_GOAL_CHARS]}", "The results:", *results])


def _cut_before_citation(text: str) -> tuple[str, str]:
    """Split a text where a citation may have begun that is not complete yet."""
    found = _MAYBE_CITATION.search(text)
    return (text[: found.start()], text[found.start() :]) if found else (text, "")


def _with_known_citations(text: str, known: set[int]) -> tuple[str, bool]:
    """Return the text with citations of existing steps only, and whether there is one."""
    some = False

    def keep(found: re.Match[str]) -> str:
        nonlocal some
        numbers = [int(number) for number in re.findall(r"\d+", found["numbers"])]
        real = [number for number in numbers if number in known]
        some = some or bool(real)
        lead = found[0][0] if found[0][0].isspace() else ""
        return lead + " ".join(f"[step {number}]" for number in real) if real else ""

    return _CITATION.sub(keep, text), some


def _sources(outputs: Sequence[StepOutput]) -> str:
    return "Sources: " + "; ".join(f"[step {output.step_number}] {_name(output)}" for output in outputs)


def _origin(output: StepOutput) -> str:
    return f"Step {output.step_number}, {_name(output)}"


def _name(output: StepOutput) -> str:
    """Return the agent's name without markup."""
    return _line(_MARKUP.sub("", output.agent_name)) or "an agent"


def _line(text: str) -> str:
    """Return the first line of a text, plain and at most 100 characters."""
    first = next(iter(text[:1000].lstrip().splitlines()), "")
    line = " ".join(_CONTROL.sub(" ", first).split())
    return line if len(line) <= 100 else f"{line[:99]}…"


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}\n[… {len(text) - limit:,} characters left out]"
