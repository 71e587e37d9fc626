"""Plans without a model: takes the request apart, sees what leans on what, and finds a skill for each part.

`parts` says where it is split, `references` which earlier result a part needs, `routing` which skill fits, `follow_up`
what "the same for X" stands for. Here they come together: clauses that go on with the same page or table stay one step.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import JsonValue

from orchestrator_service.planning import follow_up, references, routing
from orchestrator_service.planning.parts import FILE, MENTION, TABLE, URL, Joint, Part, in_active_voice, mask, split
from orchestrator_service.planning.plan import (
    MAX_INSTRUCTION_CHARS,
    MAX_STEPS,
    MAX_WIDTH,
    Catalogue,
    Goal,
    Offer,
    Plan,
    PlanningFailedError,
    PlanStep,
    literal,
)
from orchestrator_service.planning.routing import DATA, DOCUMENTS, Kind, Need, read_need
from orchestrator_service.planning.words import (
    CODE_WORDS,
    HANDLING_VERBS,
    PAGE_VERBS,
    QUESTION_WORDS,
    READING_VERBS,
    says_only_where,
    words,
)

_MAX_GOAL_CHARS: Final = MAX_INSTRUCTION_CHARS - 50_000
_MAX_EARLIER_CHARS: Final = 20_000
_MAX_COPIES: Final = 10

_MENTION_FIRST: Final = re.compile(
    rf"(?:(?:please|ask|use|have|let|tell|via|with)\s+)*{MENTION.pattern}[,:]?\s*(?:to\s+)?", re.IGNORECASE
)
_BETWEEN_ADDRESSES: Final = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+|\s+(?:[-*•]\s+)?", re.IGNORECASE)
_ON_PAGE: Final = re.compile(
    r"\b(?:on|from|of)\s+(?:it|there|that|this|(?:the|that|this)\s+page)\b|\bthere\b|\bit\s+says\b", re.IGNORECASE
)
_RUN_THEM: Final = re.compile(r"(?:run|execute)\s+(?:them|it|these|those|the\s+tests)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A step in the making. `after` and `takes` are places of earlier drafts: to wait for, and to hand on."""

    text: str
    need: Need
    joint: Joint
    span: tuple[int, int]
    several: bool = False
    agent_id: str | None = None
    files: tuple[str, ...] = ()
    after: frozenset[int] = frozenset()
    takes: frozenset[int] = frozenset()
    note: str = ""


class RulesPlanner:
    """A planner that needs no model."""

    async def plan(self, goal: Goal, catalogue: Catalogue) -> Plan:
        """Return a plan for the goal. Raises: PlanningFailedError, saying which part no agent fits."""
        text = in_active_voice(follow_up.resolve(goal))
        if not any(map(str.isalnum, text)):
            raise PlanningFailedError("The request is empty; say what should be done.")
        if len(text) > _MAX_GOAL_CHARS:
            raise PlanningFailedError(
                f"The request has {len(text):,} characters; at most {_MAX_GOAL_CHARS:,} can be planned. "
                "Attach the material as a file instead."
            )
        offers = await catalogue.offers()
        drafts = _copied(_drafted(text, split(text, _verbs(offers)), offers, goal.files))
        if len(drafts) > MAX_STEPS:
            raise PlanningFailedError(
                f"The request has {len(drafts)} parts; a plan has at most {MAX_STEPS} steps. Split the request."
            )
        drafts = _linked(_given_files(drafts, goal.files))
        steps = [await _step(place, drafts, goal, offers, catalogue) for place in range(len(drafts))]
        return Plan(strategy="rules", steps=steps)


def _drafted(text: str, parts: Sequence[Part], offers: Sequence[Offer], files: Sequence[str]) -> list[_Draft]:
    drafts: list[_Draft] = []
    for part in parts:
        clause = text[part.start : part.end]
        agent_id, clause = _addressed(clause, offers)
        if drafts and _is_hint(clause) and (asked := _questions_before(drafts, agent_id)):
            drafts[-asked:] = [_joined(text, [*drafts[-asked:], _draft(clause, part, agent_id, files)], files)]
            continue
        if agent_id is None and drafts and _goes_on(drafts[-1], clause):
            start = drafts[-1].span[0]
            whole = text[start : part.end]
            agent_id, shown = (drafts[-1].agent_id, _addressed(whole, offers)[1])
            drafts[-1] = replace(
                drafts[-1],
                text=shown,
                need=read_need(shown, references.files(shown, files), several=True),
                span=(start, part.end),
                several=True,
            )
            continue
        if part.intro and not _target(clause) and _target(part.intro):
            clause = f"{part.intro}\n{clause}"
        about = drafts[-1].need.kind if drafts and references.refers_back(clause) else "any"
        drafts.append(_draft(clause, part, agent_id, files, about))
        if len(drafts) > 1 and _is_hint(drafts[-2].text) and _is_open_question(drafts[-1]):
            drafts[-2:] = [_joined(text, drafts[-2:], files)]
    return drafts


def _draft(clause: str, part: Part, agent_id: str | None, files: Sequence[str], about: Kind = "any") -> _Draft:
    need = read_need(clause, references.files(clause, files), about=about)
    return _Draft(clause, need, part.joint, (part.start, part.end), agent_id=agent_id)


def _is_hint(clause: str) -> bool:
    return not _target(clause) and says_only_where(clause)


def _is_open_question(draft: _Draft) -> bool:
    """Tell whether a hint where to look can be about this: it asks something, and of no page, table or code."""
    if _target(draft.text) or draft.several or _is_hint(draft.text):
        return False
    return draft.need.kind == "research" or (not draft.need.firm and words(draft.text[:100])[0] in QUESTION_WORDS)


def _questions_before(drafts: Sequence[_Draft], agent_id: str | None) -> int:
    """Return how many of the last drafts a hint after them is about: all questions since the last hint."""
    count = 0
    for draft in reversed(drafts):
        if not _is_open_question(draft) or not {agent_id, draft.agent_id} <= {None, agent_id or draft.agent_id}:
            break
        if count and draft.need.only:  # it knows where to look already
            break
        count += 1
    return count


def _joined(text: str, drafts: Sequence[_Draft], files: Sequence[str]) -> _Draft:
    """Make one draft of questions and the hint where to look, so that none is looked for elsewhere."""
    span = (drafts[0].span[0], drafts[-1].span[1])
    shown = text[span[0] : span[1]]
    if drafts[0].agent_id:
        shown = _MENTION_FIRST.sub("", shown, count=1)
    need = read_need(shown, references.files(shown, files))
    agent_id = next((draft.agent_id for draft in drafts if draft.agent_id), None)
    return replace(
        drafts[0], text=shown, need=need if need.kind == "data" and files else DOCUMENTS, span=span, agent_id=agent_id
    )


def _addressed(clause: str, offers: Sequence[Offer]) -> tuple[str | None, str]:
    """Take `@agent` off a clause. Only at its beginning must it be an agent; elsewhere it may be anything."""
    if found := _MENTION_FIRST.match(clause):
        return _one_agent(found["name"], offers), clause[found.end() :].strip() or clause
    for found in MENTION.finditer(clause[:2000]):
        if len(named := routing.named_agents(found["name"], offers)) == 1:
            return named.pop(), clause
    return None, clause


def _one_agent(name: str, offers: Sequence[Offer]) -> str:
    named = routing.named_agents(name, offers)
    if len(named) == 1:
        return named.pop()
    if named:
        meant = ", ".join(
            sorted({f"{offer.agent_name} ({offer.agent_id})" for offer in offers if offer.agent_id in named})
        )
        raise PlanningFailedError(f"Several agents go by @{name}: {meant}. Write @ and the id of the one you mean.")
    known = ", ".join(sorted({offer.agent_name for offer in offers})) or "none"
    raise PlanningFailedError(f"There is no agent @{name} now. There are: {known}.")


def _goes_on(draft: _Draft, clause: str) -> bool:
    """Tell whether a clause goes on with the page or the table of the draft before it."""
    if draft.need.skills[:1] == ("test-code",) and _RUN_THEM.match(clause):
        return True
    if _target(clause) or not _target(draft.text):
        return False
    need = read_need(clause)
    own = need.kind
    first = next(iter(words(clause[:100])), "")
    if draft.need.kind == "data":
        return own in {"data", "any"} and routing.speaks_of_data(clause) and not references.speaks_of_results(clause)
    if draft.need.kind != "page" or not URL.search(draft.text):
        return False
    about_page = routing.speaks_of_page(clause) or bool(_ON_PAGE.search(clause))
    asks = first in READING_VERBS or (first in QUESTION_WORDS and about_page)
    is_open = own != "extraction" and not need.firm and CODE_WORDS.isdisjoint(words(clause))
    if asks and is_open and _only_opened(draft):
        return True
    reads = first in READING_VERBS and about_page
    on_page = own in {"page", "any", "extraction"} and (reads or first in PAGE_VERBS or first == "extract")
    return on_page or first in HANDLING_VERBS


def _only_opened(draft: _Draft) -> bool:
    """Tell whether a part opens a page and asks nothing of it, so that what is asked next is asked of that page."""
    return draft.need.skills[:1] == ("browse",) and READING_VERBS.isdisjoint(words(mask(draft.text)))


def _target(text: str) -> str | None:
    """Return the first URL or file name in a text, or "code" if it brings code."""
    found = URL.search(text) or FILE.search(text)
    return found[0] if found else "code" if "```" in text else None


def _copied(drafts: Sequence[_Draft]) -> list[_Draft]:
    """Make one draft for each page where one clause names several: "get the title of URL and URL"."""
    copies: list[_Draft] = []
    for draft in drafts:
        urls = _in_a_row(draft.text) if draft.need.kind in {"page", "summary"} and not draft.several else []
        if not 1 < len(urls) <= _MAX_COPIES or re.match(r"compare|contrast", draft.text, re.IGNORECASE):
            copies.append(draft)
            continue
        for place, url in enumerate(urls):
            text = draft.text[: urls[0].start()] + url[0] + draft.text[urls[-1].end() :]
            copies.append(replace(draft, text=text, joint="beside" if place else draft.joint))
    return copies


def _in_a_row(text: str) -> list[re.Match[str]]:
    """Return the first addresses in a text that nothing but commas, "and" or marks of a list stand between."""
    row: list[re.Match[str]] = []
    for url in URL.finditer(text):
        if row and not _BETWEEN_ADDRESSES.fullmatch(text, row[-1].end(), url.start()):
            if len(row) > 1:
                break
            row = []
        row.append(url)
    return row


def _given_files(drafts: Sequence[_Draft], files: Sequence[str]) -> list[_Draft]:
    """Give each draft the attached files it speaks of; if none does, the first that could use them gets all."""
    given = [replace(draft, files=references.files(draft.text, files)) for draft in drafts]
    if not files or any(draft.files for draft in given):
        return given
    kinds = ("data", "summary", "extraction", "research", "any", "code", "page")
    place = min(
        range(len(given)), key=lambda place: (bool(_target(given[place].text)), kinds.index(given[place].need.kind))
    )
    chosen = given[place]
    need = read_need(chosen.text, files, several=chosen.several)
    given[place] = replace(chosen, files=tuple(files), need=need)
    return given


def _linked(drafts: Sequence[_Draft]) -> list[_Draft]:
    """Say for each draft which earlier ones it waits for, and whose results it is given."""
    linked: list[_Draft] = []
    before: frozenset[int] = frozenset()
    stage: frozenset[int] = frozenset()
    used: frozenset[int] = frozenset()
    for place, draft in enumerate(drafts):
        match draft.joint:
            case "then":
                before, stage = stage, frozenset[int]()
            case "last":
                before, stage = frozenset(range(place)), frozenset[int]()
            case "apart":
                before = frozenset()
            case "beside":
                pass
        takes = references.earlier(draft.text, [other.text for other in linked], used) or _page_before(draft, linked)
        table = _table_before(draft, linked)
        note = f"\n\n{table}" if table else _carried(draft, linked)
        after = before | takes
        if note:
            takes = frozenset[int]()  # it is about the same page or file, not about what was said of it
        wave = {place - MAX_WIDTH} if not after and place >= MAX_WIDTH else set[int]()
        need = DATA if table else draft.need
        linked.append(replace(draft, need=need, after=after | wave, takes=takes, note=note))
        stage |= {place}
        used |= takes
    return linked


def _carried(draft: _Draft, before: Sequence[_Draft]) -> str:
    """Name the page or file of an earlier part for a part that needs one and names none."""
    if draft.need.kind not in {"page", "data"} or draft.files or _target(draft.text):
        return ""
    pattern, label = (URL, "Page") if draft.need.kind == "page" else (FILE, "File")
    for other in reversed(before):
        if found := pattern.search(other.text):
            return f"\n\n{label}: {found[0]}"
    return ""


def _page_before(draft: _Draft, before: Sequence[_Draft]) -> frozenset[int]:
    """Return the place of the page that a part is to extract something from, if it is what was opened just before."""
    is_meant = draft.need.kind == "extraction" and not draft.files and not _target(draft.text)
    return frozenset({len(before) - 1}) if is_meant and before and _only_opened(before[-1]) else frozenset()


def _table_before(draft: _Draft, before: Sequence[_Draft]) -> str:
    """Return the table that was pasted for the part just before, if this part speaks of its columns, too."""
    if not before or draft.need.firm or draft.files or _target(draft.text):
        return ""
    pasted = TABLE.search(before[-1].text + before[-1].note)
    if pasted is None or TABLE.search(draft.text):
        return ""
    columns = words(pasted[0].split("\n", 1)[0])
    return pasted[0] if not set(columns).isdisjoint(words(draft.text)) else ""


async def _step(
    place: int, drafts: Sequence[_Draft], goal: Goal, offers: Sequence[Offer], catalogue: Catalogue
) -> PlanStep:
    draft = drafts[place]
    allowed = [offer for offer in offers if draft.agent_id in {None, offer.agent_id}]
    need = draft.need if draft.agent_id is None else replace(draft.need, act="")
    offer = await routing.choose(draft.text, need, allowed, catalogue)
    if offer is None and draft.agent_id is None:
        seems = f" It seems to need the skill {' or '.join(need.skills)}." if need.skills else ""
        if need.act:
            seems = f" None says that it can {need.act}; if one can all the same, begin with @ and its name."
        raise PlanningFailedError(
            f"No registered agent fits this part: {_label(draft.text)!r}.{seems} There are: {_on_offer(offers)}."
        )
    instruction = literal(draft.text + draft.note, goal.inputs or ())
    for taken in sorted(draft.takes):
        instruction += _result(taken, drafts[taken])
    if place == 0 and not _target(draft.text) and not draft.files and references.refers_back(draft.text):
        instruction += _earlier_answer(goal)
    files: list[JsonValue] = [*draft.files, *_files_taken(draft, drafts)]
    return PlanStep(
        id=_id(place),
        skill=offer.skill_id if offer else None,
        agent=draft.agent_id,
        instruction=instruction,
        inputs={"files": files} if files else {},
        depends_on=[_id(other) for other in sorted(draft.after)],
    )


def _result(place: int, draft: _Draft) -> str:
    reference = f"{{{{ steps.{_id(place)}.output }}}}"
    return f'\n\nResult of step {place + 1} ({literal(_label(draft.text))}):\n"""\n{reference}\n"""'


def _files_taken(draft: _Draft, drafts: Sequence[_Draft]) -> list[str]:
    """Refer to the files that a part about code is given: those of the parts it takes up that made code."""
    if draft.need.kind != "code":
        return []
    made = [taken for taken in sorted(draft.takes) if drafts[taken].need.kind == "code"]
    return [f"{{{{ steps.{_id(taken)}.artifacts.* }}}}" for taken in made]


def _earlier_answer(goal: Goal) -> str:
    answers = [text for role, text in goal.history if role in {"assistant", "agent"} and text.strip()]
    return f'\n\nThe answer before:\n"""\n{literal(answers[-1][:_MAX_EARLIER_CHARS])}\n"""' if answers else ""


def _id(place: int) -> str:
    return f"step-{place + 1}"


def _label(text: str) -> str:
    line = " ".join(text[:200].split())
    return line if len(line) <= 60 else f"{line[:59]}…"


def _on_offer(offers: Sequence[Offer]) -> str:
    by_agent: dict[str, list[str]] = {}
    for offer in offers:
        by_agent.setdefault(offer.agent_name, []).append(offer.skill_id)
    listed = [f"{name} ({', '.join(skills)})" for name, skills in sorted(by_agent.items())]
    return "; ".join(listed[:20]) or "no agent"


def _verbs(offers: Sequence[Offer]) -> frozenset[str]:
    """Return the verbs that agents bring: a skill "translate-text" with an example that begins with "Translate"."""
    return frozenset(
        verb
        for offer in offers
        for verb in words(offer.skill_id.replace("_", " "))[:1]
        if any(words(example[:100])[:1] == [verb] for example in offer.examples)
    )
