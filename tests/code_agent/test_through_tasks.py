"""Each skill through a task on the real orchestrator, without a model and with the scripted one; and all as one."""

import base64
import io
import zipfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import JsonValue

from code_agent_service.main import create
from shared.agent import JsonObject
from tests.code_agent.asking import make_settings
from tests.support.federation import Federation, federation, free_port, step
from tests.support.model_server import Fixed, ModelRequest, ModelServer, model_server
from tests.support.serving import serve

_STATS = """
def mean(values: list[float]) -> float:
    if not values:
        raise ValueError("no values")
    return sum(values) / len(values)
"""
_DURATIONS = '''
def parse_duration(text: str) -> int:
    """Return the seconds that `text` stands for, such as "2m"."""
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]
'''
_FIRST_TRY = _DURATIONS.replace("3600", "60")
_OWN_TEST = """
from durations import parse_duration

def test_hours():
    assert parse_duration("1h") == 3600
"""
_MORE_TESTS = """
import pytest
from durations import parse_duration

def test_seconds():
    assert parse_duration("5s") == 5

def test_an_unknown_unit_is_refused():
    with pytest.raises(KeyError):
        parse_duration("5x")
"""
_PLAN: JsonObject = {
    "steps": [
        {"id": "write", "skill": "write-code", "instruction": "Write parse_duration in durations.py, with tests."},
        *(
            {
                "id": each,
                "skill": f"{each}-code",
                "instruction": f"{each} it",
                "files": [f"{{{{ steps.{before}.artifacts.* }}}}"],
            }
            for before, each in (("write", "test"), ("test", "review"), ("review", "document"))
        ),
    ]
}


def _files(**named: str) -> str:
    blocks = [f"`{name.replace('_py', '.py')}`\n\n```python\n{text.strip()}\n```" for name, text in named.items()]
    return "I write one module and its test.\n\n" + "\n\n".join(blocks)


def _answer(request: ModelRequest) -> Fixed:
    """Answer as a model would, by the role that the system message gives it."""
    asked = request.system.partition(".")[0]
    match asked.split()[:4]:
        case ["You", "plan", *_]:
            return _PLAN
        case ["You", "are", "a", "software"]:
            is_repair = "Mend it" in request.prompt
            return (
                _files(durations_py=_DURATIONS)
                if is_repair
                else _files(durations_py=_FIRST_TRY, test_durations_py=_OWN_TEST)
            )
        case ["You", "write", "pytest", *_]:
            return _files(test_more_py=_MORE_TESTS)
        case ["You", "review", *_]:
            point: JsonObject = {
                "file": "durations.py",
                "line": 3,
                "severity": "medium",
                "rule": "errors",
                "message": "Units.",
            }
            unreal = point | {"file": "nowhere.py", "message": "Not there."}
            return {"summary": "Short and clear.", "findings": [point, unreal]}
        case ["You", "document", *_]:
            module: JsonObject = {"file": "durations.py", "name": "", "docstring": "Durations in words."}
            return {"docstrings": [module], "readme": "# Durations\n\nReads durations."}
        case _:
            return "All four are done."


@asynccontextmanager
async def _world(folder: Path, model: ModelServer | None = None, *, output_kb: int = 128) -> AsyncGenerator[Federation]:
    chosen = {} if model is None else {"llm_base_url": model.base_url, "llm_model": "scripted"}
    port = free_port()
    limits = {"sandbox_memory_mb": 512, "sandbox_processes": 64, "sandbox_output_kb": output_kb}
    settings = make_settings(data_dir=folder / "code", code_agent_port=port, **limits, **chosen)
    with_model: dict[str, Any] = {"llm_provider": None, "llm_base_url": None, **chosen}
    async with (
        federation(folder, **with_model) as running,
        serve(create(settings), port=port) as url,
    ):
        await running.post("/api/agents", {"endpoint": url}, 201)
        yield running


def _attached(name: str, text: str) -> JsonObject:
    return {"name": name, "media_type": "text/x-python", "content": base64.b64encode(text.encode()).decode()}


def _steps(task: JsonObject) -> list[JsonObject]:
    return cast("list[JsonObject]", task["steps"])


def _data(one: JsonObject) -> JsonObject:
    """Return the JSON that a step's agent answered."""
    output = cast("JsonObject", one["output_data"])
    return cast("list[JsonObject]", output["data"])[0]


async def _read(running: Federation, task: JsonObject, step_id: str) -> dict[str, bytes]:
    """Return the files that a step made."""
    listed = cast("list[JsonObject]", cast("JsonObject", task["result"])["artifacts"])
    return {
        str(each["name"]): (await running.client.get(str(each["url"]))).content
        for each in listed
        if each["step_id"] == step_id
    }


async def test_every_skill_works_through_a_task_without_a_model(tmp_path: Path) -> None:
    attached = _attached("stats.py", _STATS)
    async with _world(tmp_path) as running:
        ran = await running.submit("run: print(6 * 7)", wait_s=30)
        tested = await running.submit("test the attached module", wait_s=30, files=[attached])
        reviewed = await running.submit("review the code in stats.py", wait_s=30, files=[attached])
        documented = await running.submit("document stats.py", wait_s=30, files=[attached])
        wrote = await running.submit("write a Python function that reverses a string", wait_s=30)
        made = await _read(running, documented, "step-1")

    for task, skill in (
        (ran, "run-code"),
        (tested, "test-code"),
        (reviewed, "review-code"),
        (documented, "document-code"),
    ):
        assert task["status"] == "completed", task["error"]
        assert [each["skill"] for each in _steps(task)] == [skill]
    assert "42" in str(cast("JsonObject", ran["result"])["summary"])
    results = _data(_steps(tested)[0])
    assert (results["written_by"], results["failed"], results["errors"]) == ("signatures", 0, 0)
    assert cast("int", results["passed"]) >= 4
    assert _data(_steps(reviewed)[0])["checked_by"] == ["ruff", "bandit"]
    assert b'"""Mean.' in made["stats.py"]
    assert b"`mean(values: list[float]) -> float`: Mean." in made["README.md"]
    assert wrote["status"] == "failed"
    assert "set OPENAI_API_KEY, GROQ_API_KEY or LLM_BASE_URL" in str(wrote["error"])


async def test_much_output_beside_large_files_still_makes_one_answer(tmp_path: Path) -> None:
    code = """
import os, sys
for name in ("one.bin", "two.bin"):
    with open(name, "wb") as file: file.write(os.urandom(700_000))
print("x" * 130_000)
print("y" * 130_000, file=sys.stderr)
"""
    async with _world(tmp_path) as running:
        task = await running.submit(f"run:\n```python\n{code}```", wait_s=30)
        made = await _read(running, task, "step-1")

    assert task["status"] == "completed", task["error"]
    assert {name: len(content) for name, content in made.items()} == {"one.bin": 700_000, "two.bin": 700_000}
    assert "no room for more: files.zip" in str(cast("JsonObject", task["result"])["summary"])


@pytest.mark.parametrize("character", ["\\1", "\\n", "\\u20ac"], ids=["control", "line", "euro"])
async def test_the_most_output_of_any_characters_still_makes_an_answer(character: str, tmp_path: Path) -> None:
    code = f"import sys\nprint('x' + '{character}' * 600_000)\nprint('{character}' * 600_000, file=sys.stderr)"
    async with _world(tmp_path, output_kb=512) as running:
        task = await running.submit(f"run:\n```python\n{code}\n```", wait_s=30)

    assert task["status"] == "completed", task["error"]
    assert "are not shown]" in str(_data(_steps(task)[0])["stdout"])


async def test_write_test_review_and_document_are_one_task_with_a_model(tmp_path: Path) -> None:
    goal = "Write a function with tests that parses durations, have it reviewed and documented"
    async with model_server(otherwise=_answer) as model, _world(tmp_path, model) as running:
        task = await running.submit(goal, wait_s=60)
        made = {str(each["id"]): await _read(running, task, str(each["id"])) for each in _steps(task)}

    assert task["status"] == "completed", [(each["error"], each["attempts"]) for each in _steps(task)]
    assert cast("JsonObject", task["plan"])["strategy"] == "llm"
    write, test, review, document = _steps(task)
    assert [each["skill"] for each in _steps(task)] == ["write-code", "test-code", "review-code", "document-code"]
    assert (_data(write)["repairs"], _data(write)["plan"]) == (1, "I write one module and its test.")
    assert set(made["write"]) == {"durations.py", "test_durations.py", "files.zip"}
    results = _data(test)
    assert (results["passed"], results["failed"], results["written_by"]) == (1, 0, "given")
    assert cast("JsonObject", results["coverage"])["percent"] == 100.0
    found = cast("list[JsonObject]", _data(review)["findings"])
    assert [(each["file"], each["line"]) for each in found if each["source"] == "model"] == [("durations.py", 3)]
    assert _data(document)["written_by"] == "model"
    assert made["document"]["durations.py"].startswith(b'"""Durations in words."""')
    with zipfile.ZipFile(io.BytesIO(made["document"]["files.zip"])) as archive:
        assert set(archive.namelist()) == {"durations.py", "test_durations.py", "REVIEW.md", "README.md"}
    assert cast("JsonObject", task["usage"])["llm_calls"] == len(model.requests)


async def test_each_skill_works_through_a_task_with_a_model(tmp_path: Path) -> None:
    attached: list[JsonValue] = [_attached("durations.py", _DURATIONS)]
    async with model_server(otherwise=_answer) as model, _world(tmp_path, model) as running:
        done: dict[str, JsonObject] = {}
        for skill in ("write-code", "test-code", "review-code", "document-code", "run-code"):
            names: list[JsonValue] = [] if skill == "run-code" else ["durations.py"]
            one = step("only", "run: print(6 * 7)", skill=skill, inputs={"files": names})
            task = await running.submit("test", wait_s=30, plan={"steps": [one]}, files=attached)
            assert task["status"] == "completed", task["error"]
            done[skill] = _data(_steps(task)[0])

    assert cast("JsonObject", done["write-code"]["tests"])["passed"] == 1
    assert (done["test-code"]["written_by"], done["test-code"]["passed"]) == ("model", 2)
    assert done["review-code"]["checked_by"] == ["ruff", "bandit", "model"]
    assert done["document-code"]["written_by"] == "model"
    assert done["run-code"]["stdout"] == "42\n"


async def test_without_a_model_the_rules_hand_the_files_of_a_step_on(tmp_path: Path) -> None:
    async with _world(tmp_path) as running:
        task = await running.submit(
            "test stats.py, review it and document it", wait_s=40, files=[_attached("stats.py", _STATS)]
        )

    assert task["status"] == "completed", task["error"]
    assert [each["skill"] for each in _steps(task)] == ["test-code", "review-code", "document-code"]
    assert sorted(cast("list[str]", _data(_steps(task)[1])["files"])) == ["stats.py", "test_smoke.py"]
    assert _data(_steps(task)[2])["files_changed"] == ["stats.py"]
