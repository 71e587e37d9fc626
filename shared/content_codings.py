"""Unpacks what a server compressed without being asked: little by little, and only so much."""

import zlib
from collections.abc import AsyncGenerator, Iterator
from typing import Final, Protocol

import httpx

from shared.connections import too_large

_PIECE_BYTES: Final = 256 * 1024


async def decoded(response: httpx.Response, max_bytes: int) -> AsyncGenerator[bytes]:
    """Yield the body in pieces; what is compressed is unpacked, up to `max_bytes`.

    Raises: httpx.DecodingError, TooLargeError, and what `httpx` raises as it reads.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    pieces = response.aiter_raw(_PIECE_BYTES)
    if encoding in {"identity", ""}:
        async for piece in pieces:
            yield piece
        return
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise httpx.DecodingError(encoding[:40])
    inflater = zlib.decompressobj(wbits=47)
    size = 0
    is_first = True
    async for piece in pieces:
        if is_first and encoding == "deflate" and piece[:1] != b"\x78":
            inflater = zlib.decompressobj(wbits=-15)  # as some servers understand the word
        is_first = False
        try:
            for content in _inflated(inflater, piece):
                size += len(content)
                if size > max_bytes:
                    raise too_large(response.request.url.host, max_bytes)
                yield content
        except zlib.error as error:
            raise httpx.DecodingError(f"broken {encoding}") from error
    if not inflater.eof:
        raise httpx.DecodingError(f"incomplete {encoding}")


class _Inflater(Protocol):
    """What is used of zlib's decompression object, which has no name of its own."""

    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _inflated(inflater: _Inflater, piece: bytes) -> Iterator[bytes]:
    """Yield what a piece unpacks to, little by little, however much it is."""
    while content := inflater.decompress(piece, _PIECE_BYTES):
        yield content
        piece = inflater.unconsumed_tail
