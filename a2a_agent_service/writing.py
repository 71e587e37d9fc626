"""Writes answers out of passages: quotes with numbered citations, and the check of those that a model wrote."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from pydantic import JsonValue

from a2a_agent_service.passages import Passage
from a2a_agent_service.ranking import Ranked, Said, alike, overlap, rank, say
from shared.documents import plain, sentences, table_row
from shared.words import keywords

_MOST_SENTENCES = 3
_SHORT_CHARS = 400
_MOST_CHARS = 600
_MOST_CODE_LINES = 12
_QUOTE_CHARS = 500
_LABEL = re.compile(r"\w+(?:\s\w+){0,2}[.:]")
_MARKED = re.compile(r"\s*(?:[-*+•]\s|\d{1,3}[.)]\s|>|\||#)|\s{4}")
_ENDS = (".", "!", "?", "…", "。", "！", "？", ":", ";", '"', "”", "»")
_FIGURE = re.compile(
    r"(?<![\w.])(?:[$€£]\d+(?:[.,]\d+)*|\d+(?:[.,]\d+)*(?:\s?[%€£$]|[\s-](?:(?:business|calendar|working)\s)?(?P<unit>[a-zA-Z]{2,})))"
)
_MOST_FIGURES = 12
_CITATION = re.compile(r"\[(\d{1,3}(?:[^\S\n]*[,;–-][^\S\n]*\d{1,3})*)\](?!\()")
_BROKEN_CITATION = re.compile(r"\[\d{1,3}(?:\s*[,;–-]\s*\d{1,3})+\]")
_SENTENCE = re.compile(r"(?<=[.!?\]])\s+(?!\[\d)")
_MARKER = re.compile(r"\s*(?:(?:[-*+•>]|#{1,6}|(?:\*\*|__)?\d{1,3}[.)](?:\*\*|__)?)(?:\s+|$))*")


@dataclass(frozen=True, slots=True)
class Quote:
    """What a passage says to a query, word for word: `text` as it is written there, `line` on one line."""

    number: int
    passage: Passage
    text: str
    line: str


def quote(selected: Sequence[Ranked]) -> list[Quote]:
    """Return what each passage says to its query, numbered from 1: all of a short one, else its best sentences."""
    quotes: list[Quote] = []
    seen: list[Said] = []
    for found in selected:
        line = _best_sentences(found.passage, found.query, seen)
        text = found.passage.text.strip()
        if line or not sentences(text):
            text = _reflowed(text) if len(text) <= _SHORT_CHARS else line or _code(text)
            quotes.append(Quote(len(quotes) + 1, found.passage, text, line or _code(text)))
    return quotes


def write_research(quotes: Sequence[Quote]) -> str:
    """Return the quotes one after the other, each with its citation."""
    return "\n\n".join(_cited(entry.text, entry.number) for entry in quotes)


def write_analysis(quotes: Sequence[Quote], subjects: Sequence[str]) -> str:
    """Return the quotes side by side: by the things compared if there are two, else by source; then the figures."""
    groups = _by_subject(quotes, subjects) if subjects else _by_source(quotes)
    sections = [
        f"**{title}**\n" + "\n".join(f"- {_cited(entry.line, entry.number)}" for entry in group)
        for title, group in groups.items()
        if group
    ]
    figures = _figures(quotes)
    if len(figures) > 1:
        named = "; ".join(
            f"{figure} {''.join(f'[{number}]' for number in numbers)}" for figure, numbers in figures.items()
        )
        sections.append(f"**Figures named**\n{named}")
    return "\n\n".join(sections)


def list_sources(passages: Iterable[tuple[int, Passage]]) -> str:
    """Return the list of sources that ends an answer: number, title, path or URL, place in it."""
    lines = [f"[{number}] {_describe(passage)}" for number, passage in passages]
    return "Sources:\n" + "\n".join(lines)


def source_data(number: int, passage: Passage) -> dict[str, JsonValue]:
    """Return a source as JSON."""
    source = passage.source
    where: dict[str, JsonValue] = {"path": source.path} if source.path else {"url": source.url} if source.url else {}
    quote = " ".join(passage.text.split())[:_QUOTE_CHARS]
    return {
        "n": number,
        "number": number,
        "title": source.title,
        "location": _location(passage),
        **where,
        "quote": quote,
    }


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer before its citations are checked against the passages. `is_quoted`: it is the passages' own words."""

    text: str
    passages: Mapping[int, Passage]
    is_quoted: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """A text whose citations were checked: `kept` has only cited paragraphs and known numbers."""

    kept: str
    cited: tuple[int, ...]
    unknown: tuple[int, ...]


def check(text: str, count: int) -> Checked:
    """Check the citations in a text that a model wrote from passages 1 to `count`.

    A sentence that cites an unknown number is dropped, and so is a paragraph without any citation. A citation that goes
    on in the next line is put together.
    """
    text = _BROKEN_CITATION.sub(lambda found: " ".join(found[0].split()), text.strip())
    paragraphs: list[str] = []
    unknown: set[int] = set()
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [_known_sentences(line, count, unknown) for line in paragraph.splitlines()]
        kept = "\n".join(line for line in lines if line.strip())
        if cited_numbers(kept) or (kept.startswith("#") and "\n" not in kept):
            paragraphs.append(kept)
    while paragraphs and not cited_numbers(paragraphs[-1]):
        paragraphs.pop()
    joined = "\n\n".join(paragraphs)
    return Checked(joined, tuple(sorted(set(cited_numbers(joined)))), tuple(sorted(unknown)))


def _best_sentences(passage: Passage, query: str, seen: list[Said]) -> str:
    """Return the sentences that speak of the query with what stands beside them, without what was quoted before."""
    said = _with_labels(sentences(passage.text))
    scores = [overlap(sentence, query) for sentence in said]
    fresh = [number for number, sentence in enumerate(said) if not _seen(sentence, seen)]
    best = sorted((number for number in fresh if scores[number]), key=lambda number: -scores[number])[:_MOST_SENTENCES]
    best = best or fresh[:1]
    beside = [near for number in best for near in (number + 1, number - 1) if near in fresh]
    chosen: list[int] = []
    size = 0
    for number in dict.fromkeys(best + beside):
        limit = _MOST_CHARS if number in best else _SHORT_CHARS
        if not chosen or size + len(said[number]) <= limit:
            chosen.append(number)
            size += len(said[number])
    chosen.sort()
    seen.extend(say(said[number]) for number in chosen)
    prefix = ""
    if chosen and not any(scores[number] for number in chosen) and overlap(passage.heading, query):
        prefix = passage.heading.rpartition(" > ")[2] + ": "
    return prefix + _join(said, chosen)


def _with_labels(said: list[str]) -> list[str]:
    """Join a label such as "Limits." to the sentence after it; one with nothing after it says nothing."""
    joined: list[str] = []
    label = ""
    for sentence in said:
        whole = f"{label} {sentence}" if label else sentence
        label = whole if _LABEL.fullmatch(sentence) else ""
        if not label:
            joined.append(whole)
    return joined or said


def _reflowed(text: str) -> str:
    """Return running text without hard line breaks and markup, rows of a table without its head as running text.

    Code, lists, quotes and whole tables stay as they are.
    """
    if re.search(r"^\s*(?:```|~~~)", text, re.MULTILINE):
        return text
    return "\n\n".join(_reflowed_block(block) for block in re.split(r"\n\s*\n", text) if block.strip())


def _reflowed_block(block: str) -> str:
    lines = block.splitlines()
    if all(line.lstrip().startswith("|") for line in lines):
        return block if any(re.match(r"\s*\|[\s:|-]+$", line) for line in lines) else "; ".join(map(table_row, lines))
    if any(_MARKED.match(line) for line in lines):
        return block
    return plain(" ".join(lines))


def _seen(sentence: str, seen: list[Said]) -> bool:
    said = say(sentence)
    return bool(said.words) and any(alike(said, other) for other in seen)


def _join(said: list[str], chosen: list[int]) -> str:
    text = ""
    for place, number in enumerate(chosen):
        if place:
            gap = " " if text.endswith(_ENDS) else "; "
            text += gap if chosen[place - 1] == number - 1 else " … "
        text += said[number]
    return text


def _code(text: str) -> str:
    lines = [line for line in text.splitlines() if not re.match(r"\s*(```|~~~)", line)]
    cut = lines[:_MOST_CODE_LINES]
    return "\n".join(["```", *cut, "```"]) if any(line.strip() for line in cut) else ""


def _cited(text: str, number: int) -> str:
    last = text.splitlines()[-1]
    gap = "\n\n" if last.startswith("|") else "\n" if last.lstrip().startswith(("```", "~~~")) else " "
    return f"{text}{gap}[{number}]"


def _by_subject(quotes: Sequence[Quote], subjects: Sequence[str]) -> dict[str, list[Quote]]:
    speaking = [{found.passage for found in rank([entry.passage for entry in quotes], subject)} for subject in subjects]
    groups: dict[str, list[Quote]] = {"Both": [], **{subject: [] for subject in subjects}, "Also": []}
    for entry in quotes:
        about = [subject for subject, passages in zip(subjects, speaking, strict=True) if entry.passage in passages]
        if len(about) > 1:
            best = {subject: overlap(entry.line, subject) for subject in about}
            about = [subject for subject in about if best[subject] == max(best.values())]
        groups[about[0] if len(about) == 1 else "Both" if about else "Also"].append(entry)
    return groups


def _by_source(quotes: Sequence[Quote]) -> dict[str, list[Quote]]:
    groups: dict[str, list[Quote]] = {}
    for entry in quotes:
        source = entry.passage.source
        title = source.title if source.title == source.place else f"{source.title} ({source.place})"
        groups.setdefault(title, []).append(entry)
    return groups


def _figures(quotes: Sequence[Quote]) -> dict[str, list[int]]:
    """Return the numbers with a unit that the quotes name, each with the citations that name it."""
    figures: dict[str, list[int]] = {}
    for entry in quotes:
        for match in _FIGURE.finditer(entry.line):
            if match["unit"] and not keywords(match["unit"]):
                continue  # "59 and 30"
            numbers = figures.setdefault(match[0], [])
            if entry.number not in numbers:
                numbers.append(entry.number)
    return dict(islice(figures.items(), _MOST_FIGURES))


def _heading(passage: Passage) -> str:
    """Return the headings above a passage, without the one that is the document's title."""
    if passage.heading == passage.source.title:
        return ""
    return passage.heading.removeprefix(f"{passage.source.title} > ")


def _location(passage: Passage) -> str:
    return ", ".join(part for part in (passage.location, _heading(passage)) if part)


def _describe(passage: Passage) -> str:
    source = passage.source
    title = source.title if source.title != source.place else ""
    return ", ".join(part for part in (title, source.place, _location(passage)) if part)


def cited_numbers(text: str) -> list[int]:
    """Return the numbers that a text cites, in order."""
    found: list[int] = []
    for match in _CITATION.finditer(text):
        for part in re.split(r"\s*[,;]\s*", match[1]):
            first, _, last = (piece.strip() for piece in re.sub("[–-]", "-", part).partition("-"))
            found += range(int(first), min(int(last), int(first) + 50) + 1) if last else [int(first)]
    return found


def cite(text: str, number: int) -> str:
    """Return a sentence with this citation in place of its own, which stand where the first one did."""
    first = _CITATION.search(text)
    if first is None:
        return f"{text} [{number}]"
    return text[: first.start()] + f"[{number}]" + _CITATION.sub("", text[first.end() :])


def without_citations(text: str) -> str:
    """Return a text without its citations."""
    return _CITATION.sub("", text)


def marked(line: str) -> tuple[str, list[str]]:
    """Return what only marks a line, such as "2. " in a list, and its sentences, each with its citations."""
    found = _MARKER.match(line)
    marker = found[0] if found else ""
    return marker, [sentence for sentence in _SENTENCE.split(line[len(marker) :]) if sentence]


def _known_sentences(line: str, count: int, unknown: set[int]) -> str:
    kept: list[str] = []
    marker, said = marked(line)
    for sentence in said:
        bad = {number for number in cited_numbers(sentence) if not 1 <= number <= count}
        unknown |= bad
        if not bad:
            kept.append(sentence)
    return marker + " ".join(kept) if kept else ""
