"""What clients send about tasks."""

import re
from base64 import b64decode
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, JsonValue

from orchestrator_service import tasks
from orchestrator_service.ancestry import MOST_BUDGET
from orchestrator_service.api.body import Body
from orchestrator_service.planning.plan import MAX_DURATION_S, MAX_INSTRUCTION_CHARS, Plan
from orchestrator_service.planning.team import Evaluation
from shared.agent import File
from shared.llm_choice import ROLES


def _decode(content: object) -> object:
    if not isinstance(content, str):
        return content
    try:
        return b64decode(content, validate=True)
    except ValueError as error:
        raise ValueError(f"it is not valid Base64: {error}") from error


def _check_address(url: str | None) -> str | None:
    if url is not None:
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            is_address = False
        if not is_address or re.search(r"\s", url):
            raise ValueError("it is no address; write it like https://example.org/hooks")
    return url


def _check_models(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    models = metadata.get("models", {})
    if not isinstance(models, dict):
        raise ValueError('its models are an object, such as {"planner": "groq:openai/gpt-oss-20b"}')
    for role, name in models.items():
        if role not in ROLES:
            raise ValueError(f"its models have the role {role[:100]!r}; there are {', '.join(ROLES)}")
        if not isinstance(name, str) or not 0 < len(name.strip()) <= 200:
            raise ValueError(f"its model for {role} is not the name of one, such as groq:openai/gpt-oss-20b")
    return metadata


class NewFile(Body):
    """A file the task brings along."""

    name: str = Field(min_length=1, max_length=255, examples=["sales.csv"])
    media_type: str = Field(default="application/octet-stream", max_length=200, examples=["text/csv"])
    content: Annotated[bytes, BeforeValidator(_decode)] = Field(
        description="The bytes, in Base64.", examples=["Y2l0eSxwcmljZQpPc2xvLDQyCg=="]
    )


class Budget(Body):
    """What a task may spend; what is left out is unlimited."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cost_usd": 0.5, "tokens": 100_000, "depth": 2}]})

    cost_usd: float | None = Field(default=None, ge=0, le=MOST_BUDGET)
    tokens: int | None = Field(default=None, ge=0)
    steps: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0, le=MAX_DURATION_S)
    depth: int | None = Field(default=None, ge=0, description="How many levels of sub-tasks agents may start.")


_Seconds = Annotated[float | None, Field(gt=0, le=MAX_DURATION_S)]


class Deadlines(Body):
    """How long a task may wait for what, in seconds; what is left out is as the settings say."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"connect_s": 5, "gap_s": 120, "task_s": 7_200}]})

    connect_s: _Seconds = Field(default=None, description="For a connection to an agent.")
    first_byte_s: _Seconds = Field(default=None, description="For the first byte of an agent's answer.")
    gap_s: _Seconds = Field(default=None, description="Between two events of an agent.")
    step_s: _Seconds = Field(default=None, description="For a step; a step's own `timeout_s` goes first.")
    task_s: _Seconds = Field(default=None, description="For the whole task, without the time it waits for people.")


class NewTask(Body):
    """A goal. `agent` skips planning and sends it there; `plan` is run as it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"description": "Compute 17 * 23 in Python."},
                {
                    "description": "Summarize the report and send it out.",
                    "plan": {
                        "steps": [
                            {"id": "sum", "skill": "summarize", "instruction": "Summarize https://example.org/report"},
                            {
                                "id": "send",
                                "agent": "Mail",
                                "instruction": "Send it: {{ steps.sum.output }}",
                                "approve": True,
                                "input_timeout_s": 86_400,
                            },
                        ]
                    },
                    "budget": {"cost_usd": 0.5, "depth": 1},
                    "deadlines": {"step_s": 600, "task_s": 7_200},
                    "callback_url": "https://example.org/hooks/federation",
                },
            ]
        }
    )

    description: str = Field(min_length=1, max_length=MAX_INSTRUCTION_CHARS, pattern=r"\S")
    session_id: str | None = Field(default=None, max_length=200)
    user_id: str | None = Field(default=None, max_length=200, description="Stored only as a keyed hash.")
    workflow: str | None = Field(default=None, max_length=200)
    inputs: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    files: list[NewFile] = Field(default_factory=list[NewFile], max_length=50)
    agent: str | None = Field(default=None, max_length=2000, description="Name or id of a registered agent.")
    plan: Plan | None = None
    replan: bool | None = Field(
        default=None,
        description="Whether a failed step may change the rest of the plan; null: only of a plan that was made here.",
    )
    approve_plan: bool = Field(default=False, description="Wait for a person before the plan is run.")
    budget: Budget = Field(default_factory=Budget)
    deadlines: Deadlines = Field(default_factory=Deadlines)
    callback_url: Annotated[str | None, AfterValidator(_check_address)] = Field(
        default=None,
        max_length=2000,
        description="Told by a signed webhook when the task ends or needs input (http or https).",
        examples=["https://example.org/hooks/federation"],
    )
    evaluate: Evaluation | None = Field(
        default=None,
        description="What the result has to be like: the last steps are done again with the critique until it is.",
    )
    priority: int = Field(default=5, ge=0, le=9, description="9 is most urgent.")
    metadata: Annotated[dict[str, JsonValue], AfterValidator(_check_models)] = Field(
        default_factory=dict[str, JsonValue],
        description="Anything of yours. `models` says which models to use, by role: "
        + ", ".join(f"`{role}`" for role in ROLES)
        + ".",
        examples=[{"models": {"planner": "groq:openai/gpt-oss-20b"}}],
    )

    def to_task(self) -> tasks.NewTask:
        """Return what is submitted."""
        return tasks.NewTask(
            description=self.description,
            session_id=self.session_id,
            user_id=self.user_id,
            inputs=self.inputs,
            files=tuple(File(file.name, file.media_type, file.content) for file in self.files),
            agent=self.agent,
            plan=self.plan,
            approve_plan=self.approve_plan,
            replan=self.replan,
            budget=self.budget.model_dump(exclude_none=True),
            deadlines=self.deadlines.model_dump(exclude_none=True),
            callback_url=self.callback_url,
            evaluate=None if self.evaluate is None else self.evaluate.model_dump(mode="json"),
            priority=self.priority,
            metadata=self.metadata,
        )


class NewAnswer(Body):
    """An answer to a pending input: `text` or `data` for an agent, `approve` for a plan or a step."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"input_id": "0190a7a4-0000-7000-8000-000000000000", "text": "Oslo"},
                {"input_id": "0190a7a4-0000-7000-8000-000000000000", "data": {"city": "Oslo"}},
                {"input_id": "0190a7a4-0000-7000-8000-000000000000", "approve": False, "comment": "Not to everybody."},
            ]
        },
    )

    input_id: str = Field(max_length=200)
    text: str | None = Field(default=None, max_length=MAX_INSTRUCTION_CHARS)
    data: JsonValue = Field(default=None, description="JSON that fits the `schema` of the question, if it has one.")
    approve: bool | None = Field(default=None, description="Whether the plan or step may run.")
    comment: str | None = Field(default=None, max_length=10_000, description="Why, for those who read the log.")
    plan: Plan | None = Field(default=None, description="With `approve`, of a plan: run this one in its place.")


class NewFork(Body):
    """Where a task is done again from. `instruction` replaces what the step was told."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"from_step": "sum", "instruction": "Summarize it in three sentences."}]}
    )

    from_step: str = Field(min_length=1, max_length=64, description="Id of a step in the task's plan.")
    instruction: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_INSTRUCTION_CHARS,
        pattern=r"\S",
        description="What the step is told instead; it may refer to other steps as a plan does.",
    )


class Execution(Body):
    """A goal to run and wait for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task": "Compute 17 * 23 in Python."}]})

    task: str = Field(default="", max_length=MAX_INSTRUCTION_CHARS)
