"""The command line answers what tasks wait for, and does tasks again, against a real orchestrator."""

import asyncio
import os
import sys
from pathlib import Path

from tests.federation.commands import at_a_terminal
from tests.orchestrator.test_people import FORM, Asking, over
from tests.support.echo import ECHO
from tests.support.federation import Federation, federation, names, step


async def test_the_command_line_answers_retries_and_forks(tmp_path: Path) -> None:
    async with federation(tmp_path, Asking(FORM).served(), ECHO) as running:
        task = await running.run(step("a", skill="ask"), step("b", "{{ steps.a.output }}", approve=True))
        task_id = str(task["id"])
        shown = await command(running, "tasks", "show", task_id)
        assert f"federation answer {task_id} --data" in shown
        refused = await command(running, "answer", task_id, "--text", "Oslo", code=1)
        assert "Give `data`" in refused
        assert "status" in await command(running, "answer", task_id, "--data", '{"city": "Oslo"}')
        await running.task_when(task, lambda found: "'step'" in str(found["pending_inputs"]))
        assert f"federation answer {task_id} --approve" in await command(running, "tasks", "show", task_id)
        assert "status" in await command(running, "answer", task_id, "--reject", "--comment", "Not now.")
        assert (await over(running, task))["status"] == "failed"
        nothing = await command(running, "answer", task_id, "--approve", code=1)
        assert "waits for no answer" in nothing
        asked = await command(running, "retry", task_id, code=3)
        assert f"kept from task {task_id}" in asked
        new = names((await running.get("/api/tasks"))["items"], "id")[0]
        assert f"federation answer {new} --approve" in asked
        await command(running, "answer", str(new), "--approve")
        await running.task_when({"id": new}, lambda found: found["status"] == "completed")
        forked = await command(running, "fork", str(new), "--from", "b", "--instruction", "bye", code=3)
        assert "Step b waits for an answer" in forked
        newest = names((await running.get("/api/tasks"))["items"], "id")[0]
        assert "canceled" in await command(running, "cancel", str(newest))
        unknown = await command(running, "fork", str(new), "--from", "z", code=1)
        assert "Its steps: a, b" in unknown


async def test_at_a_terminal_a_question_is_answered_in_its_form(tmp_path: Path) -> None:
    agent = Asking(FORM)
    async with federation(tmp_path, agent.served()) as running:
        code, shown = await at_a_terminal(
            "--url",
            running.url,
            "run",
            "where to",
            "--agent",
            "Asks",
            answer_to="JSON of this form",
            answer='{"city": "Oslo"}\n',
        )
        assert code == 0, shown
        assert agent.told[0].data == ({"city": "Oslo"},)


async def command(running: Federation, *arguments: str, code: int = 0) -> str:
    """Run `federation` against the orchestrator and return all it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from federation.cli import main; main()",
        "--url",
        running.url,
        *arguments,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = printed.decode()
    assert process.returncode == code, text
    return text
