"""How research ends: an answer with its sources, or the sentence that says where was searched in vain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from a2a_agent_service.passages import Passage
from a2a_agent_service.question import Question
from a2a_agent_service.writing import list_sources, source_data
from shared.agent import Answer, JsonObject
from shared.errors import FederationError, NotFoundError, UnavailableError

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """A source that could not be read, or, without a name, a place that could not be searched."""

    source: str
    reason: str
    retryable: bool = False

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}" if self.source else self.reason


@dataclass(frozen=True, slots=True)
class Gaps:
    """What an answer lacks: parts of the question without a source, words that were replaced, sources not read.

    `unsupported` are sentences that were left out, because what they cite does not say them.
    """

    unanswered: Sequence[str]
    respelled: Mapping[str, str]
    problems: Sequence[Problem]
    unsupported: Sequence[str] = ()


def answer(text: str, cited: Mapping[int, Passage], queries: Sequence[str], gaps: Gaps) -> Answer:
    """Return the answer with its list of sources and its gaps."""
    sections = [text]
    if gaps.unanswered:
        sections.append(f"Nothing was found about: {'; '.join(gaps.unanswered)}.")
    if gaps.respelled:
        words = "; ".join(f"{other!r} for {word!r}" for word, other in gaps.respelled.items())
        sections.append(f"No document has some of the words; searched instead: {words}.")
    sections.append(list_sources(cited.items()))
    if unread := _unread(gaps.problems):
        sections.append(unread)
    data: JsonObject = {
        "sources": [source_data(number, passage) for number, passage in cited.items()],
        "passages": [
            {"number": number, "heading": passage.heading, "text": passage.text} for number, passage in cited.items()
        ],
        "queries": list(queries),
        "not_found": list(gaps.unanswered),
        "respelled": dict(gaps.respelled),
        "unsupported": list(gaps.unsupported),
        "problems": [str(problem) for problem in gaps.problems],
    }
    return Answer("answer", "\n\n".join(sections), data)


def nothing_found(question: Question, searched: Sequence[str], problems: Sequence[Problem]) -> FederationError:
    """Return the error for a question that no source answers: where was searched, and what could not be read."""
    places = ", ".join(dict.fromkeys(searched))
    if places:
        about = f" about {question.text!r}" if question.text else ""
        sentences = [f"Nothing{about} was found in {places}."]
    else:
        sentences = ["No source could be searched."]
    if unread := _unread(problems):
        sentences.append(unread)
    if places:
        sentences.append("Ask with other words, name a URL, or add documents to the folder RESEARCH_DOCUMENTS.")
    detail = " ".join(sentences)
    if not places and any(problem.retryable for problem in problems):
        return UnavailableError(detail)
    return NotFoundError(detail)


def _unread(problems: Sequence[Problem]) -> str:
    """Return what could not be read, each by its name with the reason."""
    names = list(dict.fromkeys(str(problem) for problem in problems if problem.source))
    places = list(dict.fromkeys(str(problem) for problem in problems if not problem.source))
    if names:
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        places.append(f"Not read: {'; '.join(names[:_MOST_NAMED])}{more}")
    return " ".join(places)
