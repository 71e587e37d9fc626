"""Reads the goal of a page test as steps, by grammar alone: what to do, and what must be so then. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from browser_service import checks, claims, instructions, masking, naming
from browser_service.actions import Action, Fill, Navigate
from browser_service.checks import Check
from browser_service.masking import QUOTE, QUOTE_TOKEN, URL_TOKEN, Masked
from browser_service.page_content import Content
from shared.errors import InvalidRequestError
from shared.page_tests import MAX_STEPS, PageTestRequest, TestPlan, TestStep


@dataclass(frozen=True, slots=True)
class GoTo:
    """Get to the page that is called `name`: it is that one already, or a link or button leads there."""

    name: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A piece of the goal that the grammar does not understand. Without a model it cannot be checked."""

    text: str


Move: TypeAlias = Action | GoTo | Check | Unread


@dataclass(frozen=True, slots=True)
class GoalStep:
    """A step before it has its number: what is done and checked, one after the other."""

    description: str
    success_criteria: str
    moves: tuple[Move, ...]

    @property
    def is_claim(self) -> bool:
        """Whether nothing is done in it."""
        return all(isinstance(move, Check | Unread) for move in self.moves)


_I: Final = re.IGNORECASE
_DO: Final = (
    r"(?:type|enter|write|put|input|insert|paste|fill|complete|set|select|choose|pick|click|double-?click|right-?click|"
    r"tap|press|push|hit|follow|open|tick|untick|uncheck|toggle|activate|submit|scroll|hover|search|wait|go|navigate|"
    r"visit|drag|upload|clear|focus|accept|dismiss|close|log|sign|reload|refresh)\b"
)
_SEPARATOR: Final = re.compile(
    r"\s*(?:\n+\s*(?:[-*•]\s+)?|;|[.!?](?=\s|$)|,|(?:^|(?<=\s))\d{1,2}[.)](?=\s)|"
    rf":\s+(?={_DO})|\b(?:and\s+)?(?:then|afterwards?|after\s+that|finally)\b|\band\b|&)\s*",
    _I,
)
_POLITE: Final = re.compile(
    r"^(?:(?:please|kindly|now|first|next|also|just|can\s+you|could\s+you|you|i\s+want\s+(?:you\s+)?to|both)\b[\s,:]*)+",
    _I,
)
_VERIFY: Final = re.compile(
    r"^(?:verify|check|make\s+sure|ensure|assert|confirm|validate|test|see|expect|observe)\b(?!\s*box)\s*(?:to\s+see\s+)?",
    _I,
)
_THAT: Final = re.compile(r"^(?:that|whether|if|there\s+to\s+be)\s+", _I)
_TICK: Final = re.compile(
    r"^(?:check|tick|uncheck|untick)\s+(?!that\b|whether\b|if\b).+\b(?:check\s*box|box|option)$", _I
)
_DOING: Final = re.compile(f"^{_DO}", _I)
_GO_TO: Final = re.compile(
    r"^(?:navigate|go|head|browse|get|move|switch)\s+(?:over\s+|back\s+)?to\s+(?:the\s+)?(?P<name>.+?)"
    r"(?:\s+(?:page|screen|section|view|site))?$|^(?:open|visit)\s+the\s+(?P<opened>.+?)\s+(?:page|screen|section)$",
    _I,
)
_THE_PAGE: Final = re.compile(r"^(?:(?:this|that|web|home|start|landing)\s*)?(?:page|site|url|address|it|website)$", _I)
_NAVIGATE: Final = re.compile(r"^(?:navigate|go|head|browse|open|visit|load|launch|access)\b", _I)
_HAVING: Final = re.compile(
    r"^(?:(?:the|this)\s+)?(?:page|site|it)?\s*(?:has|have|shows?|contains?|displays?|includes?|there\s+(?:is|are))\b",
    _I,
)
_VERB_FIRST: Final = re.compile(r"(?:has|shows?|contains?|displays?|loads?|says?|includes?|redirects?|returns?)\b", _I)
_NOUN_PHRASE: Final = re.compile(
    rf"(?:an?|the|some|any|no|its|at\s+least|at\s+most|exactly|more\s+than|fewer\s+than|\d+|one|two|three)\s|{QUOTE_TOKEN}",
    _I,
)
_CLICKED: Final = re.compile(  # a name with a capital is a name, whatever words are in it: "click Sign in"
    r"^(click|tap|push|hit)\s+(?:on\s+)?(?:the\s+)?([A-Z][^'\"]*?)(\s+(?:button|link|tab|item|option))?$"
)
_SECRET: Final = re.compile(r"pass|secret|\bpin\b|token|\bcode\b|cvv|cvc", _I)
_PREDICATE: Final = re.compile(r"\s((?:(?:is|are|does|do)\s+(?:not\s+)?.+)|exists?|appears?|shows?\s+up)$", _I)
_MODAL: Final = (
    (re.compile(r"\b(?:should|must|will|ought\s+to|has\s+to)\s+not\s+be\b", _I), "is not"),
    (re.compile(r"\b(?:should|must|will|ought\s+to|has\s+to)\s+be\b", _I), "is"),
    (re.compile(r"\b(?:should|must|will|ought\s+to|has\s+to)\s+not\b", _I), "does not"),
    (re.compile(r"\b(?:should|must|will|ought\s+to)\s+(?=\w)", _I), ""),
    (re.compile(r"\bto\s+be\s+(?=visible|shown|displayed|there|present)", _I), "is "),
    (re.compile(r"\bto\s+(?=appear|exist|show)", _I), ""),
)
_LOADS: Final = Check(subject="loads")
_ANSWERS: Final = "The page answers, with an HTTP status below 400."


def read(request: PageTestRequest) -> list[GoalStep]:
    """Return the steps, 2 to `MAX_STEPS`; the first opens the page. Raises: InvalidRequestError for a bad address."""
    url = page_address(request.url)
    opening = GoalStep(f"Navigate to {url}", _ANSWERS, (Navigate(url=url), _LOADS))
    masked = masking.mask(request.goal)
    steps = [opening, *_Reader(masked, url).read()]
    if len(steps) == 1:
        steps.append(GoalStep("Verify that the page loads", _sentence(checks.describe(_LOADS)), (_LOADS,)))
    return _bounded(steps)


def to_plan(request: PageTestRequest, steps: Sequence[GoalStep]) -> TestPlan:
    """Number the steps and write them as one prompt."""
    numbered = tuple(
        TestStep(step_number=number, description=step.description, success_criteria=step.success_criteria)
        for number, step in enumerate(steps, 1)
    )
    lines = [f"{step.step_number}. {step.description}. Success: {step.success_criteria}" for step in numbered]
    prompt = "\n".join(
        [
            f"Test the web page {page_address(request.url)} step by step. Do only what the steps say.",
            *lines,
            "Say of each step whether it passed, and what you saw. After a step that failed, do not go on.",
        ]
    )
    return TestPlan(goal_prompt=prompt, steps=numbered, total_steps=len(numbered))


def page_address(url: str) -> str:
    """Return the one address in `url`. Raises: InvalidRequestError."""
    found = masking.mask(url.strip()).urls
    if len(found) != 1 or re.search(r"\s", url.strip()):
        raise InvalidRequestError(
            f"{url[:200]!r} is not one http or https address; write it like https://example.org/."
        )
    return found[0]


class _Reader:
    """Reads the clauses of a goal, one after the other."""

    def __init__(self, masked: Masked, url: str) -> None:
        self._masked = masked
        self._url = url
        self._steps: list[GoalStep] = []
        self._is_claiming = False
        self._expects = False
        self._last_claim = ""
        self._last_action = ""
        self._last_check: Check | None = None

    def read(self) -> list[GoalStep]:
        """Return the steps after the first."""
        before = 0
        for start, end in _spans(self._masked.text):
            clause = self._clean(self._masked.text[start:end])
            step = self._read_clause(clause, self._clean(self._masked.text[end:]))
            if step is None and self._steps and self._is_open_ended(self._steps[-1]):
                # "click Save and Continue": a name may hold the word that clauses are split at
                joined = self._read_clause(self._clean(self._masked.text[before:end]), "")
                if joined is not None and len(joined.moves) == len(self._steps[-1].moves):
                    self._steps[-1] = joined
                    continue
            before = start
            if step is None:
                told = self._tell(_THAT.sub("", _VERIFY.sub("", clause))) or self._tell(clause)
                step = GoalStep(f"Verify: {told}", told, (Unread(told),))
            if step.moves:
                self._steps.append(step)
        return self._steps

    @staticmethod
    def _is_open_ended(step: GoalStep) -> bool:
        return not any(isinstance(move, Unread) for move in step.moves)

    def _clean(self, words: str) -> str:
        return _POLITE.sub("", words.strip()).strip(" :.-\n")

    def _read_clause(self, clause: str, rest: str) -> GoalStep | None:
        if not clause:
            return GoalStep("", "", ())
        verb = None if _TICK.match(clause) else _VERIFY.match(clause)
        if verb is not None:
            self._is_claiming = True
            self._expects = verb[0].strip().lower() == "expect"
            clause = clause[verb.end() :].strip()
        claim = _THAT.sub("", clause)
        if verb is not None or (self._is_claiming and not _DOING.match(claim)):
            return self._read_claim(claim, rest)
        if (step := self._read_action(clause)) is not None:
            self._is_claiming = False
            return step
        return self._read_claim(claim, rest)

    def _read_claim(self, claim: str, rest: str) -> GoalStep | None:
        for pattern, instead in _MODAL:
            claim = pattern.sub(instead, claim)
        for words in self._tries(claim, rest):
            check = claims.parse(words, self._masked, self._last_check)
            if check is None or (words != claim and check.subject == "text"):
                continue  # what was not said must not be guessed from words that may mean anything
            if words == claim and (having := _HAVING.match(claim)):
                self._last_claim = having[0]
            self._last_check = check
            told = self._tell(words)
            if re.match(r"['\"]", told) and not re.search(r"['\"]\s+\w", told):
                told = checks.describe(check)
            subject = "the page " if _VERB_FIRST.match(told) else ""
            return GoalStep(f"Verify that {subject}{told}", _sentence(checks.describe(check)), (check,))
        return None

    def _tries(self, claim: str, rest: str) -> Iterator[str]:
        """Yield the claim, then what it may be short for: "a link" after "has a heading and"."""
        yield claim
        if self._last_claim and _NOUN_PHRASE.match(claim):
            yield f"{self._last_claim} {claim}"
        if _NOUN_PHRASE.match(claim):
            yield f"{claim} appears" if self._expects else f"has {claim}"
        if (predicate := _PREDICATE.search(next((rest[a:b] for a, b in _spans(rest)), ""))) is not None:
            yield f"{claim} {predicate[1]}"

    def _read_navigation(self, clause: str) -> GoalStep | None:
        """Read where to go; to where the test begins anyway is no step of its own."""
        nothing = GoalStep("", "", ())
        if (address := re.search(URL_TOKEN, clause)) is not None and _NAVIGATE.match(clause):
            url = self._masked.unmask(address[0])
            if url.rstrip("/") == self._url.rstrip("/") and not self._steps:
                return nothing
            return GoalStep(f"Navigate to {url}", _ANSWERS, (Navigate(url=url), _LOADS))
        if (match := _GO_TO.match(clause)) is None:
            return None
        name = self._masked.unmask(match["name"] or match["opened"])
        if _THE_PAGE.fullmatch(name):
            return nothing if not self._steps else None
        return GoalStep(f"Navigate to the {name} page", f"The {name} page is shown.", (GoTo(name),))

    def _read_action(self, clause: str) -> GoalStep | None:
        if (step := self._read_navigation(clause)) is not None:
            return step
        if clause.lower().startswith("check"):
            clause = f"tick{clause[5:]}"
        is_whole = bool(_DOING.match(clause))
        if not is_whole and (not self._last_action or not re.match(QUOTE_TOKEN, clause)):
            return None
        words = clause if is_whole else f"{self._last_action} {clause}"
        moves = self._actions(words)
        if moves is None:
            return None
        if is_whole:
            self._last_action = clause.split()[0]
        told = self._tell(words)
        for move in moves:
            if isinstance(move, Fill) and move.value and _SECRET.search(str(move.target)):
                told = told.replace(move.value, "********")
        return GoalStep(told[:1].upper() + told[1:], "It can be done on the page.", moves)

    def _actions(self, words: str) -> tuple[Move, ...] | None:
        """Return the actions that the words are, as the browser's own grammar reads them; None if it does not."""
        try:
            found = instructions.parse(_CLICKED.sub(r"\1 '\2'\3", self._quoted(words)), is_open=True)
        except InvalidRequestError:
            return None
        other = {"navigate", "extract", "assert", "screenshot"}
        doing = tuple(action for action in found.actions if action.do not in other)
        return doing if len(doing) == len(found.actions) and doing else None

    def _quoted(self, words: str) -> str:
        """Return the words with their quotes and addresses back in place."""

        def restore(match: re.Match[str]) -> str:
            text = self._masked.unmask(match[0])
            mark = "'" if "'" not in text else '"'
            return f"{mark}{text}{mark}" if match[0].startswith(QUOTE) else text

        return re.sub(f"{QUOTE_TOKEN}|{URL_TOKEN}", restore, words)

    def _tell(self, words: str) -> str:
        return " ".join(self._quoted(words).split())


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _SEPARATOR.finditer(text):
        if text[start : match.start()].strip():
            yield start, match.start()
        start = match.end()
    if text[start:].strip():
        yield start, len(text)


def _bounded(steps: list[GoalStep]) -> list[GoalStep]:
    """Join neighbours of one kind, the shortest first, until there are no more than `MAX_STEPS`."""
    while len(steps) > MAX_STEPS:
        pairs = range(1, len(steps) - 1)
        place = min(
            pairs,
            key=lambda at: (
                steps[at].is_claim != steps[at + 1].is_claim,
                len(steps[at].moves) + len(steps[at + 1].moves),
            ),
        )
        one, other = steps[place], steps[place + 1]
        joined = GoalStep(
            f"{one.description}; {other.description[:1].lower()}{other.description[1:]}",
            f"{one.success_criteria} {other.success_criteria}",
            (*one.moves, *other.moves),
        )
        steps = [*steps[:place], joined, *steps[place + 2 :]]
    return steps


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def leads_to(name: str, offered: Sequence[str]) -> str | None:
    """Return the link or button, of those on the page, that leads to the page called `name`."""
    exact = [each for each in offered if each.casefold().strip() == name.casefold().strip()]
    meant = exact or [each for each in offered if each.strip() and naming.means(name, each)]
    return min(meant, key=len) if meant else None


def is_page(name: str, content: Content) -> str | None:
    """Return why the page that is shown is the one called `name`; None if nothing says so."""
    path = urlsplit(content.url).path
    for what, text in (("address", path), ("title", content.title), ("main heading", content.main_heading or "")):
        if text and naming.means(name, text):
            return f"its {what} is {text!r}"
    return None
