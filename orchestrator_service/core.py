"""What every process of the orchestrator has open, whether it serves the API or only works."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator_service.credentials import Credentials
from orchestrator_service.deliveries import Deliveries
from orchestrator_service.engine.engine import Engine
from orchestrator_service.engine.workers import sole_owner
from orchestrator_service.event_log import EventLog
from orchestrator_service.keys import Keys, open_keys
from orchestrator_service.meaning import Meaning
from orchestrator_service.registrar import Registrar
from orchestrator_service.settings import Settings
from orchestrator_service.signals import open_signals
from orchestrator_service.spawning import Spawner
from shared import http, llm
from shared.background import background
from shared.db import Database, database_url, open_database
from shared.db_migration import migrate
from shared.embeddings import open_embeddings

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Core:
    """The open parts. `engine` and `deliveries` work from when `working` is entered."""

    database: Database
    log: EventLog
    keys: Keys
    client: http.Client
    credentials: Credentials
    engine: Engine
    deliveries: Deliveries
    registrar: Registrar
    spawner: Spawner
    meaning: Meaning | None

    @asynccontextmanager
    async def working(self) -> AsyncGenerator[None]:
        """Run tasks and deliver webhooks."""
        await self.spawner.look()
        async with (
            self.deliveries.open(),
            self.engine.open(),
            background("agents from templates", self.spawner.follow()),
        ):
            yield


async def make_tables(database: Database) -> None:
    """Make the orchestrator's tables, or bring them up to date."""
    await migrate(database, _MIGRATIONS, "federation_version", "0013")


@asynccontextmanager
async def open_core(settings: Settings) -> AsyncGenerator[Core]:
    """Open the database, brought up to date, and what stands on it. Raises: AlreadyRunningError (SQLite)."""
    url = database_url(settings, "orchestrator")
    async with open_database(url) as database, sole_owner(settings, database):
        await make_tables(database)
        keys = open_keys(settings)
        async with (
            open_signals(database) as signals,
            http.open_client(settings) as client,
            llm.open_models(settings) as models,
        ):
            log = EventLog(database, signals)
            credentials = Credentials(keys, client)
            deliveries = Deliveries(database, client, keys.webhook_secret())
            embeddings = open_embeddings(settings, client)
            meaning = None if embeddings is None else Meaning(database, embeddings)
            registrar = Registrar(
                settings,
                database,
                client,
                credentials,
                stop=lambda agent_id: signals.tell("suspend", agent_id),
                changed=lambda: None if meaning is None else meaning.wake(),
            )
            spawner = Spawner(settings, client, database, registrar)
            engine = Engine(settings, log, signals, keys, credentials, models, deliveries.wake, spawner, embeddings)
            yield Core(
                database,
                log,
                keys,
                client,
                credentials,
                engine,
                deliveries,
                registrar,
                spawner,
                meaning,
            )
