"""The skill `write-code`: the model plans and writes files, they are run, and it mends them while they fail."""

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

from code_agent_service import presentation, sources, testing
from code_agent_service.bench import Bench, Finished, Given, ProgramFailedError, describe, merge
from code_agent_service.runs import Program, Run, WorkFile
from code_agent_service.testing import Results
from shared.agent import JsonObject, Progress, Update
from shared.errors import ModelAnswerError
from shared.llm import MODEL_ERRORS, Completion, Model, fence, spent

_MAX_TOKENS: Final = 8000
_PLAN_CHARS: Final = 2000
_OUTPUT_CHARS: Final = 4000
_SYSTEM: Final = """You are a software engineer. You write Python 3.11 that does what is asked, in as few files as make
sense. It runs in a sandbox: the standard library only, no network, no input from a person, a few seconds. Files that
are given lie in the current folder; files that are asked for are written there.
First say in a few lines how you will do it. Then give each file complete, in a ```python block (or the block of its
language) with its name on the line before it, such as:

`stats.py`
```python
...
```

A program is called main.py and prints what the person wants to know, briefly and readably. Where tests are asked for,
or what is asked for is a library and no program, write pytest tests in test_*.py: then these are what is run. If it
cannot be done, write a program that exits with a message that says why."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Files that the model wrote, and how they went: as tests where there are some, else as a program."""

    files: tuple[WorkFile, ...]
    program: Program | None
    run: Run
    results: Results | None

    @property
    def has_failed(self) -> bool:
        if self.results is not None:
            return not self.results.is_good
        return self.run.exit_code != 0


async def write(given: Given, bench: Bench, model: Model) -> AsyncGenerator[Update | Finished]:
    """Let the model write what is asked for, run it, and mend it, at most CODE_MAX_REPAIRS times.

    Raises: one of MODEL_ERRORS, when the model fails before there is anything that was run.
    """
    brought = merge(given.kept, sources.find_data_files(given.data), given.files)
    yield Progress("Writing a program")
    files: tuple[WorkFile, ...] = ()
    plan, attempt, repairs = "", None, 0
    prompt = "\n\n".join([given.text, describe(brought)]).strip()
    for repairs in range(bench.settings.code_max_repairs + 1):
        try:
            completion = await model.complete(prompt, system=_SYSTEM, max_tokens=_MAX_TOKENS)
            yield completion.usage
            if completion.cut and (repairs == bench.settings.code_max_repairs or not _has_whole_file(completion)):
                raise ModelAnswerError(f"{completion.cut} Ask for less at once.")
            written = _read(completion)
        except MODEL_ERRORS as error:
            if (usage := spent(error)).llm_calls:
                yield usage
            if attempt is None:
                raise
            break  # what there is fails, and is told as it is
        files = merge(files, written)
        plan = plan or _find_plan(completion.text)
        if completion.cut:
            yield Progress("The model's answer was cut off; asking for the rest")
            prompt = _ask_rest(given.text, brought, files)
            continue
        program = _choose_program(files, brought)
        yield Progress(bench.announce(f"Running {program.main if program else 'the tests'} in the sandbox"))
        attempt = await _try(bench, files, brought, program)
        if not attempt.has_failed or repairs == bench.settings.code_max_repairs:
            break
        yield Progress("The program failed; writing it again")
        prompt = _ask_again(given.text, brought, attempt)
    if attempt is not None:
        yield _finish(bench, attempt, brought, plan, repairs)


async def _try(
    bench: Bench, files: tuple[WorkFile, ...], brought: Sequence[WorkFile], program: Program | None
) -> _Attempt:
    if program is not None:
        return _Attempt(files, program, await bench.run(program), None)
    results, run = await testing.run_tests(bench, merge(brought, files))
    return _Attempt(files, None, run, results)


def _read(completion: Completion) -> list[WorkFile]:
    """Return the files in a model's answer, those that are whole. Raises: ModelAnswerError."""
    files = sources.find_files(completion.text)
    if not any(sources.is_code(file.name) for file in files):
        raise ModelAnswerError("The model's answer holds no program; ask again, or in other words.")
    return files


def _has_whole_file(completion: Completion) -> bool:
    return any(block.name or block.language for block in sources.find_blocks(completion.text))


def _find_plan(answer: str) -> str:
    """Return what the model said before its first file."""
    head = re.split(r"^\s*(?:```|~~~)", answer, maxsplit=1, flags=re.MULTILINE)[0].strip()
    lines = head.splitlines()
    if lines and len(lines[-1]) < 200 and "." in lines[-1] and " " not in lines[-1].strip("`*#: "):
        lines = lines[:-1]  # the name of the file
    return "\n".join(lines).strip()[:_PLAN_CHARS]


def _choose_program(files: Sequence[WorkFile], brought: Sequence[WorkFile]) -> Program | None:
    """Return what is run of the files, or None for their tests."""
    if any(sources.is_test(file.name) for file in files):
        return None
    scripts = [file.name for file in files if sources.language_of(file.name) is not None]
    if not scripts:
        raise ModelAnswerError("The model wrote neither Python nor JavaScript; only these can be run.")
    main = next((name for name in scripts if name.rpartition("/")[2] in {"main.py", "main.js"}), scripts[-1])
    arguments = tuple(file.name for file in brought if sources.language_of(file.name) is None)
    return Program(main, merge(brought, files), arguments, language=sources.language_of(main) or "python")


def _ask_rest(text: str, brought: Sequence[WorkFile], files: Sequence[WorkFile]) -> str:
    return "\n\n".join(
        [
            text,
            describe(brought),
            "This was written for it before the answer was cut off:",
            describe(files),
            "Go on: give the files that are missing, each complete, in the same form; if none is, one of these again.",
        ]
    ).replace("\n\n\n\n", "\n\n")


def _ask_again(text: str, brought: Sequence[WorkFile], attempt: _Attempt) -> str:
    run = attempt.run
    ending = f"was stopped by its limit on {run.stopped_by}" if run.stopped_by else f"ended with {run.exit_code}"
    what = "Its tests failed" if attempt.results is not None else f"It {ending}"
    said = attempt.results.to_text() if attempt.results is not None else ""
    return "\n\n".join(
        [
            text,
            describe(brought),
            "This was written for it:",
            describe(attempt.files),
            f"{what}. Mend it: give each file that changes again, complete, in the same form.",
            fence("results of the tests", said[-_OUTPUT_CHARS:]) if said else "",
            fence("standard output", run.stdout[-_OUTPUT_CHARS:]),
            fence("standard error", run.stderr[-_OUTPUT_CHARS:]),
        ]
    ).replace("\n\n\n\n", "\n\n")


def _finish(bench: Bench, attempt: _Attempt, brought: Sequence[WorkFile], plan: str, repairs: int) -> Finished:
    run, results = attempt.run, attempt.results
    told = results.to_text() if results is not None else presentation.to_text(run, bench.sandbox.limits)
    text = f"{told}\n\nThe files:\n\n{presentation.show_files(attempt.files)}"
    main = attempt.program.main if attempt.program else attempt.files[0].name
    code = next((file.text for file in attempt.files if file.name == main), "")
    data: JsonObject = {
        **presentation.to_data(run, code),
        "plan": plan,
        "repairs": repairs,
        "tests": None if results is None else results.to_json(),
    }
    error = None
    if attempt.has_failed:
        error = ProgramFailedError(_say_failure(bench, attempt, repairs), stopped_by=run.stopped_by)
    made = merge(attempt.files, run.files)
    return Finished(text, data, made, merge(brought, made), error)


def _say_failure(bench: Bench, attempt: _Attempt, repairs: int) -> str:
    run, results = attempt.run, attempt.results
    if results is not None and run.stopped_by is None:
        reason = results.problem or f"{results.count('failed') + results.count('error')} of its tests fail"
        words = results.to_text()
    else:
        reason, words = presentation.explain(run, bench.sandbox.limits), run.stderr
    mended = f" It was mended {repairs} times (CODE_MAX_REPAIRS)." if repairs else ""
    return f"{reason.rstrip('.')}.{mended}\n{presentation.tail(words)}".strip()
