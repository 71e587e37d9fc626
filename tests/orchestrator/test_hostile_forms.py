"""Whatever an agent calls the form of an answer: a person can look at the task, and answer or cancel it."""

import asyncio
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from shared.agent import METADATA_KEY, JsonObject
from tests.orchestrator.scripted import agent, any_step, register
from tests.support.federation import Federation, federation
from tests.support.misbehaving import result, stream, task


def _deep(levels: int) -> JsonObject:
    form: JsonObject = {"type": "string"}
    for _ in range(levels):
        form = {"type": "object", "properties": {"x": form}}
    return form


def _doubled(times: int) -> JsonObject:
    """Return a form that a text fits, with 2^`times` ways to see it."""
    parts: JsonObject = {}
    for at in range(times):
        further: JsonObject = {"$ref": f"#/$defs/d{at + 1}"}
        parts[f"d{at}"] = {"allOf": [further, further]}
    return {"$ref": "#/$defs/d0", "$defs": {**parts, f"d{times}": {"type": ["string", "object"]}}}


_FORMS: Final[tuple[JsonValue, ...]] = (
    "a text",
    [{"type": "string"}],
    17,
    True,
    {},
    {"type": "nothing"},
    {"type": 17, "properties": []},
    {"$ref": "#/nowhere"},
    {"$ref": "http://127.0.0.1:1/schema.json"},
    {"$ref": "#"},
    {"$schema": "http://127.0.0.1:1/dialect"},
    {"pattern": "("},
    {"pattern": "(a+)+$"},
    {"allOf": [{"$ref": "#"}]},
    {"$dynamicRef": "#x", "$dynamicAnchor": "x"},
    _deep(10),
    _doubled(40),
    {"$defs": {"a": {"$id": "http://a.test/", **_doubled(40)}}, "$ref": "http://a.test/"},
    {"properties": {"x": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}},
    {"enum": [*["x"] * 5_000]},
    {"multipleOf": 0},
    {"minLength": -1, "maxLength": 1e308},
)


async def test_a_question_can_be_seen_and_answered_whatever_its_form(tmp_path: Path) -> None:
    async with federation(tmp_path) as running:
        await asyncio.gather(*(_answer(running, f"Asking {at}", form) for at, form in enumerate(_FORMS)))


async def _answer(running: Federation, name: str, form: JsonValue) -> None:
    asked = task("INPUT_REQUIRED", text="Which city?", metadata={METADATA_KEY: {"schema": form}})
    done = stream({"task": task("COMPLETED", artifact="done")})
    asking = agent(stream({"task": asked}), done, GetTask=result(asked))
    async with asking.serving():
        await register(running, asking, name)
        waiting = await running.run(any_step(agent=name))
        assert waiting["status"] == "input_required"
        assert isinstance(questions := waiting["pending_inputs"], list)
        assert isinstance(question := questions[0], dict)
        assert (await running.client.get("/api/inputs")).status_code == 200
        path = f"/api/tasks/{waiting['id']}"
        for answer in ({"text": "a" * 40 + "!"}, {"data": {"x": "Oslo"}}, {"data": "Oslo"}):
            given = {"input_id": question["input_id"], **answer}
            answered = await running.client.post(f"{path}/input", json=given)
            assert answered.status_code in {200, 202, 422}, (form, answered.text)
            if answered.status_code != 422:
                ended = await running.task_when(waiting, lambda found: bool(found["completed_at"]))
                assert ended["status"] == "completed"
                return
        assert (await running.post(f"{path}/cancel"))["status"] == "canceled"
