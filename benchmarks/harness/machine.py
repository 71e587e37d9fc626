"""What the kernel says of this machine and of processes: cores, load, memory, CPU time. Linux only."""

import os
import platform
import time
from pathlib import Path


def describe() -> str:
    """Return the machine in a line: cores, Python, load average. Take it before the benchmark adds its own load."""
    load = os.getloadavg()
    cores = len(os.sched_getaffinity(0))
    return (
        f"Machine: {cores} cores ({platform.machine()}), Linux {platform.release().partition('-')[0]}, Python "
        f"{platform.python_version()}; load average at start {load[0]:.1f} (1 min), {load[1]:.1f} (5 min)."
        + (" It is busy: take the ratios, not the times." if load[0] > cores / 2 else "")
    )


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, over all its threads, in seconds, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | 2)  # the process's CPU clock: see clock_getcpuclockid(3)


def queued_s(pid: int) -> float:
    """Return how long the threads of a process have been ready to run, but had to wait for a core, in seconds."""
    waited_ns = 0
    for schedule in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        waited_ns += int(schedule.read_text(encoding="ascii").split()[1])
    return waited_ns / 1e9


def family_cpu_s(pid: int) -> float:
    """Return the CPU time of a process, of those it started and of those of them that have ended, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")  # cutime, cstime: see proc_pid_stat(5)
    return ended + sum(_cpu_s_if_there(each) for each in (pid, *descendants(pid)))


def memory_mb(pid: int) -> tuple[float, float]:
    """Return (PSS, RSS) of a process in MB. PSS shares out what several processes map, so that it can be added up."""
    kilobytes = {"Pss": 0, "Rss": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name in kilobytes:
            kilobytes[name] = int(value.split()[0])
    return kilobytes["Pss"] * 1024 / 1e6, kilobytes["Rss"] * 1024 / 1e6


def context_switches(pid: int) -> int:
    """Return how often the threads of a process have gone to sleep of their own will: each is one wake-up."""
    found = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                found += int(line.split()[1])
    return found


def descendants(pid: int) -> list[int]:
    """Return the ids of the processes that a process started, and that those started."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text(encoding="ascii").split()):
            found += [child, *descendants(child)]
    return found


def command_of(pid: int) -> str:
    """Return a process's command line; empty for one that has just ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _cpu_s_if_there(pid: int) -> float:
    try:
        return cpu_s(pid)
    except OSError:
        return 0.0
