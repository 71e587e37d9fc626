"""Checks on a page: what is claimed, whether it is so, and what was found instead. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from browser_service.page_content import Content

Subject: TypeAlias = Literal[
    "loads",
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
    "table",
    "image",
    "form",
    "price",
]

_LISTED = 5


class Check(BaseModel):
    """A claim about a page. `exists`: there is one at all; `contains` and `is`: one has or equals `value`.

    Letter case and runs of blanks do not count. `expected` false claims the opposite. For "loads" and "status", `value`
    is the HTTP status, if one is claimed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Subject
    relation: Literal["exists", "contains", "is"] = "exists"
    value: Annotated[str, Field(max_length=2_000)] = ""
    expected: bool = True


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a check ended. `details` says what was found."""

    description: str
    passed: bool
    details: str


def describe(check: Check) -> str:
    """Return the claim as words that go after "that"."""
    name = check.subject.replace("_", " ")
    thing = f"{'an' if name == 'image' else 'a'} {name}"
    negative = not check.expected
    match check.subject, check.relation:
        case "loads", _:
            words = f"the page {'does not load' if negative else 'loads'}"
        case "text", relation:
            shown = "any text" if relation == "exists" else repr(check.value)
            words = f"the page {'does not show' if negative else 'shows'} {shown}"
        case (("link" | "button" | "field" | "table" | "image" | "form" | "price"), ("is" | "contains")):
            words = f"the page {'does not have' if negative else 'has'} {thing} {check.value!r}"
        case _, "exists":
            words = f"the page {'does not have' if negative else 'has'} {thing}"
        case _, "is":
            words = f"the {name} is {'not ' if negative else ''}{check.value!r}"
        case _, "contains":
            words = f"the {name} {'does not contain' if negative else 'contains'} {check.value!r}"
    return words


def judge(check: Check, content: Content, status: int | None) -> CheckResult:
    """Say whether `check` holds for the page with this content and HTTP status."""
    if check.subject in {"loads", "status"}:
        wanted = check.value if check.subject == "status" and check.value else None
        holds = str(status) == wanted if wanted else status is None or status < 400
        return CheckResult(describe(check), holds == check.expected, f"The HTTP status is {status or 'unknown'}.")
    found = _FOUND[check.subject](content)
    matching = [text for text in found if _matches(check, text)]
    return CheckResult(describe(check), bool(matching) == check.expected, _tell(check, found, matching))


# All texts on a page that a check of a subject looks through.
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


def _matches(check: Check, text: str) -> bool:
    wanted, there = _folded(check.value), _folded(text)
    match check.relation:
        case "exists":
            return True
        case "contains":
            return wanted in there
        case "is":
            return wanted == there or (check.subject == "url" and wanted.rstrip("/") == there.rstrip("/"))


def _tell(check: Check, found: Sequence[str], matching: list[str]) -> str:
    if not found:
        return f"The page has no {check.subject.replace('_', ' ')}."
    if check.subject == "text":
        return "The text is on the page." if matching else f"The page shows: {_short(found[0], 300)}"
    shown = matching or found
    more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
    return f"Found: {', '.join(repr(_short(text, 120)) for text in shown[:_LISTED])}{more}."


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _short(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
