"""The frameworks of others: where each is installed, and how its programs in `peers/` are run."""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from shared.agent import JsonObject

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).with_name("peers")
CACHE = ROOT / ".interop"
LOCKED = ("requirements.lock", "package-lock.json")
_START_S = 60.0
_SCRIPT_S = 150.0


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework and what of it is installed. `folder` is below `peers/`, `package` what its version is that of."""

    folder: str
    package: str

    @property
    def lock(self) -> Path:
        """The file that names every package with its version and hash."""
        return next(path for name in LOCKED if (path := PEERS / self.folder / name).exists())

    @property
    def environment(self) -> Path:
        """Where it is installed."""
        return CACHE / self.folder

    @property
    def is_python(self) -> bool:
        """Whether it is of Python, not of Node.js."""
        return self.lock.name == "requirements.lock"

    @property
    def mark(self) -> Path:
        """The file that says by its digest which lock was installed."""
        return self.environment / "installed"

    def digest(self) -> str:
        """Return the digest of the lock."""
        return hashlib.sha256(self.lock.read_bytes()).hexdigest()

    def is_installed(self) -> bool:
        """Tell whether exactly what is locked is installed."""
        return self.mark.exists() and self.mark.read_text(encoding="utf-8") == self.digest()

    def version(self) -> str:
        """Return the version that is locked."""
        if not self.is_python:
            packages = json.loads(self.lock.read_text(encoding="utf-8"))["packages"]
            return str(packages[f"node_modules/{self.package}"]["version"])
        lines = self.lock.read_text(encoding="utf-8").splitlines()
        [line] = [line for line in lines if line.startswith(f"{self.package}==")]
        return line.split("==")[1].split(" ")[0]

    def command(self, program: str) -> list[str]:
        """Return how `program` ("server" or "client") is started."""
        if self.is_python:
            return [str(self.environment / "bin" / "python"), str(PEERS / self.folder / f"{program}.py")]
        return ["node", str(PEERS / self.folder / f"{program}.cjs")]


FASTA2A = Framework("fasta2a", "fasta2a")
GOOGLE_ADK = Framework("google_adk", "google-adk")
AGENT_FRAMEWORK = Framework("agent_framework", "agent-framework-a2a")
A2A_JS = Framework("a2a_js", "@a2a-js/sdk")
FRAMEWORKS = (FASTA2A, GOOGLE_ADK, AGENT_FRAMEWORK, A2A_JS)


def require(framework: Framework) -> None:
    """Skip the test when the framework is not installed."""
    if not framework.is_installed():
        pytest.skip(f"{framework.package} is not installed as locked; `make interop` installs it.")


@asynccontextmanager
async def serving(framework: Framework, *arguments: str) -> AsyncGenerator[str]:
    """Run the framework's server and yield its URL; end it afterwards."""
    process = await _start(framework, "server", *arguments)
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_S)
        assert line.startswith(b"http"), f"The server of {framework.package} did not start: {line!r}"
        yield line.decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def call(
    framework: Framework, url: str, dialect: str, script: Mapping[str, list[str]]
) -> dict[str, dict[str, object]]:
    """Let the framework's client play the script at `url`, and return what it found, by case."""
    process = await _start(framework, "client", url, dialect, json.dumps(script))
    try:
        told, _ = await asyncio.wait_for(process.communicate(), _SCRIPT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found = [cast("JsonObject", json.loads(line)) for line in told.splitlines() if line.startswith(b"{")]
    return {str(each["case"]): {**each} for each in found}


async def _start(framework: Framework, program: str, *arguments: str) -> asyncio.subprocess.Process:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(CACHE),
        "PYTHONPATH": str(PEERS),
        "PYTHONWARNINGS": "ignore",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NODE_PATH": str(framework.environment / "node_modules"),
    }
    return await asyncio.create_subprocess_exec(
        *framework.command(program),
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
