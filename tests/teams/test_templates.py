"""Agents that are written as templates: begun when a plan needs them, used, and let go."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient

from agent_host_service import main
from agent_host_service.settings import Settings
from agent_host_service.templates import Template
from shared import yaml_models
from tests.support.federation import TestAgent, free_port, until
from tests.support.model_server import Fixed, model_server
from tests.support.serving import serve
from tests.teams.answering import Member, part, parts, steps_of, team_step
from tests.teams.hosting import hosted, template


async def test_a_step_that_nobody_can_do_goes_to_an_agent_that_is_begun_for_it(tmp_path: Path) -> None:
    async with (
        model_server(otherwise="Bonjour.") as model,
        hosted(tmp_path, llm_base_url=model.base_url, llm_model="scripted") as federated,
    ):
        assert await federated.names() == []
        done = await federated.running.run(
            {"id": "a", "skill": "translate", "instruction": "Into French: Good day."},
            {"id": "b", "skill": "translate", "instruction": "Into French: Good night."},
        )
        assert done["status"] == "completed"
        assert {str(step["agent_name"]) for step in steps_of(done)} == {"Translator"}
        assert await federated.names() == ["Translator"]
        [agent] = parts(await federated.running.get("/api/agents"), "items")
        assert agent["source"] == "template"
    assert any("Into French: Good day." in request.prompt for request in model.requests)
    assert any("You are a careful translator." in request.system for request in model.requests)
    assert part(done, "usage")["llm_calls"] == 3  # two by the agent, one for the summary


async def test_the_planner_knows_what_can_be_begun(tmp_path: Path) -> None:
    plan: Fixed = {"steps": [{"id": "a", "skill": "translate", "instruction": "Into French: Good day."}]}
    async with (
        model_server(plan, "Bonjour.") as model,
        hosted(tmp_path, llm_base_url=model.base_url, llm_model="scripted") as federated,
    ):
        done = await federated.running.submit("Say good day in French")
        assert done["status"] == "completed"
        assert "Bonjour." in str(part(done, "result")["summary"])
    assert '"skill": "translate"' in model.requests[0].prompt


async def test_without_a_model_the_rules_find_it_and_it_says_that_it_needs_one(tmp_path: Path) -> None:
    other = TestAgent("Cook", Member("Cook", "soup").answer, ("cook",))
    async with hosted(tmp_path, other) as federated:
        done = await federated.running.submit("Translate this into French: Good day.")
        assert done["status"] == "failed"
        error = part(steps_of(done)[0], "error")
        assert error["type"] == "needs-model"
        assert "'translator' needs a language model" in str(error["detail"])


async def test_an_agent_that_is_registered_goes_before_a_template(tmp_path: Path) -> None:
    ann = Member("Ann", "Salut.")
    async with hosted(tmp_path, TestAgent("Ann", ann.answer, ("translate",))) as federated:
        done = await federated.running.run({"id": "a", "skill": "translate", "instruction": "Into French: Hi."})
        assert steps_of(done)[0]["agent_name"] == "Ann"
        assert await federated.names() == ["Ann"]


async def test_an_agent_that_nobody_needs_is_let_go_and_comes_back_when_it_is_needed(tmp_path: Path) -> None:
    async with (
        model_server(otherwise="Bonjour.") as model,
        hosted(
            tmp_path, llm_base_url=model.base_url, llm_model="scripted", template_idle_s=0.5, learn_plans=False
        ) as federated,
    ):
        for _ in range(2):
            done = await federated.running.run({"id": "a", "skill": "translate", "instruction": "Into French: Hi."})
            assert done["status"] == "completed"
            await until(lambda: federated.running.get("/api/agents"), lambda found: found["items"] == [])

            await until(federated.templates, lambda found: not any(each["running"] for each in parts(found, "items")))


async def test_a_template_is_followed_as_it_is_written_now(tmp_path: Path) -> None:
    async with (
        model_server(otherwise=lambda request: "old" if "Say old." in request.system else "new") as model,
        hosted(
            tmp_path,
            templates={"own.yaml": template("teller", "tell", "Say old.")},
            llm_base_url=model.base_url,
            llm_model="scripted",
        ) as federated,
    ):
        step = {"id": "a", "skill": "tell", "instruction": "Tell."}
        assert "old" in str(part(await federated.running.run({**step}), "result")["summary"])
        federated.write("own.yaml", "name: [")
        broken = await federated.templates()
        [problem] = parts(broken, "problems")
        assert (problem["file"], problem["line"]) == ("own.yaml", 1)
        assert "teller" in str(broken["items"])
        assert "old" in str(part(await federated.running.run({**step}), "result")["summary"])
        federated.write("own.yaml", template("teller", "tell", "Say new."))
        assert (await federated.templates())["problems"] == []
        assert "new" in str(part(await federated.running.run({**step}), "result")["summary"])


async def test_what_was_wrong_with_a_file_is_forgotten_when_it_is_gone_or_can_be_read_again(tmp_path: Path) -> None:
    text = template("teller", "tell")
    async with hosted(tmp_path, templates={"broken.yaml": "name: [", "own.yaml": text}) as federated:
        own = federated.folder / "own.yaml"
        own.unlink()
        own.symlink_to("/proc/self/mem")  # is a file, and cannot be read
        found = parts(await federated.templates(), "problems")
        assert [problem["file"] for problem in found] == ["broken.yaml", "own.yaml"]
        (federated.folder / "broken.yaml").unlink()
        own.unlink()
        federated.write("own.yaml", text)
        assert (await federated.templates())["problems"] == []


async def test_an_agent_that_cannot_be_opened_says_so_and_leaves_the_others_alone(tmp_path: Path) -> None:
    templates = {f"{name}.yaml": template(name, "tell") for name in ("broken", "whole")}
    async with hosted(tmp_path, templates=templates) as federated:
        (tmp_path / "host").mkdir(exist_ok=True)
        file = tmp_path / "host" / "a2a-host-broken.db"
        file.write_bytes(b"This is no database." * 100)
        refused = await federated.host.post("/templates/broken/start")
        assert refused.status_code == 503
        assert "a2a-host-broken.db cannot be used: file is not a database" in refused.json()["detail"]
        file.unlink()
        with closing(sqlite3.connect(file)) as another:
            another.execute("CREATE TABLE a2a_tasks (of_another TEXT)")
        refused = await federated.host.post("/templates/broken/start")
        assert (refused.status_code, refused.json()["title"]) == (500, "Something went wrong")
        assert (await federated.host.post("/templates/whole/start")).status_code == 200
        file.unlink()
        assert (await federated.host.post("/templates/broken/start")).status_code == 200


async def test_a_caller_who_leaves_while_an_agent_is_opened_ends_neither_the_host_nor_the_agent(tmp_path: Path) -> None:
    app = main.create(
        Settings.model_validate({"data_dir": tmp_path, "agent_host_port": free_port(), "agent_templates": tmp_path})
    )
    path = "/agents/translator/.well-known/agent-card.json"
    async with serve(app) as url, AsyncExitStack() as stack:
        inside = await stack.enter_async_context(AsyncClient(transport=ASGITransport(app), base_url=url))
        left = asyncio.create_task(inside.get(path))
        opening: list[asyncio.Task[object]] = []
        for _ in range(1_000):
            await asyncio.sleep(0)
            opening = [task for task in asyncio.all_tasks() if task.get_name() == "agent translator"]
            if opening:
                break
        left.cancel()
        await asyncio.wait([left, *opening])
        assert left.cancelled()
        outside = await stack.enter_async_context(AsyncClient(base_url=url))
        assert (await outside.get(path)).json()["name"] == "Translator"


async def test_where_no_template_fits_the_step_fails_as_before(tmp_path: Path) -> None:
    async with hosted(tmp_path) as federated:
        done = await federated.running.run(team_step())
    assert part(steps_of(done)[0], "error")["type"] == "no-agent"


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("name: x\nfoo: 1\n", 2, 1, "Extra inputs"),
        (template("Upper", "tell"), 1, 7, "pattern"),
        ("name: x\ndescription: y\nskills:\n  - id: a\n    name: a\n    tags: [a]\n", 4, 5, "description"),
        ("name: x\ndescription: y\nskills: []\nprompt: z\n", 3, 9, "at least 1"),
        ("name: x\nname: y\n", 2, 1, "repeated"),
        ("name: &a x\ndescription: *a\n", 1, 7, "alias"),
        ("- a\n", 1, 1, "dictionary"),
    ],
)
def test_a_template_that_is_no_good_is_refused_with_line_and_column(
    text: str, line: int, column: int, says: str
) -> None:
    with pytest.raises(yaml_models.YamlModelError) as refused:
        yaml_models.read(text.encode(), Template)
    faults = [(fault.line, fault.column) for fault in refused.value.faults if says in str(fault)]
    assert (line, column) in faults, refused.value
