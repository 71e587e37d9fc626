"""What a request asks: the question, the words to search for, and what the sender named or added."""

import re
from dataclasses import dataclass, replace

from shared.agent import AgentRequest
from shared.words import keywords

_MOST_CHARS = 1500
_MOST_PARTS = 5
_MOST_URLS = 10

_NOISE_WORDS = """
    analyse analysis analyze answer article attached attachment check citation citations cite cited compare
    comparison contrast describe determine difference differences discuss doc docs document documentation documents
    evaluate examine explain explore file files find folder following handbook identify info information internet
    investigate learn link list look mention mentioned mentions online page pages please quote reference references
    report research say says search show site source sources state states study summarise summarize summary tell
    text then url using versus vs web website weigh wikipedia write
"""
_NOISE = frozenset(_NOISE_WORDS.split())
_URL = re.compile(r"https?://[^\s<>\"'`\])}]+", re.IGNORECASE)
_PARTS = re.compile(
    r"[?;\n]+|(?<=[a-z)])[.!]\s+(?=[A-Z])|,?\s+\b(?:and|or|then)\b\s+(?=(?:how|what|when|where|which|who|whom|whose|why|whether)\b)",
    re.IGNORECASE,
)
_SUBJECTS = (
    re.compile(
        r"\b(?:compar\w+|contrast|weigh|differences?\s+between|choose\s+between)\s+(?P<one>.+?)\s+"
        r"(?:and|with|to|vs\.?|versus|against)\s+(?P<other>.+)",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<one>.+?)\s+(?:vs\.?|versus)\s+(?P<other>.+)", re.IGNORECASE),
)
_SUBJECT_END = re.compile(
    r"\s+(?:in|for|by|from|regarding|on|according|with|as|using|based)\b|[.?!;,:\n]", re.IGNORECASE
)
_DOCUMENTS = re.compile(r"\b(?:docs?|documents?|documentation|folder|files?|handbook|manuals?|notes)\b", re.IGNORECASE)
_WEB = re.compile(r"\b(?:web|internet|online|wikipedia)\b", re.IGNORECASE)
_WEB_AS_WELL = re.compile(
    r"(?<!to )\b(?:search|searching|use|using|ask|browse|consult)\s+(?:also\s+)?(?:the\s+)?(?:web|internet|wikipedia)"
    r"(?=\s*(?:[.,;!?]|$|\s(?:and|as|too|also|for|with|or)\b))"
    r"|\b(?:docs?|documents?|documentation|folder|files?|handbook|manuals?|notes)\s*(?:,|and|or)\s+(?:also\s+)?(?:on\s+|in\s+)?"
    r"(?:the\s+)?(?:web|internet|wikipedia)(?=\s*(?:[.,;!?]|$|\sfor\b))"
    r"|(?<!to )\b(?:search|look)\b[^.?!;\n]{0,20}\bonline\b",
    re.IGNORECASE,
)
_NO_WEB = re.compile(
    r"\b(?:not|don'?t|never|without|no|avoid)\s+(?:\w+\s+){0,4}(?:web|internet|online|wikipedia)\b", re.IGNORECASE
)
_ASKING = re.compile(
    r"^\W*(?:please|can|could|what|who|how|when|where|why|which|is|are|does|do|find|search|look|research|analy[sz]e|compare"
    r"|explain|tell|list|using|investigate|summari[sz]e|describe|weigh)\b",
    re.IGNORECASE,
)
_POINTING = r"(?:these|this|those|them|the following|below|above|given)"
_MATERIAL = re.compile(rf"\b{_POINTING}\b", re.IGNORECASE)
_LEAD_IN = re.compile(
    rf"(?P<asked>[^\n.?!;:]{{0,200}}\b{_POINTING}\b[^\n.?!;:]{{0,200}}):\s+(?P<material>\S.*)",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Question:
    """A request taken apart.

    `text` is what is asked, `parts` the words of each thing that an answer must speak of, `queries` what to search for.
    `subjects` are the two things that a comparison is about. `material` is text that came along, such as results of
    earlier steps: it is a source, and addresses in it are not opened; `is_about_material` when what is asked points to
    it, as "compare these" does. `urls` are those that what is asked names.
    """

    text: str
    parts: tuple[str, ...]
    queries: tuple[str, ...]
    subjects: tuple[str, ...] = ()
    material: str = ""
    is_about_material: bool = False
    urls: tuple[str, ...] = ()
    wants_documents: bool = False
    wants_web: bool = False


def understand(request: AgentRequest) -> Question:
    """Take the request apart. Without a question, `text` and `parts` are empty."""
    asked, material = _divide(request.text)
    urls = tuple(dict.fromkeys(url.rstrip(".,;:!?") for url in _URL.findall(asked)))[:_MOST_URLS]
    asked = _URL.sub(" ", asked)
    text = " ".join(asked.split())
    stays = _NO_WEB.search(text) is not None
    wants_documents = stays or _DOCUMENTS.search(text) is not None
    web = _WEB_AS_WELL if wants_documents else _WEB  # documents may be about the web without asking for it
    parts, subjects = _parts(asked), _subjects(text)
    if not (parts or urls or request.files) and (words := " ".join(dict.fromkeys(keywords(text)))):
        parts = (words,)  # such as "find the documents": then that is what is looked for
    return Question(
        text=text,
        parts=subjects or parts,
        queries=tuple(dict.fromkeys((*subjects, *parts))),
        subjects=subjects,
        material=material,
        is_about_material=bool(material) and _MATERIAL.search(text) is not None,
        urls=urls,
        wants_documents=wants_documents,
        wants_web=not stays and web.search(text) is not None,
    )


def of_all(question: Question) -> Question:
    """Return the same question of all that came along, where it points to that: not only of what has its words."""
    if question.is_about_material and not (question.subjects or question.wants_documents or question.wants_web):
        return replace(question, parts=(), queries=())
    return question


def search_words(text: str) -> str:
    """Return the words of `text` worth searching for: without those that only say what to do with them."""
    words = list(dict.fromkeys(keywords(text)))
    return " ".join([word for word in words if word not in _NOISE])


def _divide(text: str) -> tuple[str, str]:
    """Return what is asked and what came along: the first paragraph asks, or the last where only that one does."""
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]
    if not paragraphs:
        return "", ""
    if (lead_in := _LEAD_IN.fullmatch(paragraphs[0])) and not _URL.search(paragraphs[0]):
        return lead_in["asked"].strip(), "\n\n".join((lead_in["material"], *paragraphs[1:]))
    number = 0
    if len(paragraphs) > 1 and _asks(paragraphs[-1]) and not _asks(paragraphs[0]):
        number = len(paragraphs) - 1
    asked = paragraphs.pop(number)
    if paragraphs and len(asked) <= _MOST_CHARS and not search_words(asked) and not _URL.search(asked):
        asked = f"{asked}\n{paragraphs.pop(0)}"  # such as "Research:"
    if len(asked) > _MOST_CHARS:
        end = asked.rfind(". ", 0, _MOST_CHARS) + 1 or asked.rfind(" ", 0, _MOST_CHARS) + 1 or _MOST_CHARS
        first_line = asked.find("\n", 0, end)
        end = first_line + 1 if first_line > 0 and search_words(asked[:first_line]) else end
        paragraphs.insert(0, asked[end:])
        asked = asked[:end]
    return asked.strip(), "\n\n".join(paragraphs)


def _asks(paragraph: str) -> bool:
    return len(paragraph) <= _MOST_CHARS and (paragraph.rstrip().endswith("?") or _ASKING.match(paragraph) is not None)


def _parts(asked: str) -> tuple[str, ...]:
    found = [search_words(part) for part in _PARTS.split(asked)]
    return tuple(dict.fromkeys(part for part in found if part))[:_MOST_PARTS]


def _subjects(text: str) -> tuple[str, ...]:
    for pattern in _SUBJECTS:
        if match := pattern.search(text):
            subjects = [search_words(_SUBJECT_END.split(part.strip(), maxsplit=1)[0]) for part in match.groups()]
            if all(subjects) and subjects[0] != subjects[1]:
                return tuple(subjects)
    return ()
