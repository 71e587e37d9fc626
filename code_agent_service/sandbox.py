"""Runs a Python program where it can do no harm: bubblewrap around it, limits on all it uses, nothing kept after.

    sandbox = await open_sandbox(settings)
    run = await sandbox.run(Program("main.py", (WorkFile("main.py", b"print(6 * 7)"),)))

Inside there is the standard library of this very Python and a working folder; no network, no other files, no secrets.
"""

import asyncio
import json
import logging
import os
import shutil
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from code_agent_service import bubblewrap, consumption, runs
from code_agent_service.box import Box, open_box
from code_agent_service.bubblewrap_walls import BubblewrapWalls
from code_agent_service.containers import open_containers
from code_agent_service.landlock import LandlockWalls
from code_agent_service.runs import Limits, Program, Reason, Run, WorkFile
from code_agent_service.settings import Settings
from code_agent_service.walls import Entry, Walls
from shared.errors import NotInstalledError, UnavailableError

logger = logging.getLogger(__name__)

_MAX_FOLDER_FILES = 20_000
_HELP_TIMEOUT_S = 5.0
_WATCH_INTERVAL_S = 0.05
_PROBE = Path(__file__).parent / "inside" / "probe.py"
_TRIES_OF_WEAK_WALLS = 5
_PROBE_LIMITS = Limits(
    timeout_s=10.0,
    cpu_s=5.0,
    memory_bytes=128 * 1024 * 1024,
    processes=16,
    open_files=64,
    disk_bytes=1024 * 1024,
    output_bytes=16 * 1024,
    max_files=0,
    files_bytes=0,
)


class Sandbox(Protocol):
    """A way to run programs that was tried and found to confine them. Any number may run at the same time.

    `kind` is what confines them; `caution` says in a sentence what is weaker about it than it should be, if anything.
    """

    limits: Limits
    kind: str
    caution: str

    async def run(self, program: Program, *, more_files: int = 0, more_bytes: int = 0) -> Run:
        """Run `program` to its end, or until a limit stops it. Cancelled, it leaves no process.

        It may hand back so much more than the limits say. Raises: TooLargeError (its files), UnavailableError (no
        sandbox could be started just now).
        """
        ...


class BoxedSandbox:
    """Runs programs as processes of this machine, behind walls, and watches them."""

    def __init__(self, walls: Walls, limits: Limits) -> None:
        self.limits = limits
        self.kind = walls.kind
        self.caution = walls.caution
        self._walls = walls

    async def run(self, program: Program, *, more_files: int = 0, more_bytes: int = 0) -> Run:
        """Run `program`; see `Sandbox`."""
        limits = replace(
            self.limits,
            max_files=self.limits.max_files + more_files,
            files_bytes=self.limits.files_bytes + more_bytes,
        )
        started_s = time.monotonic()
        walls = ExitStack()
        try:
            entry = walls.enter_context(self._walls.open(program, limits))
            job = runs.pack(program, limits, is_alone=entry.is_alone, more_processes=entry.more_processes)
            box, exit_code = await _run_box(entry, job, limits)
        except TimeoutError as error:
            raise UnavailableError("The sandbox did not start in time; the machine may be overloaded.") from error
        except OSError as error:
            raise UnavailableError(f"The sandbox could not be started: {error}.") from error
        finally:
            await asyncio.to_thread(walls.close)  # thousands of folders may have to be deleted
        duration_s = time.monotonic() - started_s
        stdout, stderr = box.stdout.text(), box.stderr.text()
        if box.stopped_by is not None:
            return Run(stdout, stderr, None, duration_s, box.stopped_by)
        return runs.unpack(bytes(box.report.kept), stdout, stderr, exit_code, duration_s)


async def open_sandbox(settings: Settings) -> Sandbox:
    """Return a sandbox that a program was really run in, and that was found tight.

    Raises: NotInstalledError, which says what is missing and how to get it.
    """
    if settings.sandbox_runtime == "docker":
        return await open_containers(settings, _PROBE.read_text(encoding="utf-8"))
    try:
        walls = await _find_walls(settings)
    except NotInstalledError:
        if not settings.sandbox_allow_weak:
            raise
        walls = LandlockWalls(settings.sandbox_max_runs)
        weak = BoxedSandbox(LandlockWalls(), _PROBE_LIMITS)
        # Processes are limited for the whole user: if others of them begin or end meanwhile, the probe finds it wrong.
        problem = await _try(weak)
        for _ in range(_TRIES_OF_WEAK_WALLS - 1):
            problem = problem and await _try(weak)
        if problem:
            raise NotInstalledError(f"Neither bubblewrap nor Landlock can confine programs here: {problem}.") from None
        logger.warning("programs are confined by Landlock alone", extra={"caution": walls.caution})
    return BoxedSandbox(walls, Limits.from_settings(settings))


async def _find_walls(settings: Settings) -> Walls:
    bwrap = await _find_bwrap(settings.sandbox_bwrap)
    problems: list[str] = []
    for way in bubblewrap.list_ways():
        walls = BubblewrapWalls(bwrap, way)
        problem = await _try(BoxedSandbox(walls, _PROBE_LIMITS))
        if not problem:
            logger.info("sandbox tried", extra={"way": way})
            return walls
        problems.append(problem)
    raise NotInstalledError(f"Bubblewrap cannot build a sandbox here: {'; or: '.join(problems)}. {_advise()}")


async def find_problem(settings: Settings | None = None) -> str | None:
    """Return what keeps programs from being run here as they should, with what to do, or None when all is well."""
    try:
        sandbox = await open_sandbox(settings or Settings())
    except NotInstalledError as error:
        return error.detail
    return sandbox.caution or None


async def _run_box(entry: Entry, job: bytes, limits: Limits) -> tuple[Box, int]:
    """Run to the end, and return the box with what was written, and its exit code."""
    reported = runs.report_bytes(limits)
    async with (
        open_box(entry, job, output_bytes=limits.output_bytes, report_bytes=reported) as box,
        asyncio.TaskGroup() as group,
    ):
        watcher = group.create_task(_watch(box, entry, limits))
        exit_code = await box.wait()
        watcher.cancel()
    return box, exit_code


async def _watch(box: Box, entry: Entry, limits: Limits) -> None:
    """Stop `box` when all its processes together meet a limit, or when its time is over."""
    try:
        async with asyncio.timeout(limits.timeout_s):
            while box.init is not None:
                used = await asyncio.to_thread(entry.measure, box.init, False)
                if used.memory_bytes > limits.memory_bytes:
                    used = await asyncio.to_thread(entry.measure, box.init, True)
                reason = _find_excess(used, limits)
                if reason is not None:
                    box.stop(reason)
                await asyncio.sleep(_WATCH_INTERVAL_S)
    except TimeoutError:
        box.stop("time")


def _find_excess(used: consumption.Consumption, limits: Limits) -> Reason | None:
    if used.memory_bytes > limits.memory_bytes:
        return "memory"
    if used.cpu_s > limits.cpu_s:
        return "cpu"
    if used.files > _MAX_FOLDER_FILES or used.disk_bytes > limits.disk_bytes:
        return "files"
    return "processes" if used.processes > limits.processes else None


async def _find_bwrap(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NotInstalledError(
            f"{name!r} was not found. Programs run only inside Bubblewrap: install it (Debian, Ubuntu: apt install "
            "bubblewrap; Fedora: dnf install bubblewrap), or set SANDBOX_BWRAP to its path."
        )
    path = os.path.realpath(found)  # noqa: ASYNC240 - once, at start
    if b"--disable-userns" not in await _read_help(path):
        raise NotInstalledError(f"{path} is too old, or is not Bubblewrap; version 0.8 or newer is needed.")
    if not consumption.CHILDREN_FILE.exists():
        raise NotInstalledError("This system's kernel does not show a process's children (CONFIG_PROC_CHILDREN).")
    return path


async def _read_help(path: str) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(path, "--help", stdout=PIPE, stderr=STDOUT, stdin=DEVNULL)
    except OSError:
        return b""
    try:
        async with asyncio.timeout(_HELP_TIMEOUT_S):
            return (await process.communicate())[0]
    except TimeoutError:
        return b""
    finally:
        with suppress(ProcessLookupError):
            process.kill()


async def _try(sandbox: BoxedSandbox) -> str:
    """Return what is wrong with the sandbox, or nothing."""
    program = Program(
        "probe.py",
        (WorkFile("probe.py", _PROBE.read_bytes()),),
        (f"--{sandbox.kind}", str(sandbox.limits.processes), str(sandbox.limits.memory_bytes)),
    )
    try:
        run = await sandbox.run(program)
    except UnavailableError as error:
        return error.detail.rstrip(".")
    try:
        leaks = json.loads(run.stdout)
    except ValueError:
        return runs.last_line(run.stderr) or f"a program ended with {run.exit_code} (limit: {run.stopped_by})"
    return "; ".join(leaks)


def _advise() -> str:
    """Return what to do where the system forbids user namespaces."""
    for name, forbidding, advice in (
        (
            "user/max_user_namespaces",
            "0",
            "User namespaces are off: sysctl user.max_user_namespaces=10000 allows them.",
        ),
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1 allows user namespaces."),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "AppArmor forbids user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns=0 allows them.",
        ),
    ):
        path = Path("/proc/sys", name)
        if path.exists() and path.read_text().strip() == forbidding:
            return advice
    return (
        "In a container, start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
        "--security-opt systempaths=unconfined."
    )
