"""Questions that rules cannot read: a model writes SQL, which is checked, run, and shown in the answer.

The model sees the columns, their kinds, and what occurs in columns of few values; the rows stay here.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from api_agent_service import answers, sql_check
from api_agent_service.answers import Answered
from api_agent_service.database import TABLE, in_thread
from api_agent_service.tables import Table
from api_agent_service.vocabulary import Vocabulary
from shared.agent import Usage
from shared.llm import Model, fence

_SYSTEM: Final = (
    "You answer questions about a table by writing SQL for DuckDB. Compute nothing yourself. A query is one SELECT; "
    f"the only table is {TABLE}, with the columns listed. Quote their names with double quotes. Give results short "
    "column names, what is grouped by first."
)
_MOST_COLUMNS: Final = 200
_MOST_VALUES: Final = 12
_LONGEST_TITLE: Final = 200


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    question: str = Field(max_length=500, description="The question that this query answers, in a few words.")
    sql: str = Field(description="One SELECT statement for DuckDB.")


class _Queries(BaseModel):
    """What a model makes of a question that rules cannot read."""

    model_config = ConfigDict(extra="forbid")

    queries: list[_Asked] = Field(max_length=5, description="One for each question; none where no query can answer.")


async def ask(
    model: Model, question: str, table: Table, vocabulary: Vocabulary, timeout_s: float
) -> tuple[list[Answered], Usage]:
    """Return the answers to a question, and what asking cost. SQL that cannot be run is sent back once, with why.

    Raises: one of MODEL_ERRORS.
    """
    answered: list[Answered] = []

    async def verify(found: _Queries) -> None:
        def run() -> list[Answered]:
            checked = [(one.question, sql_check.check(table.store, one.sql)) for one in found.queries]
            return [answers.answer_sql(table, title[:_LONGEST_TITLE] or question, sql) for title, sql in checked]

        answered[:] = await in_thread(table.store, run, timeout_s)

    listed = "\n".join(_describe(name, table, vocabulary) for name in table.columns[:_MOST_COLUMNS])
    prompt = f"Question: {question.strip()}\n\n{fence(f'columns of the table {TABLE}', listed)}"
    _, usage = await model.structured(prompt, _Queries, system=_SYSTEM, verify=verify)
    return answered, usage


def _describe(name: str, table: Table, vocabulary: Vocabulary) -> str:
    """Return a column's line in the prompt: its name, kind, unit, and values where these are few."""
    unit = f" in {table.units[name]}" if name in table.units else ""
    values = [found[name] for found in vocabulary.values.values() if name in found]
    shown = f", one of: {', '.join(map(repr, values))}" if 0 < len(values) <= _MOST_VALUES else ""
    return f"{name}: {table.kinds[name]}{unit}{shown}"
