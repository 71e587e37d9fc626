"""How fast is the registry with very many agents?

    .venv/bin/python benchmarks/discovery.py [--agents 10000] [--calls 200] [--database sqlite]

The agents are written into the orchestrator's database before it starts, 2 to 4 skills each, out of a vocabulary that
many of them share; then they are asked for over HTTP: for a need in plain words (`GET /api/agents/discover`), page by
page, by a capability that a few have, and by words. Targets: discover ≤ 10 ms median, a page of the list ≤ 20 ms.
"""

import argparse
import random
import statistics
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Final

import httpx
import uvloop
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from google.protobuf.json_format import MessageToDict
from sqlalchemy import Connection, text

from benchmarks.harness import databases, machine
from benchmarks.harness.databases import Database, open_database
from benchmarks.harness.processes import folder
from benchmarks.harness.scene import serve_orchestrator
from benchmarks.harness.tables import show, verdict
from orchestrator_service.admission import Registration, save
from orchestrator_service.settings import Settings
from shared import db
from shared.agent import JsonObject
from shared.auth import LOCAL

_VERBS: Final = ("translate", "summarize", "review", "analyze", "draw", "plan", "book", "check", "convert", "extract")
_THINGS: Final = (
    "contracts",
    "invoices",
    "images",
    "tables",
    "flights",
    "recipes",
    "logs",
    "meetings",
    "songs",
    "menus",
)
_BATCH: Final = 50
_NEEDS: Final = (
    "translate the contracts of our meetings",
    "please check these invoices and convert them",
    "which flights can you book for me next week?",
    "extract tables from shipments, then compare the forecasts",
    "draw songs",
)
_DISCOVER_MS: Final = 10.0
_PAGE_MS: Final = 20.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--database", default="sqlite", help=databases.HELP)
    parser.add_argument("--quick", action="store_true", help="few agents, few calls: to see that it works")
    chosen = parser.parse_args()
    print(machine.describe())
    agents, calls = (50, 5) if chosen.quick else (chosen.agents, chosen.calls)
    with folder() as data, open_database(chosen.database, data) as database:
        uvloop.run(_measure(data, database, agents, calls))


async def _measure(data: Path, database: Database, agents: int, calls: int) -> None:
    own = data / "orchestrator"
    settings = {"AGENT_CHECK_INTERVAL_S": 3600, "LOG_LEVEL": "warning"}
    async with (
        serve_orchestrator(own, database=database, settings=settings) as running,
        httpx.AsyncClient(base_url=running.url, timeout=30, trust_env=False) as client,
    ):
        began = perf_counter()
        stored = db.database_url(
            Settings.model_validate({"data_dir": own, "database_url": database.url}), "orchestrator"
        )
        async with db.open_database(stored) as opened:
            for first in range(0, agents, _BATCH):
                with db.patience(None):
                    await opened.write(_fill, range(first, min(first + _BATCH, agents)))
            if not opened.is_sqlite:
                await opened.write(_gather_statistics)
        print(f"{agents:,} agents stored in {perf_counter() - began:.1f} s")
        cases: list[tuple[str, Callable[[int], Awaitable[httpx.Response]], float]] = [
            (
                "discover, 5 of all",
                lambda number: client.get("/api/agents/discover", params={"q": _NEEDS[number % len(_NEEDS)]}),
                _DISCOVER_MS,
            ),
            ("a page of 50", _pages(client, {}), _PAGE_MS),
            ("a page of 50 by capability", _pages(client, {"capability": "draw-songs"}), _PAGE_MS),
            ("a page of 50 by words", _pages(client, {"q": "draw songs"}), _PAGE_MS),
            ("the floor: GET /health", lambda _: client.get("/health"), _PAGE_MS),
        ]
        rows = [await _time(name, call, most, calls) for name, call, most in cases]
    columns = ["call", "median ms", "p95 ms", "target ms"]
    show(f"Registry of {agents:,} agents, {database.name}; n = {calls}, one after the other", columns, rows)


def _pages(client: httpx.AsyncClient, params: dict[str, str]) -> Callable[[int], Awaitable[httpx.Response]]:
    cursor: list[str] = []

    async def page(_: int) -> httpx.Response:
        given = params | ({"cursor": cursor[0]} if cursor else {})
        answer = await client.get("/api/agents", params=given)
        following = answer.json()["next_cursor"]
        cursor[:] = [following] if following else []
        return answer

    return page


async def _time(name: str, call: Callable[[int], Awaitable[httpx.Response]], most: float, calls: int) -> list[str]:
    took_ms: list[float] = []
    for number in range(calls + 5):
        began = perf_counter()
        (await call(number)).raise_for_status()
        took_ms.append((perf_counter() - began) * 1000)
    counted = sorted(took_ms[5:])
    median = statistics.median(counted)
    return [name, f"{median:.1f}", f"{counted[int(len(counted) * 0.95)]:.1f}", f"≤ {most:g}: {verdict(median, most)}"]


def _gather_statistics(connection: Connection) -> None:
    """Do at once what PostgreSQL's autovacuum does within a minute."""
    connection.execute(text("ANALYZE"))


def _fill(connection: Connection, numbers: range) -> None:
    for number in numbers:
        card = _card(number, random.Random(number))
        raw: JsonObject = MessageToDict(card)
        health: JsonObject = {"state": "healthy", "checked_at": db.now().isoformat(), "latency_ms": 1.0, "error": None}
        looked: JsonObject = {"grade": {"letter": "A", "reasons": []}, "findings": [], "probes": [], "signature": {}}
        save(connection, LOCAL, Registration(f"http://10.0.0.1:{number}", card, raw, None, health, looked))


def _card(number: int, chance: random.Random) -> AgentCard:
    skills = {
        f"{verb}-{thing}": AgentSkill(
            id=f"{verb}-{thing}",
            name=f"{verb.capitalize()} {thing}",
            description=f"Can {verb} {thing} of any kind, and says where what it used came from.",
            tags=[verb, thing],
            examples=[f"{verb.capitalize()} these {thing}.", f"Please {verb} my {thing} for me."],
        )
        for verb, thing in [(chance.choice(_VERBS), chance.choice(_THINGS)) for _ in range(chance.randint(2, 4))]
    }
    return AgentCard(
        name=f"Agent {number}",
        description="One of very many.",
        version="1",
        supported_interfaces=[
            AgentInterface(url=f"http://10.0.0.1:{number}", protocol_binding="JSONRPC", protocol_version="1.0")
        ],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=list(skills.values()),
    )


if __name__ == "__main__":
    main()
