"""Routes that say how the orchestrator is: ready or not, and in numbers."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from pydantic import JsonValue
from sqlalchemy import Connection, func, select

from orchestrator_service import tasks
from orchestrator_service.api.parts import OpenParts, Parts, opened
from orchestrator_service.api.shapes import Answer
from orchestrator_service.models import Task
from orchestrator_service.registrar import base_of
from orchestrator_service.registry import visible_to
from orchestrator_service.registry_models import Agent
from shared.auth import LOCAL
from shared.errors import FederationError

router = APIRouter(tags=["health"])


class Readiness(Answer):
    """Whether all is there, and in sentences what is not."""

    ready: bool
    missing: list[str]


@router.get(
    "/ready",
    summary="Whether everything that belongs to the federation is there",
    responses={200: {"model": Readiness}, 503: {"model": Readiness, "description": "What is missing"}},
)
async def ready(request: Request) -> Response:
    """Answer 200 when the database, the engine and every bundled agent are; else 503 with what is not."""
    try:
        missing = await _missing(await opened(request))
    except FederationError as error:
        missing = [error.detail]
    body: dict[str, JsonValue] = {"ready": not missing, "missing": list(missing)}
    return JSONResponse(body, 503 if missing else 200)


@router.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
async def metrics(parts: OpenParts) -> Response:
    """Answer the numbers of now in Prometheus' text format."""
    numbers = CollectorRegistry()
    tasks_by_status = Gauge("federation_tasks", "Tasks, by status", ["status"], registry=numbers)
    agents_by_status = Gauge("federation_agents", "Registered agents, by status", ["status"], registry=numbers)
    waiting = Gauge("federation_queue_length", "Tasks that wait for a worker", registry=numbers)
    by_status, agents, queued = await parts.database.read(_count)
    for status, count in by_status:
        tasks_by_status.labels(status).set(count)
    for status, count in agents:
        agents_by_status.labels(status).set(count)
    waiting.set(queued)
    return Response(generate_latest(numbers), media_type=CONTENT_TYPE_LATEST)


async def _missing(parts: Parts) -> list[str]:
    settings = parts.settings
    endpoints = {name: base_of(settings.url_of(name)) for name in settings.bundled_agents}
    known = await parts.database.read(_statuses, list(endpoints.values()))
    return [
        f"The {name} agent is {known.get(endpoint, 'not registered')} ({endpoint})."
        for name, endpoint in endpoints.items()
        if known.get(endpoint) != "active"
    ]


def _statuses(connection: Connection, endpoints: Sequence[str]) -> dict[str, str]:
    """Return how the agents at these endpoints are, as far as they are registered."""
    rows = connection.execute(
        select(Agent.endpoint, Agent.status).where(visible_to(LOCAL), Agent.endpoint.in_(endpoints))
    )
    return {row.endpoint: "unreachable" if row.status == "error" else row.status for row in rows}


def _count(connection: Connection) -> tuple[list[tuple[str, int]], list[tuple[str, int]], int]:
    by_status = connection.execute(select(Task.status, func.count()).group_by(Task.status)).all()
    agents = connection.execute(select(Agent.status, func.count()).group_by(Agent.status)).all()
    return [(row[0], row[1]) for row in by_status], [(row[0], row[1]) for row in agents], tasks.count_queued(connection)
