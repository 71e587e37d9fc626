"""Sixty ways out of the sandbox, none of which leads out."""

import asyncio
import json
import os
import signal
import socket
import textwrap
import uuid
from pathlib import Path

import pytest

from code_agent_service import runs
from code_agent_service.runs import Program, Run, WorkFile
from code_agent_service.sandbox import Sandbox, open_sandbox
from shared.agent import JsonObject
from shared.errors import UnavailableError
from tests.code_agent.asking import make_settings
from tests.code_agent.probes import PRELUDE, PROBES

_OPENED: list[Sandbox] = []


async def _probe(code: str, facts: JsonObject) -> Run:
    if not _OPENED:
        _OPENED.append(await open_sandbox(make_settings()))
    text = PRELUDE + textwrap.dedent(code)
    return await _OPENED[0].run(Program("main.py", (WorkFile("main.py", text.encode()),), (json.dumps(facts),)))


def _open_pipe() -> tuple[tuple[int, int], str]:
    """Return a pipe as a shell, or a supervisor, may leave one open, and what it is called in /proc."""
    pipe = os.pipe()
    for fd in pipe:
        os.set_inheritable(fd, True)
    return pipe, str(Path(f"/proc/self/fd/{pipe[0]}").readlink())


@pytest.mark.parametrize("name", PROBES)
async def test_a_program_does_not_get_out(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = uuid.uuid4().hex
    monkeypatch.setenv("OPENAI_API_KEY", key)
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    pipe, left_open = _open_pipe()
    path, abstract = str(tmp_path / "socket"), f"probe-{key}"
    async with server:
        with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as hidden:
            named.bind(path)
            named.listen()
            hidden.bind(f"\0{abstract}")
            hidden.listen()
            facts: JsonObject = {
                "pipe": left_open,
                "port": server.sockets[0].getsockname()[1],
                "secret": str(secret),
                "socket": path,
                "abstract": abstract,
                "parent": os.getpid(),
                "project": str(Path(__file__).parents[2]),
                "key": key,
            }
            run = await _probe(PROBES[name], facts)
            for fd in pipe:
                os.close(fd)

    said = run.stdout.split("\n")[:-1]
    assert said, run.stderr
    assert set(said) == {"held"}, run.stdout
    assert not run.stderr.count("Traceback"), run.stderr


async def test_there_are_at_least_forty_probes() -> None:
    assert len(PROBES) >= 40


async def test_links_in_the_folder_are_not_followed_by_the_service(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret of this machine")
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    code = f"""
        os.symlink({str(secret)!r}, "link.txt")
        os.symlink("/proc/self/environ", "environ.txt")
        os.symlink("/usr", "folder")
        os.mkfifo("pipe")
        Path("real.txt").write_text("real")
        os.link("real.txt", "twice.txt")
        os.mkdir("closed"); Path("closed/in.txt").write_text("x"); os.chmod("closed", 0)
    """
    run = await _probe(code, {})

    assert {file.name: file.content for file in run.files} == {"real.txt": b"real", "twice.txt": b"real"}


async def test_a_file_that_becomes_a_link_while_it_is_read_gives_nothing_of_this_machine(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret of this machine")
    code = f"""
        if os.fork() == 0:
            while True:
                for target in ({str(secret)!r}, "/etc/passwd"):
                    try:
                        os.symlink(target, "new"); os.replace("new", "swapped.txt")
                        Path("new").write_text("plain"); os.replace("new", "swapped.txt")
                    except OSError: pass
        time.sleep(0.2)
    """
    run = await _probe(code, {})

    assert all(file.content in {b"plain", b""} for file in run.files)


async def test_a_signal_to_all_processes_reaches_only_its_own() -> None:
    received: list[int] = []
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, received.append, 1)
    try:
        run = await _probe("os.kill(-1, signal.SIGUSR2); time.sleep(0.2); print('here')", {})
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR2)

    assert run.exit_code != 0
    assert received == []


async def test_a_report_that_the_program_makes_up_cannot_name_paths_outside() -> None:
    code = """
        for fd in os.listdir(f"/proc/{os.getppid()}/fd"):
            try:
                target = os.open(f"/proc/{os.getppid()}/fd/{fd}", os.O_WRONLY)
                header = b"0\\0" + b"3:../../../etc/cron.d/x"
                os.write(target, b"%d\\n%sabc" % (len(header), header))
            except OSError: pass
        os.kill(os.getppid(), signal.SIGKILL); time.sleep(5)
    """
    run = await _probe(code, {})

    assert all(not file.name.startswith(("/", "..")) for file in run.files)


@pytest.mark.parametrize("garbage", [b"", b"\n", b"\nx", b"\n5\n\xff\0\0", b"\n3\n0\0\x31", b"\n-1\n0", b"\n999\n0"])
def test_any_report_is_read_without_harm(garbage: bytes) -> None:
    try:
        run = runs.unpack(garbage, "", "why", 7, 0.1)
    except UnavailableError:
        assert garbage == b""
    else:
        assert run.exit_code is not None
