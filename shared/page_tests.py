"""Page tests: a goal in plain words, tried on a page in a real browser; the forms that all who deal with them share.

The browser service plans, performs and judges them; the orchestrator stores and schedules them; the command line shows
them. A run is a step whose `inputs` hold `page_test` (a `PageTestRequest`) and whose answer's data is a `PageTest`.
"""

import re
from typing import Annotated, Final, Literal, TypeAlias
from xml.etree import ElementTree as ET

from pydantic import BaseModel, ConfigDict, Field, JsonValue

REQUEST: Final = "page_test"
"""Under this name the request stands in a message's data."""

SKILL: Final = "verify-page"
"""The skill of an agent that can run page tests."""

MAX_STEPS: Final = 8
MAX_GOAL_CHARS: Final = 10_000

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

StepStatus: TypeAlias = Literal["passed", "failed", "not_run"]
Number: TypeAlias = Annotated[int, Field(ge=1, le=1_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class PageTestRequest(_Part):
    """What is to be tested: a page and a goal in plain words."""

    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    goal: Annotated[str, Field(min_length=1, max_length=MAX_GOAL_CHARS)]


class TestStep(_Part):
    """One step of the plan: what is done, and what must be so then."""

    __test__ = False

    step_number: Number
    description: str
    success_criteria: str


class TestPlan(_Part):
    """What the Planner made of the goal. `goal_prompt` is the plan as one numbered text."""

    __test__ = False

    goal_prompt: str
    steps: tuple[TestStep, ...]
    total_steps: int


class StepResult(_Part):
    """How a step went. `retry_count`: how often the page was looked at again, for what was not yet so.

    Of a failed step, `expected` says what should have been so, `found` what was.
    """

    step_number: Number
    passed: bool
    details: str
    retry_count: int = 0
    status: StepStatus = "failed"
    expected: str = ""
    found: str = ""
    duration_ms: int = 0


class BrowserResult(_Part):
    """What the Browser brought. `success`: it could do its work, whatever the page is like."""

    success: bool
    step_results: tuple[StepResult, ...] = ()
    raw_result: JsonValue = None
    streaming_url: str | None = None
    recording: str | None = None
    error: str | None = None


class Verdict(_Part):
    """The Evaluator's verdict. A broken page is `passed` false with no `error`; `error` is a technical failure."""

    passed: bool
    duration_ms: int
    steps_passed: int
    steps_total: int
    details: str
    step_results: tuple[StepResult, ...]
    error: str | None = None


class PageTest(_Part):
    """A page test that was run."""

    plan: TestPlan
    browser_result: BrowserResult
    result: Verdict


def evaluate(plan: TestPlan, browser: BrowserResult, duration_ms: int) -> Verdict:
    """Return the verdict: passed only when every planned step was seen to pass. A step nobody reports did not run."""
    reported = {each.step_number: each for each in browser.step_results}
    results: list[StepResult] = []
    for step in plan.steps:
        missing = StepResult(step_number=step.step_number, passed=False, details="Not run.", status="not_run")
        results.append(reported.get(step.step_number, missing))
    passed = sum(each.passed for each in results)
    is_passed = browser.success and browser.error is None and passed == len(results) > 0
    first = next((each for each in results if not each.passed), None)
    if browser.error is not None:
        details = f"The test could not be run to its end: {browser.error}"
    elif is_passed or first is None:
        details = f"All {len(results)} steps passed."
    else:
        details = f"Step {first.step_number} failed. {first.details}"
    return Verdict(
        passed=is_passed,
        duration_ms=duration_ms,
        steps_passed=passed,
        steps_total=len(results),
        details=details,
        step_results=tuple(results),
        error=browser.error,
    )


def tell_planning() -> str:
    """Return the line that planning begins with."""
    return "[Planner] Creating test plan..."


def tell_planned(plan: TestPlan) -> str:
    """Return the line that says that the plan is there."""
    return f"[Planner] {plan.total_steps} steps planned"


def tell_step(plan: TestPlan, step: TestStep) -> str:
    """Return the line that a step begins with."""
    return f"[Browser] Step {step.step_number}/{plan.total_steps}: {_line(step.description)}..."


def tell_step_result(plan: TestPlan, result: StepResult) -> str:
    """Return the line that says how a step went."""
    said = {"passed": "✓ Passed", "failed": f"✗ Failed — {_line(result.details)}", "not_run": "– Not run"}
    return f"[Browser] Step {result.step_number}/{plan.total_steps}: {said[result.status]}"


def tell_evaluating() -> str:
    """Return the line that evaluating begins with."""
    return "[Evaluator] Synthesizing results..."


def tell_verdict(verdict: Verdict) -> str:
    """Return the last line: the verdict."""
    if verdict.error is not None:
        return f"[Result] ERROR — {_line(verdict.error)}"
    word = "PASSED" if verdict.passed else "FAILED"
    counted = f"{verdict.steps_passed}/{verdict.steps_total} steps passed"
    return f"[Result] {word} — {counted} in {verdict.duration_ms:,}ms"


def is_told(line: str) -> bool:
    """Tell whether `line` is one of those above but the last: other progress of a task is none of the test's."""
    return line.startswith(("[Planner] ", "[Browser] ", "[Evaluator] "))


def to_junit(name: str, request: PageTestRequest, test: PageTest) -> str:
    """Return the run as a JUnit XML report: a test case for each step.

    Source: https://github.com/testmoapp/junitxml
    """
    verdict = test.result
    not_run = sum(each.status == "not_run" for each in verdict.step_results)
    failed = verdict.steps_total - verdict.steps_passed - not_run
    errors = int(verdict.error is not None)
    totals = {
        "name": name,
        "tests": str(verdict.steps_total + errors),
        "failures": str(failed),
        "errors": str(errors),
        "skipped": str(not_run),
        "time": f"{verdict.duration_ms / 1000:.3f}",
    }
    root = ET.Element("testsuites", {key: _xml(value) for key, value in totals.items()})
    suite = ET.SubElement(root, "testsuite", {key: _xml(value) for key, value in totals.items()})
    properties = ET.SubElement(suite, "properties")
    for key, value in (("url", request.url), ("goal", request.goal)):
        ET.SubElement(properties, "property", {"name": key, "value": _xml(value)})
    for step, result in zip(test.plan.steps, verdict.step_results, strict=True):
        case = ET.SubElement(
            suite,
            "testcase",
            {
                "classname": _xml(name),
                "name": _xml(f"{step.step_number}. {step.description}"),
                "time": f"{result.duration_ms / 1000:.3f}",
            },
        )
        if result.status == "failed":
            failure = ET.SubElement(case, "failure", {"message": _xml(_line(result.details)), "type": "assertion"})
            failure.text = _xml(f"Expected: {result.expected}\nFound: {result.found}")
        elif result.status == "not_run":
            ET.SubElement(case, "skipped", {"message": "Not run: an earlier step failed."})
    if verdict.error is not None:
        case = ET.SubElement(suite, "testcase", {"classname": _xml(name), "name": "run", "time": "0.000"})
        ET.SubElement(case, "error", {"message": _xml(_line(verdict.error)), "type": "technical"})
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())


def _xml(text: str) -> str:
    """Return `text` without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("", text)
