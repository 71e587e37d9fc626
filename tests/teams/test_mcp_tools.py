"""Tools of MCP servers and skills of others, as agents from templates use them."""

import asyncio
import sys
from pathlib import Path

import pytest
from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from shared import mcp_tools
from shared.agent import METADATA_KEY, JsonObject
from shared.errors import FederationError, InvalidSettingError, NotFoundError, TimedOutError, UnavailableError
from shared.mcp_tools import Server, ToolFailedError, open_tools, read_servers
from shared.settings import FederationSettings
from tests.research_agent.asking import ask, make_settings
from tests.support.model_server import Fixed, model_server
from tests.support.serving import serve
from tests.teams.answering import Member, part, steps_of
from tests.teams.hosting import hosted, mcp_over_http, servers_file, stdio_server, template

_ALL = ["add", "environment", "long_text", "fail", "sleep", "die"]


def _servers(**fields: JsonValue) -> dict[str, Server]:
    return {"calc": Server.model_validate(stdio_server(allow=[*_ALL], **fields))}


def _runs(pid: str) -> bool:
    return Path("/proc", pid).exists()


@pytest.mark.parametrize("over_http", [False, True])
async def test_an_agent_uses_the_tools_of_its_template(tmp_path: Path, *, over_http: bool) -> None:
    turns: list[Fixed] = [
        {"tool": "calc.secret", "arguments": {}},
        {"tool": "calc.add", "arguments": {"a": 2, "b": 3}},
        {"answer": "It is 5."},
    ]
    async with mcp_over_http() as url, model_server(*turns) as model:
        entry: JsonObject = {"url": url, "allow": ["add"]} if over_http else stdio_server()
        async with hosted(
            tmp_path,
            templates={"sums.yaml": template("sums", "sum-up", tools={"mcp": [{"server": "calc"}]})},
            llm_base_url=model.base_url,
            llm_model="scripted",
            mcp_servers=servers_file(tmp_path, calc=entry),
        ) as federated:
            done = await federated.running.run({"id": "a", "skill": "sum-up", "instruction": "2 and 3"}, wait_s=35)
            told = await federated.running.events(done)
    assert done["status"] == "completed"
    assert part(steps_of(done)[0], "output_data")["text"] == "It is 5."
    first, second, third = (request.prompt for request in model.requests)
    assert '"tool": "calc.add"' in first
    assert "Tell what nobody is to know" not in first
    assert "There is no tool 'calc.secret'" in second
    assert "answer of calc.add>>>\n5\n" in third
    assert "uses calc.add" in str([event.get("text") for event in told])
    assert part(done, "usage")["llm_calls"] == 3


async def test_a_registered_skill_is_a_tool_in_the_name_of_the_task(tmp_path: Path) -> None:
    ann = Member("Ann", "seven")
    turns: list[Fixed] = [{"tool": "skill.guess", "arguments": {"text": "A number?"}}, {"answer": "Ann says seven."}]
    async with (
        model_server(*turns) as model,
        hosted(
            tmp_path,
            ann.served(),
            templates={"asker.yaml": template("asker", "ask-around", tools={"skills": ["guess"]})},
            llm_base_url=model.base_url,
            llm_model="scripted",
        ) as federated,
    ):
        done = await federated.running.run({"id": "a", "skill": "ask-around", "instruction": "Ask for a number"})
    assert part(steps_of(done)[0], "output_data")["text"] == "Ann says seven."
    [asked] = ann.asked
    assert asked.text == "A number?"
    told = asked.metadata[METADATA_KEY]
    assert isinstance(told, dict)
    assert told["root_task_id"] == done["id"]
    assert told["hops"] == 2


async def test_it_goes_on_without_a_server_that_is_away_and_never_for_ever(tmp_path: Path) -> None:
    nowhere: JsonObject = {"command": ["/does/not/exist"], "allow": ["add"]}
    async with (
        model_server(otherwise={"tool": "calc.add", "arguments": {}}) as model,
        hosted(
            tmp_path,
            templates={"sums.yaml": template("sums", "sum-up", tools={"mcp": [{"server": "calc"}]})},
            llm_base_url=model.base_url,
            llm_model="scripted",
            mcp_servers=servers_file(tmp_path, calc=nowhere),
            template_max_turns=3,
            max_revisions=0,
        ) as federated,
    ):
        done = await federated.running.run({"id": "a", "skill": "sum-up", "instruction": "2 and 3"})
        told = await federated.running.events(done)
    assert "took 3 turns without an answer" in str(part(steps_of(done)[0], "error")["detail"])
    assert "goes on without calc" in str([event.get("text") for event in told])
    assert len(model.requests) == 3


async def test_the_research_agent_searches_by_the_tools_it_may_use(tmp_path: Path) -> None:
    settings = make_settings(
        tmp_path,
        research_web=True,
        research_web_timeout_s=30,
        wikipedia_url="http://127.0.0.1:1",
        egress_allow=("127.0.0.1:1",),
        research_mcp_tools="calc.search,calc.secret",
        mcp_servers=servers_file(tmp_path, calc=stdio_server(allow=["search"])),
    )
    found = await ask(settings, "When was the lighthouse of Hagsund built?")
    assert "1871" in found.text
    assert [place["url"] for place in found.places] == ["mcp:calc.search"]


async def test_a_stdio_server_gets_a_minimal_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("CALC_TOKEN", "for calc")
    async with open_tools(FederationSettings(), _servers(env={"TOKEN": "${CALC_TOKEN}"})) as tools:
        names = (await tools.call("calc.environment", {})).split()
    assert "TOKEN" in names
    assert set(names) <= {"HOME", "PATH", "TOKEN", "LC_CTYPE", "PWD"}


async def test_what_goes_wrong_with_a_tool_is_told_in_words() -> None:
    async with open_tools(FederationSettings(), _servers()) as tools:
        with pytest.raises(ToolFailedError, match=r"calc\.fail"):
            await tools.call("calc.fail", {})
        with pytest.raises(ToolFailedError):
            await tools.call("calc.add", {"a": "no number"})
        with pytest.raises(NotFoundError, match="not allowed"):
            await tools.call("calc.secret", {})
        with pytest.raises(NotFoundError, match="has no server"):
            await tools.call("other.add", {})
        long = await tools.call("calc.long_text", {})
        assert len(long) < mcp_tools.MAX_OUTPUT_CHARS + 100
        assert "cut after" in long
        with pytest.raises(FederationError):
            await tools.call("calc.die", {})
        assert await tools.call("calc.add", {"a": 1, "b": 2}) == "3"  # it is connected to anew


async def test_a_call_that_takes_too_long_ends_and_the_next_one_finds_the_server_again() -> None:
    async with open_tools(FederationSettings(), _servers(timeout_s=6)) as tools:
        with pytest.raises(TimedOutError, match="within 6 s"):
            await tools.call("calc.sleep", {})
        assert await tools.call("calc.add", {"a": 1, "b": 2}) == "3"


async def test_a_caller_that_is_cancelled_neither_waits_for_an_old_connection_nor_disturbs_its_end(
    tmp_path: Path,
) -> None:
    file = tmp_path / "pid"
    lingering = (
        "import os, subprocess, sys, time\n"
        f"open({str(file)!r}, 'w').write(str(os.getpid()))\n"
        "subprocess.run(sys.argv[1:])\ntime.sleep(60)\n"
    )
    entry = stdio_server(allow=["add", "sleep"], timeout_s=1)
    assert isinstance(entry, dict)
    assert isinstance(entry["command"], list)
    slow_to_end = Server.model_validate(entry | {"command": [sys.executable, "-c", lingering, *entry["command"]]})
    async with open_tools(FederationSettings(), {"calc": slow_to_end}) as tools:
        with pytest.raises(TimedOutError):
            await tools.call("calc.sleep", {"seconds": 1.5})
        old = file.read_text()
        asked = asyncio.create_task(tools.call("calc.add", {"a": 1, "b": 2}))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        assert asked.cancelled()
        assert _runs(old)
        assert await tools.call("calc.add", {"a": 2, "b": 2}) == "4"
        assert not _runs(old)


async def test_a_tool_that_a_server_lists_again_and_again_is_offered_once() -> None:
    listing = (
        "import json, sys\n"
        "answers = {\n"
        "    'initialize': lambda asked: {'protocolVersion': asked['protocolVersion'], 'capabilities': {'tools': {}},\n"
        "                                 'serverInfo': {'name': 'endless', 'version': '1'}},\n"
        "    'tools/list': lambda asked: {'nextCursor': 'more',\n"
        "                                 'tools': 2 * [{'name': 'add', 'inputSchema': {'type': 'object'}}]},\n"
        "}\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    if asked.get('method') in answers:\n"
        "        result = answers[asked['method']](asked.get('params', {}))\n"
        "        print(json.dumps({'jsonrpc': '2.0', 'id': asked['id'], 'result': result}), flush=True)\n"
        "    elif 'id' in asked:\n"
        "        error = {'code': -32601, 'message': 'not known'}\n"
        "        print(json.dumps({'jsonrpc': '2.0', 'id': asked['id'], 'error': error}), flush=True)\n"
    )
    servers = {"calc": Server(command=[sys.executable, "-c", listing], allow=["add"])}
    async with open_tools(FederationSettings(), servers) as tools:
        assert [tool.name for tool in await tools.offered("calc")] == ["calc.add"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (RedirectResponse("http://127.0.0.2:1/mcp"), "Redirect to http://127.0.0.2:1/mcp not followed"),
        (HTMLResponse("<p>Sign in</p>"), "Unexpected content type: text/html"),
    ],
)
async def test_why_a_server_could_not_be_connected_to_is_told(answer: Response, says: str) -> None:
    def turn_away(_: Request) -> Response:
        return answer

    async with serve(Starlette(routes=[Route("/mcp", turn_away, methods=["POST"])])) as url:
        servers = {"calc": Server(url=f"{url}/mcp", allow=["add"])}
        async with open_tools(FederationSettings(), servers) as tools:
            with pytest.raises(UnavailableError, match=says):
                await tools.call("calc.add", {})


async def test_a_server_over_http_is_reached_by_the_guarded_way_only() -> None:
    async with mcp_over_http() as url:
        servers = {"calc": Server(url=url, allow=["add"])}
        async with open_tools(FederationSettings(), servers) as tools:
            assert [tool.name for tool in await tools.offered("calc")] == ["calc.add"]
            assert await tools.offered("calc", ["other"]) == []
            assert await tools.call("calc.add", {"a": 1, "b": 2}) == "3"
        guarded = FederationSettings(federation_allow_private_agents=False)
        async with open_tools(guarded, servers) as tools:
            with pytest.raises(UnavailableError):
                await tools.call("calc.add", {"a": 1, "b": 2})


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"allow": []}, "give either"),
        ({"command": ["x"], "url": "http://x", "allow": []}, "give either"),
        ({"command": [sys.executable]}, "line 3"),
        ({"command": "x", "allow": []}, "command"),
    ],
)
def test_a_server_that_is_configured_wrongly_is_refused_with_its_place(
    tmp_path: Path, entry: JsonObject, says: str
) -> None:
    with pytest.raises(InvalidSettingError, match=says):
        read_servers(servers_file(tmp_path, calc=entry))
