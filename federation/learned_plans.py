"""Plans that succeeded and are used again: as the API shows them."""

from datetime import datetime

from pydantic import Field

from federation.models import Answered, PlanStep


class LearnedPlan(Answered):
    """A request, and the plan that fulfilled it: `task_id` is the last task that it did."""

    id: str
    goal: str
    steps: list[PlanStep] = Field(default_factory=list[PlanStep])
    task_id: str = ""
    successes: int = 0
    failures: int = 0
    created_at: datetime | None = None
    used_at: datetime | None = None
