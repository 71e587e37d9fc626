"""The first program inside the sandbox: unpacks the files, runs the given program under limits, hands back the result.

Its text is given to the sandbox's own interpreter (`python -c`), so it needs nothing but the standard library, and
nothing of this project. It starts before every program, so it imports only what is built in: `json` or `subprocess`
alone would take longer than all the rest. What it says is only as trustworthy as the program it ran: both have the same
rights.

On stdin: a `Job`, marshalled. `is_alone`: all other processes that can be seen are the program's. On the descriptor
given as argument: an empty line at the start; at the end the length of the header in bytes, a newline, the header, and
the bytes of each file handed back. The header's fields are separated by NUL: the exit code, then `SIZE:NAME` for each
file that follows, `-:NAME` for each changed one that does not, and `*:NUMBER` for how many more of those there are that
are not named. Where the job asks for `captured_bytes`, the program's output goes that way, too: as the first two files,
and within `timeout_s`, for then nobody watches it.
"""

import marshal
import os
import resource
import select
import stat
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypedDict

    class Job(TypedDict):
        """What to run, and with which limits; the limits are for each process."""

        command: list[str]
        stdin: bytes
        files: list[tuple[str, bytes]]
        limits: dict[str, int]
        max_files: int
        max_files_bytes: int
        is_alone: bool
        captured_bytes: int
        timeout_s: float


MAX_ENTRIES = 10_000
"""Most files of the working folder that are looked at for changes."""

_MAX_LEFT_OUT = 100
_MAX_NAME_BYTES = 500  # of a name that lies so deep that it is longer than the system takes
_SIGKILL = 9
_FLOOD_FACTOR = 64


def main() -> None:
    """Do the job that stdin describes."""
    report_fd = int(sys.argv[1])
    _close_all_but(report_fd)
    os.write(report_fd, b"\n")  # fails when the service is gone
    job: Job = marshal.load(sys.stdin.buffer)
    stdin_fd = os.open(os.environ.get("TMPDIR", "/tmp"), os.O_TMPFILE | os.O_RDWR)
    _write(stdin_fd, job["stdin"])
    os.lseek(stdin_fd, 0, os.SEEK_SET)
    while job["files"]:
        name, content = job["files"].pop()
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        _write(file, content)
        os.close(file)
    before = dict(_list_files())
    _be_first_to_go()
    pid, outputs = _start(job, stdin_fd)
    captured = _capture(pid, outputs, job["captured_bytes"], job["timeout_s"]) if outputs else []
    exit_code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if job["is_alone"]:
        _kill_rest()
    chosen, left_out = _choose(before, job["max_files"], job["max_files_bytes"])
    contents = captured
    for name in chosen:
        content = _content(name, job["max_files_bytes"])
        if content is None:
            left_out.append(name)
        else:
            contents.append((name, content))
    fields = [str(exit_code).encode(), *(b"%d:%s" % (len(content), os.fsencode(name)) for name, content in contents)]
    fields += [b"-:" + os.fsencode(name)[:_MAX_NAME_BYTES] for name in left_out[:_MAX_LEFT_OUT]]
    if len(left_out) > _MAX_LEFT_OUT:
        fields.append(b"*:%d" % (len(left_out) - _MAX_LEFT_OUT))
    header = b"\0".join(fields)
    _write(report_fd, b"%d\n%s" % (len(header), header))
    for _, content in contents:
        _write(report_fd, content)


def _close_all_but(fd: int) -> None:
    """Close what the service handed down without meaning to: a program could reach it through this process."""
    os.set_inheritable(fd, False)
    os.closerange(3, fd)
    os.closerange(max(3, fd + 1), resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _write(fd: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _be_first_to_go() -> None:
    """Let the system's services go before this sandbox: for the processor, and when memory runs out."""
    os.nice(10)
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:  # where /proc cannot be seen
        pass


def _start(job: "Job", stdin_fd: int) -> tuple[int, list[int]]:
    """Start the command; return its process id, and where its stdout and stderr are read if they are captured."""
    pipes = [os.pipe() for _ in range(2)] if job["captured_bytes"] else []
    pid = os.fork()
    if pid:
        for _, theirs in pipes:
            os.close(theirs)
        return pid, [ours for ours, _ in pipes]
    try:
        os.dup2(stdin_fd, 0)
        for number, (_, theirs) in enumerate(pipes, 1):
            os.dup2(theirs, number)
        for name, value in job["limits"].items():
            resource.setrlimit(getattr(resource, name), (value, value))
        os.execvp(job["command"][0], job["command"])
    except (OSError, ValueError) as error:
        os.write(2, f"{job['command'][0]}: {error}\n".encode())
    finally:
        os._exit(127)


def _capture(pid: int, outputs: list[int], most_bytes: int, timeout_s: float) -> list[tuple[str, bytes]]:
    """Read what the program writes until it ends; kill all of it when that is too much, or takes too long."""
    kept, total = [bytearray(), bytearray()], 0
    left = dict(zip(outputs, kept, strict=True))
    deadline = time.monotonic() + timeout_s
    while left:
        ready, _, _ = select.select(list(left), [], [], max(0.0, min(0.1, deadline - time.monotonic())))
        for fd in ready:
            chunk = os.read(fd, 65536)
            total += len(chunk)
            left[fd] += chunk[: max(0, most_bytes - len(left[fd]))]
            if not chunk:
                del left[fd]
        if total > most_bytes * _FLOOD_FACTOR or time.monotonic() > deadline:
            _kill_rest()
            break
        if not ready and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            break  # what it left running may hold the pipes open
    return [("<stdout>", bytes(kept[0])), ("<stderr>", bytes(kept[1]))]


def _kill_rest() -> None:
    """End what the program left running: all but this process and the sandbox's init."""
    try:
        os.kill(-1, _SIGKILL)
    except ProcessLookupError:
        pass


def _list_files() -> "Iterator[tuple[str, tuple[int, int, int] | None]]":
    """Yield the regular files of the working folder, links not followed, with what tells a change.

    Folders that cannot be looked into, for they are closed or lie too deep, come without.
    """
    seen = 0
    waiting = ["."]
    while waiting:
        folder = waiting.pop()
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            yield os.path.normpath(folder), None
            continue
        folders: list[str] = []
        for name in names:
            seen += 1
            if seen > MAX_ENTRIES:
                return
            path = os.path.normpath(os.path.join(folder, name))
            try:
                status = os.lstat(path)
            except OSError:
                yield path, None
                continue
            if stat.S_ISREG(status.st_mode):
                yield path, (status.st_ino, status.st_size, status.st_mtime_ns)
            elif stat.S_ISDIR(status.st_mode):
                folders.append(path)
        waiting += reversed(folders)


def _choose(
    before: "dict[str, tuple[int, int, int] | None]", max_files: int, max_bytes: int
) -> tuple[list[str], list[str]]:
    chosen: list[str] = []
    left_out: list[str] = []
    for path, state in _list_files():
        if state is not None and before.get(path) == state:
            continue
        if state is not None and len(chosen) < max_files and state[1] <= max_bytes:
            chosen.append(path)
            max_bytes -= state[1]
        else:
            left_out.append(path)
    return chosen, left_out


def _content(path: str, max_bytes: int) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        with os.fdopen(fd, "rb") as file:
            return file.read(max_bytes)
    except OSError:
        return None


if __name__ == "__main__":
    main()
