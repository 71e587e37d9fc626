"""The research graph: plan queries, search all sources at once, read, weigh; again if that is not enough; then write.

    plan ─┬─ search_documents ─┬─ read ── weigh ─┬─ write
      ↑   ├─ search_web ───────┤                 │
      │   └─ search_request ───┘                 │
      └──────────── not enough yet ──────────────┘

There is no checkpointer: the orchestrator's engine is what survives a crash. Importing this module imports LangGraph,
40 MB; the agent does so when the first request comes.
"""

# LangGraph's own types are partly unknown; they stop here.
# pyright: reportUnknownMemberType=false

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Literal, cast

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from a2a_agent_service.question import Question
from a2a_agent_service.research import Research, Searching, State
from shared.agent import File, Update

_MOST_WEB_QUERIES = 2


async def run(
    research: Research, question: Question, files: tuple[File, ...], *, analysis: bool
) -> AsyncGenerator[Update]:
    """Research the question and yield the updates. Raises: FederationError when nothing answers it."""
    state = State(
        question=question,
        files=files,
        analysis=analysis,
        parts=question.parts,
        round=0,
        queries=[],
        searches={},
        looked=[],
        pages=[],
        read_pages=[],
        passages=[],
        searched=[],
        problems=[],
        respelled={},
        model=research.model,
        selected=[],
    )
    limit = 5 * research.settings.research_max_rounds + 5
    updates = _build(research).compile().astream(state, {"recursion_limit": limit}, stream_mode="custom")
    async with aclosing(cast("AsyncGenerator[Update]", updates)) as stream:
        async for update in stream:
            yield update


def _build(research: Research) -> StateGraph[State]:
    graph = StateGraph(State)
    graph.add_node("plan", research.plan)
    graph.add_node("search_documents", research.search_documents, input_schema=Searching)
    graph.add_node("search_web", research.search_web, input_schema=Searching)
    graph.add_node("search_request", research.search_request)
    graph.add_node("read", research.read)
    graph.add_node("weigh", research.weigh)
    graph.add_node("write", research.write)
    searches = ["search_documents", "search_web", "search_request"]
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", _dispatch, [*searches, "read", "write"])
    for search in searches:
        graph.add_edge(search, "read")
    graph.add_edge("read", "weigh")
    graph.add_conditional_edges("weigh", research.decide, ["plan", "write"])
    graph.add_edge("write", END)
    return graph


def _dispatch(state: State) -> Sequence[Send] | Literal["read", "write"]:
    """Start this round's searches, on the web one for each query; without any, read pages or write."""
    sends: list[Send] = []
    for place, queries in state["searches"].items():
        match place:
            case "web":
                sends += [Send("search_web", Searching(queries=[query])) for query in queries[:_MOST_WEB_QUERIES]]
            case "documents":
                sends.append(Send("search_documents", Searching(queries=queries)))
            case _:
                sends.append(Send("search_request", state))
    if sends:
        return sends
    return "read" if set(state["pages"]) - set(state["read_pages"]) else "write"
