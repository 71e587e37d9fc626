"""Push notifications of a served agent: whoever asked is told what becomes of the task, even if it takes a while."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import Connection, select, update
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared import secret_key, webhooks
from shared.agent import JsonObject
from shared.agent_tables import EVENTS, NOTIFICATIONS, PUSH_CONFIGS
from shared.db import database_url, now, open_database
from tests.shared.scripted_agent import Caller, ScriptedAgent, Settings, serving, state_of, to_params
from tests.support.serving import serve


@dataclass
class Receiver:
    """A webhook's receiver, and what it was told. It answers with each of `statuses` in turn, then with 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list[int])
    told: list[tuple[Mapping[str, str], JsonObject]] = field(default_factory=list[tuple[Mapping[str, str], JsonObject]])
    bodies: list[bytes] = field(default_factory=list[bytes])

    async def take(self, request: Request) -> Response:
        """Note a notification."""
        self.bodies.append(await request.body())
        self.told.append((request.headers, json.loads(self.bodies[-1])))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 200)

    async def until(self, count: int) -> None:
        """Wait until so many notifications came."""
        async with asyncio.timeout(30):
            while len(self.told) < count:  # noqa: ASYNC110 - there is no event for a count
                await asyncio.sleep(0.02)

    def config(self, **more: object) -> JsonObject:
        """Return a config for this receiver."""
        return cast("JsonObject", {"url": f"{self.url}/hook", "token": "t0k3n", **more})


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with _receiving() as receiver:
        yield receiver


@asynccontextmanager
async def _receiving() -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    async with serve(Starlette(routes=[Route("/hook", receiver.take, methods=["POST"])])) as url:
        receiver.url = url
        yield receiver


async def _ask(caller: Caller, text: str, config: JsonObject, **message: str) -> JsonObject:
    configuration: JsonObject = {"returnImmediately": True, "taskPushNotificationConfig": config}
    params: JsonObject = {**to_params(text, **message), "configuration": configuration}
    return cast("JsonObject", (await caller.call("SendMessage", params))["task"])


async def test_whoever_asked_with_the_message_is_told_how_the_task_ended(
    stored_settings: Settings, receiver: Receiver
) -> None:
    async with serving(ScriptedAgent(), stored_settings) as caller:
        config = receiver.config(authentication={"scheme": "Bearer", "credentials": "s3cret"})
        task = await _ask(caller, "write", config)
        await receiver.until(2)
    (headers, first), (_, last) = receiver.told
    assert cast("JsonObject", first["artifactUpdate"])["lastChunk"] is True  # and no piece of it before
    assert state_of(cast("JsonObject", last["statusUpdate"])) == "COMPLETED"
    assert cast("JsonObject", last["statusUpdate"])["taskId"] == task["id"]
    assert headers["x-a2a-notification-token"] == "t0k3n"
    assert headers["authorization"] == "Bearer s3cret"
    assert headers["content-type"] == "application/a2a+json"
    key = secret_key.derive(secret_key.read(stored_settings), "webhooks")
    webhooks.verify(key, headers, receiver.bodies[0], now=now())
    assert receiver.told[0][0]["webhook-id"] != receiver.told[1][0]["webhook-id"]


async def test_a_question_and_that_it_was_answered_are_told_in_order(caller: Caller, receiver: Receiver) -> None:
    task = await _ask(caller, "ask", receiver.config())
    await caller.until(task, "INPUT_REQUIRED")
    await caller.send("blue", taskId=cast("str", task["id"]))
    await receiver.until(4)
    kinds = [next(iter(told)) for _, told in receiver.told]
    assert kinds == ["statusUpdate", "statusUpdate", "artifactUpdate", "statusUpdate"]
    states = [state_of(cast("JsonObject", told["statusUpdate"])) for _, told in receiver.told if "statusUpdate" in told]
    assert states == ["INPUT_REQUIRED", "WORKING", "COMPLETED"]


async def test_progress_and_cancel_tell_only_the_end(caller: Caller, agent: ScriptedAgent, receiver: Receiver) -> None:
    task = await _ask(caller, "wait", receiver.config())
    await agent.asked.wait()
    await caller.call("CancelTask", {"id": task["id"]})
    await receiver.until(1)
    [(_, told)] = receiver.told
    assert state_of(cast("JsonObject", told["statusUpdate"])) == "CANCELED"


async def test_a_notification_that_was_not_taken_comes_again_with_its_id_after_a_restart(
    stored_settings: Settings, receiver: Receiver
) -> None:
    receiver.statuses.append(503)
    async with serving(ScriptedAgent(), stored_settings) as caller:
        await _ask(caller, "hello", receiver.config())
        await receiver.until(1)
    async with serving(ScriptedAgent(), stored_settings):
        await receiver.until(3)
    ids = [headers["webhook-id"] for headers, _ in receiver.told]
    assert ids[0] == ids[1] != ids[2]
    assert receiver.told[0][1] == receiver.told[1][1]


async def test_a_notification_is_given_up_after_a_day(settings: Settings, receiver: Receiver) -> None:
    receiver.statuses.extend([500] * 9)
    async with serving(ScriptedAgent(), settings) as caller:
        await _ask(caller, "hello", receiver.config())
        await receiver.until(1)
    long_ago = now() - timedelta(days=2)

    def grow_old(connection: Connection) -> None:
        connection.execute(update(NOTIFICATIONS).values(created_at=long_ago, next_at=long_ago))

    def count(connection: Connection) -> int:
        return len(connection.execute(select(NOTIFICATIONS.c.id)).all())

    async with open_database(database_url(settings, "a2a-api")) as database:
        await database.write(grow_old)
        async with serving(ScriptedAgent(), settings):
            left = 2
            async with asyncio.timeout(30):
                while left:
                    await asyncio.sleep(0.05)
                    left = await database.read(count)
    assert len(receiver.told) == 3


async def test_a_notification_that_cannot_be_read_holds_up_no_other(settings: Settings, receiver: Receiver) -> None:
    receiver.statuses.append(503)
    async with serving(ScriptedAgent(), settings) as caller:
        spoilt = await _ask(caller, "hello", receiver.config())
        await receiver.until(1)

    def spoil(connection: Connection) -> None:
        connection.execute(update(EVENTS).values(event=b"\xff"))
        connection.execute(update(NOTIFICATIONS).values(next_at=now()))

    def left(connection: Connection) -> set[str]:
        return {row.task_id for row in connection.execute(select(NOTIFICATIONS.c.task_id))}

    async with open_database(database_url(settings, "a2a-api")) as database:
        await database.write(spoil)
        async with serving(ScriptedAgent(), settings) as caller:
            await _ask(caller, "hello", receiver.config())
            await receiver.until(3)
            found: set[str] = set()
            async with asyncio.timeout(30):
                while found != {str(spoilt["id"])}:
                    await asyncio.sleep(0.02)
                    found = await database.read(left)
    assert len({headers["webhook-id"] for headers, _ in receiver.told}) == len(receiver.told) == 3


async def test_a_receiver_that_is_gone_is_told_nothing_more(caller: Caller, receiver: Receiver) -> None:
    receiver.statuses.append(410)
    task = await _ask(caller, "ask", receiver.config())
    await receiver.until(1)
    configs: object = True
    async with asyncio.timeout(30):
        while configs:
            await asyncio.sleep(0.02)
            configs = (await caller.call("ListTaskPushNotificationConfigs", {"taskId": task["id"]})).get("configs")
    await caller.send("blue", taskId=cast("str", task["id"]))
    assert len(receiver.told) == 1


async def test_configs_are_kept_listed_and_deleted(caller: Caller, agent: ScriptedAgent, receiver: Receiver) -> None:
    task = await caller.send("wait", at_once=True)
    await agent.asked.wait()
    task_id = cast("str", task["id"])
    one = await caller.call("CreateTaskPushNotificationConfig", receiver.config(taskId=task_id, id="one"))
    assert one == receiver.config(taskId=task_id, id="one")
    other = await caller.http.post(f"/tasks/{task_id}/pushNotificationConfigs", json=receiver.config())
    assert other.json()["id"] == task_id
    changed = await caller.call("CreateTaskPushNotificationConfig", receiver.config(taskId=task_id, id="one", token=""))
    assert "token" not in changed
    names: JsonObject = {"taskId": task_id, "id": "one"}
    assert await caller.call("GetTaskPushNotificationConfig", names) == changed
    listed = cast("list[JsonObject]", (await caller.call("ListTaskPushNotificationConfigs", names))["configs"])
    assert [config["id"] for config in listed] == ["one", task_id]
    assert (await caller.rpc("DeleteTaskPushNotificationConfig", names))["result"] is None
    assert (await caller.refusal("GetTaskPushNotificationConfig", names))[0] == -32001
    agent.released.set()
    await receiver.until(2)
    assert len(receiver.told) == 2


async def test_configs_of_0_3_are_kept_and_told(caller: Caller, agent: ScriptedAgent, receiver: Receiver) -> None:
    task_id = (await caller.send("wait", at_once=True))["id"]

    async def call(method: str, params: JsonObject) -> JsonObject:
        body = {"jsonrpc": "2.0", "id": 1, "method": f"tasks/pushNotificationConfig/{method}", "params": params}
        return cast("JsonObject", (await caller.http.post("/", json=body)).json())

    wanted: JsonObject = {"url": f"{receiver.url}/hook", "token": "t0k3n", "id": "old"}
    made = await call("set", {"taskId": task_id, "pushNotificationConfig": wanted})
    assert made["result"] == {"taskId": task_id, "pushNotificationConfig": wanted}
    assert (await call("get", {"id": task_id, "pushNotificationConfigId": "old"}))["result"] == made["result"]
    assert (await call("list", {"id": task_id}))["result"] == [made["result"]]
    agent.released.set()
    await receiver.until(2)
    assert receiver.told[0][0]["x-a2a-notification-token"] == "t0k3n"
    assert "error" not in await call("delete", {"id": task_id, "pushNotificationConfigId": "old"})
    assert (await call("list", {"id": task_id}))["result"] == []


async def test_configs_of_0_3_are_created_over_http_as_the_js_sdk_does_it(caller: Caller, receiver: Receiver) -> None:
    task_id = (await caller.send("ask"))["id"]
    configs = f"/v1/tasks/{task_id}/pushNotificationConfigs"
    wanted: JsonObject = {"id": "js", "url": f"{receiver.url}/hook", "token": "t0k3n"}
    named: JsonObject = {"name": f"tasks/{task_id}/pushNotificationConfigs/js", "pushNotificationConfig": wanted}
    created = await caller.http.post(configs, json=named)
    assert (created.status_code, created.json()) == (200, named)
    assert (await caller.http.get(f"{configs}/js")).json() == named
    refused = await caller.http.post("/v1/tasks/none/pushNotificationConfigs", json=named)
    assert refused.status_code == 404


async def test_configs_of_0_3_are_deleted_over_http(caller: Caller, receiver: Receiver) -> None:
    task_id = (await caller.send("ask"))["id"]
    configs = f"/v1/tasks/{task_id}/pushNotificationConfigs"
    wanted: JsonObject = {"id": "old", "url": f"{receiver.url}/hook"}
    named: JsonObject = {"name": f"tasks/{task_id}/pushNotificationConfigs/old", "pushNotificationConfig": wanted}
    assert (await caller.http.post(configs, json={"parent": f"tasks/{task_id}", "config": named})).status_code == 200
    assert (await caller.http.get(f"{configs}/old")).json() == named
    for _ in range(2):  # again is the same
        deleted = await caller.http.delete(f"{configs}/old")
        assert (deleted.status_code, deleted.json()) == (200, {})
    assert (await caller.http.get(f"{configs}/old")).status_code == 404
    assert (await caller.http.delete("/v1/tasks/none/pushNotificationConfigs/old")).status_code == 404
    newer = await caller.http.delete(f"{configs}/old", headers={"A2A-Version": "1.0"})
    assert newer.json()["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://169.254.169.254/latest"},
        {"url": "file:///etc/passwd"},
        {"url": ""},
        {"url": "not a url"},
        {"token": "two\r\nlines"},
        {"authentication": {"scheme": "Bearer", "credentials": "é"}},
        {"authentication": {"credentials": "no scheme"}},
        {"id": "x" * 300},
    ],
)
async def test_a_config_that_cannot_be_used_is_refused_and_nothing_begins(
    caller: Caller, agent: ScriptedAgent, receiver: Receiver, wrong: JsonObject
) -> None:
    configuration: JsonObject = {"taskPushNotificationConfig": receiver.config(**wrong)}
    params: JsonObject = {**to_params("hello"), "configuration": configuration}
    code, _ = await caller.refusal("SendMessage", params)
    assert code == -32602
    assert agent.requests == []


async def test_nobody_is_told_of_anothers_task(caller: Caller, receiver: Receiver) -> None:
    task = await caller.send("ask")
    config = receiver.config(taskId=task["id"], tenant="other")
    assert (await caller.refusal("CreateTaskPushNotificationConfig", config))[0] == -32001
    assert (await caller.refusal("ListTaskPushNotificationConfigs", config))[0] == -32001


async def test_a_task_has_only_so_many_configs(caller: Caller, receiver: Receiver) -> None:
    task = await caller.send("ask")
    for number in range(16):
        config = receiver.config(taskId=task["id"], id=f"c-{number}")
        await caller.call("CreateTaskPushNotificationConfig", config)
    one_more = receiver.config(taskId=task["id"], id="c-16")
    assert (await caller.refusal("CreateTaskPushNotificationConfig", one_more))[0] == -32602


async def test_a_copy_of_the_database_tells_no_token(caller: Caller, settings: Settings, receiver: Receiver) -> None:
    await _ask(caller, "ask", receiver.config())

    def read(connection: Connection) -> bytes:
        return connection.execute(select(PUSH_CONFIGS.c.sealed)).scalar_one()

    async with open_database(database_url(settings, "a2a-api")) as database:
        sealed = await database.read(read)
    assert b"t0k3n" not in sealed
    assert receiver.url.encode() not in sealed
    assert (settings.data_dir / "secret.key").stat().st_mode & 0o077 == 0


async def test_the_card_says_that_there_are_push_notifications(caller: Caller) -> None:
    card = (await caller.http.get("/.well-known/agent-card.json")).json()
    assert card["capabilities"]["pushNotifications"] is True
