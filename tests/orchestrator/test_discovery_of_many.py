"""An agent that fits is found however many others share its words and do not fit."""

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from orchestrator_service import admission, discovery, registry
from orchestrator_service.admission import Registration
from orchestrator_service.registry import Changes, Filters
from shared.agent import JsonObject
from shared.agent_card import parse_card
from shared.auth import LOCAL, Caller
from tests.orchestrator.fickle import Fickle
from tests.orchestrator.stored_tasks import tables

_OTHERS = 35


def _registration(name: str) -> Registration:
    skill: JsonObject = {"id": "read-invoices", "name": "Read invoices", "description": "Reads them.", "tags": ["tax"]}
    raw: JsonObject = {**Fickle(name).card, "skills": [skill]}
    return Registration(f"http://{name}.test", parse_card(raw), raw, None, {"state": "healthy"}, {"grade": None})


def _fill(connection: Connection) -> str:
    """Register agents of another tenant, agents that are switched off, and one that fits; return its id."""
    for number in range(_OTHERS):
        admission.save(connection, Caller("other"), _registration(f"other{number}"))
        agent_id, _ = admission.save(connection, LOCAL, _registration(f"off{number}"))
        registry.change(connection, LOCAL, agent_id, Changes(status="inactive"))
    fitting, _ = admission.save(
        connection, LOCAL, replace(_registration("fitting"), capabilities=("read-invoices", "vat"))
    )
    return fitting


async def test_an_agent_that_fits_is_found_among_many_that_share_its_words(
    tmp_path: Path, database_url: str | None
) -> None:
    async with tables(tmp_path, database_url) as database:
        fitting = await database.write(_fill)
        for need in ("invoices", "read invoices"):
            found = await database.read(discovery.rank, LOCAL, need, 5)
            assert [match.offer.agent_id for match in found] == [fitting]
            for filters in (Filters(status="active", q=need), Filters(capability="vat", q=need)):
                listed = await database.read(registry.list_agents, LOCAL, filters, None, 50)
                assert [agent["id"] for agent in listed] == [fitting]
