"""What goes into the sandbox and what comes out: programs, limits, and how a run went.

The launcher inside (`code_agent_service.inside.launcher`) is told by `pack`, and its answer is read by `unpack`.
"""

import marshal
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from code_agent_service import bubblewrap, names
from code_agent_service.bubblewrap import Mount
from code_agent_service.inside.launcher import MAX_ENTRIES
from code_agent_service.settings import Settings
from shared.errors import TooLargeError, UnavailableError

Reason: TypeAlias = Literal["time", "cpu", "memory", "processes", "output", "files"]
"""The limit that ended a program."""

Language: TypeAlias = Literal["python", "javascript"]

_KIB = 1024
_MIB = 1024 * 1024
_TRACEBACK_LINES = 50
_HEADER_BYTES = 256 * _KIB
_NODE_SHARE = 0.75  # of the memory, for JavaScript's own heap: the rest is for all else that Node needs


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
    """A file of the working folder. `name` is its path below that, with slashes; `names.tidy` makes one of anything."""

    name: str
    content: bytes

    @property
    def text(self) -> str:
        """The content as text; what is none is replaced."""
        return self.content.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: `main` is the name of one of `files`, which are put into the working folder.

    `script` is Python text of our own that runs in place of `main`; `mounts` are what else is to be seen; `unread` are
    the parts of a request in words that it does not answer.
    """

    main: str
    files: tuple[WorkFile, ...]
    arguments: tuple[str, ...] = ()
    stdin: str = ""
    language: Language = "python"
    script: str = ""
    mounts: tuple[Mount, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The text of the main file."""
        return next((file.text for file in self.files if file.name == self.main), self.script)

    @property
    def command(self) -> tuple[str, ...]:
        """How a person would run it, for telling."""
        main = names.as_argument(self.main) or "-c …"
        return ("node" if self.language == "javascript" else "python", main, *self.arguments)


@dataclass(frozen=True, slots=True)
class Run:
    """How a program went. `exit_code` is None when it was killed at a limit, and minus a signal's number when that was
    its end. `files` are those it made or changed; `left_out` names those that were too many or too large;
    `more_left_out` is how many of these are not even named.
    """

    stdout: str
    stderr: str
    exit_code: int | None
    duration_s: float
    stopped_by: Reason | None = None
    files: tuple[WorkFile, ...] = ()
    left_out: tuple[str, ...] = ()
    more_left_out: int = 0


def pack(
    program: Program,
    limits: Limits,
    *,
    is_alone: bool = True,
    python: str = "",
    captured: bool = False,
    more_processes: int = 0,
) -> bytes:
    """Return what the launcher reads: the command, its stdin, the files, and the limits of each process.

    `is_alone`: it may end all processes it sees. `python`: the interpreter, if it is not this one. `captured`: output
    comes with the report. `more_processes` belong to the same user and count, too. Raises: TooLargeError.
    """
    stdin = program.stdin.encode(errors="replace")
    size = sum(len(file.content) for file in program.files)
    if size + len(stdin) > limits.disk_bytes // 2:
        raise TooLargeError(
            f"The program's files have {size / _MIB:.1f} MB; at most half of SANDBOX_DISK_MB "
            f"({limits.disk_bytes // _MIB} MB) is taken."
        )
    job = {
        "command": _build_command(program, limits, python or bubblewrap.find_python()),
        "stdin": stdin,
        "files": [(file.name, file.content) for file in program.files],
        "limits": dict(_list_limits(program, limits)) | {"RLIMIT_NPROC": limits.processes + more_processes},
        "max_files": limits.max_files,
        "max_files_bytes": limits.files_bytes,
        "is_alone": is_alone,
        "captured_bytes": limits.output_bytes if captured else 0,
        "timeout_s": limits.timeout_s,
    }
    return marshal.dumps(job)


def _build_command(program: Program, limits: Limits, python: str) -> list[str]:
    main = names.as_argument(program.main)
    if program.language == "javascript":
        heap_mb = int(limits.memory_bytes * _NODE_SHARE) // _MIB
        return ["node", f"--max-old-space-size={heap_mb}", main, *program.arguments]
    what = ["-c", program.script] if program.script else [main]
    return [python, "-s", "-B", "-u", *what, *program.arguments]


def _list_limits(program: Program, limits: Limits) -> Iterator[tuple[str, int]]:
    yield "RLIMIT_CPU", math.ceil(limits.cpu_s) + 1
    if program.language != "javascript":  # V8 reserves far more addresses than it ever uses memory
        yield "RLIMIT_AS", limits.memory_bytes
    yield "RLIMIT_FSIZE", limits.disk_bytes
    yield "RLIMIT_NOFILE", limits.open_files
    yield "RLIMIT_CORE", 0
    yield "RLIMIT_MSGQUEUE", 0


def report_bytes(limits: Limits) -> int:
    """Return the most bytes that the launcher's answer can have."""
    return limits.files_bytes + _HEADER_BYTES


def unpack(report: bytes, stdout: str, stderr: str, exit_code: int, duration_s: float) -> Run:
    """Return how it went by the launcher's `report`; where there is none, the program ended its launcher, too.

    The report is peer text: what is in it may be made up. Raises: UnavailableError, when the launcher did not even
    start; bubblewrap has said why on stderr.
    """
    if not report:
        raise UnavailableError(f"The sandbox could not be started: {last_line(stderr)}")
    try:
        size, _, rest = report[1:].partition(b"\n")
        header, content = rest[: int(size)], rest[int(size) :]
        said, *fields = header.decode(errors="replace").split("\0")
        exit_code = int(said)
        more = max(0, min(MAX_ENTRIES, sum(int(field[2:]) for field in fields if field.startswith("*:"))))
        fields = [field for field in fields if not field.startswith("*:")]
        entries = [(int(size) if size != "-" else None, name) for size, _, name in (f.partition(":") for f in fields)]
    except ValueError:
        return Run(stdout, stderr, exit_code, duration_s)
    tidy = names.tidy([name for _, name in entries])
    files: list[WorkFile] = []
    left_out: list[str] = []
    for name, (size_bytes, _) in zip(tidy, entries, strict=True):
        if size_bytes is None or size_bytes < 0:
            left_out.append(name)
            continue
        files.append(WorkFile(name, content[:size_bytes]))
        content = content[size_bytes:]
    stopped_by = find_limit_met(stderr) if exit_code else None
    return Run(stdout, stderr, exit_code, duration_s, stopped_by, tuple(files), tuple(left_out), more)


def find_limit_met(stderr: str) -> Reason | None:
    """Return the limit that a program ran against, by the last words of its traceback, or of its children's."""
    lines = stderr.splitlines()[-_TRACEBACK_LINES:]
    signs: dict[str, Reason] = {
        "MemoryError": "memory",
        "BlockingIOError: [Errno 11]": "processes",
        "RuntimeError: can't start new thread": "processes",
        "OSError: [Errno 28]": "files",
        "OSError: [Errno 27]": "files",
        "FATAL ERROR: Reached heap limit": "memory",
        "FATAL ERROR: Ineffective mark-compacts": "memory",
    }
    return next((signs[sign] for line in reversed(lines) for sign in signs if line.startswith(sign)), None)


def last_line(text: str) -> str:
    """Return the last line of `text` that is not empty, if it is not endless."""
    return text.rstrip().rpartition("\n")[2][:500]
