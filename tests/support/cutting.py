"""A way to an agent that breaks: a TCP proxy which cuts a connection in the middle of an event."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import urlsplit

_EVENT = b"data:"
_INTO_THE_EVENT = 20


class CuttingProxy:
    """Hands everything on to the server at `target`, and cuts where it is told to.

    `cuts` are for the connections that answer with events, in turn: how many whole events get through before the cut;
    later ones are left alone. `refuses`: connections are closed before anything gets through, so often.
    """

    def __init__(self, target: str, *cuts: int, refuses: int = 0) -> None:
        self.url = ""
        self.connections = 0
        self.refuses = refuses
        self._cuts = list(cuts)
        self._target = urlsplit(target)

    @property
    def cuts_left(self) -> int:
        """How many cuts are still to come."""
        return len(self._cuts)

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["CuttingProxy"]:
        """Serve on a free port; `url` is set."""
        async with await asyncio.start_server(self._carry, "127.0.0.1", 0) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield self

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        async with AsyncExitStack() as stack:
            stack.callback(writer.transport.abort)
            if self.refuses and self._cuts == []:
                self.refuses -= 1
                return
            to_reader, to_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
            stack.callback(to_writer.transport.abort)
            sending = asyncio.create_task(_pump(reader, to_writer))
            stack.callback(sending.cancel)
            with suppress(ConnectionError):
                await self._answer(to_reader, writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent, seen = 0, b""
        while chunk := await reader.read(65536):
            seen += chunk
            if self._cuts and seen.count(_EVENT) > self._cuts[0]:
                at = _nth(seen, self._cuts.pop(0) + 1) + _INTO_THE_EVENT
                writer.write(seen[sent:at])
                await writer.drain()
                await asyncio.sleep(0.05)  # so that what was sent arrives before the connection is reset
                return
            writer.write(seen[sent:])
            sent = len(seen)
            await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()


def _nth(content: bytes, number: int) -> int:
    at = -1
    for _ in range(number):
        at = content.index(_EVENT, at + 1)
    return at
