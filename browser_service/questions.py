"""Reads what is to be told of a page: "get the title and all links", "take a screenshot of the table". Pure."""

import re

from browser_service import clauses
from browser_service.actions import Action, Extract, InWords, Screenshot
from browser_service.phrase_context import Context
from browser_service.reading import What

_I = re.IGNORECASE
_SCREENSHOT = re.compile(
    r"\b(?:screen\s*-?shots?|screen\s+capture|snapshot|picture\s+of\s+the\s+(?:\w+\s+)?page)\b", _I
)
_SCREENSHOT_OF = re.compile(
    r"(?:take|make|capture|get)\s+(?:an?\s+)?(?:screen\s*-?shot|picture|image)\s+of\s+(?P<target>.+)", _I
)
_WHOLE = re.compile(r"\b(?:full|whole|entire|complete)(?:[\s-]*page)?\b", _I)
_GET_VERB = re.compile(
    r"^(?:get|read|extract|list|show|tell|give|find|fetch|return|collect|grab|print|report|display|retrieve|scrape|take|"
    r"what(?:\s+is|\s+are|'s|\s+does)?|which|how\s+many)\b",
    _I,
)
_NOUNS: tuple[tuple[str, What], ...] = (
    (r"(?:all\s+)?(?:sub)?(?:headings|headlines)|outline|h[2-6]s?", "headings"),
    (r"(?:(?:main|first|top|page|biggest)\s+)*(?:heading|headline|h1)", "heading"),
    (r"(?:(?:page|document|tab)\s+)?title", "title"),
    (r"(?:hyper)?links?|urls|hrefs", "links"),
    (r"tables?(?:\s+(?:rows|data|contents?))?", "tables"),
    (r"(?:meta\s+)?description", "description"),
    (r"images?|pictures?|photos?", "images"),
    (r"(?:list\s+|bullet\s+)?(?:items|points|bullets|entries)|lists?", "list_items"),
    (r"prices?|costs?", "prices"),
    (r"buttons", "buttons"),
    (r"(?:(?:form|input)\s+)?fields|inputs", "fields"),
    (r"(?:(?:final|current)\s+)?(?:url|address)", "url"),
    (r"(?:(?:main|full|visible|page|body|whole)\s+)*(?:text|contents?|body|paragraphs?|article)|everything", "text"),
)
_NOUN = re.compile("|".join(rf"(?P<{what}>\b(?:{pattern})\b)" for pattern, what in _NOUNS), _I)
_FILLER = re.compile(
    r"\b(?:the|a|an|of|on|in|at|from|to|for|with|and|its|it's|it|all|any|each|every|this|that|these|there|me|us|page's|page|"
    r"web|webpage|website|site|is|are|as|out|back|which|what|you|see|take|get|make|capture|contains?|says?|data|rows|"
    r"main|visible|please)\b|[^\w\ue000-\ue002]+",
    _I,
)
_MARKDOWN = re.compile(r"\b(?:as|in)\s+markdown\b|\bmarkdown\b", _I)
_ASKED_OF = re.compile(
    r"(?:get|read|extract|tell(?:\s+me)?|give(?:\s+me)?|show(?:\s+me)?|return|report|what\s+is|what's)\s+"
    r"(?:the\s+)?(?:text|content|contents)\s+(?:of|in|from)\s+(?P<target>.+)",
    _I,
)
_TELL = re.compile(
    r"(?:tell(?:\s+me)?|give(?:\s+me)?|show(?:\s+me)?|return|report|read|get|fetch|extract|what\s+is|what's|what\s+does)\s+(?P<what>.+)",
    _I,
)


def read(text: str, context: Context) -> tuple[list[Action], str]:
    """Return the actions that answer the question `text`, and the piece of it that was not understood."""
    found, is_read = _nouns(text)
    if is_read:
        return found, ""
    if match := _SCREENSHOT_OF.fullmatch(text):
        return [Screenshot(target=context.target(match["target"]))], ""
    if match := _ASKED_OF.fullmatch(text):
        return [Extract(what="text", target=context.target(match["target"]))], ""
    pieces = [(piece, *_nouns(piece)) for piece in clauses.items(text)]
    if any(actions and is_read for _, actions, is_read in pieces):
        unread = next((piece for piece, _, is_read in pieces if not is_read), "")
        return [action for _, actions, is_read in pieces if is_read for action in actions], unread
    if match := _TELL.fullmatch(text):
        return [InWords(words=f"tell {context.masked.requote(match['what'])}", about=context.subject)], ""
    return found, text


def _nouns(text: str) -> tuple[list[Action], bool]:
    """Read every noun that names a part of a page. Other words left over are not understood."""
    text = _GET_VERB.sub("", text)
    actions: list[Action] = []
    if _MARKDOWN.search(text):
        rest = _NOUN.sub(" ", _MARKDOWN.sub(" ", text))
        return [Extract(what="markdown")], not _FILLER.sub("", rest)
    if _SCREENSHOT.search(text):
        actions.append(Screenshot(full_page=bool(_WHOLE.search(text))))
        text = _WHOLE.sub(" ", _SCREENSHOT.sub(" ", text))
    for match in _NOUN.finditer(text):
        actions += [Extract.model_validate({"what": match.lastgroup})]
    return actions, not _FILLER.sub("", _NOUN.sub(" ", text))
