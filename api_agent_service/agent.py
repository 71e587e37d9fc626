"""The API agent: which skill a request needs, and what is open while it serves."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import PurePath
from typing import TypeAlias

from api_agent_service import material, work_folders
from api_agent_service.card import ANALYZE, EXTRACT, SUMMARIZE
from api_agent_service.extracting import extract
from api_agent_service.settings import Settings
from api_agent_service.sources import Resources
from api_agent_service.summarizing import summarize
from shared.agent import AgentRequest, File, OpenAgent, Update
from shared.errors import InvalidRequestError
from shared.http import open_client
from shared.llm import open_models

_Skill: TypeAlias = Callable[[AgentRequest, Resources], AsyncGenerator[Update]]

_TABLES = frozenset(
    {".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet", ".json", ".xlsx", ".xlsm", ".xls", ".ods"}
)
_TABLE_TYPES = (
    "text/csv",
    "text/tab-separated-values",
    "application/x-ndjson",
    "application/json",
    "application/jsonl",
    "application/vnd.openxmlformats-officedocument.spreadsheetml",
    "application/vnd.ms-excel",
    "application/vnd.oasis.opendocument.spreadsheet",
)
_EXTRACTING = re.compile(r"\b(?:extract|pull out|parse out|scrape)\b", re.IGNORECASE)
_SUMMARIZING = re.compile(
    r"\b(?:summar[iy]\w*|tl;?dr|condense|shorten|boil down|key points|main points|takeaways|in a nutshell|gist)\b",
    re.IGNORECASE,
)
_ANALYZING = re.compile(
    r"\b(?:profile|average|mean|median|columns?|statistics|correlat\w+|outliers?|distribution|histogram|csv|parquet|dataset|"
    r"how many|group by|per|top \d+|total|sum of|maximum|minimum|max|min|count|chart|plot|missing values)\b",
    re.IGNORECASE,
)


@asynccontextmanager
async def open_agent(settings: Settings) -> AsyncGenerator[OpenAgent]:
    """Open the outgoing client and the models that are configured."""
    async with (
        open_client(settings, timeout_s=settings.fetch_timeout_s) as client,
        open_models(settings) as models,
    ):

        async def answer(request: AgentRequest) -> AsyncGenerator[Update]:
            skill = await _skill(await asyncio.to_thread(choose, request))
            async with work_folders.own(settings) as folder:
                resources = Resources(settings, client, models.of("summarize", request), folder)
                async with aclosing(skill(request, resources)) as updates:
                    async for update in updates:
                        yield update

        await asyncio.to_thread(work_folders.remove_old, settings)

        yield OpenAgent(answer)


def choose(request: AgentRequest) -> str:
    """Return the skill that was asked for, else the one that the words and the material of a request call for.

    Raises: InvalidRequestError for an empty message and for a skill that this agent does not have.
    """
    if not request.text.strip() and not request.files and not request.data:
        raise InvalidRequestError(
            "The message is empty. Say what to do (summarize, analyze or extract), and give a text, table, file or URL."
        )
    if request.skill not in {None, SUMMARIZE, ANALYZE, EXTRACT}:
        raise InvalidRequestError(
            f"This agent has no skill {request.skill!r}; it has {SUMMARIZE}, {ANALYZE} and {EXTRACT}."
        )
    if request.skill == SUMMARIZE and any(map(_is_table, request.files)):
        return ANALYZE  # a profile is the summary of a table
    return request.skill or _guess(request)


def _guess(request: AgentRequest) -> str:
    parameters = material.read_parameters(request)
    table = material.split_table(request.text)
    instruction = f"{parameters.instruction}\n{table.instruction if table.material else request.text[:600]}"
    addresses = (*parameters.urls, *material.urls(request.text[:2_000]))
    tabular = (
        bool(table.material or parameters.sources)
        or any(_has_suffix(address.partition("?")[0]) for address in addresses)
        or any(map(_is_table, request.files))
    )
    if parameters.schema or _EXTRACTING.search(instruction):
        return EXTRACT
    if _SUMMARIZING.search(instruction) and not tabular:
        return SUMMARIZE
    if tabular or _ANALYZING.search(instruction):
        return ANALYZE
    return SUMMARIZE


def _is_table(file: File) -> bool:
    return _has_suffix(file.name) or file.media_type.startswith(_TABLE_TYPES)


def _has_suffix(name: str) -> bool:
    return PurePath(name).suffix.lower() in _TABLES


async def _skill(name: str) -> _Skill:
    match name:
        case "analyze-data":
            return await asyncio.to_thread(_load_analysis)
        case "extract-data":
            return extract
        case _:
            return summarize


def _load_analysis() -> _Skill:
    from api_agent_service.analyzing import analyze  # noqa: PLC0415 - DuckDB: 30 MB that an idle agent does not need

    return analyze
