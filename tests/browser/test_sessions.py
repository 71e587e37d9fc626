"""Sessions are seen live by many, taken over by one, and kept afterwards without a secret."""

import asyncio
import io
import json
import logging
import zipfile
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from playwright.async_api import CDPSession, Error
from pydantic import JsonValue
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from browser_service import main, redaction, request_filter, screencast
from browser_service.kept_sessions import KeptSessions
from shared.agent import JsonObject, OpenAgent
from shared.browser_sessions import SessionInfo
from shared.errors import AddressRefusedError, FederationError, InvalidRequestError
from tests.browser import live_page
from tests.browser.conftest import Answered, ask, make_settings
from tests.support.serving import serve

SECRET = 's3cret/"Ünï+wörd&<x>'


@dataclass
class Place:
    """A running browser service, its agent, and a site."""

    url: str
    agent: OpenAgent
    site: str
    folder: Path
    http: httpx.AsyncClient

    async def sessions(self) -> list[JsonObject]:
        answer = await self.http.get("/v1/sessions")
        return answer.json()["items"]

    async def open_one(self) -> JsonObject:
        """Return the session that goes on, as soon as it shows the page that it was to open."""
        async with asyncio.timeout(20):
            while True:
                for session in await self.sessions():
                    if session["status"] == "open" and '"passed"' in json.dumps(session["steps"]):
                        return session
                await asyncio.sleep(0.02)

    async def kept_one(self) -> JsonObject:
        """Return the session that is over, as soon as it is written down."""
        async with asyncio.timeout(30):
            while True:
                for session in await self.sessions():
                    if session["expires_at"] is not None:
                        return session
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(folder: Path, port: int, **changes: object) -> AsyncGenerator[Place]:
    settings = make_settings(
        data_dir=folder, browser_port=port, federation_register=False, browser_action_timeout_s=20.0, **changes
    )
    app = main.create(settings)
    async with (
        serve(live_page.create()) as site,
        serve(app, port=port) as url,
        httpx.AsyncClient(base_url=url, timeout=30) as http,
    ):
        yield Place(url, app.state.automation.agent, site, folder, http)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    tmp_path_factory: pytest.TempPathFactory, unused_tcp_port_factory: Callable[[], int]
) -> AsyncGenerator[Place]:
    async with running(tmp_path_factory.mktemp("sessions"), unused_tcp_port_factory()) as place:
        yield place


@pytest_asyncio.fixture(loop_scope="module")
async def place(service: Place) -> Place:
    """The service, with nothing kept of earlier tests."""
    async with asyncio.timeout(30):
        while sessions := await service.sessions():
            for session in sessions:
                await service.http.delete(f"/v1/sessions/{session['id']}")  # 409 while it is written down
            await asyncio.sleep(0.02)
    return service


@pytest.mark.asyncio(loop_scope="module")
async def test_many_watch_a_session_and_each_gets_the_latest_frame_when_it_has_room(place: Place) -> None:
    task = asyncio.create_task(ask(place.agent, f"open {place.site}/, wait for 'Pressed by' and get the heading"))
    session = await place.open_one()
    address = f"{place.url.replace('http', 'ws')}/v1/sessions/{session['id']}/live"
    async with connect(address) as one, connect(address) as two, connect(address) as slow:
        for viewer in (one, two):
            frames = [await next_frame(viewer) for _ in range(3)]
            assert all(Image.open(io.BytesIO(frame)).format == "JPEG" for frame in frames)
            assert len(set(frames)) == 3
        first = await next_frame(slow, acknowledge=False)
        with pytest.raises(TimeoutError):  # nothing more comes until it is acknowledged
            async with asyncio.timeout(0.6):
                await next_frame(slow)
        await slow.send('{"type": "ack"}')
        assert await next_frame(slow) != first
        token = (await place.http.post(f"/v1/sessions/{session['id']}/control")).json()["token"]
        await press(one, token)
        control = f"/v1/sessions/{session['id']}/control"
        assert (await place.http.delete(control, headers={"X-Control-Token": token})).status_code == 204
        assert (await task).text == "Pressed by a person"
        assert (await messages_until(two, "closed"))[-2]["session"]["status"] == "closed"  # pyright: ignore[reportIndexIssue, reportCallIssue, reportArgumentType, reportOptionalSubscript]
    with pytest.raises(ConnectionClosed):
        async with connect(address) as late:
            await late.recv()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_session_is_shown_though_its_page_refused_at_first(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = 2

    async def send(cdp: CDPSession, method: str, params: JsonObject | None = None) -> None:
        nonlocal refusals
        if method == "Page.startScreencast" and refusals:
            refusals -= 1
            raise Error("Not attached to an active page")  # as Chromium says of a page between two documents
        await request_filter.send(cdp, method, params)

    monkeypatch.setattr(screencast, "send", send)
    task = asyncio.create_task(ask(place.agent, f"open {place.site}/, wait for 'Pressed by' and get the heading"))
    session = await place.open_one()
    async with connect(f"{place.url.replace('http', 'ws')}/v1/sessions/{session['id']}/live") as viewer:
        await next_frame(viewer)
        assert refusals == 0
        token = (await place.http.post(f"/v1/sessions/{session['id']}/control")).json()["token"]
        await press(viewer, token)
        await place.http.delete(f"/v1/sessions/{session['id']}/control", headers={"X-Control-Token": token})
        await task


@pytest.mark.asyncio(loop_scope="module")
async def test_the_film_is_kept_though_the_trace_did_not_begin_in_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("browser_service.sessions._TRACE_S", 0.0)
    await ask(place.agent, f"open {place.site}/login and get the heading")
    session = await place.kept_one()
    assert session["trace"] is None
    assert session["recording"] is not None


@pytest.mark.asyncio(loop_scope="module")
async def test_one_person_takes_over_and_the_task_waits_until_it_is_handed_back(place: Place) -> None:
    text = f"open {place.site}/, wait for 'Pressed by a person', press Tab and get the heading"
    task = asyncio.create_task(ask(place.agent, text))
    session = await place.open_one()
    control = f"/v1/sessions/{session['id']}/control"
    token = (await place.http.post(control)).json()["token"]
    assert (await place.http.post(control)).status_code == 409
    assert (await place.http.delete(control, headers={"X-Control-Token": "wrong"})).status_code == 403
    address = f"{place.url.replace('http', 'ws')}/v1/sessions/{session['id']}/live"
    async with connect(address) as viewer:
        await viewer.send(json.dumps({"type": "mouse", "action": "down", "x": 10, "y": 10}))
        assert "control" in str((await messages_until(viewer, "refused"))[-1]["detail"])
        for strange in ("not JSON", b"no text"):
            await viewer.send(strange)
            assert "not understood" in str((await messages_until(viewer, "refused"))[-1]["detail"])
        await viewer.send(json.dumps({"type": "control", "token": token}))
        for message in (
            {"type": "mouse", "action": "down", "x": 450, "y": 60},
            {"type": "mouse", "action": "up", "x": 450, "y": 60},
            {"type": "text", "text": "by hand"},
            {"type": "key", "action": "down", "key": "!"},
            {"type": "key", "action": "up", "key": "!"},
        ):
            await viewer.send(json.dumps(message))
        await press(viewer, token)
        held = (await place.http.get(f"/v1/sessions/{session['id']}")).json()
        assert (held["status"], held["held"], task.done()) == ("open", True, False)
        assert (await place.http.delete(control, headers={"X-Control-Token": token})).status_code == 204
    assert (await task).text == "Pressed by a person"


@pytest.mark.asyncio(loop_scope="module")
async def test_what_a_session_did_is_kept_and_no_secret_is_in_it(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    goal = f"enter 'ada' in User, enter `{SECRET}` in Password, click Enter and verify the heading says Inside"
    answered = await ask(
        place.agent, "Test it", "verify-page", {"page_test": {"url": f"{place.site}/login", "goal": goal}}
    )
    assert answered.data["result"]["passed"] is True, answered.text  # pyright: ignore[reportIndexIssue, reportCallIssue, reportArgumentType, reportOptionalSubscript]
    session = await place.kept_one()
    base = f"/v1/sessions/{session['id']}"
    steps = cast("list[JsonObject]", session["steps"])
    assert [step["status"] for step in steps] == ["passed"] * 5
    for step in steps:
        picture = await place.http.get(f"{base}/thumbnails/{step['number']}")
        assert Image.open(io.BytesIO(picture.content)).size == (320, 200)
    film = await place.http.get(f"{base}/recording")
    assert film.headers["content-type"] in {"image/webp", "video/webm"}
    if film.headers["content-type"] == "image/webp":
        assert getattr(Image.open(io.BytesIO(film.content)), "n_frames", 1) > 1
    trace = zipfile.ZipFile(io.BytesIO((await place.http.get(f"{base}/trace")).content))
    assert any(name.endswith(".trace") for name in trace.namelist())
    assert any(b"Inside" in trace.read(name) for name in trace.namelist())
    found = [where for where, content in everything(place.folder / "browser") if is_told(content)]
    assert found == []
    logged = [record for record in caplog.records if "GET /in?" not in record.getMessage()]  # the site's own log
    assert not is_told("\n".join(record.getMessage() + str(record.__dict__) for record in logged).encode())
    assert not is_told("\n".join(answered.progress).encode())
    assert not is_told((await place.http.get(base)).content)
    assert (await place.http.delete(base)).status_code == 204
    assert (await place.http.get(f"{base}/trace")).status_code == 404
    assert list((place.folder / "browser" / "recordings").iterdir()) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_credential_is_filled_in_by_the_service_on_its_own_pages_only_and_nobody_sees_it(place: Place) -> None:
    put = await place.http.put("/v1/credentials/shop", json={"secret": SECRET, "origins": [place.site]})
    assert put.status_code == 200
    other = {"secret": SECRET, "origins": ["https://elsewhere.example"]}
    await place.http.put("/v1/credentials/other", json=other)
    assert (await place.http.put("/v1/credentials/x", json={"secret": "s", "origins": ["nowhere"]})).status_code == 422
    fill: JsonObject = {"do": "fill", "target": "User", "credential": "shop"}
    asked: list[JsonObject] = [{"do": "navigate", "url": f"{place.site}/login"}, fill]
    read: JsonObject = {"do": "extract", "what": "text"}
    answered = await ask(place.agent, "log in", data=actions([*asked, read], "shop"))
    session = await place.kept_one()
    for refused in ([*asked], [asked[0], {**fill, "credential": "other"}]):
        with pytest.raises(FederationError, match="credential"):
            await ask(place.agent, "log in", data=actions(refused, "other"))
    told = [answered.text, json.dumps(answered.data), *answered.progress, json.dumps(session)]
    told += [(await place.http.get("/v1/credentials")).text, (await place.http.get("/v1/sessions")).text]
    assert not is_told("\n".join(told).encode())
    assert [where for where, content in everything(place.folder / "browser") if is_told(content)] == []
    assert (await place.http.delete("/v1/credentials/shop")).status_code == 204
    assert (await place.http.delete("/v1/credentials/shop")).status_code == 404


@pytest.mark.asyncio(loop_scope="module")
async def test_a_session_reaches_only_what_its_request_lets_it(place: Place) -> None:
    lists: list[JsonObject] = [{"deny": ["127.0.0.1"]}, {"allow": ["*.shop.example"]}]
    for session in lists:
        with pytest.raises(AddressRefusedError, match="list"):
            await ask(place.agent, f"open {place.site}/login and get the heading", data={"session": session})
    allowed: JsonObject = {"session": {"allow": ["127.0.0.1"]}}
    answered = await ask(place.agent, f"open {place.site}/login and get the heading", data=allowed)
    assert answered.text == "Login"
    with pytest.raises(InvalidRequestError, match="session"):
        await ask(place.agent, f"open {place.site}/", data={"session": {"allow": ["http://x/"]}})


@pytest.mark.asyncio(loop_scope="module")
async def test_the_page_that_shows_a_session_loads_nothing_from_elsewhere(place: Place) -> None:
    await ask(place.agent, f"open {place.site}/login and get the heading")
    session = await place.kept_one()
    page = await place.http.get(f"/v1/sessions/{session['id']}/view")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in page.text.replace("http://", "http:") or "src=" not in page.text
    viewer = await place.http.get("/v1/trace-viewer/index.html")
    assert "<title>Playwright Trace Viewer</title>" in viewer.text
    for path in ("../package.json", "%2e%2e/package.json", "nothing.js"):
        assert (await place.http.get(f"/v1/trace-viewer/{path}")).status_code == 404
    assert (await place.http.get("/v1/sessions/none")).status_code == 404
    assert (await place.http.get("/v1/sessions/none/view")).status_code == 404


@pytest.mark.parametrize(("recording", "kept"), [("steps", True), ("none", False)])
@pytest.mark.asyncio(loop_scope="module")
async def test_less_is_kept_when_that_is_wanted(
    tmp_path: Path, unused_tcp_port: int, recording: str, kept: bool
) -> None:
    async with running(tmp_path, unused_tcp_port, browser_recording=recording) as place:
        await ask(place.agent, f"open {place.site}/login and get the heading")
        if kept:
            session = await place.kept_one()
            assert (session["recording"], session["trace"]) == (None, None)
        else:
            assert await place.sessions() == []


def test_what_is_old_or_too_much_is_removed_the_oldest_first(tmp_path: Path) -> None:
    kept = KeptSessions(make_settings(data_dir=tmp_path, browser_recordings_max_bytes=2_500))
    for name in ("a", "b", "c"):
        (kept.folder(name) / "film").write_bytes(b"x" * 900)
        info = SessionInfo(id=name, remote_task_id="t", opened_at=datetime.now(UTC))
        kept.keep(info)
    assert [info.id for info in kept.list()] == ["c", "b"]
    old = kept.find("b").model_copy(update={"expires_at": datetime.now(UTC) - timedelta(hours=1)})
    (kept.folder("b") / "session.json").write_text(old.model_dump_json())
    kept.folder("died")
    kept.make_room()
    kept.remove_unfinished()
    assert sorted(path.name for path in (tmp_path / "browser" / "recordings").iterdir()) == ["c"]


@given(st.text(min_size=4, max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_a_secret_is_taken_out_in_whatever_way_it_is_written(secret: str, before: str, after: str) -> None:
    text = before + secret + after
    for written in (text, json.dumps(text), json.dumps(json.dumps(text))):
        assert secret not in redaction.redact(written, {secret}) or secret in redaction.INSTEAD
    assert redaction.redact(before, {secret}) == before or secret in before or len(before) >= len(secret)


def actions(todo: Sequence[JsonObject], *credentials: str) -> JsonObject:
    """Return a request of these actions, in a session that may use these credentials."""
    return {"actions": list[JsonValue](todo), "session": {"credentials": list[JsonValue](credentials)}}


async def next_frame(viewer: ClientConnection, *, acknowledge: bool = True) -> bytes:
    """Return the next frame."""
    async with asyncio.timeout(20):
        while True:
            message = await viewer.recv()
            if isinstance(message, bytes):
                if acknowledge:
                    await viewer.send('{"type": "ack"}')
                return message


async def messages_until(viewer: ClientConnection, kind: str) -> list[JsonObject]:
    """Return the text messages up to one of this kind."""
    found: list[JsonObject] = []
    async with asyncio.timeout(30):
        while not found or found[-1]["type"] != kind:
            message = await viewer.recv()
            if isinstance(message, str):
                found.append(json.loads(message))
            else:
                with suppress(ConnectionClosed):  # it may be the last
                    await viewer.send('{"type": "ack"}')
    return found


async def press(viewer: ClientConnection, token: str) -> None:
    """Press the page's button by hand."""
    await viewer.send(json.dumps({"type": "control", "token": token}))
    for action in ("move", "down", "up"):
        await viewer.send(json.dumps({"type": "mouse", "action": action, "x": 100, "y": 100}))
    await viewer.send("and then")  # what is not understood is answered in its turn: all before it is done by then
    await messages_until(viewer, "refused")


def everything(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every byte of everything that is kept, the members of archives too."""
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        yield str(path), path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield f"{path}:{name}", name.encode() + archive.read(name)


def is_told(content: bytes) -> bool:
    """Tell whether a part of the secret that stands nowhere else is in the content."""
    return any(part in content for part in (b"s3cret", b"s3cret".hex().encode()))


def test_the_search_for_secrets_finds_one() -> None:
    assert is_told(f"a {SECRET} b".encode())
    assert isinstance(Answered().progress, list)
