"""Who runs on a DATA_DIR: the lock and the record DATA_DIR/federation.json. Standard library only."""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from federation.probe import Facts


class AlreadyRunningError(Exception):
    """A federation runs on this DATA_DIR already."""


@dataclass(frozen=True, slots=True)
class Record:
    """The record, held. `after_crash`: the last holder did not end in order, its services may still be stopping."""

    _file: TextIOWrapper
    after_crash: bool

    def write(self, facts: Facts) -> None:
        """Say what runs now."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(facts) + "\n")
        self._file.flush()


def find(data_dir: Path) -> Facts | None:
    """Return what the federation that runs on `data_dir` has recorded, or None when there is none."""
    try:
        with (data_dir / "federation.json").open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _parse(file.read())
            return None
    except FileNotFoundError:
        return None


@contextmanager
def hold(data_dir: Path) -> Generator[Record]:
    """Own `data_dir` until the end of the block, or of the process. Raises: AlreadyRunningError, OSError."""
    data_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(data_dir / "federation.json", os.O_RDWR | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            facts = _parse(file.read())
            raise AlreadyRunningError(
                f"The federation is already running at {facts.get('url', 'an address it has not said yet')} "
                f"(process {facts.get('pid', 'unknown')}, DATA_DIR {data_dir})."
            ) from None
        yield Record(file, after_crash=bool(_parse(file.read())))
        file.seek(0)
        file.truncate()


def _parse(text: str) -> Facts:
    try:
        facts: object = json.loads(text)
    except ValueError:
        return {}
    return {**facts} if isinstance(facts, dict) else {}
