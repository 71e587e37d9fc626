"""One task from the command line: handed in, followed, answered where it asks, printed."""

import asyncio
import sys
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from federation import attachments
from federation.client import Client
from federation.display import Display
from federation.models import InputRequired, PendingInput, Task
from shared.errors import FederationError

COMPLETED, FAILED, NEEDS_ANSWER = 0, 1, 3

_CANCEL_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line. `timeout_s`: cancel the task then; `save`: folder for its files."""

    description: str
    files: tuple[Path, ...] = ()
    agent: str | None = None
    session_id: str | None = None
    approve_plan: bool = False
    timeout_s: float | None = None
    save: Path | None = None
    as_json: bool = False


async def run_task(url: str, wish: Wish, display: Display) -> int:
    """Run the task and return the exit code. When this is cancelled (Ctrl-C), the task is cancelled too."""
    async with Client(url) as client:
        task = await client.submit(
            wish.description,
            files=wish.files,
            agent=wish.agent,
            session_id=wish.session_id,
            approve_plan=wish.approve_plan,
        )
        try:
            async with asyncio.timeout(wish.timeout_s):
                task = await _follow(client, task.id, display, may_ask=sys.stdin.isatty() and not wish.as_json)
        except TimeoutError:
            display.note(f"The task is not over after {wish.timeout_s:g} s (--timeout); canceling it.")
            task = await _cancel(client, task.id, display)
        except asyncio.CancelledError:
            display.note("Canceling the task …")
            await _cancel(client, task.id, display)
            raise
        if wish.save is not None:
            await _save(client, task, wish.save, display)
        return _print(task, wish, display)


async def _follow(client: Client, task_id: str, display: Display, *, may_ask: bool) -> Task:
    """Show the task's events until it is over, or waits for an answer that nobody here can give."""
    with display.following():
        async with aclosing(client.events(task_id)) as events:
            async for event in events:
                display.show(event)
                if isinstance(event, InputRequired):
                    task = await client.get(task_id)
                    if task.pending_inputs and not may_ask:
                        return task
                    for pending in task.pending_inputs:
                        with display.paused():
                            await _answer(client, task_id, pending, display)
    return await client.get(task_id)


async def _answer(client: Client, task_id: str, pending: PendingInput, display: Display) -> None:
    display.note(pending.prompt)
    if pending.kind == "plan":
        approve = (await _read_line("Run this plan? [y/n] ")).lower() in {"y", "yes"}
        await client.answer(task_id, pending.input_id, approve=approve)
    else:
        await client.answer(task_id, pending.input_id, text=await _read_line("> "))


async def _read_line(prompt: str) -> str:
    """Return what the person types. (Waiting in the event loop: Ctrl-C works, and no thread is left behind.)"""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sys.stdin, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline().strip()


async def _cancel(client: Client, task_id: str, display: Display) -> Task:
    try:
        async with asyncio.timeout(_CANCEL_TIMEOUT_S):
            return await client.cancel(task_id)
    except (FederationError, TimeoutError) as error:
        display.note(
            f"It could not be canceled ({error or 'no answer'}); `federation tasks show {task_id}` tells more."
        )
        return await client.get(task_id)


async def _save(client: Client, task: Task, folder: Path, display: Display) -> None:
    for artifact in task.result.artifacts if task.result else ():
        path = attachments.save(folder, artifact.name, await client.artifact(task.id, artifact.id))
        display.note(f"Saved {path}")


def _print(task: Task, wish: Wish, display: Display) -> int:
    if wish.as_json:
        sys.stdout.write(task.model_dump_json(indent=2) + "\n")
    else:
        display.result(task)
    if task.status == "completed":
        return COMPLETED
    if task.is_over:
        return FAILED
    for pending in task.pending_inputs:
        option = "--approve" if pending.kind == "plan" else '--text "..."'
        display.note(f"It waits for an answer: {pending.prompt}")
        display.note(f"Answer with: federation tasks answer {task.id} {pending.input_id} {option}")
    return NEEDS_ANSWER
