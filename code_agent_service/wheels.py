"""Packages that programs may ask for: the wheels in one folder of this machine, and nothing else.

A program names them as PEP 723 has it (`# /// script`, `# dependencies = ["numpy"]`), or in JSON as `"packages"`.
Source: https://peps.python.org/pep-0723/
"""

import hashlib
import os
import re
import shutil
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename
from packaging.version import Version
from pydantic import JsonValue

from code_agent_service.bubblewrap import PACKAGES, Mount
from code_agent_service.runs import Program
from code_agent_service.settings import Settings
from shared.errors import InvalidRequestError, NotInstalledError

_SCRIPT: Final = re.compile(r"^# /// script\s*$\n(?P<content>(?:^#(?: .*)?$\n)+?)^# ///\s*$", re.MULTILINE)
_MAX_WANTED: Final = 50
_MAX_SHOWN: Final = 40


def find_wanted(program: Program, data: Sequence[JsonValue]) -> list[str]:
    """Return the packages that a program asks for, as requirements. Raises: InvalidRequestError."""
    wanted: list[JsonValue] = []
    for item in data:
        if isinstance(item, dict) and isinstance(packages := item.get("packages"), list):
            wanted += packages
    if found := _SCRIPT.search(program.code + "\n"):
        content = "".join(line.removeprefix("#").removeprefix(" ") for line in found["content"].splitlines(True))
        try:
            listed = tomllib.loads(content).get("dependencies", [])
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise InvalidRequestError(f"The program's `# /// script` block is not valid TOML: {error}.") from error
        wanted += listed if isinstance(listed, list) else [listed]
    if not all(isinstance(each, str) for each in wanted) or len(wanted) > _MAX_WANTED:
        raise InvalidRequestError(f"Packages are asked for as a list of at most {_MAX_WANTED} names.")
    return [str(each) for each in wanted]


class Wheels:
    """The wheels in a folder. They are unpacked once, beside the service's other data, and shown read-only."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.sandbox_wheels
        self._unpacked = (settings.data_dir / "code" / "packages").resolve()

    def find(self, wanted: Sequence[str]) -> tuple[Mount, ...]:
        """Return what must be shown so that these packages, and those that they need, can be imported.

        Raises: InvalidRequestError (a package that is not there), NotInstalledError (a wheel that cannot be read).
        """
        allowed = self._list()
        mounts: dict[str, Mount] = {}
        waiting, seen = [_read_requirement(each) for each in wanted], set[NormalizedName]()
        while waiting:
            requirement = waiting.pop()
            name = canonicalize_name(requirement.name)
            if name in seen or not _is_needed(requirement):
                continue
            seen.add(name)
            folder = self._unpack(_choose(requirement, allowed))
            for path in sorted(folder.iterdir()):
                mounts.setdefault(path.name, Mount(path, f"{PACKAGES}/{path.name}"))
            waiting += _list_needed(folder)
        return tuple(mounts.values())

    def _list(self) -> dict[NormalizedName, dict[Version, Path]]:
        """Return the wheels that fit this Python, by name and version."""
        if self._folder is None:
            raise InvalidRequestError(
                "No packages may be used here: only Python's standard library. The operator allows some by a folder of "
                "wheels (SANDBOX_WHEELS)."
            )
        fitting = set(sys_tags())
        found: dict[NormalizedName, dict[Version, Path]] = {}
        for path in sorted(self._folder.glob("*.whl")):
            try:
                name, version, _, tags = parse_wheel_filename(path.name)
            except InvalidWheelFilename:
                continue
            if not fitting.isdisjoint(tags):
                found.setdefault(name, {})[version] = path
        return found

    def _unpack(self, wheel: Path) -> Path:
        """Return the folder of a wheel's packages; it is made whole or not at all."""
        folder = self._unpacked / f"{wheel.stem}-{hashlib.sha256(wheel.read_bytes()).hexdigest()[:16]}"
        if folder.is_dir():
            return folder
        self._unpacked.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=self._unpacked))
        try:
            with zipfile.ZipFile(wheel) as opened:
                for entry in opened.infolist():
                    if target := _place(entry.filename):
                        path = unfinished / target
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_bytes(opened.read(entry))
            unfinished.chmod(0o755)
            os.replace(unfinished, folder)  # noqa: PTH105 - two may do it at once
        except (zipfile.BadZipFile, OSError) as error:
            if not folder.is_dir():
                raise NotInstalledError(f"The wheel {wheel.name} in SANDBOX_WHEELS cannot be read: {error}.") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return folder


def _place(name: str) -> PurePosixPath | None:
    """Return where a wheel's file goes: what is not for importing is left out."""
    path = PurePosixPath(name)
    if name.endswith("/") or path.is_absolute() or ".." in path.parts:
        return None
    if path.parts[0].endswith(".data"):
        return PurePosixPath(*path.parts[2:]) if path.parts[1:2] in {("purelib",), ("platlib",)} else None
    return None if path.suffix == ".pth" else path


def _choose(requirement: Requirement, allowed: dict[NormalizedName, dict[Version, Path]]) -> Path:
    versions = allowed.get(canonicalize_name(requirement.name), {})
    fitting = [version for version in versions if requirement.specifier.contains(version, prereleases=True)]
    if not fitting:
        listed = [f"{name} {', '.join(map(str, sorted(found)))}" for name, found in sorted(allowed.items())]
        raise InvalidRequestError(
            f"The package {str(requirement)!r} may not be used here. Those that may (SANDBOX_WHEELS): "
            f"{'; '.join(listed[:_MAX_SHOWN]) or 'none'}."
        )
    return versions[max(fitting)]


def _is_needed(requirement: Requirement) -> bool:
    """Tell whether a requirement holds for this Python. Raises: InvalidRequestError, when that cannot be told."""
    try:
        return requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    except (ValueError, LookupError) as error:
        raise InvalidRequestError(
            f"The condition of {str(requirement)[:100]!r} cannot be told true or false: {error}."
        ) from error


def _list_needed(folder: Path) -> Iterator[Requirement]:
    for path in folder.glob("*.dist-info/METADATA"):
        headers = HeaderParser().parsestr(path.read_text(encoding="utf-8", errors="replace"))
        for line in headers.get_all("Requires-Dist") or ():
            yield _read_requirement(str(line))


def _read_requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
        raise InvalidRequestError(f"{text[:100]!r} is not the name of a package, such as numpy or numpy>=2.") from error
