"""Runs page tests: the Planner makes steps of the goal, the Browser does them one by one, the Evaluator judges.

A page that is broken fails its test. What keeps the test itself from running (no Chromium, an address that may not be
reached) is raised, and fails the task.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic import JsonValue, ValidationError

from browser_service import actions, checks, page_test_goals, page_test_model, performing, tinyfish
from browser_service.actions import Action, Click, Fill, InWords, Navigate
from browser_service.browser import Browser
from browser_service.browser_session import BrowserSession
from browser_service.checks import Around, Check, CheckResult
from browser_service.deadlines import bound_model
from browser_service.errors import BrowserGoneError, ModelLateError
from browser_service.findings import Findings
from browser_service.page_content import Content
from browser_service.page_test_goals import GoalStep, GoTo, Move, Unread
from browser_service.settings import Settings
from browser_service.targets import Target
from browser_service.tinyfish import TinyFish
from browser_service.wishes import Wishes
from shared import page_tests
from shared.agent import AgentRequest, Answer, Progress, Update, Usage
from shared.errors import AddressRefusedError, FederationError, InvalidRequestError, NotInstalledError, UnavailableError
from shared.llm import MODEL_ERRORS, Model, spent
from shared.page_tests import BrowserResult, PageTest, PageTestRequest, StepResult, TestPlan, TestStep

OpenSession: TypeAlias = Callable[[], AbstractAsyncContextManager[BrowserSession]]

_POLL_S = 0.2
_TECHNICAL = (AddressRefusedError, BrowserGoneError, InvalidRequestError, ModelLateError, NotInstalledError)


def requested(request: AgentRequest) -> PageTestRequest | None:
    """Return the page test that a message asks for, if it asks for one. Raises: InvalidRequestError."""
    for part in request.data:
        if isinstance(part, dict) and (wanted := part.get(page_tests.REQUEST)) is not None:
            try:
                return PageTestRequest.model_validate(wanted)
            except ValidationError as error:
                fault = error.errors(include_url=False)[0]
                where = ".".join(map(str, fault["loc"]))
                raise InvalidRequestError(f"The page test cannot be run: {where}: {fault['msg']}.") from error
    return None


class PageTester:
    """Runs page tests with a browser, and a model where one is configured."""

    def __init__(
        self, settings: Settings, browser: Browser, model: Model | None, elsewhere: TinyFish | None = None
    ) -> None:
        self._settings = settings
        self._browser = browser
        self._model = model
        self._elsewhere = elsewhere

    async def run(self, request: PageTestRequest, open_session: OpenSession) -> AsyncGenerator[Update]:
        """Run the test in a session of its own. Its answer's data is a `PageTest`.

        Raises: FederationError when it cannot be run.
        """
        began = time.monotonic()
        yield Progress(page_tests.tell_planning())
        steps, usage = await self._plan(request)
        if usage is not None:
            yield usage
        plan = page_test_goals.to_plan(request, steps)
        yield Progress(page_tests.tell_planned(plan))
        done: BrowserResult | None = None
        async with aclosing(self._perform(request, open_session, steps, plan)) as updates:
            async for update in updates:
                if isinstance(update, BrowserResult):
                    done = update
                else:
                    yield update
        assert done is not None  # noqa: S101 - the last that it yields
        yield Progress(page_tests.tell_evaluating())
        verdict = page_tests.evaluate(plan, done, round((time.monotonic() - began) * 1000))
        test = PageTest(plan=plan, browser_result=done, result=verdict)
        yield Answer("page-test", _report(test), test.model_dump(mode="json"))

    def _perform(
        self, request: PageTestRequest, open_session: OpenSession, steps: list[GoalStep], plan: TestPlan
    ) -> AsyncGenerator[Update | BrowserResult]:
        if self._elsewhere is not None:
            return _perform_elsewhere(self._elsewhere, request, plan)
        return self._perform_here(open_session, steps, plan)

    async def _perform_here(
        self, open_session: OpenSession, steps: list[GoalStep], plan: TestPlan
    ) -> AsyncGenerator[Update | BrowserResult]:
        """Do the steps in a browser of ours; the last that is yielded is what they brought."""
        if self._browser.is_full:
            yield Progress(f"Waiting for a free page; all {self._settings.browser_max_pages} are in use")
        results: list[StepResult] = []
        async with open_session() as session:
            run = _Run(self._settings, session, self._model, Findings(self._settings.browser_action_timeout_s))
            for step, planned in zip(steps, plan.steps, strict=True):
                if results and not results[-1].passed:
                    result = _not_run(planned)
                else:
                    yield Progress(page_tests.tell_step(plan, planned))
                    result = await run.perform(step, planned)
                results.append(result)
                yield Progress(page_tests.tell_step_result(plan, result))
            if run.usage:
                yield run.usage
            done = self._result(session.id, results)
        yield done

    async def _plan(self, request: PageTestRequest) -> tuple[list[GoalStep], Usage | None]:
        """Plan with the model; without one, or when it does not answer, by grammar.

        Raises: InvalidRequestError, ModelLateError.
        """
        if self._model is None:
            return page_test_goals.read(request), None
        try:
            planning = page_test_model.plan(self._model, request)
            return await bound_model(planning, self._settings.browser_task_timeout_s)
        except MODEL_ERRORS as error:
            return page_test_goals.read(request), spent(error)

    def _result(self, session_id: str, results: list[StepResult]) -> BrowserResult:
        base = f"{self._settings.url_of('orchestrator')}/api/browser/sessions/{session_id}"
        raw: list[JsonValue] = [each.model_dump(mode="json") for each in results]
        return BrowserResult(
            success=True,
            step_results=tuple(results),
            raw_result={"session_id": session_id, "executor": "chromium", "steps": raw},
            streaming_url=f"{base}/view",
            recording=f"{base}/recording",
        )


class StepFailedError(FederationError):
    """A step of a page test failed: what was expected, and what was there."""

    slug = "step-failed"
    title = "A step of the page test failed"
    status = 422

    def __init__(self, expected: str, found: str, looks: int = 0) -> None:
        super().__init__(f"Expected: {expected} Found: {found}")
        self.expected = expected
        self.found = found
        self.looks = looks


@dataclass(slots=True)
class _Run:
    """One test under way. `before` is the page before the actions whose effect is checked next."""

    settings: Settings
    session: BrowserSession
    model: Model | None
    findings: Findings
    wishes: Wishes = field(default_factory=Wishes)
    usage: Usage = field(default_factory=Usage)
    before: Content | None = None
    typed: list[str] = field(default_factory=list[str])
    is_open: bool = False
    has_checked: bool = True

    async def perform(self, step: GoalStep, planned: TestStep) -> StepResult:
        """Do what the step says and judge it. Raises: FederationError when the test itself cannot be run."""
        began = time.monotonic()
        said: list[str] = []
        looks = 0
        try:
            async with self.session.action(step.description):
                for move in step.moves:
                    details, more_looks = await self._move(move)
                    looks += more_looks
                    said.append(details)
        except StepFailedError as failed:
            return StepResult(
                step_number=planned.step_number,
                passed=False,
                details=failed.detail,
                retry_count=looks + failed.looks,
                expected=failed.expected,
                found=failed.found,
                duration_ms=_ms_since(began),
            )
        return StepResult(
            step_number=planned.step_number,
            passed=True,
            status="passed",
            details=" ".join(dict.fromkeys(text for text in said if text)) or "Done.",
            retry_count=looks,
            expected=step.success_criteria,
            duration_ms=_ms_since(began),
        )

    async def _move(self, move: Move) -> tuple[str, int]:
        """Do one thing, and say what was seen and how often it was looked for again. Raises: StepFailedError."""
        try:
            match move:
                case Check():
                    return await self._verify(move)
                case Unread(text=claim):
                    return await self._judge(claim)
                case GoTo(name=name):
                    return await self._go_to(name), 0
                case _:
                    return await self._act(move), 0
        except StepFailedError:
            raise
        except FederationError as error:
            browser = self.session.context.browser
            if isinstance(error, (*_TECHNICAL, *MODEL_ERRORS)) or (browser is not None and not browser.is_connected()):
                raise
            raise StepFailedError(_wanted(move), error.detail) from error

    async def _act(self, action: Action) -> str:
        if self.is_open and self.has_checked:
            self.before, self.has_checked = await self.session.read(), False
        if isinstance(action, Fill):
            self.typed.append(action.value)
        elif isinstance(action, InWords):
            self.typed += re.findall(r"['\"]([^'\"]+)['\"]", action.words)
        await performing.do(action, self.session, self.findings, self.wishes)
        if isinstance(action, Navigate):
            self.before, self.typed, self.is_open = None, [], True
        return ""

    async def _verify(self, check: Check) -> tuple[str, int]:
        def look(content: Content) -> CheckResult:
            around = Around(self.before, tuple(self.typed), self.session.script_errors)
            return checks.judge(check, content, self.session.status, around)

        result, looks = await self._look(look, may_change=check.subject not in {"loads", "status", "script_errors"})
        self.has_checked = True
        if not result.passed:
            found = re.sub(r"^Found:? ", "", result.details)  # the sentence says it already
            raise StepFailedError(f"{result.description}.", found, looks)
        return result.details, looks

    async def _look(self, judge: Callable[[Content], CheckResult], *, may_change: bool) -> tuple[CheckResult, int]:
        """Judge the page, again and again while it may yet come true."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.browser_action_timeout_s
        looks = 0
        while True:
            result = judge(await self.session.read())
            if result.passed or not may_change or loop.time() >= deadline:
                return result, looks
            looks += 1
            await asyncio.sleep(_POLL_S)

    async def _judge(self, claim: str) -> tuple[str, int]:
        if self.model is None:
            raise StepFailedError(
                f"{claim}.",
                "This could not be checked: it is not understood without a language model. Say for example: shows "
                "'Welcome', has a button 'Save', the title is 'Home'.",
            )
        judging = page_test_model.judge(self.model, claim, await self.session.read())
        result, usage = await self.session.deadlines.bound_model(judging)
        self.usage += usage
        self.has_checked = True
        if not result.passed:
            raise StepFailedError(f"{claim}.", result.details)
        return result.details, 0

    async def _go_to(self, name: str) -> str:
        """Get to the page called `name`, unless it is the one that is shown."""
        content = await self.session.read()
        if (why := page_test_goals.is_page(name, content)) is not None:
            return f"It is the {name} page: {why}."
        offered = [*(link.text for link in content.links), *content.buttons]
        target = page_test_goals.leads_to(name, offered)
        if target is None:
            there = ", ".join(repr(each[:60]) for each in offered[:8] if each) or "none"
            raise StepFailedError(f"a link or button to the {name} page.", f"There are the links and buttons {there}.")
        await performing.do(Click(target=Target(name=target)), self.session, self.findings, self.wishes)
        after = await self.session.read()
        if (why := page_test_goals.is_page(name, after)) is None and after.url == content.url:
            raise StepFailedError(f"the {name} page.", f"After a click on {target!r} the page is still {after.url}.")
        if self.session.status is not None and self.session.status >= 400:
            raise StepFailedError(f"the {name} page.", f"{after.url} answered with HTTP status {self.session.status}.")
        return f"A click on {target!r} led to {after.url}."


async def _perform_elsewhere(
    tiny_fish: TinyFish, request: PageTestRequest, plan: TestPlan
) -> AsyncGenerator[Update | BrowserResult]:
    """Let TinyFish do the steps; the last that is yielded is what they brought."""
    streaming_url: str | None = None
    done: BrowserResult | None = None
    goal = tinyfish.to_goal(request.goal, plan)
    async with aclosing(tiny_fish.run(page_test_goals.page_address(request.url), goal)) as events:
        async for event in events:
            streaming_url = event.streaming_url or streaming_url
            if event.is_last:
                done = tinyfish.read_result(plan, event, streaming_url)
            elif event.type in {"STEP", "PROGRESS"} and event.text:
                yield Progress(f"TinyFish: {event.text}"[:300])
    if done is None:
        raise UnavailableError("TinyFish ended the run without a result. Try again.")
    reported = {result.step_number: result for result in done.step_results}
    for step in plan.steps:
        result = reported.get(step.step_number, _not_run(step))
        if result.status != "not_run":
            yield Progress(page_tests.tell_step(plan, step))
        yield Progress(page_tests.tell_step_result(plan, result))
    yield done


def _wanted(move: Move) -> str:
    match move:
        case Check():
            return f"{checks.describe(move)}."
        case Unread(text=claim):
            return f"{claim}."
        case GoTo(name=name):
            return f"the {name} page."
        case Navigate(url=url):
            return f"{url} opens."
        case _:
            return f"this can be done: {actions.describe(move)}."


def _not_run(planned: TestStep) -> StepResult:
    return StepResult(
        step_number=planned.step_number,
        passed=False,
        status="not_run",
        details="Not run: an earlier step failed.",
        expected=planned.success_criteria,
    )


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _report(test: PageTest) -> str:
    """Return the whole test in Markdown."""
    marks = {"passed": "✓", "failed": "✗", "not_run": "–"}
    plan: TestPlan = test.plan
    lines = [
        f"{step.step_number}. {marks[result.status]} {step.description}. {result.details}"
        for step, result in zip(plan.steps, test.result.step_results, strict=True)
    ]
    return "\n".join([page_tests.tell_verdict(test.result), "", *lines])
