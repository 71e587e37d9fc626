"""The first program inside the sandbox: unpacks the files, runs the given program under limits, hands back the result.

Its text is given to the sandbox's own interpreter (`python -c`), so it needs nothing but the standard library, and
nothing of this project. What it says is only as trustworthy as the program it ran: both have the same rights.

On stdin: one line of JSON (`Job`), then the bytes of the program's stdin and of each file. On the descriptor given as
argument: an empty line at the start; at the end one line of JSON (`Report`), then the bytes of each file handed back.
"""

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, TypedDict

MAX_ENTRIES = 10_000
"""Most files of the working folder that are looked at for changes."""


class FileEntry(TypedDict):
    """A file that follows: its path below the working folder, and how many bytes."""

    name: str
    size: int


class Job(TypedDict):
    """What to run, and with which limits; the limits are for each process."""

    command: list[str]
    stdin_size: int
    files: list[FileEntry]
    limits: dict[str, int]
    max_files: int
    max_files_bytes: int


class Report(TypedDict):
    """How the program ended, and the files that follow. `left_out` are changed files that are not handed back."""

    exit_code: int
    files: list[FileEntry]
    left_out: list[str]


def main() -> None:
    """Do the job that stdin describes."""
    source = sys.stdin.buffer
    report_fd = int(sys.argv[1])
    os.write(report_fd, b"\n")  # fails when the service is gone
    job: Job = json.loads(source.readline())
    with tempfile.TemporaryFile() as program_input:
        program_input.write(_read(source, job["stdin_size"]))
        program_input.seek(0)
        for entry in job["files"]:
            with open(entry["name"], "xb") as file:  # noqa: PTH123
                file.write(_read(source, entry["size"]))
        before = dict(_list_files())
        _be_first_to_go()
        exit_code = _run(job, program_input)
    with suppress(ProcessLookupError):  # what the program left running: all but this process and the sandbox's init
        os.kill(-1, signal.SIGKILL)
    chosen, left_out = _choose(before, job["max_files"], job["max_files_bytes"])
    contents = [(name, content) for name in chosen if (content := _content(name, job["max_files_bytes"])) is not None]
    report: Report = {
        "exit_code": exit_code,
        "files": [{"name": name, "size": len(content)} for name, content in contents],
        "left_out": left_out[:100],
    }
    with os.fdopen(report_fd, "wb") as target:
        target.write(json.dumps(report).encode() + b"\n")
        for _, content in contents:
            target.write(content)


def _read(source: BinaryIO, size: int) -> bytes:
    content = source.read(size)
    if len(content) != size:  # the service is gone
        sys.exit(1)
    return content


def _be_first_to_go() -> None:
    """Let the system's services go before this sandbox: for the processor, and when memory runs out."""
    os.nice(10)
    with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("1000")


def _run(job: Job, program_input: BinaryIO) -> int:
    def limit() -> None:
        for name, value in job["limits"].items():
            resource.setrlimit(getattr(resource, name), (value, value))

    return subprocess.run(job["command"], stdin=program_input, preexec_fn=limit, check=False).returncode  # noqa: S603


def _list_files() -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Yield the regular files of the working folder, links not followed, with what tells a change."""
    seen = 0
    for folder, _, names in os.walk("."):
        for name in sorted(names):
            seen += 1
            if seen > MAX_ENTRIES:
                return
            path = os.path.normpath(os.path.join(folder, name))  # noqa: PTH118
            try:
                status = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield path, (status.st_ino, status.st_size, status.st_mtime_ns)


def _choose(before: dict[str, tuple[int, int, int]], max_files: int, max_bytes: int) -> tuple[list[str], list[str]]:
    chosen: list[str] = []
    left_out: list[str] = []
    for path, state in _list_files():
        if before.get(path) == state:
            continue
        if len(chosen) < max_files and state[1] <= max_bytes:
            chosen.append(path)
            max_bytes -= state[1]
        else:
            left_out.append(path)
    return chosen, left_out


def _content(path: str, max_bytes: int) -> bytes | None:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read(max_bytes)
    except OSError:
        return None


if __name__ == "__main__":
    main()
