"""How commands ask the orchestrator: where it is, one call, and what is printed of the answer."""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel

from federation.client import Client, find_url
from federation.connection import check_address
from federation.display import printable_json
from shared.errors import InvalidRequestError

T = TypeVar("T")

FAILED, INTERRUPTED = 1, 130

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def orchestrator_url(context: typer.Context) -> str:
    """Return where the orchestrator answers: what `--url` says, else the environment and `.env`."""
    given: str | None = context.obj
    try:
        if given:
            check_address(given)
    except InvalidRequestError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from error
    return given or find_url()


def call(context: typer.Context, ask: Callable[[Client], Awaitable[T]]) -> T:
    """Return what `ask` gets from the orchestrator."""

    async def calling() -> T:
        async with Client(orchestrator_url(context)) as client:
            return await ask(client)

    return wait(calling())


def wait(work: Awaitable[T]) -> T:
    """Return what `work` gives. Ctrl-C cancels it; when it has stopped, the command ends.

    The loop hears the signal itself: the handler that `asyncio.run` sets does not wake a loop that is just about to
    wait, nor one whose signal reached another thread.
    """

    async def waiting() -> T:
        current = asyncio.current_task()
        assert current is not None  # noqa: S101 - it runs
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, current.cancel)
        return await work

    try:
        return asyncio.run(waiting())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(INTERRUPTED) from None


def print_json(answer: BaseModel | Sequence[BaseModel]) -> None:
    """Print an answer as JSON, and nothing else."""
    plain = (
        answer.model_dump(mode="json")
        if isinstance(answer, BaseModel)
        else [item.model_dump(mode="json") for item in answer]
    )
    sys.stdout.write(printable_json(json.dumps(plain, indent=2, ensure_ascii=False)) + "\n")
