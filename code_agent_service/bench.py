"""What a skill works with, and what it hands over: files given, the sandbox, the model if there is one; a finished job.

A skill is an async generator: `async def review(given: Given, bench: Bench) -> AsyncGenerator[Update | Finished]`. It
yields what it does, and last one `Finished`.
"""

import asyncio
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, cast

from pydantic import JsonValue

from code_agent_service import presentation, sources, toolbox
from code_agent_service.runs import Program, Run, WorkFile
from code_agent_service.sandbox import Sandbox
from code_agent_service.settings import Settings
from shared.agent import JsonObject
from shared.errors import FederationError, InvalidRequestError, NotInstalledError
from shared.llm import Model, fence

logger = logging.getLogger(__name__)

_REPORT: Final = ".federation-report.json"
_REPORT_BYTES: Final = 1024 * 1024
_INSIDE: Final = Path(__file__).with_name("inside")
_FILE_CHARS: Final = 60_000
_FILES_CHARS: Final = 200_000


class ProgramFailedError(FederationError):
    """The program ended with an error, or met a limit; the text has its last words. The same program fails again."""

    slug = "program-failed"
    title = "The program failed"
    status = 422


@dataclass(frozen=True, slots=True)
class Given:
    """What a request brings: its text, its JSON, its files; `kept` are those of the session's earlier jobs."""

    text: str
    data: tuple[JsonValue, ...] = ()
    files: tuple[WorkFile, ...] = ()
    kept: tuple[WorkFile, ...] = ()

    def material(self) -> tuple[WorkFile, ...]:
        """Return the files to be worked on: those the request brings, in whatever form, else those kept.

        Raises: InvalidRequestError, when there is no code.
        """
        brought = merge(sources.find_files(self.text), sources.find_data_files(self.data), self.files)
        for files in (brought, self.kept):
            if any(sources.is_code(file.name) for file in files):
                return files
        raise InvalidRequestError(
            "There is no code here. Give it in a ```python block, as an attached file, as "
            '{"files": {"name.py": "…"}}, or write {{ steps.ID.artifacts.* }} where the plan has a step that made it.'
        )


@dataclass(frozen=True, slots=True)
class Finished:
    """A job that is done: what is said of it, the files it made or changed, and all the files it was about.

    With an `error` the job failed, and this is what came of it all the same. `is_archived`: all of them are handed over
    in an archive, too, so that whoever comes next has the whole.
    """

    text: str
    data: JsonObject
    files: tuple[WorkFile, ...] = ()
    folder: tuple[WorkFile, ...] = ()
    error: FederationError | None = None
    is_archived: bool = True


@dataclass(slots=True)
class Bench:
    """The sandbox and the model, for one job; `ran` is what was run in it, and how that went."""

    settings: Settings
    sandbox: Sandbox
    model: Model | None
    slots: asyncio.Semaphore
    ran: list[JsonValue] = field(default_factory=list[JsonValue])

    @property
    def is_full(self) -> bool:
        """Whether the next program has to wait for its turn."""
        return self.slots.locked()

    async def run(self, program: Program) -> Run:
        """Run a program, and put down that it was run. Raises: as `Sandbox.run`; NotInstalledError for JavaScript."""
        if program.language == "javascript":
            program = replace(program, mounts=(*program.mounts, *_find_node()))
        async with self.slots:
            run = await self.sandbox.run(program)
        self.ran.append(presentation.tell_run(program, run, self.sandbox.kind))
        logger.info(
            "program ended",
            extra={"exit_code": run.exit_code, "stopped_by": run.stopped_by, "duration_s": round(run.duration_s, 3)},
        )
        return run

    async def run_tool(
        self, script: str, task: JsonObject, files: Sequence[WorkFile], tools: tuple[str, ...]
    ) -> tuple[Run, JsonObject | None]:
        """Run one of our own programs (`inside/NAME.py`) over `files`; return how it went, and what it reports.

        The report is peer text: the code it is about ran beside it. None: it did not come to its end.
        """
        text = await asyncio.to_thread((_INSIDE / script).read_text, encoding="utf-8")
        mounts = await asyncio.to_thread(toolbox.find_tools, tools)
        program = Program("", tuple(files), (_REPORT, json.dumps(task)), script=text, mounts=mounts)
        async with self.slots:
            run = await self.sandbox.run(program, more_files=1, more_bytes=_REPORT_BYTES)
        report = next((file.content for file in run.files if file.name == _REPORT), b"")
        run = replace(run, files=tuple(file for file in run.files if file.name != _REPORT))
        self.ran.append(presentation.tell_run(program, run, self.sandbox.kind, label=script.removesuffix(".py")))
        try:
            said = cast("JsonValue", json.loads(report))
        except (ValueError, RecursionError):
            said = None
        return run, said if isinstance(said, dict) else None

    def announce(self, doing: str) -> str:
        """Return the sentence for who waits: what is done next, or that others come first."""
        if self.is_full:
            return f"Waiting: {self.settings.sandbox_max_runs} programs are running (SANDBOX_MAX_RUNS)"
        return doing


def merge(*groups: Iterable[WorkFile]) -> tuple[WorkFile, ...]:
    """Return the files of all groups; of those with the same name the last one counts."""
    merged = {file.name: file for group in groups for file in group}
    return tuple(merged.values())


def describe(files: Sequence[WorkFile]) -> str:
    """Return the files as data in a prompt, their contents cut where they are long."""
    parts: list[str] = []
    left = _FILES_CHARS
    for file in files:
        text = file.text[: min(_FILE_CHARS, left)]
        left -= len(text)
        parts.append(fence(f"file {file.name}", text if b"\0" not in file.content else "(binary)"))
    return "\n\n".join(parts)


def _find_node() -> tuple[toolbox.Mount, ...]:
    found = toolbox.find_node()
    if found is None:
        raise NotInstalledError(
            "JavaScript needs Node, which was not found on the PATH of the code agent. Install it (Debian, Ubuntu: apt "
            "install nodejs), or send Python."
        )
    return found
