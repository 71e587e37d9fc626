"""Names of files that come from elsewhere, made fit for a working folder. Pure."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

_MAX_DEPTH: Final = 8
_MAX_NAME_BYTES: Final = 120
_MAX_PATH_BYTES: Final = 480


def tidy(names: Sequence[str]) -> list[str]:
    """Return relative paths for `names`, which may be anything: different, none of them a folder of another one.

    A path that stays below its folder is kept; of any other only the last part is.
    """
    given: list[str] = []
    taken: set[str] = set()
    folders: set[str] = set()
    for name in names:
        path = _plain(name)
        if not taken.isdisjoint(_list_folders(path)):
            path = path.rpartition("/")[2]
        chosen = next(each for each in alternatives(path) if each not in taken and each not in folders)
        given.append(chosen)
        taken.add(chosen)
        folders.update(_list_folders(chosen))
    return given


def alternatives(path: str) -> Iterator[str]:
    """Yield `path`, then others that are like it: `data.csv`, `data-2.csv`, `data-3.csv`, …"""
    yield path
    folder, slash, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    for number in range(2, 10_000):
        yield folder + slash + (f"{stem}-{number}.{suffix}" if dot and stem else f"{name}-{number}")


def as_argument(name: str) -> str:
    """Return how the file `name` is called on a command line, where `-c.py` would be an option."""
    return f"./{name}" if name.startswith("-") else name


def _plain(name: str) -> str:
    parts = name.replace("\\", "/").split("/")
    stays = len(parts) <= _MAX_DEPTH and all(part.strip(". ") for part in parts)
    plain = "/".join(map(_plain_part, parts if stays else parts[-1:]))
    return plain if len(plain.encode()) <= _MAX_PATH_BYTES else plain.rpartition("/")[2]


def _plain_part(part: str) -> str:
    plain = "".join(character if character.isprintable() else "_" for character in part)
    plain = plain.encode(errors="replace")[-_MAX_NAME_BYTES:].decode(errors="ignore").strip()
    return plain if plain.strip(". ") else "file"


def _list_folders(path: str) -> list[str]:
    return [str(folder) for folder in PurePosixPath(path).parents][:-1]
