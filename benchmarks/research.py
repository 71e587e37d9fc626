"""Does research find the right page, without any model?

    .venv/bin/python benchmarks/research.py [--held-out] [--verbose] [--python FOLDER …]

The documents are what others wrote: the HTML pages of Python's own documentation, and with `--held-out` those of
PostgreSQL's and Git's, hundreds each, as Debian packages them. The questions use words that the titles do not. One
counts when a page that answers it is among the first five sources. Target: 27 of the 30 of `research_questions.py`,
which the ranking's parameters were chosen by, and 85 % of those of `research_held_out.py`, which they were not.
"""

import argparse
import asyncio
import math
import tempfile
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final, cast
from uuid import uuid4

from a2a_agent_service.agent import open_agent
from a2a_agent_service.settings import Settings
from benchmarks import research_held_out
from benchmarks.harness import documentation
from benchmarks.harness.tables import show, verdict
from benchmarks.research_questions import QUESTIONS
from shared.agent import AgentRequest, Answer, JsonObject, OpenAgent
from shared.errors import FederationError

_FIRST: Final = 5


@dataclass(frozen=True, slots=True)
class Examination:
    """Questions about a documentation, each with the pages that answer it; `share` of them is to be found."""

    name: str
    documents: documentation.Documentation
    questions: Sequence[tuple[str, tuple[str, ...]]]
    share: float


TUNED: Final = (Examination("Python, tuned on these", documentation.PYTHON, QUESTIONS, 0.9),)
HELD_OUT: Final = (
    Examination("Python, held out", documentation.PYTHON, research_held_out.PYTHON, 0.85),
    Examination("PostgreSQL, held out", documentation.POSTGRESQL, research_held_out.POSTGRESQL, 0.85),
    Examination("Git, held out", documentation.GIT, research_held_out.GIT, 0.85),
)


def main() -> None:
    """Ask every question and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held-out", action="store_true", help="ask what no ranking was tuned on")
    parser.add_argument("--python", type=Path, default=None, help="folder of Python's HTML pages")
    parser.add_argument("--postgresql", type=Path, default=None, help="folder of PostgreSQL's HTML pages")
    parser.add_argument("--git", type=Path, default=None, help="folder of Git's HTML pages")
    parser.add_argument("--verbose", action="store_true", help="show the sources of each question")
    given = parser.parse_args()
    folders = {
        documentation.PYTHON: given.python,
        documentation.POSTGRESQL: given.postgresql,
        documentation.GIT: given.git,
    }
    rows: list[tuple[str, ...]] = []
    for each in HELD_OUT if given.held_out else TUNED:
        with tempfile.TemporaryDirectory() as folder:
            pages = each.documents.copy(folders[each.documents], Path(folder) / "docs")
            began = perf_counter()
            right = asyncio.run(examine(Path(folder), each, verbose=given.verbose))
        least = math.ceil(each.share * len(each.questions))
        counts = (str(pages), str(len(each.questions)), str(right), f"{perf_counter() - began:.0f}")
        rows.append((each.name, *counts, f"≥ {least}: {verdict(least, right)}"))
    show(
        "The right page among the first five sources",
        ("documentation", "pages", "questions", "right", "seconds", "target"),
        rows,
    )


def settings_for(folder: Path) -> Settings:
    """Return settings without model and web for the documents in `folder`/docs."""
    nothing = dict.fromkeys(
        ("openai_api_key", "groq_api_key", "anthropic_api_key", "llm_base_url", "llm_provider", "embedding_model")
    )
    own = {"research_documents": folder / "docs", "data_dir": folder / "data", "research_web": False}
    return Settings.model_validate({**nothing, **own})


async def sources_of(agent: OpenAgent, question: str) -> list[str]:
    """Return the paths of the answer's sources, in order, each once; none where nothing was found."""
    request = AgentRequest(question, uuid4().hex, uuid4().hex, uuid4().hex, skill="research")
    paths: list[str] = []
    try:
        async with aclosing(agent.answer(request)) as updates:
            async for update in updates:
                if isinstance(update, Answer):
                    listed = cast("list[JsonObject]", (update.data or {})["sources"])
                    paths = [str(source["path"]) for source in listed]
    except FederationError as error:
        print(f"  {question}: {error}")
    return list(dict.fromkeys(paths))


async def examine(folder: Path, asked: Examination, *, verbose: bool) -> int:
    """Ask about the documents in `folder`/docs and return how many questions were answered from a right page."""
    docs = folder / "docs"
    right = 0
    async with open_agent(settings_for(folder)) as agent:
        for question, answers in asked.questions:
            found = [
                Path(path).relative_to(docs).with_suffix("").as_posix() for path in await sources_of(agent, question)
            ]
            is_right = any(page in answers for page in found[:_FIRST])
            right += is_right
            if verbose:
                print(f"{'found' if is_right else 'MISSED':7} {question}\n          {answers[0]}: {', '.join(found)}")
    return right


if __name__ == "__main__":
    main()
