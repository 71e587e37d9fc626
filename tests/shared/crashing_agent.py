"""An agent's service as a process of its own, that can be killed or frozen. Its arguments: DATA_DIR PORT RESUMABLE.

It answers in two pieces and then as a whole, and notes each message that it begins to work on in `DATA_DIR/begun`.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from shared import agent_server, cards, service
from shared.agent import AgentRequest, Answer, Delta, OpenAgent, Progress, Update
from tests.shared.scripted_agent import Caller, Settings
from tests.support import forked
from tests.support.forked import Forked

_START_S = 30.0


@dataclass
class Running:
    """A running process of the agent."""

    process: Forked
    caller: Caller

    async def died(self) -> bool:
        """Wait until the process is gone; returns whether it was killed."""
        async with asyncio.timeout(20):
            return await self.process.wait() == -signal.SIGKILL

    async def froze(self) -> None:
        """Wait until the process is stopped."""
        state = ""
        async with asyncio.timeout(20):
            while state != "T":
                await asyncio.sleep(0.02)
                state = _state_of(self.process.pid)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def running(settings: Settings, *, resumable: bool = False, failpoint: str = "") -> AsyncGenerator[Running]:
    """Run the agent as a process until the end; then it is killed, if it still lives."""
    url = settings.database_url
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "DATABASE_URL": url.get_secret_value() if url else "",
        "FEDERATION_FAILPOINT": failpoint,
    }
    arguments = (str(settings.data_dir), str(settings.port_of("api")), str(int(resumable)))
    process = await forked.start(__name__, *arguments, env=environment)
    try:
        async with httpx.AsyncClient(base_url=settings.url_of("api"), timeout=20, trust_env=False) as http:
            await _until_up(http)
            yield Running(process, Caller(http))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def begun(settings: Settings) -> list[str]:
    """Return the texts of the messages that were begun, over all processes of this data folder."""
    path = settings.data_dir / "begun"
    return path.read_text().splitlines() if path.exists() else []


async def _until_up(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(_START_S):
        while True:
            try:
                if (await http.get("/ready")).is_success:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)


def _state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def main() -> None:
    """Serve until told to stop, or killed."""
    data_dir, port, resumable = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1"
    database_url = SecretStr(os.environ["DATABASE_URL"]) if os.environ["DATABASE_URL"] else None
    given = {"data_dir": data_dir, "api_agent_port": port, "federation_register": False, "database_url": database_url}
    settings = Settings.model_validate(given)

    @asynccontextmanager
    async def open_agent() -> AsyncGenerator[OpenAgent]:
        yield OpenAgent(answer)

    async def answer(request: AgentRequest) -> AsyncGenerator[Update]:
        with (data_dir / "begun").open("a") as file:
            file.write(f"{request.text}\n")
        yield Progress("working")
        yield Delta("answer", "half ")
        await asyncio.sleep(0.2)  # long enough that the first half is stored alone
        yield Answer("answer", "half and half")

    skill = cards.Skill("halve", "Halve", "Answers in halves.", ("test",))
    card = cards.build(settings, "api", name="Crashing", description="Ends in the middle.", skills=[skill])
    service.run(lambda: agent_server.create(settings, "api", card, open_agent, resumable=resumable), settings, "api")
