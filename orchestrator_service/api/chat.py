"""The OpenAI-compatible door: a conversation's last message becomes a task, and what comes of it the answer.

Source: https://platform.openai.com/docs/api-reference/chat
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from orchestrator_service import inputs, registry, task_views, tasks
from orchestrator_service.api import chat_answers
from orchestrator_service.api.chat_bodies import AGENT_PREFIX, FEDERATION, NewCompletion
from orchestrator_service.api.chat_shapes import Chunk, CompletionAnswer, ModelAnswer, ModelsAnswer
from orchestrator_service.api.parts import OpenParts, Parts, WhoAsks
from orchestrator_service.api.tasks import MAX_WAIT_S, IdempotencyKey, rest
from shared import service
from shared.agent import JsonObject
from shared.auth import Caller
from shared.errors import ConflictError, FederationError, NotFoundError
from shared.event_response import EventResponse

_MOST_MODELS: Final = 10_000


class _Route(APIRoute):
    """A route whose failures are problem details that have, as `error`, what OpenAI's clients look for."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def answer_in_both_ways(request: Request) -> Response:
            try:
                return await answer(request)
            except RequestValidationError as error:
                failure: FederationError = service.invalid(request, error)
            except FederationError as error:
                failure = error
            failure.facts["error"] = chat_answers.told(failure)
            # those clients try again by themselves what was done already, and so all that it did
            headers = {"X-Should-Retry": "false"} if "task_id" in failure.facts else {}
            return service.problem(failure, headers)

        return answer_in_both_ways


router = APIRouter(prefix="/v1", tags=["chat"], route_class=_Route)


@router.get("/models", summary="What can be asked, as OpenAI's clients see it")
async def list_models(parts: OpenParts, who: WhoAsks) -> ModelsAnswer:
    """Answer the federation itself, then each active agent."""
    named = await parts.database.read(registry.names, who, _MOST_MODELS)
    agents = [chat_answers.model(AGENT_PREFIX + name, at) for name, at in named]
    return {"object": "list", "data": [chat_answers.model(FEDERATION), *agents]}


@router.get("/models/{model:path}", summary="One that can be asked")
async def find_model(model: str, parts: OpenParts, who: WhoAsks) -> ModelAnswer:
    """Answer it. 404 if there is none, or several agents have that name."""
    await _require_model(parts, who, model)
    return chat_answers.model(model)


@router.post(
    "/chat/completions",
    summary="Go on with a conversation: its last message becomes a task",
    responses={200: {"model": Chunk, "content": {"text/event-stream": {}}}},
)
async def complete(
    body: NewCompletion, request: Request, parts: OpenParts, who: WhoAsks, idempotency_key: IdempotencyKey = None
) -> CompletionAnswer:
    """Run the task and answer its result, or the question that it has; with `stream`, as it comes.

    A message that follows such a question answers it. Who hangs up cancels the task.
    """
    await _require_model(parts, who, body.model)
    task_id, after = await _answer_question(parts, who, body) or await _submit(parts, who, body, idempotency_key)
    if body.stream:
        with_usage = body.stream_options is not None and body.stream_options.include_usage
        events = _stream(parts, who, task_id, after, body.model, with_usage=with_usage)
        return EventResponse(events)  # pyright: ignore[reportReturnType] - FastAPI sends a response as it is
    task = await _whole(request, parts, who, task_id, after)
    return chat_answers.completion(task, body.model, _text(parts, task))


async def _submit(parts: Parts, who: Caller, body: NewCompletion, key: str | None) -> tuple[str, int | None]:
    """Submit the last message. Returns the task, and after which event it goes on; None if it does not."""
    wanted = body.wanted(parts.settings.history_turns)
    new = tasks.NewTask(
        description=wanted.text,
        user_id=body.user,
        history=wanted.history,
        files=wanted.files,
        agent=wanted.agent,
        metadata={**(body.metadata or {})},
    )
    submitted = await parts.intake.submit(who, new, key)
    task_id = submitted.task_id
    return task_id, 0 if submitted.is_new else await parts.database.read(inputs.goes_on_after, task_id)


async def _answer_question(parts: Parts, who: Caller, body: NewCompletion) -> tuple[str, int | None] | None:
    """Give the last message to the task whose question came before it; nothing if that does not wait any more.

    Returns as `_submit`. Raises: InvalidRequestError when it does not fit.
    """
    asked = chat_answers.asked_by(body.said_before)
    if asked is None:
        return None
    task_id, shown = asked
    with suppress(NotFoundError, ConflictError):
        task = await parts.database.read(task_views.find, who, task_id)
        if (question := chat_answers.asked(task, shown, parts.keys.question_token)) is not None:
            after = await parts.log.last_seq(task_id)
            await parts.intake.answer(who, task_id, inputs.worded(question, body.messages[-1].text))
            task = await parts.database.read(task_views.find, who, task_id)
            return task_id, None if task["pending_inputs"] else after
    return None


async def _whole(request: Request, parts: Parts, who: Caller, task_id: str, after: int | None) -> JsonObject:
    """Return the task when it is over or has a question. Raises: TaskFailedError, UnavailableError."""
    if after is not None and not await _ends_before(request, rest(parts, task_id, MAX_WAIT_S, after)):
        with suppress(FederationError):
            await parts.intake.cancel(who, task_id)
    task = await parts.database.read(task_views.find, who, task_id)
    if (failure := chat_answers.failure(task)) is not None:
        raise failure
    return task


async def _ends_before(request: Request, work: Coroutine[Any, Any, None]) -> bool:
    """Do `work` until it ends, or the client hangs up. Returns whether it ended."""

    async def hang_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.create_task(work), asyncio.create_task(hang_up())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.done()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _stream(
    parts: Parts, who: Caller, task_id: str, after: int | None, model: str, *, with_usage: bool
) -> AsyncGenerator[bytes]:
    """Yield the answer in pieces, then `[DONE]`. If nobody takes them any more, the task is canceled."""
    is_over = False
    try:
        task = await parts.database.read(task_views.find, who, task_id)
        yield chat_answers.piece(task, model, {"role": "assistant", "content": ""})
        said = ""
        async with aclosing(_pieces(parts, task_id, after)) as pieces:
            async for text in pieces:
                said += text
                yield chat_answers.piece(task, model, {"content": text})
        is_over = True
        task = await parts.database.read(task_views.find, who, task_id)
        if (failure := chat_answers.failure(task)) is not None:
            yield chat_answers.piece(task, model, error=chat_answers.told(failure))
        else:
            yield chat_answers.piece(task, model, {"content": chat_answers.rest(said, _text(parts, task))})
            yield chat_answers.piece(task, model, {}, "stop")
            if with_usage:
                yield chat_answers.piece(task, model, usage=chat_answers.usage(task))
        yield b"data: [DONE]\n\n"
    finally:
        if not is_over and not parts.log.ends_waits:
            with suppress(FederationError):
                await parts.intake.cancel(who, task_id)


async def _pieces(parts: Parts, task_id: str, after: int | None) -> AsyncGenerator[str]:
    """Yield what is known of the answer before the task is over: a summary as it is written, or the only step's."""
    if after is None:
        return
    is_alone = has_begun = False
    async with aclosing(parts.log.follow(task_id, after)) as log:
        async for event in log:
            match event.type:
                case "plan.created" | "plan.revised":
                    plan = event.data["plan"]
                    steps = plan["steps"] if isinstance(plan, dict) else None
                    is_alone = isinstance(steps, list) and len(steps) == 1 and event.type == "plan.created"
                case "result.delta":
                    yield str(event.data["text"])
                case "step.output" if is_alone:
                    is_alone = not has_begun or bool(event.data["append"])  # else it begins anew
                    has_begun = True
                    if is_alone:
                        yield str(event.data["text"])
                case "task.status" if event.data["status"] == "input_required":
                    return
                case _:
                    pass
            if event.is_last:
                return


def _text(parts: Parts, task: JsonObject) -> str:
    return chat_answers.answer(task, parts.settings.url_of("orchestrator"), parts.keys.question_token)


async def _require_model(parts: Parts, who: Caller, model: str) -> None:
    """Check that there is such a model. Raises: UnknownModelError."""
    if model == FEDERATION:
        return
    if not model.startswith(AGENT_PREFIX):
        raise chat_answers.UnknownModelError(f"There is no model {model!r}; GET /v1/models lists what there is.")
    try:
        await parts.database.read(registry.identify, who, model.removeprefix(AGENT_PREFIX))
    except NotFoundError as error:
        raise chat_answers.UnknownModelError(error.detail) from error
