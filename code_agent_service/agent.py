"""The code agent: finds or writes the program that is asked for, and runs it in the sandbox."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import httpx

from code_agent_service import authoring, card, presentation, programs
from code_agent_service.runs import Limits, Program, Run, WorkFile
from code_agent_service.sandbox import Sandbox, open_sandbox
from code_agent_service.settings import Settings
from shared.agent import AgentRequest, Answer, File, OpenAgent, Produced, Progress, Update
from shared.errors import FederationError, InvalidRequestError, NotInstalledError, UnavailableError
from shared.http import fetch, open_client
from shared.llm import MODEL_ERRORS, Model, open_model, spent

logger = logging.getLogger(__name__)

_FETCH_TIMEOUT_S = 30.0


class ProgramFailedError(FederationError):
    """The program ended with an error, or met a limit; the text has its last words. The same program fails again."""

    slug = "program-failed"
    title = "The program failed"
    status = 422


@asynccontextmanager
async def open_agent(settings: Settings) -> AsyncGenerator[OpenAgent]:
    """Open the agent. Without a working sandbox it opens as well, says so, and refuses to run anything."""
    async with open_model(settings) as model, open_client(settings) as client:
        agent = _CodeAgent(settings, model, client)
        await agent.look_for_sandbox()
        yield OpenAgent(agent.answer, agent.problems)


class _CodeAgent:
    def __init__(self, settings: Settings, model: Model | None, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._model = model
        self._client = client
        self._slots = asyncio.Semaphore(settings.sandbox_max_runs)
        self._opening = asyncio.Lock()
        self._sandbox: Sandbox | None = None
        self._problem: str | None = None

    def problems(self) -> list[str]:
        """Return what is missing, in sentences."""
        return [] if self._problem is None else [self._problem]

    async def look_for_sandbox(self) -> None:
        """Note whether there is a working sandbox."""
        try:
            await self._find_sandbox()
        except NotInstalledError as error:
            logger.warning("no sandbox", extra={"problem": error.detail})

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Answer one request; see `code_agent_service.card` for what can be asked."""
        self._check_skill(request.skill)
        sandbox = await self._find_sandbox()
        files = await self._collect(request.files)
        program = None
        if request.skill != card.WRITE_CODE.id:
            program = await asyncio.to_thread(programs.find_program, request.text, request.data, files)
        model = self._model if program is None else None
        if program is None:
            if model is None:
                raise InvalidRequestError(f"There is nothing here that can be run. {programs.HOW_TO_ASK}")
            yield Progress("Writing a program")
            try:
                code, usage = await authoring.write(model, request.text, files)
            except MODEL_ERRORS as error:
                yield spent(error)
                raise
            yield usage
            program = programs.from_code(code, files)

        yield self._announce(program)
        run = await self._run(sandbox, program)
        if model is not None and _has_failed(run):
            yield Progress("The program failed; writing it again")
            try:
                code, usage = await authoring.repair(model, request.text, files, program.code, run)
            except MODEL_ERRORS as error:
                yield spent(error)
            else:
                yield usage
                program = programs.from_code(code, files)
                yield self._announce(program)
                run = await self._run(sandbox, program)

        yield Answer(
            "result", self._to_text(run, program, written=model is not None), presentation.to_data(run, program.code)
        )
        if model is not None:
            yield Produced(File(program.main, "text/x-python", program.code.encode()))
        for file in run.files:
            yield Produced(presentation.to_file(file))
        if _has_failed(run):
            words = presentation.tail(run.stderr)
            reason = presentation.explain(run, sandbox.limits)
            raise ProgramFailedError(f"{reason}\n{words}" if words else reason, stopped_by=run.stopped_by)

    def _check_skill(self, skill: str | None) -> None:
        if skill not in {None, card.RUN_CODE.id, card.WRITE_CODE.id}:
            raise InvalidRequestError(f"The code agent has no skill {skill!r}; its card lists those it has.")
        if skill == card.WRITE_CODE.id and self._model is None:
            raise NotInstalledError(
                "Writing code needs a language model: set OPENAI_API_KEY, GROQ_API_KEY or LLM_BASE_URL. Code that is "
                "given can be run without one."
            )

    async def _find_sandbox(self) -> Sandbox:
        """Return the sandbox; look again, where there was none, for it may have been installed since."""
        async with self._opening:
            if self._sandbox is None:
                try:
                    self._sandbox = await open_sandbox(self._settings)
                except NotInstalledError as error:
                    self._problem = error.detail
                    raise
                self._problem = None
            return self._sandbox

    async def _collect(self, files: Sequence[File]) -> list[WorkFile]:
        """Return the attached files under plain names, those given by address fetched."""
        names = programs.name_files([file.name for file in files])
        return [WorkFile(name, await self._read(file)) for name, file in zip(names, files, strict=True)]

    async def _read(self, file: File) -> bytes:
        if file.url is None:
            return file.content or b""
        most = self._settings.sandbox_disk_mb * 1024 * 1024 // 2
        fetched = await fetch(self._client, file.url, timeout_s=_FETCH_TIMEOUT_S, max_bytes=most)
        if fetched.status >= 400:
            raise UnavailableError(f"The file {file.name!r} cannot be fetched: {file.url} answered {fetched.status}.")
        return fetched.content

    def _announce(self, program: Program) -> Progress:
        if self._slots.locked():
            return Progress(f"Waiting: {self._settings.sandbox_max_runs} programs are running (SANDBOX_MAX_RUNS)")
        return Progress(f"Running {program.main} in the sandbox")

    async def _run(self, sandbox: Sandbox, program: Program) -> Run:
        async with self._slots:
            run = await sandbox.run(program)
        logger.info(
            "program ended",
            extra={"exit_code": run.exit_code, "stopped_by": run.stopped_by, "duration_s": round(run.duration_s, 3)},
        )
        return run

    def _to_text(self, run: Run, program: Program, *, written: bool) -> str:
        text = presentation.to_text(run, Limits.from_settings(self._settings))
        return f"{text}\n\nThe program:\n\n{presentation.fence(program.code, 'python')}" if written else text


def _has_failed(run: Run) -> bool:
    return run.exit_code != 0
