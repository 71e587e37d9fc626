"""Runs the official conformance kit of A2A: python -m tests.conformance.run_kit CHECKOUT [SERVICE...].

Without a service it runs against all five, one after the other.

CHECKOUT is a checkout of https://github.com/a2aproject/a2a-tck, branch `1.0-dev`, with its packages in its `.venv`
(python -m venv .venv && .venv/bin/pip install -e .). Prints the counts and every failure, and ends with 1 when one is
not among `EXPECTED`.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final
from xml.etree import ElementTree as ET

import httpx

from federation.services import MODULES
from shared.settings import PORT_SETTINGS, ServiceName

EXPECTED: Final[dict[str, str]] = {
    "core_operations.test_transport_behavior.TestRestFormat.test_response_content_type": (
        "11.1 of A2A 1.0.1: HTTP+JSON answers SHOULD be application/a2a+json; the kit, written for 1.0.0, wants "
        "application/json"
    ),
    "http_json.test_http_status.TestHttpJsonStatusCodes.test_content_type_not_supported_returns_415": (
        "5.4 of A2A 1.0.1: ContentTypeNotSupportedError is HTTP 400; the kit wants 415, as in 1.0.0"
    ),
}
"""Tests in which the kit contradicts the specification, and the clause that says so."""

_PYTHON: Final = ".venv/bin/python"
_START_S: Final = 60.0
_KIT_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Case:
    """A test of the kit and how it ended: passed, failed, skipped or xfailed (a SHOULD that is not done)."""

    name: str
    outcome: str
    why: str


async def main(checkout: Path, services: Sequence[ServiceName]) -> int:
    """Run the kit against each service; return the exit code."""
    unexpected = 0
    with tempfile.TemporaryDirectory() as folder:
        for service in services:
            async with _serve(service, Path(folder) / service) as url:
                cases = await asyncio.to_thread(_run, checkout, url, Path(folder) / f"{service}.xml")
            counts = Counter(case.outcome for case in cases)
            _say(f"{service}: " + ", ".join(f"{counts[each]} {each}" for each in sorted(counts)))
            for case in cases:
                if case.outcome in {"failed", "xfailed"}:
                    clause = EXPECTED.get(case.name)
                    unexpected += clause is None and case.outcome == "failed"
                    _say(f"  {case.outcome} {case.name}: {clause or case.why}")
    _say("Nothing unexpected." if not unexpected else f"{unexpected} tests failed that should not have.")
    return 1 if unexpected else 0


@asynccontextmanager
async def _serve(service: ServiceName, folder: Path) -> AsyncGenerator[str]:
    """Serve one service as it is installed, in conformance mode, with a data folder of its own."""
    port = _free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
        PORT_SETTINGS[service]: str(port),
        "DATA_DIR": str(folder),
        "A2A_CONFORMANCE": "true",
        "FEDERATION_REGISTER": "false",
        "LOG_LEVEL": "error",
        "PYTHONPATH": str(Path.cwd()),
    }
    async with AsyncExitStack() as stack:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", MODULES[service], cwd=folder.parent, env=environment
        )
        stack.push_async_callback(process.wait)
        stack.callback(_end, process)
        url = f"http://127.0.0.1:{port}"
        await _until_ready(url, process)
        yield url


def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()


async def _until_ready(url: str, process: asyncio.subprocess.Process) -> None:
    end = monotonic() + _START_S
    async with httpx.AsyncClient(trust_env=False) as client:
        while process.returncode is None and monotonic() < end:
            try:
                if (await client.get(f"{url}/health")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise SystemExit(f"{url} does not serve.")


def _run(checkout: Path, url: str, report: Path) -> list[Case]:
    options = [f"--sut-host={url}", "--webhook-host=127.0.0.1", f"--junitxml={report}", "-q", "-p", "no:cacheprovider"]
    command = [str(checkout / _PYTHON), "-m", "pytest", "tests/compatibility", *options]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=_KIT_S, check=False)
    if not report.exists():
        raise SystemExit(f"The kit did not run.\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")
    return list(_read(report))


def _read(report: Path) -> Iterator[Case]:
    for case in ET.parse(report).iter("testcase"):
        file = case.get("classname", "").removeprefix("tests.compatibility.")
        name = f"{file}.{case.get('name', '')}"
        bad = next((case.find(tag) for tag in ("failure", "error") if case.find(tag) is not None), None)
        skipped = case.find("skipped")
        if bad is not None:
            yield Case(name, "failed", bad.get("message", ""))
        elif skipped is not None:
            outcome = "xfailed" if skipped.get("type") == "pytest.xfail" else "skipped"
            yield Case(name, outcome, skipped.get("message", ""))
        else:
            yield Case(name, "passed", "")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    if len(sys.argv) < 2 or not all((Path(sys.argv[1]) / each).is_file() for each in ("run_tck.py", _PYTHON)):
        raise SystemExit(__doc__)
    agents: list[ServiceName] = [
        service for service in MODULES if service != "host"
    ]  # its agents are served as the others are
    chosen: list[ServiceName] = [service for service in agents if not sys.argv[2:] or service in sys.argv[2:]]
    sys.exit(asyncio.run(main(Path(sys.argv[1]).resolve(), chosen)))
