"""How the orchestrator serves the UI: whole without Node, a sentence without a build, A2A at the same addresses."""

import gzip
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from starlette.responses import JSONResponse

from orchestrator_service import web_ui
from tests.support.federation import federation
from tests.support.serving import serve

_HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A folder with a build in it."""
    folder = tmp_path / "build"
    (folder / "ui").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>UI</title>")
    (folder / "ui" / "index-AbCd1234.js").write_text("export const a = 1;")
    (folder / "ui" / "index-AbCd1234.js.gz").write_bytes(gzip.compress(b"export const a = 1;"))
    (folder / "ui" / "theme.js").write_text("// theme")
    (folder.parent / "secret.txt").write_text("secret")
    return folder


@pytest_asyncio.fixture
async def client(build: Path) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of an app that serves the build, and tasks at an address of the UI."""
    app = FastAPI()

    async def tasks() -> JSONResponse:
        return JSONResponse({"tasks": []})

    app.add_api_route("/tasks", tasks)
    web_ui.install(app, build)
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as opened:
        yield opened


async def test_every_page_is_the_same_file_with_a_strict_policy(client: httpx.AsyncClient) -> None:
    for path in ("/", "/inbox", "/tasks", "/tasks/1/steps/a", "/agents/new", "/chat/1"):
        answer = await client.get(path, headers=_HTML)
        assert answer.status_code == 200, path
        assert "<title>UI</title>" in answer.text
        assert answer.headers["cache-control"] == "no-cache"
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"


async def test_who_does_not_want_html_gets_the_api(client: httpx.AsyncClient) -> None:
    assert (await client.get("/tasks")).json() == {"tasks": []}
    assert (await client.get("/tasks", headers=_HTML)).headers["vary"] == "Accept, Accept-Encoding"


async def test_an_address_where_nothing_is_gets_the_ui_for_people_and_json_for_programs(
    client: httpx.AsyncClient,
) -> None:
    for path, headers, has_page in (
        ("/nowhere", _HTML, True),
        ("/nowhere", {}, False),
        ("/api/nowhere", _HTML, False),
    ):
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 404
        assert ("<title>UI</title>" in answer.text) is has_page
        assert ("content-security-policy" in answer.headers) is has_page
    assert (await client.post("/nowhere", headers=_HTML)).json() == {"detail": "Not Found"}


async def test_files_are_kept_for_ever_and_come_compressed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/ui/index-AbCd1234.js", headers={"Accept-Encoding": "gzip"})
    assert answer.text == "export const a = 1;"
    assert answer.headers["content-encoding"] == "gzip"
    assert "javascript" in answer.headers["content-type"]
    assert "immutable" in answer.headers["cache-control"]
    plain = await client.get("/ui/index-AbCd1234.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    again = {"Accept-Encoding": "identity", "If-None-Match": plain.headers["etag"]}
    assert (await client.get("/ui/index-AbCd1234.js", headers=again)).status_code == 304
    assert (await client.get("/ui/theme.js")).headers["cache-control"] == "no-cache"


async def test_a_file_that_is_known_is_not_sent_again_in_another_form(client: httpx.AsyncClient, build: Path) -> None:
    path = build / "ui" / "index-AbCd1234.js.gz"
    later = path.stat().st_mtime + 60
    os.utime(path, (later, later))
    plain = await client.get("/ui/index-AbCd1234.js", headers={"Accept-Encoding": "identity"})
    known = {"Accept-Encoding": "gzip", "If-Modified-Since": plain.headers["last-modified"]}
    again = await client.get("/ui/index-AbCd1234.js", headers=known)
    assert again.status_code == 304
    assert "content-encoding" not in again.headers


async def test_nothing_outside_the_build_is_served(client: httpx.AsyncClient) -> None:
    for path in ("/ui/../../secret.txt", "/ui/%2e%2e/%2e%2e/secret.txt", "/ui/..%2f..%2fsecret.txt", "/ui/nothing.js"):
        assert (await client.get(path, headers=_HTML)).status_code == 404, path


async def test_without_a_build_the_start_says_how_to_get_one(tmp_path: Path) -> None:
    app = FastAPI()
    web_ui.install(app, tmp_path / "nothing")
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/", headers=_HTML)
        assert answer.status_code == 200
        assert "make ui" in answer.text


async def test_a2a_is_served_at_the_addresses_of_pages(tmp_path: Path) -> None:
    async with federation(tmp_path) as running:
        version = {"A2A-Version": "1.0"}
        assert (await running.client.get("/tasks", headers=version)).headers["content-type"].startswith("application/")
        assert (await running.client.get("/tasks", headers=_HTML)).headers["content-type"].startswith("text/html")
