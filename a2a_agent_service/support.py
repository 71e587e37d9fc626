"""Whether a passage says what is cited from it: the figures of a sentence, and enough of its words. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from a2a_agent_service.passages import Passage
from a2a_agent_service.ranking import overlap, weights
from a2a_agent_service.writing import cite, cited_numbers, marked, without_citations

_LEAST_SHARE: Final = 0.34
_FIGURE: Final = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
_WORDS: Final = {
    word: str(number)
    for number, word in enumerate(
        ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), 2
    )
}
_MARK: Final = " *(not confirmed by the source)*"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A sentence whose passages may not say it: a figure is not there, or too few of its words are.

    `better` is another passage that does say it, if there is one.
    """

    sentence: str
    numbers: tuple[int, ...]
    about: Literal["figures", "words"]
    better: int | None = None


def doubts(text: str, passages: Mapping[int, Passage]) -> list[Doubt]:
    """Return the sentences of a text that its citations do not plainly support.

    A sentence without a citation of its own is measured by all that its paragraph cites.
    """
    found: list[Doubt] = []
    for paragraph in re.split(r"\n\s*\n", text):
        of_paragraph = cited_numbers(paragraph)
        for line in paragraph.splitlines():
            for sentence in marked(line)[1]:
                numbers = tuple(dict.fromkeys(cited_numbers(sentence) or of_paragraph))
                sources = [passages[number] for number in numbers if number in passages]
                said = without_citations(sentence)
                about = _doubt(said, sources) if sources else None
                if about is not None:
                    better = next((number for number, each in passages.items() if _doubt(said, [each]) is None), None)
                    found.append(Doubt(sentence, numbers, about, better))
    return found


def settle(text: str, doubted: Sequence[Doubt], wrong: Sequence[Doubt], unsure: Sequence[Doubt]) -> str:
    """Return the text with better citations where there are, without what is wrong, with marks after what is unsure.

    A paragraph that has nothing left to say goes too.
    """
    for doubt in doubted:
        if doubt.better is not None:
            text = _instead(text, doubt.sentence, cite(doubt.sentence, doubt.better))
    for doubt in unsure:
        text = _instead(text, doubt.sentence, doubt.sentence + _MARK)
    for doubt in wrong:
        text = _instead(text, doubt.sentence, "")
    paragraphs = [
        "\n".join(line.rstrip() for line in paragraph.splitlines() if marked(line)[1])
        for paragraph in re.split(r"\n\s*\n", text)
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph.strip())


def _instead(text: str, sentence: str, other: str) -> str:
    """Return the text with something else where this whole sentence stands first; without it, if that is nothing."""
    gap = "" if other else " ?"
    return re.sub(rf"(?<!\S){re.escape(sentence)}(?!\S){gap}", lambda _: other, text, count=1)


def _doubt(sentence: str, sources: Sequence[Passage]) -> Literal["figures", "words"] | None:
    said = "\n".join(f"{passage.source.title} {passage.heading}\n{passage.text}" for passage in sources)
    if _figures(sentence) - _figures(said):
        return "figures"
    wanted = sum(weights(sentence).values())
    return "words" if wanted and overlap(said, sentence) < _LEAST_SHARE * wanted else None


def _figures(text: str) -> set[str]:
    """Return the figures in a text, written alike: "1,000" and "1000", "two" and "2"."""
    figures = {match[0].rstrip(".,") for match in _FIGURE.finditer(text)}
    plain = {re.sub(r",(?=\d{3}\b)", "", figure) for figure in figures}
    return plain | {_WORDS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _WORDS}
