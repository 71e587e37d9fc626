"""Running programs that are given: in whatever form they come, with files in and out, and when they fail."""

import asyncio
import itertools
import json
from contextlib import AsyncExitStack
from typing import cast

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from code_agent_service.agent import open_agent
from shared.agent import File
from tests.code_agent.asking import ask, ask_opened, make_settings, python
from tests.support.serving import serve


@pytest.mark.parametrize(
    "text",
    [
        "run: print(6 * 7)",
        "run python code: print(6 * 7)",
        "Please run this python code: print(6*7) and tell me the result",
        "run print(6 * 7) in the sandbox",
        "python: print(6*7)",
        "Execute the following code:\nanswer = 6 * 7\nprint(answer)",
        "Run `print(6 * 7)`.",
        "What does this print?\n\n```python\nprint(6 * 7)\n```\n\nThanks",
        "```\nimport math\nprint(math.prod([6, 7]))\n```",
        "Run these two:\n```python\na = 6\n```\nand\n```py\nprint(a * 7)\n```",
        "print(6 * 7)",
        "run: 6 * 7",
        "run: x = 6 * 7; print(x)",
        "compute 6 times 7 with code in the sandbox",
    ],
)
async def test_code_is_found_in_every_form_and_run(text: str) -> None:
    outcome = await ask(text)

    assert outcome.error is None
    assert outcome.text == "42"
    assert outcome.data["stdout"] == "42\n"
    assert outcome.data["exit_code"] == 0
    assert "42" in str(outcome.data["code"]) or "6" in str(outcome.data["code"])
    assert outcome.progress == ["Running main.py in the sandbox"]


@pytest.mark.parametrize(
    "text",
    [
        "run:\n    x = 3\n    print(x)",
        "Run this code:\n\tx = 3\n\tprint(x)",
        "- run\n  ```python\n  x = 3\n  print(x)\n  ```",
    ],
)
async def test_code_that_is_indented_as_a_whole_is_run_as_a_whole(text: str) -> None:
    outcome = await ask(text)

    assert outcome.text == "3"


async def test_code_with_arguments_and_input_comes_as_json() -> None:
    code = "import sys\nprint(sys.argv[1:], input())"
    outcome = await ask("", data=[{"code": code, "arguments": ["a", "b"], "stdin": "typed\n"}])

    assert outcome.text == "['a', 'b'] typed"


async def test_an_attached_script_is_run_with_the_other_files_as_arguments() -> None:
    script = b"import sys, tools\nprint(tools.total(sys.argv[1]))"
    tools = b"import csv\ndef total(name):\n    return sum(int(row['n']) for row in csv.DictReader(open(name)))"
    outcome = await ask(
        "run total.py on the data",
        files=[
            File("total.py", "text/x-python", script),
            File("tools.py", "text/x-python", tools),
            File("data.csv", "text/csv", b"n\n1\n2\n39\n"),
        ],
    )

    assert outcome.text == "42"


@pytest.mark.parametrize("name", ["-c.py", "--help.py"])
async def test_attached_files_whose_names_look_like_options_are_files(name: str) -> None:
    script = File(name, "text/x-python", b"import sys; print(open(sys.argv[1]).read())")
    outcome = await ask("run it", files=[script, File("-i.csv", "text/csv", b"a,b")])

    assert outcome.text == "a,b"
    assert outcome.rows("ran")[0]["command"] == f"python ./{name} ./-i.csv"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run a.py with arguments 3 4", ["rows.csv", "3", "4"]),
        (
            'Run the script with the arguments --top, "two words" and 5, and tell me what it says.',
            ["rows.csv", "--top", "two words", "5"],
        ),
        ("run a.py with the argument rows.csv.", ["rows.csv"]),
        ("run a.py on the attached file", ["rows.csv"]),
    ],
)
async def test_a_script_gets_the_arguments_that_the_words_name(text: str, expected: list[str]) -> None:
    files = [python("a.py", "import sys; print(sys.argv[1:])"), File("rows.csv", "text/csv", b"a,b\n")]
    outcome = await ask(text, files=files)

    assert outcome.text == str(expected)


async def test_an_unclear_choice_of_scripts_is_asked_back() -> None:
    files = [File("a.py", "text/x-python", b"1"), File("b.py", "text/x-python", b"2")]
    outcome = await ask("run it", files=files)

    assert outcome.error is not None
    assert outcome.error.detail == "Which file is the program: a.py, b.py? Name one in the text."


async def test_new_and_changed_files_come_back_and_others_do_not() -> None:
    code = (
        "import os\n"
        "os.mkdir('out')\nopen('out/table.csv', 'w').write('a,b')\n"
        "open('grown.txt', 'a').write(' and more')\n"
        "os.symlink('/usr/bin/env', 'link')\nos.mkfifo('pipe')\n"
        "os.chmod('out', 0o755)"
    )
    files = [File("grown.txt", "text/plain", b"some"), File("kept.txt", "text/plain", b"kept")]
    outcome = await ask(f"```python\n{code}\n```", files=files)

    assert {name: file.content for name, file in outcome.files.items()} == {
        "out/table.csv": b"a,b",
        "grown.txt": b"some and more",
    }
    assert outcome.files["out/table.csv"].media_type == "text/csv"
    assert outcome.data["files"] == [
        {"name": "grown.txt", "media_type": "text/plain", "size_bytes": 13},
        {"name": "out/table.csv", "media_type": "text/csv", "size_bytes": 3},
    ]


async def test_files_that_are_too_many_or_too_large_are_named_but_not_handed_back() -> None:
    code = "for n in range(5): open(f'{n}.txt', 'w').write('x')\nopen('large.bin', 'wb').write(bytes(5000))"
    outcome = await ask(f"run:\n{code}", settings=make_settings(sandbox_max_files=3, sandbox_files_kb=4))

    assert sorted(outcome.files) == ["0.txt", "1.txt", "2.txt"]
    assert outcome.data["left_out"] == ["3.txt", "4.txt", "large.bin"]
    assert "SANDBOX_MAX_FILES" in outcome.text


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("os.close(os.open('shut.txt', os.O_CREAT | os.O_WRONLY)); os.chmod('shut.txt', 0)", ["shut.txt"]),
        ("os.mkdir('closed'); open('closed/in.txt', 'w').close(); os.chmod('closed', 0)", ["closed"]),
        ("for _ in range(60): os.mkdir('a' * 100); os.chdir('a' * 100)", ["a" * 9]),
        ("for _ in range(1500): os.mkdir('a'); os.chdir('a')", []),
    ],
    ids=["closed file", "closed folder", "too deep", "deep"],
)
async def test_files_that_were_closed_or_put_too_deep_are_named(code: str, named: list[str]) -> None:
    outcome = await ask(f"```python\nimport os\nopen('kept.txt', 'w').close()\n{code}\n```")

    assert outcome.error is None
    assert list(outcome.files) == ["kept.txt"]
    assert [str(name)[:9] for name in cast("list[str]", outcome.data["left_out"])] == [name[:9] for name in named]


async def test_of_very_many_files_those_that_are_not_named_are_counted() -> None:
    outcome = await ask("run:\nfor n in range(150): open(f'{n}.txt', 'w').write('x')")

    assert len(outcome.files) == 20
    assert len(outcome.rows("left_out")) == 100
    assert outcome.data["more_left_out"] == 30
    assert "and 30 more" in outcome.text


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/x", "..\\..\\x", "..", "", "a/../../x", "x\0y\n"])
async def test_attached_files_stay_in_the_working_folder_whatever_their_name(name: str) -> None:
    outcome = await ask("run: import os; print(sorted(os.listdir()))", files=[File(name, "text/plain", b"x")] * 2)

    assert outcome.error is None
    names = json.loads(outcome.text.replace("'", '"'))
    assert len(names) == 3
    assert all("/" not in each for each in names)


async def test_a_file_given_by_address_is_fetched() -> None:
    async def data(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("42")

    site = Starlette(routes=[Route("/data.txt", data)])
    async with serve(site) as url:
        found = await ask(
            "run: print(open('data.txt').read())", files=[File("data.txt", "text/plain", url=f"{url}/data.txt")]
        )
        missing = await ask("run: print(1)", files=[File("data.txt", "text/plain", url=f"{url}/none")])

    assert found.text == "42"
    assert missing.error is not None
    assert "answered 404" in missing.error.detail


async def test_files_larger_than_the_folder_are_refused() -> None:
    outcome = await ask("run: print(1)", files=[File("big.bin", "application/octet-stream", bytes(5 << 20))])

    assert outcome.error is not None
    assert outcome.error.slug == "too-large"
    assert "SANDBOX_DISK_MB" in outcome.error.detail


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print('begun')\n1 / 0", ["exit code 1", "ZeroDivisionError: division by zero"]),
        ("print('begun'\n", ["exit code 1", "SyntaxError: '(' was never closed"]),
        ("import sys\nsys.exit('no data')", ["exit code 1", "no data"]),
        ("import os\nos.abort()", ["signal 6"]),
        ("import numpy", ["No module named 'numpy'"]),
        ("x = bytearray(10**10)", ["128 MB of memory (SANDBOX_MEMORY_MB)", "MemoryError"]),
        ("import subprocess\nfor _ in range(99): subprocess.Popen(['sleep', '9'])", ["more than 24 processes"]),
    ],
)
async def test_a_program_that_fails_fails_the_task_with_its_last_words(code: str, words: list[str]) -> None:
    outcome = await ask(f"```python\n{code}\n```")

    assert outcome.error is not None
    assert (outcome.error.slug, outcome.error.retryable) == ("program-failed", False)
    assert all(word in outcome.error.detail for word in words), outcome.error.detail
    assert outcome.data["exit_code"] != 0
    assert str(outcome.data["stderr"]).strip() in outcome.text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "import threading, time\nfor _ in range(20): threading.Thread(target=time.sleep, args=(1,)).start()",
            ["more than 24 processes", "128 MB (SANDBOX_MEMORY_MB)"],
        ),
        ("open('/tmp/x', 'wb').write(bytes(20 << 20))", ["32 MB (SANDBOX_DISK_MB)", "/tmp may have at most 16 MB"]),
    ],
)
async def test_a_limit_that_is_met_is_named_with_the_others_it_may_have_been(code: str, words: list[str]) -> None:
    outcome = await ask("", data=[{"code": code}], settings=make_settings(sandbox_disk_mb=32))

    assert outcome.error is not None
    assert all(each in outcome.error.detail for each in words), outcome.error.detail


async def test_output_before_a_stop_is_kept() -> None:
    outcome = await ask(
        "```python\nprint('begun')\nwhile True: pass\n```", settings=make_settings(sandbox_timeout_s=4.0)
    )

    assert outcome.error is not None
    assert "longer than 4 s (SANDBOX_TIMEOUT_S)" in outcome.error.detail
    assert outcome.data["stdout"] == "begun\n"
    assert (outcome.data["timed_out"], outcome.data["killed_for"], outcome.data["exit_code"]) == (True, "time", None)


async def test_output_that_is_no_text_is_shown_as_far_as_it_is() -> None:
    outcome = await ask("run: import sys; sys.stdout.buffer.write(b'a\\xff\\x00b')")

    assert outcome.data["stdout"] == "a\ufffd\x00b"


async def test_output_cannot_break_out_of_its_block() -> None:
    outcome = await ask("run: print('```\\n' * 5 + '# heading')")

    assert outcome.text.startswith("````\n```\n")
    assert outcome.text.endswith("# heading\n````")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("summarize the meeting", "nothing here that can be run"),
        ("", "nothing here that can be run"),
        ("run the tests", "nothing here that can be run"),
        ("compute the weather of tomorrow", "nothing here that can be run"),
        ("```bash\nrm -rf /\n```", "block of bash"),
    ],
)
async def test_a_request_without_code_is_refused_with_how_to_ask(text: str, words: str) -> None:
    outcome = await ask(text)

    assert outcome.error is not None
    assert outcome.error.slug == "invalid-request"
    assert words in outcome.error.detail
    assert "```python block" in outcome.error.detail


async def test_a_skill_that_the_agent_does_not_have_is_refused() -> None:
    outcome = await ask("run: print(1)", skill="paint-code")

    assert outcome.error is not None
    assert "'paint-code'" in outcome.error.detail


async def test_more_programs_than_allowed_wait_for_their_turn() -> None:
    settings = make_settings(sandbox_max_runs=1)
    code = "import time; begun = time.time(); time.sleep(0.3); print(begun, time.time())"
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(open_agent(settings))
        outcomes = await asyncio.gather(*(ask_opened(agent, f"run: {code}") for _ in range(3)))

    spans = sorted(tuple(map(float, outcome.text.split())) for outcome in outcomes)
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(spans))
    waited = [outcome for outcome in outcomes if "SANDBOX_MAX_RUNS" in outcome.progress[0]]
    assert len(waited) == 2
