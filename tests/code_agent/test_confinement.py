"""What programs cannot do: reach the network, read or write the machine, take more than their share, outlive it."""

import asyncio
import os
import signal
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from code_agent_service import consumption
from code_agent_service.runs import Program, Run, WorkFile
from code_agent_service.sandbox import find_problem, open_sandbox
from tests.code_agent.asking import ask, find_processes, make_settings, wait_for_processes

_FORK_BOMB = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
_SHARED_MEMORY_EATER = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        memory = bytearray(os.urandom(1)) * 60_000_000
        time.sleep(60)
time.sleep(60)
"""
_MANY_FILES = """
for number in range(10**7):
    open(str(number), "w").close()
"""
_LEAVER = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    time.sleep(60)
print("left", flush=True)
"""
_MISUSE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def refused(name, *arguments):
    return getattr(libc, name)(*arguments) == -1 and ctypes.get_errno() == 1
NEWUSER, CLONE = 0x10000000, {"x86_64": 56, "aarch64": 220}[os.uname().machine]
print("namespace", refused("unshare", NEWUSER), refused("syscall", CLONE, NEWUSER | 17, 0, 0, 0, 0))
print("memory file", refused("memfd_create", b"x", 0))
print("mount", refused("mount", b"none", b"/tmp", b"tmpfs", 0, None))
print("trace", refused("ptrace", 16, os.getppid(), 0, 0))
"""

# Bubblewrap, with options added that open the sandbox.
_OPENED = """
for option; do
    shift
    [ "$option" = --chdir ] && set -- "$@" %s
    set -- "$@" "$option"
done
exec bwrap "$@"
"""


async def _run(code: str, *arguments: str, **limits: object) -> Run:
    sandbox = await open_sandbox(make_settings(**limits))
    return await sandbox.run(_program(code, *arguments))


def _program(code: str, *arguments: str) -> Program:
    return Program("main.py", (WorkFile("main.py", code.encode()),), arguments)


async def test_a_machine_that_runs_these_tests_has_a_working_sandbox() -> None:
    assert await find_problem(make_settings()) is None


async def test_a_program_that_loops_is_stopped_when_its_time_is_over() -> None:
    run = await _run("print('begun', flush=True)\nwhile True: pass", sandbox_timeout_s=1)

    assert (run.stopped_by, run.exit_code, run.stdout) == ("time", None, "begun\n")
    assert run.duration_s < 10


async def test_processes_share_one_limit_on_cpu_time() -> None:
    spinning = "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
    run = await _run(spinning, sandbox_cpu_s=1, sandbox_timeout_s=60)

    assert run.stopped_by == "cpu"


async def test_a_fork_bomb_ends_and_never_has_more_processes_than_allowed() -> None:
    mark = uuid.uuid4().hex
    sandbox = await open_sandbox(make_settings(sandbox_cpu_s=1, sandbox_timeout_s=60, sandbox_processes=24))
    running = asyncio.create_task(sandbox.run(_program(_FORK_BOMB, mark)))
    most = 0
    while not running.done():
        most = max(most, len(find_processes(mark)))
        await asyncio.sleep(0.02)

    assert running.result().stopped_by == "cpu"
    assert 2 < most <= 24
    assert await wait_for_processes(mark, some=False) == []


async def test_a_program_that_wants_too_much_memory_gets_an_error() -> None:
    run = await _run("data = [bytearray(10_000_000) for _ in range(1000)]")

    assert (run.stopped_by, run.exit_code) == ("memory", 1)
    assert run.stderr.rstrip().endswith("MemoryError")


async def test_processes_that_eat_memory_together_are_stopped() -> None:
    assert (await _run(_SHARED_MEMORY_EATER)).stopped_by == "memory"


async def test_memory_shared_after_a_fork_counts_once() -> None:
    code = (
        "import os, time\ndata = bytearray(os.urandom(1)) * 40_000_000\n"
        "for _ in range(5):\n    if os.fork() == 0:\n        time.sleep(0.5)\n        os._exit(0)\n"
        "for _ in range(5): os.wait()\nprint('done')"
    )
    run = await _run(code)

    assert (run.stdout, run.stopped_by) == ("done\n", None)


async def test_endless_output_is_cut_and_the_program_stopped() -> None:
    run = await _run("while True: print('x' * 1000)")

    assert run.stopped_by == "output"
    assert len(run.stdout) < 17_000
    assert "more bytes are not shown" in run.stdout


async def test_long_output_is_cut_and_the_program_goes_on() -> None:
    run = await _run("import sys\nprint('x' * 100_000)\nprint('end', file=sys.stderr)")

    assert (run.exit_code, run.stderr) == (0, "end\n")
    assert run.stdout.startswith("x" * 16_384)
    assert "83,617 more bytes are not shown" in run.stdout


async def test_the_working_folder_has_a_limited_size() -> None:
    run = await _run("file = open('big', 'wb')\nwhile True: file.write(bytes(1 << 20))")

    assert (run.stopped_by, run.left_out) == ("files", ("big",))


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
async def test_other_folders_that_can_be_written_are_small(folder: str) -> None:
    run = await _run(f"file = open('{folder}/big', 'wb')\nwhile True: file.write(bytes(1 << 20))")

    assert run.stopped_by == "files"


async def test_a_program_that_makes_files_without_end_is_stopped() -> None:
    assert (await _run(_MANY_FILES)).stopped_by == "files"


async def test_no_network_can_be_reached_not_even_this_machine() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    code = (
        "import socket\n"
        f"for address in (('127.0.0.1', {port}), ('192.0.2.1', 80)):\n"
        "    try:\n        socket.create_connection(address, timeout=2)\n"
        "    except OSError as error:\n        print(error.strerror)\n"
    )
    async with server:
        run = await _run(code)

    assert run.stdout.splitlines() == ["Connection refused", "Network is unreachable"]


async def test_files_of_this_machine_cannot_be_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    secret.chmod(0o644)
    paths = ["/etc/passwd", "/etc/shadow", str(secret), __file__, str(Path.home() / ".ssh"), "/proc/1/root/etc/passwd"]
    run = await _run(f"import os\nfor path in {paths!r}: print(os.path.exists(path))")

    assert run.stdout.split() == ["False"] * len(paths)


async def test_the_system_cannot_be_written() -> None:
    code = (
        "import sys\n"
        "for folder in ('/', '/usr/bin', '/etc', '/dev', '/proc/sys/kernel', sys.prefix, sys.prefix + '/bin'):\n"
        "    try:\n        open(folder + '/new', 'w')\n        print(folder)\n"
        "    except OSError:\n        pass\n"
    )
    assert (await _run(code)).stdout == ""


async def test_the_environment_and_other_processes_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    run = await _run("import os\nprint(dict(os.environ))\nprint([n for n in os.listdir('/proc') if n.isdigit()])")

    assert "secret-key" not in run.stdout
    assert run.stdout.splitlines()[1] == "['1', '2', '3']"


async def test_namespaces_mounts_and_tracing_are_refused() -> None:
    run = await _run(_MISUSE)

    assert run.stdout.splitlines() == ["namespace True True", "memory file True", "mount True", "trace True"], (
        run.stderr
    )


async def test_a_program_that_kills_its_launcher_ends() -> None:
    run = await _run("import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)")

    assert run.exit_code not in {0, None}
    assert run.duration_s < 10


async def test_a_process_left_behind_does_not_outlive_the_program() -> None:
    mark = uuid.uuid4().hex
    run = await _run(_LEAVER, mark)

    assert (run.stdout, run.exit_code) == ("left\n", 0)
    assert run.duration_s < 10
    assert await wait_for_processes(mark, some=False) == []


async def test_a_canceled_run_leaves_no_process() -> None:
    mark = uuid.uuid4().hex
    sandbox = await open_sandbox(make_settings())
    running = asyncio.create_task(sandbox.run(_program("import time; time.sleep(60)", mark)))
    await wait_for_processes(mark, some=True)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    assert running.cancelled()
    assert await wait_for_processes(mark, some=False) == []


@pytest.mark.parametrize("steps", [0, 1, 3, 10])
async def test_a_run_canceled_while_it_starts_leaves_no_process(steps: int) -> None:
    mark, before = uuid.uuid4().hex, _children()
    sandbox = await open_sandbox(make_settings())
    running = asyncio.create_task(sandbox.run(_program("import time; time.sleep(60)", mark)))
    for _ in range(steps):
        await asyncio.sleep(0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    assert running.cancelled()
    assert await wait_for_processes(mark, some=False) == []
    assert set(_children()) <= set(before)


async def test_a_killed_service_leaves_no_process() -> None:
    mark = uuid.uuid4().hex
    code = (
        "import asyncio\n"
        "from tests.code_agent.asking import ask\n"
        f"asyncio.run(ask('', data=[{{'code': 'import time; time.sleep(60)', 'arguments': ['{mark}']}}]))"
    )
    service = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    try:
        await wait_for_processes(mark, some=True)
    finally:
        service.send_signal(signal.SIGKILL)
        await service.wait()

    assert await wait_for_processes(mark, some=False) == []


async def test_without_bubblewrap_nothing_runs_and_the_error_says_what_to_install(tmp_path: Path) -> None:
    settings = make_settings(sandbox_bwrap=str(tmp_path / "bwrap"))
    outcome = await ask("run: print(1)", settings=settings)

    assert outcome.answer is None
    assert outcome.error is not None
    assert outcome.error.slug == "not-installed"
    assert "apt install bubblewrap" in outcome.error.detail
    assert await find_problem(settings) == outcome.error.detail


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo usage", "version 0.8 or newer"),
        ("[ $1 = --help ] && echo --disable-userns || { echo no luck >&2; exit 1; }", "no luck"),
        (_OPENED % "--share-net", "the network can be reached"),
        (_OPENED % "--bind /var /etc", "files of the system's configuration can be read"),
        (_OPENED % "--setenv KEY secret", "environment variables come through"),
    ],
)
async def test_a_sandbox_that_does_not_confine_is_not_used(tmp_path: Path, script: str, words: str) -> None:
    bwrap = tmp_path / "bwrap"
    bwrap.write_text(f"#!/bin/sh\n{script}\n")
    bwrap.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)

    problem = await find_problem(make_settings(sandbox_bwrap=str(bwrap)))

    assert problem is not None
    assert words in problem


async def test_a_program_that_is_no_program_is_not_taken_for_bubblewrap(tmp_path: Path) -> None:
    bwrap = tmp_path / "bwrap"
    bwrap.write_text("no program")
    bwrap.chmod(0o755)

    assert "version 0.8 or newer" in str(await find_problem(make_settings(sandbox_bwrap=str(bwrap))))


def _children() -> list[int]:
    """Return the living children of this process."""
    return [pid for pid in consumption.children(os.getpid()) if _is_living(pid)]


def _is_living(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:  # it ended just now
        return False
