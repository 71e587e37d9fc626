"""Does research find the right page, without any model?

    .venv/bin/python benchmarks/research.py [--documents FOLDER] [--verbose]

The documents are the HTML pages of Python's own documentation, hundreds of them, as Debian's package `python3-doc`
installs them; `research_questions.py` asks in words that the titles do not use. A question counts when a page that
answers it is among the first five sources. Target: at least 27 of 30.
"""

import argparse
import asyncio
import shutil
import tempfile
from contextlib import aclosing
from pathlib import Path
from time import perf_counter
from typing import Final, cast
from uuid import uuid4

from a2a_agent_service.agent import open_agent
from a2a_agent_service.settings import Settings
from benchmarks.harness.tables import show, verdict
from benchmarks.research_questions import QUESTIONS
from shared.agent import AgentRequest, Answer, JsonObject, OpenAgent
from shared.errors import FederationError

FOLDERS: Final = ("/usr/share/doc/python3.11/html", "/usr/share/doc/python3/html", "/usr/share/doc/python3.13/html")
_FIRST: Final = 5
_TARGET: Final = 27


def main() -> None:
    """Ask every question and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=Path, default=None, help="folder of the HTML pages")
    parser.add_argument("--verbose", action="store_true", help="show the sources of each question")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pages = copy_pages(given.documents, Path(folder) / "docs")
        asyncio.run(_measure(Path(folder), pages, verbose=given.verbose))


def copy_pages(documents: Path | None, to: Path) -> int:
    """Copy the HTML pages of a documentation, without its sources; returns how many there are."""
    found = documents or next((Path(each) for each in FOLDERS if Path(each).is_dir()), None)
    if found is None:
        raise SystemExit("Python's documentation is not there: apt install python3-doc, or name it by --documents.")
    paths = [path for path in found.rglob("*.html") if "_sources" not in path.parts]
    for path in paths:
        target = to / path.relative_to(found)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return len(paths)


def settings_for(folder: Path) -> Settings:
    """Return settings without model and web for the documents in `folder`/docs."""
    nothing = dict.fromkeys(("openai_api_key", "groq_api_key", "anthropic_api_key", "llm_base_url", "llm_provider"))
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


async def _measure(folder: Path, pages: int, *, verbose: bool) -> None:
    docs = folder / "docs"
    right = 0
    async with open_agent(settings_for(folder)) as agent:
        began = perf_counter()
        for question, answers in QUESTIONS:
            found = [
                Path(path).relative_to(docs).with_suffix("").as_posix() for path in await sources_of(agent, question)
            ]
            is_right = any(page in answers for page in found[:_FIRST])
            right += is_right
            if verbose:
                print(f"{'found' if is_right else 'MISSED':7} {question}\n          {answers[0]}: {', '.join(found)}")
    rows = [(str(pages), str(len(QUESTIONS)), str(right), f"{perf_counter() - began:.0f}", verdict(_TARGET, right))]
    show(
        "The right page among the first five sources", ("pages", "questions", "right", "seconds", f"≥ {_TARGET}"), rows
    )


if __name__ == "__main__":
    main()
