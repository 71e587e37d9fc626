"""An agent host beside an orchestrator, and MCP servers to use."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import yaml
from pydantic import JsonValue

from agent_host_service import main
from agent_host_service.settings import Settings
from shared.agent import JsonObject
from tests.support.federation import Federation, TestAgent, federation, free_port, until
from tests.support.serving import serve

MCP_SERVER = Path(__file__).parent / "mcp_server.py"


@dataclass(slots=True)
class Hosted:
    """A federation with an agent host; templates are in `folder`."""

    running: Federation
    host: httpx.AsyncClient
    folder: Path

    def write(self, name: str, text: str) -> None:
        """Write a template file."""
        (self.folder / name).write_text(text, encoding="utf-8")

    async def templates(self) -> JsonObject:
        """Return what the host says of its templates."""
        return (await self.host.get("/templates")).json()

    async def names(self) -> list[str]:
        """Return the names of the registered agents."""
        found = await self.running.get("/api/agents")
        return [str(agent["name"]) for agent in cast("list[JsonObject]", found["items"])]


@asynccontextmanager
async def hosted(
    folder: Path, *agents: TestAgent, templates: dict[str, str] | None = None, **settings: Any
) -> AsyncGenerator[Hosted]:
    """Run an orchestrator and an agent host that know each other; `settings` are for both."""
    own = folder / "templates"
    own.mkdir(parents=True)
    for name, text in (templates or {}).items():
        (own / name).write_text(text, encoding="utf-8")
    port, orchestrator_port = free_port(), free_port()
    async with AsyncExitStack() as stack:
        host = Settings.model_validate(
            {
                "data_dir": folder / "host",
                "agent_host_port": port,
                "orchestrator_port": orchestrator_port,
                "agent_templates": own,
                **settings,
            }
        )
        url = await stack.enter_async_context(serve(main.create(host), port=port))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=40))
        running = await stack.enter_async_context(
            federation(
                folder,
                *agents,
                agent_host_port=port,
                orchestrator_port=orchestrator_port,
                agent_check_interval_s=0.2,
                **settings,
            )
        )
        yield Hosted(running, client, own)


def template(name: str, skill: str, prompt: str = "Do it.", **fields: JsonValue) -> str:
    """Return a template as YAML."""
    described: JsonValue = {"id": skill, "name": skill, "description": f"It can {skill}.", "tags": [skill]}
    whole = {"name": name, "description": f"The agent {name}.", "skills": [described], "prompt": prompt, **fields}
    return yaml.safe_dump(whole, sort_keys=False)


def stdio_server(**fields: JsonValue) -> JsonObject:
    """Return the entry of the MCP server, over stdio."""
    return {"command": [sys.executable, str(MCP_SERVER)], "allow": ["add"], **fields}


def servers_file(folder: Path, **servers: JsonValue) -> Path:
    """Write a file for MCP_SERVERS."""
    path = folder / "mcp.yaml"
    path.write_text(yaml.safe_dump({"servers": servers}), encoding="utf-8")
    return path


@asynccontextmanager
async def mcp_over_http() -> AsyncGenerator[str]:
    """Run the MCP server as a process of its own, and yield its URL."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(MCP_SERVER), str(port), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )

    async def look() -> JsonObject:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return {"up": True}
        return {"up": False}

    try:
        await until(look, lambda found: found["up"] is True, 40)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        await process.wait()
