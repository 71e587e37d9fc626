"""Run in a new sandbox as any program is, prints what is not confined as it should be: a JSON list of sentences.

Its arguments: what confines it (--bubblewrap, --landlock, --container), and for the first two the limit on processes,
and that on memory in bytes. Landlock hides files and forbids sockets, but other processes stay what they are.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def find_leaks(kind: str, limits: list[int]) -> Iterator[str]:
    """Try what must not be possible, and yield what was."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.connect(("192.0.2.1", 9))
        yield "the network can be reached"
    for folder in ("/", "/usr", "/etc", "/dev", sys.prefix):
        with suppress(OSError):
            Path(folder, f"probe-{os.getpid()}").touch(exist_ok=False)
            yield f"{folder} can be written"
    if kind == "--landlock":
        with suppress(OSError):
            Path("/etc/passwd").read_text()
            yield "files of the system's configuration can be read"
    else:
        yield from _find_leaks_of_namespaces(kind)
    known = {
        "PATH",
        "HOME",
        "LANG",
        "TZ",
        "MALLOC_ARENA_MAX",
        "PWD",
        "LC_CTYPE",
        "PYTHONPATH",
        "TMPDIR",
        "OPENSSL_CONF",
    }
    if kind != "--container" and set(os.environ) - known:
        yield "environment variables come through"
    if limits:
        processes, memory_bytes = limits
        if _can_have(memory_bytes):
            yield "memory is not limited"
        if _count_forks(processes) >= processes:
            yield "the number of processes is not limited"


def _find_leaks_of_namespaces(kind: str) -> Iterator[str]:
    if any(
        ":" in line and not line.lstrip().startswith("lo:") for line in Path("/proc/net/dev").read_text().splitlines()
    ):
        yield "a network interface can be seen"
    if kind == "--bubblewrap" and [name for name in os.listdir("/etc") if name != "ld.so.cache"]:
        yield "files of the system's configuration can be read"
    if sum(name.isdigit() for name in os.listdir("/proc")) > 8:
        yield "other processes can be seen"
    facts = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    if any(int(facts[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")) or facts.get("NoNewPrivs", "1") != "1":
        yield "rights of root are left"


def _can_have(size: int) -> bool:
    try:
        return bool(bytearray(size))
    except MemoryError:
        return False


def _count_forks(most: int) -> int:
    read, write = os.pipe()
    forks = 0
    with suppress(OSError):
        while forks < most:
            if os.fork() == 0:
                os.close(write)
                os.read(read, 1)  # until the first process is done
                os._exit(0)
            forks += 1
    os.close(write)
    return forks


if __name__ == "__main__":
    print(json.dumps(list(find_leaks(sys.argv[1], list(map(int, sys.argv[2:]))))))
