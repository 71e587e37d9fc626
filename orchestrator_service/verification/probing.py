"""Asks an agent harmlessly what it really speaks: about a task that nobody began, at each interface of its card.

A sound agent answers GetTask, SubscribeToTask and ListTaskPushNotificationConfigs of an unknown task with
TaskNotFoundError (A2A 1.0, 3.3.2) and does nothing. CancelTask is not asked: a server in use (fasta2a 2.1) does not
survive the cancel of a task it does not know.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, Literal, TypeAlias
from uuid import uuid4

from a2a.types import AgentCard, AgentInterface

from orchestrator_service.verification.findings import Finding
from shared import agent_client, agent_refusals, http
from shared.agent import JsonObject
from shared.agent_auth import AgentAuth
from shared.agent_client import AgentConnection, Deadlines, Limits
from shared.agent_wire import AgentWire, Clock
from shared.errors import (
    AgentFailedError,
    AgentProtocolError,
    AgentUnavailableError,
    FederationError,
    TimedOutError,
)

Outcome: TypeAlias = Literal["ok", "odd", "locked", "refused", "foreign", "failed", "away", "not asked"]
"""ok: as the specification says; odd: in the dialect, but not as it says; locked: it asks for credentials; refused: it
does not offer it; foreign: what came is not A2A; failed: an error of the server; away: no answer at all."""

_Method: TypeAlias = Literal["GetTask", "SubscribeToTask", "ListTaskPushNotificationConfigs"]

_CLAUSES: Final[dict[_Method, str]] = {
    "GetTask": "A2A 1.0, 3.1.3",
    "SubscribeToTask": "A2A 1.0, 3.1.6",
    "ListTaskPushNotificationConfigs": "A2A 1.0, 3.1.9",
}
_MOST_INTERFACES: Final = 8
_SPEAKS: Final = frozenset[Outcome]({"ok", "odd", "locked"})


@dataclass(frozen=True, slots=True)
class Probe:
    """What one interface did. `latency_ms` is how long GetTask took; None if it was not answered."""

    interface: str
    get: Outcome
    subscribe: Outcome
    pushes: Outcome
    latency_ms: float | None
    findings: tuple[Finding, ...]

    @property
    def speaks(self) -> bool:
        """Whether it answers in the dialect that the card claims."""
        return self.get in _SPEAKS

    def to_json(self) -> JsonObject:
        """Return it as the API shows it."""
        return {
            "interface": self.interface,
            "get": self.get,
            "subscribe": self.subscribe,
            "push": self.pushes,
            "latency_ms": self.latency_ms,
        }


async def probe(client: http.Client, card: AgentCard, *, auth: AgentAuth | None, timeout_s: float) -> Sequence[Probe]:
    """Ask every interface whose dialect is spoken here, all at once; an agent's failures are what is found."""
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(_probe(client, card, interface, auth, timeout_s))
            for interface in card.supported_interfaces[:_MOST_INTERFACES]
        ]
    return [task.result() for task in asked]


async def _probe(
    client: http.Client,
    card: AgentCard,
    interface: AgentInterface,
    auth: AgentAuth | None,
    timeout_s: float,
) -> Probe:
    name = f"{interface.protocol_binding} {interface.protocol_version} {interface.url}"
    deadlines = Deadlines(connect_s=min(5.0, timeout_s), first_byte_s=timeout_s, gap_s=timeout_s, total_s=timeout_s)
    connection = _connect(client, card, interface, auth)
    if connection is None:
        return Probe(name, "not asked", "not asked", "not asked", None, ())
    wire = AgentWire(client, connection.endpoint, Limits())
    began = monotonic()
    get, findings = await _ask(wire, "GetTask", name, deadlines)
    latency_ms = None if get == "away" else round((monotonic() - began) * 1000, 1)
    subscribe: Outcome = "not asked"
    pushes: Outcome = "not asked"
    if get in _SPEAKS and card.capabilities.streaming:
        subscribe, of_subscribe = await _ask(wire, "SubscribeToTask", name, deadlines)
        findings += of_subscribe
    if get in _SPEAKS and card.capabilities.push_notifications and connection.endpoint.binding != "JSONRPC 0.3":
        pushes, of_pushes = await _ask(wire, "ListTaskPushNotificationConfigs", name, deadlines)
        findings += of_pushes
    return Probe(name, get, subscribe, pushes, latency_ms, tuple(findings))


def _connect(
    client: http.Client, card: AgentCard, interface: AgentInterface, auth: AgentAuth | None
) -> AgentConnection | None:
    """Return the connection to just this interface; None if its dialect is not spoken here."""
    single = AgentCard(name=card.name, capabilities=card.capabilities, supported_interfaces=[interface])
    try:
        return agent_client.connect(client, single, auth=auth)
    except FederationError:
        return None


async def _ask(wire: AgentWire, method: _Method, where: str, deadlines: Deadlines) -> tuple[Outcome, list[Finding]]:
    """Ask about a task that nobody began, and judge the answer."""
    params: JsonObject = {"id": str(uuid4())}
    clock = Clock(deadlines)
    try:
        match method:
            case "GetTask":
                await wire.call("get", params, clock)
            case "ListTaskPushNotificationConfigs":
                await wire.call("pushes", params, clock)
            case "SubscribeToTask":
                stream = await wire.stream("subscribe", params, clock)
                try:
                    await stream.next_event()
                finally:
                    stream.close()
    except FederationError as error:
        outcome, text = _judge(error)
    else:
        outcome, text = "odd", "answers about a task that nobody began as if there were one"
    if outcome == "ok":
        return outcome, []
    severity = "note" if outcome == "locked" else "warning"
    return outcome, [Finding(severity, where, f"{text} ({method})", _CLAUSES[method])]


def _judge(error: FederationError) -> tuple[Outcome, str]:
    code = error.facts.get("rpc_code")
    if isinstance(error, AgentFailedError) and code == agent_refusals.TASK_NOT_FOUND:
        return "ok", ""
    is_away = isinstance(error, TimedOutError) or (
        isinstance(error, AgentUnavailableError) and error.facts.get("reached") is False and "HTTP" not in error.detail
    )
    verdict: tuple[Outcome, str]
    match error:
        case AgentFailedError():
            verdict = ("locked", "asks for credentials") if code is None else ("odd", "does not say TaskNotFoundError")
        case AgentProtocolError():
            verdict = ("foreign", "does not answer A2A") if code is None else ("refused", "does not do what it claims")
        case _:
            verdict = ("away", "does not answer") if is_away else ("failed", "fails")
    return verdict[0], f"{verdict[1]}: {error.detail.rstrip('.')}"
