"""A way to PostgreSQL on which the line breaks just when a transaction is committed: before or after it is stored."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final, Literal

from tests.chaos.history import History

# Messages of the protocol. Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
_ASKED: Final = b"Q\x00\x00\x00\x0bCOMMIT\x00"
_ANSWERED: Final = b"C\x00\x00\x00\x0bCOMMIT\x00"


class Line:
    """The way through. While `break_some` is open, one commit in six or so is lost, or only its answer is."""

    def __init__(self, server_port: int, history: History) -> None:
        self.port = 0
        self._server_port = server_port
        self._history = history
        self._rng: random.Random | None = None
        self._to_break = 0
        self._broken = asyncio.Event()

    async def break_some(self, rng: random.Random, number: int) -> None:
        """Break the line so many times; returns then."""
        self._rng, self._to_break = rng, number
        await self._broken.wait()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what one connection says, both ways, until either side ends it or the line breaks."""
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            writer.close()
            return
        ways = [
            asyncio.create_task(self._pass_on(reader, to_server, _ASKED, "commit")),
            asyncio.create_task(self._pass_on(from_server, writer, _ANSWERED, "answer")),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            to_server.close()
            writer.close()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        commit: bytes,
        lost: Literal["commit", "answer"],
    ) -> None:
        with suppress(ConnectionError):
            while said := await reader.read(65536):
                if commit in said and self._breaks():
                    self._history.note("fault", process="line", life=1, action=f"lost a {lost}")
                    return
                writer.write(said)
                await writer.drain()

    def _breaks(self) -> bool:
        if self._rng is None or not self._to_break or self._rng.random() > 1 / 12:
            return False
        self._to_break -= 1
        if not self._to_break:
            self._broken.set()
        return True


@asynccontextmanager
async def line(server_port: int, history: History) -> AsyncGenerator[Line]:
    """Open a way to the server at the port."""
    way = Line(server_port, history)
    server = await asyncio.start_server(way.carry, "127.0.0.1", 0)
    try:
        way.port = server.sockets[0].getsockname()[1]
        yield way
    finally:
        server.close()
