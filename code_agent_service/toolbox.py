"""What programs in the sandbox are shown of this installation: the tools that the agent itself works with.

A tool is a distribution with all that it needs; each of its parts is mounted by itself, so that nothing else of the
environment is seen. What users' programs may import beside it comes from `code_agent_service.wheels`.
"""

import re
import shutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from code_agent_service.bubblewrap import PACKAGES, TOOLS, Mount
from shared.errors import NotInstalledError

TESTING: Final = ("pytest", "coverage")
CHECKING: Final = ("bandit", "ruff")


@cache
def find_tools(names: tuple[str, ...]) -> tuple[Mount, ...]:
    """Return what must be shown for these distributions to be imported; ruff's program is on the PATH.

    Raises: NotInstalledError.
    """
    mounts: dict[str, Mount] = {}
    for found in _close_over(names):
        for mount in _list_parts(found):
            mounts.setdefault(mount.target, mount)
    return tuple(mounts.values())


def find_node() -> tuple[Mount, ...] | None:
    """Return what must be shown for JavaScript to be run, or None where Node is not installed."""
    found = shutil.which("node") or shutil.which("nodejs")
    return None if found is None else (Mount(Path(found).resolve(), f"{TOOLS}/node"),)


def _close_over(names: tuple[str, ...]) -> Iterator[Distribution]:
    waiting, seen = list(names), set[str]()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError as error:
            raise NotInstalledError(
                f"The Python package {name!r} is missing, which the code agent works with; install the project's "
                "packages again (make setup AGAIN=1)."
            ) from error
        yield found
        needed = map(Requirement, found.requires or ())
        waiting += [each.name for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]


def _list_parts(found: Distribution) -> Iterator[Mount]:
    """Yield each folder or module of a distribution that lies where packages do, and ruff's program."""
    for file in found.files or ():
        if file.name == "ruff" and ".." in file.parts:
            yield Mount(Path(str(found.locate_file(file))).resolve(), f"{TOOLS}/ruff")
        elif ".." not in file.parts and (part := file.parts[0]) != "__pycache__" and not part.endswith(".pth"):
            yield Mount(Path(str(found.locate_file(part))).resolve(), f"{PACKAGES}/{part}")
