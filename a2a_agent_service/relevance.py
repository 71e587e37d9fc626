"""Which passages of the documents folder speak of a query: by BM25 of passages, of whole documents, and of what other
documents say where they link to one; by words of titles, and by words that stand together in both.

Sources: https://doi.org/10.1561/1500000019 (BM25), https://doi.org/10.1145/1076034.1076115 (words together)
"""

import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, cast

from a2a_agent_service.ranking import SHORT, start, weights
from a2a_agent_service.vectors import Placed

_MOST_PASSAGES: Final = 400
_MOST_DOCUMENTS: Final = 15
_PER_DOCUMENT: Final = 4
_FEW: Final = 3
_NEXT: Final = 0.3
_NEAR: Final = 4
_PARTNERS: Final = 3
_K1: Final = 1.2

_Row: TypeAlias = tuple[int, str, str, str, float]


def find(connection: sqlite3.Connection, query: str, limit: int) -> list[Placed]:
    """Return the passages that fit best, the best documents first."""
    words = _Words(connection, list(weights(query)))
    if not words.match:
        return []
    passages = _passages(connection, words)
    by_document: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for number, path, score in passages:
        by_document[path].append((score, number))
    scores = {path: _of_best(found) for path, found in by_document.items()}
    for table in ("document_terms", "anchor_terms"):
        for path, score in _documents(connection, table, words.match):
            if path in scores:
                scores[path] += score
    for path, titled in _titles(connection, words):
        if path in scores:
            scores[path] += titled
    best = sorted(scores, key=lambda path: (-scores[path], path))[:_MOST_DOCUMENTS]
    found: list[Placed] = []
    for path in best:
        ordered = sorted(by_document[path], reverse=True)[:_PER_DOCUMENT]
        share = scores[path] / scores[best[0]]
        found += [Placed(number, path, share * (0.7 + 0.3 * score / ordered[0][0])) for score, number in ordered]
    return found[:limit]


class _Words:
    """The words of a query as the index has them: as they are, or how they begin where few documents have them so."""

    def __init__(self, connection: sqlite3.Connection, wanted: Sequence[str]) -> None:
        [total] = connection.execute("SELECT count(*) FROM document_terms").fetchone()
        self.forms: dict[str, str] = {}
        self.rarity: dict[str, float] = {}
        patterns: list[str] = []
        for word in wanted:
            pattern, spread = f'"{word}"', _spread(connection, f'"{word}"')
            if spread < _FEW and len(word) > SHORT:
                pattern = f'"{start(word)}"*'
                spread = _spread(connection, pattern)
            if spread := spread or _spread_above(connection, pattern):
                patterns.append(pattern)
                if pattern.endswith("*"):
                    self.forms[word] = start(word)
                self.rarity[word] = math.log(1 + (total - spread + 0.5) / (spread + 0.5))
        self.match = " OR ".join(patterns)
        self.pairs = [
            (one, other)
            for place, one in enumerate(wanted)
            for other in wanted[place + 1 : place + 1 + _PARTNERS]
            if one in self.rarity and other in self.rarity
        ]

    def places(self, text: str) -> Mapping[str, list[int]]:
        """Return where in a text, made of stems, the words stand."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for place, stem in enumerate(text.split()):
            if stem in self.rarity and stem not in self.forms:
                found[stem].append(place)
            for word, beginning in self.forms.items():
                if stem.startswith(beginning):
                    found[word].append(place)
        return found


def _spread(connection: sqlite3.Connection, pattern: str) -> int:
    query = "SELECT count(*) FROM document_terms WHERE document_terms MATCH ?"
    return cast("int", connection.execute(query, (pattern,)).fetchone()[0])


def _spread_above(connection: sqlite3.Connection, pattern: str) -> int:
    """Return how many documents have a word in their title or headings."""
    query = (
        "SELECT count(DISTINCT p.path) FROM passage_terms JOIN passages p ON p.id = passage_terms.rowid"
        " WHERE passage_terms MATCH ?"
    )
    return cast("int", connection.execute(query, (pattern,)).fetchone()[0])


def _passages(connection: sqlite3.Connection, words: _Words) -> list[tuple[int, str, float]]:
    rows = connection.execute(
        "SELECT p.id, p.path, passage_terms.terms, passage_terms.context, -bm25(passage_terms, 1.0, 1.0)"
        " FROM passage_terms JOIN passages p ON p.id = passage_terms.rowid"
        " WHERE passage_terms MATCH ? ORDER BY bm25(passage_terms, 1.0, 1.0) LIMIT ?",
        (words.match, _MOST_PASSAGES),
    )
    return [
        (number, path, score + _together(words, f"{context} {terms}"))
        for number, path, terms, context, score in cast("Iterable[_Row]", rows)
    ]


def _together(words: _Words, text: str) -> float:
    """Return what it counts that words which stand near each other in the query do so in the text."""
    places = words.places(text)
    score = 0.0
    for one, other in words.pairs:
        often = sum(
            any(0 < abs(place - near) <= _NEAR for near in places.get(other, ())) for place in places.get(one, ())
        )
        if often:
            rarity = (words.rarity[one] + words.rarity[other]) / 2
            score += rarity * often * (_K1 + 1) / (often + _K1)
    return score


def _of_best(found: Iterable[tuple[float, int]]) -> float:
    first, *others = sorted((score for score, _ in found), reverse=True)[:3]
    return first + _NEXT * sum(others)


def _documents(connection: sqlite3.Connection, table: str, match: str) -> Iterable[tuple[str, float]]:
    rows = connection.execute(
        f"SELECT f.path, -bm25({table}) FROM {table} JOIN files f ON f.rowid = {table}.rowid"  # noqa: S608 - our names
        f" WHERE {table} MATCH ?",
        (match,),
    )
    return cast("Iterable[tuple[str, float]]", rows)


def _titles(connection: sqlite3.Connection, words: _Words) -> Iterable[tuple[str, float]]:
    """Yield the documents whose title or path has words of the query, with what those count."""
    rows = connection.execute("SELECT path, title_terms FROM files WHERE title_terms != ''")
    for path, terms in cast("Iterable[tuple[str, str]]", rows):
        score = sum(words.rarity[word] for word in words.places(terms))
        if score:
            yield path, score
