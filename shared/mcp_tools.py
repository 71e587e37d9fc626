"""Tools of MCP servers for agents: which servers there are, which of their tools may be used, and calling them.

Servers are the operator's choice (MCP_SERVERS); what they say, of their tools and in answer to calls, is peer text.

    servers:
      clock: {command: [python, -m, clock_server], allow: [now]}
      docs: {url: https://docs.example.org/mcp, headers: {Authorization: "Bearer ${TOKEN}"}, allow: [search]}

A connection is opened at the first use, kept for a while, and owned by a task of its own. Over HTTP it goes through
`shared.http`, with its checks; a stdio server gets no environment but PATH, and what its entry gives it.
Source: https://modelcontextprotocol.io/specification
"""

import asyncio
import json
import logging
import os
import re
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TextIO, cast

import httpx
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from shared import http, mcp_http, yaml_models
from shared.agent import JsonObject
from shared.errors import FederationError, InvalidSettingError, NotFoundError, TimedOutError, UnavailableError
from shared.settings import FederationSettings

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult

logger = logging.getLogger(__name__)

MAX_OUTPUT_CHARS: Final = 50_000
"""Characters of a tool's answer that are kept."""

_KEPT_OPEN_S: Final = 120.0
_CONNECT_S: Final = 20.0
_MOST_TOOLS: Final = 200
_MOST_PAGES: Final = 20
_MAX_DESCRIPTION_CHARS: Final = 1_000
_MAX_SCHEMA_CHARS: Final = 8_000
_VARIABLE: Final = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")

Text = Annotated[str, Field(min_length=1, max_length=4_000)]


class ToolFailedError(FederationError):
    """A tool was called, and says that it failed."""

    slug = "tool-failed"
    title = "A tool failed"
    status = 502


class Server(BaseModel):
    """One MCP server: a `command` that speaks over stdio, or the `url` of one that speaks streamable HTTP.

    `allow` names the tools that may be used; none of the others is shown to anyone. `${NAME}` in a header or in the
    environment stands for a variable of this process.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: Annotated[list[Text], Field(min_length=1, max_length=64)] | None = None
    env: dict[str, str] = Field(default_factory=dict[str, str], max_length=64)
    cwd: Path | None = None
    url: Text | None = None
    headers: dict[str, str] = Field(default_factory=dict[str, str], max_length=32)
    allow: list[Text] = Field(max_length=_MOST_TOOLS)
    timeout_s: float = Field(default=60.0, gt=0, le=3_600, description="Longest time for one call, in seconds.")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "Server":
        if (self.command is None) == (self.url is None):
            raise ValueError("give either `command` (stdio) or `url` (streamable HTTP)")
        return self


class _Servers(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    servers: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")], Server] = Field(max_length=64)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that may be used. `name` is SERVER.TOOL; `description` and `schema` (of its arguments) are peer text."""

    name: str
    description: str
    schema: JsonObject


def read_servers(path: Path | None) -> dict[str, Server]:
    """Return the servers of the file that MCP_SERVERS names, by name; none without one. Raises: InvalidSettingError."""
    if path is None:
        return {}
    try:
        return yaml_models.read(path.read_bytes(), _Servers).servers
    except OSError as error:
        raise InvalidSettingError(f"MCP_SERVERS: the file {path} cannot be read: {error.strerror}.") from error
    except yaml_models.YamlModelError as error:
        raise InvalidSettingError(f"MCP_SERVERS: the file {path.name}, {error}.") from error


@asynccontextmanager
async def open_tools(settings: FederationSettings, servers: Mapping[str, Server]) -> AsyncGenerator["Tools"]:
    """Open the way to the servers; each is connected to at its first use, and let go of at the end."""
    async with http.open_client(settings) as client:
        tools = Tools({name: _Connection(name, server, client) for name, server in servers.items()})
        try:
            yield tools
        finally:
            await tools.close()


class Tools:
    """The tools of all servers."""

    def __init__(self, connections: Mapping[str, "_Connection"]) -> None:
        self._connections = connections

    @property
    def servers(self) -> list[str]:
        """The names of the servers."""
        return [*self._connections]

    async def offered(self, server: str, wanted: Sequence[str] | None = None) -> list[Tool]:
        """Return the tools of a server that may be used; of those only the `wanted`, if any are named.

        Raises: NotFoundError (no such server), UnavailableError, TimedOutError.
        """
        return [tool for tool in await self._of(server).tools() if wanted is None or _bare(tool.name) in wanted]

    async def call(self, name: str, arguments: JsonObject) -> str:
        """Call the tool SERVER.TOOL, and return its answer as text (peer text), capped.

        Raises: NotFoundError (no such tool, or not an allowed one), ToolFailedError, UnavailableError, TimedOutError.
        """
        server, _, tool = name.partition(".")
        return await self._of(server).call(tool, arguments)

    async def close(self) -> None:
        """Let go of all servers."""
        await asyncio.gather(*(connection.close() for connection in self._connections.values()))

    def _of(self, server: str) -> "_Connection":
        if server not in self._connections:
            known = ", ".join(self._connections) or "none"
            raise NotFoundError(f"MCP_SERVERS has no server {server!r}. It has: {known}.")
        return self._connections[server]


class _Connection:
    """The way to one server. A task of its own opens, keeps and closes it: the library wants one task for all that."""

    def __init__(self, name: str, server: Server, client: http.Client) -> None:
        self._name = name
        self._server = server
        self._client = client
        self._opening = asyncio.Lock()
        self._owner: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[Client] | None = None
        self._let_go = asyncio.Event()
        self._in_use = 0
        self._used = asyncio.Event()

    async def tools(self) -> list[Tool]:
        async with self._using() as client:
            found: dict[str, Tool] = {}
            cursor: str | None = None
            for _ in range(_MOST_PAGES):
                async with self._bounded("list its tools"):
                    page = await client.list_tools(cursor=cursor)
                for tool in page.tools:
                    name = f"{self._name}.{tool.name}"
                    if tool.name in self._server.allow and name not in found:
                        schema = cast("JsonObject", tool.input_schema)
                        fits = len(json.dumps(schema)) <= _MAX_SCHEMA_CHARS
                        told = (tool.description or "")[:_MAX_DESCRIPTION_CHARS]
                        found[name] = Tool(name, told, schema if fits else {"type": "object"})
                cursor = page.next_cursor
                if cursor is None:
                    break
            return [*found.values()]

    async def call(self, tool: str, arguments: JsonObject) -> str:
        if tool not in self._server.allow:
            allowed = ", ".join(self._server.allow) or "none"
            raise NotFoundError(f"The tool {tool!r} of {self._name!r} is not allowed. Allowed: {allowed}.")
        async with self._using() as client, self._bounded(f"do {tool}"):
            result = await client.call_tool(tool, arguments)
        text = _text_of(result)
        if result.is_error:
            raise ToolFailedError(f"The tool {self._name}.{tool} failed: {text[:2_000]}")
        return text

    async def close(self) -> None:
        self._let_go.set()
        if self._owner is not None:
            if self._ready is not None and not self._ready.done():
                self._owner.cancel()  # nobody waits for what it connects to any more
            await asyncio.gather(self._owner, return_exceptions=True)

    @asynccontextmanager
    async def _using(self) -> AsyncGenerator["Client"]:
        """Have the connection; one that breaks is opened anew at the next use. Raises: UnavailableError."""
        client = await self._client_of()
        from mcp import MCPError  # noqa: PLC0415 - a large library that most agents never use
        from mcp.types import CONNECTION_CLOSED  # noqa: PLC0415

        self._in_use += 1
        try:
            yield client
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                self._let_go.set()
                raise UnavailableError(f"The MCP server {self._name!r} broke off.") from error
            raise ToolFailedError(f"The MCP server {self._name!r} refused: {str(error)[:500]}") from error
        except (OSError, httpx.HTTPError, ValueError) as error:
            self._let_go.set()
            raise UnavailableError(f"The MCP server {self._name!r} answered nonsense or broke off.") from error
        finally:
            self._in_use -= 1
            self._used.set()

    @asynccontextmanager
    async def _bounded(self, doing: str) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._server.timeout_s):
                yield
        except TimeoutError as error:
            seconds = self._server.timeout_s
            self._let_go.set()  # who knows whether it answers anything else
            raise TimedOutError(f"The MCP server {self._name!r} did not {doing} within {seconds:g} s.") from error

    async def _client_of(self) -> "Client":
        """Return the connection; whoever stops waiting for it does not stop its opening."""
        async with self._opening:
            if self._owner is not None and self._let_go.is_set():
                await asyncio.wait([self._owner], timeout=_CONNECT_S)  # a caller that is cancelled leaves it alone
                if not self._owner.done():
                    raise UnavailableError(f"The MCP server {self._name!r} does not end; its last call took too long.")
            if self._ready is None or self._owner is None or self._owner.done():
                self._let_go = asyncio.Event()
                self._ready = asyncio.get_running_loop().create_future()
                self._ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
                self._owner = asyncio.create_task(self._own(self._ready), name=f"MCP server {self._name}")
            ready = self._ready
        return await asyncio.shield(ready)

    async def _own(self, ready: "asyncio.Future[Client]") -> None:
        """Open the connection, keep it while it is used, and close it. Never fails: `ready` says why it could not."""
        try:
            async with AsyncExitStack() as stack:
                await asyncio.to_thread(import_module, "mcp.client.streamable_http")  # large, and slow to load
                async with asyncio.timeout(_CONNECT_S):
                    client = await self._connect(stack)
                ready.set_result(client)
                while not self._let_go.is_set():
                    self._used.clear()
                    await self._rest()
                    if not self._in_use and not self._used.is_set():
                        self._let_go.set()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the library's own, in groups; told of to whoever waits
            if ready.done():
                logger.info("an MCP server broke off", extra={"server": self._name, "error": str(error)[:300]})
            else:
                why = "in time" if isinstance(error, TimeoutError) else f"({_said(error)})"
                ready.set_exception(UnavailableError(f"The MCP server {self._name!r} could not be connected to {why}."))
        finally:
            ready.cancel()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_KEPT_OPEN_S):
                await self._let_go.wait()

    async def _connect(self, stack: AsyncExitStack) -> "Client":
        from mcp import Client, StdioServerParameters  # noqa: PLC0415 - a large library that most agents never use
        from mcp.client.stdio import stdio_client  # noqa: PLC0415

        server = self._server
        if server.command is not None:
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="mcp-"))
            none_of_ours = {"HOME": home, "USER": "", "LOGNAME": "", "SHELL": "", "TERM": ""}
            parameters = StdioServerParameters(
                command=server.command[0],
                args=server.command[1:],
                env=none_of_ours | {name: _filled(value) for name, value in server.env.items()},
                cwd=server.cwd or home,
            )
            transport = stdio_client(parameters, errlog=stack.enter_context(_nowhere()))
        else:
            headers = {name: _filled(value) for name, value in server.headers.items()}
            transport = await mcp_http.open_transport(
                stack, self._client, str(server.url), headers, timeout_s=server.timeout_s
            )
        return await stack.enter_async_context(Client(transport))


def _text_of(result: "CallToolResult") -> str:
    """Return what a tool answered as text: its text parts, and its structured content where there is no text."""
    parts = [part.text if part.type == "text" else f"({part.type} left out)" for part in result.content]
    text = "\n".join(parts).strip()
    if not text and result.structured_content is not None:
        text = json.dumps(cast("JsonValue", result.structured_content), ensure_ascii=False)
    if len(text) > MAX_OUTPUT_CHARS:
        return f"{text[:MAX_OUTPUT_CHARS]}\n(cut after {MAX_OUTPUT_CHARS:,} characters)"
    return text


def _said(error: BaseException) -> str:
    """Return what the first error of a group says, which may quote the server."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return f"{type(error).__name__}: {error}"[:500]


def _filled(value: str) -> str:
    """Return a configured value with variables of this process's environment filled in."""
    return _VARIABLE.sub(lambda found: os.environ.get(found[1], ""), value)


def _nowhere() -> TextIO:
    """Return a file that keeps nothing: what a server prints beside the protocol is not for our log."""
    return Path(os.devnull).open("w", encoding="utf-8")


def _bare(name: str) -> str:
    return name.partition(".")[2]
