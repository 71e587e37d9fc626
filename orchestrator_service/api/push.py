"""Where agents say that something happened to a remote task: only a hint, after which the step asks with GetTask."""

from typing import Annotated

from fastapi import APIRouter, Header, Path

from orchestrator_service.api.parts import OpenParts
from shared.errors import NotFoundError

router = APIRouter(prefix="/api/push", tags=["push"])


@router.post(
    "/{task_id}/{step_id}/{number}",
    status_code=204,
    summary="Take an agent's push notification as a hint",
    responses={404: {"description": "Not an attempt with that token"}},
)
async def hint(
    task_id: Annotated[str, Path(max_length=200)],
    step_id: Annotated[str, Path(max_length=64)],
    number: Annotated[int, Path(ge=1)],
    parts: OpenParts,
    token: Annotated[str, Header(alias="X-A2A-Notification-Token", max_length=200)] = "",
) -> None:
    """Wake the step that this attempt belongs to. What the body says is not read: anyone could have written it."""
    if not parts.keys.is_push_token(token, task_id, step_id, number):
        raise NotFoundError("There is no such attempt, or X-A2A-Notification-Token is not its token.")
    parts.nudge(task_id, step_id)
