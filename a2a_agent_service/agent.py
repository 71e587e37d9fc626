"""The research agent: what it opens, and how a request becomes an answer."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from importlib import import_module

from a2a_agent_service import state
from a2a_agent_service.browser_pages import BrowserPages
from a2a_agent_service.card import ANALYSIS
from a2a_agent_service.checkpoints import Checkpoints
from a2a_agent_service.index import DocumentIndex
from a2a_agent_service.memory import open_memory
from a2a_agent_service.question import of_all, understand
from a2a_agent_service.reading import Reader
from a2a_agent_service.research import Research
from a2a_agent_service.settings import Settings
from a2a_agent_service.sources.documents import open_documents
from a2a_agent_service.sources.web import Web
from shared import http, llm, mcp_tools
from shared.agent import AgentRequest, OpenAgent, Update
from shared.errors import InvalidRequestError

_ANALYSING = re.compile(r"\b(?:analy[sz]e|analysis|compare|comparison|contrast|weigh|versus|vs)\b", re.IGNORECASE)


@asynccontextmanager
async def open_agent(settings: Settings) -> AsyncGenerator[OpenAgent]:
    """Open the agent: its outgoing client, the models that are configured, its memory, and the index of documents."""
    folder = settings.research_documents
    index = DocumentIndex(settings.data_dir / "research.db", folder, settings.max_file_bytes)
    checkpoints = Checkpoints(settings)
    async with (
        http.open_client(settings) as client,
        llm.open_models(settings, in_graph=True) as models,
        open_memory(settings) as memory,
        mcp_tools.open_tools(settings, mcp_tools.read_servers(settings.mcp_servers)) as tools,
        open_documents(settings, client, index) as documents,
    ):
        web = Web(settings, client, tools)

        async def answer(request: AgentRequest) -> AsyncGenerator[Update]:
            whole = _whole(request)
            question = understand(whole)
            if not (question.parts or question.urls or whole.files):
                raise InvalidRequestError(
                    "The request does not say what to find out. Ask a question, or name a URL or attach a file to read."
                )
            await asyncio.to_thread(import_module, "a2a_agent_service.graph")  # with LangGraph: 40 MB and a second
            from a2a_agent_service.graph import run  # noqa: PLC0415

            analysis = request.skill == ANALYSIS or (
                request.skill is None and _ANALYSING.search(question.text) is not None
            )
            question = of_all(question) if analysis else question
            browser = BrowserPages(settings, client, request) if settings.research_browser else None
            reader = Reader(settings, client, browser)
            research = Research(settings, documents, web, reader, memory, models, request)
            has_asked = bool(request.history)
            first = state.begin(request.message_id, question, whole.files, analysis=analysis, has_asked=has_asked)
            async with aclosing(run(research, checkpoints, first)) as updates:
                async for update in updates:
                    yield update

        def problems() -> list[str]:
            return [*filter(None, [settings.find_documents_problem()])]

        try:
            yield OpenAgent(answer, problems, checkpoints.forget, checkpoints.retain)
        finally:
            await checkpoints.close()


def _whole(request: AgentRequest) -> AgentRequest:
    """Return the request with what the person said and attached before, if it answers a question of ours."""
    before = [turn for turn in request.history if turn.role == "user"]
    text = "\n".join([*(turn.text for turn in before), request.text])
    files = tuple(file for turn in before for file in turn.files) + request.files
    return replace(request, text=text, files=files) if before else request
