"""Root's way to bubblewrap: becomes nobody and runs the command; first shows folders elsewhere, if asked.

Its text is given to the interpreter (`python -c`). Arguments: the user id to become, a folder to cover (the stage), how
many folders follow, these folders, and the command. To this process and its children only, the n-th of the folders
appears as STAGE/shown-n.
"""

import ctypes
import os
import sys

_CLONE_NEWNS = 0x00020000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000


def main() -> None:
    """Enter; does not return."""
    user, stage, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    folders, command = sys.argv[4 : 4 + count], sys.argv[4 + count :]
    if folders:
        _show(folders, stage)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    os.execv(command[0], command)  # noqa: S606


def _show(folders: list[str], stage: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(_CLONE_NEWNS))
    _check(libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    # Opened before the stage is covered: one of them may lie in it.
    sources = [os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for folder in folders]
    _check(libc.mount(b"tmpfs", stage.encode(), b"tmpfs", 0, b"mode=755,size=64k"))
    for number, source in enumerate(sources):
        target = f"{stage}/shown-{number}"
        os.mkdir(target)  # noqa: PTH102
        _check(libc.mount(f"/proc/self/fd/{source}".encode(), target.encode(), None, _MS_BIND | _MS_REC, None))


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main()
