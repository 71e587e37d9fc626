"""One thing that plain words wish for on a page, and what every way of fulfilling it needs."""

import re

from browser_service import filling, lookup, masking, pointing
from browser_service.actions import InWords
from browser_service.browser_session import BrowserSession
from browser_service.errors import AmbiguousTargetError, ElementNotFoundError
from browser_service.findings import Findings
from browser_service.snapshot import Node, Snapshot
from browser_service.targets import Target

_I = re.IGNORECASE
_UNDOES = re.compile(
    r"(?:delete|remove|discard|erase|trash|buy|order|book|pay|purchase|archive|block|unsubscribe)\b", _I
)


class Wish:
    """One wish, on one page."""

    def __init__(self, action: InWords, session: BrowserSession, findings: Findings) -> None:
        self.masked = masking.mask(" ".join(action.words.split()).strip(" ."))
        self.text = self.masked.text
        self.about = action.about
        self.session = session
        self.findings = findings

    def plain(self, words: str) -> str:
        """Return the quoted text in `words`, else all of it without an article."""
        quoted = re.search(masking.QUOTE_TOKEN, words)
        return (
            self.masked.unmask(quoted[0])
            if quoted
            else re.sub(r"^(?:the|an?)\s+", "", self.masked.unmask(words), flags=_I)
        )

    def target(self, words: str) -> Target:
        """Return the thing that `words` describe."""
        return Target(described=self.masked.requote(words), near=self.about)

    def anchor(self, seen: Snapshot) -> Node | None:
        """Return what is spoken of, None if it is gone: the first of several, unless something is undone by that."""
        if self.about is None:
            return None
        try:
            return lookup.find(self.about, seen, "read")
        except AmbiguousTargetError:
            if _UNDOES.match(self.text):
                raise
            return lookup.matches(self.about, seen)[0]
        except ElementNotFoundError:
            return None

    async def look(self) -> Snapshot:
        """Return what is on the page now."""
        return await self.session.elements.look()

    async def click(self, node: Node, seen: Snapshot) -> None:
        """Click."""
        await pointing.click(self.session, node, seen)

    async def put(self, node: Node, value: str) -> None:
        """Fill in."""
        await filling.put(self.session, node, await self.look(), value)
