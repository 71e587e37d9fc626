"""Webhooks to a task's `callback_url`, and agents' push notifications: from the API to a receiver's own socket."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, select, update
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestrator_service import deliveries, main
from orchestrator_service.keys import open_keys
from orchestrator_service.models import Delivery
from orchestrator_service.settings import Settings
from shared import http, webhooks
from shared.agent import AgentRequest, Answer, InputRequired, JsonObject, Progress, Update
from shared.db import Database, now, open_database
from shared.db import database_url as address_of_database
from shared.errors import InvalidRequestError
from tests.orchestrator.killable import killable
from tests.support.federation import TestAgent, federation, free_port, serve_agent, step, until
from tests.support.serving import serve

SECRET = bytes(range(32))
SETTING = webhooks.write_secret(SECRET)


async def _act(request: AgentRequest) -> AsyncGenerator[Update]:
    """Do what the words say: fail, ask a person, go on for ever, or answer."""
    yield Progress("reading")
    if "fail" in request.text:
        raise InvalidRequestError("This cannot be done.")
    if "ask" in request.text and not request.history:
        yield InputRequired("Which city?")
        return
    if "stay" in request.text:
        await asyncio.Event().wait()
    yield Answer("echo", "long " * 10_000)


ACT = TestAgent("Act", _act, ("act",))


@dataclass(frozen=True, slots=True)
class Received:
    """One try that came to the receiver."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Its webhook-id."""
        return self.headers["webhook-id"]

    def read(self, secret: bytes = SECRET) -> JsonObject:
        """Return the payload, once its signature is found right."""
        webhooks.verify(secret, self.headers, self.body, now=now())
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Row:
    """What the orchestrator keeps of a webhook."""

    state: str
    attempts: int
    last_error: str | None
    next_at: datetime
    created_at: datetime
    ended_at: datetime | None


_ROWS = select(
    Delivery.state,
    Delivery.attempts,
    Delivery.last_error,
    Delivery.next_at,
    Delivery.created_at,
    Delivery.ended_at,
)


class Receiver:
    """A server that takes webhooks: it answers with the statuses it was given, then 204; at /held, never."""

    def __init__(self, *statuses: int) -> None:
        self.url = ""
        self.received: list[Received] = []
        self._statuses = list(statuses)
        self._came = asyncio.Condition()

    async def when(self, count: int) -> list[Received]:
        """Return what came, as soon as there are so many tries; bounded."""
        async with asyncio.timeout(40), self._came:
            await self._came.wait_for(lambda: len(self.received) >= count)
        return self.received

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Receiver"]:
        """Serve on a free port."""
        async with serve(Starlette(routes=[Route("/{place}", self._take, methods=["POST"])])) as url:
            self.url = url
            yield self

    async def _take(self, request: Request) -> Response:
        tried = Received(dict(request.headers), await request.body())
        async with self._came:
            self.received.append(tried)
            self._came.notify_all()
        if request.path_params["place"] == "held":
            await asyncio.Event().wait()
        return Response(status_code=self._statuses.pop(0) if self._statuses else 204)


async def test_the_end_of_a_task_is_told_once_with_a_signature_that_verifies(
    tmp_path: Path, database_url: str | None
) -> None:
    async with (
        Receiver().open() as receiver,
        federation(tmp_path, ACT, database_url=database_url, webhook_secret=SETTING) as running,
    ):
        task = await running.run(
            step("a", skill="act"), callback_url=f"{receiver.url}/hook", metadata={"order": 17}, session_id=None
        )
        [only] = await receiver.when(1)
        payload = only.read()
        assert payload["type"] == "task.completed"
        assert payload["timestamp"] == task["completed_at"]
        assert isinstance(data := payload["data"], dict)
        assert (data["id"], data["status"], data["metadata"]) == (task["id"], "completed", {"order": 17})
        assert isinstance(result := data["result"], dict)
        assert str(result["summary"]).startswith("long long")
        assert len(only.body) < 10_000
        assert only.headers["content-type"] == "application/json"
        async with _opened(running.settings) as database:
            await _row_when(database, lambda row: row.state == "delivered")
        assert len(receiver.received) == 1


async def test_failure_cancellation_and_a_question_are_told_too(tmp_path: Path) -> None:
    async with Receiver().open() as receiver, federation(tmp_path, ACT, webhook_secret=SETTING) as running:
        hook = f"{receiver.url}/hook"
        await running.run(step("a", "fail", skill="act"), callback_url=hook)
        failed = (await receiver.when(1))[0].read()
        assert failed["type"] == "task.failed"
        assert "This cannot be done." in str(failed["data"])

        task = await running.run(step("a", "stay", skill="act"), callback_url=hook, wait_s=None)
        await running.post(f"/api/tasks/{task['id']}/cancel")
        assert (await receiver.when(2))[1].read()["type"] == "task.canceled"

        task = await running.run(step("a", "x", skill="act"), callback_url=hook, approve_plan=True)
        asked = (await receiver.when(3))[2].read()
        assert asked["type"] == "task.input_required"
        assert isinstance(data := asked["data"], dict)
        assert isinstance(questions := data["pending_inputs"], list)
        assert isinstance(question := questions[0], dict)
        await running.post(f"/api/tasks/{task['id']}/input", {"input_id": question["input_id"], "approve": True})
        done = (await receiver.when(4))[3].read()
        assert done["type"] == "task.completed"
        assert isinstance(data := done["data"], dict)
        assert data["pending_inputs"] == []


async def test_each_question_of_an_agent_is_told(tmp_path: Path, database_url: str | None) -> None:
    async with (
        Receiver().open() as receiver,
        federation(tmp_path, ACT, database_url=database_url, webhook_secret=SETTING) as running,
    ):
        steps = [step(name, f"ask {name}", skill="act") for name in "ab"]
        await running.run(*steps, callback_url=f"{receiver.url}/hook")
        told = [received.read() for received in await receiver.when(2)]
        assert [each["type"] for each in told] == ["task.input_required"] * 2
        assert sorted(str(each["data"]).count("Which city?") for each in told) == [1, 2]


async def test_without_a_set_secret_webhooks_are_signed_with_the_installations_own(tmp_path: Path) -> None:
    async with Receiver().open() as receiver, federation(tmp_path, ACT) as running:
        await running.run(step("a", skill="act"), callback_url=f"{receiver.url}/hook")
        [only] = await receiver.when(1)
        assert only.read(open_keys(running.settings).webhook_secret())["type"] == "task.completed"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://10.0.0.7/hook", "private or special"),
        ("http://169.254.169.254/latest", "private or special"),
        ("ftp://example.org/hook", "http"),
        ("http://me:secret@127.0.0.1:9000/hook", "user name or password"),
        ("not a url", "callback_url"),
        ("http://nowhere.invalid/hook", "cannot be resolved"),
    ],
)
async def test_a_callback_url_that_may_not_be_reached_is_refused_with_the_reason(
    tmp_path: Path, url: str, reason: str
) -> None:
    async with federation(tmp_path) as running:
        refused = await running.post("/api/tasks", {"description": "x", "callback_url": url}, 422)
        assert reason in str(refused)
        assert "callback_url" in str(refused["errors"])
        assert (await running.get("/api/tasks"))["items"] == []


async def test_the_address_is_checked_again_when_the_webhook_is_sent(tmp_path: Path) -> None:
    async with (
        Receiver().open() as receiver,
        _planned(tmp_path, None, [f"{receiver.url}/hook"], egress_allow=("10.0.0.0/8",)) as (database, sender),
        sender.open(),
    ):
        row = await _row_when(database, lambda row: row.last_error is not None)
        assert "Outgoing calls may not reach" in str(row.last_error)
        assert (row.state, row.attempts) == ("due", 1)
        assert receiver.received == []


async def test_a_webhook_that_was_not_taken_is_sent_again_later_with_the_same_id(
    tmp_path: Path, database_url: str | None
) -> None:
    async with (
        Receiver(500, 302).open() as receiver,
        _planned(tmp_path, database_url, [f"{receiver.url}/hook"]) as (database, sender),
        sender.open(),
    ):
        for tries in (1, 2):
            row = await _row_when(database, lambda row, tries=tries: row.attempts == tries and bool(row.last_error))
            assert row.state == "due"
            assert row.next_at > row.created_at + timedelta(seconds=3)
            await database.write(_change, next_at=now(), last_error=None)
            sender.wake()
        await _row_when(database, lambda row: row.state == "delivered")
        tried = receiver.received
        assert len(tried) == 3
        assert len({one.id for one in tried}) == 1
        assert [one.read() for one in tried] == [{"number": 0}] * 3


async def test_a_receiver_that_wants_no_more_is_not_asked_again(tmp_path: Path) -> None:
    async with Receiver(410).open() as receiver, federation(tmp_path, ACT) as running:
        await running.run(step("a", skill="act"), callback_url=f"{receiver.url}/hook")
        async with _opened(running.settings) as database:
            row = await _row_when(database, lambda row: row.ended_at is not None)
        assert (row.state, row.attempts) == ("given_up", 1)


async def test_a_webhook_is_given_up_after_a_day(tmp_path: Path, database_url: str | None) -> None:
    async with (
        Receiver(500, 500).open() as receiver,
        _planned(tmp_path, database_url, [f"{receiver.url}/hook"]) as (database, sender),
        sender.open(),
    ):
        await _row_when(database, lambda row: bool(row.last_error))
        await database.write(_change, next_at=now(), created_at=now() - timedelta(hours=24))
        sender.wake()
        row = await _row_when(database, lambda row: row.ended_at is not None)
        assert (row.state, row.attempts) == ("given_up", 2)
        assert "answered the webhook with 500" in str(row.last_error)


@pytest.mark.parametrize("failpoint", ["task-ended", "webhook-sent"])
async def test_a_webhook_survives_a_kill_before_and_after_it_is_sent(tmp_path: Path, failpoint: str) -> None:
    async with (
        Receiver().open() as receiver,
        serve_agent(tmp_path, ACT) as endpoint,
        killable(tmp_path, WEBHOOK_SECRET=SETTING) as running,
    ):
        await running.start(f"{failpoint}:kill")
        await running.register(endpoint)
        plan = {"steps": [step("a", skill="act")]}
        body = {"description": "x", "plan": plan, "callback_url": f"{receiver.url}/hook"}
        (await running.client.post("/api/tasks", json=body)).raise_for_status()
        await running.died()
        expected = 1 if failpoint == "task-ended" else 2
        assert len(receiver.received) == expected - 1
        await running.start()
        tried = await receiver.when(expected)
        assert [one.read()["type"] for one in tried] == ["task.completed"] * expected
        assert len({one.id for one in tried}) == 1


async def test_senders_beside_each_other_send_each_webhook_once(tmp_path: Path, database_url: str | None) -> None:
    async with (
        Receiver().open() as receiver,
        _planned(tmp_path, database_url, [f"{receiver.url}/hook"] * 60) as (database, sender),
        AsyncExitStack() as stack,
    ):
        client = await stack.enter_async_context(http.open_client(Settings()))
        others = [] if database.is_sqlite else [deliveries.Deliveries(database, client, SECRET) for _ in range(2)]
        for one in (sender, *others):  # a SQLite file is one process's
            await stack.enter_async_context(one.open())
        await until(lambda: database.read(_count), lambda found: found == {"delivered": 60})
        assert len({one.id for one in receiver.received}) == len(receiver.received) == 60


async def test_a_receiver_that_never_answers_does_not_hold_up_the_others(
    tmp_path: Path, database_url: str | None
) -> None:
    async with Receiver().open() as receiver:
        urls = [*[f"{receiver.url}/held"] * 60, f"{receiver.url}/hook"]
        async with _planned(tmp_path, database_url, urls) as (database, sender), sender.open():
            await until(lambda: database.read(_count), lambda found: found.get("delivered") == 1, 10)


async def test_a_push_is_a_hint_for_its_step_and_needs_the_attempts_token(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "orchestrator_port": free_port(), "bundled_agents": ()})
    app = main.create(settings)
    nudged: list[tuple[str, str]] = []

    def nudge(task_id: str, step_id: str) -> None:
        nudged.append((task_id, step_id))

    async with (
        serve(app, port=settings.orchestrator_port) as url,
        httpx.AsyncClient(base_url=f"{url}/api/push/task-1") as client,
    ):
        app.state.parts = replace(app.state.parts, nudge=nudge)
        token = open_keys(settings).push_token("task-1", "step-1", 2)

        async def push(path: str, token: str | None, content: bytes = b"{}") -> int:
            headers = {} if token is None else {"X-A2A-Notification-Token": token}
            return (await client.post(path, content=content, headers=headers)).status_code

        assert await push("/step-1/2", token) == 204
        assert await push("/step-1/2", token, b"this is no JSON" * 100_000) == 204
        assert nudged == [("task-1", "step-1")] * 2
        for path, wrong in (
            ("/step-1/1", token),
            ("/step-2/2", token),
            ("/step-1/2", token[:-1]),
            ("/step-1/2", None),
            ("/step-1/2", ""),
        ):
            assert await push(path, wrong) == 404
        assert len(nudged) == 2
        latin = await client.post("/step-1/2", headers={b"X-A2A-Notification-Token": "tökén".encode("latin-1")})
        assert latin.status_code == 404


@asynccontextmanager
async def _planned(
    folder: Path, url: str | None, urls: list[str], **sending: object
) -> AsyncGenerator[tuple[Database, deliveries.Deliveries]]:
    """Yield the database of an orchestrator that has stopped, with a webhook due for each URL, and its sender."""
    async with federation(folder, ACT, database_url=url) as running:
        task = await running.run(step("a", skill="act"))
        settings = running.settings

    def plan_all(connection: Connection) -> None:
        for number, callback in enumerate(urls):
            deliveries.plan(connection, str(task["id"]), callback, {"number": number})

    async with _opened(settings) as database, http.open_client(settings.model_copy(update=sending)) as client:
        await database.write(plan_all)
        yield database, deliveries.Deliveries(database, client, SECRET)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[Database]:
    async with open_database(address_of_database(settings, "orchestrator")) as database:
        yield database


async def _row_when(database: Database, condition: Callable[[Row], bool]) -> Row:
    """Return the one webhook there is, as soon as the condition holds; bounded."""
    found: list[Row] = []

    def read(connection: Connection) -> JsonObject:
        found[:] = [Row(*row) for row in connection.execute(_ROWS)]
        return {"found": str(found)}

    await until(lambda: database.read(read), lambda _: len(found) == 1 and condition(found[0]))
    return found[0]


def _change(connection: Connection, **values: object) -> None:
    connection.execute(update(Delivery).values(**values))


def _count(connection: Connection) -> JsonObject:
    states = list(connection.execute(select(Delivery.state)).scalars())
    return {state: states.count(state) for state in sorted(set(states))}
