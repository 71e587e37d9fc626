"""WebSockets to other services of the federation, over the one way out: addresses checked, messages capped."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from starlette.websockets import WebSocket, WebSocketDisconnect

from shared.connections import named
from shared.http import Client, parse_url, translate

_MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
_TEXT, _BINARY = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY


class Socket:
    """An open WebSocket."""

    def __init__(self, inner: aiohttp.ClientWebSocketResponse) -> None:
        self._inner = inner

    async def receive(self) -> str | bytes | None:
        """Return the next message; None when there is no more."""
        message = await self._inner.receive()
        if message.type is _TEXT:
            return str(message.data)
        return bytes(message.data) if message.type is _BINARY else None

    async def send(self, text: str) -> None:
        """Send a text; nothing happens when the other side is gone."""
        if not self._inner.closed:
            await self._inner.send_str(text)

    @property
    def close_code(self) -> int:
        """With what the other side closed it; 1000 is as it should be."""
        return self._inner.close_code or 1000


async def hear(socket: WebSocket) -> str:
    """Return the next message of a client; one that is no text is empty. Raises: WebSocketDisconnect."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    return message.get("text") or ""


@asynccontextmanager
async def open_socket(client: Client, url: str) -> AsyncGenerator[Socket]:
    """Open a WebSocket at an http(s) or ws(s) address. Raises: AddressRefusedError, UnavailableError, TimedOutError."""
    parsed = parse_url(url.replace("ws", "http", 1) if url.startswith("ws") else url)
    try:
        inner = await client.calls.upgrade(str(parsed), max_bytes=_MAX_MESSAGE_BYTES)
    except (aiohttp.ClientError, OSError) as error:
        raise translate(named(error), parsed) from error
    try:
        yield Socket(inner)
    finally:
        await inner.close()
