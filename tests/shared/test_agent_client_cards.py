"""Agent cards: fetched from where agents have them, understood in both forms, refused with a reason."""

import json
from collections.abc import AsyncIterator

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared import agent_client
from shared.agent import JsonObject
from shared.errors import AddressRefusedError, AgentCardInvalidError, AgentUnavailableError, FederationError
from shared.http import Client, open_client
from shared.settings import FederationSettings
from tests.support.misbehaving import card_for
from tests.support.serving import serve

CARD: JsonObject = MessageToDict(card_for("http://127.0.0.1:9000/"))
OLD_CARD: JsonObject = {
    "name": "Old",
    "description": "Speaks 0.3.",
    "version": "1",
    "protocolVersion": "0.3.0",
    "url": "http://127.0.0.1:9000/rpc",
    "preferredTransport": "JSONRPC",
    "additionalInterfaces": [
        {"url": "http://127.0.0.1:9000/rpc", "transport": "JSONRPC"},
        {"url": "http://127.0.0.1:9000/rest", "transport": "HTTP+JSON"},
    ],
    "capabilities": {"streaming": True},
    "supportsAuthenticatedExtendedCard": True,
    "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    "security": [{"key": []}],
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "a", "name": "A", "description": "Does a.", "tags": ["x"]}],
}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with open_client(FederationSettings.model_validate({})) as opened:
        yield opened


def app(answers: dict[str, Response]) -> Starlette:
    async def answer(request: Request) -> Response:
        return answers[request.url.path]

    return Starlette(routes=[Route(path, answer) for path in answers])


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        ("/.well-known/agent-card.json", ""),
        ("/.well-known/agent-card.json", "/"),
        ("/.well-known/agent.json", ""),
        ("/some/card.json", "/some/card.json"),
        ("/agents/a/.well-known/agent-card.json", "/agents/a/"),
        ("/agents/a", "/agents/a"),
    ],
)
async def test_a_card_is_found_where_agents_have_it(client: Client, there: str, asked: str) -> None:
    async with serve(app({there: JSONResponse(CARD)})) as url:
        fetched = await agent_client.fetch_card(client, url + asked, timeout_s=5)
        assert fetched.url == url + there
    assert fetched.raw == CARD
    assert fetched.card.name == "Scripted"
    assert fetched.card.skills[0].id == "any"


async def test_a_card_of_version_0_3_is_understood(client: Client) -> None:
    card = agent_client.parse_card(json.dumps(OLD_CARD).encode())
    assert [(each.url, each.protocol_binding, each.protocol_version) for each in card.supported_interfaces] == [
        ("http://127.0.0.1:9000/rpc", "JSONRPC", "0.3.0"),
        ("http://127.0.0.1:9000/rest", "HTTP+JSON", "0.3.0"),
    ]
    assert card.capabilities.streaming
    assert card.capabilities.extended_agent_card
    assert card.security_schemes["key"].api_key_security_scheme.location == "header"
    assert "key" in card.security_requirements[0].schemes
    assert agent_client.connect(client, card).endpoint.binding == "JSONRPC 0.3"


INTERFACE: JsonObject = {"url": "/a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
SKILL: JsonObject = {"id": "a", "name": "A", "description": "", "tags": []}
NUMBERS: JsonValue = [7]
LONG: JsonValue = ["x", "x" * 501]


INVALID: list[tuple[JsonObject, str]] = [
    ({"name": None}, "/name is missing"),
    ({"name": 7}, "/name must be a string"),
    ({"name": " "}, "/name is empty"),
    ({"description": "x" * 20_000}, "/description is longer than 10,000 characters"),
    ({"supportedInterfaces": None}, "/supportedInterfaces is missing"),
    ({"supportedInterfaces": []}, "/supportedInterfaces must have 1 to 20 entries, not 0"),
    ({"supportedInterfaces": ["x"]}, "/supportedInterfaces/0 must be an object"),
    ({"supportedInterfaces": [INTERFACE | {"url": None}]}, "/supportedInterfaces/0/url is missing"),
    ({"supportedInterfaces": [INTERFACE]}, "/supportedInterfaces/0/url must be an absolute http or https URL"),
    ({"capabilities": ["streaming"]}, "/capabilities must be an object"),
    ({"capabilities": {"streaming": "perhaps"}}, "streaming"),
    ({"skills": None}, "/skills is missing"),
    ({"skills": {}}, "/skills must be a list"),
    ({"skills": [SKILL | {"id": None}]}, "/skills/0/id is missing"),
    ({"skills": [SKILL, SKILL]}, "/skills/1/id repeats the id 'a'"),
    ({"skills": [SKILL | {"tags": "x"}]}, "/skills/0/tags must be a list"),
    ({"skills": [SKILL | {"tags": NUMBERS}]}, "tags"),
    ({"name": "x" * 501}, "/name is longer than 500 characters"),
    ({"skills": [SKILL | {"id": "x" * 501}]}, "/skills/0/id is longer than 500 characters"),
    ({"skills": [SKILL | {"tags": LONG}]}, "/skills/0/tags/1 is longer than 500 characters"),
    ({"supportedInterfaces": [INTERFACE | {"url": f"http://{'x' * 2_000}"}]}, "/url is longer than 2,000 characters"),
]


@pytest.mark.parametrize(("changes", "problem"), INVALID, ids=[problem for _, problem in INVALID])
def test_an_invalid_card_is_refused_with_the_place_in_it(changes: JsonObject, problem: str) -> None:
    with pytest.raises(AgentCardInvalidError) as caught:
        agent_client.parse_card(json.dumps(CARD | changes).encode())
    assert problem in caught.value.detail


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not JSON"),
        (b"<html>", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'{"name":"a","name":"b"}', "has the key 'name' twice"),
        (b'{"name":NaN}', "has NaN"),
        (b'{"a":' * 50 + b"1" + b"}" * 50, "nested deeper than 32"),
        (b" " * 300_000, "larger than 262,144 bytes"),
    ],
)
async def test_what_is_no_card_is_refused(client: Client, content: bytes, problem: str) -> None:
    async with serve(app({"/.well-known/agent-card.json": Response(content)})) as url:
        with pytest.raises(AgentCardInvalidError, match=problem):
            await agent_client.fetch_card(client, url, timeout_s=5)


async def test_a_missing_card_says_where_it_was_sought(client: Client) -> None:
    async with serve(app({})) as url:
        with pytest.raises(AgentCardInvalidError, match="There is no agent card"):
            await agent_client.fetch_card(client, url, timeout_s=5)
    with pytest.raises(AgentUnavailableError, match="Cannot connect"):
        await agent_client.fetch_card(client, url, timeout_s=5)


async def test_a_card_that_cannot_be_had_now_is_unavailable(client: Client) -> None:
    async with serve(app({"/.well-known/agent-card.json": Response(status_code=503)})) as url:
        with pytest.raises(AgentUnavailableError, match="HTTP 503"):
            await agent_client.fetch_card(client, url, timeout_s=5)


async def test_a_card_is_not_fetched_from_a_metadata_service(client: Client) -> None:
    moved = Response(status_code=302, headers={"location": "http://169.254.169.254/card.json"})
    async with serve(app({"/.well-known/agent-card.json": moved})) as url:
        for address in (url, "http://169.254.169.254/card.json"):
            with pytest.raises(AddressRefusedError):
                await agent_client.fetch_card(client, address, timeout_s=5)


def test_what_people_see_of_a_card_cannot_control_a_terminal() -> None:
    card = agent_client.parse_card(CARD | {"name": "Good\u001b[2J\u202e name\u0000"})
    assert card.name == "Good[2J name"


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*CARD, *OLD_CARD]),
        st.none() | st.integers() | st.text() | st.lists(st.dictionaries(st.text(max_size=3), st.none() | st.text())),
    )
)
def test_any_change_of_a_card_is_accepted_or_a_clear_error(changes: JsonObject) -> None:
    for card in (CARD, OLD_CARD):
        try:
            agent_client.parse_card(card | changes)
        except FederationError as error:
            assert isinstance(error, AgentCardInvalidError)  # noqa: PT017 - no other error may come
