"""How many sentences in the manner of MiniWoB++ are done by the plain-word grammar alone, on pages made by others?

The pages are those of the PyPI package `miniwob`, which is no dependency of this project:

    .venv/bin/python -m pip install --no-deps miniwob
    .venv/bin/python benchmarks/plain_words.py

Each page makes up a task, says it in a sentence, and rewards what was done. The sentence is taken off the page (where
nobody would have it, it would be found instead of what it speaks of) and given to the grammar; no model plays in. A
sentence counts as done when the page's own reward is positive. Tasks are made up on 76 pages (`PAGES`), two on each
until there are 150. Left out are pages whose sentences are about drawing, shapes, games, sums or timing rather than
about controls, and three that reward a click on Submit of which their sentence says nothing.
"""

import argparse
import asyncio
import importlib.util
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.staticfiles import StaticFiles

from browser_service import instructions, performing
from browser_service.browser import open_browser
from browser_service.browser_session import BrowserSession
from browser_service.findings import Findings
from browser_service.session_events import Owner
from browser_service.settings import Settings
from browser_service.wishes import Wishes
from shared.errors import FederationError
from tests.support.serving import serve

PAGES = (
    "book-flight-nodelay", "button-delay", "buy-ticket", "choose-date", "choose-date-easy", "choose-date-medium",
    "choose-date-nodelay", "choose-list", "click-button", "click-button-sequence", "click-checkboxes",
    "click-checkboxes-large", "click-checkboxes-transfer", "click-collapsible", "click-collapsible-2",
    "click-collapsible-2-nodelay", "click-collapsible-nodelay", "click-color", "click-dialog", "click-dialog-2",
    "click-link", "click-menu", "click-menu-2", "click-option", "click-pie", "click-pie-nodelay", "click-scroll-list",
    "click-tab", "click-tab-2", "click-tab-2-easy", "click-tab-2-hard", "click-tab-2-medium", "click-test",
    "click-test-2", "click-test-transfer", "click-widget", "copy-paste", "copy-paste-2", "email-inbox",
    "email-inbox-delete", "email-inbox-forward", "email-inbox-important", "email-inbox-noscroll", "email-inbox-reply",
    "email-inbox-star-reply", "enter-date", "enter-password", "enter-text", "enter-text-2", "enter-text-dynamic",
    "enter-time", "find-word", "focus-text", "focus-text-2", "form-sequence", "form-sequence-3",
    "highlight-text", "highlight-text-2", "login-user", "login-user-popup", "multi-layouts", "multi-orderings",
    "navigate-tree", "phone-book", "read-table", "scroll-text", "scroll-text-2", "search-engine", "sign-agreement",
    "social-media", "social-media-all", "social-media-some", "unicode-test", "use-slider", "use-slider-2",
    "use-spinner",
)  # fmt: skip
SENTENCES = 150


@asynccontextmanager
async def _site() -> AsyncGenerator[str]:
    found = importlib.util.find_spec("miniwob")
    if found is None or found.origin is None:
        sys.exit("The package `miniwob` is not installed; see the head of this script.")
    app = Starlette()
    app.mount("/", StaticFiles(directory=Path(found.origin).parent / "html"))
    async with serve(app) as url:
        yield url


async def _begin(session: BrowserSession, url: str, seed: int) -> str:
    """Open a page, make up a task, take its sentence off the page, and return the sentence."""
    await session.open_url(url)
    begin = """(seed) => {
      Math.seedrandom(String(seed));
      core.EPISODE_MAX_TIME = 120000;
      const endless = core.EPISODE_MAX_TIME;
      core.cover_div.onclick();
      const query = document.getElementById('query');
      const words = (typeof core.getUtterance === 'function' ? core.getUtterance() : query.textContent);
      const text = typeof words === 'string' ? words : words.utterance;
      query.style.visibility = 'hidden';
      for (const id of ['reward-display', 'click-canvas']) document.getElementById(id)?.remove();
      return (text || query.textContent).replace(/\\s+/g, ' ').trim();
    }"""
    return str(await session.page.evaluate(begin, seed))


async def _try(session: BrowserSession, url: str, seed: int, *, verbose: bool) -> tuple[bool, str, str]:
    sentence = await _begin(session, url, seed)
    why = ""
    try:
        read = instructions.parse(sentence, is_open=True)
        if verbose:
            print("   ", [action.model_dump(exclude_defaults=True) for action in read.actions])
        await performing.perform_all(read.actions, session, Findings(patience_s=2.0), Wishes())
    except FederationError as error:
        why = f"{type(error).__name__}: {error.detail}"
    reward = await session.page.evaluate("() => [WOB_RAW_REWARD_GLOBAL, WOB_DONE_GLOBAL]")
    if reward[1] and reward[0] > 0:
        return True, sentence, why
    return False, sentence, why or f"reward {reward[0]}"


async def _run(pages: list[str], tasks: int, first_seed: int, *, verbose: bool) -> None:
    settings = Settings.model_validate(
        {"federation_host": "127.0.0.1", "browser_action_timeout_s": 2.0, "browser_settle_timeout_s": 2.0}
    )
    done: Counter[str] = Counter()
    failed: list[tuple[str, str, str]] = []
    asked = 0
    began = time.perf_counter()
    async with _site() as site, open_browser(settings) as browser:
        for seed in range(first_seed, first_seed + tasks):
            for page in pages:
                if asked >= SENTENCES and len(pages) == len(PAGES):
                    break
                async with browser.open_session(Owner("plain-words", page)) as session:
                    passed, sentence, why = await _try(session, f"{site}/miniwob/{page}.html", seed, verbose=verbose)
                asked += 1
                done[page] += passed
                if verbose or not passed:
                    print(f"{'ok  ' if passed else 'FAIL'} {page} {seed}: {sentence}\n       {why}", flush=True)
                if not passed:
                    failed.append((page, sentence, why))
    print(
        f"\nSentences done\n{asked - len(failed)} of {asked}, on {len(pages)} pages, seeds from {first_seed}, "
        f"in {time.perf_counter() - began:.0f} s"
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", nargs="*", default=list(PAGES), help="only these pages")
    parser.add_argument("--tasks", type=int, default=2, help="tasks made up on each page")
    parser.add_argument("--seed", type=int, default=1, help="the first seed of the tasks")
    parser.add_argument("--verbose", action="store_true", help="tell every sentence and what it was read as")
    chosen: Any = parser.parse_args()
    asyncio.run(_run(chosen.pages, chosen.tasks, chosen.seed, verbose=chosen.verbose))


if __name__ == "__main__":
    main()
