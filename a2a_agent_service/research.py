"""What the nodes of the research graph do, and the state they share.

A node tells what it does, and gives its answer, as updates in the graph's custom stream.
"""

import asyncio
import operator
import threading
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypedDict

import httpx

from a2a_agent_service import outcome, prompts, reading, writing
from a2a_agent_service.index import DocumentIndex
from a2a_agent_service.outcome import Problem
from a2a_agent_service.passages import Passage, Source, split
from a2a_agent_service.question import Question, search_words
from a2a_agent_service.ranking import Ranked, frequent, missing, rank, select, share
from a2a_agent_service.settings import Settings
from a2a_agent_service.web import WebSearch
from shared.agent import File, Progress, Update, Usage
from shared.documents import Document
from shared.errors import FederationError, ModelAnswerError, UnavailableError
from shared.llm import MODEL_ERRORS, Model, spent

_ANSWERED = 0.51
_ANSWERED_BY_NAMED = 0.3
_ENOUGH = 0.75
_MOST_WEB_PAGES = 4


class State(TypedDict):
    """What is known so far. Lists that nodes running at once add to are joined.

    `parts` are what the answer must speak of, `searches` what this round searches for and where, `looked` where was
    searched, `respelled` words that are looked for in another spelling, `model` the model unless it failed.
    """

    question: Question
    files: tuple[File, ...]
    analysis: bool
    parts: tuple[str, ...]
    round: int
    queries: list[str]
    searches: dict[str, list[str]]
    looked: list[str]
    pages: Annotated[list[str], operator.add]
    read_pages: list[str]
    passages: Annotated[list[Passage], operator.add]
    searched: Annotated[list[str], operator.add]
    problems: Annotated[list[Problem], operator.add]
    respelled: dict[str, str]
    model: Model | None
    selected: list[Ranked]


class Searching(TypedDict):
    """What the searches of documents and web are sent."""

    queries: list[str]


@dataclass(frozen=True, slots=True)
class Research:
    """The graph's nodes, and what they work with."""

    settings: Settings
    client: httpx.AsyncClient
    index: DocumentIndex
    web: WebSearch
    model: Model | None
    _refreshing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def plan(self, state: State) -> dict[str, object]:
        """Decide what this round searches for, and where."""
        number = state["round"] + 1
        question = state["question"]
        respelled = await self._respell(state) if number > 1 else {}
        parts = tuple(" ".join(respelled.get(word, word) for word in part.split()) for part in state["parts"])
        queries, model = await self._ask_for_queries(state)
        proposed = [*(question.queries if number == 1 else parts), *queries]
        new = [query for query in dict.fromkeys(proposed) if query and query not in state["queries"]]
        queries = state["queries"] + new
        kinds = self._kinds(state, number, new)
        return {
            "round": number,
            "parts": parts,
            "queries": queries,
            "searches": {kind: new if kind in state["looked"] else queries for kind in kinds},
            "looked": state["looked"] + kinds,
            "pages": list(question.urls) if number == 1 else [],
            "respelled": state["respelled"] | respelled,
            "model": model,
        }

    async def search_documents(self, state: Searching) -> dict[str, object]:
        """Bring the index of the documents folder up to date and search it."""
        queries = state["queries"]
        folder = self.index.folder
        _tell(Progress(f"Searching the documents in {folder} for: {'; '.join(queries)}"))
        stop = threading.Event()
        try:
            async with self._refreshing:
                there = await asyncio.to_thread(self.index.refresh, stop)
            passages = await asyncio.to_thread(self.index.search, queries)
        except FederationError as error:
            return {"problems": [Problem("", error.detail, error.retryable)]}
        finally:
            stop.set()  # the thread outlives a task that is cancelled
        problems = [Problem(str(folder / name), reason) for name, reason in there.problems.items()]
        found = f"{_counted(there.files, 'document')} in {folder}"
        return {"passages": passages, "problems": problems, "searched": [found]}

    async def search_web(self, state: Searching) -> dict[str, object]:
        """Search the web for one query."""
        query = state["queries"][0]
        _tell(Progress(f"Searching the web for: {query}"))
        try:
            hits = await self.web.search(query)
        except UnavailableError as error:
            return {"problems": [Problem("", error.detail, error.retryable)]}
        passages = [
            passage for hit in hits for passage in split(Document(hit.title, hit.text), Source(hit.title, url=hit.url))
        ]
        return {"passages": passages, "pages": [hit.url for hit in hits], "searched": ["the web"]}

    async def search_request(self, state: State) -> dict[str, object]:
        """Read what came with the request: files, and text such as earlier results."""
        passages = await asyncio.to_thread(reading.read_material, state["question"].material)
        searched = ["the text in the request"] if passages else []
        problems: list[Problem] = []
        if state["files"]:
            _tell(Progress(f"Reading {_counted(len(state['files']), 'attached file')}"))
        for file in state["files"]:
            name = file.name or file.url or "attached file"
            try:
                passages += await reading.read_file(self.settings, self.client, file)
                searched.append(name)
            except FederationError as error:
                problems.append(Problem(name, error.detail, error.retryable))
        return {"passages": passages, "searched": searched, "problems": problems}

    async def read(self, state: State) -> dict[str, object]:
        """Read the pages that were named or found, all at once."""
        named = state["question"].urls
        hits = [page for page in dict.fromkeys(state["pages"]) if page not in (*state["read_pages"], *named)]
        fresh = [page for page in named if page not in state["read_pages"]] + hits[:_MOST_WEB_PAGES]
        if not fresh:
            return {}
        _tell(Progress(f"Reading {_counted(len(fresh), 'page')}"))
        async with asyncio.TaskGroup() as group:
            tasks = {url: group.create_task(self._read_page(url)) for url in fresh}
        outcomes = {url: task.result() for url, task in tasks.items()}
        read = {url: found for url, found in outcomes.items() if not isinstance(found, Problem)}
        return {
            "read_pages": state["read_pages"] + fresh + hits[_MOST_WEB_PAGES:],
            "passages": [passage for passages in read.values() for passage in passages],
            "searched": list(read),
            "problems": [found for url, found in outcomes.items() if url in named and isinstance(found, Problem)],
        }

    async def weigh(self, state: State) -> dict[str, object]:
        """Choose the passages that answer best."""
        most = self.settings.research_max_passages
        return {"selected": await asyncio.to_thread(_choose, state["passages"], state["queries"], most)}

    def decide(self, state: State) -> Literal["plan", "write"]:
        """Say whether another round may find what is still missing."""
        question = state["question"]
        if state["round"] >= self.settings.research_max_rounds or not state["parts"]:
            return "write"
        if _names_sources(state) and not state["passages"] and "documents" not in state["looked"]:
            return "write"  # what was named cannot be read; other sources would answer another question
        passages = [found.passage for found in state["selected"]]
        proposed = [query for query in state["queries"] if query not in question.queries] if state["model"] else []
        enough = all(share(part, passages) >= _ENOUGH for part in state["parts"])
        return "write" if enough or any(share(query, passages) >= _ENOUGH for query in proposed) else "plan"

    async def write(self, state: State) -> dict[str, object]:
        """Write the answer: by the model where there is one and its citations hold, else in the sources' own words."""
        passages = [found.passage for found in state["selected"]]
        least = _ANSWERED_BY_NAMED if _names_sources(state) else _ANSWERED
        unanswered = [part for part in state["parts"] if share(part, passages) < least]
        nothing = bool(state["parts"]) and len(unanswered) == len(state["parts"])
        model = state["model"]
        if not passages or (nothing and model is None):
            raise self._nothing_found(state)
        _tell(Progress(f"Writing from {_counted(len(passages), 'passage')}"))
        written = await self._ask_for_answer(model, state, passages) if model is not None else None
        if written is not None:
            cited = {number: passages[number - 1] for number in written.cited}
            text, unanswered = written.kept, list[str]()
        elif nothing:
            raise self._nothing_found(state)
        else:
            quotes = writing.quote(state["selected"])
            cited = {entry.number: entry.passage for entry in quotes}
            subjects = state["question"].subjects
            text = writing.write_analysis(quotes, subjects) if state["analysis"] else writing.write_research(quotes)
        if not cited:
            raise self._nothing_found(state)
        gaps = outcome.Gaps(unanswered, state["respelled"], state["problems"])
        _tell(outcome.answer(text, cited, state["queries"], gaps))
        return {}

    def _kinds(self, state: State, number: int, new: list[str]) -> list[str]:
        """Return where this round searches. What the sender named comes first; the rest is for what it lacks."""
        question, looked = state["question"], state["looked"]
        named = _names_sources(state)
        last = number == self.settings.research_max_rounds
        kinds: list[str] = []
        if number == 1 and (state["files"] or question.material):
            kinds.append("request")
        if not state["queries"] and not new:
            return kinds
        if (new or "documents" not in looked) and (question.wants_documents or not named or number > 1):
            kinds.append("documents")
        documents_only = question.wants_documents and not question.wants_web
        web_may_help = self.settings.research_web and not documents_only and (new or "web" not in looked)
        now = question.wants_web or number > 1 or (last and not named) or not self.index.folder.is_dir()
        if web_may_help and now:
            kinds.append("web")
        return kinds

    async def _respell(self, state: State) -> dict[str, str]:
        """Return the question's words that no document has, each with the most similar one that some document has."""
        passages = [found.passage for found in state["selected"]]
        lost = {word for part in state["parts"] for word in missing(part, passages)}
        if not lost or "documents" not in state["looked"]:
            return {}
        try:
            return await asyncio.to_thread(self.index.respell, sorted(lost))
        except UnavailableError:
            return {}

    async def _ask_for_queries(self, state: State) -> tuple[list[str], Model | None]:
        """Return what the model would search for, and the model if it can be asked again."""
        model = state["model"]
        if model is None or not state["parts"]:
            return [], model
        _tell(Progress("Asking the language model what to search for"))
        prompt = prompts.plan_queries(state["question"].text, state["queries"])
        try:
            answer, usage = await model.structured(prompt, prompts.SearchQueries, system=prompts.SYSTEM)
        except MODEL_ERRORS as error:
            _tell(spent(error))
            _tell(Progress(f"Searching for the question's own words: {error.detail}"))
            return [], model if isinstance(error, ModelAnswerError) else None
        _tell(usage)
        return [search_words(query[:200]) for query in answer.queries], model

    async def _ask_for_answer(self, model: Model, state: State, passages: list[Passage]) -> writing.Checked | None:
        """Return the model's answer with citations that exist, or None where it gave none in two attempts.

        Raises: NotFoundError when the model finds no answer in the passages.
        """
        question = state["question"].text or "What do the passages say?"
        prompt = first = prompts.write(question, passages, compare=state["analysis"])
        checked: writing.Checked | None = None
        for _ in range(2):
            try:
                completion = await model.complete(prompt, system=prompts.SYSTEM)
            except MODEL_ERRORS as error:
                _tell(spent(error))
                _tell(Progress(f"Quoting the sources: {error.detail}"))
                break
            _tell(completion.usage)
            if completion.text.strip().strip(".*").upper() == prompts.NOT_FOUND:
                raise self._nothing_found(state)
            checked = writing.check(completion.text, len(passages))
            if checked.cited and not checked.unknown:
                return checked
            prompt = prompts.repair(first, completion.text, checked.unknown, len(passages))
        return checked if checked is not None and checked.cited else None

    def _nothing_found(self, state: State) -> FederationError:
        return outcome.nothing_found(state["question"], state["searched"], state["problems"])

    async def _read_page(self, url: str) -> list[Passage] | Problem:
        try:
            return await reading.read_page(self.settings, self.client, url)
        except FederationError as error:
            return Problem(url, error.detail, error.retryable)


def _tell(update: Update) -> None:
    from langgraph.config import get_stream_writer  # noqa: PLC0415 - an idle service does not carry LangGraph

    if update != Usage():
        get_stream_writer()(update)


def _names_sources(state: State) -> bool:
    """Say whether the sender named what to read: that need speak of less of the question to be an answer."""
    return bool(state["question"].urls or state["files"])


def _choose(passages: list[Passage], queries: list[str], most: int) -> list[Ranked]:
    return select([rank(passages, query) for query in queries or [frequent(passages)]], most)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
