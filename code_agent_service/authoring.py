"""Lets the model write a program, and write it again when it failed."""

from collections.abc import Sequence

from code_agent_service import programs
from code_agent_service.runs import Run, WorkFile
from shared.agent import Usage
from shared.errors import ModelAnswerError
from shared.llm import Model, fence

_SYSTEM = """You write one Python 3.11 program that does what is asked, and print what the person wants to know.
It runs in a sandbox: the standard library only, no network, no input from a person, a few seconds.
Files that are given lie in the current folder; files that are asked for are written there.
Print results to standard output, briefly and readably. If it cannot be done, exit with a message that says why.
Answer with the complete program in one ```python block and nothing else."""
_MAX_TOKENS = 4096
_FILE_HEAD_CHARS = 1000
_OUTPUT_CHARS = 4000


async def write(model: Model, task: str, files: Sequence[WorkFile]) -> tuple[str, Usage]:
    """Return the program that the model wrote for `task`, and what that cost.

    Raises: one of `shared.llm.MODEL_ERRORS`.
    """
    return await _ask(model, "\n\n".join([task, *map(_describe, files)]))


async def repair(model: Model, task: str, files: Sequence[WorkFile], code: str, run: Run) -> tuple[str, Usage]:
    """Return the program that the model wrote in place of `code`, which went like `run`, and what that cost.

    Raises: one of `shared.llm.MODEL_ERRORS`.
    """
    ending = f"was stopped by its limit on {run.stopped_by}" if run.stopped_by else f"ended with {run.exit_code}"
    return await _ask(
        model,
        "\n\n".join(
            [
                task,
                *map(_describe, files),
                f"This program was written for it, and {ending}. Write it again, so that it works.",
                fence("program", code),
                fence("standard output", run.stdout[-_OUTPUT_CHARS:]),
                fence("standard error", run.stderr[-_OUTPUT_CHARS:]),
            ]
        ),
    )


async def _ask(model: Model, prompt: str) -> tuple[str, Usage]:
    completion = await model.complete(prompt, system=_SYSTEM, max_tokens=_MAX_TOKENS)
    blocks = programs.find_blocks(completion.text)
    code = max((code for _, code in blocks), key=len, default=completion.text)
    if not blocks and programs.parse(code) is None:
        raise ModelAnswerError("The model's answer holds no Python program; ask again, or in other words.")
    return code, completion.usage


def _describe(file: WorkFile) -> str:
    head = file.content[: _FILE_HEAD_CHARS * 4].decode(errors="replace")[:_FILE_HEAD_CHARS]
    return f"A file of {len(file.content)} bytes is given, which begins:\n{fence(file.name, head)}"
