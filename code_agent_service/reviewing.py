"""The skill `review-code`: what ruff and bandit find, and what the model sees beside it, each with its place."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from code_agent_service import presentation, sources
from code_agent_service.bench import Bench, Finished, Given, ProgramFailedError, describe, merge
from code_agent_service.runs import WorkFile
from code_agent_service.toolbox import CHECKING
from shared.agent import JsonObject, Progress, Update
from shared.errors import InvalidRequestError
from shared.llm import MODEL_ERRORS, fence, spent

Severity = Literal["high", "medium", "low"]

_SEVERITIES: Final[tuple[Severity, ...]] = ("high", "medium", "low")
_RULES: Final = "E4,E7,E9,F,W6,A,B,BLE,C4,C90,N,PERF,PIE,PLC,PLE,PLW,RUF,SIM,UP"
_HIGH: Final = ("E9", "F82", "F70", "PLE", "invalid-syntax")
_MEDIUM: Final = ("F", "B", "BLE", "PLW", "A", "C90", "RUF006")
_MAX_FINDINGS: Final = 200
_MAX_SHOWN: Final = 50
_CELL_CHARS: Final = 300
_SYSTEM: Final = """You review source code. Say what is wrong with it: errors in what it does, cases it does not handle,
misleading names and texts, needless work, security. Each finding names the file and the line it is about, as given, how
bad it is (high: wrong results, crashes, security; medium: will cause trouble; low: could be better), what is wrong, and
what to do. Do not repeat what the tools have found already. No praise, no findings for their own sake: an empty list is
an answer. `summary` says in one or two sentences how good the code is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend. `line` counts from 1; `source` is who found it: ruff, bandit or model."""

    file: str
    line: int
    severity: Severity
    rule: str
    message: str
    source: str

    def to_json(self) -> JsonObject:
        """Return the finding as the data part has it."""
        return {**asdict(self)}


class _Point(BaseModel):
    model_config = ConfigDict(extra="ignore")

    file: str = Field(description="Name of the file, as given.")
    line: int = Field(ge=1, description="Line in the file, from 1.")
    severity: Severity
    rule: str = Field(default="review", max_length=60, description="The kind of problem in a word or two.")
    message: str = Field(min_length=1, max_length=2000, description="What is wrong, and what to do.")


class _Opinion(BaseModel):
    model_config = ConfigDict(extra="ignore", title="Review")

    summary: str = Field(max_length=2000)
    findings: list[_Point] = Field(default_factory=list[_Point], max_length=100)


async def review(given: Given, bench: Bench) -> AsyncGenerator[Update | Finished]:
    """Review the code that is given; nothing of it is run."""
    material = given.material()
    python = sources.list_python(material)
    if not python and bench.model is None:
        raise InvalidRequestError(
            "Without a language model only Python can be reviewed; there is no .py file among what was given. Set "
            "OPENAI_API_KEY, GROQ_API_KEY or LLM_BASE_URL for other languages."
        )
    findings: list[Finding] = []
    notes: list[str] = []
    checked_by: list[JsonValue] = []
    if python:
        yield Progress(bench.announce("Looking over the code with ruff and bandit"))
        findings, notes = await _check(bench, python)
        checked_by += ["ruff", "bandit"]
    summary = ""
    if bench.model is not None:
        yield Progress("Reading the code")
        known = "\n".join(f"{each.file}:{each.line} {each.rule} {each.message}" for each in findings[:_MAX_SHOWN])
        prompt = f"{given.text[:4000]}\n\n{describe(material)}\n\n{fence('found by ruff and bandit', known)}"
        try:
            opinion, usage = await bench.model.structured(prompt, _Opinion, system=_SYSTEM)
        except MODEL_ERRORS as error:
            yield spent(error)
            if not python:
                raise
            notes.append(f"The model could not review the code: {error.detail}")
        else:
            yield usage
            summary = opinion.summary
            findings += _keep_real(opinion.findings, material)
            checked_by.append("model")
    else:
        notes.append("Reviewed by ruff and bandit alone: no language model is configured.")
    findings.sort(key=lambda each: (_SEVERITIES.index(each.severity), each.file, each.line, each.rule))
    data: JsonObject = {
        "findings": [each.to_json() for each in findings[:_MAX_FINDINGS]],
        "counts": {severity: sum(each.severity == severity for each in findings) for severity in _SEVERITIES},
        "left_out": max(0, len(findings) - _MAX_FINDINGS),
        "files": [file.name for file in material],
        "checked_by": checked_by,
        "summary": summary,
    }
    text = "\n\n".join(filter(None, [summary, _to_text(findings), *notes]))
    report = WorkFile("REVIEW.md", f"# Review\n\n{text}\n".encode())
    yield Finished(text, data, (report,), merge(given.kept, material, [report]))


async def _check(bench: Bench, python: Sequence[WorkFile]) -> tuple[list[Finding], list[str]]:
    """Return what the tools find, and what kept them from it. Raises: ProgramFailedError."""
    names: list[JsonValue] = [file.name for file in python]
    task: JsonObject = {"select": _RULES, "files": names}
    run, report = await bench.run_tool("run_checks.py", task, python, CHECKING)
    if report is None:
        why = presentation.explain(run, bench.sandbox.limits)
        raise ProgramFailedError(
            f"The tools that look over the code did not come to an end. {why}\n{presentation.tail(run.stderr)}",
            stopped_by=run.stopped_by,
        )
    found = [_from_ruff(item) for item in _objects(report.get("ruff"))]
    found += [_from_bandit(item) for item in _objects(report.get("bandit"))]
    problems = report.get("problems")
    notes = [str(problem)[:500] for problem in problems] if isinstance(problems, list) else []
    return [each for each in found if not (each.rule == "B101" and sources.is_test(each.file))], notes


def _from_ruff(item: JsonObject) -> Finding:
    rule, place = str(item.get("code") or "invalid-syntax"), item.get("location")
    line = place.get("row") if isinstance(place, dict) else 1
    severity: Severity = "high" if rule.startswith(_HIGH) else "medium" if rule.startswith(_MEDIUM) else "low"
    return Finding(_file(item), _line(line), severity, rule, str(item.get("message", "")), "ruff")


def _from_bandit(item: JsonObject) -> Finding:
    said = str(item.get("issue_severity", "")).lower()
    severity: Severity = "high" if said == "high" else "medium" if said == "medium" else "low"
    return Finding(
        _file(item),
        _line(item.get("line_number")),
        severity,
        str(item.get("test_id", "")),
        str(item.get("issue_text", "")),
        "bandit",
    )


def _keep_real(points: Sequence[_Point], material: Sequence[WorkFile]) -> list[Finding]:
    """Return the model's findings whose place exists."""
    lengths = {file.name: file.text.count("\n") + 1 for file in material}
    return [
        Finding(point.file, point.line, point.severity, point.rule, point.message, "model")
        for point in points
        if point.line <= lengths.get(point.file, 0)
    ]


def _to_text(findings: Sequence[Finding]) -> str:
    if not findings:
        return "Nothing was found."
    counted = [f"{sum(each.severity == severity for each in findings)} {severity}" for severity in _SEVERITIES]
    rows = [
        f"| {each.severity} | {_cell(each.file)}:{each.line} | {_cell(each.rule)} | {_cell(each.message)} |"
        for each in findings[:_MAX_SHOWN]
    ]
    more = [f"\n… and {len(findings) - _MAX_SHOWN} more."] if len(findings) > _MAX_SHOWN else []
    found = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    head = [f"{found}: {', '.join(counted)}.", "", "| severity | place | rule | what |"]
    return "\n".join([*head, "|---|---|---|---|", *rows, *more])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:_CELL_CHARS]


def _file(item: JsonObject) -> str:
    return str(item.get("filename", "")).removeprefix("/work/").removeprefix("./")


def _line(value: JsonValue) -> int:
    return value if isinstance(value, int) and value > 0 else 1


def _objects(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
