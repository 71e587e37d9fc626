"""The command line of bubblewrap: what a sandbox sees of this machine, and what it is cut off from.

Source: https://github.com/containers/bubblewrap/blob/main/bwrap.xml
"""

import os
import site
import sys
from pathlib import Path
from typing import Literal, TypeAlias

Way: TypeAlias = Literal["as-is", "as-nobody", "as-nobody-shown-python"]
"""How a sandbox is entered. A normal user does it as it is. Root becomes nobody first, because no limit on processes
holds for root, and because root's files must stay closed: through `code_agent_service.entrance`, which also makes
Python reachable where it is not (below /root, say)."""

NOBODY = 65534
FOLDERS = ("/work", "/tmp", "/dev/shm")  # noqa: S108
"""What can be written inside: the working folder, and two small ones. They are memory, and gone with the sandbox."""

_SMALL_FOLDER_BYTES = 16 * 1024 * 1024
_EMPTY_FOLDER_BYTES = 4096
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/nix/store", "/etc/ld.so.cache")
_STAGE = next((folder for folder in ("/mnt", "/media") if Path(folder).is_dir()), "/tmp")  # noqa: S108
_ENTRANCE = Path(__file__).with_name("entrance.py")


def list_ways() -> tuple[Way, ...]:
    """Return the ways into a sandbox for this process's user, the better ones first."""
    return ("as-nobody", "as-nobody-shown-python") if os.geteuid() == 0 else ("as-is",)


def find_python() -> str:
    """Return the interpreter that programs are run with: this process's own, outside any virtual environment."""
    return str(Path(sys.executable).resolve())


def build_command(
    bwrap: str, way: Way, command: list[str], *, work_bytes: int, info_fd: int, seccomp_fd: int | None
) -> list[str]:
    """Return the command that runs `command` in a new sandbox, with /work as its folder.

    Bubblewrap tells its first process's id on `info_fd`, and reads its system call filter from `seccomp_fd`.
    """
    python_folders = _list_python_folders()
    shown_folders = python_folders if way == "as-nobody-shown-python" else []
    inner = [
        bwrap,
        *("--unshare-all", "--unshare-user", "--disable-userns", "--uid", str(NOBODY), "--gid", str(NOBODY)),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"),
        *("--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/work"),
        *("--setenv", "LANG", "C.UTF-8", "--setenv", "TZ", "UTC", "--setenv", "MALLOC_ARENA_MAX", "2"),
        *("--proc", "/proc", "--dev", "/dev"),
        *(part for folder in FOLDERS for part in _small_folder(folder, work_bytes)),
        *("--remount-ro", "/dev"),
        *_show_system(),
        *_show_python(python_folders, at_stage=bool(shown_folders)),
        *("--remount-ro", "/", "--chdir", "/work"),
        *("--info-fd", str(info_fd)),
        *(() if seccomp_fd is None else ("--seccomp", str(seccomp_fd))),
        *("--", *command),
    ]
    if way == "as-is":
        return inner
    entrance = [find_python(), "-I", "-S", "-c", _ENTRANCE.read_text(encoding="utf-8")]
    return [*entrance, str(NOBODY), _STAGE, str(len(shown_folders)), *map(str, shown_folders), *inner]


def _small_folder(folder: str, work_bytes: int) -> tuple[str, ...]:
    size = work_bytes if folder == FOLDERS[0] else _SMALL_FOLDER_BYTES
    return ("--size", str(size), "--tmpfs", folder)


def _show_system() -> list[str]:
    """Return the options for what is seen of the system, read-only: what Python's own libraries need."""
    options: list[str] = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            options += [*_parents(path), "--ro-bind", name, name]
    return options


def _list_python_folders() -> list[Path]:
    folders = {Path(sys.base_prefix).resolve(), Path(sys.base_exec_prefix).resolve(), Path(find_python()).parent}
    return [
        folder
        for folder in sorted(folders)
        if not folder.is_relative_to("/usr") and not any(parent in folders for parent in folder.parents)
    ]


def _show_python(folders: list[Path], *, at_stage: bool) -> list[str]:
    """Return the options for Python's folders, read-only, with their installed packages left out."""
    options: list[str] = []
    for number, folder in enumerate(folders):
        source = f"{_STAGE}/python-{number}" if at_stage else str(folder)
        options += [*_parents(folder), "--ro-bind", source, str(folder)]
    prefixes = [str(Path(prefix).resolve()) for prefix in (sys.base_prefix, sys.base_exec_prefix)]
    packages = {*site.getsitepackages(prefixes), "/usr/lib/python3/dist-packages"}
    for path in sorted(filter(os.path.isdir, packages)):
        options += ["--size", str(_EMPTY_FOLDER_BYTES), "--tmpfs", path, "--remount-ro", path]
    return options


def _parents(path: Path) -> list[str]:
    """Return the options that make the folders above `path`: others would be open to root only."""
    return [part for parent in reversed(path.parents[:-1]) for part in ("--perms", "0755", "--dir", str(parent))]
