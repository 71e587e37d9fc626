"""Bubblewrap's walls: every namespace of its own, a read-only system, a call filter."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

from code_agent_service import bubblewrap, consumption, seccomp
from code_agent_service.bubblewrap import Way
from code_agent_service.runs import Limits, Program
from code_agent_service.walls import LAUNCHER, Entry


class BubblewrapWalls:
    """The walls that bubblewrap's program `bwrap` builds, entered in one way."""

    kind = "bubblewrap"
    caution = ""

    def __init__(self, bwrap: str, way: Way) -> None:
        self._bwrap = bwrap
        self._way: Way = way

    @contextmanager
    def open(self, program: Program, limits: Limits) -> Generator[Entry]:
        """Prepare for one run: there is nothing to prepare."""
        yield Entry(
            partial(self._build, program, limits),
            seccomp.build_filter(),
            lambda first, exact: consumption.measure(first, exact=exact),
        )

    def _build(
        self, program: Program, limits: Limits, report_fd: int, info_fd: int, seccomp_fd: int | None
    ) -> list[str]:
        return bubblewrap.build_command(
            self._bwrap,
            self._way,
            [bubblewrap.find_python(), "-I", "-S", "-c", LAUNCHER, str(report_fd)],
            work_bytes=limits.disk_bytes,
            info_fd=info_fd,
            seccomp_fd=seccomp_fd,
            mounts=program.mounts,
        )
