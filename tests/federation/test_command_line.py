"""The command line, as processes, against an orchestrator that follows a script."""

import asyncio
import json
import os
import re
import signal
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.errors import NotFoundError
from tests.federation.commands import at_a_terminal, begun, ended, federation
from tests.federation.fake_orchestrator import (
    AGENT,
    BEGIN,
    END,
    FAILURE,
    LISTED_IDS,
    RESULT,
    TASK_ID,
    FakeOrchestrator,
    Json,
)
from tests.federation.processes import PATIENCE_S, ROOT, free_ports
from tests.support.serving import serve


async def test_a_task_runs_with_progress_beside_its_result() -> None:
    async with serve(FakeOrchestrator().app()) as url:
        run = await federation("--url", url, "run", "open the page")
    assert run.code == 0
    assert run.out == "The heading is *Welcome*.\n"
    for line in ("plan by rules: 2 steps", "step 1 Browser: open the page", "step 1 opening the page", "chart.svg"):
        assert line in run.err


async def test_a_failed_task_ends_with_1_and_keeps_what_went_well() -> None:
    async with serve(FakeOrchestrator(script=[*BEGIN, *FAILURE]).app()) as url:
        run = await federation("--url", url, "run", "open the page")
    assert run.code == 1
    assert "step 2 failed: No model answers." in run.err
    assert "The task failed. No model answers." in run.err
    assert run.out == "open the page:\nWelcome\n"


async def test_a_task_that_ends_without_any_output_prints_only_why() -> None:
    nothing: Json = {"summary": "No step produced an output for: open the page", "outputs": []}
    failure: list[Json] = [
        {**event, "result": nothing} if event["type"] == "task.result" else event for event in FAILURE
    ]
    async with serve(FakeOrchestrator(script=[*BEGIN, *failure]).app()) as url:
        failed = await federation("--url", url, "run", "open the page")
    canceled: list[Json] = [
        *BEGIN,
        {"type": "task.result", "result": nothing},
        {"type": "task.status", "status": "canceled"},
    ]
    async with serve(FakeOrchestrator(script=canceled).app()) as url:
        stopped = await federation("--url", url, "run", "open the page")
    assert (failed.code, failed.out) == (1, "")
    assert "The task failed. No model answers." in failed.err
    assert (stopped.code, stopped.out) == (1, "")
    assert "The task was canceled." in stopped.err


async def test_json_is_the_task_and_nothing_else() -> None:
    async with serve(FakeOrchestrator().app()) as url:
        run = await federation("--url", url, "run", "--json", "open the page")
    assert run.code == 0
    assert json.loads(run.out)["result"]["summary"] == RESULT["summary"]
    assert run.err == ""


async def test_an_orchestrator_that_goes_away_is_said_at_once_and_so_is_that_it_is_back() -> None:
    fake = FakeOrchestrator(hold=len(BEGIN))
    port = free_ports(1)[0]
    async with begun("--url", f"http://127.0.0.1:{port}", "run", "open", first="input(); ") as process:
        assert process.stdin
        assert process.stderr
        async with asyncio.timeout(PATIENCE_S):
            async with serve(fake.app(), port=port):
                process.stdin.write(b"\n")
                while b"opening the page" not in await process.stderr.readline():
                    pass
            said = (await process.stderr.readline()).decode()
            fake.released.set()
            async with serve(fake.app(), port=port):
                run = await ended(process)
    assert said == f"The orchestrator at http://127.0.0.1:{port} does not answer; it is asked again for up to 60 s.\n"
    assert run.err.startswith("The orchestrator answers again.\n")
    assert (run.code, run.out) == (0, "The heading is *Welcome*.\n")


async def test_ctrl_c_cancels_the_task_and_ends_with_130() -> None:
    fake = FakeOrchestrator(hold=len(BEGIN))
    async with serve(fake.app()) as url, begun("--url", url, "run", "open the page") as process:
        assert process.stderr
        async with asyncio.timeout(PATIENCE_S):
            while b"opening the page" not in await process.stderr.readline():
                pass
        process.send_signal(signal.SIGINT)
        run = await ended(process)
    assert run.code == 130
    assert fake.canceled


async def test_ctrl_c_while_a_task_is_handed_in_cancels_what_is_accepted_all_the_same() -> None:
    fake = FakeOrchestrator(hold_answer=True)
    async with serve(fake.app()) as url, begun("--url", url, "run", "open the page") as process:
        async with asyncio.timeout(PATIENCE_S):
            await fake.asked.wait()
        process.send_signal(signal.SIGINT)
        assert process.stderr
        assert await process.stderr.readline() == "Canceling the task …\n".encode()
        fake.released.set()
        run = await ended(process)
    assert (run.code, run.out, run.err) == (130, "", "")
    assert fake.canceled


async def test_a_page_test_that_takes_too_long_and_cannot_be_canceled_is_told_with_both() -> None:
    fake = FakeOrchestrator(hold=len(BEGIN), refuse_cancel=True)
    async with serve(fake.app()) as url:
        run = await federation("--url", url, "verify", "--timeout", "0.2", "http://127.0.0.1/", "it loads")
    assert run.code == 2
    assert "The test was not over after 0.2 s (--timeout). It could not be canceled (The task cannot be" in run.out


async def test_ctrl_c_is_heard_whichever_thread_it_reaches() -> None:
    elsewhere = (
        "import signal, sys, threading; "
        "hear = lambda: (sys.stdin.readline(), signal.pthread_kill(threading.get_ident(), signal.SIGINT)); "
        "threading.Thread(target=hear).start(); "
    )
    fake = FakeOrchestrator(hold=len(BEGIN))
    async with (
        serve(fake.app()) as url,
        begun("--url", url, "run", "open the page", first=elsewhere) as process,
    ):
        assert process.stderr
        assert process.stdin
        async with asyncio.timeout(PATIENCE_S):
            while b"opening the page" not in await process.stderr.readline():
                pass
        await asyncio.sleep(0.5)  # until it waits for the next event: then only the signal can wake it
        process.stdin.write(b"\n")
        async with asyncio.timeout(PATIENCE_S / 2):  # unheard, it would end when the stream was silent for 60 s
            run = await ended(process)
    assert run.code == 130
    assert fake.canceled


async def test_a_task_that_takes_too_long_is_canceled() -> None:
    fake = FakeOrchestrator(hold=len(BEGIN))
    async with serve(fake.app()) as url:
        run = await federation("--url", url, "run", "--timeout", "0.5", "open the page")
    assert run.code == 1
    assert "not over after 0.5 s" in run.err
    assert fake.canceled


async def test_a_task_that_is_not_accepted_in_time_is_said_and_canceled_when_it_is_after_all() -> None:
    fake = FakeOrchestrator(hold_answer=True)
    async with serve(fake.app()) as url, begun("--url", url, "run", "--timeout", "0.5", "open the page") as process:
        assert process.stderr
        async with asyncio.timeout(PATIENCE_S):
            await fake.asked.wait()
            assert await process.stderr.readline() == "Canceling the task …\n".encode()
        fake.released.set()
        run = await ended(process)
    assert (run.code, run.out, run.err) == (1, "", "The task was not accepted within 0.5 s (--timeout).\n")
    assert fake.canceled


async def test_a_page_test_that_is_not_accepted_in_time_is_one_that_was_not_run() -> None:
    fake = FakeOrchestrator(hold_answer=True)
    asked = "verify", "--timeout", "0.5", "http://127.0.0.1/", "it loads"
    async with serve(fake.app()) as url, begun("--url", url, *asked) as process:
        assert process.stderr
        async with asyncio.timeout(PATIENCE_S):
            assert await process.stderr.readline() == "Canceling the task …\n".encode()
        fake.released.set()
        run = await ended(process)
    assert run.code == 2
    assert "The test was not over after 0.5 s (--timeout)." in run.out


async def test_a_question_without_a_terminal_ends_with_3_and_says_how_to_answer() -> None:
    script = [*BEGIN, {"type": "input.required", "input_id": "i1", "prompt": "Which page?"}, *END]
    fake = FakeOrchestrator(script=script)
    async with serve(fake.app()) as url:
        run = await federation("--url", url, "run", "open the page")
        assert run.code == 3
        assert "Which page?" in run.err
        assert f'federation answer {TASK_ID} --text "..."' in run.err
        answer = await federation("--url", url, "tasks", "answer", TASK_ID, "i1", "--text", "the first")
    assert answer.code == 0
    assert fake.answers == [{"input_id": "i1", "text": "the first"}]


async def test_at_a_terminal_the_plan_is_shown_and_approved() -> None:
    script = [*BEGIN, {"type": "input.required", "input_id": "i1", "prompt": "May it run?", "kind": "plan"}, *END]
    fake = FakeOrchestrator(script=script)
    async with serve(fake.app()) as url:
        code, shown = await at_a_terminal(
            "--url", url, "run", "--approve-plan", "open", answer_to="[y/n]", answer="y\n"
        )
    assert code == 0
    assert fake.submitted == [{"description": "open", "approve_plan": True}]
    assert fake.answers == [{"input_id": "i1", "approve": True}]
    assert "sum it up" in shown
    assert "The heading is" in shown


async def test_at_a_terminal_only_yes_and_no_decide_about_a_plan() -> None:
    script = [*BEGIN, {"type": "input.required", "input_id": "i1", "prompt": "May it run?", "kind": "plan"}, *END]
    fake = FakeOrchestrator(script=script)
    async with serve(fake.app()) as url:
        code, shown = await at_a_terminal(
            "--url", url, "run", "--approve-plan", "open", answer_to="[y/n]", answer="yea\n\nY\n"
        )
    assert code == 0
    assert fake.answers == [{"input_id": "i1", "approve": True}]
    assert shown.count("[y/n]") == 3


async def test_what_follows_a_prompt_that_is_left_by_control_d_begins_a_line() -> None:
    asks = {"type": "input.required", "input_id": "i1", "prompt": "May it run?", "kind": "plan"}
    async with serve(FakeOrchestrator(script=[*BEGIN, asks]).app()) as url:
        _, shown = await at_a_terminal("--url", url, "run", "open", answer_to="[y/n] ", answer="\x04")
    assert re.search(r"\[y/n\] (\^D\x08\x08)?\r\n", shown), shown


async def test_what_follows_a_prompt_that_is_left_by_ctrl_c_begins_a_line() -> None:
    asks = {"type": "input.required", "input_id": "i1", "prompt": "May it run?", "kind": "plan"}
    fake = FakeOrchestrator(script=[*BEGIN, asks], hold=len(BEGIN) + 1)
    async with serve(fake.app()) as url:
        code, shown = await at_a_terminal("--url", url, "run", "open", answer_to="[y/n] ", answer=signal.SIGINT)
    assert code == 130
    assert "[y/n] \r\nCanceling the task" in shown, shown


_FULL = "import sys; sys.stdout = open('/dev/full', 'w'); "


async def test_output_that_cannot_be_written_is_said_in_a_sentence() -> None:
    async with serve(FakeOrchestrator().app()) as url:
        for command in (("run", "open the page"), ("tasks", "list"), ("agents", "list", "--json")):
            async with begun("--url", url, *command, first=_FULL) as process:
                run = await ended(process)
            assert run.code == 1
            assert run.err.endswith("The output could not be written (No space left on device).\n")
            assert "Traceback" not in run.err


async def test_closed_output_is_said_in_a_sentence() -> None:
    for command in (("tasks", "list", "--json"), ("tasks", "list", "--jsn"), ("--version",)):
        script = 'exec "$0" -c "from federation import main; main()" "$@" >&-'
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", script, sys.executable, *command, cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(PATIENCE_S):
            _, err = await process.communicate()
        assert (process.returncode, err.decode()) == (1, "The output is closed: there is nowhere to print to.\n")


async def test_a_closed_input_is_one_without_answers() -> None:
    asking = [*BEGIN, {"type": "input.required", "input_id": "i1", "prompt": "Which page?", "kind": "step"}, *END]
    async with serve(FakeOrchestrator(script=asking).app()) as url:
        shell = 'exec "$0" -c "from federation import main; main()" "$@" <&-'
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", shell, sys.executable, "--url", url, "run", "open the page"),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        run = await ended(process)
    assert (run.code, "Traceback" in run.err) == (3, False), run.err


async def test_what_the_terminals_encoding_does_not_have_is_printed_as_numbers(tmp_path: Path) -> None:
    async with begun("doctor", env={"PYTHONIOENCODING": "latin-1", "DATA_DIR": str(tmp_path)}) as process:
        run = await ended(process)
    assert "\\u2713 settings: all are right" in run.out
    assert run.err == ""


async def test_lists_keep_ids_whole_on_a_usual_terminal() -> None:
    async with serve(FakeOrchestrator().app()) as url:
        code, shown = await at_a_terminal("--url", url, "tasks", "list", answer_to="no question", answer="", columns=80)
    assert code == 0
    for listed in LISTED_IDS:
        assert listed in shown


@pytest.mark.parametrize(
    "command",
    [("tasks", "show", ""), ("cancel", ""), ("retry", ""), ("answer", "", "--text", "x"), ("learned", "forget", "")],
)
async def test_an_empty_id_is_said_to_be_one(command: tuple[str, ...]) -> None:
    async with serve(FakeOrchestrator().app()) as url:
        run = await federation("--url", url, *command)
    assert (run.code, run.err) == (1, "The id is empty.\n")


async def test_files_that_the_task_names_go_along_and_are_said(tmp_path: Path) -> None:
    (tmp_path / "cities.csv").write_text("city,price\n", encoding="utf-8")
    (tmp_path / "profile").write_text("no file name that one would mean", encoding="utf-8")
    (tmp_path / "more.txt").write_text("more", encoding="utf-8")
    fake = FakeOrchestrator()
    async with serve(fake.app()) as url:
        task = "profile 'cities.csv', then compare it with nothing.csv."
        run = await federation("--url", url, "run", task, "--file", "more.txt", folder=tmp_path)
    assert run.code == 0
    assert "Sending along: cities.csv" in run.err
    assert [file["name"] for file in fake.submitted[0]["files"]] == ["more.txt", "cities.csv"]


async def test_a_file_that_is_not_there_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    fake = FakeOrchestrator()
    async with serve(fake.app()) as url:
        run = await federation("--url", url, "run", "profile it", "--file", str(tmp_path / "no.csv"))
    assert run.code == 1
    assert "no.csv is not a file" in run.err
    assert not fake.submitted


async def test_the_tasks_files_are_saved_under_plain_names(tmp_path: Path) -> None:
    async with serve(FakeOrchestrator().app()) as url:
        for _ in range(2):
            assert (await federation("--url", url, "run", "open", "--save", str(tmp_path / "out"))).code == 0
    assert names_in(tmp_path / "out") == ["chart-2.svg", "chart.svg"]
    assert (tmp_path / "out" / "chart.svg").read_bytes() == b"<svg/>"


@pytest.mark.parametrize("place", ["a-file", "a-file/deeper", "/proc/none"])
async def test_a_folder_that_nothing_can_be_saved_in_is_said_before_anything_is_sent(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "a-file").write_text("here", encoding="utf-8")
    fake = FakeOrchestrator()
    async with serve(fake.app()) as url:
        run = await federation("--url", url, "run", "open", "--save", place, folder=tmp_path)
    assert (run.code, run.out) == (2, "")
    assert "Nothing can be saved in" in run.err
    assert "Traceback" not in run.err
    assert not fake.submitted


async def test_a_result_whose_files_cannot_be_saved_after_all_is_printed_with_where_they_are(tmp_path: Path) -> None:
    fake = FakeOrchestrator(hold=len(BEGIN))
    async with (
        serve(fake.app()) as url,
        begun("--url", url, "run", "open", "--save", str(tmp_path / "out")) as process,
    ):
        assert process.stderr
        async with asyncio.timeout(PATIENCE_S):
            while b"opening the page" not in await process.stderr.readline():
                pass
        (tmp_path / "out").rmdir()
        (tmp_path / "out").write_text("in the way", encoding="utf-8")
        fake.released.set()
        run = await ended(process)
    assert (run.code, run.out) == (1, "The heading is *Welcome*.\n")
    assert f"Task {TASK_ID}: completed" in run.err
    last = run.err.splitlines()[-1]
    assert "could not be saved" in last
    assert f"{url}/api/tasks/{TASK_ID}/artifacts/f1" in last


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_what_agents_write_cannot_steer_the_terminal() -> None:
    script = [*BEGIN, {"type": "step.progress", "step_id": "a", "text": "\x1b[2Jgone\x07"}, *END]
    async with serve(FakeOrchestrator(script=script).app()) as url:
        run = await federation("--url", url, "run", "open the page")
    assert "[2Jgone" in run.err
    assert "\x1b" not in run.err


async def test_nothing_that_an_agent_writes_steers_the_terminal_in_a_result_its_json_or_an_error() -> None:
    steers = "\x9b2Jgone \u202eevil"
    result = {**RESULT, "summary": f"{steers} &#x202e;hidden &rlm;too"}
    fake = FakeOrchestrator(script=[*BEGIN, {"type": "task.result", "result": result}, *END[-1:]])
    missing = NotFoundError(f"There is no agent {steers}.").to_problem()

    async def refuse(_request: Request) -> Response:
        return JSONResponse(missing, 404, media_type="application/problem+json")

    async with serve(fake.app()) as url, serve(Starlette(routes=[Route("/{path:path}", refuse)])) as refusing:
        _, shown = await at_a_terminal("--url", url, "run", "open the page", answer_to="none", answer="")
        as_json = await federation("--url", url, "run", "open the page", "--json")
        refused = await federation("--url", refusing, "tasks", "show", "a")
    assert "hidden" in shown
    assert json.loads(as_json.out)["result"]["summary"] == result["summary"]
    assert "There is no agent" in refused.err
    for said in (shown, as_json.out, refused.err):
        assert not {"\x9b", "\u202e", "\u200f"} & set(said)


async def test_tasks_can_be_listed_shown_and_canceled() -> None:
    fake = FakeOrchestrator(script=BEGIN)
    async with serve(fake.app()) as url:
        listed = await federation("--url", url, "tasks", "list", "--limit", "3")
        shown = await federation("--url", url, "tasks", "show", TASK_ID)
        canceled = await federation("--url", url, "tasks", "cancel", TASK_ID)
        unknown = await federation("--url", url, "tasks", "show", "none")
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == LISTED_IDS[:3]
    assert "status: executing" in shown.out
    assert "open the page" in shown.out
    assert canceled.out == "status: canceled\n"
    assert fake.canceled
    assert unknown.code == 1
    assert unknown.err == "There is no /api/tasks/none.\n"


async def test_an_agent_is_found_however_many_there_are() -> None:
    agents = [
        {**AGENT, "id": f"0190a0a0-0000-7000-8000-{number:012}", "name": f"Agent {number}"} for number in range(205)
    ]
    async with serve(FakeOrchestrator(agents=agents).app()) as url:
        listed = await federation("--url", url, "agents", "list", "--json")
        shown = await federation("--url", url, "agents", "show", "Agent 204")
    assert len(json.loads(listed.out)) == 205
    assert (shown.code, shown.err) == (0, "")
    assert "name: Agent 204\n" in shown.out


async def test_of_an_agent_that_there_is_not_some_of_the_registered_are_named_and_the_others_counted() -> None:
    agents = [
        {**AGENT, "id": f"0190a0a0-0000-7000-8000-{number:012}", "name": f"Agent {number}"} for number in range(205)
    ]
    async with serve(FakeOrchestrator(agents=agents).app()) as url:
        shown = await federation("--url", url, "agents", "show", "Agnet 204")
    assert shown.code == 1
    assert shown.err.startswith("There is no agent 'Agnet 204'. Registered: Agent 0, Agent 1, Agent 10, ")
    assert shown.err.count("Agent ") == 20
    assert shown.err.endswith(" and 185 more.\n")


async def test_agents_can_be_listed_shown_added_and_removed() -> None:
    fake = FakeOrchestrator()
    async with serve(fake.app()) as url:
        listed = await federation("--url", url, "agents", "list")
        shown = await federation("--url", url, "agents", "show", "browser")
        removed = await federation("--url", url, "agents", "remove", "Browser")
        gone = await federation("--url", url, "agents", "show", "Browser")
        added = await federation("--url", url, "agents", "add", "http://127.0.0.1:9900")
        refused = await federation("--url", url, "agents", "add", "http://nowhere.example")
    assert "Browser  active  browse" in listed.out
    assert "Opens pages." in shown.out
    assert removed.out == "removed: Browser\n"
    assert gone.code == 1
    assert "There is no agent 'Browser'. Registered: none." in gone.err
    assert "registered: Browser" in added.out
    assert refused.code == 1
    assert refused.err == "http://nowhere.example does not answer.\n"


async def test_without_an_orchestrator_it_says_how_to_start_one() -> None:
    run = await federation("run", "anything", env={"ORCHESTRATOR_PORT": str(free_ports(1)[0])})
    assert run.code == 1
    assert "federation up" in run.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", " "), "the task is empty"),
        (("run",), "Missing argument"),
        (("--url", "ftp://x", "tasks", "list"), "is no address"),
        (("tasks", "answer", "1", "2"), "Give one of"),
    ],
)
async def test_wrong_use_ends_with_2(arguments: tuple[str, ...], said: str) -> None:
    run = await federation(*arguments)
    assert run.code == 2
    assert said in run.err


@pytest.mark.parametrize("command", [("run",), ("tasks", "show"), ("verify", "http://example.org"), ("agents", "add")])
async def test_words_in_another_encoding_are_said_to_be_so(command: tuple[str, ...]) -> None:
    run = await federation(*command, os.fsdecode(b"caf\xe9"), env={"COLUMNS": "200"})
    assert run.code == 2
    assert "'caf\\udce9' is not written in utf-8: save or type it so." in run.err


async def test_the_version_is_printed() -> None:
    run = await federation("--version")
    assert (run.code, run.out, run.err) == (0, version("agent-federation") + "\n", "")


async def test_ctrl_c_while_the_command_still_loads_ends_it_without_a_word() -> None:
    loading = """
import sys
class Interrupted:
    def find_spec(self, name, *_):
        if name == "federation.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
"""
    reading_the_commands = """
import typer.main
def interrupted(*_):
    raise KeyboardInterrupt
typer.main.get_command = interrupted
"""
    for interrupted in (loading, reading_the_commands):
        async with begun("tasks", first=interrupted) as process:
            run = await ended(process)
        assert (run.code, run.out, run.err) == (130, "", "")
