"""Checks on a page: what is claimed, whether it is so, and what was found instead. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from browser_service import naming
from browser_service.page_content import Content, Thing

Subject: TypeAlias = Literal[
    "loads",
    "script_errors",
    "status",
    "url",
    "title",
    "main_heading",
    "heading",
    "text",
    "description",
    "link",
    "button",
    "field",
    "checkbox",
    "radio",
    "table",
    "row",
    "list",
    "item",
    "image",
    "video",
    "form",
    "price",
    "menu",
    "header",
    "footer",
    "tab",
    "dialog",
    "error",
    "notice",
    "spinner",
    "paragraph",
    "suggestions",
]
State: TypeAlias = Literal[
    "disabled",
    "enabled",
    "checked",
    "unchecked",
    "required",
    "invalid",
    "focused",
    "expanded",
    "collapsed",
    "selected",
    "readonly",
    "empty",
]

_LISTED = 5
_NEGATED: dict[State, str] = {"enabled": "disabled", "unchecked": "checked", "collapsed": "expanded"}
_OF_THINGS = frozenset({"link", "button", "field", "table", "image", "form", "price"})


class Check(BaseModel):
    """A claim about a page. Letter case and runs of blanks do not count. `expected` false claims the opposite.

    `exists`: there is one at all; `contains` and `is`: one has or equals `value`. `appears`: there is one now that was
    not there before the last action. `exactly`, `at_least`, `at_most`: there are `value` of them. `state`: one is in
    `state`. `name` says which one is meant, in words that its name or its markup has; then `contains` and `is` are
    about what is in it. For "loads" and "status", `value` is the HTTP status, if one is claimed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Subject
    relation: Literal["exists", "contains", "is", "appears", "exactly", "at_least", "at_most", "state"] = "exists"
    value: Annotated[str, Field(max_length=2_000)] = ""
    expected: bool = True
    name: Annotated[str, Field(max_length=500)] = ""
    state: State | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a check ended. `details` says what was found."""

    description: str
    passed: bool
    details: str


@dataclass(frozen=True, slots=True)
class Around:
    """What is known beside the page itself: how it was before the last action, what was typed, which scripts failed."""

    before: Content | None = None
    typed: tuple[str, ...] = ()
    script_errors: tuple[str, ...] = ()


NOTHING_AROUND = Around()


def describe(check: Check) -> str:
    """Return the claim as words that go after "that"."""
    noun = check.subject.replace("_", " ")
    article = "an" if noun[0] in "aeiou" else "a"
    thing = f"{article} {noun}"
    named = f"{noun} {check.name!r}" if check.name else noun
    negative = not check.expected
    match check.subject, check.relation:
        case "loads", _:
            words = f"the page {'does not load' if negative else 'loads'}"
        case "script_errors", _:
            words = f"the page loads {'without errors' if negative else 'with errors'}"
        case _, "appears":
            many = check.subject == "suggestions"
            appears = f"{'do' if many else 'does'} not appear" if negative else "appear" if many else "appears"
            words = f"{named if many else f'{article} {named}'} {appears}"
        case _, ("exactly" | "at_least" | "at_most") as relation:
            many = f"{relation.replace('_', ' ')} {check.value or '0'} × {named}"
            words = f"the page {'does not have' if negative else 'has'} {many}"
        case _, "state":
            words = f"the {named} is {'not ' if negative else ''}{check.state or 'there'}"
        case "text", relation:
            shown = "any text" if relation == "exists" else repr(check.value)
            words = f"the page {'does not show' if negative else 'shows'} {shown}"
        case subject, ("is" | "contains") if subject in _OF_THINGS and not check.name:
            words = f"the page {'does not have' if negative else 'has'} {thing} {check.value!r}"
        case _, "exists":
            words = f"the page {'does not have' if negative else 'has'} {article} {named}"
        case _, "is":
            words = f"the {named} is {'not ' if negative else ''}{check.value!r}"
        case _, "contains":
            words = f"the {named} {'does not contain' if negative else 'contains'} {check.value!r}"
    return words


def judge(check: Check, content: Content, status: int | None, around: Around = NOTHING_AROUND) -> CheckResult:
    """Say whether `check` holds for the page with this content and HTTP status.

    What is not there is in no state and has no content: neither a claim about it nor the opposite holds.
    """
    if check.subject in {"loads", "status", "script_errors"}:
        return _judge_loading(check, status, around)
    if check.relation == "appears" or check.subject == "suggestions":
        return _judge_appearance(check, content, around)
    if check.relation in {"exactly", "at_least", "at_most"}:
        return _judge_count(check, content)
    if check.relation == "state" or (check.name and check.relation != "exists"):
        return _judge_inside(check, content)
    found = [thing.name or thing.kind for thing in _named(check, content)] if check.name else _texts(check, content)
    matching = [text for text in found if _matches(check, text)]
    return CheckResult(
        describe(check), bool(matching) == check.expected, _tell(check, found or _others(check, content), matching)
    )


def _judge_loading(check: Check, status: int | None, around: Around) -> CheckResult:
    said = f"The HTTP status is {status or 'unknown'}."
    if check.subject == "script_errors":
        errors = around.script_errors
        told = f" Errors: {'; '.join(_short(error, 200) for error in errors[:_LISTED])}." if errors else ""
        is_clean = not errors and (status is None or status < 400)
        return CheckResult(describe(check), is_clean is not check.expected, said + told)
    wanted = check.value if check.subject == "status" and check.value else None
    holds = str(status) == wanted if wanted else status is None or status < 400
    return CheckResult(describe(check), holds == check.expected, said)


def _judge_appearance(check: Check, content: Content, around: Around) -> CheckResult:
    before = around.before
    if check.subject == "suggestions":
        there, known = _offered(content, around), [] if before is None else _offered(before, around)
    else:
        there = [thing.name or thing.kind for thing in _named(check, content)]
        known = [] if before is None else [thing.name or thing.kind for thing in _named(check, before)]
    new = list((Counter(there) - Counter(known)).elements())
    if new:
        return CheckResult(describe(check), check.expected, f"Appeared: {_list(new)}.")
    is_old = bool(there) and check.subject != "suggestions"
    told = f"It was there before: {_list(there)}." if is_old else "Nothing of that kind appeared."
    return CheckResult(describe(check), not check.expected, told)


def _offered(content: Content, around: Around) -> list[str]:
    """Return what a person would take for suggestions or results.

    Options, and after an action the items, rows and links that came, on another page only those that have something of
    what was typed in them; lines of text only with it.
    """
    typed = [word.casefold() for text in around.typed for word in text.split() if len(word) > 1]
    before = around.before
    is_elsewhere = before is not None and before.url.partition("?")[0] != content.url.partition("?")[0]
    kinds = {"option"} if before is None else {"option", "item", "row", "link"}
    names = [thing.name for thing in content.things if thing.kind in kinds and thing.name]
    if is_elsewhere:
        names = [name for name in names if any(word in name.casefold() for word in typed)]
    lines = [line for line in content.text.splitlines() if any(word in line.casefold() for word in typed)]
    if before is not None and any(
        naming.says_nothing(line) for line in set(content.text.splitlines()) - set(before.text.splitlines())
    ):
        return []
    return [name for name in dict.fromkeys((*names, *lines)) if not naming.says_nothing(name)]


def _judge_count(check: Check, content: Content) -> CheckResult:
    found = [thing.name or thing.kind for thing in _named(check, content)]
    count, wanted = len(found), int(check.value) if check.value.isdecimal() else 0
    holds = {"exactly": count == wanted, "at_least": count >= wanted, "at_most": count <= wanted}[check.relation]
    shown = f": {_list(found)}" if found else ""
    return CheckResult(describe(check), holds == check.expected, f"There are {count}{shown}.")


def _judge_inside(check: Check, content: Content) -> CheckResult:
    """Judge what state the named thing is in, or what is in it."""
    found = _named(check, content)
    if not found:
        return CheckResult(describe(check), False, _tell(check, _others(check, content), []))
    told = "; ".join(f"{thing.name or thing.kind!r}: {_tell_state(thing)}" for thing in found[:_LISTED])
    holds = [_is_so(check, thing) for thing in found]
    return CheckResult(describe(check), any(holds) if check.expected else not any(holds), f"Found {told}.")


def _is_so(check: Check, thing: Thing) -> bool:
    if check.relation != "state":
        return _matches(check, thing.value)
    if check.state is None:
        return True
    if check.state == "empty":
        return not thing.value
    opposite = _NEGATED.get(check.state)
    return opposite not in thing.states if opposite else check.state in thing.states


def _tell_state(thing: Thing) -> str:
    states = ", ".join(thing.states)
    return (
        " and ".join(part for part in (f"holds {_short(thing.value, 80)!r}" if thing.value else "", states) if part)
        or "plain"
    )


# All texts on a page that a check of a subject looks through; of the others, the names of the things of that kind.
_FOUND: dict[Subject, Callable[[Content], Sequence[str]]] = {
    "url": lambda content: [content.url],
    "title": lambda content: [content.title] if content.title else [],
    "main_heading": lambda content: [content.main_heading] if content.main_heading else [],
    "heading": lambda content: [heading.text for heading in content.headings],
    "text": lambda content: [content.text] if content.text else [],
    "description": lambda content: [content.description] if content.description else [],
    "link": lambda content: [text for link in content.links for text in (link.text, link.url) if text],
    "button": lambda content: content.buttons,
    "field": lambda content: content.fields,
    "table": lambda content: ["\n".join(" ".join(row) for row in table.rows) for table in content.tables],
    "image": lambda content: [image.text or image.url for image in content.images],
    "form": lambda content: ["form"] * content.forms,
    "price": lambda content: content.prices,
}


def _texts(check: Check, content: Content) -> Sequence[str]:
    if check.subject in _FOUND:
        return _FOUND[check.subject](content)
    return [thing.name or thing.kind for thing in content.things if thing.kind == check.subject]


def _named(check: Check, content: Content) -> list[Thing]:
    """Return the things of the subject's kind that the name means; those that have just that name, if any has."""
    same = [thing for thing in content.things if thing.kind == check.subject]
    if not check.name:
        return same
    exact = [thing for thing in same if _folded(thing.name) == _folded(check.name)]
    return exact or [thing for thing in same if naming.means(check.name, thing.name, thing.hint)]


def _others(check: Check, content: Content) -> Sequence[str]:
    return [thing.name or thing.kind for thing in content.things if thing.kind == check.subject] or _texts(
        check, content
    )


def _matches(check: Check, text: str) -> bool:
    wanted, there = _folded(check.value), _folded(text)
    match check.relation:
        case "contains":
            return wanted in there
        case "is":
            return wanted == there or (check.subject == "url" and wanted.rstrip("/") == there.rstrip("/"))
        case _:
            return True


def _tell(check: Check, found: Sequence[str], matching: list[str]) -> str:
    if not found:
        return f"The page has no {check.subject.replace('_', ' ')}."
    if check.subject == "text":
        return "The text is on the page." if matching else f"The page shows: {_short(found[0], 300)}"
    return f"Found: {_list(matching or found)}."


def _list(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return f"{', '.join(repr(_short(text, 120)) for text in texts[:_LISTED])}{more}"


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _short(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
