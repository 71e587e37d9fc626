"""The orchestrator as an agent: a message becomes a task of the same id, the task's events the answer."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime

from pydantic import JsonValue

from orchestrator_service import ancestry, artifacts, inputs, task_views
from orchestrator_service.event_log import EventLog
from orchestrator_service.events import Recorded
from orchestrator_service.intake import Intake
from orchestrator_service.tasks import NewTask
from shared import remote_parts
from shared.agent import AgentRequest, Answer, InputRequired, JsonObject, OpenAgent, Produced, Progress, Update, Usage
from shared.auth import LOCAL, Caller
from shared.errors import AgentFailedError, ConflictError, FederationError, InvalidRequestError, WorkCanceledError


class GoalFailedError(AgentFailedError):
    """The task failed; the text says at which step and why."""


class UnfitAnswerError(InvalidRequestError):
    """An answer does not fit what was asked, or was asked last. `question` is what is asked now, with what is wrong."""

    def __init__(self, detail: str, question: JsonObject) -> None:
        super().__init__(detail)
        asked = _to_input(question)
        self.question = replace(asked, prompt=f"{detail}\n\n{asked.prompt}")


class OrchestratorAgent:
    """Answers A2A messages by tasks. Asked the same again after a restart, it finds the task by its id.

    `address` is where others reach it; by that it knows a request that comes back here.
    """

    def __init__(
        self,
        intake: Intake,
        log: EventLog,
        caller: Caller = LOCAL,
        *,
        address: str = "",
        max_hops: int = ancestry.MAX_HOPS,
    ) -> None:
        self._intake = intake
        self._log = log
        self._caller = caller
        self._door = ancestry.door(address)
        self._max_hops = max_hops

    def opened(self) -> OpenAgent:
        """Return it as `shared.agent_server` serves it."""
        return OpenAgent(self.answer, cancel=self.cancel, gone_on=self._gone_on)

    async def answer(self, request: AgentRequest) -> AsyncGenerator[Update]:
        """Submit the message as a task, or answer the one that waits, and tell what happens."""
        task_id = request.task_id
        try:
            after = await self._answer_input(request) if request.history else await self._submit(request)
        except UnfitAnswerError as error:
            yield error.question
            return
        if request.history and (waiting := await self._open_questions(task_id)):
            yield _to_input(waiting[0])  # it was told of when another one was open
            return
        async with aclosing(self._log.follow(task_id, after)) as log:
            async for event in log:
                update = _to_update(event)
                if isinstance(update, InputRequired):
                    if event.data["input_id"] not in [each["input_id"] for each in await self._open_questions(task_id)]:
                        continue  # it was answered elsewhere
                    yield update
                    return
                if update is not None:
                    yield update
                if event.is_last:
                    break
        task = await self._log.database.read(task_views.find, self._caller, task_id)
        if not await self._log.database.read(ancestry.is_sub_task, task_id):
            yield _usage(task)  # what a sub-task spent is known here, and not to be counted again by who asked for it
        async with aclosing(self._results(task)) as results:
            async for update in results:
                yield update

    async def cancel(self, task_id: str) -> None:
        """Cancel the task that stands behind a message. Raises: ConflictError when it is over."""
        await self._intake.cancel(self._caller, task_id)

    async def _submit(self, request: AgentRequest) -> int:
        if not request.text.strip():
            raise InvalidRequestError("The message has no text; say in words what is to be done.")
        told = ancestry.read(request.metadata)
        ancestry.check(told, self._door, request.text, self._max_hops)
        link = await self._log.database.read(
            ancestry.link, self._caller, request.task_id, told, self._door, request.text
        )
        await self._intake.open_session(self._caller, request.context_id)
        new = NewTask(
            description=remote_parts.with_addresses(request.text, request.files),
            id=request.task_id,
            session_id=request.context_id,
            inputs=_inputs(request),
            files=tuple(file for file in request.files if file.content is not None),
            budget=link.budget,
            ancestry=link.ancestry,
            root_task_id=link.root_task_id,
            parent_task_id=link.parent_task_id,
        )
        await self._intake.submit(self._caller, new)
        return 0

    async def _answer_input(self, request: AgentRequest) -> int:
        """Answer the question that the message is a reply to; returns the event number to follow from.

        Raises: UnfitAnswerError, also when that was answered elsewhere and another one is open.
        """
        last = await self._log.last_seq(request.task_id)
        waiting = await self._open_questions(request.task_id)
        told = next((turn.key for turn in reversed(request.history) if turn.role == "agent"), "")
        question = next((each for each in waiting if each["input_id"] == told), None)
        if question is None:
            if waiting and not request.resumed:
                raise UnfitAnswerError("That was answered already, or is not asked any more.", waiting[0])
            return last
        if any(file.content is not None for file in request.files):
            raise UnfitAnswerError("An answer cannot bring files; give their text, or where they are.", question)
        text = remote_parts.with_addresses(request.text, request.files)
        data = request.data[0] if request.data else None
        try:
            approve = inputs.approval(request.text) if question["kind"] in {"plan", "step"} else None
            given = inputs.Answer(str(question["input_id"]), text or None, data, approve)
            await self._intake.answer(self._caller, request.task_id, given)
        except InvalidRequestError as error:
            raise UnfitAnswerError(error.detail, question) from error
        except ConflictError:
            return last  # it was answered elsewhere in this moment, has expired, or the task is being canceled
        return last

    async def _open_questions(self, task_id: str) -> list[JsonObject]:
        task = await self._log.database.read(task_views.find, self._caller, task_id)
        return _objects(task["pending_inputs"])

    async def _gone_on(self, since: Mapping[str, datetime]) -> list[str]:
        return await self._log.database.read(inputs.gone_on, since)

    async def _results(self, task: JsonObject) -> AsyncGenerator[Update]:
        result = task["result"]
        if isinstance(result, dict):
            for artifact in _objects(result.get("artifacts")):
                yield Produced(
                    await self._log.database.read(artifacts.read, self._caller, str(task["id"]), str(artifact["id"]))
                )
            if result.get("outputs"):
                data: JsonObject = {"task_id": task["id"], "outputs": result["outputs"]}
                yield Answer("result", str(result["summary"]), data)
        if task["status"] != "completed":
            raise _failure(task)


def _to_update(event: Recorded) -> Update | None:
    data = event.data
    match event.type:
        case "plan.created":
            plan = data["plan"]
            steps = _objects(plan["steps"]) if isinstance(plan, dict) else []
            return Progress(f"planned {len(steps)} step{'s' if len(steps) > 1 else ''}")
        case "step.status" if data["status"] == "running":
            return Progress(f"{data['step_id']}: {data.get('agent_name')} works on it")
        case "step.status":
            return Progress(f"{data['step_id']}: {data['status']}")
        case "step.progress":
            return Progress(f"{data['step_id']}: {data['text']}")
        case "input.required":
            return _to_input(data)
        case _:
            return None


def _to_input(question: JsonObject) -> InputRequired:
    return InputRequired(str(question["prompt"]), _object(question.get("schema")), str(question["input_id"]))


def _usage(task: JsonObject) -> Usage:
    used = task["usage"] if isinstance(task["usage"], dict) else {}
    counted = [used.get(name) for name in ("input_tokens", "output_tokens", "llm_calls")]
    read, written, calls = (count if isinstance(count, int) else 0 for count in counted)
    cost_usd = used.get("cost_usd")
    return Usage(read, written, float(cost_usd) if isinstance(cost_usd, int | float) else 0.0, calls)


def _inputs(request: AgentRequest) -> JsonObject:
    """Return the JSON parts as the task's inputs: an object's own names, else `data`."""
    match request.data:
        case ():
            return {}
        case (dict(only),):
            return only
        case many:
            return {"data": list(many)}


def _failure(task: JsonObject) -> FederationError:
    if task["status"] == "canceled":
        return WorkCanceledError("The task was canceled.")
    error = task["error"] if isinstance(task["error"], dict) else {}
    return GoalFailedError(str(error.get("detail") or f"The task is {task['status']}."))


def _object(value: JsonValue) -> JsonObject | None:
    return value if isinstance(value, dict) else None


def _objects(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
