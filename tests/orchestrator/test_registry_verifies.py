"""The registry looks before it trusts: findings and a grade, and nothing half-registered."""

import asyncio
import json
import math
import random
import string
from pathlib import Path
from typing import cast

import pytest
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import AgentCard
from a2a.utils.signing import ProtectedHeader, create_agent_card_signer
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.json_format import MessageToDict, ParseDict
from jwt import PyJWK
from jwt.algorithms import ECAlgorithm
from pydantic import JsonValue

from orchestrator_service.verification import grading
from shared.agent import JsonObject
from tests.orchestrator.fickle import Fickle, Manner, skill
from tests.orchestrator.test_registry import ECHO
from tests.support.federation import federation, free_port, names


@pytest.fixture(autouse=True)
def _machine_is_quick_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grade what agents do: how soon they answer is a matter of the machine that the tests run on."""
    monkeypatch.setattr(grading, "_SLOW_MS", math.inf)


def _grade(agent: JsonObject) -> JsonObject:
    verification = cast("JsonObject", agent["verification"])
    return cast("JsonObject", verification["grade"])


def _findings(agent: JsonObject) -> list[JsonObject]:
    return cast("list[JsonObject]", cast("JsonObject", agent["verification"])["findings"])


def _reason(agent: JsonObject, part: str) -> str:
    reasons = cast("list[JsonObject]", _grade(agent)["reasons"])
    return next(str(each["text"]) for each in reasons if each["part"] == part)


async def test_a_sound_agent_gets_an_a_with_a_reason_for_each_part(tmp_path: Path, database_url: str | None) -> None:
    async with federation(tmp_path, ECHO, register=False, database_url=database_url) as running:
        agent = await running.post("/api/agents", {"endpoint": running.endpoints["Echo"]}, 201)
        assert agent["grade"] == "A", agent["verification"]
        parts = names(_grade(agent)["reasons"], "part")
        assert parts == ["card", "dialects", "streaming", "cancel", "push", "latency"]
        assert "JSONRPC 1.0" in _reason(agent, "dialects")
        assert "HTTP+JSON 1.0" in _reason(agent, "dialects")
        assert "JSONRPC 0.3" in _reason(agent, "dialects")
        assert (await running.get(f"/api/agents/{agent['id']}"))["verification"] == agent["verification"]


async def test_an_agent_of_the_older_dialect_is_asked_in_it(tmp_path: Path) -> None:
    async with Fickle().serving() as fickle, federation(tmp_path) as running:
        fickle.card["supportedInterfaces"] = [
            {"url": fickle.url, "protocolBinding": "JSONRPC", "protocolVersion": "0.3"}
        ]
        agent = await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        assert fickle.methods == ["tasks/get", "tasks/resubscribe"]
        assert agent["grade"] == "B"
        assert "nothing newer" in _reason(agent, "dialects")


@pytest.mark.parametrize("manner", ["html", "unknown methods"])
async def test_an_agent_that_speaks_neither_dialect_is_told_so_and_not_stored(tmp_path: Path, manner: Manner) -> None:
    async with Fickle().serving() as fickle, federation(tmp_path) as running:
        fickle.manner = manner
        refused = await running.post("/api/agents", {"endpoint": fickle.url}, 422)
        assert str(refused["type"]).endswith("agent-speaks-no-a2a")
        assert "JSONRPC 1.0" in str(refused["detail"])
        assert "GetTask" in str(refused["findings"])
        assert (await running.get("/api/agents"))["items"] == []


async def test_an_agent_with_no_binding_that_is_spoken_here_is_told_which_are(tmp_path: Path) -> None:
    async with Fickle().serving() as fickle, federation(tmp_path) as running:
        fickle.card["supportedInterfaces"] = [{"url": fickle.url, "protocolBinding": "GRPC", "protocolVersion": "1.0"}]
        refused = await running.post("/api/agents", {"endpoint": fickle.url}, 422)
        assert "must speak JSON-RPC or HTTP+JSON" in str(refused["detail"])


@pytest.mark.parametrize(
    ("binding", "url"),
    [("https://bindings.example/websocket", "wss://agent.example/a2a"), ("grpc", "agent.example:50051")],
)
async def test_an_agent_may_offer_bindings_besides_whose_addresses_are_of_their_own_kind(
    tmp_path: Path, binding: str, url: str
) -> None:
    async with Fickle().serving() as fickle, federation(tmp_path) as running:
        assert isinstance(interfaces := fickle.card["supportedInterfaces"], list)
        interfaces.insert(0, {"url": url, "protocolBinding": binding, "protocolVersion": "1.0"})
        agent = await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        assert agent["status"] == "active"
        assert "must be an absolute" not in str(_findings(agent))


@pytest.mark.parametrize(
    ("manner", "grade", "found"),
    [("odd", "BCDEF", "nobody began"), ("failing", "F", "HTTP 500"), ("locked", "ABC", "credentials")],
)
async def test_a_probe_that_fails_leaves_its_finding_with_the_whole_agent(
    tmp_path: Path, manner: Manner, grade: str, found: str
) -> None:
    async with Fickle().serving() as fickle, federation(tmp_path) as running:
        fickle.manner = manner
        agent = await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        assert str(agent["grade"]) in grade
        assert found in str(_findings(agent))
        assert names(agent["skills"], "id") == ["echo"]
        assert names((await running.get("/api/agents", params={"capability": "echo"}))["items"], "id") == [agent["id"]]


async def test_a_claim_to_push_is_looked_at(tmp_path: Path) -> None:
    async with Fickle().serving() as fickle, federation(tmp_path) as running:
        fickle.card["capabilities"] = {"streaming": True, "pushNotifications": True}
        sound = await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        assert fickle.methods == ["GetTask", "SubscribeToTask", "ListTaskPushNotificationConfigs"]
        assert "as claimed" in _reason(sound, "push")
        fickle.manner = "no push"
        lying = await running.post("/api/agents", {"endpoint": fickle.url}, 200)
        assert "claimed, but ListTaskPushNotificationConfigs: refused" in _reason(lying, "push")
        assert lying["grade"] == "B"


async def test_an_agent_whose_card_points_where_nobody_answers_is_not_stored(tmp_path: Path) -> None:
    async with Fickle().serving() as fickle, federation(tmp_path) as running:
        nowhere = f"http://127.0.0.1:{free_port()}/"
        fickle.card["supportedInterfaces"] = [{"url": nowhere, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]
        refused = await running.post("/api/agents", {"endpoint": fickle.url}, 502)
        assert str(refused["type"]).endswith("agent-unreachable")
        assert (await running.get("/api/agents"))["items"] == []


async def test_a_card_that_is_no_card_says_all_that_is_missing_and_where(tmp_path: Path) -> None:
    async with federation(tmp_path) as running:
        refused = await running.post("/api/agents", {"card": {"name": "x", "skills": [{"id": "a"}]}}, 422)
        assert str(refused["type"]).endswith("agent-card-invalid")
        wheres = names(refused["findings"], "where")
        assert {"/description", "/version", "/supportedInterfaces", "/skills/0/name"} <= set(map(str, wheres))
        assert all(names(refused["findings"], "clause"))


@pytest.mark.parametrize("field", ["id", "name", "tags"])
async def test_a_word_that_is_too_long_for_an_index_is_a_fault_of_the_card(
    tmp_path: Path, database_url: str | None, field: str
) -> None:
    word = "".join(random.Random(1).choices(string.ascii_letters, k=9_000))
    async with Fickle().serving() as fickle, federation(tmp_path, database_url=database_url) as running:
        [own] = cast("list[JsonObject]", fickle.card["skills"])
        words: list[JsonValue] = [word]
        fickle.card["skills"] = [{**own, field: words if field == "tags" else word}]
        refused = await running.post("/api/agents", {"endpoint": fickle.url}, 422)
        assert f"/skills/0/{field}" in str(refused["detail"])
        assert "longer than 500" in str(refused["detail"])
        await running.post("/api/agents", {"endpoint": fickle.url, "capabilities": words}, 422)


async def test_a_card_at_an_odd_path_is_found(tmp_path: Path) -> None:
    async with Fickle(card_path="/odd/place.json").serving() as fickle, federation(tmp_path) as running:
        agent = await running.post("/api/agents", {"endpoint": f"{fickle.url}/odd/place.json"}, 201)
        assert (agent["name"], agent["grade"]) == ("Fickle", "A")


async def test_a_name_that_imitates_another_is_flagged(tmp_path: Path, database_url: str | None) -> None:
    other, same = Fickle("Есho"), Fickle("Echo")
    async with other.serving(), same.serving(), federation(tmp_path, ECHO, database_url=database_url) as running:
        agent = await running.post("/api/agents", {"endpoint": other.url}, 201)
        [found] = [each for each in _findings(agent) if each["where"] == "/name"]
        assert found["severity"] == "warning"
        assert "Echo" in str(found["text"])
        assert agent["grade"] != "A"
        agent = await running.post("/api/agents", {"endpoint": same.url}, 201)
        assert {str(each["severity"]) for each in _findings(agent) if each["where"] == "/name"} == {"note", "warning"}


async def test_an_imitation_that_is_looked_at_while_the_other_one_registers_is_flagged(
    tmp_path: Path, database_url: str | None
) -> None:
    imitation = Fickle("Есho")
    async with imitation.serving(), federation(tmp_path, ECHO, register=False, database_url=database_url) as running:
        imitation.may_answer.clear()
        registering = asyncio.create_task(running.post("/api/agents", {"endpoint": imitation.url}, 201))
        await imitation.asked.wait()
        await running.post("/api/agents", {"endpoint": running.endpoints["Echo"]}, 201)
        imitation.may_answer.set()
        [found] = [each for each in _findings(await registering) if each["where"] == "/name"]
        assert found["severity"] == "warning"


async def test_a_name_that_an_agent_was_given_later_cannot_be_imitated_either(tmp_path: Path) -> None:
    other = Fickle("Саsh desk")
    async with other.serving(), federation(tmp_path, ECHO) as running:
        [echo] = (await running.client.get("/api/agents")).json()["items"]
        await running.client.patch(f"/api/agents/{echo['id']}", json={"name": "Cash desk"})
        agent = await running.post("/api/agents", {"endpoint": other.url}, 201)
        [found] = [each for each in _findings(agent) if each["where"] == "/name"]
        assert found["severity"] == "warning"


class _Signer:
    """A key that signs cards: by the official SDK, or as the specification says."""

    def __init__(self, kid: str, jku: str | None = None) -> None:
        self._header = {"kid": kid, "alg": "ES256", "jku": jku, "typ": "JOSE"}
        private = ec.generate_private_key(ec.SECP256R1())
        self._key = PyJWK({**ECAlgorithm.to_jwk(private, as_dict=True), "kid": kid}, algorithm="ES256")
        self.jwk: JsonObject = {**ECAlgorithm.to_jwk(private.public_key(), as_dict=True), "kid": kid}

    def sign(self, card: JsonObject) -> JsonObject:
        plain = {field: value for field, value in card.items() if field != "signatures"}
        signed = create_agent_card_signer(self._key, cast("ProtectedHeader", self._header))(
            ParseDict(plain, AgentCard())
        )
        return cast("JsonObject", MessageToDict(signed))


def _signature(agent: JsonObject) -> object:
    return cast("JsonObject", cast("JsonObject", agent["verification"])["signature"])["state"]


async def test_a_card_signed_with_a_trusted_key_is_known_as_such_and_a_forged_one_is_not(tmp_path: Path) -> None:
    signer = _Signer("mine")
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [signer.jwk]}))
    async with Fickle().serving() as fickle, federation(tmp_path, agent_trusted_keys=keys) as running:
        fickle.card = signer.sign(fickle.card)
        agent = await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        assert (_signature(agent), agent["grade"]) == ("trusted", "A")
        fickle.card["skills"] = [skill("steal")]
        await running.client.delete(f"/api/agents/{agent['id']}")
        forged = await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        assert _signature(forged) == "invalid"
        assert str(forged["grade"]) > "B"


@pytest.mark.parametrize("added", ["nothing", "an interface", "a scheme", "a requirement"])
async def test_what_a_card_says_in_the_words_of_0_3_is_signed_too(tmp_path: Path, added: str) -> None:
    signer = _Signer("mine")
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [signer.jwk]}))
    honest, copy = Fickle(), Fickle()
    async with honest.serving(), copy.serving(), federation(tmp_path, agent_trusted_keys=keys) as running:
        copy.card = _with_0_3(signer, honest)
        match added:
            case "an interface":
                copy.card["supported_interfaces"] = copy.card.pop("supportedInterfaces")
                copy.card["url"] = copy.url
            case "a scheme":
                cast("JsonObject", copy.card["securitySchemes"])["other"] = {"type": "http", "scheme": "bearer"}
            case "a requirement":
                copy.card["security"] = [{"key": ["all"]}]
            case _:
                assert copy.card["url"] == f"{honest.url}/"
        agent = await running.post("/api/agents/preview", {"endpoint": copy.url})
        assert _signature(agent) == ("trusted" if added == "nothing" else "invalid")


def _with_0_3(signer: _Signer, agent: Fickle) -> JsonObject:
    """Return an agent's signed card as the official SDK serves it: with 0.3's fields in it."""
    [interface] = cast("list[JsonObject]", agent.card["supportedInterfaces"])
    interfaces: list[JsonValue] = [interface, {**interface, "protocolVersion": "0.3"}]
    schemes: JsonObject = {"key": {"apiKeySecurityScheme": {"location": "header", "name": "X-Key"}}}
    signed = signer.sign({**agent.card, "supportedInterfaces": interfaces, "securitySchemes": schemes})
    return cast("JsonObject", agent_card_to_dict(ParseDict(signed, AgentCard())))


async def test_the_first_key_is_pinned_and_another_one_quarantines(tmp_path: Path, database_url: str | None) -> None:
    fickle = Fickle()
    first, second = _Signer("k1", f"{fickle.url}/keys.json"), _Signer("k1", f"{fickle.url}/keys.json")
    async with fickle.serving(), federation(tmp_path, database_url=database_url) as running:
        fickle.card, fickle.keys = first.sign(fickle.card), [first.jwk]
        agent = await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        assert _signature(agent) == "first"
        fickle.card["version"] = "2"
        fickle.card = first.sign(fickle.card)
        agent = await running.post(f"/api/agents/{agent['id']}/refresh")
        assert (_signature(agent), agent["status"]) == ("pinned", "active")
        fickle.card, fickle.keys = second.sign(fickle.card), [second.jwk]
        agent = await running.post(f"/api/agents/{agent['id']}/refresh")
        assert agent["status"] == "quarantined"
        assert names(cast("JsonObject", agent["quarantine"])["changes"], "field") == ["signature"]


async def test_keys_elsewhere_than_at_the_cards_origin_are_never_fetched(tmp_path: Path) -> None:
    fickle, elsewhere = Fickle(), Fickle()
    signer = _Signer("k", f"{elsewhere.url}/keys.json")
    async with fickle.serving(), elsewhere.serving(), federation(tmp_path) as running:
        fickle.card, elsewhere.keys = signer.sign(fickle.card), [signer.jwk]
        agent = await running.post("/api/agents", {"endpoint": fickle.url}, 201)
        assert _signature(agent) == "unknown"
