"""The skill `test-code`: runs the tests that come with code, or writes some first, and tells what passed and failed."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import JsonValue

from code_agent_service import names, presentation, smoke_tests, sources
from code_agent_service.bench import Bench, Finished, Given, ProgramFailedError, describe, merge
from code_agent_service.runs import Run, WorkFile
from code_agent_service.toolbox import TESTING
from shared.agent import JsonObject, Progress, Update
from shared.errors import InvalidRequestError, ModelAnswerError
from shared.llm import MODEL_ERRORS, Model, fence, spent

Author = Literal["given", "model", "signatures"]

_MAX_TOKENS: Final = 6000
_MAX_SHOWN: Final = 20
_MAX_TOLD: Final = 200
_OUTPUT_CHARS: Final = 4000
_SYSTEM: Final = """You write pytest tests in Python 3.11 for code that is given.
Test what the code is for: usual cases, edges, and errors that it should raise. One behaviour a test, a name that says
it. No network, no sleeping, only the standard library and pytest. The files lie in the current folder: import them by
name. Answer with the complete test files, each in a ```python block with its name, such as `test_stats.py`, on the line
before it, and nothing else. Do not repeat the code under test."""


@dataclass(frozen=True, slots=True)
class Results:
    """What came of a run of tests. All of it is peer text. `coverage` is a share of the lines, None without any."""

    tests: tuple[JsonObject, ...] = ()
    files: tuple[JsonObject, ...] = ()
    problem: str = ""

    def count(self, outcome: str) -> int:
        """Return how many tests ended so: passed, failed, error or skipped."""
        return sum(test.get("outcome") == outcome for test in self.tests)

    @property
    def is_good(self) -> bool:
        """Whether tests ran, and none failed."""
        return bool(self.count("passed")) and not self.count("failed") + self.count("error") and not self.problem

    @property
    def coverage(self) -> float | None:
        """The share of the code's lines that ran, in percent."""
        lines, covered = (sum(_number(file, name) for file in self.files) for name in ("lines", "covered"))
        return round(100 * covered / lines, 1) if lines else None

    def to_json(self) -> JsonObject:
        """Return the results as the data part has them: of very many tests, first those that did not pass."""
        tests = sorted(self.tests, key=lambda test: test.get("outcome") == "passed")
        return {
            "passed": self.count("passed"),
            "failed": self.count("failed"),
            "skipped": self.count("skipped"),
            "errors": self.count("error"),
            "coverage": {"percent": self.coverage, "files": [*self.files]},
            "tests": list[JsonValue](tests[:_MAX_TOLD]),
        }

    def to_text(self) -> str:
        """Return the results as Markdown: the counts, then what failed."""
        counts = [f"{self.count('passed')} passed", f"{self.count('failed')} failed"]
        counts += [f"{self.count('error')} with errors"] if self.count("error") else []
        counts += [f"{self.count('skipped')} skipped"] if self.count("skipped") else []
        lines = [", ".join(counts) + (f"; {self.coverage:g} % of the lines were run" if self.coverage else "") + "."]
        bad = [test for test in self.tests if test.get("outcome") in {"failed", "error"}]
        for test in bad[:_MAX_SHOWN]:
            lines.append(f"**{test.get('name')}** ({test.get('outcome')}):")
            lines.append(presentation.fence(presentation.tail(str(test.get("message", "")))))
        lines += [f"… and {len(bad) - _MAX_SHOWN} more."] if len(bad) > _MAX_SHOWN else []
        return "\n\n".join(lines)


async def test(given: Given, bench: Bench) -> AsyncGenerator[Update | Finished]:
    """Test the code that is given: with its own tests, else with those that the model, or else we, write for it."""
    material = given.material()
    code = sources.list_python(material)
    if not code:
        raise InvalidRequestError("Only Python can be tested; there is no .py file among what was given.")
    folder = merge(given.kept, material)
    written: tuple[WorkFile, ...] = ()
    smoke = smoke_tests.SmokeTests(None, (), ())
    author: Author = "given"
    note = ""
    results, run = Results(), None
    if not any(_holds_tests(file) for file in code):
        if bench.model is not None:
            yield Progress("Writing tests")
            try:
                async with aclosing(_write_by_model(bench, bench.model, given.text, folder)) as updates:
                    async for update in updates:
                        if not isinstance(update, _Written):
                            yield update
                        elif update.results.tests or update.run.stopped_by:
                            author, written, results, run = "model", update.files, update.results, update.run
                        else:
                            note = "The model wrote no tests that run, so they were made from signatures."
            except MODEL_ERRORS as error:
                note = f"The model could not write tests ({error.detail}), so they were made from signatures."
        if author != "model":
            author = "signatures"
            smoke = smoke_tests.write(code, _free_name("test_smoke.py", folder))
            written = () if smoke.file is None else (smoke.file,)
    if run is None:
        yield Progress(bench.announce("Running the tests in the sandbox"))
        results, run = await run_tests(bench, merge(folder, written), smoke.doctests)
    if run.stopped_by is not None or not results.tests:
        raise _explain(bench, run, results, written)
    text = [results.to_text(), _say_author(author, written), note, *_list_unchecked(smoke.unchecked)]
    text += [presentation.show_files(written)] if written else []
    unchecked: list[JsonValue] = [*smoke.unchecked]
    data: JsonObject = {**results.to_json(), "written_by": author, "not_checked": unchecked}
    made = merge(written, run.files)
    yield Finished("\n\n".join(filter(None, text)), data, made, merge(folder, made))


async def run_tests(bench: Bench, files: Sequence[WorkFile], doctests: Sequence[str] = ()) -> tuple[Results, Run]:
    """Run the tests among `files` with pytest in the sandbox, and the doctests of the modules that are named."""
    python = [file.name for file in sources.list_python(files)]
    paths: list[JsonValue] = [file.name for file in sources.list_python(files) if _holds_tests(file)]
    covered: list[JsonValue] = [name for name in python if name not in paths and not sources.is_test(name)]
    task: JsonObject = {"paths": paths, "doctests": [*doctests], "sources": covered}
    run, report = await bench.run_tool("run_tests.py", task, files, TESTING)
    if report is None:
        return Results(problem="the code ended the process before the tests were done"), run
    tests, coverage = report.get("tests"), report.get("coverage")
    return Results(_objects(tests), _objects(coverage), str(report.get("problem") or "")), run


@dataclass(frozen=True, slots=True)
class _Written:
    files: tuple[WorkFile, ...]
    results: Results
    run: Run


async def _write_by_model(
    bench: Bench, model: Model, text: str, folder: Sequence[WorkFile]
) -> AsyncGenerator[Update | _Written]:
    """Let the model write tests and run them; tests that cannot even run are mended, within bounds.

    A test that fails is left as it is: it may be right. Raises: one of MODEL_ERRORS, before there are tests that run.
    """
    prompt = f"What was asked for: {text[:4000]}\n\n{describe(folder)}"
    theirs = {file.name for file in folder}
    written: tuple[WorkFile, ...] = ()
    for repairs_left in range(bench.settings.code_max_repairs, -1, -1):
        try:
            completion = await model.complete(prompt, system=_SYSTEM, max_tokens=_MAX_TOKENS)
        except MODEL_ERRORS as error:
            yield spent(error)
            raise
        yield completion.usage
        if completion.cut:
            raise ModelAnswerError(completion.cut)
        found = [file for file in sources.list_python(sources.find_files(completion.text)) if file.name not in theirs]
        written = merge(written, map(_as_test, found))
        yield Progress(bench.announce("Running the tests in the sandbox"))
        results, run = await run_tests(bench, merge(folder, written))
        can_run = results.tests and not results.count("error")
        if can_run or run.stopped_by is not None or not repairs_left:
            yield _Written(written, results, run)
            return
        yield Progress("The tests cannot run; writing them again")
        prompt = "\n\n".join(
            [
                describe(merge(folder, written)),
                "The tests cannot run. Write them again, so that they do.",
                fence("what pytest says", results.to_text()[-_OUTPUT_CHARS:] + run.stdout[-_OUTPUT_CHARS:]),
            ]
        )


def _as_test(file: WorkFile) -> WorkFile:
    """Return a file that the model means as tests under a name that pytest takes for one."""
    if sources.is_test(file.name):
        return file
    folder, slash, name = file.name.rpartition("/")
    return WorkFile(f"{folder}{slash}test_{name}", file.content)


def _holds_tests(file: WorkFile) -> bool:
    return sources.is_test(file.name) and not file.name.endswith("conftest.py")


def _free_name(name: str, folder: Sequence[WorkFile]) -> str:
    taken = {file.name for file in folder}
    return next(each for each in names.alternatives(name) if each not in taken)


def _explain(bench: Bench, run: Run, results: Results, written: Sequence[WorkFile]) -> ProgramFailedError:
    """Return why there are no results."""
    if run.stopped_by is not None:
        why = presentation.explain(run, bench.sandbox.limits).replace("The program was", "The run of the tests was")
    elif results.problem:
        why = f"The tests did not come to an end: {results.problem}."
    else:
        why = "pytest found no test in what was given."
    shown = presentation.tail(run.stderr or run.stdout)
    return ProgramFailedError(f"{why}\n{shown}" if shown else why, stopped_by=run.stopped_by, tests=len(written))


def _say_author(author: Author, written: Sequence[WorkFile]) -> str:
    named = ", ".join(f"`{file.name}`" for file in written)
    match author:
        case "given":
            return "These are the tests that came with the code."
        case "model":
            return f"The tests were written by the model: {named}."
        case "signatures":
            return (
                f"There were no tests; {named} was made from signatures and type hints. It checks that the code can be "
                "imported and keeps its types, not that its results are right."
            )


def _list_unchecked(unchecked: Sequence[str]) -> list[str]:
    if not unchecked:
        return []
    more = [f"- … and {len(unchecked) - _MAX_SHOWN} more"] if len(unchecked) > _MAX_SHOWN else []
    return ["Not checked:\n\n" + "\n".join([*(f"- {each}" for each in unchecked[:_MAX_SHOWN]), *more])]


def _objects(value: JsonValue) -> tuple[JsonObject, ...]:
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _number(item: JsonObject, name: str) -> int:
    value = item.get(name)
    return value if isinstance(value, int) else 0
