"""What the command line says of settings, ports, databases and models that do not work, before anything is started."""

import json
import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from federation.services import MODULES
from shared.settings import ServiceName
from tests.federation.commands import federation
from tests.federation.fake_orchestrator import FakeOrchestrator
from tests.federation.processes import PORTS, ROOT, free_ports, python, started
from tests.support import ready_made
from tests.support.postgres import new_database
from tests.support.serving import serve


@pytest.mark.parametrize(
    ("setting", "value", "right"),
    [
        ("EGRESS_ALLOW", "foo", "127.0.0.1:9900-9999"),
        ("ORCHESTRATOR_URL", "http://127.0.0.1:port", "http://127.0.0.1:8000"),
        ("ORCHESTRATOR_URL", "garbage", "http://127.0.0.1:8000"),
        ("API_AGENT_URL", "garbage", "http://127.0.0.1:8000"),
        ("LLM_BASE_URL", "garbage", "http://127.0.0.1:8000"),
        ("LLM_ENDPOINTS", "garbage", "NAME=URL"),
        ("SEARXNG_URL", "garbage", "http://127.0.0.1:8000"),
        ("AGENTS_FILE", "/no/such/agents.yaml", "no file or folder /no/such/agents.yaml"),
        ("AGENT_TRUSTED_KEYS", "/no/such/keys.json", "/no/such/keys.json cannot be read"),
        ("MCP_SERVERS", "/no/such/servers.yaml", "/no/such/servers.yaml cannot be read"),
        ("DATA_FILES", "/no/such/folder", "no such folder"),
        ("SANDBOX_WHEELS", "/etc/passwd", "no such folder"),
        ("AGENT_TEMPLATES", "/no/such/folder", "no such folder"),
        ("BROWSER_CDP_URL", "127.0.0.1:9222", "http://127.0.0.1:9222"),
        ("CARD_SIGNING_KEY", "/no/such/key.pem", "No such file"),
        ("CARD_SECURITY", "{bad", "JSON"),
        ("CARD_SECURITY", '{"unheardOf": {}}', "JSON"),
        ("WEBHOOK_SECRET", "secret-word", "whsec_"),
        ("DATABASE_URL", "mysql://someone:secret-word@127.0.0.1/x", "sqlite or postgresql only"),
        ("DATABASE_URL", "postgresql://someone:secret-word@127.0.0.1:port/x", "postgresql://USER:PASSWORD@HOST/NAME"),
        ("DATABASE_URL", "secret-word", "postgresql://USER:PASSWORD@HOST/NAME"),
        ("DATABASE_URL", "postgresql://someone:secret-word@127.0.0.1:{closed}/x", "Start PostgreSQL"),
        ("DATABASE_URL", "sqlite:////no/such/folder/x.db", "unable to open"),
        ("DATABASE_URL", "sqlite://", "sqlite:///FILE"),
    ],
)
async def test_a_setting_that_no_service_could_work_with_is_said_in_a_line_and_nothing_is_started(
    tmp_path: Path, setting: str, value: str, right: str
) -> None:
    closed, *ports = free_ports(len(PORTS) + 1)
    env = {**dict(zip(PORTS, map(str, ports), strict=True)), "DATA_DIR": str(tmp_path / "data")}
    env[setting] = value.replace("{closed}", str(closed))
    for command in (("up",), ("run", "--start", "anything")):
        run = await federation(*command, env=env)
        assert (run.code, run.out) == (1, "")
        assert setting in run.err
        assert right in run.err
        assert len(run.err.splitlines()) == 1
        assert "secret-word" not in run.err
        assert not (tmp_path / "data").exists()
    run = await federation("doctor", env=env)
    assert run.code == 1
    assert "secret-word" not in run.out
    line = next(line for line in run.out.splitlines() if setting in line)
    assert line.startswith("✗")
    assert right in line


@pytest.mark.parametrize(
    ("value", "right", "code"),
    [
        ("postgresql://someone:secret-word@127.0.0.1:{closed}/x", "Start PostgreSQL", 1),
        ("postgresql://someone:secret-word@127.0.0.1:port/x", "postgresql://USER:PASSWORD@HOST/NAME", os.EX_CONFIG),
        ("secret-word", "postgresql://USER:PASSWORD@HOST/NAME", os.EX_CONFIG),
        ("", "Set DATABASE_URL=", os.EX_CONFIG),
    ],
)
async def test_a_worker_says_in_a_line_why_its_database_cannot_be_used(
    tmp_path: Path, value: str, right: str, code: int
) -> None:
    env = {"DATABASE_URL": value.format(closed=free_ports(1)[0]), "DATA_DIR": str(tmp_path / "data")}
    run = await federation("worker", env=env)
    assert (run.code, run.out) == (code, "")
    assert "DATABASE_URL" in run.err
    assert right in run.err
    assert len(run.err.splitlines()) == 1
    assert "secret-word" not in run.err


async def test_a_worker_runs_none_of_the_code_in_the_folder_it_is_started_in(tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text("raise SystemExit('not ours')", encoding="utf-8")
    assert "Set DATABASE_URL=" in (await federation("worker", folder=tmp_path)).err


async def test_an_env_file_that_is_not_utf_8_is_named_by_every_command(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("LLM_MODEL=café\n".encode("latin-1"))
    for command in (("up",), ("tasks", "list"), ("run", "anything"), ("worker",), ("webhook-secret",)):
        run = await federation(*command, folder=tmp_path)
        assert (run.code, run.out) == (os.EX_CONFIG if command == ("worker",) else 1, "")
        assert f"{tmp_path}/.env is not written in UTF-8" in run.err
        assert len(run.err.splitlines()) == 1
    run = await federation("doctor", folder=tmp_path)
    assert run.code == 1
    assert f"✗ settings: {tmp_path}/.env is not written in UTF-8" in run.out


async def test_a_line_of_the_env_file_that_is_no_setting_is_said_with_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LLM_MODEL test\n", encoding="utf-8")
    run = await federation("doctor", folder=tmp_path)
    assert run.err == f"{tmp_path}/.env: what begins at line 1 is no setting (NAME=value), and is left out.\n"


async def test_a_secret_that_cannot_be_kept_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file", encoding="utf-8")
    run = await federation("webhook-secret", env={"DATA_DIR": str(tmp_path / "data")})
    assert (run.code, run.out) == (1, "")
    assert f"{tmp_path}/data/secret.key" in run.err
    assert "set DATA_DIR" in run.err
    assert len(run.err.splitlines()) == 1


async def test_the_doctor_finds_a_database_that_answers_whichever_it_is(tmp_path: Path) -> None:
    with new_database() as postgres:
        for url, said in ((postgres, "PostgreSQL"), (f"sqlite:///{tmp_path}/x.db", "SQLite")):
            run = await federation("doctor", "--json", env={"DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": url})
            database = {finding["name"]: finding for finding in json.loads(run.out)}["database"]
            assert database["state"] == "ok", database
            assert said in database["text"]


async def test_the_doctor_finds_a_database_of_a_newer_version_and_one_that_is_none(tmp_path: Path) -> None:
    path = ready_made.put_orchestrators(tmp_path)
    assert "✓ database: " in (await federation("doctor", env={"DATA_DIR": str(tmp_path)})).out
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE federation_version SET version_num = '9999'")
    for url, name in (("", path), (f"sqlite:///{path}", "DATABASE_URL")):
        run = await federation("doctor", env={"DATA_DIR": str(tmp_path), "DATABASE_URL": url})
        assert run.code == 1
        assert f"✗ database: {name}: A newer version of Agent Federation migrated this database" in run.out
        assert _names(tmp_path) == [path.name]
    path.write_bytes(b"This is no database." * 100)
    run = await federation("doctor", env={"DATA_DIR": str(tmp_path)})
    assert f"✗ database: {path} cannot be read: file is not a database" in run.out


async def test_the_doctor_says_which_key_a_chosen_model_lacks(tmp_path: Path) -> None:
    env = {"LLM_PROVIDER": "groq", "GROQ_API_KEY": "", "LLM_BASE_URL": "", "DATA_DIR": str(tmp_path)}
    run = await federation("doctor", env=env)
    assert "✗ model: " in run.out
    assert "GROQ_API_KEY is not set" in run.out
    assert "gpt-oss" not in run.out
    assert run.code == 1


async def test_the_doctor_says_whether_anyone_answers_at_the_devtools_address(tmp_path: Path) -> None:
    for scheme in ("http", "ws"):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"{scheme}://127.0.0.1:{server.getsockname()[1]}"
            run = await federation("doctor", env={"BROWSER_CDP_URL": address, "DATA_DIR": str(tmp_path)})
            assert f"✓ chromium: the one at {address} (BROWSER_CDP_URL)\n" in run.out
        run = await federation("doctor", env={"BROWSER_CDP_URL": address, "DATA_DIR": str(tmp_path)})
        assert f"! chromium: BROWSER_CDP_URL is {address}, but no Chromium answers there." in run.out


async def test_the_doctor_says_that_the_folder_of_documents_is_missing(tmp_path: Path) -> None:
    for folder, said in ((tmp_path, f"✓ documents: {tmp_path}"), (tmp_path / "no", "! documents: The documents ")):
        env = {"RESEARCH_DOCUMENTS": str(folder), "DATA_DIR": str(tmp_path / "data")}
        assert said in (await federation("doctor", env=env)).out


async def test_the_folders_that_are_looked_into_by_default_may_be_missing(tmp_path: Path) -> None:
    run = await federation("doctor", folder=tmp_path, env={"DATA_DIR": str(tmp_path / "data")})
    assert "✓ settings: all are right" in run.out


async def test_a_wrong_setting_is_named_with_its_value() -> None:
    for command in (("up",), ("run", "anything"), ("doctor",)):
        run = await federation(*command, env={"ORCHESTRATOR_PORT": "99999"})
        assert run.code == 1
        assert "ORCHESTRATOR_PORT (it is '99999')" in run.out + run.err


@pytest.mark.parametrize(
    ("name", "value", "most"),
    [
        ("TASK_TIMEOUT_S", "inf", "3153600000"),
        ("IDEMPOTENCY_HOURS", "1e9", "876000"),
        ("BROWSER_TASK_TIMEOUT_S", "infinity", "3153600000"),
    ],
)
async def test_a_time_that_no_clock_counts_to_is_a_wrong_setting(name: str, value: str, most: str) -> None:
    run = await federation("doctor", env={name: value})
    assert run.code == 1
    assert f"✗ settings: {name} (it is '{value}'): Input should be at most {most}." in run.out


@pytest.mark.parametrize("name", MODULES)
def test_a_service_that_is_started_by_itself_says_too_which_setting_is_wrong(name: ServiceName) -> None:
    env = {"LLM_BASE_URL": "garbage", "PYTHONPATH": str(ROOT)}
    with started(python("-m", MODULES[name]), env=env) as process:
        assert process.end() == os.EX_CONFIG
        said = f"{name}: LLM_BASE_URL (it is 'garbage'): that is no address"
        assert process.text.startswith(said)
        assert len(process.lines) == 1


async def test_an_orchestrators_address_that_is_none_is_said_by_whoever_asks_it() -> None:
    run = await federation("tasks", "list", env={"ORCHESTRATOR_URL": "garbage"})
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith("ORCHESTRATOR_URL (it is 'garbage'): that is no address; write it like http://127.0.0.1")
    assert len(run.err.splitlines()) == 1


async def test_the_doctor_says_what_is_there_and_what_is_missing(tmp_path: Path) -> None:
    ports = free_ports(len(PORTS))
    env = {**dict(zip(PORTS, map(str, ports), strict=True)), "DATA_DIR": str(tmp_path / "data")}
    async with serve(FakeOrchestrator().app(), port=ports[3]):
        env["BROWSER_EXECUTABLE"] = str(tmp_path / "no-browser")
        run = await federation("doctor", "--json", env=env)
    findings = {finding["name"]: finding for finding in json.loads(run.out)}
    assert findings["python"]["state"] == "ok"
    assert findings["data"]["state"] == "ok"
    assert "SQLite" in findings["database"]["text"]
    assert findings["chromium"]["state"] == "degraded"
    assert "BROWSER_EXECUTABLE" in findings["chromium"]["text"]
    assert findings["browser"]["state"] == "missing"
    assert "set BROWSER_PORT" in findings["browser"]["text"]
    assert findings["code"]["text"] == f"port {ports[4]} is free"
    assert "GROQ_API_KEY" in findings["model"]["text"]
    assert run.code == 1


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
async def test_the_doctor_finds_a_host_that_the_services_cannot_listen_on(tmp_path: Path, host: str) -> None:
    run = await federation("doctor", env={"FEDERATION_HOST": host, "DATA_DIR": str(tmp_path)})
    assert (run.code, run.err) == (1, "")
    assert f"✗ orchestrator: orchestrator cannot listen on {host}:" in run.out
    assert "Check FEDERATION_HOST" in run.out


async def test_the_doctor_finds_a_data_dir_that_cannot_be_written_and_a_database_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file", encoding="utf-8")
    run = await federation("doctor", "--json", env={"DATA_DIR": str(tmp_path / "data")})
    assert "set DATA_DIR" in {finding["name"]: finding for finding in json.loads(run.out)}["data"]["text"]
    away = f"postgresql://someone:secret-word@127.0.0.1:{free_ports(1)[0]}/x"
    run = await federation("doctor", "--json", env={"DATA_DIR": str(tmp_path / "ok"), "DATABASE_URL": away})
    database = {finding["name"]: finding for finding in json.loads(run.out)}["database"]
    assert database["state"] == "missing"
    assert "DATABASE_URL" in database["text"]
    assert "secret-word" not in run.out


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
