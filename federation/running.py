"""Who runs on a DATA_DIR: the lock and the record DATA_DIR/federation.json. Standard library only."""

import fcntl
import json
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from federation.probe import Facts

_NAME = "federation.json"
_TRIES = 20
_PAUSE_S = 0.05


class AlreadyRunningError(Exception):
    """A federation runs on this DATA_DIR already."""


@dataclass(frozen=True, slots=True)
class Record:
    """The record, held. `after_crash`: the last holder did not end in order, its services may still be stopping."""

    _descriptor: int
    after_crash: bool

    def write(self, facts: Facts) -> None:
        """Say what runs now. A reader sees all of it or all of what was before."""
        text = (json.dumps(facts) + "\n").encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))


def find(data_dir: Path) -> Facts | None:
    """Return what the federation that runs on `data_dir` has recorded, or None when there is none."""
    try:
        descriptor = os.open(data_dir / _NAME, os.O_RDONLY)
    except OSError:  # nobody runs where nothing can be kept
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


@contextmanager
def hold(data_dir: Path) -> Generator[Record]:
    """Own `data_dir` until the end of the block, or of the process. Raises: AlreadyRunningError, OSError."""
    data_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(data_dir / _NAME, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _lock(descriptor):
            facts = _read(descriptor)
            raise AlreadyRunningError(
                f"The federation is already running at {facts.get('url', 'an address it has not said yet')} "
                f"(process {facts.get('pid', 'unknown')}, DATA_DIR {data_dir})."
            )
        yield Record(descriptor, after_crash=bool(_read(descriptor)))
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Take the lock unless another holds it. One who only looks (`find`) has it for a moment: that is waited out."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _read(descriptor):
                return False
            time.sleep(_PAUSE_S)
        else:
            return True
    return False


def _read(descriptor: int) -> Facts:
    """Return the first line of the record: behind it may be the rest of a longer one that was before."""
    try:
        facts: object = json.loads(os.pread(descriptor, 65_536, 0).split(b"\n", 1)[0])
    except ValueError:
        return {}
    return {**facts} if isinstance(facts, dict) else {}
