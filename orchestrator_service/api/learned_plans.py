"""Routes of learned plans: what was learned, and how to forget it."""

from typing import Annotated, TypeAlias

from fastapi import APIRouter

from orchestrator_service import learning
from orchestrator_service.api.parts import Cursor, Limit, OpenParts, WhoAsks, page
from orchestrator_service.api.shapes import Answer, Json, Page, Shape
from shared.agent import JsonObject

router = APIRouter(prefix="/api/learned-plans", tags=["learned plans"])


class LearnedPlan(Answer):
    """A request, and the steps that fulfilled it; `task_id` is the last task that they did."""

    id: str
    goal: str
    steps: list[JsonObject]
    task_id: str
    successes: int
    failures: int
    created_at: str
    used_at: str


_Plan: TypeAlias = Annotated[Json, Shape(LearnedPlan)]
_Plans: TypeAlias = Annotated[Json, Shape(Page[LearnedPlan])]


@router.get("", summary="Plans that succeeded and are used again, newest first")
async def search(parts: OpenParts, who: WhoAsks, limit: Limit = 50, cursor: Cursor = None) -> _Plans:
    """Answer the caller's learned plans: the request, the steps, how often they succeeded."""
    return page(await parts.database.read(learning.show, who, cursor, limit), limit)


@router.get("/{plan_id}", summary="A learned plan")
async def find(plan_id: str, parts: OpenParts, who: WhoAsks) -> _Plan:
    """Answer the learned plan."""
    return await parts.database.read(learning.find, who, plan_id)


@router.delete("", status_code=204, summary="Forget all learned plans")
async def clear(parts: OpenParts, who: WhoAsks) -> None:
    """Forget them; tasks stay as they are, and the next ones are planned anew."""
    await parts.database.write(learning.forget, who)


@router.delete("/{plan_id}", status_code=204, summary="Forget a learned plan")
async def forget(plan_id: str, parts: OpenParts, who: WhoAsks) -> None:
    """Forget it; the next request like it is planned anew."""
    await parts.database.write(learning.forget, who, plan_id)
