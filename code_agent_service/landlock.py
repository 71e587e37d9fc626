"""The weaker walls, for where bubblewrap does not work: Landlock, a call filter and limits, but no namespaces.

Only used when SANDBOX_ALLOW_WEAK is set, and said wherever it is used.
"""

import json
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from signal import SIGTERM
from typing import Final

from code_agent_service import bubblewrap, consumption, seccomp
from code_agent_service.bubblewrap import NOBODY, PACKAGES
from code_agent_service.inside import weak_entrance
from code_agent_service.runs import Limits, Program
from code_agent_service.walls import LAUNCHER, Entry

_ENTRANCE: Final = (Path(__file__).parent / "inside" / "weak_entrance.py").read_text(encoding="utf-8")
_FOLDERS: Final = ("work", "tmp", "packages", "tools")


class LandlockWalls:
    """Programs see their own folder and the system's, and reach no network; but they are processes as any other.

    The kernel counts the processes of a user, not of a program: `max_runs` programs at once must find room.
    """

    kind = "landlock"
    caution = (
        "Programs are confined by Landlock and limits alone, without namespaces (SANDBOX_ALLOW_WEAK): that is weaker "
        "than bubblewrap. Run only code that you would almost trust."
    )

    def __init__(self, max_runs: int = 1) -> None:
        self._max_runs = max_runs

    @contextmanager
    def open(self, program: Program, limits: Limits) -> Generator[Entry]:
        """Make the folder of one run, and delete it at the end."""
        user = NOBODY if os.geteuid() == 0 else os.geteuid()
        base = Path(tempfile.mkdtemp(prefix="federation-run-")).resolve()
        try:
            for name in _FOLDERS:
                (base / name).mkdir()
            for mount in program.mounts:
                (base / mount.target.removeprefix("/opt/")).symlink_to(mount.source)
            if os.geteuid() == 0:
                for path in (base, *(base / name for name in _FOLDERS)):
                    os.chown(path, user, user)

            yield Entry(
                partial(_build, base, program),
                seccomp.build_filter(families=(), is_alone=False),
                lambda first, exact: consumption.measure(first, exact=exact, folder=base),
                end_signal=SIGTERM,
                is_alone=False,
                more_processes=consumption.count_processes(user) + limits.processes * (self._max_runs - 1),
            )
        finally:
            with suppress(OSError):  # as a rule the entrance has deleted it; it may not have come that far
                weak_entrance.delete(str(base))


def _build(base: Path, program: Program, report_fd: int, info_fd: int, seccomp_fd: int | None) -> list[str]:
    python = bubblewrap.find_python()
    task = {
        "user": NOBODY if os.geteuid() == 0 else -1,
        "is_reader": bool(bubblewrap.list_closed(_list_folders(program))),
        "folder": str(base),
        "readable": _list_readable(program),
        "environment": _build_environment(base, program),
        "info_fd": info_fd,
        "report_fd": report_fd,
        "seccomp_fd": seccomp_fd,
        "command": [python, "-I", "-S", "-c", LAUNCHER, str(report_fd)],
    }
    return [python, "-I", "-S", "-c", _ENTRANCE, json.dumps(task)]


def _list_readable(program: Program) -> list[str]:
    folders = [str(folder) for folder in bubblewrap.list_python_folders()]
    return [*bubblewrap.SYSTEM, *folders, *(str(mount.source) for mount in program.mounts)]


def _list_folders(program: Program) -> list[Path]:
    return [*bubblewrap.list_python_folders(), *(mount.source.parent for mount in program.mounts)]


def _build_environment(base: Path, program: Program) -> dict[str, str]:
    has_packages = any(mount.target.startswith(f"{PACKAGES}/") for mount in program.mounts)
    return {
        "PATH": f"{base}/tools:/usr/bin:/bin",
        "HOME": f"{base}/work",
        "TMPDIR": f"{base}/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "OPENSSL_CONF": "/dev/null",  # Node ends where there is one that it may not read
        "TZ": "UTC",
        "MALLOC_ARENA_MAX": "2",
        **({"PYTHONPATH": f"{base}/packages"} if has_packages else {}),
    }
