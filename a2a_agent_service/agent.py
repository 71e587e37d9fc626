"""The research agent: what it opens, and how a request becomes an answer."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from importlib import import_module

from a2a_agent_service.card import ANALYSIS
from a2a_agent_service.index import DocumentIndex
from a2a_agent_service.question import understand
from a2a_agent_service.research import Research
from a2a_agent_service.settings import Settings
from a2a_agent_service.web import WebSearch
from shared import http, llm
from shared.agent import AgentRequest, OpenAgent, Update
from shared.errors import InvalidRequestError

_ANALYSING = re.compile(r"\b(?:analy[sz]e|analysis|compare|comparison|contrast|weigh|versus|vs)\b", re.IGNORECASE)


@asynccontextmanager
async def open_agent(settings: Settings) -> AsyncGenerator[OpenAgent]:
    """Open the agent: its outgoing client, the model if there is one, and the index of documents."""
    async with http.open_client(settings) as client, llm.open_model(settings) as model:
        folder = settings.research_documents
        index = DocumentIndex(settings.data_dir / "research.db", folder, settings.max_file_bytes)
        opened = Research(settings, client, index, WebSearch(settings, client), model)

        async def answer(request: AgentRequest) -> AsyncGenerator[Update]:
            question = understand(request)
            if not (question.parts or question.urls or request.files):
                raise InvalidRequestError(
                    "The request does not say what to find out. Ask a question, or name a URL or attach a file to read."
                )
            await asyncio.to_thread(import_module, "a2a_agent_service.graph")  # with LangGraph: 40 MB and a second
            from a2a_agent_service.graph import run  # noqa: PLC0415

            analysis = request.skill == ANALYSIS or (
                request.skill is None and _ANALYSING.search(question.text) is not None
            )
            async with aclosing(run(opened, question, request.files, analysis=analysis)) as updates:
                async for update in updates:
                    yield update

        def problems() -> list[str]:
            if folder.is_dir():
                return []
            return [f"The documents folder {str(folder)!r} does not exist; set RESEARCH_DOCUMENTS to a folder."]

        yield OpenAgent(answer, problems)
