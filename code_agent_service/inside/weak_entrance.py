"""The way into the weaker sandbox: Landlock, a call filter and limits, without namespaces.

Its text is given to the interpreter (`python -c`), outside. Arguments: JSON with the user id to become (-1: stay) and
whether it may read what that user could not, the base folder, the paths that may be read, the descriptors for the first
process's id and of the call filter, the environment and the command. It stays as the first process: it takes in what
the command leaves behind, and ends all of it when the command ends, when it is told to (SIGTERM), or when the service
dies.
Source: https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import json
import os
import signal
import struct
import sys

_SET_PDEATHSIG, _SET_SECCOMP, _SET_NO_NEW_PRIVS, _SET_CHILD_SUBREAPER = 1, 22, 38, 36
_SET_KEEPCAPS, _CAP_AMBIENT, _RAISE, _DAC_READ_SEARCH = 8, 47, 2, 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_READ = 0b1101  # execute, read a file, read a folder
_OF_FILES = 0b1100000000000111  # execute, write, read, truncate, control devices
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Enter, run the command, and leave nothing of it."""
    task = json.loads(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda number, _: _leave(-number, task["folder"]))
    if task["user"] >= 0:
        _become(task["user"], is_reader=task["is_reader"])
    _check(_libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
    _check(_libc.prctl(_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0))
    pid = os.fork()
    if pid == 0:
        try:
            _become_confined(task)
            os.execve(task["command"][0], task["command"], task["environment"])
        except OSError as error:
            os.write(2, f"the weaker sandbox cannot be entered: {error}\n".encode())
        finally:
            os._exit(126)
    try:
        os.write(task["info_fd"], json.dumps({"child-pid": os.getpid()}).encode())
    except BrokenPipeError:  # the service died before this process could ask to be told of that
        _leave(126, task["folder"])
    for fd in (task["info_fd"], task["report_fd"], task["seccomp_fd"], 1, 2):
        if fd is not None:
            os.close(fd)
    while (ended := os.waitpid(-1, 0))[0] != pid:
        pass  # what the command left behind has ended, and counts no longer
    _leave(os.waitstatus_to_exitcode(ended[1]), task["folder"])


def _become(user: int, *, is_reader: bool) -> None:
    """Give root up. A reader keeps the right to read what the folders above would hide; Landlock says what that is."""
    _check(_libc.prctl(_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    kept = 1 << _DAC_READ_SEARCH if is_reader else 0
    _check(_libc.capset(struct.pack("Ii", 0x20080522, 0), struct.pack("6I", kept, kept, kept, 0, 0, 0)))
    if is_reader:
        _check(_libc.prctl(_CAP_AMBIENT, _RAISE, _DAC_READ_SEARCH, 0, 0))


def _leave(code: int, folder: str) -> None:
    """End all that is below this process: hold everything first, so that nothing new comes up meanwhile.

    The folder goes, too: the service that made it may be dead.
    """
    held: set[int] = set()
    while found := set(_walk(os.getpid())) - held:
        for pid in found:
            _send(pid, signal.SIGSTOP)
        held |= found
    while below := list(_walk(os.getpid())):
        for pid in below:
            _send(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, 0)[0]:
                pass
        except ChildProcessError:
            pass
    try:
        delete(folder)
    except OSError:  # the service deletes what is left
        pass
    os._exit(code if code >= 0 else 128 - code)


def delete(base: str) -> None:
    """Delete a folder that programs wrote in, and that none works in any more. Raises: OSError.

    It goes down and up by one descriptor: the paths of what lies deep are longer than the system takes.
    """
    os.chmod(base, 0o700)
    here = os.open(base, os.O_RDONLY)
    way = [("", os.listdir(here))]
    while True:
        folder, names = way[-1]
        if names:
            name = names.pop()
            try:
                os.unlink(name, dir_fd=here)
            except IsADirectoryError:
                os.chmod(name, 0o700, dir_fd=here)
                here = _go(here, name)
                way.append((name, os.listdir(here)))
        elif folder:
            here = _go(here, "..")
            os.rmdir(folder, dir_fd=here)
            way.pop()
        else:
            break
    os.close(here)
    os.rmdir(base)


def _go(here: int, name: str) -> int:
    there = os.open(name, os.O_RDONLY, dir_fd=here)
    os.close(here)
    return there


def _walk(pid: int) -> "list[int]":
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
    except OSError:
        pass
    return found + [inner for child in found for inner in _walk(child)]


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _become_confined(task: "dict[str, object]") -> None:
    _check(_libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    _check(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    os.chdir(os.path.join(str(task["folder"]), "work"))
    _restrict(str(task["folder"]), [str(path) for path in task["readable"]])  # type: ignore[attr-defined]
    if task["seccomp_fd"] is not None:
        code = os.read(int(str(task["seccomp_fd"])), 65536)
        text = ctypes.create_string_buffer(code, len(code))
        program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(text))
        _check(_libc.prctl(_SET_SECCOMP, 2, ctypes.create_string_buffer(program, len(program)), 0, 0))


def _restrict(folder: str, readable: "list[str]") -> None:
    """Let this process and its children see nothing but `folder` and what may be read; no TCP, no signals outward."""
    version = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        raise OSError(ctypes.get_errno(), "this kernel has no Landlock")
    every = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    attributes = struct.pack("QQQ", every, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    _check(0 if ruleset >= 0 else -1)
    _allow(ruleset, folder, every)
    for path in readable:
        _allow(ruleset, path, _READ)
    for path in ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"):
        _allow(ruleset, path, every)
    _check(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    allowed = rights if os.path.isdir(path) else rights & _OF_FILES
    _check(_libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, fd), 0))
    os.close(fd)


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main()
