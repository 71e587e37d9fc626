"""What is stored for an agent is shown to it as its card asks, to nobody else, and never to be seen again."""

import json
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from starlette.requests import Request

from shared.agent import JsonObject
from tests.support.certificates import make_certificates
from tests.support.federation import Federation, federation, step
from tests.support.guarded import GuardedAgent

_SECRET = "secret-pw"
_CLIENT: JsonObject = {"client_id": "us", "client_secret": _SECRET}


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _with_token(token: str) -> Callable[[Request], bool]:
    return lambda request: _bearer(request) == token


@dataclass(frozen=True)
class Way:
    """A scheme, what is given for it, and how an agent knows it."""

    scheme: JsonObject
    credential: JsonObject
    admits: Callable[[Request], bool]


WAYS = {
    "a key in a header": Way(
        {"apiKeySecurityScheme": {"location": "header", "name": "X-Key"}},
        {"type": "api_key", "value": _SECRET},
        lambda request: request.headers.get("x-key") == _SECRET,
    ),
    "a key in the address": Way(
        {"apiKeySecurityScheme": {"location": "query", "name": "key"}},
        {"type": "api_key", "value": _SECRET},
        lambda request: request.query_params.get("key") == _SECRET,
    ),
    "a key in a cookie": Way(
        {"apiKeySecurityScheme": {"location": "cookie", "name": "key"}},
        {"type": "api_key", "value": _SECRET},
        lambda request: request.cookies.get("key") == _SECRET,
    ),
    "a bearer token": Way(
        {"httpAuthSecurityScheme": {"scheme": "Bearer"}},
        {"type": "bearer", "token": _SECRET},
        lambda request: _bearer(request) == _SECRET,
    ),
    "a password": Way(
        {"httpAuthSecurityScheme": {"scheme": "basic"}},
        {"type": "basic", "username": "us", "password": _SECRET},
        lambda request: request.headers.get("authorization") == "Basic dXM6c2VjcmV0LXB3",
    ),
    "OAuth 2": Way(
        {"oauth2SecurityScheme": {"flows": {"clientCredentials": {"tokenUrl": "URL/token", "scopes": {}}}}},
        {"type": "oauth2", **_CLIENT},
        lambda request: _bearer(request) == "t-1",
    ),
    "OAuth 2 by a form": Way(
        {"oauth2SecurityScheme": {"flows": {"clientCredentials": {"tokenUrl": "URL/token", "scopes": {}}}}},
        {"type": "oauth2", "sent_as": "post", **_CLIENT},
        lambda request: _bearer(request) == "t-1",
    ),
    "OpenID Connect": Way(
        {"openIdConnectSecurityScheme": {"openIdConnectUrl": "URL/.well-known/openid-configuration"}},
        {"type": "openid", **_CLIENT},
        lambda request: _bearer(request) == "t-1",
    ),
}


def guarded(way: Way) -> GuardedAgent:
    """Return an agent that asks for this."""
    agent = GuardedAgent({}, way.admits)
    agent.scheme = json.loads(json.dumps(way.scheme).replace("URL", agent.url))
    return agent


@pytest.mark.parametrize("name", WAYS)
async def test_a_card_gets_what_its_scheme_asks_for_and_nobody_sees_it_again(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    way = WAYS[name]
    async with guarded(way).serving() as agent, federation(tmp_path, log_level="debug") as running:
        body: JsonObject = {"endpoint": agent.url, "credentials": {"door": way.credential}}
        registered = await running.post("/api/agents", body, 201)
        assert not _needs(registered)
        task = await running.run(step("a", skill="guarded"))
        assert task["status"] == "completed", task
        message = await running.post(f"/api/agents/{registered['id']}/messages", {"text": "hello"})
        assert message["state"] == "completed"
        assert agent.tokens_asked <= 1
        seen = [registered, task, message, await running.events(task), await running.get("/api/agents")]
        assert _SECRET not in str(seen) + (await running.client.get("/metrics")).text
        assert "t-1" not in str(seen)
        await _nothing_is_stored_open(tmp_path)
    assert _SECRET not in caplog.text


async def test_an_agent_that_asks_for_something_that_is_not_stored_says_what_to_give_and_how(tmp_path: Path) -> None:
    way = WAYS["a key in a header"]
    async with guarded(way).serving() as agent, federation(tmp_path) as running:
        registered = await running.post("/api/agents", {"endpoint": agent.url}, 201)
        [need] = _needs(registered)
        assert need["text"] == (
            "asks for 'door', an API key (header X-Key), and none is stored: give "
            '"credentials": {"door": {"type": "api_key", "value": "…"}}'
        )
        changed = await running.client.patch(
            f"/api/agents/{registered['id']}", json={"credentials": {"door": way.credential}}
        )
        assert changed.status_code == 200
        assert not _needs(changed.json())
        assert (await running.run(step("a", skill="guarded")))["status"] == "completed"


async def test_one_credential_alone_is_for_the_scheme_that_it_fits(tmp_path: Path) -> None:
    way = WAYS["a bearer token"]
    async with guarded(way).serving() as agent, federation(tmp_path) as running:
        await running.post("/api/agents", {"endpoint": agent.url, "credentials": way.credential}, 201)
        assert (await running.run(step("a", skill="guarded")))["status"] == "completed"


async def test_a_token_is_asked_for_once_and_anew_when_it_is_refused(tmp_path: Path) -> None:
    agent = guarded(WAYS["OAuth 2"])
    async with agent.serving(), federation(tmp_path) as running:
        agent.scopes = ["read", "write"]
        body: JsonObject = {"endpoint": agent.url, "credentials": {"type": "oauth2", **_CLIENT}}
        registered = await running.post("/api/agents", body, 201)
        for _ in range(3):
            assert (await running.run(step("a", skill="guarded")))["status"] == "completed"
        assert agent.tokens_asked == 1
        assert "scope=read+write" in agent.logins[0].body
        agent.admits = _with_token("t-2")
        assert (await running.run(step("a", skill="guarded")))["status"] == "completed"
        assert agent.tokens_asked == 2
        agent.admits = _with_token("none")
        calls = len(agent.calls)
        refused = await running.client.post(f"/api/agents/{registered['id']}/messages", json={"text": "hello"})
        assert refused.json()["type"].endswith("agent-failed")
        assert (agent.tokens_asked, len(agent.calls) - calls) == (3, 2)


async def test_a_token_that_expires_is_asked_for_anew(tmp_path: Path) -> None:
    agent = guarded(WAYS["OAuth 2"])
    agent.expires_in = 0

    def admits(request: Request) -> bool:
        return _bearer(request) == f"t-{agent.tokens_asked}"

    agent.admits = admits
    async with agent.serving(), federation(tmp_path) as running:
        body: JsonObject = {"endpoint": agent.url, "credentials": {"type": "oauth2", **_CLIENT}}
        await running.post("/api/agents", body, 201)
        assert (await running.run(step("a", skill="guarded")))["status"] == "completed"
        assert agent.tokens_asked > 1


async def test_a_login_that_is_refused_is_told_without_the_secret(tmp_path: Path) -> None:
    agent = guarded(WAYS["OAuth 2"])
    given: JsonObject = {"client_id": "wrong", "sent_as": "post"}  # the server says the form back to us
    async with agent.serving(), federation(tmp_path) as running:
        body: JsonObject = {"endpoint": agent.url, "credentials": {"type": "oauth2", **_CLIENT, **given}}
        registered = await running.post("/api/agents", body, 201)
        answer = await running.client.post(f"/api/agents/{registered['id']}/messages", json={"text": "hello"})
        assert "invalid_client" in answer.json()["detail"]
        assert _SECRET not in answer.text
        assert not any(call.method == "POST" for call in agent.calls)


async def test_nothing_is_shown_to_another_origin_than_the_agents(tmp_path: Path) -> None:
    way = WAYS["a key in a header"]
    async with guarded(way).serving() as agent, guarded(way).serving() as other, federation(tmp_path) as running:
        agent.interface = other.url
        body: JsonObject = {
            "endpoint": agent.url,
            "credentials": {"door": way.credential},
            "headers": {"X-Too": _SECRET},
        }
        registered = await running.post("/api/agents", body, 201)
        assert (await running.run(step("a", skill="guarded")))["status"] == "failed"
        assert other.calls
        assert _SECRET not in str(other.calls)
        assert any("is not at" in str(each["text"]) for each in _findings(registered))
        confirmed: JsonObject = {**body, "credentials_origin": other.url}
        await running.post("/api/agents", confirmed, 200)
        assert (await running.run(step("a", skill="guarded")))["status"] == "completed"
        assert _SECRET not in str(agent.calls[-1])


async def test_a_redirect_takes_nothing_along(tmp_path: Path) -> None:
    async with federation(tmp_path) as running, AsyncExitStack() as stack:
        for name in ("a key in a header", "a key in the address", "a bearer token", "OAuth 2"):
            way = WAYS[name]
            agent = await stack.enter_async_context(guarded(way).serving())
            other = await stack.enter_async_context(guarded(way).serving())
            body: JsonObject = {"endpoint": agent.url, "credentials": {"door": way.credential}}
            registered = await running.post("/api/agents", body, 201)
            agent.redirects_to = f"{other.url}/"
            answer = await running.client.post(f"/api/agents/{registered['id']}/messages", json={"text": "hello"})
            assert "redirects are not followed" in answer.text
            assert not other.calls


@pytest.mark.parametrize(("name", "field"), [("OAuth 2", "token_url"), ("OpenID Connect", "discovery_url")])
async def test_a_secret_goes_to_a_token_endpoint_elsewhere_only_if_that_is_given(
    tmp_path: Path, name: str, field: str
) -> None:
    way = WAYS[name]
    async with guarded(way).serving() as agent, guarded(way).serving() as issuer, federation(tmp_path) as running:
        agent.scheme = json.loads(json.dumps(way.scheme).replace("URL", issuer.url))
        body: JsonObject = {"endpoint": agent.url, "credentials": {"door": way.credential}}
        refused = await running.client.post("/api/agents", json=body)
        assert refused.status_code == 422
        assert f"give `{field}`" in refused.json()["detail"]
        assert not issuer.logins
        path = "/token" if field == "token_url" else "/.well-known/openid-configuration"
        body["credentials"] = {"door": {**way.credential, field: issuer.url + path}}
        await running.post("/api/agents", body, 201)
        assert (await running.run(step("a", skill="guarded")))["status"] == "completed"


async def test_an_openid_server_that_says_it_is_another_gets_no_secret(tmp_path: Path) -> None:
    agent = guarded(WAYS["OpenID Connect"])
    agent.issuer = "https://issuer.example"
    async with agent.serving(), federation(tmp_path) as running:
        body: JsonObject = {"endpoint": agent.url, "credentials": {"type": "openid", **_CLIENT}}
        await running.post("/api/agents", body, 201)
        assert (await running.run(step("a", skill="guarded")))["status"] == "failed"
        assert agent.tokens_asked == 0


@pytest.mark.parametrize("address", ["http://\ufffd/", "mailto:x"])
async def test_an_openid_server_that_names_no_address_for_tokens_is_told_so(tmp_path: Path, address: str) -> None:
    agent = guarded(WAYS["OpenID Connect"])
    agent.token_url = address
    async with agent.serving(), federation(tmp_path) as running:
        body: JsonObject = {"endpoint": agent.url, "credentials": {"type": "openid", **_CLIENT}}
        await running.post("/api/agents", body, 201)
        task = await running.run(step("a", skill="guarded"))
        assert task["status"] == "failed"
        assert "names no token endpoint that can be used" in str(task["error"])


async def test_spaces_around_the_address_for_tokens_are_none_of_it(tmp_path: Path) -> None:
    agent = guarded(WAYS["OpenID Connect"])
    agent.token_url = f" {agent.token_url}\n"
    async with agent.serving(), federation(tmp_path) as running:
        body: JsonObject = {"endpoint": agent.url, "credentials": {"type": "openid", **_CLIENT}}
        await running.post("/api/agents", body, 201)
        assert (await running.run(step("a", skill="guarded")))["status"] == "completed"


async def test_a_client_certificate_opens_the_agent_that_asks_for_one_and_no_other(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    agent = GuardedAgent({"mtlsSecurityScheme": {}}, lambda _: True)
    async with agent.serving(files.server) as served, federation(tmp_path) as running:
        answer = await running.client.post("/api/agents", json={"endpoint": served.url})
        assert answer.status_code == 502
        credential: JsonObject = {
            "type": "mtls",
            "certificate": files.client_certificate,
            "key": files.client_key,
            "ca": files.authority,
        }
        body: JsonObject = {"endpoint": served.url, "credentials": {"door": credential}}
        registered = await running.post("/api/agents", body, 201)
        health = await running.post(f"/api/agents/{registered['id']}/health")
        assert health["state"] == "healthy"
        assert (await running.run(step("a", skill="guarded")))["status"] == "completed"
        assert "PRIVATE KEY" not in str(registered)
        await _nothing_is_stored_open(tmp_path, b"PRIVATE KEY")


async def test_credentials_that_cannot_be_used_are_refused_and_not_repeated(tmp_path: Path) -> None:
    cases: list[tuple[JsonObject, str]] = [
        ({"window": {"type": "bearer", "token": "x"}}, "no security scheme 'window'"),
        ({"door": {"type": "bearer", "token": "x"}}, "wants 'api_key', not 'bearer'"),
        ({"type": "basic", "username": "a", "password": "b"}, "no scheme that 'basic' could be for"),
        ({"door": {"type": "api_key", "value": "secret-pw\r\nX-More: 1"}}, "visible ASCII"),
        ({"door": {"type": "api_key", "value": "x", "name": "Host"}}, "each call sets itself"),
        ({"door": {"type": "unknown", "value": "secret-pw"}}, ""),
        ({"door": "secret-pw"}, ""),
        ({"door": {"type": "mtls", "certificate": "secret-pw", "key": "secret-pw"}}, "both PEM"),
    ]
    async with guarded(WAYS["a key in a header"]).serving() as agent, federation(tmp_path) as running:
        for credentials, says in cases:
            body: JsonObject = {"endpoint": agent.url, "credentials": credentials}
            answer = await running.client.post("/api/agents", json=body)
            assert answer.status_code == 422
            assert says in answer.text
            assert _SECRET not in answer.text
        assert (await running.get("/api/agents"))["items"] == []


def _findings(agent: JsonObject) -> list[JsonObject]:
    return cast("list[JsonObject]", cast("JsonObject", agent["verification"])["findings"])


def _needs(agent: JsonObject) -> list[JsonObject]:
    return [found for found in _findings(agent) if found["where"] == "/securityRequirements"]


async def _nothing_is_stored_open(folder: Path, secret: bytes = _SECRET.encode()) -> None:
    for path in (folder / "orchestrator").glob("orchestrator.db*"):
        assert secret not in path.read_bytes()


async def test_the_terminal_gives_a_credential_and_says_what_is_missing(tmp_path: Path) -> None:
    from tests.orchestrator.test_people_at_the_terminal import command  # noqa: PLC0415

    way = WAYS["a bearer token"]
    async with guarded(way).serving() as agent, federation(tmp_path) as running:
        assert "a bearer token, and none is stored" in await command(running, "agents", "add", agent.url)
        added = await command(running, "agents", "add", agent.url, "--credential", f"bearer:{_SECRET}")
        assert "none is stored" not in added
        assert _SECRET not in added
        await _completes(running)
        file = tmp_path / "credential.json"
        file.write_text(json.dumps({"door": way.credential}))
        await command(running, "agents", "add", agent.url, "--credential", f"@{file}")
        await _completes(running)


async def _completes(running: Federation) -> None:
    assert (await running.run(step("a", skill="guarded")))["status"] == "completed"
