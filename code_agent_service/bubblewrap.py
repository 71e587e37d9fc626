"""The command line of bubblewrap: what a sandbox sees of this machine, and what it is cut off from.

Source: https://github.com/containers/bubblewrap/blob/main/bwrap.xml
"""

import os
import site
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Way: TypeAlias = Literal["as-is", "as-nobody", "as-nobody-shown-all"]
"""How a sandbox is entered. A normal user does it as it is. Root becomes nobody first, because no limit on processes
holds for root, and because root's files must stay closed: through `code_agent_service.entrance`, which also makes
what is shown reachable where it is not (below /root, say): where that is to be seen, or for all of it."""

NOBODY = 65534
FOLDERS = ("/work", "/tmp", "/dev/shm")  # noqa: S108
"""What can be written inside: the working folder, and two small ones. They are memory, and gone with the sandbox."""

SMALL_FOLDER_BYTES = 16 * 1024 * 1024
"""The size of the small ones."""

PACKAGES, TOOLS = "/opt/packages", "/opt/tools"
"""Where a program finds the packages and the programs that it is shown."""

_EMPTY_FOLDER_BYTES = 4096
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/nix/store", "/etc/ld.so.cache")
_STAGE = next((folder for folder in ("/mnt", "/media") if Path(folder).is_dir()), "/tmp")  # noqa: S108
_ENTRANCE = Path(__file__).with_name("entrance.py")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of this machine that a program is shown, read-only, at `target`."""

    source: Path
    target: str


def list_ways() -> tuple[Way, ...]:
    """Return the ways into a sandbox for this process's user, the better ones first."""
    return ("as-nobody", "as-nobody-shown-all") if os.geteuid() == 0 else ("as-is",)


def find_python() -> str:
    """Return the interpreter that programs are run with: this process's own, outside any virtual environment."""
    return str(Path(sys.executable).resolve())


def build_command(
    bwrap: str,
    way: Way,
    command: list[str],
    *,
    work_bytes: int,
    info_fd: int,
    seccomp_fd: int | None,
    mounts: Sequence[Mount] = (),
) -> list[str]:
    """Return the command that runs `command` in a new sandbox, with /work as its folder.

    Bubblewrap tells its first process's id on `info_fd`, and reads its system call filter from `seccomp_fd`.
    """
    python_folders = list_python_folders()
    shown = [] if way == "as-is" else [*python_folders, *_folders_of(mounts)]
    if way == "as-nobody":
        shown = list_closed(shown)
    packages = ("--setenv", "PYTHONPATH", PACKAGES) if any(_is_package(mount) for mount in mounts) else ()
    inner = [
        bwrap,
        *("--unshare-all", "--unshare-user", "--disable-userns", "--uid", str(NOBODY), "--gid", str(NOBODY)),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"),
        *("--clearenv", "--setenv", "PATH", f"{TOOLS}:/usr/bin:/bin", "--setenv", "HOME", "/work"),
        *("--setenv", "LANG", "C.UTF-8", "--setenv", "TZ", "UTC", "--setenv", "MALLOC_ARENA_MAX", "2"),
        *packages,
        *("--proc", "/proc", "--dev", "/dev"),
        *(part for folder in FOLDERS for part in _small_folder(folder, work_bytes)),
        *("--remount-ro", "/dev"),
        *_show_system(),
        *_show_python(python_folders, shown),
        *(part for mount in mounts for part in _show(mount, shown)),
        *("--remount-ro", "/", "--chdir", "/work"),
        *("--info-fd", str(info_fd)),
        *(() if seccomp_fd is None else ("--seccomp", str(seccomp_fd))),
        *("--", *command),
    ]
    if way == "as-is":
        return inner
    entrance = [find_python(), "-I", "-S", "-c", _ENTRANCE.read_text(encoding="utf-8")]
    return [*entrance, str(NOBODY), _STAGE, str(len(shown)), *map(str, shown), *inner]


def _small_folder(folder: str, work_bytes: int) -> tuple[str, ...]:
    size = work_bytes if folder == FOLDERS[0] else SMALL_FOLDER_BYTES
    return ("--size", str(size), "--tmpfs", folder)


def _show_system() -> list[str]:
    """Return the options for what is seen of the system, read-only: what Python's own libraries need."""
    options: list[str] = []
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            options += [*_parents(path), "--ro-bind", name, name]
    return options


def list_python_folders() -> list[Path]:
    """Return the folders of this Python that are not below /usr."""
    folders = {Path(sys.base_prefix).resolve(), Path(sys.base_exec_prefix).resolve(), Path(find_python()).parent}
    return [
        folder
        for folder in sorted(folders)
        if not folder.is_relative_to("/usr") and not any(parent in folders for parent in folder.parents)
    ]


def _show_python(folders: list[Path], shown: list[Path]) -> list[str]:
    """Return the options for Python's folders, read-only, with their installed packages left out."""
    options: list[str] = []
    for folder in folders:
        options += [*_parents(folder), "--ro-bind", _find_source(folder, shown), str(folder)]
    prefixes = [str(Path(prefix).resolve()) for prefix in (sys.base_prefix, sys.base_exec_prefix)]
    packages = {*site.getsitepackages(prefixes), "/usr/lib/python3/dist-packages"}
    for path in sorted(filter(os.path.isdir, packages)):
        options += ["--size", str(_EMPTY_FOLDER_BYTES), "--tmpfs", path, "--remount-ro", path]
    return options


def _show(mount: Mount, shown: list[Path]) -> list[str]:
    return [*_parents(Path(mount.target)), "--ro-bind", _find_source(mount.source, shown), mount.target]


def _is_package(mount: Mount) -> bool:
    return mount.target.startswith(f"{PACKAGES}/")


def _folders_of(mounts: Sequence[Mount]) -> list[Path]:
    return list(dict.fromkeys(mount.source.parent for mount in mounts))


def list_closed(folders: list[Path]) -> list[Path]:
    """Return the folders that nobody cannot reach by itself, as far as their modes say."""
    return [folder for folder in folders if not all(_is_open(each) for each in (folder, *folder.parents))]


def _is_open(folder: Path) -> bool:
    return folder.stat().st_mode & 0o005 == 0o005


def _find_source(path: Path, shown: list[Path]) -> str:
    """Return where `path` is found: where it lies, or where the entrance shows its folder."""
    for number, folder in enumerate(shown):
        if path.is_relative_to(folder):
            return str(Path(f"{_STAGE}/shown-{number}", path.relative_to(folder)))
    return str(path)


def _parents(path: Path) -> list[str]:
    """Return the options that make the folders above `path`: others would be open to root only."""
    return [part for parent in reversed(path.parents[:-1]) for part in ("--perms", "0755", "--dir", str(parent))]
