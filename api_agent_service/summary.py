"""Extractive summaries: the sentences of a text that say most of what it says, in their order. No word is made up."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from heapq import nlargest

from shared import documents
from shared.words import keywords

_DEFAULT_SENTENCES = 5
_SHORT_SENTENCES = 2
_LONG_SENTENCES = 10
_MOST_SENTENCES = 50
_MOST_WORDS = 5_000
_LONGEST_SENTENCE_CHARS = 600
_LEAD_BONUS = 0.25
_REDUNDANCY_WEIGHT = 0.6

_NUMBERS = """
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty
"""
_NUMBER_WORDS = {word: number for number, word in enumerate(_NUMBERS.split(), 1)} | {
    "a": 1,
    "an": 1,
    "single": 1,
    "couple": 2,
    "few": 3,
    "several": 5,
}
_NUMBER = r"(\d{1,4}|" + "|".join(_NUMBER_WORDS) + r")(?:\s+of)?"
_ADJECTIVES = r"(?:\s+(?:short|brief|concise|long|clear|simple|main|key|important|single|complete|bullet))*"
_SENTENCES = re.compile(rf"\b{_NUMBER}{_ADJECTIVES}[\s-]+(?:sentences?|lines?)\b", re.IGNORECASE)
_POINTS = re.compile(
    rf"\b{_NUMBER}{_ADJECTIVES}[\s-]+(?:points?|bullets?|bullet[\s-]points?|takeaways?|ideas?|facts?)\b", re.IGNORECASE
)
_WORDS = re.compile(rf"\b{_NUMBER}[\s-]+words?\b", re.IGNORECASE)
_PARAGRAPHS = re.compile(rf"\b{_NUMBER}{_ADJECTIVES}[\s-]+paragraphs?\b", re.IGNORECASE)
_BULLETS = re.compile(
    r"\b(?:bullets?|bullet[\s-]points?|bulleted|(?:key|main)\s+(?:points|takeaways|ideas))\b", re.IGNORECASE
)
_SHORT = re.compile(r"\b(?:briefly|brief|short|shortly|tl;?dr|concise|concisely|in a nutshell)\b", re.IGNORECASE)
_LONG = re.compile(r"\b(?:detailed|in detail|thorough|thoroughly|long|comprehensive|extensive)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Length:
    """How long a summary shall be. `words` bounds it instead of `sentences` where given."""

    sentences: int = _DEFAULT_SENTENCES
    words: int | None = None
    bullets: bool = False
    paragraphs: int = 1


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary as Markdown, its sentences, and how many the text has."""

    text: str
    sentences: tuple[str, ...]
    of_sentences: int


def read_length(instruction: str) -> Length:  # noqa: PLR0911 - one line for each way to say it
    """Return the length that an instruction asks for: "in three sentences", "as 5 bullet points", "in 50 words"."""
    bullets = bool(_BULLETS.search(instruction))
    if match := _WORDS.search(instruction):
        return Length(words=min(max(_count(match[1]), 1), _MOST_WORDS), bullets=bullets)
    if match := _POINTS.search(instruction):
        return Length(_sentences(match[1]), bullets=True)
    if match := _SENTENCES.search(instruction):
        return Length(_sentences(match[1]), bullets=bullets)
    if match := _PARAGRAPHS.search(instruction):
        paragraphs = min(max(_count(match[1]), 1), 10)
        return Length(min(paragraphs * 4, _MOST_SENTENCES), paragraphs=paragraphs)
    if _SHORT.search(instruction):
        return Length(_SHORT_SENTENCES, bullets=bullets)
    if _LONG.search(instruction):
        return Length(_LONG_SENTENCES, bullets=bullets)
    return Length(bullets=bullets)


_STYLES = re.compile(
    r"\b(?:(?:in)?formal(?:ly)?|casual(?:ly)?|friendly|funny|humorous|playful|professional|academic|scientific|technical|"
    r"non-technical|simple|plain|neutral|enthusiastic|serious|poetic|rhyming|dramatic|persuasive|journalistic|layman|"
    r"as an? (?:tweet|poem|headline|e-?mail|letter|abstract|press release|story|dialogue)|"
    r"in (?:English|German|French|Spanish|Italian|Portuguese|Dutch|Polish|Russian|Ukrainian|Turkish|Arabic|Chinese|"
    r"Japanese|Korean|Hindi)|"
    r"for (?:an? )?(?:\w+-year-olds?|children|child|kids?|beginners?|experts?|laypeople|executives?|managers?|"
    r"students?))\b",
    re.IGNORECASE,
)


def read_style(instruction: str) -> tuple[str, ...]:
    """Return the words of an instruction that say how a summary shall sound: "formal", "for beginners", "in German"."""
    return tuple(dict.fromkeys(match[0].lower() for match in _STYLES.finditer(instruction)))


def divide(text: str, count: int) -> list[str]:
    """Return a text in so many parts of about the same size; paragraphs and sentences stay whole where they can."""
    parts: list[str] = []
    start = 0
    for left in range(count, 1, -1):
        size = (len(text) - start) // left
        end = start + size
        places = (text.rfind(mark, end - size // 10, end) for mark in ("\n\n", "\n", ". ", " "))
        end = next((place + 1 for place in places if place >= 0), end)
        parts.append(text[start:end].strip())
        start = end
    return [part for part in (*parts, text[start:].strip()) if part]


def describe(length: Length) -> str:
    """Return a length as an instruction to a model."""
    if length.words:
        size = f"at most {length.words} words"
    elif length.paragraphs > 1:
        size = f"{length.paragraphs} paragraphs"
    else:
        size = f"exactly {length.sentences} {'bullet points' if length.bullets else 'sentences'}"
    return f"{size}, as Markdown bullet points" if length.bullets and length.words else size


def summarize(text: str, length: Length) -> Summary:
    """Return the most telling sentences of a text, in order, as many as asked for. Blocking."""
    sentences = read_sentences(text)
    chosen = sorted(_choose(sentences, length))
    picked = [_cut(sentences[index]) for index in chosen]
    return Summary(_lay_out(picked, length), tuple(picked), len(sentences))


def condense(text: str, max_chars: int) -> str:
    """Return a text that is too long for a model without its least telling sentences. Blocking."""
    if len(text) <= max_chars:
        return text
    sentences = read_sentences(text)
    scores = _score([Counter(_terms(sentence)) for sentence in sentences])
    kept: list[int] = []
    size = 0
    for index in sorted(range(len(sentences)), key=lambda place: -scores[place]):
        size += len(sentences[index]) + 1
        if size > max_chars:
            break
        kept.append(index)
    return " ".join(sentences[index] for index in sorted(kept)) or text[:max_chars]


def read_sentences(text: str) -> list[str]:
    """Return the sentences of a text, each once; its lines where it has no sentence."""
    found = documents.sentences(text) or [line.strip("#> \t") for line in text.splitlines()]
    return list(dict.fromkeys(sentence for sentence in found if sentence.strip()))


def _choose(sentences: list[str], length: Length) -> list[int]:
    """Return the places of sentences by centrality, position and novelty (maximal marginal relevance).

    Source: https://arxiv.org/abs/1109.2128 (LexRank: degree centrality), https://doi.org/10.1145/290941.291025 (MMR)
    """
    vectors = [Counter(_terms(sentence)) for sentence in sentences]
    scores = _score(vectors)
    candidates = nlargest(max(200, 4 * length.sentences), range(len(sentences)), key=lambda place: scores[place])
    alike = dict.fromkeys(candidates, 0.0)
    chosen: list[int] = []
    words = 0
    while alike and (length.words is not None or len(chosen) < length.sentences):
        best = max(alike, key=lambda place: scores[place] * (1 - _REDUNDANCY_WEIGHT * alike[place]))
        del alike[best]
        size = len(_cut(sentences[best]).split())
        if length.words is not None and chosen and words + size > length.words:
            continue
        words += size
        chosen.append(best)
        for place in alike:
            alike[place] = max(alike[place], _likeness(vectors[place], vectors[best]))
    return chosen


def _score(vectors: list[Counter[str]]) -> list[float]:
    """Return how central each sentence is: the sum of its TF-IDF cosines with all sentences, and a bonus for the lead.

    The sum equals the product with the sum of all unit vectors, so it takes one pass instead of all pairs.
    """
    total = len(vectors)
    documents_with = Counter(term for vector in vectors for term in vector)
    weighted: list[dict[str, float]] = []
    centre: Counter[str] = Counter()
    for vector in vectors:
        weights = {
            term: (1 + math.log(many)) * math.log(1 + total / documents_with[term]) for term, many in vector.items()
        }
        norm = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        unit = {term: weight / norm for term, weight in weights.items()}
        weighted.append(unit)
        for term, weight in unit.items():
            centre[term] += weight  # pyright: ignore[reportArgumentType] - a Counter adds floats as well
    scores: list[float] = []
    for place, unit in enumerate(weighted):
        central = sum(weight * centre[term] for term, weight in unit.items())
        lead = 1 + _LEAD_BONUS * math.exp(-place / max(3.0, total * 0.05))
        scores.append(central * lead * min(1.0, len(unit) / 4))
    return scores


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    """Return the share of terms that two sentences have in common."""
    shared = len(one.keys() & other.keys())
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def _terms(sentence: str) -> list[str]:
    words = keywords(sentence)
    if len(words) <= 2 and len(sentence) > 20 and not sentence.isascii():
        return [sentence[place : place + 2] for place in range(len(sentence) - 1)]  # a script without blanks
    return words


def _cut(sentence: str) -> str:
    if len(sentence) <= _LONGEST_SENTENCE_CHARS:
        return sentence
    return sentence[:_LONGEST_SENTENCE_CHARS].rpartition(" ")[0] + " …"


def _lay_out(sentences: list[str], length: Length) -> str:
    if length.bullets:
        return "\n".join(f"- {sentence}" for sentence in sentences)
    size = max(1, math.ceil(len(sentences) / length.paragraphs))
    return "\n\n".join(" ".join(sentences[start : start + size]) for start in range(0, len(sentences), size))


def _count(text: str) -> int:
    return int(text) if text.isdecimal() else _NUMBER_WORDS[text.lower()]


def _sentences(text: str) -> int:
    return min(max(_count(text), 1), _MOST_SENTENCES)
