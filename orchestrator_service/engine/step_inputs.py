"""What a step is given: the values of its references, the files that go along, and what its task wishes for."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import orjson
from pydantic import JsonValue
from sqlalchemy import Connection, bindparam, select

from orchestrator_service import artifacts
from orchestrator_service.models import StepRow
from orchestrator_service.planning.plan import PlanStep, Reference, fill, fill_text, references
from shared.agent import File, JsonObject
from shared.llm import wanted_models
from shared.prepared import OneOrMany

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def values(
    connection: Connection, task_id: str, step: PlanStep, request: JsonObject, said: Mapping[str, str] = _NOTHING
) -> dict[Reference, str]:
    """Return the value of each reference in the step. `said`: what steps said of which that is known already."""
    found: dict[Reference, str] = {}
    given = request.get("inputs")
    texts = dict(said)
    wanted = references(step)
    if unknown := {reference.step_id for reference in wanted if reference.kind == "output"} - said.keys():
        rows = _OUTPUTS.execute(connection, list(unknown), of_task=task_id)
        texts |= {row.step_id: row.output_text or "" for row in rows}
    for reference in wanted:
        match reference.kind:
            case "output":
                found[reference] = texts.get(reference.step_id, "")
            case "input":
                value = given.get(reference.name) if isinstance(given, dict) else None
                found[reference] = value if isinstance(value, str) else _compact(value)
            case "artifact":
                files = artifacts.load(connection, task_id, [reference.name], reference.step_id)
                found[reference] = _readable(reference.name, files)
    return found


def told(step: PlanStep, values: Mapping[Reference, str]) -> tuple[str, JsonObject, JsonObject]:
    """Return what the step's agent is told: the words, the data, and where among the words peer text stands."""
    text, places = fill_text(step.instruction, values)
    data = {name: fill(value, values) for name, value in step.inputs.items() if name != "files"}
    return text, data, {"peer_text": [[start, end] for start, end in places]} if places else {}


def files(
    connection: Connection, task_id: str, step: PlanStep, request: JsonObject, wanted: Iterable[Reference]
) -> list[File]:
    """Return the files the step sends along: those of the task it names, and artifacts among what it refers to."""
    named = step.inputs.get("files")
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    if step.agent is not None and not step.skill and isinstance(brought := request.get("files"), list):
        names = names or [name for name in brought if isinstance(name, str)]
    found = artifacts.load(connection, task_id, names) if names else []
    for reference in sorted((each for each in wanted if each.kind == "artifact"), key=str):
        found += artifacts.load(connection, task_id, [reference.name], reference.step_id)
    return found


def wishes(request: JsonObject, session_id: str | None) -> JsonObject:
    """Return which models the task wants for which roles, and the session it belongs to, as agents are told."""
    given = request.get("metadata")
    models = wanted_models(given) if isinstance(given, dict) and given else {}
    told: JsonObject = {"models": {**models}} if models else {}
    return told | ({"session_id": session_id} if session_id else {})


_OUTPUTS: Final = OneOrMany(
    lambda among: select(StepRow.step_id, StepRow.output_text).where(
        StepRow.task_id == bindparam("of_task"), among(StepRow.step_id)
    )
)


def _readable(name: str, files: Sequence[File]) -> str:
    """Return what stands for a file in a text: its own text, or that it is attached; of several, their names."""
    if not files:
        return "(no files)" if name == artifacts.ALL else f"(no file named {name})"
    if name == artifacts.ALL:
        return f"(attached: {', '.join(file.name for file in files)})"
    file = files[0]
    content = file.content or b""
    kind = file.media_type.partition(";")[0].strip()
    textual = kind.startswith("text/") or "json" in kind or kind.endswith("xml")
    return content.decode("utf-8", "replace") if textual else f"(the file {file.name} is attached)"


def _compact(value: JsonValue) -> str:
    return "" if value is None else orjson.dumps(value).decode()
