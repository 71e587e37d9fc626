"""What every service answers at its front door, and how a service starts, logs and stops."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from pydantic import BaseModel, Field
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from shared import front_door, service, telemetry
from shared.agent import JsonObject
from shared.errors import UnavailableError
from tests.shared.scripted_agent import Settings, build_settings
from tests.support.serving import serve

_MAX_BYTES = 10_000


class _Order(BaseModel):
    name: str = Field(min_length=1)
    sizes: list[int] = []


@pytest.fixture
def lacks() -> list[str]:
    return []


@pytest.fixture
async def door(tmp_path: Path, lacks: list[str]) -> AsyncGenerator[httpx.AsyncClient]:
    settings = build_settings(tmp_path, max_body_bytes=_MAX_BYTES, api_agent_url="http://agents.example:8002")
    app = _build_app(settings, lacks)
    async with serve(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield client


def _build_app(settings: Settings, lacks: list[str]) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        yield

    app = service.create_app(
        settings, "api", "Test", "A test.", lifespan, problems=lambda: lacks, origins=["http://ui.example"]
    )

    @app.post("/orders")
    async def order(body: _Order, limit: int = 1) -> JsonObject:  # pyright: ignore[reportUnusedFunction]
        return {"name": body.name, "limit": limit}

    @app.get("/foreseen")
    async def fail() -> None:  # pyright: ignore[reportUnusedFunction]
        raise UnavailableError("The cupboard is bare; come back later.", cupboard=1)

    @app.get("/unforeseen")
    async def crash() -> None:  # pyright: ignore[reportUnusedFunction]
        raise ZeroDivisionError("secret detail")

    @app.get("/trace")
    async def trace() -> JsonObject:  # pyright: ignore[reportUnusedFunction]
        return {"trace_id": telemetry.trace_id()}

    @app.websocket("/socket")
    async def talk(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    return app


async def test_health_is_degraded_while_something_is_missing(door: httpx.AsyncClient, lacks: list[str]) -> None:
    assert (await door.get("/health")).json()["status"] == "ok"
    lacks.append("Chromium is missing; run `playwright install chromium`.")
    response = await door.get("/health")
    assert response.status_code == 200
    health = response.json()
    assert (health["status"], health["problems"]) == ("degraded", lacks)
    assert set(health) >= {"version", "instance"}


async def test_a_wrong_body_is_told_field_by_field(door: httpx.AsyncClient) -> None:
    response = await door.post("/orders?limit=x", json={"name": "", "sizes": [1, "big"]})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert {"type", "title", "status", "detail"} <= set(found)
    assert {fault["pointer"] for fault in found["errors"]} == {"query/limit", "#/name", "#/sizes/1"}
    assert all(fault["detail"] for fault in found["errors"])


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 9_000])
async def test_a_body_that_is_not_json_is_a_problem(door: httpx.AsyncClient, body: bytes) -> None:
    response = await door.post("/orders", content=body, headers={"content-type": "application/json"})
    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"


async def test_unknown_paths_and_methods_are_problems(door: httpx.AsyncClient) -> None:
    missing, wrong = await door.get("/nothing"), await door.delete("/orders")
    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert missing.json()["detail"] == "There is nothing at /nothing. /docs lists what there is."
    assert wrong.headers["allow"] == "POST"
    assert wrong.json()["status"] == 405


async def test_a_foreseen_failure_is_its_problem(door: httpx.AsyncClient) -> None:
    response = await door.get("/foreseen")
    assert response.status_code == 503
    assert response.json() == {
        "type": "urn:agent-federation:error:unavailable",
        "title": "Not available now",
        "status": 503,
        "detail": "The cupboard is bare; come back later.",
        "cupboard": 1,
    }


async def test_an_unforeseen_failure_says_nothing_of_itself_and_is_logged(
    door: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = await door.get("/unforeseen", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    assert response.status_code == 500
    assert "secret detail" not in response.text
    assert response.json()["trace_id"] == "ab" * 16
    assert response.headers["traceparent"].startswith(f"00-{'ab' * 16}-")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "ZeroDivisionError: secret detail" in caplog.text


async def test_a_body_over_the_limit_is_refused_whether_announced_or_streamed(door: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        for _ in range(30):
            yield b" " * 1_000

    content: list[bytes | AsyncGenerator[bytes]] = [b" " * (_MAX_BYTES + 1), pieces()]
    for body in content:
        response = await door.post("/orders", content=body, headers={"content-type": "application/json"})
        assert response.status_code == 413
        assert "MAX_BODY_BYTES" in response.json()["detail"]
    name = "x" * (_MAX_BYTES - 11)
    fitting = await door.post("/orders", content=f'{{"name":"{name}"}}', headers={"content-type": "application/json"})
    assert fitting.status_code == 200


async def test_an_endless_body_is_cut_off(door: httpx.AsyncClient) -> None:
    async def endless() -> AsyncGenerator[bytes]:
        while True:
            yield b" " * 1_000

    with contextlib.suppress(httpx.TransportError):
        response = await door.post("/orders", content=endless())
        assert response.status_code == 413


@pytest.mark.parametrize("pieces", [(), (b"{", b"}")])
async def test_a_body_that_does_not_come_in_time_is_given_up(
    door: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, pieces: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(front_door, "_BODY_S", 0.2)
    head = b"POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    answer = await _say(door.base_url.port or 0, head, *pieces)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"urn:agent-federation:error:body-slow" in answer
    assert (await door.post("/orders", json={"name": "x"})).status_code == 200


async def test_a_compressed_body_is_refused(door: httpx.AsyncClient) -> None:
    response = await door.post("/orders", content=b"x", headers={"content-encoding": "gzip"})
    assert response.status_code == 415
    assert response.json()["detail"] == "Send the body without Content-Encoding."


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:1234", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("agents.example", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("", 421),
    ],
)
async def test_only_this_services_hosts_are_answered(door: httpx.AsyncClient, host: str, status: int) -> None:
    assert (await door.get("/health", headers={"host": host})).status_code == status


async def test_any_host_is_answered_by_a_service_that_is_not_bound_to_loopback(tmp_path: Path) -> None:
    app = _build_app(build_settings(tmp_path, federation_host="0.0.0.0"), [])
    async with serve(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get("/health", headers={"host": "public.example"})).status_code == 200


async def test_a_service_that_is_open_to_the_network_answers_only_the_hosts_that_are_named(tmp_path: Path) -> None:
    app = _build_app(build_settings(tmp_path, federation_host="0.0.0.0", federation_hosts="public.example"), [])
    async with serve(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for host, status in (("public.example:8000", 200), ("localhost", 200), ("evil.example", 421)):
            assert (await client.get("/health", headers={"host": host})).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("SELF", 200),
        ("http://ui.example", 200),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
async def test_pages_of_other_origins_cannot_change_anything(door: httpx.AsyncClient, origin: str, status: int) -> None:
    own = str(door.base_url).rstrip("/")
    headers = {"origin": own if origin == "SELF" else origin}
    assert (await door.post("/orders", json={"name": "x"}, headers=headers)).status_code == status
    assert (await door.get("/health", headers=headers)).status_code == 200
    url = own.replace("http", "ws", 1) + "/socket"
    if status == 200:
        async with connect(url, additional_headers=headers) as talk:
            assert await talk.recv() == "hello"
    else:
        with pytest.raises(InvalidStatus):
            await connect(url, additional_headers=headers)


@pytest.mark.parametrize(
    ("body", "more", "status"), [(b"x" * 2 * _MAX_BYTES, {}, 413), (b"x", {"content-encoding": "gzip"}, 415)]
)
async def test_the_known_origin_may_read_why_its_body_was_refused(
    door: httpx.AsyncClient, body: bytes, more: dict[str, str], status: int
) -> None:
    refused = await door.post("/orders", content=body, headers={"origin": "http://ui.example", **more})
    assert refused.status_code == status
    assert refused.headers["access-control-allow-origin"] == "http://ui.example"


async def test_only_the_known_origin_may_read_from_a_browser(door: httpx.AsyncClient) -> None:
    preflight = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    known = await door.options("/orders", headers={"origin": "http://ui.example", **preflight})
    assert known.headers["access-control-allow-origin"] == "http://ui.example"
    other = await door.options("/orders", headers={"origin": "http://evil.example", **preflight})
    assert "access-control-allow-origin" not in other.headers


async def test_a_trace_is_continued_and_a_wrong_one_replaced(door: httpx.AsyncClient) -> None:
    response = await door.get("/trace", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    assert response.json() == {"trace_id": "ab" * 16}
    assert response.headers["traceparent"].startswith(f"00-{'ab' * 16}-")
    assert "cd" * 8 not in response.headers["traceparent"]
    for given, passed_on in (("00", "00"), ("03", "03"), ("fe", "02")):
        response = await door.get("/trace", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-{given}"})
        assert response.headers["traceparent"].endswith(f"-{passed_on}")
    fresh = await door.get("/trace", headers={"traceparent": f"00-{'0' * 32}-{'cd' * 8}-01"})
    assert fresh.json()["trace_id"] != "0" * 32
    assert len(fresh.json()["trace_id"]) == 32


async def test_a_taken_port_is_one_line_that_names_port_and_setting(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = await _start(tmp_path, port)
        _, errors = await process.communicate()
    assert process.returncode == 1
    sentence = f"Port {port} on 127.0.0.1 is taken. Stop what uses it, or set API_AGENT_PORT to another port."
    assert errors.decode() == f"api: {sentence}\n"


async def test_a_foreseen_failure_to_start_is_its_sentence_without_a_stack(tmp_path: Path) -> None:
    process = await _start(tmp_path, build_settings(tmp_path).port_of("api"), "broken")
    _, errors = await process.communicate()
    assert process.returncode == os.EX_CONFIG  # another start cannot help
    messages = [json.loads(line)["message"] for line in errors.splitlines()]
    assert messages[0] == "Chromium is missing; install it."
    assert b"Traceback" not in errors


async def test_a_service_that_waits_for_its_database_stops_as_soon_as_it_is_told_to(tmp_path: Path) -> None:
    settings = build_settings(tmp_path)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api_agent_service.main"),
            env={
                **os.environ,
                "DATA_DIR": str(tmp_path),
                "API_AGENT_PORT": str(settings.port_of("api")),
                "DATABASE_URL": f"postgresql://someone@127.0.0.1:{nobody.getsockname()[1]}/x",
                "LOG_FORMAT": "json",
            },
            stderr=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert process.stderr
        async with asyncio.timeout(30):
            while b"the service waits for its database" not in await process.stderr.readline():
                pass
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert b"It was told to stop before it was up." in errors
    assert b"The database cannot be used" not in errors
    assert b"Traceback" not in errors


async def test_logs_are_json_lines_with_ids_and_without_secrets_and_a_stop_is_clean(tmp_path: Path) -> None:
    settings = build_settings(tmp_path)
    process = await _start(tmp_path, settings.port_of("api"))
    said = "line\nbreak \x1b[31mred \u202eevil"
    async with httpx.AsyncClient(base_url=settings.url_of("api"), trust_env=False) as client:
        await _until_up(client)
        await client.get("/log", params={"text": said}, headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    process.send_signal(signal.SIGTERM)
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode in {0, -signal.SIGTERM}
    lines = [cast("JsonObject", json.loads(line)) for line in errors.splitlines()]
    [line] = [line for line in lines if line["message"] == "said"]
    assert {"time", "level", "logger"} <= set(line)
    assert (line["service"], line["task_id"], line["step_id"], line["trace_id"]) == ("api", "T1", "S1", "ab" * 16)
    assert (line["api_key"], line["key"], line["count"]) == ("[hidden]", "[hidden]", 3)
    assert line["said"] == "line\nbreak [31mred evil"
    [warning] = [line for line in lines if line["level"] == "warning"]
    assert warning["message"] == "Authorization: [hidden] was sent to http://[hidden]@127.0.0.1/"
    assert lines[-1]["message"] == "service is down"


async def test_a_head_without_end_is_refused_and_others_are_answered(tmp_path: Path) -> None:
    settings = build_settings(tmp_path)
    port = settings.port_of("api")
    process = await _start(tmp_path, port)
    begin = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n".encode()
    many = (begin + b"X-Short: 1\r\n" * 6_000)[:65_536]
    async with httpx.AsyncClient(base_url=settings.url_of("api"), trust_env=False) as client:
        await _until_up(client)
        long = await _say(port, begin + b"X-Long: " + b"x" * 60_000 + b"\r\n\r\n")
        endless = [await _say(port, head, b"x") for head in (many, begin + b"X-Long: " + b"x" * (65_528 - len(begin)))]
        assert (await client.get("/health")).status_code == 200
    process.send_signal(signal.SIGTERM)
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert long.startswith(b"HTTP/1.1 200 ")
    assert [answer[:13] for answer in endless] == [b"HTTP/1.1 431 "] * 2
    assert errors.count(b"its head is larger than 65536 bytes") == 2


@pytest.mark.parametrize(
    "begin", [b"", b"GET /health HTTP/1.1\r\nHost: ", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET"]
)
async def test_a_head_that_does_not_come_is_given_up(tmp_path: Path, begin: bytes) -> None:
    port = build_settings(tmp_path).port_of("api")
    process = await _start(tmp_path, port, "hasty")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        await _until_up(client)
    assert (await _say(port, begin)).count(b"HTTP/1.1 200 ") == begin.count(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1")
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 20)


async def test_a_service_leaves_what_it_made_at_its_start_to_itself_and_still_looks_for_garbage(tmp_path: Path) -> None:
    settings = build_settings(tmp_path)
    process = await _start(tmp_path, settings.port_of("api"))
    async with httpx.AsyncClient(base_url=settings.url_of("api"), trust_env=False) as client:
        await _until_up(client)
        found = (await client.get("/garbage")).json()
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 20)
    assert found["left_alone"] > 50_000  # its modules alone are more
    assert 700 < found["looks_after"] < 1_000_000


async def _start(data_dir: Path, port: int, mode: str = "well") -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.shared.served_process", str(data_dir), str(port), mode),
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


async def _say(port: int, *pieces: bytes) -> bytes:
    """Send the pieces over one connection, and return what comes until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


async def _until_up(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await client.get("/health")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return
