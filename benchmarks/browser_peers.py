"""Does the isolated task of `browser_tasks.py` with other people's browser agents, without a model: `--peers` there.

Each is installed in an environment of its own below `.browser-peers` (needs npm, and pip or uv), and uses the same
Chromium. For `@playwright/mcp` the task is: navigate, take the snapshot that its clients read, close the browser; for
browser-use: a session of its own, open the page, read the heading, end the session.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

CACHE: Final = Path(__file__).resolve().parents[1] / ".browser-peers"
_MCP: Final = "@playwright/mcp@0.0.83"
_BROWSER_USE: Final = "browser-use==0.13.14"
_INSTALL_S: Final = 900.0
_ROUND_S: Final = 60.0
_PROGRAM: Final = Path(__file__).with_name("peers") / "browser_use_task.py"

Task = Callable[[], Awaitable[None]]


def prepare() -> dict[str, str]:
    """Install what is missing; return why not, by name, of those that could not be."""
    failed: dict[str, str] = {}
    for name, install in ((_MCP, _install_mcp), (_BROWSER_USE, _install_browser_use)):
        mark = CACHE / f"{name.replace('/', '-')}.installed"
        if not mark.exists():
            sys.stdout.write(f"Installing {name} …\n")
            try:
                install()
                mark.touch()
            except (OSError, subprocess.SubprocessError) as error:
                failed[name] = str(error)
    return failed


@asynccontextmanager
async def open_mcp(url: str, chromium: str) -> AsyncGenerator[tuple[str, Task]]:
    """Start `@playwright/mcp`; yield its name and what does the task once."""
    program = CACHE / "node_modules" / ".bin" / "playwright-mcp"
    options = ["--headless", "--isolated", "--executable-path", chromium]
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with _program([str(program), *options, *sandbox], {}) as process:
        number = 0

        async def call(method: str, params: dict[str, object]) -> None:
            nonlocal number
            number += 1
            answer = await _ask(process, {"jsonrpc": "2.0", "id": number, "method": method, "params": params}, number)
            if "result" not in answer or '"isError": true' in json.dumps(answer):
                raise RuntimeError(f"{_MCP} answered {json.dumps(answer)[:300]}")

        async def task() -> None:
            await call("tools/call", {"name": "browser_navigate", "arguments": {"url": url}})
            await call("tools/call", {"name": "browser_snapshot", "arguments": {}})
            await call("tools/call", {"name": "browser_close", "arguments": {}})

        client = {"name": "benchmark", "version": "1"}
        await call("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client})
        yield _MCP, task


@asynccontextmanager
async def open_browser_use(url: str, chromium: str) -> AsyncGenerator[tuple[str, Task]]:
    """Start a program that uses browser-use; yield its name and what does the task once."""
    python = CACHE / "browser-use" / "bin" / "python"
    quiet = {"ANONYMIZED_TELEMETRY": "false", "BROWSER_USE_LOGGING_LEVEL": "result", "BROWSER_USE_CLOUD_SYNC": "false"}
    async with _program([str(python), str(_PROGRAM), chromium], quiet) as process:

        async def task() -> None:
            answer = await _ask(process, {"url": url}, None)
            if "heading" not in answer:
                raise RuntimeError(f"{_BROWSER_USE} answered {json.dumps(answer)[:300]}")

        yield _BROWSER_USE, task


@asynccontextmanager
async def _program(command: list[str], environment: dict[str, str]) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **environment},
        limit=10_000_000,
    )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()  # both end by themselves, and take their Chromium along
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ask(
    process: asyncio.subprocess.Process, request: dict[str, object], number: int | None
) -> dict[str, object]:
    """Send a line; return the line of JSON that answers it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(request).encode() + b"\n")
    async with asyncio.timeout(_ROUND_S):
        while line := await process.stdout.readline():
            answer: object = json.loads(line) if line.startswith(b"{") else None
            if isinstance(answer, dict) and answer.get("id") == number:  # pyright: ignore[reportUnknownMemberType]
                return answer  # pyright: ignore[reportUnknownVariableType]
    raise RuntimeError("The program ended.")


def _install_mcp() -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    _run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(CACHE), _MCP])


def _install_browser_use() -> None:
    folder = str(CACHE / "browser-use")
    python = f"{folder}/bin/python"
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
        _run([uv, "pip", "install", "--quiet", "--python", python, _BROWSER_USE])
    else:
        _run([sys.executable, "-m", "venv", "--clear", folder])
        _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _BROWSER_USE])


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=_INSTALL_S)
