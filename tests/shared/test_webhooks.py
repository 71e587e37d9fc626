"""Webhooks as Standard Webhooks say: signatures that others can check, and deliveries that tell what went wrong."""

import asyncio
import base64
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from shared import webhooks
from shared.errors import AddressRefusedError, InvalidRequestError, InvalidSettingError, UnavailableError
from shared.http import open_client
from shared.settings import FederationSettings
from tests.support.serving import serve

# Source: https://github.com/standard-webhooks/standard-webhooks (the example of its libraries' tests)
SECRET = webhooks.parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNED = {
    "webhook-id": ID,
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def test_a_signature_is_the_one_of_the_specifications_example() -> None:
    assert webhooks.sign(SECRET, ID, AT, BODY) == SIGNED


@given(st.binary(min_size=24, max_size=64), st.uuids(), st.datetimes(timezones=st.just(UTC)), st.binary())
def test_what_was_signed_is_accepted(secret: bytes, webhook_id: object, at: datetime, body: bytes) -> None:
    at = max(at, datetime(1970, 1, 1, tzinfo=UTC))
    headers = webhooks.sign(secret, str(webhook_id), at, body)
    webhooks.verify(secret, {name.title(): value for name, value in headers.items()}, body, now=at)
    with pytest.raises(webhooks.WebhookRefusedError):
        webhooks.verify(secret, headers, body + b" ", now=at)
    with pytest.raises(webhooks.WebhookRefusedError):
        webhooks.verify(bytes([secret[0] ^ 1]) + secret[1:], headers, body, now=at)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_other"},
        {"webhook-id": ""},
        {"webhook-timestamp": "1614265331"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "²"},
        {"webhook-signature": ""},
        {"webhook-signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook-signature": "v1,é"},
    ],
)
def test_a_changed_header_is_refused(changed: Mapping[str, str]) -> None:
    with pytest.raises(webhooks.WebhookRefusedError):
        webhooks.verify(SECRET, {**SIGNED, **changed}, BODY, now=AT)


@pytest.mark.parametrize("seconds", [301, -301])
def test_an_old_or_early_webhook_is_refused(seconds: int) -> None:
    with pytest.raises(webhooks.WebhookRefusedError, match="300 s"):
        webhooks.verify(SECRET, SIGNED, BODY, now=AT + timedelta(seconds=seconds))
    webhooks.verify(SECRET, SIGNED, BODY, now=AT + timedelta(seconds=seconds), tolerance_s=302)


def test_any_of_several_signatures_is_enough() -> None:
    several = {**SIGNED, "webhook-signature": f"v1a,abc v1,AAAA {SIGNED['webhook-signature']}"}
    webhooks.verify(SECRET, several, BODY, now=AT)


def test_a_secret_is_read_as_it_is_written() -> None:
    assert webhooks.parse_secret(webhooks.write_secret(SECRET)) == SECRET
    for wrong in ("whsec_", "whsec_!!", "whsec_schlüssel", "whsec_" + base64.b64encode(b"short").decode()):
        with pytest.raises(InvalidSettingError):
            webhooks.parse_secret(wrong)


def test_pauses_grow_to_some_hours() -> None:
    longest = [max(webhooks.pause_s(attempt) for _ in range(50)) for attempt in range(1, 8)]
    shortest = [min(webhooks.pause_s(attempt) for _ in range(50)) for attempt in range(1, 8)]
    assert all(one < next_one for one, next_one in zip(longest, shortest[1:], strict=False))
    assert 4 <= shortest[0] <= longest[0] <= 6
    assert max(webhooks.pause_s(50) for _ in range(50)) < timedelta(hours=5).total_seconds()


class Receiver:
    """Answers each POST as its path says, and keeps what came."""

    def __init__(self) -> None:
        self.seen: list[tuple[Mapping[str, str], bytes]] = []

    async def answer(self, request: Request) -> Response:
        self.seen.append((request.headers, await request.body()))
        match request.path_params["how"]:
            case "endless":
                return StreamingResponse(self._endless())
            case "elsewhere":
                return Response(None, 307, {"location": "/200"})
            case code:
                return Response("x" * 5_000, int(code))

    async def _endless(self) -> AsyncGenerator[bytes]:
        while True:
            yield b"x" * 65_536
            await asyncio.sleep(0)  # lets the server see that the caller has gone

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[tuple[httpx.AsyncClient, str]]:
        app = Starlette(routes=[Route("/{how}", self.answer, methods=["POST"])])
        settings = FederationSettings.model_validate({"federation_allow_private_agents": True})
        async with serve(app) as url, open_client(settings) as client:
            yield client, url


async def test_a_delivery_arrives_with_its_headers() -> None:
    receiver = Receiver()
    async with receiver.serving() as (client, url):
        await webhooks.post(client, f"{url}/202", BODY, SIGNED)
        await webhooks.post(client, f"{url}/endless", BODY, {"Content-Type": "application/a2a+json"})
    (headers, body), (other_headers, _) = receiver.seen
    webhooks.verify(SECRET, headers, body, now=AT)
    assert headers["content-type"] == "application/json"
    assert other_headers["content-type"] == "application/a2a+json"


@pytest.mark.parametrize(("how", "said"), [("500", "500"), ("404", "404"), ("elsewhere", "307")])
async def test_any_other_answer_than_2xx_is_no_delivery(how: str, said: str) -> None:
    receiver = Receiver()
    async with receiver.serving() as (client, url):
        with pytest.raises(UnavailableError, match=said) as caught:
            await webhooks.post(client, f"{url}/{how}", BODY, SIGNED)
    assert "gone" not in caught.value.facts
    assert len(receiver.seen) == 1


async def test_a_receiver_that_is_gone_wants_no_more() -> None:
    async with Receiver().serving() as (client, url):
        with pytest.raises(UnavailableError, match="410") as caught:
            await webhooks.post(client, f"{url}/410", BODY, SIGNED)
    assert caught.value.facts["gone"] is True


async def test_a_receiver_that_is_not_there_or_may_not_be_reached_is_told_apart() -> None:
    async with Receiver().serving() as (client, _):
        with pytest.raises(UnavailableError, match="Cannot connect"):
            await webhooks.post(client, "http://127.0.0.1:1025/", BODY, SIGNED)
        with pytest.raises(AddressRefusedError):
            await webhooks.post(client, "http://169.254.169.254/", BODY, SIGNED)
        with pytest.raises(InvalidRequestError):
            await webhooks.post(client, "http://127.0.0.1:port/", BODY, SIGNED)
