"""What this machine has for the federation, what it lacks and how to get it."""

import asyncio
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from pydantic import JsonValue

from a2a_agent_service.settings import Settings as ResearchSettings
from browser_service import chromium
from browser_service.settings import Settings as BrowserSettings
from code_agent_service import sandbox
from code_agent_service.settings import Settings as CodeSettings
from federation import db_versions, ports, probe
from federation.running import find
from federation.services import read_all
from federation.up import describe_model, plan_launch
from shared import db_examination, llm
from shared.configuration import read
from shared.db import DatabaseUnavailableError
from shared.errors import InvalidRequestError, InvalidSettingError
from shared.settings import FederationSettings

State = Literal["ok", "degraded", "missing"]

_VERSION_TIMEOUT_S = 20.0
_CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. "degraded": part of the work is not possible.

    "missing": it cannot start, or lacks what a setting asks for.
    """

    name: str
    state: State
    text: str

    def to_json(self) -> dict[str, JsonValue]:
        """Return the finding as JSON."""
        return {**asdict(self)}


def examine() -> list[Finding]:
    """Look at everything and return what was found. Changes nothing."""
    found = [Finding("python", "ok", f"{platform.python_version()} ({sys.executable})")]
    try:
        settings = read_all()
    except (InvalidRequestError, InvalidSettingError) as error:
        return [*found, Finding("settings", "missing", str(error))]
    found.append(Finding("settings", "ok", "all are right" + (", .env is read" if Path(".env").exists() else "")))
    found += _examine_data(settings)
    found.append(_examine_chromium(read(BrowserSettings)))
    found.append(_examine_sandbox(read(CodeSettings)))
    found.append(_examine_documents(read(ResearchSettings)))
    model = llm.choose(settings)
    found.append(Finding("model", "missing" if model and model.missing else "ok", describe_model(settings)))
    found += _examine_services(settings)
    return found


def _examine_data(settings: FederationSettings) -> Iterator[Finding]:
    folder = settings.data_dir.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free_gb = shutil.disk_usage(folder).free / 1e9
        yield Finding("data", "ok" if free_gb > 1 else "degraded", f"{folder} can be written, {free_gb:.1f} GB free")
    except OSError as error:
        why = f"{folder} cannot be written ({error.strerror}). See that it can be, and has room, or set DATA_DIR."
        yield Finding("data", "missing", why)
        return
    try:
        found = db_examination.examine(settings)
        db_versions.check(settings)
        yield Finding("database", "ok", found)
    except (InvalidSettingError, DatabaseUnavailableError) as error:
        yield Finding("database", "missing", str(error))


def _examine_chromium(settings: BrowserSettings) -> Finding:
    found = chromium.find(settings)
    if found is None:
        return Finding("chromium", "degraded", chromium.problem(settings))
    if found.how == "cdp":
        if not _connects(found.path):
            return Finding("chromium", "degraded", chromium.describe_silence(found.path))
        return Finding("chromium", "ok", f"the one at {found.path} (BROWSER_CDP_URL)")
    try:
        _ask_version([sys.executable, "-m", "playwright"])
    except (OSError, subprocess.SubprocessError) as error:
        library = "Often a library is missing (Debian, Ubuntu: apt install libatomic1)."
        return Finding("chromium", "degraded", f"Playwright's driver does not start: {_said(error)}. {library}")
    try:
        version = _ask_version([found.path])
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("chromium", "degraded", f"{found.path} does not start: {_said(error)}. {chromium.INSTALL}")
    return Finding("chromium", "ok", f"{version or 'found'} ({found.path})")


def _connects(address: str) -> bool:
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme in {"https", "wss"} else 80)
    try:
        with socket.create_connection((parts.hostname, port), timeout=_CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


def _ask_version(program: list[str]) -> str:
    ended = subprocess.run(  # noqa: S603 - what the browser service would start
        [*program, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=True
    )
    return ended.stdout.strip()


def _said(error: OSError | subprocess.SubprocessError) -> str:
    said = str(error.stderr).strip() if isinstance(error, subprocess.CalledProcessError) else ""
    return said or str(error)


def _examine_sandbox(settings: CodeSettings) -> Finding:
    problem = asyncio.run(sandbox.find_problem(settings))
    if problem:
        return Finding("sandbox", "degraded", problem)
    return Finding("sandbox", "ok", "a program was run in it, and did not get out")


def _examine_documents(settings: ResearchSettings) -> Finding:
    problem = settings.find_documents_problem()
    return Finding("documents", "degraded" if problem else "ok", problem or f"{settings.research_documents.resolve()}")


def _examine_services(settings: FederationSettings) -> Iterator[Finding]:
    """Yield how the services are where the federation runs, else whether their ports are free."""
    running = find(settings.data_dir)
    if running is not None:
        yield Finding("running", "ok", f"at {running.get('url')} (process {running.get('pid')})")
    else:
        yield Finding("running", "ok", "no; start it with `federation up`")
    launch = plan_launch(settings)
    for service in launch.services:
        name = service.name
        if running is None:
            problem = ports.find_problem(launch.host, service)
            yield Finding(name, "missing" if problem else "ok", problem or f"port {service.port} is free")
            continue
        status, facts = probe.ask(launch.address(name) + "/health")
        problems = facts.get("problems")
        if not status:
            log = f"{settings.data_dir}/logs/{name}.log"
            yield Finding(name, "degraded", f"does not answer on port {service.port}; see {log}")
        elif isinstance(problems, list):
            yield Finding(name, "degraded", " ".join(map(str, cast("list[object]", problems))))
        else:
            yield Finding(name, "ok", f"answers on port {service.port}")
