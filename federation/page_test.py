"""`federation verify URL "GOAL"`: a page test from the command line, told line by line.

Exit codes: 0 passed, 1 failed, 2 could not be run, or not be reported (`--junit`).
"""

import asyncio
import sys
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from federation import canceling
from federation.calling import wait
from federation.client import Client
from federation.display import printable, printable_json
from federation.events import StepProgress
from federation.models import Task
from shared.errors import FederationError, TimedOutError, UnavailableError
from shared.page_tests import PageTest, PageTestRequest, Verdict, is_told, tell_verdict, to_junit
from shared.settings import ServiceName

PASSED, FAILED, NOT_RUN = 0, 1, 2

_NEEDED: tuple[ServiceName, ...] = ("orchestrator", "browser")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be tested, and what becomes of it. `name`: keep the test under it, run by itself at `cron`."""

    request: PageTestRequest
    name: str | None = None
    cron: str | None = None
    timeout_s: float | None = None
    junit: Path | None = None
    as_json: bool = False


async def verify(url: str, wish: Wish) -> int:
    """Run the test at the orchestrator at `url`, print it and return the exit code. Ctrl-C cancels the test."""
    try:
        async with Client(url) as client:
            task = await _run(client, wish)
        test = _find_result(task)
    except FederationError as error:
        return _tell_not_run(str(error), wish)
    if test is None:
        why = str(task.error) if task.error is not None else f"The task {task.id} is {task.status}."
        return _tell_not_run(why, wish)
    if wish.as_json:
        sys.stdout.write(printable_json(test.model_dump_json(indent=2)) + "\n")
    else:
        _say(tell_verdict(test.result))
    if not _report(test, wish) or test.result.error is not None:
        return NOT_RUN
    return PASSED if test.result.passed else FAILED


def run_here(url: str, wish: Wish, *, may_start: bool) -> int:
    """Run the test and return the exit code; where no federation runs, start what it needs and stop it again."""
    from federation import up  # noqa: PLC0415 - reads the settings of all services

    try:
        with ExitStack() as stack:
            if may_start:
                stack.enter_context(up.running(_NEEDED, quiet=True))
            return wait(verify(url, wish))
    except FederationError as error:
        return _tell_not_run(str(error), wish)


async def _hand_in(client: Client, wish: Wish) -> Task:
    if wish.name is None:
        return await client.test_page(wish.request.url, wish.request.goal)
    kept = await client.keep_page_test(wish.name, wish.request.url, wish.request.goal, cron=wish.cron)
    return await client.run_page_test(kept)


async def _run(client: Client, wish: Wish) -> Task:
    """Hand the test in, and print what it tells until it is over."""
    task: Task | None = None
    try:
        async with asyncio.timeout(wish.timeout_s):
            task = await canceling.hand_in(client, _hand_in(client, wish), _note)
            await _follow(client, task, wish)
    except TimeoutError as error:
        said = f"The test was not over after {wish.timeout_s:g} s (--timeout)."
        if task is None:
            raise TimedOutError(said) from error
        try:
            await canceling.cancel(client, task.id)
        except FederationError as refusal:
            said += f" It could not be canceled ({refusal}); `federation tasks show {task.id}` tells more."
        raise TimedOutError(said) from error
    except asyncio.CancelledError:
        if task is not None:
            with suppress(FederationError):  # it is over already, or nobody answers
                await canceling.cancel(client, task.id)
        raise
    return await client.get(task.id)


async def _follow(client: Client, task: Task, wish: Wish) -> None:
    async with aclosing(client.events(task.id)) as events:
        async for event in events:
            if isinstance(event, StepProgress) and is_told(event.text) and not wish.as_json:
                _say(event.text)


def _find_result(task: Task) -> PageTest | None:
    if task.status != "completed":
        return None
    for step in task.steps:
        for part in step.output_data.data or ():
            try:
                return PageTest.model_validate(part)
            except ValidationError:
                continue
    raise UnavailableError("The agent that did the test answered something else than a test's result.")


def _report(test: PageTest, wish: Wish) -> bool:
    """Write the report that was asked for; says why it is not written, and returns whether there is nothing to say."""
    if wish.junit is None:
        return True
    try:
        wish.junit.write_text(to_junit(wish.name or wish.request.url, wish.request, test), encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"The report could not be written to {wish.junit} ({error.strerror}); the test was run.\n")
        return False
    return True


def _tell_not_run(why: str, wish: Wish) -> int:
    verdict = Verdict(
        passed=False, duration_ms=0, steps_passed=0, steps_total=0, details=why, step_results=(), error=why
    )
    if wish.as_json:
        sys.stdout.write(printable_json(verdict.model_dump_json(indent=2)) + "\n")
    else:
        _say(tell_verdict(verdict))
    return NOT_RUN


def _note(line: str) -> None:
    sys.stderr.write(f"{printable(line)}\n")
    sys.stderr.flush()


def _say(line: str) -> None:
    sys.stdout.write(printable(line) + "\n")
    sys.stdout.flush()
