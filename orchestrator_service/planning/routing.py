"""Finds the skill for one part of a request, without a model.

What a part looks like (a URL, a table's file name, arithmetic, its verb) hints at skill ids and tags; the catalogue's
ranking says what the registered agents are good at. A firm hint wins unless the ranking is clear: another skill with
twice the score and at least two of the part's words in its description. A soft hint only breaks ties. Hints count
only where an agent has such a skill, so other agents with the same skills are chosen just as well.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from orchestrator_service.planning.parts import (
    FENCE,
    FILE,
    FILLER,
    MENTION,
    SPLIT_CHARS,
    TABLE,
    URL,
    mask,
    without_courtesy,
)
from orchestrator_service.planning.plan import Catalogue, Offer
from orchestrator_service.planning.references import refers_back
from orchestrator_service.planning.words import (
    ACTING_NOUNS,
    ACTING_VERBS,
    CODE_WORDS,
    DATA_WORDS,
    DOCUMENT_WORDS,
    MAKING_VERBS,
    PAGE_WORDS,
    QUESTION_WORDS,
    READING_VERBS,
    forms_of,
    stem,
    stems,
    words,
)

Kind = Literal["page", "data", "code", "summary", "extraction", "research", "any"]

_DATA_FILE: Final = re.compile(r"\.(?:csv|tsv|jsonl?|ndjson|parquet|xlsx?)(?=$|[?#])", re.IGNORECASE)
_CODE_FILE: Final = re.compile(r"\.py$", re.IGNORECASE)
_ARITHMETIC: Final = re.compile(r"\d\s{0,3}(?:\*\*?|\+|\^|×|÷)\s{0,3}[(-]?\d|\d\s{1,3}[-/%]\s{1,3}[(-]?\d|\bsqrt\s?\(")
_NUMERIC: Final = re.compile(
    r"\b(?:average|mean|median|sum|product|root|factorial|percent|percentage|gcd|lcm)\s+of\s+\(?-?\d|\d\s?%\s+of\s+\d"
    r"|\bfactorial\b|\bfibonacci\b|\bprime\s+numbers?\b",
    re.IGNORECASE,
)
_CODE_MARK: Final = re.compile(r"\b(?:code|python|script|snippet|program)\s*:", re.IGNORECASE)
_DATA_FENCE: Final = re.compile(r"```\s*(?:csv|tsv|json|jsonl)\b", re.IGNORECASE)
_SUMMARY: Final = re.compile(
    r"\b(?:summari[sz]e|summari[sz]ing|summary|tl;?dr|condense|shorten|key\s+points|main\s+points|gist)\b",
    re.IGNORECASE,
)
_CHECKING: Final = re.compile(r"\b(?:verify|check|assert|confirm|validate|make\s+sure|ensure|test)\b", re.IGNORECASE)
_ENTITIES: Final = re.compile(
    r"\b(?:e-?mails?|phone|numbers|dates|amounts|entities|names|addresses|prices|invoice|json|structured|fields)\b",
    re.IGNORECASE,
)
_CONTACTS: Final = re.compile(r"\b(?:e-?mail\s+address(?:es)?|e-?mails|(?:tele)?phone\s+numbers?)\b", re.IGNORECASE)
_RESEARCHING: Final = re.compile(
    r"\b(?:research|investigate|look\s+up|find\s+out|search|study|literature|sources?)\b", re.IGNORECASE
)
_DOCUMENTS_SAY: Final = re.compile(
    r"\bwhat\b[^.?!;\n]{0,60}?\b(?:docs?|documents?|documentation|files?|folder|handbooks?|manuals?|notes|wikis?|papers?|"
    r"articles?)\s+(?:(?:can|has|have|might)\s+)?(?:say|says|said|tell|tells|state|states|mention|mentions|explain|explains|"
    r"describe|describes|write|writes|recommend|recommends)\b",
    re.IGNORECASE,
)
_COMPOSING: Final = frozenset(
    {"combine", "merge", "compose", "write", "produce", "prepare", "draft", "report", "create"}
)
_CERTAIN_DATA: Final = frozenset(
    {"csv", "tsv", "dataset", "dataframe", "parquet", "spreadsheet", "column", "columns", "row", "rows", "outlier"}
    | {"outliers", "correlation", "correlations", "histogram"}
)
_MAKING: Final = frozenset({"write", "create", "implement", "build", "develop", "generate", "make"})
_TESTS: Final = re.compile(
    r"\W*(?:write|add|create|generate|run|execute)\s+(?:(?:the|its|their|all|some|unit|my|these|those|pytest)\s+){0,3}tests?\b",
    re.IGNORECASE,
)
_PROGRAM: Final = re.compile(
    r"\W*\w+\s+(?:an?|the|my|some)\s+(?:\w+\s+){0,2}(?:api|app|bot|cli|game|parser|plugin|regex|server|tool|website)\b",
    re.IGNORECASE,
)
_CODE_VERBS: Final = (
    ("test", ("test-code", "run-code")),
    ("review", ("review-code",)),
    ("document", ("document-code",)),
)
_CERTAIN_PAGE: Final = frozenset({"screenshots", "webpage", "website", "browser"})
_TAGS: Final[dict[Kind, frozenset[str]]] = {
    "page": frozenset({"browser", "browse", "web-page", "webpage", "web-browsing", "playwright"}),
    "data": frozenset({"data", "data-analysis", "csv", "statistics", "table"}),
    "code": frozenset({"code", "coding", "python", "sandbox", "programming"}),
    "summary": frozenset({"summarize", "summary", "summarization"}),
    "extraction": frozenset({"extract", "extraction", "structured"}),
    "research": frozenset({"research", "search", "sources", "documents"}),
    "any": frozenset(),
}
_HEAD_CHARS: Final = 600
_BEGINNING: Final = re.compile(r"\W*(?P<verb>e-mail|\w+)(?:\s+(?P<follows>\w*)|[.!?]|\Z)", re.IGNORECASE)
_SORTING: Final = re.compile(r"\b(?:by|ascending|descending|alphabetically)\b", re.IGNORECASE)
_WHOM_OR_WHAT: Final = re.compile(
    r"an?|all|another|any|each|every|everyone|her|him|its?|me|my|one|our|some|that|the|their|them|these|this|those|to|"
    r"two|us|your"
)
_VERB_STANDS: Final = r"(?:^|[.;:!?]\s+|\b(?:to|can|will|and|or)\s+)"
_MEDIA: Final = {"email": "send", "mail": "send", "message": "send", "text": "send", "phone": "call"}


@dataclass(frozen=True, slots=True)
class Need:
    """What a part seems to need: skill ids, best first, and how sure that is; `only`: no other kind will do.

    `act` is what it asks to be done, if that is more than an answer: only an agent fits that says that it does it.
    """

    kind: Kind
    skills: tuple[str, ...] = ()
    firm: bool = False
    only: bool = False
    act: str = ""


_RUN: Final = Need("code", ("run-code",), firm=True)
DOCUMENTS: Final = Need("research", ("research",), firm=True, only=True)
"""What a part needs that speaks of the documents: they are not asked for anywhere else."""
DATA: Final = Need("data", ("analyze-data",), firm=True)
_BUNDLED_SKILLS: Final = frozenset(
    {"research", "analysis", "summarize", "analyze-data", "extract-data", "browse", "extract-page", "screenshot"}
    | {"verify-page", "write-code", "run-code", "test-code", "review-code", "document-code"}
)


def read_need(text: str, files: Sequence[str] = (), *, several: bool = False, about: Kind = "any") -> Need:
    """Return what a part of a request seems to need.

    `files`: attached ones it speaks of; `several`: it has several steps; `about`: what made the result it speaks of.
    """
    plain = mask(_plain(text)).replace(FILLER, " ")
    seen = set(words(plain))
    first = next(iter(words(plain)), "")
    urls = URL.findall(text[:_HEAD_CHARS])
    names = [*FILE.findall(URL.sub(" ", text[:_HEAD_CHARS])), *files]
    act = _act(plain)
    if _SUMMARY.search(plain):
        return Need("summary", ("summarize",), firm=True, act="" if urls else act)
    is_table = any(map(_DATA_FILE.search, [*urls, *names])) or _DATA_FENCE.search(text)
    is_table = is_table or TABLE.search(FENCE.sub(" ", text)[:SPLIT_CHARS])
    if not urls and not is_table and _DOCUMENTS_SAY.search(plain):
        return DOCUMENTS
    brings_code = "```" in text and not _DATA_FENCE.search(text)
    coded = brings_code or about == "code" or any(map(_CODE_FILE.search, names))
    if code := _code_need(plain, seen, first, coded=coded, runs=brings_code):
        return code
    if is_table:
        extracts = first == "extract" and _ENTITIES.search(plain)
        return Need("extraction", ("extract-data",), firm=True) if extracts else DATA
    if urls:
        return _page_need(plain, seen, first, several=several)
    need = _bare_need(_plain(text), plain, seen, first, named=bool(names))
    return need if need.kind == "data" else replace(need, act=act)


def speaks_of_page(text: str) -> bool:
    """Tell whether a text has words for what is on a page."""
    return not PAGE_WORDS.isdisjoint(words(_plain(text)))


def speaks_of_data(text: str) -> bool:
    """Tell whether a text has words for what is in a table."""
    return not DATA_WORDS.isdisjoint(words(_plain(text)))


def named_agents(mention: str, offers: Sequence[Offer]) -> set[str]:
    """Return the ids of the agents that `@mention` may mean: by id or name, else by a word of the name."""
    wanted = _squeezed(mention)
    exact = {offer.agent_id for offer in offers if mention == offer.agent_id or wanted == _squeezed(offer.agent_name)}
    word = mention.lower()
    return exact or {offer.agent_id for offer in offers if word != "agent" and word in words(offer.agent_name)}


def suits(offer: Offer, need: Need) -> bool:
    """Tell whether an offer is of the kind that a need names."""
    return bool(_hinted(need, [offer]))


async def choose(text: str, need: Need, offers: Sequence[Offer], catalogue: Catalogue) -> Offer | None:
    """Return the offer that fits a part best, or None if none does."""
    offers = [offer for offer in offers if _does(text, need, offer)]
    if need.only and (fitting := [offer for offer in offers if _is_of_kind(need, offer)]):
        offers = fitting
    allowed = {(offer.agent_id, offer.skill_id) for offer in offers}
    ranked = [
        match
        for match in await catalogue.rank(_plain(text), 50)
        if (match.offer.agent_id, match.offer.skill_id) in allowed
    ]
    scores = {(match.offer.agent_id, match.offer.skill_id): match.score for match in ranked}
    hinted = sorted(
        _hinted(need, offers),
        key=lambda offer: (_preference(need, offer), -scores.get((offer.agent_id, offer.skill_id), 0.0)),
    )
    best = ranked[0] if ranked else None
    if not hinted:
        certain = best is not None and (not need.firm or len(_shared_words(text, best.offer)) > 1)
        return best.offer if best is not None and certain else None
    favourite = hinted[0]
    if best is None or best.offer in hinted:
        return favourite
    score = scores.get((favourite.agent_id, favourite.skill_id), 0.0)
    factor = 2 if need.firm else 1
    clear = best.score > factor * score and (not need.firm or len(_shared_words(text, best.offer)) > 1)
    return best.offer if clear else favourite


def _beginning(plain: str) -> tuple[str, str]:
    """Return the verb that a part may begin with, in small letters, and the word that follows it."""
    found = _BEGINNING.match(without_courtesy(plain))
    return (found["verb"].lower().replace("-", ""), found["follows"] or "") if found else ("", "")


def _act(plain: str) -> str:
    """Return the verb by which a part asks for an act; empty, if it asks for an answer: "send me", "order by"."""
    verb, follows = _beginning(plain)
    if verb in {"send", "update"} and follows.lower() in {"me", "us"}:
        return ""
    if verb in ACTING_VERBS:
        return verb
    if verb not in ACTING_NOUNS or (verb == "order" and _SORTING.search(plain)):
        return ""
    if verb in {"turn", "switch"}:
        return verb if follows.lower() in {"on", "off"} else ""
    names_whom = follows[:1].isupper()
    return verb if names_whom or _WHOM_OR_WHAT.fullmatch(follows.lower()) else ""


def _does(text: str, need: Need, offer: Offer) -> bool:
    """Tell whether an offer may be for what a part asks to be done, by the offer's own words.

    What the bundled agents do is known: one word in common is no sign that they can do what else begins like it.
    """
    is_known = offer.skill_id in _BUNDLED_SKILLS
    if need.act:
        return _speaks_of(need.act, offer) and (not is_known or len(_shared_words(text, offer)) > 1)
    if not is_known or need.kind != "any":
        return True
    verb, _ = _beginning(_plain(text))
    shared = _shared_words(text, offer)
    return len(shared) > 1 if verb in MAKING_VERBS else verb not in ACTING_NOUNS or shared != {stem(verb)}


def _speaks_of(verb: str, offer: Offer) -> bool:
    """Tell whether an offer's words have the verb; one that is a noun as well only where a verb stands."""
    says = (offer.skill_id.replace("_", " "), offer.skill_name, offer.agent_name, offer.description, *offer.examples)
    if verb in ACTING_NOUNS:
        pattern = f"{_VERB_STANDS}(?:{forms_of(verb)}|{forms_of(_MEDIA.get(verb, verb))})"
    else:
        says = (*says, *offer.tags)
        pattern = rf"(?<![^\W_]){forms_of(verb)}"
    return re.search(pattern, "\n".join(says), re.IGNORECASE | re.MULTILINE) is not None


def _code_need(plain: str, seen: set[str], first: str, *, coded: bool, runs: bool) -> Need | None:
    """`coded`: there is code to work on; `runs`: and it stands there to be run."""
    about_code = coded or bool(seen & CODE_WORDS)
    if _TESTS.match(plain) or (first == "write" and "tests" in seen and coded):
        return Need("code", ("test-code",), firm=True)
    if first in _MAKING and (about_code or _PROGRAM.match(plain)):
        return Need("code", ("write-code",), firm=True)
    for verb, skills in _CODE_VERBS:
        if first == verb and about_code:
            return Need("code", skills, firm=True)
    executes = first in {"run", "execute"} and about_code
    computes = first in {"compute", "calculate", "evaluate"} and any(map(str.isdigit, plain))
    return _RUN if runs or executes or computes or _CODE_MARK.search(plain) else None


def _page_need(plain: str, seen: set[str], first: str, *, several: bool) -> Need:
    if not several and seen & {"screenshot", "screenshots"}:
        return Need("page", ("screenshot", "browse"), firm=True)
    if _RESEARCHING.search(plain) and first in {"research", "investigate", "study", "find", "look"}:
        return Need("research", ("research", "browse"), firm=True)
    if _CHECKING.search(plain):
        return Need("page", ("verify-page", "browse"), firm=True)
    if first == "extract" and not several:
        if _ENTITIES.search(plain):
            return Need("extraction", ("extract-data", "extract-page", "browse"), firm=True)
        return Need("page", ("extract-page", "browse"), firm=True)
    return Need("page", ("browse", "extract-page"), firm=True)


def _bare_need(text: str, plain: str, seen: set[str], first: str, *, named: bool) -> Need:
    """Judge a part without address, table or code; what is surest comes first. `named`: it names a document."""
    asks = first in QUESTION_WORDS
    reads = first in READING_VERBS
    judged = (
        (named and first == "extract", Need("extraction", ("extract-data",))),
        (named, Need("summary", ("summarize", "research"))),
        (_ARITHMETIC.search(text) or _NUMERIC.search(text), _RUN),
        ("screenshot" in seen, Need("page", ("screenshot", "browse"), firm=True)),
        (seen & _CERTAIN_PAGE, Need("page", ("browse",), firm=True)),
        (seen & _CERTAIN_DATA, DATA),
        (first in {"profile", "plot"} and seen & DATA_WORDS, DATA),
        (_RESEARCHING.search(plain), Need("research", ("research",), firm=True)),
        (seen & DOCUMENT_WORDS and (reads or asks), Need("research", ("research",), firm=True)),
        (first in _COMPOSING and refers_back(plain), Need("summary", ("summarize", "analysis", "research"), firm=True)),
        (first == "extract" or (reads and _CONTACTS.search(plain)), Need("extraction", ("extract-data",))),
        (len(seen & DATA_WORDS) > 1, Need("data", ("analyze-data",))),
        (asks or (first in {"explain", "describe", "compare"} and len(seen) > 2), Need("research", ("research",))),
        (reads and seen & PAGE_WORDS, Need("page", ("browse",))),
    )
    return next((need for holds, need in judged if holds), Need("any"))


def _hinted(need: Need, offers: Sequence[Offer]) -> list[Offer]:
    by_id = [offer for offer in offers if offer.skill_id in need.skills]
    if by_id:
        return by_id
    return [offer for offer in offers if offer.skill_id not in _BUNDLED_SKILLS and _is_of_kind(need, offer)]


def _is_of_kind(need: Need, offer: Offer) -> bool:
    tags = _TAGS[need.kind]
    return offer.skill_id in tags or not tags.isdisjoint(tag.lower() for tag in offer.tags)


def _preference(need: Need, offer: Offer) -> int:
    return need.skills.index(offer.skill_id) if offer.skill_id in need.skills else len(need.skills)


def _shared_words(text: str, offer: Offer) -> set[str]:
    described = " ".join((offer.skill_id, offer.skill_name, offer.description, *offer.tags, *offer.examples))
    return stems(_plain(text)) & stems(re.sub(r"[-_]", " ", described)) - {"about"}


def _plain(text: str) -> str:
    """Return the words of a request: its beginning and end, without code, addresses and file names."""
    text = FENCE.sub(" ", text)
    if len(text) > 2 * _HEAD_CHARS:
        text = f"{text[:_HEAD_CHARS]} {text[-200:]}"
    for pattern in (URL, FILE, MENTION):
        text = pattern.sub(" ", text)
    return text


def _squeezed(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
