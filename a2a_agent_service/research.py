"""What the nodes of the research graph do.

A node tells what it does, and gives its answer, as updates in the graph's custom stream.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from a2a_agent_service import follow_up, outcome, prompts, reading, support, writing
from a2a_agent_service.memory import Memory, session_of
from a2a_agent_service.outcome import Problem
from a2a_agent_service.passages import Passage
from a2a_agent_service.question import search_words
from a2a_agent_service.ranking import Ranked, coverage, frequent, missing, rank, select
from a2a_agent_service.reading import Reader
from a2a_agent_service.settings import Settings
from a2a_agent_service.sources.documents import Documents
from a2a_agent_service.sources.source import Source
from a2a_agent_service.sources.web import Web
from a2a_agent_service.state import Searching, State
from a2a_agent_service.support import Doubt
from a2a_agent_service.writing import Draft
from shared import failpoints
from shared.agent import AgentRequest, InputRequired, Progress, Update, Usage
from shared.errors import FederationError, ModelAnswerError, UnavailableError
from shared.llm import MODEL_ERRORS, Model, Models, spent

_ANSWERED = 0.51
_ANSWERED_BY_NAMED = 0.3
_ENOUGH = 0.75
_MOST_WEB_PAGES = 4
_MOST_DOUBTS = 12


@dataclass(frozen=True, slots=True)
class Research:
    """The graph's nodes for one request, and what they work with."""

    settings: Settings
    documents: Documents
    web: Web
    reader: Reader
    memory: Memory
    models: Models
    request: AgentRequest

    async def understand(self, state: State) -> dict[str, object]:
        """Recall what was found earlier in the session; a question that goes on from there is completed by it.

        Passages of the documents folder are not recalled: what is in it now decides.
        """
        findings = await self.memory.recall(session_of(self.request))
        if not findings:
            return {}
        question = follow_up.completed(state["question"], findings[0].question)
        known = [passage for finding in findings for passage in finding.passages]
        passages = [passage for passage in known if passage.source.path is None]
        return {"question": question, "parts": question.parts, "passages": passages}

    async def plan(self, state: State) -> dict[str, object]:
        """Decide what this round searches for, and where; or what to ask the person first."""
        number = state["round"] + 1
        question = state["question"]
        respelled = await self._respell(state) if number > 1 else {}
        parts = tuple(" ".join(respelled.get(word, word) for word in part.split()) for part in state["parts"])
        answer, usage, failed = await self._ask_for_queries(state)
        if answer.ask and not state["has_asked"] and number == 1:
            return {"asks": answer.ask, "usage": usage}
        asked_for = [search_words(query[:200]) for query in answer.queries]
        proposed = [*(question.queries if number == 1 else parts), *asked_for]
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
            "model_failed": state["model_failed"] or failed,
            "usage": usage,
        }

    async def ask(self, state: State) -> dict[str, object]:
        """Ask the person what is meant; the answer begins a new run."""
        _tell(InputRequired(state["asks"]))
        return {}

    async def search(self, state: Searching) -> dict[str, object]:
        """Search one source."""
        source: Source = self.web if state["source"] == "web" else self.documents
        _tell(Progress(source.announce(state["queries"])))
        found = await source.find(state["queries"], state["question"])
        return {
            "passages": list(found.passages),
            "pages": list(found.pages),
            "searched": list(found.searched),
            "problems": list(found.problems),
        }

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
                passages += await self.reader.read_file(file)
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
        usage = sum((spent for _, spent in read.values()), Usage())
        _tell(usage)
        return {
            "read_pages": state["read_pages"] + fresh + hits[_MOST_WEB_PAGES:],
            "passages": [passage for passages, _ in read.values() for passage in passages],
            "searched": list(read),
            "problems": [found for url, found in outcomes.items() if url in named and isinstance(found, Problem)],
            "usage": usage,
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
        selected = state["selected"]
        by_model = self._model(state) is not None
        proposed = [query for query in state["queries"] if query not in question.queries] if by_model else []
        enough = all(coverage(part, selected) >= _ENOUGH for part in state["parts"])
        return "write" if enough or any(coverage(query, selected) >= _ENOUGH for query in proposed) else "plan"

    async def write(self, state: State) -> dict[str, object]:
        """Write the answer: by the model where there is one and its citations exist, else in the sources' own words."""
        passages = [found.passage for found in state["selected"]]
        least = _ANSWERED_BY_NAMED if _names_sources(state) else _ANSWERED
        unanswered = [part for part in state["parts"] if coverage(part, state["selected"]) < least]
        nothing = bool(state["parts"]) and len(unanswered) == len(state["parts"])
        model = self._model(state)
        if not passages or (nothing and model is None):
            raise self._nothing_found(state)
        _tell(Progress(f"Writing from {_counted(len(passages), 'passage')}"))
        written, usage, cut = (
            (None, Usage(), "") if model is None else await self._ask_for_answer(model, state, passages)
        )
        problems = [Problem("", cut)] if written is not None and cut else []
        if written is not None:
            draft, unanswered = Draft(written.kept, dict(enumerate(passages, 1)), is_quoted=False), list[str]()
        elif nothing:
            raise self._nothing_found(state)
        else:
            quotes = writing.quote(state["selected"])
            subjects = state["question"].subjects
            text = writing.write_analysis(quotes, subjects) if state["analysis"] else writing.write_research(quotes)
            draft = Draft(text, {entry.number: entry.passage for entry in quotes}, is_quoted=True)
        return {"draft": draft, "unanswered": unanswered, "problems": problems, "usage": usage}

    async def check(self, state: State) -> dict[str, object]:
        """Hold every cited sentence against its passage, give the answer, and remember what it cites.

        A sentence that another passage says is cited from there; one with a figure that none has goes. One that says
        something else in other words is judged by a model where there is one, and marked where there is none.
        """
        failpoints.reach("research-check")
        draft = state["draft"]
        text, cited, dropped = "", dict[int, Passage](), list[str]()
        if draft is not None and draft.is_quoted:
            text, cited = draft.text, dict(draft.passages)
        elif draft is not None:
            text, dropped = await self._checked(draft)
            cited = {number: draft.passages[number] for number in sorted(set(writing.cited_numbers(text)))}
        if not cited:
            raise self._nothing_found(state)
        gaps = outcome.Gaps(state["unanswered"], state["respelled"], state["problems"], dropped)
        await self.memory.keep(session_of(self.request), state["question"].text, cited)
        _tell(outcome.answer(text, cited, state["queries"], gaps))
        return {}

    async def _checked(self, draft: Draft) -> tuple[str, list[str]]:
        """Return the text without what its sources do not say, and the sentences that are gone."""
        doubted = support.doubts(draft.text, draft.passages)
        wrong = [doubt for doubt in doubted if doubt.better is None and doubt.about == "figures"]
        unsure = [doubt for doubt in doubted if doubt.better is None and doubt.about == "words"]
        judge = self.models.of("judge", self.request)
        if unsure and judge is not None:
            _tell(Progress(f"Checking {_counted(len(unsure), 'sentence')} against the sources"))
            try:
                refuted = await _refuted(judge, unsure[:_MOST_DOUBTS], draft.passages)
            except MODEL_ERRORS as error:
                _tell(spent(error))
            else:
                wrong += refuted
                unsure = unsure[_MOST_DOUBTS:]
        return support.settle(draft.text, doubted, wrong, unsure), [doubt.sentence for doubt in wrong]

    def _model(self, state: State) -> Model | None:
        return None if state["model_failed"] else self.models.of("research", self.request)

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
        now = question.wants_web or number > 1 or (last and not named) or not self.documents.index.folder.is_dir()
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
            return await asyncio.to_thread(self.documents.index.respell, sorted(lost))
        except UnavailableError:
            return {}

    async def _ask_for_queries(self, state: State) -> tuple[prompts.SearchQueries, Usage, bool]:
        """Return what the model would search for or ask back, what that cost, and whether it is away for good."""
        model = self._model(state)
        if model is None or not state["parts"]:
            return prompts.SearchQueries(), Usage(), False
        _tell(Progress("Asking the language model what to search for"))
        earlier = [finding.question for finding in await self.memory.recall(session_of(self.request))]
        prompt = prompts.plan_queries(state["question"].text, state["queries"], earlier)
        try:
            answer, usage = await model.structured(prompt, prompts.SearchQueries, system=prompts.SYSTEM)
        except MODEL_ERRORS as error:
            usage = spent(error)
            _tell(usage)
            _tell(Progress(f"Searching for the question's own words: {error.detail}"))
            return prompts.SearchQueries(), usage, not isinstance(error, ModelAnswerError)
        _tell(usage)
        return answer, usage, False

    async def _ask_for_answer(
        self, model: Model, state: State, passages: list[Passage]
    ) -> tuple[writing.Checked | None, Usage, str]:
        """Return the model's answer with citations that exist, or None where it gave none in two attempts; its cost.

        Last, why the answer ends in the middle, where it does.

        Raises: NotFoundError when the model finds no answer in the passages.
        """
        question = state["question"].text or "What do the passages say?"
        prompt = first = prompts.write(question, passages, compare=state["analysis"])
        checked: writing.Checked | None = None
        usage, cut = Usage(), ""
        for _ in range(2):
            try:
                completion = await model.complete(prompt, system=prompts.SYSTEM)
            except MODEL_ERRORS as error:
                usage += spent(error)
                _tell(spent(error))
                _tell(Progress(f"Quoting the sources: {error.detail}"))
                break
            usage += completion.usage
            _tell(completion.usage)
            if completion.text.strip().strip(".*").upper() == prompts.NOT_FOUND:
                raise self._nothing_found(state)
            checked, cut = writing.check(completion.text, len(passages)), completion.cut
            if checked.cited and not checked.unknown:
                return checked, usage, cut
            prompt = prompts.repair(first, completion.text, checked.unknown, len(passages))
        return (checked if checked is not None and checked.cited else None), usage, cut

    def _nothing_found(self, state: State) -> FederationError:
        return outcome.nothing_found(state["question"], state["searched"], state["problems"])

    async def _read_page(self, url: str) -> tuple[list[Passage], Usage] | Problem:
        try:
            return await self.reader.read_page(url)
        except FederationError as error:
            return Problem(url, error.detail, error.retryable)


async def _refuted(judge: Model, unsure: list[Doubt], passages: Mapping[int, Passage]) -> list[Doubt]:
    """Return the sentences that a model does not find in their passages. Raises: one of MODEL_ERRORS."""
    asked = [(doubt.sentence, [passages[number] for number in doubt.numbers if number in passages]) for doubt in unsure]
    verdicts, usage = await judge.structured(prompts.judge(asked), prompts.Verdicts, system=prompts.JUDGE)
    _tell(usage)
    return [doubt for number, doubt in enumerate(unsure, 1) if number not in verdicts.supported]


def _tell(update: Update) -> None:
    from langgraph.config import get_stream_writer  # noqa: PLC0415 - an idle service does not carry LangGraph

    if not isinstance(update, Usage) or update:
        get_stream_writer()(update)


def _names_sources(state: State) -> bool:
    """Say whether the sender named what to read: that need speak of less of the question to be an answer."""
    question = state["question"]
    return bool(question.urls or state["files"] or question.is_about_material)


def _choose(passages: list[Passage], queries: list[str], most: int) -> list[Ranked]:
    return select([rank(passages, query) for query in queries or [frequent(passages)]], most)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
