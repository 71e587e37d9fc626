"""The index of the documents folder: a full-text table in DATA_DIR that is brought up to date before each search.

Only files that changed are read again. What is in the folder decides: a deleted file is gone from the next answer.
All functions block; call them in a thread.
"""

import hashlib
import logging
import os
import posixpath
import sqlite3
import stat
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from a2a_agent_service import relevance, vectors
from a2a_agent_service.passages import Passage, Source, split
from a2a_agent_service.ranking import SHORT, stem, terms
from shared.documents import SUFFIXES, Link, extract_text, links
from shared.errors import InvalidRequestError, NotFoundError, UnavailableError

logger = logging.getLogger(__name__)

_FORMAT = 5
_SCHEMA = """
CREATE TABLE folder (path TEXT NOT NULL);
CREATE TABLE files (
    path TEXT PRIMARY KEY, stamp TEXT NOT NULL, read_at_ns INTEGER NOT NULL, digest BLOB NOT NULL,
    title TEXT NOT NULL, title_terms TEXT NOT NULL, problem TEXT NOT NULL
);
CREATE TABLE links (source TEXT NOT NULL, target TEXT NOT NULL, terms TEXT NOT NULL);
CREATE INDEX links_source ON links (source);
CREATE INDEX links_target ON links (target);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, position INTEGER NOT NULL, heading TEXT NOT NULL,
    location TEXT NOT NULL, text TEXT NOT NULL, digest BLOB NOT NULL
);
CREATE INDEX passages_path ON passages (path);
CREATE INDEX passages_digest ON passages (digest);
CREATE VIRTUAL TABLE passage_terms USING fts5 (terms, context);
CREATE VIRTUAL TABLE document_terms USING fts5 (terms);
CREATE VIRTUAL TABLE anchor_terms USING fts5 (terms);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (passage_terms, row);
"""
_TABLES = ("folder", "files", "links", "passages", "vocabulary", "passage_terms", "document_terms", "anchor_terms")
_JUST_WRITTEN_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class State:
    """What the last look at the folder found: how many files can be searched, and which cannot, with the reason."""

    files: int
    problems: dict[str, str]


@dataclass(slots=True)
class DocumentIndex:
    """The index of one folder, kept in `database`. `folder` is shown to people as the settings have it."""

    database: Path
    folder: Path
    max_file_bytes: int
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, stop: threading.Event) -> State:
        """Read what is new or changed, forget what is gone. `stop` ends it early; what was read is kept.

        Raises: NotFoundError when there is no such folder.
        """
        if not self.folder.is_dir():
            raise NotFoundError(
                f"The documents folder {str(self.folder)!r} does not exist; set RESEARCH_DOCUMENTS to a folder."
            )
        root = self.folder.resolve()
        with self._lock, self._open() as connection:
            known = {
                cast("str", path): (cast("str", stamp), cast("int", read_at_ns))
                for path, stamp, read_at_ns in connection.execute("SELECT path, stamp, read_at_ns FROM files")
            }
            if connection.execute("SELECT path FROM folder").fetchall() != [(str(root),)]:
                _forget(connection, known)
                known = {}
                connection.execute("DELETE FROM folder")
                connection.execute("INSERT INTO folder VALUES (?)", (str(root),))
            present: set[str] = set()
            changed: set[str] = set()
            for name, path, stamp, changed_ns in _files(root):
                present.add(name)
                old_stamp, read_at_ns = known.get(name, ("", 0))
                is_due = stamp != old_stamp or changed_ns > read_at_ns - _JUST_WRITTEN_NS
                if is_due and self._read(connection, name, path, stamp):
                    changed.add(name)
                if stop.is_set():
                    _weave(connection, changed)
                    raise UnavailableError("Reading the documents was interrupted; ask again.")
            _forget(connection, known.keys() - present)
            _weave(connection, changed | (known.keys() - present))
            rows = connection.execute("SELECT path, problem FROM files WHERE problem != ''").fetchall()
            problems = {cast("str", path): cast("str", problem) for path, problem in rows}
            return State(len(present) - len(problems), problems)

    def search(self, queries: Sequence[str], needs: vectors.Needs | None = None, limit: int = 40) -> list[Passage]:
        """Return the passages that fit a query best, for each query at most `limit`, each with its `relevance`.

        With the vectors of the queries, those that mean the same are found too, and the two orders become one.
        """
        found: dict[int, float] = {}
        meant_by: defaultdict[int, list[str]] = defaultdict(list)
        with self._open() as connection:
            space = None if needs is None else vectors.Space(connection, needs)
            for query in queries:
                placed = relevance.find(connection, query, limit)
                near = [] if space is None else space.near(query, limit)
                for each in vectors.fuse(placed, near)[:limit] if near else placed:
                    found[each.number] = max(each.score, found.get(each.number, 0.0))
                for each in filter(vectors.is_meant, near):
                    meant_by[each.number].append(query)
            return [
                replace(self._passage(connection, number, score), meant_by=tuple(meant_by[number]))
                for number, score in found.items()
            ]

    def without_vector(self, model: str, most: int) -> dict[bytes, str]:
        """Return some texts that have no vector of the model yet, by their digests; at most so many."""
        with self._open() as connection:
            return vectors.missing(connection, model, most)

    def keep_vectors(self, model: str, made: Mapping[bytes, Sequence[float]]) -> None:
        """Keep the vectors of texts."""
        with self._lock, self._open() as connection:
            vectors.keep(connection, model, made)

    def forget_vectors(self, model: str) -> None:
        """Forget the vectors that are of no use any more, and all that another model made."""
        with self._lock, self._open() as connection:
            vectors.forget(connection, model)

    def respell(self, words: Iterable[str]) -> dict[str, str]:
        """Return for each word the most similar one that the documents have instead, if there is one."""
        with self._open() as connection:
            rows = connection.execute("SELECT term FROM vocabulary WHERE length(term) > ?", (SHORT,)).fetchall()
        vocabulary = [cast("str", term) for (term,) in rows]
        similar = {
            word: get_close_matches(stem(word), vocabulary, n=1, cutoff=0.84) for word in words if len(word) > SHORT
        }
        return {word: found[0] for word, found in similar.items() if found and found[0] != stem(word)}

    def _passage(self, connection: sqlite3.Connection, number: int, score: float) -> Passage:
        row = connection.execute(
            "SELECT p.path, f.title, p.heading, p.location, p.text, p.position FROM passages p"
            " JOIN files f ON f.path = p.path WHERE p.id = ?",
            (number,),
        ).fetchone()
        path, title, heading, location, text, position = cast("tuple[str, str, str, str, str, int]", row)
        return Passage(Source(title, path=str(self.folder / path)), text, heading, location, position, score)

    def _read(self, connection: sqlite3.Connection, name: str, path: Path, stamp: str) -> bool:
        """Read a file again, unless its bytes are the same as before; returns whether it was."""
        read_at_ns = time.time_ns()
        digest, title, problem = b"", "", ""
        passages: list[Passage] = []
        linked: list[Link] = []
        try:
            content = _content(path, self.max_file_bytes)
            digest = hashlib.blake2b(content, digest_size=16).digest()
            if connection.execute("SELECT digest FROM files WHERE path = ?", (name,)).fetchone() == (digest,):
                connection.execute(
                    "UPDATE files SET stamp = ?, read_at_ns = ? WHERE path = ?", (stamp, read_at_ns, name)
                )
                connection.commit()
                return False
            document = extract_text(content, "", name)
            title = document.title
            passages = split(document, Source(title, path=name), name)
            linked = links(content, name)
        except (InvalidRequestError, OSError) as error:
            problem = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            logger.warning("document cannot be read", extra={"path": name, "reason": problem})
        _forget(connection, [name])
        connection.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
            (name, stamp, read_at_ns, digest, title, " ".join(terms(f"{title} {name}")), problem),
        )
        connection.executemany(
            "INSERT INTO links VALUES (?, ?, ?)",
            [(name, target, around) for target, around in _targets(name, linked)],
        )
        for passage in passages:
            digest = vectors.digest_of(vectors.text_of(title, passage.heading, passage.text))
            cursor = connection.execute(
                "INSERT INTO passages (path, position, heading, location, text, digest) VALUES (?, ?, ?, ?, ?, ?)",
                (name, passage.position, passage.heading, passage.location, passage.text, digest),
            )
            context = " ".join(terms(f"{title} {passage.heading}"))
            connection.execute(
                "INSERT INTO passage_terms (rowid, terms, context) VALUES (?, ?, ?)",
                (cursor.lastrowid, " ".join(terms(passage.text)), context),
            )
        connection.commit()
        return True

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        self.database.parent.mkdir(parents=True, exist_ok=True)
        try:
            try:
                connection = _connect(self.database)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                logger.warning("index is broken and made anew", extra={"path": str(self.database)})
                for suffix in ("", "-wal", "-shm"):
                    self.database.with_name(self.database.name + suffix).unlink(missing_ok=True)
                connection = _connect(self.database)
            with closing(connection):
                yield connection
                connection.commit()
        except sqlite3.DatabaseError as error:
            raise UnavailableError(
                f"The index of the documents, {self.database}, cannot be used: {error}. "
                "Check DATA_DIR, or delete the file: it is made anew."
            ) from error


def _connect(database: Path) -> sqlite3.Connection:
    """Open the database; its tables are made anew where they do not have this format."""
    connection = sqlite3.connect(database, timeout=10.0)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if connection.execute("PRAGMA user_version").fetchone() != (_FORMAT,):
            drops = "".join(f"DROP TABLE IF EXISTS {table};" for table in _TABLES)
            made = f"{drops} {_SCHEMA} {vectors.SCHEMA} PRAGMA user_version = {_FORMAT};"
            connection.executescript(f"BEGIN IMMEDIATE; {made} COMMIT;")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _weave(connection: sqlite3.Connection, changed: set[str]) -> None:
    """Bring up to date what is known of whole documents: of those that changed, and of those that they link to."""
    if not changed:
        return
    targets = {
        cast("str", target)
        for name in changed
        for (target,) in connection.execute("SELECT DISTINCT target FROM links WHERE source = ?", (name,))
    }
    for name in changed | targets:
        row = connection.execute("SELECT rowid FROM files WHERE path = ?", (name,)).fetchone()
        if row is None:
            continue
        of_links = connection.execute("SELECT terms FROM links WHERE target = ?", (name,))
        _replace(connection, "anchor_terms", row[0], of_links)
        if name in changed:
            of_passages = connection.execute(
                "SELECT t.terms FROM passages p JOIN passage_terms t ON t.rowid = p.id WHERE p.path = ?", (name,)
            )
            _replace(connection, "document_terms", row[0], of_passages)
    connection.commit()


def _replace(connection: sqlite3.Connection, table: str, rowid: int, parts: Iterable[tuple[str]]) -> None:
    text = " ".join(part for (part,) in parts)
    connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))  # noqa: S608 - our own names
    connection.execute(f"INSERT INTO {table} (rowid, terms) VALUES (?, ?)", (rowid, text))  # noqa: S608


def _targets(name: str, linked: Iterable[Link]) -> list[tuple[str, str]]:
    """Return the documents that a document links to, each with the words around the link, once for each place."""
    found: dict[tuple[str, str], None] = {}
    for link in linked:
        address = unquote(urlsplit(link.address).path)
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), address))
        if address and target != name and not urlsplit(link.address).scheme:
            found[target, " ".join(dict.fromkeys(terms(link.around)))] = None
    return list(found)


def _forget(connection: sqlite3.Connection, names: Iterable[str]) -> None:
    for name in names:
        connection.execute("DELETE FROM passage_terms WHERE rowid IN (SELECT id FROM passages WHERE path = ?)", (name,))
        connection.execute("DELETE FROM passages WHERE path = ?", (name,))
        for table in ("document_terms", "anchor_terms"):
            of_file = f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM files WHERE path = ?)"  # noqa: S608
            connection.execute(of_file, (name,))
        connection.execute("DELETE FROM links WHERE source = ?", (name,))
        connection.execute("DELETE FROM files WHERE path = ?", (name,))
    connection.commit()


def _files(root: Path) -> Iterator[tuple[str, Path, str, int]]:
    """Yield (name in the folder, path, stamp, time of the last change) of each document in it.

    Hidden ones are left out, and so are links that lead out of the folder. A stamp is another when the file is.
    """
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            relative = path.relative_to(root).as_posix()
            try:
                if path.is_symlink():
                    path = path.resolve(strict=True)
                    if not path.is_relative_to(root):
                        continue
                status = path.stat(follow_symlinks=False)
            except (OSError, RuntimeError):  # it has gone since, or its links go in a circle
                continue
            if stat.S_ISREG(status.st_mode):
                shown = os.fsencode(relative).decode(errors="replace")
                stamp = f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_size}"
                yield shown, path, stamp, max(status.st_mtime_ns, status.st_ctime_ns)


def _content(path: Path, max_bytes: int) -> bytes:
    """Return a file's bytes; what was put in its place since, a link or a pipe, is not followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidRequestError("It is not a regular file.")
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise InvalidRequestError(f"It is larger than RESEARCH_MAX_FILE_MB, {max_bytes / 1e6:g} MB.")
    return content
