"""The code agent: takes a request apart, lets a skill do it, keeps the session's files, hands over what was made."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final

import httpx

from code_agent_service import archives, card, documenting, names, presentation, reviewing, running, testing, writing
from code_agent_service.bench import Bench, Finished, Given
from code_agent_service.runs import WorkFile
from code_agent_service.sandbox import Sandbox, open_sandbox
from code_agent_service.settings import Settings
from code_agent_service.wheels import Wheels
from code_agent_service.workspaces import Workspaces
from shared.agent import AgentRequest, Answer, File, JsonObject, OpenAgent, Produced, Progress, Update
from shared.background import background
from shared.errors import InvalidRequestError, NotInstalledError, UnavailableError
from shared.http import fetch, open_client
from shared.llm import Model, Models, open_models

logger = logging.getLogger(__name__)

_FETCH_TIMEOUT_S: Final = 30.0
_MIB: Final = 1024 * 1024
_ANSWER_BYTES: Final = 4 * _MIB - 160 * 1024  # what is taken of an A2A answer, but for what stands around its parts
_FILES_BYTES: Final = 2816 * 1024
_ARCHIVE: Final = "files.zip"
_ASKS: Final = re.compile(
    r"\W*(?:(?:please|kindly|can|could|would|you)\s+)*(?P<verb>test|review|document|write)\b", re.IGNORECASE
)
_BY_VERB: Final = {
    "test": card.TEST_CODE.id,
    "review": card.REVIEW_CODE.id,
    "document": card.DOCUMENT_CODE.id,
    "write": card.WRITE_CODE.id,
}


@asynccontextmanager
async def open_agent(settings: Settings) -> AsyncGenerator[OpenAgent]:
    """Open the agent. Without a working sandbox it opens as well, says so, and refuses to run anything."""
    async with open_models(settings) as models, open_client(settings) as client:
        agent = _CodeAgent(settings, models, client)
        await agent.look_for_sandbox()
        async with background("tidying workspaces", agent.workspaces.keep_tidy()):
            yield OpenAgent(agent.answer, agent.problems)


class _CodeAgent:
    def __init__(self, settings: Settings, models: Models, client: httpx.AsyncClient) -> None:
        self.workspaces = Workspaces(settings)
        self._settings = settings
        self._models = models
        self._client = client
        self._wheels = Wheels(settings)
        self._slots = asyncio.Semaphore(settings.sandbox_max_runs)
        self._opening = asyncio.Lock()
        self._sandbox: Sandbox | None = None
        self._problem = ""

    def problems(self) -> list[str]:
        """Return what is missing or weaker than it should be, in sentences."""
        caution = self._sandbox.caution if self._sandbox is not None else ""
        return [sentence for sentence in (self._problem, caution) if sentence]

    async def look_for_sandbox(self) -> None:
        """Note whether there is a working sandbox."""
        try:
            await self._find_sandbox()
        except NotInstalledError as error:
            logger.warning("no sandbox", extra={"problem": error.detail})

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Answer one request; see `code_agent_service.card` for what can be asked."""
        model = self._models.of("code", request)
        skill = _choose_skill(request, model)
        bench = Bench(self._settings, await self._find_sandbox(), model, self._slots)
        if self.workspaces.is_busy(request.context_id):
            yield Progress("Waiting: another job of this session is at work")
        async with self.workspaces.turn(request.context_id):
            kept = await self.workspaces.load(request.context_id)
            files = await self._collect(request.files, every_archive=skill != card.RUN_CODE.id)
            given = Given(request.text, request.data, tuple(files), tuple(kept))
            async with aclosing(self._start(skill, given, bench)) as updates:
                async for update in updates:
                    if not isinstance(update, Finished):
                        yield update
                        continue
                    note = await self.workspaces.save(request.context_id, update.folder)
                    for told in await asyncio.to_thread(_hand_over, update, bench, note):
                        yield told
                    if update.error is not None:
                        raise update.error

    def _start(self, skill: str, given: Given, bench: Bench) -> AsyncGenerator[Update | Finished]:
        match skill:
            case card.TEST_CODE.id:
                return testing.test(given, bench)
            case card.REVIEW_CODE.id:
                return reviewing.review(given, bench)
            case card.DOCUMENT_CODE.id:
                return documenting.document(given, bench)
            case card.WRITE_CODE.id if bench.model is not None:
                return writing.write(given, bench, bench.model)
            case _:
                return running.run(given, bench, self._wheels)

    async def _find_sandbox(self) -> Sandbox:
        """Return the sandbox; look again, where there was none, for it may have been installed since."""
        async with self._opening:
            if self._sandbox is None:
                try:
                    self._sandbox = await open_sandbox(self._settings)
                except NotInstalledError as error:
                    self._problem = error.detail
                    raise
                self._problem = ""
            return self._sandbox

    async def _collect(self, files: Sequence[File], *, every_archive: bool) -> list[WorkFile]:
        """Return the attached files under tidy names, those given by address fetched.

        Archives are unpacked: all of them, or those only that a job has handed over.
        """
        tidy = names.tidy([file.name for file in files])
        found = [WorkFile(name, await self._read(file)) for name, file in zip(tidy, files, strict=True)]
        packed = [file for file in found if archives.is_archive(file) and (every_archive or file.name == _ARCHIVE)]
        most_bytes = self._settings.sandbox_disk_mb * _MIB // 2
        return await asyncio.to_thread(_unpack, found, packed, most_bytes) if packed else found

    async def _read(self, file: File) -> bytes:
        if file.url is None:
            return file.content or b""
        most = self._settings.sandbox_disk_mb * _MIB // 2
        fetched = await fetch(self._client, file.url, timeout_s=_FETCH_TIMEOUT_S, max_bytes=most)
        if fetched.status >= 400:
            raise UnavailableError(f"The file {file.name!r} cannot be fetched: {file.url} answered {fetched.status}.")
        return fetched.content


def _choose_skill(request: AgentRequest, model: Model | None) -> str:
    """Return the skill that is asked for, else the one that the words mean, else the one that runs code."""
    skill = request.skill
    if skill is None:
        found = _ASKS.match(request.text[:200])
        skill = _BY_VERB[found["verb"].lower()] if found else card.RUN_CODE.id
        if skill == card.WRITE_CODE.id and model is None:
            skill = card.RUN_CODE.id
    if skill not in card.SKILLS:
        raise InvalidRequestError(f"The code agent has no skill {skill!r}; it has {', '.join(card.SKILLS)}.")
    if skill == card.WRITE_CODE.id and model is None:
        raise NotInstalledError(
            "Writing code needs a language model: set OPENAI_API_KEY, GROQ_API_KEY or LLM_BASE_URL. Code that is "
            "given can be run, tested, reviewed and documented without one."
        )
    return skill


def _unpack(files: Sequence[WorkFile], packed: Sequence[WorkFile], most_bytes: int) -> list[WorkFile]:
    """Return the files with those in archives in their place; one that is also attached by itself is taken as that."""
    plain = {file.name: file for file in files if file not in packed}
    unpacked: dict[str, WorkFile] = {}
    for archive in packed:
        for file in archives.unpack(archive, most_bytes):
            unpacked[file.name] = file
            most_bytes -= len(file.content)
    return list((unpacked | plain).values())


def _hand_over(finished: Finished, bench: Bench, note: str) -> list[Update]:
    """Return the answer of a finished job, its files, and all of them in an archive, as far as an answer has room."""
    ran: JsonObject = {"ran": [*bench.ran], "sandbox": bench.sandbox.kind}
    room = _find_room(finished, ran)
    handed: list[WorkFile] = []
    left_out: list[str] = []
    for file in finished.files:
        if len(file.content) <= room:
            handed.append(file)
            room -= len(file.content)
        else:
            left_out.append(file.name)
    if finished.is_archived and (len(finished.folder) > 1 or not handed):
        archive = archives.pack(finished.folder)
        if len(archive) <= room:
            handed.append(WorkFile(_ARCHIVE, archive))
        else:
            left_out.append(_ARCHIVE)
    told = [finished.text, bench.sandbox.caution, note]
    if left_out:
        told.append(f"Not handed back, for an answer has no room for more: {', '.join(left_out)}")
    data: JsonObject = {**finished.data, "made": presentation.list_files(handed), **ran}
    if bench.sandbox.caution:
        data["caution"] = bench.sandbox.caution
    return [
        Answer("result", "\n\n".join(filter(None, told)), data),
        *(Produced(presentation.to_file(file)) for file in handed),
    ]


def _find_room(finished: Finished, ran: JsonObject) -> int:
    """Return how many bytes of files an answer has room for, as base64, beside what is said."""
    said = json.dumps([finished.text, finished.data, ran], ensure_ascii=False).encode(errors="replace")
    return min(_FILES_BYTES, (_ANSWER_BYTES - len(said)) * 3 // 4)
