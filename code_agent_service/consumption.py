"""What a running sandbox uses, seen from outside: the memory and CPU time of all its processes, and its files.

Limits of the kernel are per process; these are for the sandbox as a whole. Read from /proc, so that it works for any
user and without control groups.
"""

import os
import sys
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from code_agent_service.bubblewrap import FOLDERS

CHILDREN_FILE = Path("/proc/thread-self/children")
"""Exists where the kernel can tell a process's children (CONFIG_PROC_CHILDREN)."""

_LONG_PATH = 3000
_MAX_HELD = 64
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Consumption:
    """What the processes below a sandbox's first one use now. CPU time includes that of processes that ended.

    `processes` are these and their threads, as the kernel counts them.
    """

    processes: int
    memory_bytes: int
    cpu_s: float
    files: int
    disk_bytes: int = 0


def measure(init: int, *, exact: bool = False, folder: Path | None = None) -> Consumption:
    """Return what the sandbox with the first process `init` uses; nothing, once it has ended.

    Pages that processes share count for each of them, unless `exact`, which takes longer. `folder`: where its files
    are, if that is a folder of this machine, which has no limit of its own.
    """
    pids = [pid for pid in _walk(init) if pid != init]
    read_memory = _proportional_bytes if exact else _resident_bytes
    files, disk_bytes = (_count_files(pids[0]) if pids else 0, 0) if folder is None else _look_over(folder)
    return Consumption(
        processes=sum(map(_count_threads, pids)),
        memory_bytes=sum(map(read_memory, pids)),
        cpu_s=sum(map(_cpu_s, [init, *pids])),
        files=files,
        disk_bytes=disk_bytes,
    )


def count_processes(user: int) -> int:
    """Return how many threads of this machine belong to a user."""
    found = 0
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found += _count_threads(int(path.name)) if path.stat().st_uid == user else 0
    return found


def children(pid: int) -> list[int]:
    """Return the children of a process, those of all its threads; of what has just ended, none."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):  # this thread alone: the others' children are still to be counted
                found += map(int, (task / "children").read_text().split())
    return found


def _walk(root: int) -> Generator[int]:
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children(pid)


def _count_threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 - as often as it is done
    except OSError:
        return 0


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS_PER_S  # its own, and that of children it has waited for


def _resident_bytes(pid: int) -> int:
    return _sum_of_lines(f"/proc/{pid}/status", ("RssAnon:", "RssShmem:"))


def _proportional_bytes(pid: int) -> int:
    try:
        return _sum_of_lines(f"/proc/{pid}/smaps_rollup", ("Pss_Anon:", "Pss_Shmem:"))
    except PermissionError:
        return _resident_bytes(pid)


def _sum_of_lines(path: str, names: tuple[str, ...]) -> int:
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(names))


def _count_files(pid: int) -> int:
    """Return how many files there are in the folders that can be written, as `pid` sees them."""
    files = 0
    for folder in FOLDERS:
        with suppress(OSError):
            status = os.statvfs(f"/proc/{pid}/root{folder}")
            files += status.f_files - status.f_ffree
    return files


def _look_over(folder: Path) -> tuple[int, int]:
    """Return how many files there are below a folder, and the bytes they take; beyond all bounds, what is too deep."""
    files = size_bytes = 0
    waiting: list[str | int] = [str(folder)]
    held = 0
    try:
        while waiting:
            path = waiting.pop()
            if isinstance(path, int):  # all below it is done
                os.close(path)
                held -= 1
                continue
            if held > _MAX_HELD:
                return sys.maxsize, size_bytes
            files += 1
            with suppress(OSError):
                if len(path) > _LONG_PATH:  # longer ones than the system takes are reached from here
                    waiting.append(fd := os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW))
                    held += 1
                    path = f"/proc/self/fd/{fd}"
                with os.scandir(path) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                            continue
                        files += 1
                        with suppress(OSError):
                            size_bytes += entry.stat(follow_symlinks=False).st_blocks * 512
    finally:
        for fd in waiting:
            if isinstance(fd, int):
                os.close(fd)
    return files, size_bytes
