"""The agents that run: each is begun by the first call to its address, and retired when nobody has called for a while.

/agents/NAME/                               the agent NAME, over A2A
/agents/NAME/.well-known/agent-card.json    its card
"""

import asyncio
import logging
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from agent_host_service import card
from agent_host_service.agent import Resources, open_agent
from agent_host_service.settings import Settings
from agent_host_service.templates import Template, Templates
from shared import service
from shared.agent import JsonObject
from shared.agent_server import AgentServer
from shared.background import foreseen
from shared.errors import FederationError, NotFoundError

logger = logging.getLogger(__name__)

_LOOK_S: Final = 2.0
_CARDS: Final = "/.well-known/"


@dataclass(slots=True)
class _Hosted:
    """An agent that runs. `ended` is set when it is to stop; `used_at` is when it was called last (monotonic)."""

    template: Template
    server: AgentServer
    app: FastAPI
    used_at: float = field(default_factory=monotonic)
    calls: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        return self.calls > 0 or self.server.is_busy()


class Host:
    """Runs agents. `group` owns their tasks."""

    def __init__(
        self, settings: Settings, templates: Templates, resources: Resources, group: asyncio.TaskGroup
    ) -> None:
        self._settings = settings
        self._templates = templates
        self._resources = resources
        self._group = group
        self._hosted: dict[str, _Hosted] = {}
        self._changing = asyncio.Lock()

    def show(self) -> JsonObject:
        """Return what templates there are, which of them run, since when nobody called, and what is wrong with files.

        `is_idle`: nobody needs the agent now, for all that is known here.
        """
        items: list[JsonObject] = []
        for template in self._templates.load().values():
            hosted = self._hosted.get(template.name)
            items.append(
                {
                    "name": template.name,
                    "title": template.title or template.name,
                    "description": template.description,
                    "skills": [skill.model_dump(mode="json") for skill in template.skills],
                    "endpoint": self._settings.url_of(card.service_of(template)),
                    "running": hosted is not None,
                    "is_idle": hosted is None or self._is_idle(hosted),
                }
            )
        return {"items": [*items], "problems": [problem.to_json() for problem in self._templates.problems]}

    async def start(self, name: str) -> None:
        """Begin the agent that the template makes, as the template says now. Raises: NotFoundError."""
        await self._running(name)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call to an agent: an ASGI app, mounted at /agents."""
        root: str = scope.get("root_path", "")
        name, _, rest = str(scope["path"]).removeprefix(root).lstrip("/").partition("/")
        try:
            hosted = await self._running(name)
        except FederationError as error:
            await service.problem(error)(scope, receive, send)
            return
        path = scope["path"] if rest else f"{str(scope['path']).rstrip('/')}/"
        is_call = _CARDS not in f"/{rest}"
        if is_call:
            hosted.used_at = monotonic()
            hosted.calls += 1
        try:
            await hosted.app({**scope, "path": path, "root_path": f"{root}/{name}"}, receive, send)
        finally:
            if is_call:
                hosted.calls -= 1
                hosted.used_at = monotonic()

    async def keep_up(self) -> None:
        """Retire agents that nobody needs, and those whose template is gone. Never returns."""
        while True:
            await asyncio.sleep(min(_LOOK_S, self._settings.template_idle_s / 2))
            async with self._changing:
                known = self._templates.load()
                for name, hosted in [*self._hosted.items()]:
                    is_gone = name not in known and not hosted.is_busy
                    if is_gone or self._is_idle(hosted):
                        await self._retire(hosted)

    async def close(self) -> None:
        """Stop all agents."""
        async with self._changing:
            for hosted in [*self._hosted.values()]:
                await self._retire(hosted)

    def end_streams(self) -> None:
        """Let whoever follows a task go: the service is told to stop."""
        for hosted in self._hosted.values():
            hosted.server.end_streams()

    async def _running(self, name: str) -> _Hosted:
        """Return the agent; one that does not run is begun, one whose template changed is begun anew, if it is free."""
        async with self._changing:
            template = self._templates.load().get(name)
            hosted = self._hosted.get(name)
            if hosted is not None and (template == hosted.template or hosted.is_busy):
                return hosted
            if template is None:
                raise NotFoundError(f"There is no agent template {name[:60]!r}.")
            if hosted is not None:
                await self._retire(hosted)
            return await self._begin(template)

    async def _begin(self, template: Template) -> _Hosted:
        settings, kept_as = self._settings, card.service_of(template)
        resources = self._resources
        server = AgentServer(settings, kept_as, card.build(settings, template), lambda: open_agent(template, resources))
        app = FastAPI(title=template.name, openapi_url=None)
        app.state.on_stop = []
        app.add_exception_handler(FederationError, _problem)
        server.install(app)
        hosted = _Hosted(template, server, app)
        ready = asyncio.get_running_loop().create_future()
        hosted.task = self._group.create_task(self._serve(hosted, ready), name=f"agent {template.name}")
        try:
            await ready
        except asyncio.CancelledError:
            hosted.task.cancel()
            await asyncio.wait([hosted.task])
            raise
        logger.info("an agent was begun", extra={"agent": template.name})
        return hosted

    async def _serve(self, hosted: _Hosted, ready: "asyncio.Future[None]") -> None:
        """Keep the agent open until it is to end. Failures to open it are told to whoever waits for `ready`.

        Never fails: that would end all other agents.
        """
        name = hosted.template.name
        try:
            with foreseen(f"agent {name}"):
                async with hosted.server.working():
                    self._hosted[name] = hosted
                    if not ready.cancelled():
                        ready.set_result(None)
                    await hosted.ended.wait()
        except FederationError as error:
            if ready.done():
                logger.warning("an agent failed beside its tasks", extra={"agent": name, "error": error.detail})
            else:
                ready.set_exception(error)
        finally:
            self._hosted.pop(name, None)

    async def _retire(self, hosted: _Hosted) -> None:
        hosted.ended.set()
        if hosted.task is not None:
            await asyncio.wait([hosted.task])
        logger.info("an agent was retired", extra={"agent": hosted.template.name})

    def _is_idle(self, hosted: _Hosted) -> bool:
        return not hosted.is_busy and monotonic() - hosted.used_at > self._settings.template_idle_s


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FederationError)  # noqa: S101 - Starlette's types are wider than what it does
    return service.problem(error)
