"""One task from the command line: handed in, followed, answered where it asks, printed."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from federation import attachments, canceling
from federation.client import Client
from federation.connection import RefusedError
from federation.display import Display, printable_json
from federation.events import InputRequired
from federation.models import PendingInput, Task
from shared.errors import FederationError, TimedOutError

COMPLETED, FAILED, NEEDS_ANSWER = 0, 1, 3

_WRONG = 422


@dataclass(frozen=True, slots=True)
class Watch:
    """How a task is followed. `timeout_s`: cancel it then, counted from handing it in; `save`: folder for its files."""

    timeout_s: float | None = None
    save: Path | None = None
    as_json: bool = False


class NotSavedError(FederationError):
    """A task is over, but a file it made could not be saved here."""

    slug = "not-saved"
    title = "A file could not be saved"


async def run_task(url: str, hand_in: Callable[[Client], Awaitable[Task]], watch: Watch, display: Display) -> int:
    """Hand in a task, follow it and return the exit code. Cancelled itself (Ctrl-C), it cancels the task.

    Raises: NotSavedError, when all is printed; TimedOutError, when it was not even accepted in time.
    """
    async with Client(url, on_outage=display.note) as client:
        task: Task | None = None
        try:
            async with asyncio.timeout(watch.timeout_s):
                task = await canceling.hand_in(client, hand_in(client), display.note)
                task = await _follow(client, task.id, display, may_ask=sys.stdin.isatty() and not watch.as_json)
        except TimeoutError as error:
            if task is None:
                raise TimedOutError(f"The task was not accepted within {watch.timeout_s:g} s (--timeout).") from error
            display.note(f"The task is not over after {watch.timeout_s:g} s (--timeout); canceling it.")
            task = await _cancel(client, task.id, display) or await client.get(task.id)
        except asyncio.CancelledError:
            if task is not None:
                display.note("Canceling the task …")
                await _cancel(client, task.id, display)
            raise
        problem = None if watch.save is None else await _save(client, task, watch.save, display)
        code = _print(task, watch, display)
    if problem is not None:
        raise problem
    return code


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
                    try:
                        for pending in task.pending_inputs:
                            with display.paused():
                                await _answer(client, task_id, pending, display)
                    except EOFError:
                        return task
    return await client.get(task_id)


async def _answer(client: Client, task_id: str, pending: PendingInput, display: Display) -> None:
    """Ask at the terminal until the answer is taken, or is no longer wanted."""
    display.note(pending.prompt)
    while True:
        try:
            if pending.is_approval:
                approve = await _decide(f"Run this {pending.kind}? [y/n] ")
                await client.answer(task_id, pending.input_id, approve=approve)
            elif pending.form is not None:
                display.note(f"The answer is JSON of this form: {json.dumps(pending.form, ensure_ascii=False)}")
                await client.answer(task_id, pending.input_id, data=_parsed(await _read_line("> ")))
            else:
                await client.answer(task_id, pending.input_id, text=await _read_line("> "))
        except RefusedError as error:
            display.note(str(error))
            if error.problem.status == _WRONG:
                continue
        return


async def _decide(prompt: str) -> bool:
    """Ask until the answer is yes or no: what is rejected is over."""
    while True:
        match (await _read_line(prompt)).lower():
            case "y" | "yes":
                return True
            case "n" | "no":
                return False
            case _:
                pass


def _parsed(line: str) -> JsonValue:
    """Return the JSON of the line; a line that is none is a text."""
    try:
        return json.loads(line)
    except ValueError:
        return line


async def _read_line(prompt: str) -> str:
    """Return what the person types. (Waiting in the event loop: Ctrl-C works, and no thread is left behind.)

    Raises: EOFError when nothing more will be typed.
    """
    sys.stderr.write(prompt)
    sys.stderr.flush()
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sys.stdin, ready.set)
    try:
        await ready.wait()
    except asyncio.CancelledError:
        sys.stderr.write("\n")
        raise
    finally:
        loop.remove_reader(sys.stdin)
    line = sys.stdin.readline()
    if not line:
        sys.stderr.write("\n")
        raise EOFError
    return line.strip()


async def _cancel(client: Client, task_id: str, display: Display) -> Task | None:
    try:
        return await canceling.cancel(client, task_id)
    except FederationError as error:
        display.note(f"It could not be canceled ({error}); `federation tasks show {task_id}` tells more.")
        return None


async def _save(client: Client, task: Task, folder: Path, display: Display) -> NotSavedError | None:
    """Save the task's files; returns what went wrong with the first that cannot be, once it did."""
    for artifact in task.result.artifacts if task.result else ():
        try:
            path = attachments.save(folder, artifact.name, await client.artifact(task.id, artifact.id))
        except (OSError, FederationError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            return NotSavedError(
                f"The file {artifact.name!r} could not be saved in {folder} ({why}). It is kept at "
                f"{client.url}/api/tasks/{task.id}/artifacts/{artifact.id}."
            )
        display.note(f"Saved {path}")
    return None


def _print(task: Task, watch: Watch, display: Display) -> int:
    if watch.as_json:
        sys.stdout.write(printable_json(task.model_dump_json(indent=2)) + "\n")
    else:
        display.result(task)
    if task.status == "completed":
        return COMPLETED
    if task.is_over:
        return FAILED
    display.questions(task)
    return NEEDS_ANSWER
