"""The skill `analyze-data`: a profile of a table, or answers to questions about it, and a chart.

This module loads DuckDB; the agent imports it when the first table comes.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from api_agent_service import (
    answers,
    asking,
    charts,
    data_analysis,
    database,
    markdown,
    material,
    questions,
    report,
    spreadsheets,
    tables,
)
from api_agent_service.answers import Answered
from api_agent_service.database import Database, in_thread
from api_agent_service.material import Source
from api_agent_service.question_items import itemize
from api_agent_service.report import Section
from api_agent_service.sources import Resources, Work, fetch_all, prepare
from api_agent_service.tables import Table
from api_agent_service.vocabulary import Vocabulary
from shared.agent import AgentRequest, Answer, File, JsonObject, Produced, Progress, Update
from shared.errors import InvalidRequestError
from shared.llm import MODEL_ERRORS, spent

logger = logging.getLogger(__name__)

_ANSWER = "analysis"
_MOST_QUERIES = 10
_MOST_CHARTS = 4
_HOW_TO_ASK = (
    "Ask as in 'average price by city' or 'top 5 products by revenue', or configure a model (LLM_BASE_URL, "
    "OPENAI_API_KEY or GROQ_API_KEY)."
)

_ALL = re.compile(
    r"\b(?:profile|describe|overview|explore|everything|summary|summar[iy][sz]e|statistics|stats)\b", re.IGNORECASE
)
_LEAD_IN = re.compile(
    r"\b(?:please|analy[sz]e|analysis|inspect|examine|look|study|check|evaluate|read|insights?)\b", re.IGNORECASE
)
_REQUEST = re.compile(
    r"\W*(?:(?:and|also|then|please) )*(?:what|which|who|when|where|why|how|is|are|was|were|do|does|did|has|have|can|"
    r"list|show|find|give|tell|compute|calculate|compare|rank|plot|chart|draw|predict|forecast)\b",
    re.IGNORECASE,
)
_CHART = re.compile(r"\b(?:charts?|plots?|graphs?|diagrams?)\b", re.IGNORECASE)
_JOIN = re.compile(
    r"(?:^|[.;:!?\n]|\b(?:and|then|please|to|you)\b)\s*(?:join|merge)\b(?!\s+(?:date|day|month|year|time))",
    re.IGNORECASE,
)
"""An order to join tables; "join date" is a column's name, and people join."""
_NO_CHART = re.compile(r"\b(?:no|without(?: a| any)?) (?:charts?|plots?|graphs?|diagrams?)\b", re.IGNORECASE)
_DRAWN: frozenset[Section] = frozenset({"numbers", "groups", "outliers"})
_SECTIONS: dict[Section, str] = {
    "columns": r"schema|columns|data types?|column names|fields",
    "missing": r"missing|nulls?|empty|incomplete|completeness",
    "duplicates": r"duplicates?|duplicated|repeated",
    "numbers": r"distributions?|histograms?|quantiles?|quartiles?|percentiles?|spread",
    "groups": r"top groups|most common|most frequent|categories|frequenc(?:y|ies)",
    "dates": r"date range|date ranges|period|time span|time range",
    "correlations": r"correlat\w*|related|relationships?",
    "outliers": r"outliers?|anomal\w+|unusual",
}


@dataclass(frozen=True, slots=True)
class _Found:
    """What is said about one table."""

    text: str
    data: JsonObject
    charts: tuple[JsonObject, ...] = ()


async def analyze(request: AgentRequest, resources: Resources) -> AsyncGenerator[Update]:
    """Answer the questions about the tables that the request brings along, or profile them.

    Raises: InvalidRequestError when there is no table, it cannot be read, a question names what it does not have, or
    tables are to be joined; TooLargeError; TimedOutError; one of MODEL_ERRORS when a question needs the model and the
    model fails.
    """
    split = material.keep_whole if request.files else material.split_table
    work = await prepare(request, split, resources)
    async with aclosing(fetch_all(work, resources)) as fetching:
        async for progress in fetching:
            yield progress
    if not work.sources:
        raise InvalidRequestError(
            "There is no table to analyze. Paste CSV or JSON below the question, attach a file (CSV, TSV, Excel, "
            "JSON, JSON Lines, Parquet), or give its URL."
        )
    if len(work.sources) > 1 and _JOIN.search(work.question()):
        raise InvalidRequestError(
            "Tables are not joined: each is asked by itself. Join them before, and send one table with all the columns."
        )
    found: list[_Found] = []
    for number, source in enumerate(work.sources):
        yield Progress(f"Reading {source.name[:200]}")
        folder = resources.folder / f"table-{number}"
        async with (
            database.opened(folder, resources.settings) as store,
            aclosing(_analyze(source, store, work, resources)) as updates,
        ):
            async for update in updates:
                if isinstance(update, _Found):
                    found.append(update)
                else:
                    yield update
    data: JsonObject = found[0].data if len(found) == 1 else {"tables": [item.data for item in found]}
    yield Answer(_ANSWER, "\n\n".join(item.text for item in found), data)
    drawn = [] if _NO_CHART.search(work.instruction) else [chart for item in found for chart in item.charts]
    for number, chart in enumerate(drawn, 1):
        yield Progress("Drawing a chart")
        for file in await asyncio.to_thread(_draw, chart, "chart" if number == 1 else f"chart-{number}"):
            yield Produced(file)


async def _analyze(
    source: Source, store: Database, work: Work, resources: Resources
) -> AsyncGenerator[Update | _Found]:
    """Answer one table's questions: by rules where these read them, by a model's SQL where not, else with a profile."""
    settings, timeout_s = resources.settings, resources.settings.data_timeout_s

    def load() -> tuple[Table, Vocabulary, str]:
        sheet = spreadsheets.open_sheet(source, work.question(), work.sheet, store, settings)
        table = tables.read(sheet.source, store, settings)
        table = replace(table, notes=tuple(filter(None, (sheet.note, *table.notes))))
        return table, data_analysis.read_vocabulary(table), _NO_CHART.sub(" ", sheet.question)

    table, vocabulary, question = await in_thread(store, load, timeout_s)
    reading = await asyncio.to_thread(questions.read, question, vocabulary)
    problem, everything = _problem(reading, table), bool(_ALL.search(question))
    notes: list[str] = []
    answered: list[Answered] = []
    if reading.queries:
        asked_for = reading.queries[:_MOST_QUERIES]
        answered = await in_thread(store, lambda: [answers.answer(table, query) for query in asked_for], timeout_s)
        notes += _left_out(reading, problem, vocabulary)
    elif _asks(question, vocabulary, refused=problem is not None):
        if resources.model is not None:
            yield Progress("Asking the language model for SQL")
            try:
                answered, usage = await asking.ask(resources.model, question, table, vocabulary, timeout_s)
                yield usage
                if not answered and problem is None:
                    notes.append("The language model found no query that answers this, so it is the table's profile.")
            except MODEL_ERRORS as error:
                yield spent(error)
                if problem is not None and "did_you_mean" in problem.facts:
                    raise problem from error
                if not everything:
                    raise
                notes.append(f"The language model could not answer the question: {error}")
        elif problem is None:
            notes.append(f"No rule reads the question, so this is the profile of the table. {_HOW_TO_ASK}")
    if problem is not None and not answered:
        if not everything:
            raise problem
        notes.append(str(problem))
    if reading.ignored and reading.queries:
        words = ", ".join(f"“{word}”" for word in reading.ignored[:5])
        notes.append(f"{words} in the question is neither a column nor a value, and changed nothing.")
    noted, left = replace(table, notes=(*table.notes, *notes)), ". ".join(reading.rest) if answered else question
    yield await in_thread(store, lambda: _tell(noted, left, answered, vocabulary, everything=everything), timeout_s)


def _left_out(reading: questions.Reading, problem: InvalidRequestError | None, vocabulary: Vocabulary) -> list[str]:
    """Return what to say of the questions that are not answered beside those that are."""

    def only_draws(text: str) -> bool:
        return bool(_CHART.search(text)) and not any(item.code in "CVZz" for item in itemize(text, vocabulary))

    left = [text.strip() for text in reading.rest if _REQUEST.match(text) and not _sections(text)]
    told = [
        f"“{text[:200]}” is not answered: no rule reads it. Ask it by itself." for text in left if not only_draws(text)
    ]
    return told if problem is None else [str(problem), *told]


def _sections(text: str) -> list[Section]:
    return [section for section, words in _SECTIONS.items() if re.search(rf"\b(?:{words})\b", text, re.IGNORECASE)]


def _problem(reading: questions.Reading, table: Table) -> InvalidRequestError | None:
    """Return why a question cannot be answered, if so."""
    if reading.unknown:
        return answers.unknown_column(reading.unknown[0], table.columns)
    if reading.ambiguous:
        value, columns = reading.ambiguous[0]
        return InvalidRequestError(
            f"{value!r} stands in several columns: {', '.join(columns)}. Say which, as in 'where {columns[0]} is "
            f"{value}'."
        )
    if reading.unread:
        listed = ", ".join(table.columns[:40])
        return InvalidRequestError(
            f"{' '.join(reading.unread)!r} in the question is neither a column nor a value in {table.name}. "
            f"Say it as a condition, such as 'where COLUMN is VALUE'. The columns are: {listed}."
        )
    return None


def _asks(question: str, vocabulary: Vocabulary, *, refused: bool) -> bool:
    """Tell whether there is something in a question besides "profile this": then a model may read it."""
    left = _LEAD_IN.sub(" ", _ALL.sub(" ", question))
    listed = bool(_sections(left))
    names = any(item.code not in "RWPI&w" for item in itemize(left, vocabulary))
    says = names or len(re.findall(r"[^\W\d_]{3,}", left)) > 2
    return refused or (says and not listed and not _ALL.search(question))


def _tell(table: Table, question: str, answered: list[Answered], vocabulary: Vocabulary, *, everything: bool) -> _Found:
    """Return the answers, and of the profile what the rest of a question wants."""
    wanted = _sections(question)
    if len(wanted) > 1 and "columns" in wanted:
        wanted.remove("columns")  # "which columns have missing values"
    if answered and not everything and not wanted:
        return _answered(table, answered)
    profile = data_analysis.profile(table)
    sections: tuple[Section, ...] = tuple(wanted) if wanted and not everything else report.SECTIONS
    named = [item.column for item in itemize(question, vocabulary) if item.code == "C"]
    names = named if sections != report.SECTIONS else []
    text = report.write_profile(profile, sections, names)
    data: JsonObject = {"profile": report.profile_json(profile)}
    chart = charts.of_profile(profile, names) if _DRAWN & set(sections) else None
    drawn = (chart,) if chart else ()
    if not answered:
        return _Found(text, data, drawn)
    told = _answered(table, answered)
    return _Found(f"{told.text}\n\n{text}", told.data | data, (*told.charts, *drawn)[:_MOST_CHARTS])


def _answered(table: Table, answered: list[Answered]) -> _Found:
    parts = [report.write_answer(item) for item in answered]
    if table.notes:
        parts.append("### Notes\n\n" + "\n".join(f"- {markdown.text(note)}" for note in table.notes))
    data: JsonObject = {
        "table": table.name,
        "rows": table.rows,
        "columns": list(table.columns),
        "answers": [item.to_json() for item in answered],
        "notes": list(table.notes),
    }
    drawn = [chart for item in answered if (chart := charts.of_answer(item))]
    return _Found("\n\n".join(parts), data, tuple(drawn[:_MOST_CHARTS]))


def _draw(chart: JsonObject, name: str) -> list[File]:
    """Return a chart as files: its specification, and its picture where it can be drawn."""
    files = [charts.specification(chart, name)]
    try:
        files.append(charts.picture(chart, name))
    except ValueError:
        logger.warning("chart could not be drawn", extra={"chart": name}, exc_info=True)
    return files
