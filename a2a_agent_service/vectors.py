"""What passages of the documents folder mean: vectors in the index, and how their order joins that of the words.

A vector is kept by the digest of the text that it is of, so that a passage is embedded once, whatever file it is in.
All functions block. Source: https://doi.org/10.1145/1571941.1572114 (reciprocal rank fusion)
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS vectors (
    digest BLOB NOT NULL, model TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (digest, model)
) WITHOUT ROWID;
"""

_HIGHEST_FLOOR: Final = 0.6
_LEAST_CLOSENESS: Final = 0.15
_MEANT: Final = 0.3
_STEEP: Final = 10  # the source's 60 is for lists of a thousand; here the first few decide
_PER_DOCUMENT: Final = 4


@dataclass(frozen=True, slots=True)
class Placed:
    """A passage in an order: its number, its document, and a score above 0 and at most 1."""

    number: int
    path: str
    score: float


@dataclass(frozen=True, slots=True)
class Needs:
    """The vectors of the queries, by their words, and the model that made them."""

    model: str
    vectors: Mapping[str, Sequence[float]]


def text_of(title: str, heading: str, text: str) -> str:
    """Return what is embedded for a passage."""
    return "\n".join(filter(None, (title, heading, text)))


def digest_of(text: str) -> bytes:
    """Return the digest by which a text's vector is kept."""
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).digest()


def missing(connection: sqlite3.Connection, model: str, most: int) -> dict[bytes, str]:
    """Return some passages' texts that have no vector of the model, by their digests; at most so many."""
    rows = connection.execute(
        "SELECT DISTINCT p.digest, f.title, p.heading, p.text FROM passages p JOIN files f ON f.path = p.path"
        " WHERE NOT EXISTS (SELECT 1 FROM vectors v WHERE v.digest = p.digest AND v.model = ?) LIMIT ?",
        (model, most),
    )
    return {digest: text_of(title, heading, text) for digest, title, heading, text in rows}


def keep(connection: sqlite3.Connection, model: str, vectors: Mapping[bytes, Sequence[float]]) -> None:
    """Keep the vectors of some texts."""
    import numpy as np  # noqa: PLC0415 - heavy, and only for those who have an embedding model

    rows = [(digest, model, np.asarray(vector, "<f4").tobytes()) for digest, vector in vectors.items()]
    connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)


def forget(connection: sqlite3.Connection, model: str) -> None:
    """Forget the vectors of other models, and of passages that are gone."""
    connection.execute(
        "DELETE FROM vectors WHERE model != ? OR NOT EXISTS (SELECT 1 FROM passages p WHERE p.digest = vectors.digest)",
        (model,),
    )


class Space:
    """All passages that have a vector of one model, to be compared with what is needed."""

    def __init__(self, connection: sqlite3.Connection, needs: Needs) -> None:
        self._needs = needs
        rows = connection.execute(
            "SELECT p.id, p.path, v.vector FROM passages p JOIN vectors v ON v.digest = p.digest WHERE v.model = ?",
            (needs.model,),
        ).fetchall()
        self._rows = cast("list[tuple[int, str, bytes]]", rows)

    def near(self, query: str, limit: int) -> list[Placed]:
        """Return the passages nearest to a query, if they are nearer than any two texts, the nearest first.

        A score is how far from the mean similarity of all passages, 0, to the same meaning, 1, a passage is.
        """
        import numpy as np  # noqa: PLC0415

        vector = self._needs.vectors.get(query)
        fitting = [row for row in self._rows if vector is not None and len(row[2]) == 4 * len(vector)]
        if vector is None or not fitting:
            return []
        matrix: NDArray[np.float32] = np.frombuffer(b"".join(row[2] for row in fitting), "<f4")
        similar = matrix.reshape(len(fitting), -1) @ np.asarray(vector, "<f4")
        floor = min(float(similar.mean()), _HIGHEST_FLOOR)
        nearest = cast("list[int]", np.argsort(-similar, kind="stable")[:limit].tolist())
        found = [
            Placed(fitting[place][0], fitting[place][1], (float(similar[place]) - floor) / (1 - floor))
            for place in nearest
        ]
        return [placed for placed in found if placed.score >= _LEAST_CLOSENESS]


def is_meant(placed: Placed) -> bool:
    """Say whether a near passage is near enough to be what was asked about, whatever its words."""
    return placed.score >= _MEANT


def fuse(by_words: Sequence[Placed], by_meaning: Sequence[Placed]) -> list[Placed]:
    """Join two orders into one, the best first: documents by their places in both, and in each its best passages."""
    places: dict[str, float] = {}
    for order in (by_words, by_meaning):
        for place, path in enumerate(dict.fromkeys(placed.path for placed in order)):
            places[path] = places.get(path, 0.0) + 1 / (_STEEP + 1 + place)
    if not places:
        return []
    best = max(places.values())
    fused: list[Placed] = []
    for path in sorted(places, key=lambda path: (-places[path], path)):
        passages = _of_document(path, by_words, by_meaning)
        fused += [Placed(number, path, places[path] / best * (0.7 + 0.3 * share)) for number, share in passages.items()]
    return fused


def _of_document(path: str, *orders: Sequence[Placed]) -> dict[int, float]:
    """Return a document's best passages, by number, each with its share of the best one's points."""
    points: dict[int, float] = {}
    for order in orders:
        for place, placed in enumerate(each for each in order if each.path == path):
            points[placed.number] = points.get(placed.number, 0.0) + 1 / (_STEEP + 1 + place)
    ordered: Iterable[int] = sorted(points, key=lambda number: (-points[number], number))
    return {number: points[number] / max(points.values()) for number in list(ordered)[:_PER_DOCUMENT]}
