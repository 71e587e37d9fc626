"""Research over 500 documents: how long does the index take to build, to look for changes and to answer, and how large?

    .venv/bin/python benchmarks/research_index.py [--python FOLDER] [--rounds 10]

The documents are HTML pages of Python's own documentation; the queries those of `research_questions.py`, in the words
that the research agent searches for. The floor is SQLite's full-text search by itself: the passages' texts, read and
cut beforehand, go into one FTS5 table in one transaction, and are asked for by the same words. Each index is built in a
process of its own, whose most memory is told; queries of both are timed in turn in this one.
"""

import argparse
import resource
import shutil
import sqlite3
import statistics
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Final

from a2a_agent_service.index import DocumentIndex
from a2a_agent_service.passages import Source, split
from a2a_agent_service.question import understand
from benchmarks.harness import documentation, machine
from benchmarks.harness.rounds import Progress
from benchmarks.harness.tables import show
from benchmarks.research_questions import QUESTIONS
from shared.agent import AgentRequest
from shared.documents import extract_text

_DOCUMENTS: Final = 500
_MOST_BYTES: Final = 20_000_000
_MOST_PASSAGES: Final = 40


@dataclass(frozen=True, slots=True)
class _Built:
    """An index that was built in a process of its own: how long it took, and the most memory of that process."""

    seconds: float
    memory_mb: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", type=Path, default=None, help="folder of Python's HTML pages")
    parser.add_argument("--rounds", type=int, default=10, help="how often each query is asked")
    parser.add_argument("--quick", action="store_true", help="50 documents, one round: to see that it works")
    chosen = parser.parse_args()
    print(machine.describe())
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), chosen.python, 50 if chosen.quick else _DOCUMENTS, 1 if chosen.quick else chosen.rounds)


def _measure(folder: Path, python: Path | None, count: int, rounds: int) -> None:
    documentation.PYTHON.copy(python, folder / "all")
    paths = sorted((folder / "all").rglob("*.html"))[:count]
    for path in paths:
        target = folder / "docs" / path.relative_to(folder / "all")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    queries = [understand(AgentRequest(text, "t", "c", "m")).queries for text, _ in QUESTIONS]
    least, ours = _apart(_build_least, folder), _apart(_build_ours, folder)
    index = _index(folder)
    began = perf_counter()
    index.refresh(threading.Event())
    unchanged = perf_counter() - began
    with closing(sqlite3.connect(folder / "least.db")) as connection:
        [passages] = connection.execute("SELECT count(*) FROM passages").fetchone()
        asked = _ask(connection, index, queries, rounds)
    rows = [
        ("build", f"{least.seconds:.1f} s", f"{ours.seconds:.1f} s", f"{ours.seconds / least.seconds:.1f} ×"),
        ("most memory of the process", f"{least.memory_mb:.0f} MB", f"{ours.memory_mb:.0f} MB", ""),
        ("look for changes, none there", "", f"{unchanged * 1000:.0f} ms", ""),
        *(
            (f"query, {name}", *(f"{value(times) * 1000:.1f} ms" for times in asked), f"{_ratio(value, asked):.1f} ×")
            for name, value in (("p50", statistics.median), ("p90", _p90))
        ),
        ("size", *(f"{(folder / name).stat().st_size / 1e6:.0f} MB" for name in ("least.db", "research.db")), ""),
    ]
    show(f"{len(paths)} documents, {passages} passages; n = {len(asked[0])}", ["", "FTS5 alone", "ours", ""], rows)


def _build_least(folder: Path) -> _Built:
    """Put the passages into FTS5 and nothing else; reading and cutting the documents is not timed."""
    texts = [
        passage.text
        for path in sorted((folder / "docs").rglob("*.html"))
        for passage in split(extract_text(path.read_bytes(), "", path.name), Source(path.name))
    ]
    began = perf_counter()
    with closing(sqlite3.connect(folder / "least.db")) as connection:
        connection.execute("CREATE VIRTUAL TABLE passages USING fts5 (text, tokenize = 'porter')")
        connection.executemany("INSERT INTO passages VALUES (?)", [(text,) for text in texts])
        connection.commit()
    return _Built(perf_counter() - began, _most_memory_mb())


def _build_ours(folder: Path) -> _Built:
    began = perf_counter()
    _index(folder).refresh(threading.Event())
    return _Built(perf_counter() - began, _most_memory_mb())


def _index(folder: Path) -> DocumentIndex:
    return DocumentIndex(folder / "research.db", folder / "docs", _MOST_BYTES)


def _apart(build: Callable[[Path], _Built], folder: Path) -> _Built:
    """Build in a fresh process."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(build, folder).result()


def _ask(
    connection: sqlite3.Connection, index: DocumentIndex, queries: Sequence[Sequence[str]], rounds: int
) -> tuple[list[float], list[float]]:
    """Return how long each query takes, by FTS5 alone and by our index, in seconds."""
    least: list[float] = []
    ours: list[float] = []
    wanted = "SELECT text FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ?"
    with Progress("queries", rounds * len(queries)) as progress:
        for _ in range(rounds):
            for each in queries:
                began = perf_counter()
                for query in each:
                    match = " OR ".join(f'"{word}"' for word in query.split())
                    connection.execute(wanted, (match, _MOST_PASSAGES)).fetchall()
                between = perf_counter()
                index.search(each)
                least.append(between - began)
                ours.append(perf_counter() - between)
                progress.advance()
    return least, ours


def _p90(times: Sequence[float]) -> float:
    return sorted(times)[int(len(times) * 0.9)]


def _ratio(value: Callable[[Sequence[float]], float], asked: tuple[Sequence[float], Sequence[float]]) -> float:
    least, ours = asked
    return value(ours) / value(least)


def _most_memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
