"""What goes into the sandbox and what comes out: programs, limits, and how a run went.

The launcher inside (`code_agent_service.launcher`) is told by `pack`, and its answer is read by `unpack`.
"""

import json
import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import BaseModel, NonNegativeInt, ValidationError

from code_agent_service import bubblewrap
from code_agent_service.settings import Settings
from shared.errors import TooLargeError, UnavailableError

Reason: TypeAlias = Literal["time", "cpu", "memory", "processes", "output", "files"]
"""The limit that ended a program."""

_KIB = 1024
_MIB = 1024 * 1024
_TRACEBACK_LINES = 50
_HEADER_BYTES = 256 * _KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use. CPU time, memory and files count for all its processes together."""

    timeout_s: float
    cpu_s: float
    memory_bytes: int
    processes: int
    open_files: int
    disk_bytes: int
    output_bytes: int
    max_files: int
    files_bytes: int

    @classmethod
    def from_settings(cls, settings: Settings) -> "Limits":
        """Return the limits that are set."""
        return cls(
            timeout_s=settings.sandbox_timeout_s,
            cpu_s=settings.sandbox_cpu_s,
            memory_bytes=settings.sandbox_memory_mb * _MIB,
            processes=settings.sandbox_processes,
            open_files=settings.sandbox_open_files,
            disk_bytes=settings.sandbox_disk_mb * _MIB,
            output_bytes=settings.sandbox_output_kb * _KIB,
            max_files=settings.sandbox_max_files,
            files_bytes=settings.sandbox_files_kb * _KIB,
        )


@dataclass(frozen=True, slots=True)
class WorkFile:
    """A file of the working folder. `name` is a plain file name going in, and a path below the folder coming out."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: `main` is the name of one of `files`, which are put into the working folder."""

    main: str
    files: tuple[WorkFile, ...]
    arguments: tuple[str, ...] = ()
    stdin: str = ""

    @property
    def code(self) -> str:
        """The text of the main file."""
        return next(file.content for file in self.files if file.name == self.main).decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Run:
    """How a program went. `exit_code` is None when it was killed at a limit, and minus a signal's number when that was
    its end. `files` are those it made or changed; `left_out` names those that were too many or too large.
    """

    stdout: str
    stderr: str
    exit_code: int | None
    duration_s: float
    stopped_by: Reason | None = None
    files: tuple[WorkFile, ...] = ()
    left_out: tuple[str, ...] = ()


def pack(program: Program, limits: Limits) -> bytes:
    """Return what the launcher reads: a line of JSON, the program's stdin, and the files."""
    stdin = program.stdin.encode(errors="replace")
    size = sum(len(file.content) for file in program.files)
    if size + len(stdin) > limits.disk_bytes // 2:
        raise TooLargeError(
            f"The program's files have {size / _MIB:.1f} MB; at most half of SANDBOX_DISK_MB "
            f"({limits.disk_bytes // _MIB} MB) is taken."
        )
    description = {
        "command": [bubblewrap.find_python(), "-s", "-E", "-B", "-u", program.main, *program.arguments],
        "stdin_size": len(stdin),
        "files": [{"name": file.name, "size": len(file.content)} for file in program.files],
        "limits": {
            "RLIMIT_CPU": math.ceil(limits.cpu_s) + 1,
            "RLIMIT_AS": limits.memory_bytes,
            "RLIMIT_FSIZE": limits.disk_bytes,
            "RLIMIT_NOFILE": limits.open_files,
            "RLIMIT_NPROC": limits.processes,
            "RLIMIT_CORE": 0,
            "RLIMIT_MSGQUEUE": 0,
        },
        "max_files": limits.max_files,
        "max_files_bytes": limits.files_bytes,
    }
    return b"".join([json.dumps(description).encode(), b"\n", stdin, *(file.content for file in program.files)])


class _FileEntry(BaseModel):
    name: str
    size: NonNegativeInt


class _Report(BaseModel):
    exit_code: int
    files: list[_FileEntry]
    left_out: list[str]


def report_bytes(limits: Limits) -> int:
    """Return the most bytes that the launcher's answer can have."""
    return limits.files_bytes + _HEADER_BYTES


def unpack(report: bytes, stdout: str, stderr: str, exit_code: int, duration_s: float) -> Run:
    """Return how it went by the launcher's `report`; where there is none, the program ended its launcher, too.

    Raises: UnavailableError, when the launcher did not even start; bubblewrap has said why on stderr.
    """
    if not report:
        raise UnavailableError(f"The sandbox could not be started: {last_line(stderr)}")
    header, _, content = report[1:].partition(b"\n")
    try:
        facts = _Report.model_validate_json(header)
    except ValidationError:
        return Run(stdout, stderr, exit_code, duration_s)
    files: list[WorkFile] = []
    for entry in facts.files:
        files.append(WorkFile(entry.name, content[: entry.size]))
        content = content[entry.size :]
    stopped_by = _find_limit_met(stderr) if facts.exit_code else None
    return Run(stdout, stderr, facts.exit_code, duration_s, stopped_by, tuple(files), tuple(facts.left_out))


def _find_limit_met(stderr: str) -> Reason | None:
    """Return the limit that a program ran against, by the last words of its traceback, or of its children's."""
    lines = stderr.splitlines()[-_TRACEBACK_LINES:]
    signs: dict[str, Reason] = {
        "MemoryError": "memory",
        "BlockingIOError: [Errno 11]": "processes",
        "RuntimeError: can't start new thread": "processes",
        "OSError: [Errno 28]": "files",
        "OSError: [Errno 27]": "files",
    }
    return next((signs[sign] for line in reversed(lines) for sign in signs if line.startswith(sign)), None)


def last_line(text: str) -> str:
    """Return the last line of `text` that is not empty, if it is not endless."""
    return text.rstrip().rpartition("\n")[2][:500]
