"""Each skill of the API agent through a task on the real orchestrator, without a model and with the scripted one."""

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from api_agent_service.main import create
from shared.agent import JsonObject
from tests.api_agent.asking import SALES, make_settings
from tests.api_agent.test_summarize import TEXT, is_extract
from tests.api_agent.workbook import XLSX, make_xlsx
from tests.support.federation import Federation, federation, free_port, step
from tests.support.model_server import Fixed, ModelRequest, ModelServer, model_server
from tests.support.serving import serve

_FORM: JsonObject = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "total": {"type": "number"}},
    "required": ["name", "total"],
}
_SQL = "SELECT city, max(price) AS dearest FROM data GROUP BY city ORDER BY dearest DESC"


def _answer(request: ModelRequest) -> Fixed:
    """Answer as a model would, by the role that the system message gives it."""
    match request.system.split()[:2]:
        case ["You", "write"]:
            return "A lighthouse became a museum."
        case ["You", "answer"]:
            return {"queries": [{"question": "Dearest price by city", "sql": _SQL}]}
        case ["You", "extract"]:
            return {"name": "Ann", "total": 12.5}
        case _:
            return "It is done."


@asynccontextmanager
async def _world(folder: Path, model: ModelServer | None = None) -> AsyncGenerator[Federation]:
    port = free_port()
    settings = make_settings(model, data_dir=folder / "api", api_agent_port=port)
    with_model: dict[str, Any] = {"llm_provider": None, "llm_base_url": None}
    if model is not None:
        with_model |= {"llm_base_url": model.base_url, "llm_model": "scripted"}
    async with federation(folder, **with_model) as running, serve(create(settings), port=port) as url:
        await running.post("/api/agents", {"endpoint": url}, 201)
        yield running
    assert not list((folder / "api" / "api-agent").iterdir()), "nothing of a request outlives it"


def _attached(name: str, media_type: str, text: str) -> JsonObject:
    return {"name": name, "media_type": media_type, "content": base64.b64encode(text.encode()).decode()}


def _workbook(name: str) -> JsonObject:
    """Return a spreadsheet as a browser attaches it."""
    content = make_xlsx({"Sales": [["region", "sales"], ["North", 10], ["South", 5], ["North", 2.5]]})
    return {"name": name, "media_type": XLSX, "content": base64.b64encode(content).decode()}


def _only(task: JsonObject) -> JsonObject:
    assert task["status"] == "completed", task["error"]
    [only] = cast("list[JsonObject]", task["steps"])
    return only


def _data(task: JsonObject) -> JsonObject:
    """Return the JSON that the only step's agent answered."""
    output = cast("JsonObject", _only(task)["output_data"])
    return cast("list[JsonObject]", output["data"])[0]


async def test_every_skill_works_through_a_task_without_a_model(tmp_path: Path) -> None:
    sales = _attached("sales.csv", "text/csv", SALES)
    async with _world(tmp_path) as running:
        profiled = await running.submit("Profile sales.csv", files=[sales])
        asked = await running.submit(f"average price by city\n\n```csv\n{SALES}```")
        summed = await running.submit(f"Summarize in two sentences:\n\n{TEXT}")
        found = await running.submit("Extract all e-mail addresses: Ann (ann@x.org) and Bob (bob@y.org)")
        listed = cast("list[JsonObject]", cast("JsonObject", asked["result"])["artifacts"])
        files = {str(each["name"]): await running.client.get(str(each["url"])) for each in listed}

    assert [_only(task)["skill"] for task in (profiled, asked, summed, found)] == [
        "analyze-data",
        "analyze-data",
        "summarize",
        "extract-data",
    ]
    assert cast("JsonObject", _data(profiled)["profile"])["rows"] == 6
    assert cast("list[JsonObject]", _data(asked)["answers"])[0]["sql"] == (
        'SELECT "city" AS "city", avg("price") AS "average price" FROM data WHERE "city" IS NOT NULL GROUP BY 1 '
        "ORDER BY 2 DESC NULLS LAST, 1"
    )
    assert files["chart.vl.json"].headers["content-type"] == "application/vnd.vegalite.v5+json"
    assert files["chart.png"].content.startswith(b"\x89PNG")
    assert (_data(summed)["method"], is_extract(str(_data(summed)["summary"]))) == ("extractive", True)
    assert _data(found)["emails"] == ["ann@x.org", "bob@y.org"]


async def test_a_spreadsheet_goes_through_a_task_as_a_csv_does(tmp_path: Path) -> None:
    async with _world(tmp_path) as running:
        tasks = [
            await running.submit("total sales by region", files=[_workbook("figures.xlsx")]),
            await running.submit("Total sales by region in figures.xlsx", files=[_workbook("figures.xlsx")]),
            await running.run(
                step("only", "total sales by region", skill="analyze-data", inputs={"files": ["figures.xlsx"]}),
                files=[_workbook("figures.xlsx")],
            ),
        ]
        summed = await running.submit("Summarize figures.xlsx", files=[_workbook("figures.xlsx")])

    for task in tasks:
        [answer] = cast("list[JsonObject]", _data(task)["answers"])
        assert answer["rows"] == [{"region": "North", "total sales": 12.5}, {"region": "South", "total sales": 5}]
    assert cast("JsonObject", _data(summed)["profile"])["rows"] == 3


async def test_every_skill_works_through_a_task_with_a_model(tmp_path: Path) -> None:
    sales = _attached("sales.csv", "text/csv", SALES)
    async with model_server(otherwise=_answer) as model, _world(tmp_path, model) as running:
        one = step("only", "Where is it dear, of all places?", skill="analyze-data", inputs={"files": ["sales.csv"]})
        asked = await running.run(one, files=[sales])
        summed = await running.run(step("only", f"Summarize in one sentence:\n\n{TEXT}", skill="summarize"))
        given: JsonObject = {"schema": _FORM, "text": "Ann owes us twelve and a half."}
        found = await running.run(step("only", "Extract it", skill="extract-data", inputs=given))

    [answer] = cast("list[JsonObject]", _data(asked)["answers"])
    assert cast("list[JsonObject]", answer["rows"])[0] == {"city": "Oslo", "dearest": 40.0}
    assert _SQL in str(cast("JsonObject", _only(asked)["output_data"])["text"])
    assert _data(summed)["summary"] == "A lighthouse became a museum."
    assert _data(found)["result"] == {"name": "Ann", "total": 12.5}
    for task in (asked, summed, found):
        step_usage = cast("JsonObject", _only(task)["usage"])
        assert step_usage["llm_calls"] == 1
        assert cast("int", step_usage["output_tokens"]) > 0
