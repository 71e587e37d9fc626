"""Which passages answer a question: how much of it they speak of, how often, and where in the document."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from a2a_agent_service.passages import Passage
from shared.words import folded, keywords

SHORT = 4
"""Longest term of which only the very same is looked for."""

_SOFT_WORDS = """
    allow allowed amount area aspect available bad best big case come common current currently date default
    definition detail different done example exist expected fact fast first form general go good handle happen
    high idea important information item keep key kind lang lange large last list long low made main make mean
    meaning method name need new number often old option order overview part people period place point policy
    possible process put question quick reason require required result rule section set setting size small step
    summary support supported system take term thing time topic type use value viel viele way work year
"""
_SOFT_WEIGHT = 0.3
_ABOVE = 0.6
_LEAST_SHARE = 0.34
_LEAST_WEIGHT = 1.8
_LEAST_OF_BEST = 0.55
_ALIKE = 0.6
_MOST_CANDIDATES = 400
_TRUST = 0.75
_SURE = 0.7
_K1 = 1.2
_B = 0.6
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b")
_NO = re.compile(r"\b(?:no|not|never|none|without|cannot|nicht|kein\w*|nie)\b|n['’]t\b")
_ARABIC = re.compile("[\u0621-\u064a]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def stem(word: str) -> str:
    """Return what the English forms of a word have in common: "retries", "retried" and "retrying" are "retry"."""
    if _ARABIC.match(word):
        return _stem_arabic(word)
    if len(word) <= 3 or not word.isascii() or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith(("ies", "ied")) and len(word) > 4:
        return word[:-3] + "y"
    for suffix in ("ing", "ed", "es", "s"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word.removesuffix(suffix)
            if suffix in {"ing", "ed"} and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word.removesuffix("e") if len(word) > 3 else word


def _stem_arabic(word: str) -> str:
    """Return an Arabic word without its article and endings, but three letters of it at least.

    Source: https://doi.org/10.1007/978-1-4020-6046-5_12 (light10)
    """
    if word.startswith("و") and len(word) > 4:
        word = word[1:]
    prefix = next((each for each in ("ال", "بال", "كال", "فال", "لل") if word.startswith(each)), "")
    word = word[len(prefix) :] if len(word) - len(prefix) >= 3 else word
    for ending in ("ها", "ان", "ات", "ون", "ين", "يه", "ه", "ي"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
    return word


def terms(text: str) -> list[str]:
    """Return the stems of the content words of a text; without spaces between words, pairs of characters."""
    found: list[str] = []
    for word in keywords(text):
        if _UNSPACED.search(word) and len(word) > 2:
            found += [word[start : start + 2] for start in range(len(word) - 1)]
        else:
            found.append(stem(word))
    return found


def start(term: str) -> str:
    """Return what other forms of a long term begin with too: "configur" of "configuration"; a short term as it is."""
    return term[: max(SHORT + 1, len(term) - 3)]


_SOFT_STEMS = frozenset(stem(word) for word in _SOFT_WORDS.split())


def weights(query: str) -> dict[str, float]:
    """Return the query's terms; words that say little ("period", "way") weigh less."""
    return {term: _SOFT_WEIGHT if term in _SOFT_STEMS else 1.0 for term in terms(query)}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage and how well it answers `query`, above 0: by its own words, `own`, and by what its index says too."""

    passage: Passage
    query: str
    score: float
    own: float


def rank(passages: Iterable[Passage], query: str) -> list[Ranked]:
    """Return the passages that speak of enough of a query, best first.

    A score has three parts: the share of the query's words that occur (in the text, or for less in its heading or
    title), BM25 among these passages, and how early in its document a passage stands.
    """
    weight_of = weights(query)
    total = sum(weight_of.values())
    candidates = _worth_reading(dict.fromkeys(passages), weight_of, query)
    bodies = [Counter(terms(passage.text)) for passage in candidates]
    contexts = [set(terms(_context(passage))) for passage in candidates]
    vocabulary = {word for words in (*bodies, *contexts) for word in words}
    forms = {term: _forms(term, vocabulary) for term in weight_of}
    counts = [{term: sum(body[form] for form in forms[term]) for term in weight_of} for body in bodies]
    scores = _bm25(counts, [body.total() for body in bodies])
    highest = max(scores, default=0.0) or 1.0
    ranked: list[Ranked] = []
    for passage, count, context, score in zip(candidates, counts, contexts, scores, strict=True):
        in_text = sum(weight for term, weight in weight_of.items() if count[term])
        above = sum(weight for term, weight in weight_of.items() if not count[term] and forms[term] & context)
        is_enough = in_text + above >= min(_LEAST_SHARE * total, _LEAST_WEIGHT)
        is_meant = query in passage.meant_by
        if is_meant or (in_text + above and (is_enough or passage.relevance >= _SURE)):
            spoken = (in_text + _ABOVE * above) / total
            early = 1 / (1 + passage.position)
            own = 0.6 * spoken + 0.35 * score / highest + 0.05 * early
            known = passage.relevance
            ranked.append(Ranked(passage, query, (1 - _TRUST) * own + _TRUST * known if known else own, own))
    return sorted(ranked, key=lambda found: -found.score)


def select(rankings: Sequence[Sequence[Ranked]], most: int) -> list[Ranked]:
    """Return at most `most` of the passages ranked for one query or several, in the order of the queries, best first.

    Each query gets its share, and each document its best passage before another one its second. None is much worse
    than the best for its query, and none says what another one says.
    """
    chosen: dict[int, list[Ranked]] = {number: [] for number in range(len(rankings))}
    seen: list[Said] = []
    waiting = [
        (depth, number, found)
        for number, ranking in enumerate(rankings)
        for depth, found in enumerate(ranking[: 4 * most])
        if found.score >= _LEAST_OF_BEST * ranking[0].score or found.own >= _LEAST_OF_BEST * ranking[0].own
    ]
    ordered = [(number, found) for _, number, found in sorted(waiting, key=lambda entry: entry[:2])]
    first_of: dict[tuple[int, str], Ranked] = {}
    for number, found in ordered:
        first_of.setdefault((number, found.passage.source.place), found)
    firsts = [(number, found) for number, found in ordered if first_of[number, found.passage.source.place] is found]
    for number, found in [*firsts, *(entry for entry in ordered if entry not in firsts)]:
        said = say(found.passage.text)
        if len(seen) < most and not any(alike(said, other) for other in seen):
            chosen[number].append(found)
            seen.append(said)
    return [found for number in chosen for found in chosen[number]]


@dataclass(frozen=True, slots=True)
class Said:
    """What a text says, to be compared: its terms, its numbers, and whether it denies something."""

    words: frozenset[str]
    numbers: frozenset[str]
    denies: bool


def say(text: str) -> Said:
    """Return what a text says."""
    words = text.lower()
    return Said(frozenset(terms(text)), frozenset(_NUMBER.findall(words)), _NO.search(words) is not None)


def alike(one: Said, other: Said) -> bool:
    """Say whether two texts say nearly the same: most words are; no numbers differ, and both or none deny something."""
    if one.denies != other.denies or not (one.numbers <= other.numbers or other.numbers <= one.numbers):
        return False
    return len(one.words & other.words) >= _ALIKE * len(one.words | other.words)


def missing(query: str, passages: Iterable[Passage]) -> list[str]:
    """Return the words of `query` that no passage speaks of, as they are written there."""
    spoken = {term for passage in passages for term in terms(f"{_context(passage)} {passage.text}")}
    return [word for word in dict.fromkeys(keywords(query)) if not any(_forms(term, spoken) for term in terms(word))]


def share(query: str, passages: Iterable[Passage]) -> float:
    """Return how much of `query`, between 0 and 1, the passages speak of together."""
    weight_of = weights(query)
    lost = {term for word in missing(query, passages) for term in terms(word)}
    total = sum(weight_of.values())
    return sum(weight for term, weight in weight_of.items() if term not in lost) / total if total else 0.0


def coverage(part: str, selected: Iterable[Ranked]) -> float:
    """Return how much of a part of the question, between 0 and 1, is spoken of: by words, or because it is meant."""
    chosen = list(selected)
    is_meant = any(part in found.passage.meant_by for found in chosen)
    return 1.0 if is_meant else share(part, [found.passage for found in chosen])


def overlap(text: str, query: str) -> float:
    """Return the weight of the words of `query` that occur in `text`."""
    spoken = set(terms(text))
    return sum(weight for term, weight in weights(query).items() if _forms(term, spoken))


def frequent(passages: Sequence[Passage], most: int = 8) -> str:
    """Return the content words that most of these passages use, as a query for what they are mainly about."""
    spread = Counter(word for passage in passages for word in set(keywords(passage.text)) if not word.isdigit())
    return " ".join(word for word, _ in spread.most_common(most))


def _worth_reading(passages: Iterable[Passage], wanted: Iterable[str], query: str) -> list[Passage]:
    """Return those that may speak of something wanted, without reading each word, or mean it; at most so many."""
    starts = {start(term).removesuffix("y") for term in wanted}  # "retry" is the stem of "retries" too
    counted = [
        (sum(beginning in text for beginning in starts) or int(query in passage.meant_by), passage)
        for passage in passages
        for text in [folded(f"{_context(passage)} {passage.text}")]
    ]
    counted.sort(key=lambda pair: -pair[0])
    return [passage for count, passage in counted[:_MOST_CANDIDATES] if count]


def _context(passage: Passage) -> str:
    return f"{passage.source.title} {passage.heading}"


def _forms(term: str, vocabulary: Iterable[str]) -> set[str]:
    """Return the words that are `term` or, being long, begin like it: "configure" and "configuration"."""
    if len(term) <= SHORT:
        return {term} & set(vocabulary)
    return {word for word in vocabulary if word.startswith(start(term)) and abs(len(word) - len(term)) <= SHORT}


def _bm25(counts: Sequence[dict[str, int]], lengths: Sequence[int]) -> list[float]:
    """Return the Okapi BM25 score of each passage. Source: https://doi.org/10.1561/1500000019"""
    number = len(counts)
    average = sum(lengths) / (number or 1) or 1.0
    scores = [0.0] * number
    for term in counts[0] if counts else ():
        spread = sum(1 for count in counts if count[term])
        rarity = math.log(1 + (number - spread + 0.5) / (spread + 0.5))
        for index, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            often = count[term]
            scores[index] += rarity * often * (_K1 + 1) / (often + _K1 * (1 - _B + _B * length / average))
    return scores
