"""Browser sessions through the orchestrator: for whoever may see their task, live and afterwards; for nobody else."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from pydantic import JsonValue
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from browser_service import main
from shared.agent import JsonObject
from tests.browser import live_page
from tests.browser.conftest import make_settings
from tests.support.federation import federation, step, until
from tests.support.serving import serve


async def test_a_session_is_seen_taken_over_and_kept_for_whoever_has_its_task(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    settings = make_settings(
        data_dir=tmp_path / "browser", browser_port=unused_tcp_port, federation_register=False,
        browser_action_timeout_s=20.0,
    )  # fmt: skip
    async with (
        serve(live_page.create()) as site,
        serve(main.create(settings), port=unused_tcp_port) as browser,
        federation(tmp_path, browser_port=unused_tcp_port) as running,
        httpx.AsyncClient(base_url=browser, timeout=60) as direct,
    ):
        await running.post("/api/agents", {"endpoint": browser}, 201)
        words = f"open {site}/, wait for 'Pressed by a person' and get the heading"
        task = await running.run(step("look", words, skill="browse"), wait_s=None)

        async def mine() -> JsonObject:
            return await running.get("/api/browser/sessions", params={"task_id": str(task["id"])})

        found = await until(mine, lambda sessions: '"passed"' in json.dumps(sessions["items"]))  # the page is open
        [session] = objects(found["items"])
        assert (session["task_id"], session["step_id"], session["status"]) == (task["id"], "look", "open")
        path = f"/api/browser/sessions/{session['id']}"
        token = (await running.post(f"{path}/control"))["token"]
        await running.post(f"{path}/control", None, 409)
        async with connect(f"{running.url.replace('http', 'ws')}{path}/live") as viewer:
            await viewer.send(json.dumps({"type": "control", "token": token}))
            for action in ("move", "down", "up"):
                await viewer.send(json.dumps({"type": "mouse", "action": action, "x": 100, "y": 100}))
            await viewer.send(b"no text")
            kinds: set[str] = set()
            async with asyncio.timeout(30):
                while not kinds >= {"frame", "session", "refused"}:
                    message = await viewer.recv()
                    kinds.add("frame" if isinstance(message, bytes) else json.loads(message)["type"])
            handed_back = await running.client.delete(f"{path}/control", headers={"X-Control-Token": str(token)})
            assert handed_back.status_code == 204
        done = await running.task_when(task, lambda now: now["status"] == "completed")
        assert "Pressed by a person" in str(done["result"])
        await until(lambda: running.get(path), lambda now: now["expires_at"] is not None)
        for kept, media_type in (("thumbnails/1", "image/webp"), ("trace", "application/zip"), ("recording", "")):
            answer = await running.client.get(f"{path}/{kept}")
            assert answer.status_code == 200, kept
            assert answer.headers["content-type"].startswith(media_type)
            assert answer.content == (await direct.get(f"/v1/sessions/{session['id']}/{kept}")).content
        page = await running.client.get(f"{path}/view")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        viewer_page = await running.client.get("/api/browser/trace-viewer/index.html")
        assert "Playwright Trace Viewer" in viewer_page.text
        policy = viewer_page.headers["content-security-policy"]
        assert "frame-ancestors 'self'" in policy  # it shows what the page sends it that holds its window
        assert viewer_page.headers["cross-origin-opener-policy"] == "same-origin"
        assert {"connect-src 'self'", "script-src 'self'"} <= set(policy.split("; "))
        for address, status in (
            (f"{running.url}{path}/trace", 200),
            (f"/api/tasks/{task['id']}/artifacts/a", 404),
            ("data:application/zip;base64,UEsFBg==", 404),
        ):
            shown = await running.client.get("/api/browser/trace-viewer/index.html", params={"trace": address})
            assert shown.status_code == status, address
        run = (await direct.post("/v1/automation/run", json={"url": f"{site}/login", "goal": "get the title"})).json()
        assert run["status"] == "COMPLETED"
        assert len((await direct.get("/v1/sessions")).json()["items"]) == 2
        [only] = objects((await running.get("/api/browser/sessions"))["items"])  # that of no task is nobody's
        assert only["id"] == session["id"]
        other = next(
            item["id"] for item in (await direct.get("/v1/sessions")).json()["items"] if item["id"] != session["id"]
        )
        for hidden in (other, "none"):
            for below in ("", "/trace", "/view", "/thumbnails/1"):
                await running.get(f"/api/browser/sessions/{hidden}{below}", 404)
                for way_out in ("..%2F", "a%2F..%2F..%2F", "%2e%2e/"):
                    await running.get(f"/api/browser/trace-viewer/{way_out}sessions%2F{hidden}{below}", 404)
            async with connect(f"{running.url.replace('http', 'ws')}/api/browser/sessions/{hidden}/live") as late:
                with pytest.raises(ConnectionClosed, match="1008"):
                    await late.recv()
        assert (await running.client.delete(path)).status_code == 204
        assert (await running.get("/api/browser/sessions"))["items"] == []


async def test_without_a_browser_service_its_sessions_are_said_to_be_away(tmp_path: Path, unused_tcp_port: int) -> None:
    async with federation(tmp_path, browser_port=unused_tcp_port) as running:
        problem = await running.get("/api/browser/sessions", 503)
        assert "Cannot connect" in str(problem["detail"])


def objects(items: JsonValue) -> list[JsonObject]:
    assert isinstance(items, list)
    return [item for item in items if isinstance(item, dict)]
