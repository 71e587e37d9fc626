"""What routes work with: the open parts of the orchestrator, who asks, and one page of a list."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, cast

from fastapi import Depends, Header, Query
from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, WithJsonSchema
from starlette.requests import HTTPConnection

from orchestrator_service import choosing
from orchestrator_service.choosing import Choice
from orchestrator_service.credentials import Credentials
from orchestrator_service.event_log import EventLog
from orchestrator_service.intake import Intake
from orchestrator_service.keys import Keys
from orchestrator_service.meaning import Meaning, Near
from orchestrator_service.registrar import Registrar
from orchestrator_service.schedules import Schedules
from orchestrator_service.settings import Settings
from shared import http
from shared.agent import JsonObject
from shared.agent_client import AgentConnection, Deadlines, Tap, parse_card
from shared.auth import LOCAL, Caller
from shared.db import Database
from shared.errors import UnavailableError

_DATE: Final = re.compile(r"[0-9]{4}-")


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that is open while the orchestrator serves.

    `nudge(task_id, step_id)` says that an agent has news; `drain` is to be called when the process is about to stop.
    """

    settings: Settings
    database: Database
    log: EventLog
    intake: Intake
    registrar: Registrar
    keys: Keys
    client: http.Client
    credentials: Credentials
    nudge: Callable[[str, str], None]
    drain: Callable[[], None]
    meaning: Meaning | None
    schedules: Schedules

    async def near(self, need: str | None) -> Mapping[str, Near]:
        """Return the skills that are near to a need by its meaning; none without an embedding model."""
        return {} if self.meaning is None or not need else await self.meaning.of(need)

    async def connect(self, agent: Choice, tap: Tap | None = None) -> AgentConnection:
        """Return a connection to an agent, for what people say to it by hand. Raises: as `Credentials.connect`."""
        card = parse_card(await self.database.read(choosing.card, agent.agent_id))
        deadlines = Deadlines(gap_s=self.settings.stream_gap_timeout_s, total_s=self.settings.step_timeout_s)
        return self.credentials.connect(card, agent.credentials, deadlines=deadlines, tap=tap)


async def opened(connection: HTTPConnection) -> Parts:
    """Return the open parts. Raises: UnavailableError while the service starts or stops.

    A coroutine, as `caller`: FastAPI runs plain functions in threads, which costs more than all they do.
    """
    found = cast("Parts | None", getattr(connection.app.state, "parts", None))
    if found is None:
        raise UnavailableError("The orchestrator is starting or stopping; try again in a moment.")
    return found


async def caller() -> Caller:
    """Return who asks."""
    return LOCAL


def _to_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("it has no time zone; end it with Z for UTC")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("it is before the year 1 or after the year 9999 in UTC") from error


def _of_a_date(value: object) -> object:
    if isinstance(value, str) and not _DATE.match(value):  # a bare number would be seconds since 1970
        raise ValueError("it is not a time such as 2026-01-31T12:00:00Z (RFC 3339)")
    return value


OpenParts = Annotated[Parts, Depends(opened)]
WhoAsks = Annotated[Caller, Depends(caller)]
SeqNumber = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""The number of an event, within what every reader of JSON can tell apart (RFC 7493, 2.2)."""
Time = Annotated[datetime, BeforeValidator(_of_a_date), AfterValidator(_to_utc)]
"""A moment of a query, in UTC."""
Prefer = Annotated[list[str] | None, WithJsonSchema({"type": "string"}), Header(max_length=20)]
"""Several headers are one, with commas (RFC 9110, 5.3): a list only because each comes by itself."""
Limit = Annotated[int, Query(ge=1, le=200, description="Most items to answer.")]
Cursor = Annotated[
    str | None,
    Query(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description="`next_cursor` of the page before."),
]


def preferred(prefer: Sequence[str] | None, name: str) -> str | None:
    """Return the value of a preference, empty if it has none; None if it is not there. The first one counts.

    Source: https://www.rfc-editor.org/rfc/rfc7240#section-2
    """
    for each in ",".join(prefer or ()).split(","):
        key, _, value = each.partition(";")[0].partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"')
    return None


def page(items: Sequence[JsonObject], limit: int) -> JsonObject:
    """Return one page of a list: the cursor is the last item's id, if there may be more."""
    more = len(items) == limit
    return {"items": list[JsonValue](items), "next_cursor": items[-1]["id"] if more else None}
