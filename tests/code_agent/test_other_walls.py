"""The weaker walls, only where they are allowed, and said everywhere; and the command line of containers."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from code_agent_service import runs
from code_agent_service.box import open_box
from code_agent_service.bubblewrap import NOBODY, PACKAGES, Mount, list_ways
from code_agent_service.bubblewrap_walls import BubblewrapWalls
from code_agent_service.containers import ContainerSandbox
from code_agent_service.landlock import LandlockWalls
from code_agent_service.main import create
from code_agent_service.runs import Limits, Program, Run, WorkFile
from code_agent_service.sandbox import find_problem, open_sandbox
from code_agent_service.settings import Settings
from tests.code_agent.asking import ask, make_settings, python, wait_for_processes
from tests.support.serving import serve


def _weak(**changes: object) -> Settings:
    """Return settings for a machine without bubblewrap, where the weaker walls are allowed."""
    return make_settings(sandbox_bwrap="/nowhere/bwrap", sandbox_allow_weak=True, **changes)


async def _run(code: str, *arguments: str, **changes: object) -> Run:
    sandbox = await open_sandbox(_weak(**changes))
    assert sandbox.kind == "landlock"
    return await sandbox.run(Program("main.py", (WorkFile("main.py", code.encode()),), arguments))


async def test_without_permission_the_weaker_walls_are_not_used() -> None:
    problem = await find_problem(make_settings(sandbox_bwrap="/nowhere/bwrap"))

    assert "apt install bubblewrap" in str(problem)


async def test_the_weaker_walls_are_said_in_health_and_in_each_result(tmp_path: Path) -> None:
    settings = _weak(data_dir=tmp_path)
    outcome = await ask("run: print(6 * 7)", settings=settings)
    async with serve(create(settings)) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        health = (await client.get("/health")).json()

    assert outcome.data["stdout"] == "42\n"
    assert outcome.data["sandbox"] == "landlock"
    assert "weaker than bubblewrap" in str(outcome.data["caution"])
    assert "weaker than bubblewrap" in outcome.text
    assert health["status"] == "degraded"
    assert "SANDBOX_ALLOW_WEAK" in str(health["problems"])


async def test_the_weaker_walls_hide_files_and_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    code = f"""
import os, socket
for path in ("/etc/passwd", {str(secret)!r}, {__file__!r}, "/proc/1/environ", "/proc/self/environ"):
    try: open(path); print("read", path)
    except OSError: pass
for path in ("/tmp/new", "/usr/new", "/dev/shm/new", "../../new"):
    try: open(path, "w"); print("wrote", path)
    except OSError: pass
for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16):
    try: socket.socket(family); print("socket", family)
    except OSError: pass
try: os.kill({os.getpid()}, 0); print("signal")
except OSError: pass
print("secret-key" in str(os.environ), os.getuid() != 0)
"""
    run = await _run(code)

    assert (run.stdout, run.stderr) == ("False True\n", "")


@contextmanager
def _sleeping() -> Generator[int]:
    """Start a process of the user that programs run as, and give its id."""
    user = NOBODY if os.geteuid() == 0 else None
    process = subprocess.Popen(["sleep", "60"], user=user, group=user)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


async def test_behind_the_weaker_walls_files_and_processes_of_the_same_user_stay_as_they_are() -> None:
    with tempfile.NamedTemporaryFile() as file, _sleeping() as pid:
        if os.geteuid() == 0:
            os.chown(file.name, NOBODY, -1)
        code = f"""
import os, resource
path, pid = {file.name!r}, {pid}
for attempt in (
    lambda: os.chmod(path, 0o777),
    lambda: os.chown(path, -1, os.getgid()),
    lambda: os.utime(path, (0, 0)),
    lambda: os.setxattr(path, "user.x", b"1"),
    lambda: os.removexattr(path, "user.x"),
    lambda: resource.prlimit(pid, resource.RLIMIT_CPU, (0, 0)),
    lambda: os.setpriority(os.PRIO_PROCESS, pid, 19),
    lambda: os.setpriority(os.PRIO_USER, 0, 19),
    lambda: os.sched_setaffinity(pid, {{0}}),
    lambda: os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0)),
):
    try:
        attempt()
        print("done")
    except PermissionError:
        print("held")
resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
os.nice(1)
"""
        run = await _run(code)

    assert (run.stdout.split(), run.stderr, run.exit_code) == (["held"] * 10, "", 0)


async def test_the_weaker_walls_run_tests_and_hand_files_back() -> None:
    settings = _weak(sandbox_memory_mb=512, sandbox_processes=64)
    code = python("stats.py", "def one() -> int:\n    return 1\n")
    tested = await ask("do it", skill="test-code", files=[code], settings=settings)
    reviewed = await ask("do it", skill="review-code", files=[python("a.py", "import os\n")], settings=settings)

    assert (tested.data["failed"], tested.data["errors"]) == (0, 0)
    assert [each["rule"] for each in reviewed.rows("findings")] == ["F401"]


_GO_DEEP = "import os\nfor _ in range(1200): os.mkdir('deep'); os.chdir('deep')\n"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("while True: pass", "cpu"),
        ("import time; time.sleep(60)", "time"),
        ("f = open('x', 'wb')\nwhile True: f.write(bytes(1 << 16)); f.flush()", "files"),
        (
            f"{_GO_DEEP}for n in range(3): open(str(n), 'wb').write(bytes(5 << 20))\nimport time; time.sleep(60)",
            "files",
        ),
        ("while True: print('x' * 1000)", "output"),
        ("x = [bytearray(10_000_000) for _ in range(1000)]", "memory"),
    ],
)
async def test_the_weaker_walls_have_the_same_limits(code: str, reason: str) -> None:
    run = await _run(code, sandbox_timeout_s=2 if reason == "time" else 20, sandbox_cpu_s=1)

    assert run.stopped_by == reason


async def test_behind_the_weaker_walls_nothing_outlives_the_program() -> None:
    mark = uuid.uuid4().hex
    leaver = "import os, time\nfor _ in range(3):\n    if os.fork() == 0: os.setsid(); time.sleep(60)\nprint('left')"
    run = await _run(leaver, mark)

    assert run.stdout == "left\n"
    assert await wait_for_processes(mark, some=False) == []


_MANY = 8  # runs that there is room for: other tests run programs as the same user


async def test_behind_the_weaker_walls_processes_that_have_ended_do_not_count() -> None:
    leaver = "import subprocess\nfor _ in range(40): subprocess.run(['sh', '-c', 'true &'], check=True)\nprint('done')"
    run = await _run(leaver, sandbox_processes=16, sandbox_max_runs=_MANY)

    assert (run.stdout, run.stderr, run.stopped_by) == ("done\n", "", None)


async def test_behind_the_weaker_walls_programs_do_not_take_each_others_processes() -> None:
    mark = uuid.uuid4().hex
    code = f"""
import os, threading, time
def hold():
    while not os.path.exists("end"): time.sleep(0.01)
for _ in range(10): threading.Thread(target=hold).start()
open("{mark}", "w").close()
"""
    sandbox = await open_sandbox(_weak(sandbox_processes=16, sandbox_memory_mb=512, sandbox_max_runs=_MANY))
    program = Program("main.py", (WorkFile("main.py", code.encode()),))
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = [group.create_task(sandbox.run(program)) for _ in range(2)]
        while not any(run.done() for run in running):
            begun = [path for folder in _list_folders() for path in folder.glob(f"work/{mark}")]
            if len(begun) == len(running):
                for path in begun:
                    path.with_name("end").touch()
            await asyncio.sleep(0.02)

    assert [(run.result().stderr, run.result().stopped_by) for run in running] == [("", None)] * 2


async def test_behind_the_weaker_walls_too_many_threads_are_stopped() -> None:
    code = "import threading, time\nfor _ in range(20): threading.Thread(target=time.sleep, args=(9,)).start()"
    run = await _run(code, sandbox_processes=16, sandbox_memory_mb=512)

    assert run.stopped_by == "processes"


async def test_behind_the_weaker_walls_a_folder_goes_however_deep_and_closed_it_is() -> None:
    code = """
import os
print(os.getcwd())
open("kept.txt", "w").write("kept")
for _ in range(25):
    os.mkdir("deep" * 50); os.chdir("deep" * 50)
os.mkdir("unreadable", 0o300); open("unreadable/file", "w").close(); os.mkdir("closed", 0)
"""
    run = await _run(code)

    assert ([file.name for file in run.files], run.exit_code) == (["kept.txt"], 0)
    assert not Path(run.stdout.strip()).parent.exists()


_FORK = """
import os, time
def fork():
    while True:
        try:
            return os.fork()
        except BlockingIOError:  # behind these walls the kernel counts what other sandboxes of the user run
            time.sleep(0.05)
"""


async def test_behind_the_weaker_walls_a_cancel_ends_every_process() -> None:
    mark = uuid.uuid4().hex
    code = f"{_FORK}for _ in range(3): fork()\nos.setsid() if os.getpid() % 2 else None\ntime.sleep(60)"
    running = asyncio.create_task(_run(code, mark))
    await wait_for_processes(mark, some=True)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert await wait_for_processes(mark, some=False) == []


async def test_behind_the_weaker_walls_a_killed_service_leaves_no_process_and_no_folder() -> None:
    mark, before = uuid.uuid4().hex, _list_folders()
    code = (
        "import asyncio\nfrom tests.code_agent.asking import ask, make_settings\n"
        "settings = make_settings(sandbox_bwrap='/nowhere/bwrap', sandbox_allow_weak=True)\n"
        f"code = {_FORK!r} + 'fork(); os.setsid(); time.sleep(60)'\n"
        f"asyncio.run(ask('', data=[{{'code': code, 'arguments': ['{mark}']}}], settings=settings))"
    )
    service = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    try:
        await wait_for_processes(mark, some=True)
    finally:
        service.send_signal(signal.SIGKILL)
        await service.wait()

    assert await wait_for_processes(mark, some=False) == []
    async with asyncio.timeout(10):
        while _list_folders() - before:  # noqa: ASYNC110 - processes tell nobody
            await asyncio.sleep(0.02)


def test_behind_the_weaker_walls_a_service_killed_while_a_program_starts_leaves_no_folder() -> None:
    limits = Limits.from_settings(_weak())
    pipes = [os.pipe(), os.pipe()]
    with LandlockWalls().open(Program("main.py", ()), limits) as entry, ExitStack() as stack:
        for ours, theirs in pipes:
            os.close(ours)
            stack.callback(os.close, theirs)
        report, info = (theirs for _, theirs in pipes)
        command = entry.build(report, info, None)
        subprocess.run(command, pass_fds=(report, info), stdin=subprocess.DEVNULL, env={}, cwd="/", check=False)
        assert not Path(json.loads(command[-1])["folder"]).exists()


def _list_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("federation-run-*"))


def test_a_container_is_cut_off_on_its_command_line() -> None:
    settings = make_settings(sandbox_runtime="docker", sandbox_image="python:3.13", sandbox_container_runtime="runsc")
    mount = Mount(Path("/opt/venv/pytest"), f"{PACKAGES}/pytest")
    command = ContainerSandbox("docker", settings).build_command("name", [mount])
    options = list(itertools.pairwise(command))

    assert {"--rm", "--read-only", "--init", "--interactive"} <= set(command)
    for option, value in [
        ("--runtime", "runsc"),
        ("--network", "none"),
        ("--user", "65534:65534"),
        ("--cap-drop", "ALL"),
        ("--security-opt", "no-new-privileges"),
        ("--memory", str(128 << 20)),
        ("--memory-swap", str(128 << 20)),
        ("--pids-limit", "28"),
        ("--volume", f"/opt/venv/pytest:{PACKAGES}/pytest:ro"),
        ("--env", f"PYTHONPATH={PACKAGES}"),
    ]:
        assert (option, value) in options
    assert not any("privileged" in each and "no-new" not in each for each in command)
    assert command.index("python:3.13") < command.index("-I")


async def test_docker_that_does_not_work_is_a_clear_problem() -> None:
    problem = await find_problem(make_settings(sandbox_runtime="docker"))

    assert problem is None or "docker" in problem.lower()


async def test_output_that_comes_with_the_report_is_cut_and_bounded_in_time() -> None:
    """What a container does, in a sandbox that can run here: the launcher keeps output and time by itself."""
    code = "import sys\nprint('out'); print('err', file=sys.stderr); open('a.txt', 'w').write('a'); print('x' * 50_000)"
    quick = await _captured(code)
    slow = await _captured("import time\nprint('begun', flush=True)\ntime.sleep(60)", timeout_s=4.0)

    names = [file.name for file in quick.files]
    assert names == ["<stdout>", "<stderr>", "a.txt"]
    assert quick.files[0].content.startswith(b"out\nxxx")
    assert len(quick.files[0].content) == 16 * 1024
    assert (quick.files[1].content, quick.exit_code) == (b"err\n", 0)
    assert (slow.files[0].content, slow.exit_code) == (b"begun\n", -9)


async def _captured(code: str, timeout_s: float = 20.0) -> Run:
    limits = Limits.from_settings(make_settings(sandbox_timeout_s=timeout_s))
    program = Program("main.py", (WorkFile("main.py", code.encode()),))
    job = runs.pack(program, limits, captured=True)
    with BubblewrapWalls("/usr/bin/bwrap", list_ways()[0]).open(program, limits) as entry:
        async with open_box(entry, job, output_bytes=1000, report_bytes=1 << 20) as box:
            code_ = await box.wait()
    assert (box.stdout.text(), box.stderr.text()) == ("", "")
    return runs.unpack(bytes(box.report.kept), "", "", code_, 0.0)
