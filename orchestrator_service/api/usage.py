"""Routes that say what models cost."""

from typing import Annotated, Final, TypeAlias, cast, get_args

from fastapi import APIRouter, Query

from orchestrator_service import usage
from orchestrator_service.api.parts import OpenParts, Time, WhoAsks
from orchestrator_service.api.shapes import Json, Page, Shape, Sparse
from orchestrator_service.usage import Group, Question
from shared.errors import InvalidRequestError

router = APIRouter(prefix="/api/usage", tags=["usage"])

_GROUPS: Final[tuple[Group, ...]] = get_args(Group)

_GroupBy = Annotated[
    str, Query(max_length=100, description=f"What to sum by, separated by commas: {', '.join(_GROUPS)}.")
]
_Since = Annotated[Time | None, Query(description="Only calls from then on (RFC 3339).")]
_Until = Annotated[Time | None, Query(description="Only calls before then (RFC 3339).")]


class Spending(Sparse):
    """What calls of models cost together; the fields of the groups that were asked for say which."""

    day: str | None = None
    user: str | None = None
    agent: str | None = None
    model: str | None = None
    tenant: str | None = None
    workflow: str | None = None
    role: str | None = None
    task: str | None = None
    llm_calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float
    saved_calls: int
    saved_usd: float
    latency_ms: float | None


class UsagePage(Page[Spending]):
    """Groups, and all of them together."""

    total: Spending


UsageAnswer: TypeAlias = Annotated[Json, Shape(UsagePage)]
_Most = Annotated[int, Query(ge=1, le=200, description="Most items to answer.")]
_First = Annotated[str | None, Query(pattern=r"^\d{1,9}$", description="`next_cursor` of the page before.")]


@router.get("", summary="What calls of models cost, and which were saved")
async def read(
    parts: OpenParts,
    who: WhoAsks,
    group_by: _GroupBy = "day",
    since: _Since = None,
    until: _Until = None,
    limit: _Most = 50,
    cursor: _First = None,
) -> UsageAnswer:
    """Answer tokens, calls and cost by group, and in all: the same numbers that the tasks themselves show."""
    names = list(dict.fromkeys(name.strip() for name in group_by.split(",") if name.strip()))
    if unknown := [name for name in names if name not in _GROUPS]:
        raise InvalidRequestError(f"group_by has {unknown[0]!r}; it may have {', '.join(_GROUPS)}.")
    question = Question(cast("list[Group]", names), since, until)
    items = await parts.database.read(usage.summed, who, question) if names else []
    [total] = await parts.database.read(usage.summed, who, Question((), since, until))
    first = int(cursor or 0)
    following = str(first + limit) if first + limit < len(items) else None
    return {"items": [*items[first : first + limit]], "next_cursor": following, "total": total}
