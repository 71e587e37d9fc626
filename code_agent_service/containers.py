"""Docker as the sandbox: a new container for each program; with gVisor, if that is its runtime.

What a container is cut off from is on docker's command line. Nobody watches it from outside as closely as bubblewrap's
boxes are: its limits are the control groups', and the launcher inside keeps the time and the output.
Source: https://docs.docker.com/reference/cli/docker/container/run/
"""

import asyncio
import shutil
import time
import uuid
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from code_agent_service import runs
from code_agent_service.bubblewrap import NOBODY, PACKAGES, TOOLS, Mount
from code_agent_service.runs import Limits, Program, Run
from code_agent_service.settings import Settings
from code_agent_service.walls import LAUNCHER
from shared.errors import NotInstalledError, UnavailableError

_START_TIMEOUT_S: Final = 60.0
_KILL_TIMEOUT_S: Final = 15.0
_CAPTURED: Final = 2
_OUT_OF_MEMORY: Final = -9


class ContainerSandbox:
    """Runs programs in containers. `kind` and `caution` are as those of every sandbox."""

    caution = ""

    def __init__(self, docker: str, settings: Settings) -> None:
        self.limits = Limits.from_settings(settings)
        self.kind = f"docker ({settings.sandbox_container_runtime or 'default runtime'})"
        self._docker = docker
        self._image = settings.sandbox_image
        self._runtime = settings.sandbox_container_runtime

    async def run(self, program: Program, *, more_files: int = 0, more_bytes: int = 0) -> Run:
        """Run `program` to its end, or until a limit stops it. Cancelled, it leaves no container.

        Raises: TooLargeError (its files), UnavailableError (no container could be started).
        """
        limits = replace(
            self.limits,
            max_files=self.limits.max_files + more_files,
            files_bytes=self.limits.files_bytes + more_bytes,
        )
        job = runs.pack(program, limits, python="python3", captured=True)
        name = f"federation-{uuid.uuid4().hex}"
        started_s = time.monotonic()
        try:
            async with asyncio.timeout(limits.timeout_s + _START_TIMEOUT_S):
                report, problem, exit_code = await self._call(name, job, program.mounts)
        except TimeoutError as error:
            raise UnavailableError("The container did not end in time; docker may be overloaded.") from error
        except OSError as error:
            raise UnavailableError(f"{self._docker} could not be started: {error}.") from error
        return _read(report, problem, exit_code, time.monotonic() - started_s, limits)

    def build_command(self, name: str, mounts: Sequence[Mount]) -> list[str]:
        """Return the command that starts a container called `name`, which reads its job and writes its report."""
        limits = self.limits
        work, small = f"size={limits.disk_bytes},nr_inodes=20000,mode=1777", "size=16m,nr_inodes=5000,mode=1777"
        has_packages = any(mount.target.startswith(f"{PACKAGES}/") for mount in mounts)
        return [
            *(self._docker, "run", "--rm", "--interactive", "--name", name, "--pull", "missing"),
            *(("--runtime", self._runtime) if self._runtime else ()),
            *("--network", "none", "--ipc", "none", "--read-only", "--user", f"{NOBODY}:{NOBODY}"),
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--hostname", "sandbox", "--init"),
            *("--memory", str(limits.memory_bytes), "--memory-swap", str(limits.memory_bytes)),
            *("--pids-limit", str(limits.processes + 4), "--cpus", "1", "--log-driver", "none"),
            *("--tmpfs", f"/work:rw,nosuid,nodev,exec,{work}", "--tmpfs", f"/tmp:rw,nosuid,nodev,{small}"),  # noqa: S108
            *("--workdir", "/work", "--env", "HOME=/work", "--env", "LANG=C.UTF-8", "--env", "TZ=UTC"),
            *("--env", f"PATH={TOOLS}:/usr/local/bin:/usr/bin:/bin"),
            *(("--env", f"PYTHONPATH={PACKAGES}") if has_packages else ()),
            *(part for mount in mounts for part in ("--volume", f"{mount.source}:{mount.target}:ro")),
            *("--entrypoint", "python3", self._image, "-I", "-S", "-c", LAUNCHER, "1"),
        ]

    async def _call(self, name: str, job: bytes, mounts: Sequence[Mount]) -> tuple[bytes, str, int]:
        command = self.build_command(name, mounts)
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        try:
            report, problem = await process.communicate(job)
            return report, problem.decode(errors="replace"), process.returncode or 0
        finally:
            if process.returncode is None:
                await self._kill(name, process)

    async def _kill(self, name: str, process: asyncio.subprocess.Process) -> None:
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(_KILL_TIMEOUT_S):
                ending = await asyncio.create_subprocess_exec(
                    self._docker, "kill", name, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
                )
                await ending.wait()
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def open_containers(settings: Settings, try_out: str) -> ContainerSandbox:
    """Return a sandbox of containers, in which the program `try_out` was run and found nothing wrong.

    Raises: NotInstalledError.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise NotInstalledError("SANDBOX_RUNTIME is docker, but there is no docker on the PATH. Install it.")
    sandbox = ContainerSandbox(docker, settings)
    try:
        run = await sandbox.run(Program("", (), ("--container",), script=try_out))
    except UnavailableError as error:
        raise NotInstalledError(f"Docker does not start a container here: {error.detail}") from error
    if run.stdout.strip() != "[]":
        found = run.stdout.strip() or runs.last_line(run.stderr)
        raise NotInstalledError(f"Docker's containers do not confine programs as they should: {found}")
    return sandbox


def _read(report: bytes, problem: str, exit_code: int, duration_s: float, limits: Limits) -> Run:
    """Return how it went; the program's output is the first two files of the report."""
    if not report:
        raise UnavailableError(f"No container could be started: {runs.last_line(problem)}")
    run = runs.unpack(report, "", problem, exit_code, duration_s)
    if len(run.files) < _CAPTURED:
        return run
    stdout, stderr = (file.text for file in run.files[:_CAPTURED])
    stopped_by = runs.find_limit_met(stderr) if run.exit_code else None
    if run.exit_code == _OUT_OF_MEMORY:
        stopped_by = "time" if duration_s >= limits.timeout_s else "memory"
    shown = run.exit_code if stopped_by is None else None if run.exit_code == _OUT_OF_MEMORY else run.exit_code
    return Run(stdout, stderr, shown, duration_s, stopped_by, run.files[_CAPTURED:], run.left_out, run.more_left_out)
