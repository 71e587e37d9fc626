"""Keeps the agents of AGENTS_FILE registered: a YAML file or a folder of them, read again whenever it changes.

    agents:
      - endpoint: http://127.0.0.1:9900
        name: Hello

An agent that is taken out of the file leaves the registry. A file that cannot be read is told of in the log, and what
it said before stays. Agents that do not answer yet are tried again.
"""

import asyncio
import hashlib
import logging
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, select

from orchestrator_service import registry
from orchestrator_service.agent_fields import AgentFields
from orchestrator_service.registrar import Registrar, endpoint_of
from orchestrator_service.registry_models import Agent
from shared import strict_yaml
from shared.auth import LOCAL, Caller
from shared.background import foreseen
from shared.db import Database, DatabaseUnavailableError
from shared.errors import FederationError, InvalidSettingError

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 16
_SUFFIXES: Final = frozenset({".yaml", ".yml"})


class Listed(AgentFields):
    """One agent of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Listing(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    agents: tuple[Listed, ...] = Field(max_length=20_000)


def check(path: Path) -> None:
    """See that there is a file or folder. Raises: InvalidSettingError."""
    if not path.exists():
        raise InvalidSettingError(f"AGENTS_FILE: there is no file or folder {path}; name one that is there.")


class AgentsFile:
    """Follows the file or folder at `path`. Raises: InvalidSettingError, when there is none."""

    def __init__(self, path: Path, registrar: Registrar, database: Database, retry_s: float) -> None:
        check(path)
        self._path = path.resolve()
        self._registrar = registrar
        self._database = database
        self._retry_s = retry_s
        self._digests: dict[Path, bytes] = {}
        self._listed: dict[Path, tuple[Listed, ...] | None] = {}
        self._registered: dict[str, Listed] = {}
        self._said: dict[str, str] = {}

    async def follow(self) -> None:
        """Register what is listed, now and after each change. Never returns."""
        from watchfiles import awatch  # noqa: PLC0415 # pyright: ignore[reportUnknownVariableType] - has trio's types

        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        await self._try_to_apply()
        folder = self._path if self._path.is_dir() else self._path.parent
        wait_ms = max(int(self._retry_s * 1000), 50)
        async for _ in awatch(
            folder, debounce=200, step=50, rust_timeout=wait_ms, yield_on_timeout=True, recursive=False
        ):
            await self._try_to_apply()

    async def _try_to_apply(self) -> None:
        try:
            await self._apply()
        except* DatabaseUnavailableError:
            logger.warning("AGENTS_FILE waits: the database is away")

    async def _apply(self) -> None:
        self._read()
        wanted = {
            endpoint_of(listed.to_new_agent()): listed for listing in self._listed.values() for listed in listing or ()
        }
        places = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for endpoint, listed in wanted.items():
                if self._registered.get(endpoint) != listed:
                    group.create_task(self._register(endpoint, listed, places))
        if None in self._listed.values():
            return  # who knows what a file says that was never read
        for agent_id, endpoint in await self._database.read(_from_files, LOCAL):
            if endpoint not in wanted:
                await self._database.write(_remove, LOCAL, agent_id)
                self._registered.pop(endpoint, None)
                logger.info("an agent was taken out of AGENTS_FILE", extra={"agent": endpoint})

    async def _register(self, endpoint: str, listed: Listed, places: asyncio.Semaphore) -> None:
        try:
            async with places:
                with foreseen(f"agent {endpoint}"):
                    await self._registrar.register(LOCAL, listed.to_new_agent("file"))
        except DatabaseUnavailableError:
            raise
        except FederationError as error:
            self._say(endpoint, error.detail)
        else:
            self._registered[endpoint] = listed
            self._said.pop(endpoint, None)

    def _read(self) -> None:
        """Read the files that changed; one that is no good keeps what it said before."""
        paths = self._files()
        for path in [path for path in self._listed if path not in paths]:
            del self._listed[path]
            self._digests.pop(path, None)
        for path in paths:
            try:
                content = path.read_bytes()
                digest = hashlib.sha256(content).digest()
                if self._digests.get(path) != digest:
                    self._digests[path] = digest
                    self._listed[path] = _Listing.model_validate(strict_yaml.parse(content)).agents
                    self._said.pop(str(path), None)
            except (OSError, strict_yaml.YamlError, ValidationError) as error:
                self._listed.setdefault(path, None)
                self._say(str(path), _explain(error))

    def _files(self) -> list[Path]:
        if not self._path.is_dir():
            return [self._path]
        return sorted(path for path in self._path.iterdir() if path.suffix in _SUFFIXES and path.is_file())

    def _say(self, about: str, reason: str) -> None:
        """Tell what is wrong, once."""
        if self._said.get(about) != reason:
            self._said[about] = reason
            logger.warning("AGENTS_FILE is not followed in full", extra={"about": about, "reason": reason})


def _explain(error: OSError | strict_yaml.YamlError | ValidationError) -> str:
    match error:
        case ValidationError():
            first = error.errors()[0]
            return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}. What it said before stays."
        case OSError():
            return f"It cannot be read: {error.strerror}. What it said before stays."
        case _:
            return f"It {error}. What it said before stays."


def _from_files(connection: Connection, caller: Caller) -> list[tuple[str, str]]:
    query = select(Agent.id, Agent.endpoint).where(registry.visible_to(caller), Agent.source == "file")
    return [(row.id, row.endpoint) for row in connection.execute(query)]


def _remove(connection: Connection, caller: Caller, agent_id: str) -> None:
    if any(agent_id == known for known, _ in _from_files(connection, caller)):
        registry.remove(connection, caller, agent_id)
