"""Tells those who asked for it what becomes of a task: A2A's push notifications, kept until they have arrived.

Each is a POST of a stream response, signed as Standard Webhooks say besides what the config asks for, sent at least
once with the same id, those of one config in order, until the receiver takes it, wants no more (410), or a day is over.
"""

import asyncio
import base64
import logging
from contextlib import AsyncExitStack, nullcontext, suppress
from typing import TYPE_CHECKING, Final

import httpx
import orjson
from a2a.types import InvalidParamsError, StreamResponse, TaskPushNotificationConfig
from google.protobuf.json_format import MessageToDict

from shared import agent_push_records, http, secret_key, webhooks
from shared.agent_push_records import Due, SealedConfig
from shared.background import foreseen
from shared.db import Database, now
from shared.errors import AddressRefusedError, FederationError, InvalidRequestError, UnavailableError
from shared.settings import FederationSettings, ServiceName

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 32
_POLL_S: Final = 5.0
_MAX_URL_CHARS: Final = 2_048
_MAX_SECRET_CHARS: Final = 4_096
_MAX_ID_CHARS: Final = 256


class UnreadableConfigError(FederationError):
    """A push config was stored with another secret."""

    slug = "push-config-unreadable"
    title = "A push notification config cannot be read"


class Push:
    """The push notifications of one service in this process."""

    def __init__(self, settings: FederationSettings, service: ServiceName, database: Database) -> None:
        self._settings = settings
        self._service: ServiceName = service
        self._database = database
        self._woken = asyncio.Event()
        self._under_way = 0
        self._secret: bytes | None = None

    async def seal(self, config: TaskPushNotificationConfig) -> SealedConfig:
        """Return a config as it is stored.

        Raises: the SDK's InvalidParamsError for a URL that may not be called, or what no header can carry.
        """
        for name, value in (("token", config.token), ("scheme", config.authentication.scheme)):
            _check_header(name, value)
        _check_header("credentials", config.authentication.credentials)
        if len(config.id) > _MAX_ID_CHARS or not config.id.isprintable():
            raise InvalidParamsError(f"The config's id must have at most {_MAX_ID_CHARS} characters, all printable.")
        try:
            if len(config.url) > _MAX_URL_CHARS:
                raise InvalidRequestError(f"It has more than {_MAX_URL_CHARS} characters.")
            with suppress(UnavailableError) if self._settings.a2a_conformance else nullcontext():
                await http.check_url(self._settings, config.url)
        except (AddressRefusedError, InvalidRequestError, UnavailableError) as error:
            raise InvalidParamsError(f"The push notification URL cannot be used. {error.detail}") from error
        return SealedConfig(config.id, (await self._box()).encrypt(config.SerializeToString()))

    async def save(self, task_id: str, config: TaskPushNotificationConfig) -> str:
        """Store a task's config and return its id. Raises: as `seal`."""
        sealed = await self.seal(config)
        return await self._database.write(agent_push_records.save, task_id, sealed)

    async def find_all(self, task_id: str) -> list[TaskPushNotificationConfig]:
        """Return a task's configs, oldest first. Raises: UnreadableConfigError."""
        found = await self._database.read(agent_push_records.find_all, task_id)
        return [await self._unseal(task_id, sealed) for sealed in found]

    async def remove(self, task_id: str, config_id: str) -> None:
        """Delete a config, and what was still to be told."""
        await self._database.write(agent_push_records.remove, task_id, config_id)

    def wake(self) -> None:
        """Look at once: something is to be told."""
        self._woken.set()

    async def work(self) -> None:
        """Deliver until cancelled. What is under way then is sent again by the next process."""
        if self._database.is_sqlite:
            await self._database.write(agent_push_records.end_leases, self._service)
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as sending:
            client: httpx.AsyncClient | None = None
            while True:
                self._woken.clear()
                due, pause_s = await self._claim()
                if due and client is None:  # most services never need one
                    client = await stack.enter_async_context(http.open_client(self._settings))
                if client is not None:
                    self._under_way += len(due)
                    for each in due:
                        sending.create_task(self._send(client, each))
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._woken.wait()

    async def _claim(self) -> tuple[list[Due], float | None]:
        """Return what is now this process's to send, and how long to wait before the next look (None: until woken)."""
        idle_s = None if self._database.is_sqlite else _POLL_S  # another process may have died
        room = _AT_ONCE - self._under_way
        if room == 0:
            return [], _POLL_S  # the end of a try wakes
        try:
            next_at = await self._database.read(agent_push_records.find_next_at, self._service)
            if next_at is None:
                return [], idle_s
            wait_s = (next_at - now()).total_seconds()
            if wait_s > 0:
                return [], min(wait_s, _POLL_S)
            due = await self._database.write(agent_push_records.claim, self._service, room)
        except UnavailableError as error:
            logger.warning("push notifications wait", extra={"error": error.detail})
            return [], _POLL_S
        return due, 0.0 if due else _POLL_S

    async def _send(self, client: httpx.AsyncClient, due: Due) -> None:
        facts: dict[str, object] = {"notification": due.id, "a2a_task_id": due.task_id, "try": due.attempts}
        try:
            try:
                with foreseen(f"push notification {due.id}"):
                    await self._post(client, due)
            except FederationError as error:
                is_over = await self._database.write(agent_push_records.record_failure, due, error)
                said = "a push notification was given up" if is_over else "a push notification was not taken"
                logger.info(said, extra={**facts, "error": error.detail})
            else:
                await self._database.write(agent_push_records.record_delivery, due)
        except UnavailableError as error:
            logger.warning("what became of a push notification was not stored", extra={**facts, "error": error.detail})
        finally:
            self._under_way -= 1
            self._woken.set()

    async def _post(self, client: httpx.AsyncClient, due: Due) -> None:
        config = await self._unseal(due.task_id, due.config)
        body = orjson.dumps(MessageToDict(StreamResponse.FromString(due.event)))
        headers = {"content-type": "application/a2a+json"}
        if config.token:
            headers["x-a2a-notification-token"] = config.token
        if config.authentication.scheme and config.authentication.credentials:
            headers["authorization"] = f"{config.authentication.scheme} {config.authentication.credentials}"
        key = secret_key.derive(await self._read_secret(), "webhooks")
        await webhooks.post(client, config.url, body, {**headers, **webhooks.sign(key, due.id, now(), body)})

    async def _unseal(self, task_id: str, sealed: SealedConfig) -> TaskPushNotificationConfig:
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - as in `_box`

        try:
            config = TaskPushNotificationConfig.FromString((await self._box()).decrypt(sealed.content))
        except InvalidToken as error:
            raise UnreadableConfigError(
                "The push notification config was stored with another FEDERATION_SECRET_KEY; set it again."
            ) from error
        config.id, config.task_id = sealed.id, task_id
        return config

    async def _box(self) -> "Fernet":
        from cryptography.fernet import Fernet  # noqa: PLC0415 - most services never need it

        key = secret_key.derive(await self._read_secret(), "push notification configs")
        return Fernet(base64.urlsafe_b64encode(key))

    async def _read_secret(self) -> bytes:
        if self._secret is None:
            self._secret = await asyncio.to_thread(secret_key.read, self._settings)
        return self._secret


def _check_header(name: str, value: str) -> None:
    if len(value) > _MAX_SECRET_CHARS or not (value.isascii() and value.isprintable()):
        raise InvalidParamsError(
            f"The config's {name} must be printable ASCII of at most {_MAX_SECRET_CHARS} characters."
        )
