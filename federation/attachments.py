"""Which files go along with a task, and where the files it makes are put."""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from shared.errors import InvalidRequestError, TooLargeError

MAX_TOTAL_BYTES = 50_000_000
"""More is not even read; the orchestrator's own limits are lower and in its settings."""

_WORDS = re.compile(r"\"([^\"]+)\"|'([^']+)'|(\S+)")


def find_named(text: str) -> list[Path]:
    """Return the files of this machine that words of `text` name, in order. A word counts with a "." or "/" in it."""
    found: list[Path] = []
    for match in _WORDS.finditer(text):
        word = next(group for group in match.groups() if group)
        for candidate in (word, word.strip("\"'`()[]<>,;:!?"), word.strip("\"'`()[]<>,;:!?").rstrip(".")):
            if ("." in candidate or "/" in candidate) and _is_file(candidate):
                if (path := Path(candidate)) not in found:
                    found.append(path)
                break
    return found


def check(paths: Iterable[Path]) -> list[Path]:
    """Return the files, once all can be sent. Raises: InvalidRequestError, TooLargeError."""
    checked: list[Path] = []
    total = 0
    for path in paths:
        if not path.is_file():
            raise InvalidRequestError(f"{path} is not a file. Name an existing file with --file.")
        try:
            with path.open("rb"):
                total += path.stat().st_size
        except OSError as error:
            raise InvalidRequestError(f"{path} cannot be read: {error.strerror}.") from error
        checked.append(path)
    if total > MAX_TOTAL_BYTES:
        raise TooLargeError(f"The files are {total:,} bytes together; at most {MAX_TOTAL_BYTES:,} can be sent.")
    return checked


def check_folder(folder: Path) -> None:
    """Make the folder if there is none, and see that files can be put into it. Raises: InvalidRequestError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidRequestError(
            f"Nothing can be saved in {folder} ({error.strerror}). Name another folder."
        ) from error


def check_file(path: Path) -> None:
    """See that a file can be written at `path`; one that is there stays as it is. Raises: InvalidRequestError."""
    try:
        if path.exists():
            with path.open("ab"):
                return
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InvalidRequestError(
            f"Nothing can be written to {path} ({error.strerror}). Name a file in a folder that is there."
        ) from error


def save(folder: Path, name: str, content: bytes) -> Path:
    """Save a file that calls itself `name` in `folder`, under a plain name that is still free, and return where."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = Path(re.sub(r"[^\w. -]", "_", name.replace("\\", "/").rsplit("/", 1)[-1]).strip(". ") or "artifact")
    plain = Path(plain.stem[:48] + plain.suffix[:12])  # at most 255 bytes, whatever the letters
    path = folder / plain
    number = 2
    while path.exists() or path.is_symlink():
        path = folder / f"{plain.stem}-{number}{plain.suffix}"
        number += 1
    path.write_bytes(content)
    return path


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # too long, or with a null character: no path at all
        return False
