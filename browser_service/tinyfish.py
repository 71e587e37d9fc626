"""TinyFish as another executor of page tests: its automation API, followed by server-sent events.

It is told the plan as one text and asked to answer as JSON; what it does not report did not happen.
Source: https://docs.tinyfish.ai (POST /v1/automation/run-sse)
"""

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

import httpx
from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, JsonValue, ValidationError

from browser_service.settings import Settings
from shared import http
from shared.agent import JsonObject
from shared.errors import FederationError, UnavailableError
from shared.event_stream import EventReader
from shared.page_tests import BrowserResult, StepResult, TestPlan

logger = logging.getLogger(__name__)

_MAX_EVENT_BYTES = 1_000_000
_MAX_BYTES = 20_000_000
_FORM = (
    'Answer with JSON only: {"steps": [{"step_number": 1, "passed": true, "details": "what you saw"}]}, one entry for '
    "each step that you did."
)


class TinyFishRefusedError(FederationError):
    """TinyFish does not take the request: a wrong key, no credit, an address that it does not open."""

    slug = "tinyfish-refused"
    title = "TinyFish refused the request"
    status = 502


class TinyFishEvent(BaseModel):
    """An event of a run. `type`: STARTED, STREAMING_URL, STEP or PROGRESS, HEARTBEAT, COMPLETE, ERROR."""

    type: Annotated[str, BeforeValidator(lambda kind: str(kind).upper())]
    run_id: str | None = Field(default=None, validation_alias=AliasChoices("run_id", "runId"))
    streaming_url: str | None = Field(
        default=None, validation_alias=AliasChoices("streaming_url", "streamingUrl", "url")
    )
    text: str = Field(default="", validation_alias=AliasChoices("purpose", "message", "action", "text", "description"))
    status: str = ""
    result: JsonValue = Field(default=None, validation_alias=AliasChoices("result", "resultJson", "result_json"))
    error: JsonValue = None

    @property
    def is_last(self) -> bool:
        """Whether the run is over."""
        return self.type in {"COMPLETE", "ERROR"}

    @property
    def failure(self) -> str | None:
        """What went wrong in the run, apart from the page; None when it ran to its end."""
        if self.type == "ERROR" or self.status.upper() in {"FAILED", "CANCELLED", "ERROR"}:
            error = self.error.get("message") if isinstance(self.error, dict) else self.error
            return str(error or self.text or f"the run ended as {self.status or 'an error'}")
        return None


class _Step(BaseModel):
    step_number: int = Field(validation_alias=AliasChoices("step_number", "step", "number"))
    passed: bool
    details: str = Field(default="", validation_alias=AliasChoices("details", "detail", "reason"))


class _Report(BaseModel):
    steps: list[_Step] = Field(validation_alias=AliasChoices("steps", "step_results", "results"))


@dataclass(frozen=True, slots=True)
class TinyFish:
    """Calls TinyFish with the operator's key, over the one way out."""

    client: http.Client
    url: str
    key: str
    timeout_s: float

    async def run(self, url: str, goal: str) -> AsyncGenerator[TinyFishEvent]:
        """Run `goal` on the page at `url`, and yield what is told of it, up to the last event.

        Raises: TinyFishRefusedError, UnavailableError when the stream breaks off, AddressRefusedError, TimedOutError.
        """
        run_id: str | None = None
        is_over = False
        request = self.client.stream(
            "POST",
            f"{self.url.rstrip('/')}/v1/automation/run-sse",
            json={"url": url, "goal": goal},
            headers={"X-API-Key": self.key, "Accept": "text/event-stream"},
            timeout=httpx.Timeout(30.0, read=self.timeout_s),
            extensions={http.MAX_BYTES: _MAX_BYTES},
        )
        try:
            async with request as answer:
                await _require_success(answer)
                reader = EventReader(_MAX_EVENT_BYTES)
                async for chunk in answer.aiter_bytes():
                    for data in reader.feed(chunk):
                        event = _read_event(data)
                        if event is None:
                            continue
                        run_id = event.run_id or run_id
                        is_over = event.is_last
                        yield event
                        if is_over:
                            return
        except httpx.HTTPError as error:
            raise http.translate(error, httpx.URL(self.url)) from error
        finally:
            if not is_over and run_id is not None:
                await self._cancel(run_id)
        raise UnavailableError("TinyFish closed the stream before the run was over. Try again.")

    async def _cancel(self, run_id: str) -> None:
        with suppress(httpx.HTTPError, FederationError):
            await self.client.post(
                f"{self.url.rstrip('/')}/v1/runs/{run_id}/cancel", headers={"X-API-Key": self.key}, timeout=5.0
            )


def create(settings: Settings, client: http.Client) -> TinyFish | None:
    """Return the executor, if a key is set."""
    if settings.tinyfish_api_key is None:
        return None
    key = settings.tinyfish_api_key.get_secret_value()
    return TinyFish(client, settings.tinyfish_url, key, settings.step_timeout_s)


def to_goal(goal: str, plan: TestPlan) -> str:
    """Return what TinyFish is asked to do."""
    return f"{plan.goal_prompt}\n\nThe goal in the words of who asks: {goal}\n\n{_FORM}"


def read_result(plan: TestPlan, last: TinyFishEvent, streaming_url: str | None) -> BrowserResult:
    """Return what the run brought. After the first step that did not pass, none counts as run."""
    if last.failure is not None:
        return BrowserResult(success=False, raw_result=last.result, streaming_url=streaming_url, error=last.failure)
    report = _read_report(last.result)
    if report is None:
        error = "TinyFish answered without a report of the steps."
        return BrowserResult(success=False, raw_result=last.result, streaming_url=streaming_url, error=error)
    by_number = {step.step_number: step for step in report.steps}
    results: list[StepResult] = []
    for planned in plan.steps:
        step = by_number.get(planned.step_number)
        if step is None or (results and not results[-1].passed):
            break
        results.append(
            StepResult(
                step_number=planned.step_number,
                passed=step.passed,
                status="passed" if step.passed else "failed",
                details=step.details or ("Passed." if step.passed else "It did not pass."),
                expected=planned.success_criteria,
                found=step.details,
            )
        )
    return BrowserResult(success=True, step_results=tuple(results), raw_result=last.result, streaming_url=streaming_url)


def _read_event(data: bytes) -> TinyFishEvent | None:
    try:
        return TinyFishEvent.model_validate_json(data)
    except ValidationError:
        logger.info("an event of TinyFish was not understood", extra={"size_bytes": len(data)})
        return None


def _read_report(result: JsonValue) -> _Report | None:
    """Return the report in what came: an object, or one in a text."""
    found: list[JsonValue] = [result]
    if isinstance(result, dict):
        found += [value for value in result.values() if isinstance(value, str | dict)]
    for each in found:
        value: JsonValue | JsonObject = each
        if isinstance(each, str):
            try:
                value = json.loads(each[each.find("{") : each.rfind("}") + 1])
            except ValueError:
                continue
        try:
            return _Report.model_validate(value)
        except ValidationError:
            continue
    return None


async def _require_success(answer: httpx.Response) -> None:
    if answer.status_code == 200:
        return
    said = (await answer.aread())[:500].decode(errors="replace")
    if answer.status_code in {401, 403}:
        raise TinyFishRefusedError(
            f"TinyFish does not accept the key (HTTP {answer.status_code}): check TINYFISH_API_KEY."
        )
    if answer.status_code == 429 or answer.status_code >= 500:
        raise UnavailableError(f"TinyFish answered HTTP {answer.status_code}; try again later.")
    raise TinyFishRefusedError(f"TinyFish refused the request with HTTP {answer.status_code}: {said}")
