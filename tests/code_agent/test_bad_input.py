"""Programs and files that mean harm: a clear error that says what to change, and nothing left behind."""

import asyncio
import io
import uuid
import zipfile
from pathlib import Path

import pytest

from shared.agent import File
from tests.code_agent.asking import Outcome, ask, make_settings, python, wait_for_processes

_HARMFUL = {
    "forks": ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "SANDBOX_"),
    "fills the disk": ("f = open('x', 'wb')\nwhile True: f.write(bytes(1 << 20))", "SANDBOX_DISK_MB"),
    "sleeps": ("import time\ntime.sleep(600)", "SANDBOX_TIMEOUT_S"),
    "opens sockets": ("import socket\nsocket.create_connection(('192.0.2.1', 80))", "Network is unreachable"),
    "prints a gigabyte": (
        "import sys\nfor _ in range(1024): sys.stdout.write('x' * (1 << 20))",
        "its output had no end",
    ),
    "prints a gigabyte of errors": ("import os\nwhile True: os.write(2, b'x' * 65536)", "its output had no end"),
    "eats memory": ("x = []\nwhile True: x.append(bytearray(1 << 20))", "SANDBOX_MEMORY_MB"),
    "exhausts descriptors": ("import os\nx = [os.open('/dev/null', 0) for _ in range(10**6)]", "Too many open files"),
    "recurses": ("def f(): return f()\nf()", "RecursionError"),
    "kills everything": ("import os, signal\nos.kill(-1, signal.SIGKILL)", "exit code"),
}


async def _run(code: str, *arguments: str) -> Outcome:
    settings = make_settings(sandbox_timeout_s=4, sandbox_cpu_s=2)
    return await ask("", settings=settings, data=[{"code": code, "arguments": [*arguments]}])


@pytest.mark.parametrize("what", _HARMFUL)
async def test_harmful_code_fails_with_what_to_change_and_leaves_no_process(what: str) -> None:
    code, words = _HARMFUL[what]
    mark = uuid.uuid4().hex
    outcome = await _run(code, mark)

    assert outcome.error is not None
    assert outcome.error.slug == "program-failed"
    assert words in outcome.error.detail, outcome.error.detail
    assert await wait_for_processes(mark, some=False) == []


async def test_code_that_deletes_its_folder_ends_as_any_other() -> None:
    outcome = await _run("import os, shutil\nshutil.rmtree('/work', ignore_errors=True)\nprint(os.listdir('/work'))")

    assert outcome.error is None
    assert outcome.data["stdout"] == "[]\n"


async def test_what_one_task_makes_no_other_task_sees() -> None:
    code = "import os\nfor folder in ('/work', '/tmp', '/dev/shm'): open(folder + '/trace', 'w').write('x')"
    await _run(code)
    later = await _run("import os\nprint([os.listdir(each) for each in ('/work', '/tmp', '/dev/shm')])")

    assert later.data["stdout"] == "[['main.py'], [], []]\n"


async def test_a_zip_bomb_is_refused_with_the_limit() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("zeros.py", bytes(200_000_000))
    outcome = await ask("do it", skill="test-code", files=[File("bomb.zip", "application/zip", target.getvalue())])

    assert outcome.error is not None
    assert outcome.error.slug == "too-large"
    assert "SANDBOX_DISK_MB" in outcome.error.detail


@pytest.mark.parametrize("skill", ["test-code", "review-code", "document-code"])
async def test_odd_names_are_only_names(skill: str) -> None:
    names = ["../../x.py", "/etc/x.py", "a\0b.py", "x" * 3000 + ".py", "-rf.py", "--help.py", "$(id).py", "~/y.py"]
    files = [python(name, "def f() -> int:\n    return 1\n") for name in names]
    settings = make_settings(sandbox_memory_mb=512, sandbox_processes=64, sandbox_output_kb=128)
    outcome = await ask("do it", skill=skill, files=files, settings=settings)

    assert outcome.error is None
    assert all(not each.startswith("/") and ".." not in each for each in outcome.files)


async def test_output_for_a_terminal_stays_text() -> None:
    outcome = await _run("print('\\x1b]0;title\\x07\\x1b[31mred\\x1b[0m \\u202eabc')")

    assert "red" in str(outcome.data["stdout"])


@pytest.mark.parametrize("skill", ["run-code", "test-code"])
async def test_canceling_in_the_middle_ends_every_process(skill: str) -> None:
    mark = uuid.uuid4().hex
    code = f"import subprocess\ndef test_x():\n    subprocess.run(['sleep', '60.{int(mark[:6], 16)}'])\ntest_x()\n"
    settings = make_settings(sandbox_memory_mb=512, sandbox_processes=64)
    asked = asyncio.create_task(ask("run it", skill=skill, files=[python("test_x.py", code)], settings=settings))
    argument = f"60.{int(mark[:6], 16)}"
    await wait_for_processes(argument, some=True)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)

    assert asked.cancelled()
    assert await wait_for_processes(argument, some=False) == []


async def test_many_files_and_deep_folders_come_back_within_bounds(tmp_path: Path) -> None:
    code = (
        "import os\nfor n in range(50): open(f'{n}.txt', 'w').write('x')\n"
        "path = 'd'\nfor _ in range(60): os.mkdir(path); path += '/d'\nopen(path, 'w').write('deep')"
    )
    outcome = await ask(f"run:\n{code}", settings=make_settings(data_dir=tmp_path))

    assert outcome.error is None
    assert len(outcome.files) == 20
    assert len(outcome.rows("left_out")) == 31
