"""What clauses of one request know of each other, and what the readers of all kinds of clauses share. Pure."""

import re
from dataclasses import dataclass

from browser_service.actions import InWords
from browser_service.masking import QUOTE_TOKEN, Masked
from browser_service.targets import Target

_I = re.IGNORECASE
PRONOUN = re.compile(
    r"(?:it|that|this|them|that\s+(?:word|text|value|number)|the\s+(?:word|result|value|number|answer))", _I
)
ALL = re.compile(
    r"\b(?:all|both|each|every)\b|\b\d+\s+(?:posts?|items?|rows?|entries|times)\b|ascending|descending|increasing|\bvalue\s+of\b|\bcorrespond|\bcheapest|\bexpensive|\bshortest|\blongest|\blowest|\bhighest",
    _I,
)


@dataclass(slots=True)
class Context:
    """What earlier clauses of the same request said: what "it" means, what was copied, whether to look behind tabs."""

    masked: Masked
    subject: Target | None = None
    copied: Target | None = None
    tool: Target | None = None
    seek: bool = False

    def target(self, words: str) -> Target:
        """Return the thing that `words`, a piece of the masked request, describe."""
        return Target(described=self.masked.requote(words), near=self.subject)

    def plain(self, words: str) -> str:
        """Return the quoted text in `words`, else all of it without an article before."""
        token = re.search(QUOTE_TOKEN, words)
        plain = self.masked.unmask(token[0] if token else words)
        return plain if token else re.sub(r"^(?:the|an?)\s+", "", plain, flags=_I)


def in_words(text: str, context: Context) -> InWords:
    return InWords(words=context.masked.requote(text), about=context.subject)
