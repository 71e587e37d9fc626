"""The research graph: understand, plan queries, search all sources at once, read, weigh; again if that is not enough;
then write, and check what was written against what it cites.

    understand ── plan ─┬─ search (documents, web) ─┬─ read ── weigh ─┬─ write ── check
                  ↑  │  └─ search_request ──────────┘                 │
                  │  └─ ask                                           │
                  └───────────────── not enough yet ──────────────────┘

Its state is kept after each node (`checkpoints`), so that a run whose process was killed goes on where it was.
Importing this module imports LangGraph, 40 MB; the agent does so when the first request comes.
"""

# LangGraph's own types are partly unknown; they stop here.
# pyright: reportUnknownMemberType=false

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal, cast

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from a2a_agent_service.checkpoints import Checkpoints
from a2a_agent_service.research import Research
from a2a_agent_service.state import Searching, State
from shared.agent import InputRequired, Update
from shared.errors import FederationError

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.graph.state import CompiledStateGraph


async def run(research: Research, checkpoints: Checkpoints, first: State) -> AsyncGenerator[Update]:
    """Research from the state `first`, or from where this request was when its process ended; yield the updates.

    Raises: FederationError when nothing answers the question.
    """
    graph = _build(research).compile(checkpointer=await checkpoints.saver())
    limit = 5 * research.settings.research_max_rounds + 8
    config: RunnableConfig = {"configurable": {"thread_id": research.request.task_id}, "recursion_limit": limit}
    before = await graph.aget_state(config)
    kept = cast("State | dict[str, object]", before.values)
    begun = kept.get("message_id") == first["message_id"] and bool(before.tasks)
    if begun:
        yield cast("State", kept)["usage"]
    elif kept:  # this request answers a question; files that came with the first one still count
        first["files"] = first["files"] or tuple(cast("State", kept)["files"])
        await checkpoints.forget(research.request.task_id)
    waits = False
    try:
        async with aclosing(_stream(graph, None if begun else first, config)) as stream:
            async for update in stream:
                waits = isinstance(update, InputRequired)
                yield update
    except FederationError:
        await checkpoints.forget(research.request.task_id)
        raise
    if not waits:
        await checkpoints.forget(research.request.task_id)


def _stream(
    graph: "CompiledStateGraph[State]", first: State | None, config: "RunnableConfig"
) -> AsyncGenerator[Update]:
    updates = graph.astream(first, config, stream_mode="custom", durability="sync")
    return cast("AsyncGenerator[Update]", updates)


def _build(research: Research) -> StateGraph[State]:
    graph = StateGraph(State)
    graph.add_node("understand", research.understand)
    graph.add_node("plan", research.plan)
    graph.add_node("ask", research.ask)
    graph.add_node("search", research.search, input_schema=Searching)
    graph.add_node("search_request", research.search_request)
    graph.add_node("read", research.read)
    graph.add_node("weigh", research.weigh)
    graph.add_node("write", research.write)
    graph.add_node("check", research.check)
    graph.add_edge(START, "understand")
    graph.add_edge("understand", "plan")
    graph.add_conditional_edges("plan", _dispatch, ["ask", "search", "search_request", "read", "write"])
    graph.add_edge("ask", END)
    graph.add_edge("search", "read")
    graph.add_edge("search_request", "read")
    graph.add_edge("read", "weigh")
    graph.add_conditional_edges("weigh", research.decide, ["plan", "write"])
    graph.add_edge("write", "check")
    graph.add_edge("check", END)
    return graph


def _dispatch(state: State) -> Sequence[Send] | Literal["ask", "read", "write"]:
    """Start this round's searches; without any, read pages or write."""
    if state["asks"]:
        return "ask"
    about = state["question"].text
    sends = [
        Send("search_request", state)
        if source == "request"
        else Send("search", Searching(source=source, queries=queries, question=about))
        for source, queries in state["searches"].items()
    ]
    if sends:
        return sends
    return "read" if set(state["pages"]) - set(state["read_pages"]) else "write"
