"""The files of one session: what came with the request, and what was downloaded. They are gone when it ends."""

import asyncio
import mimetypes
import re
import shutil
from pathlib import Path

from playwright.async_api import Download, Error

from shared.agent import File
from shared.errors import InvalidRequestError, NotFoundError, TooLargeError, UnavailableError

_MAX_FILES = 100


class SessionFiles:
    """A folder of its own, made when it is first needed, with at most `max_bytes` in it."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._sizes: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """The files that are there."""
        return list(self._sizes)

    async def add(self, file: File) -> str:
        """Keep a file and return the name it got. Raises: InvalidRequestError without bytes, TooLargeError."""
        if file.content is None:
            raise InvalidRequestError(f"{file.name!r} came as an address; send its bytes.")
        name = self._free_name(file.name)
        self._reserve(name, len(file.content))
        await asyncio.to_thread(self._write, name, file.content)
        return name

    def path_of(self, name: str) -> Path:
        """Return where the file is. Raises: NotFoundError, which names those that are there."""
        plain = _plain(name)
        if plain not in self._sizes:
            there = ", ".join(repr(each) for each in self._sizes) or "none"
            raise NotFoundError(f"The session has no file {name!r}. There is: {there}.")
        return self._folder / plain

    async def keep(self, download: Download) -> File:
        """Keep what a page offered, and return it. Raises: TooLargeError, UnavailableError."""
        name = self._free_name(download.suggested_filename)
        try:
            path = await download.path()
            size = path.stat().st_size
            self._reserve(name, size)
            content = await asyncio.to_thread(path.read_bytes)
            await asyncio.to_thread(self._write, name, content)
            await download.delete()
        except Error as error:
            why = error.message.splitlines()[0]
            raise UnavailableError(f"The download of {download.url[:500]} broke off: {why}.") from error
        return File(name, mimetypes.guess_type(name)[0] or "application/octet-stream", content)

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / name).write_bytes(content)

    def _reserve(self, name: str, size: int) -> None:
        if sum(self._sizes.values()) + size > self._max_bytes or len(self._sizes) >= _MAX_FILES:
            raise TooLargeError(
                f"{name!r} has {size:,} bytes; a session keeps at most {_MAX_FILES} files of {self._max_bytes:,} bytes "
                "in all (BROWSER_MAX_FILE_BYTES)."
            )
        self._sizes[name] = size

    def _free_name(self, name: str) -> str:
        plain = _plain(name)
        stem, dot, ending = plain.rpartition(".")
        number = 1
        while plain in self._sizes:
            number += 1
            plain = f"{stem}-{number}.{ending}" if dot and stem else f"{ending}-{number}"
        return plain


def _plain(name: str) -> str:
    """Return a name without folders and without what file systems or terminals take amiss."""
    plain = re.sub(r"[^\w.,()+ -]", "_", name.replace("\\", "/").rpartition("/")[2]).strip(" .")[:120]
    return plain or "file"
