"""A folder for each request, in which its files and its database are, and which is gone when the request is over."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from api_agent_service.settings import Settings


@asynccontextmanager
async def own(settings: Settings) -> AsyncGenerator[Path]:
    """Yield a new folder that only this user may look into, and remove it with all that is in it."""
    folder = Path(await asyncio.to_thread(_make, _parent(settings)))
    try:
        yield folder
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


def remove_old(settings: Settings) -> None:
    """Remove the folders of requests that a process left behind that was killed. Blocking."""
    parent = _parent(settings)
    oldest = time.time() - settings.task_timeout_s
    for folder in parent.iterdir() if parent.is_dir() else ():
        if folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)


def _parent(settings: Settings) -> Path:
    return settings.data_dir / "api-agent"


def _make(parent: Path) -> str:
    parent.mkdir(parents=True, exist_ok=True)
    return tempfile.mkdtemp(dir=parent)
