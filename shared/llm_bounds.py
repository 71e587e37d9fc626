"""A bound for what a model's server answers to the clients of SDKs, which read whatever comes.

The SDKs use `httpx` or its fork `httpx2`; a hook for answers is what the clients of both have.
"""

from collections.abc import AsyncIterator
from typing import Any, Final, cast

import httpx
import httpx2

from shared.llm_providers import MAX_ANSWER_BYTES, EndlessAnswerError

_STREAM_TIMES: Final = 16  # each piece comes in an event of its own


async def _bound(response: httpx.Response | httpx2.Response) -> None:
    """Have the reading of an answer end at MAX_ANSWER_BYTES, of a stream at 16 times as many.

    Raises: EndlessAnswerError, there and for an answer that is compressed.
    """
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise EndlessAnswerError("The answer is compressed, which was not asked for.")
    streams = response.headers.get("content-type", "").startswith("text/event-stream")
    inner = cast("httpx.AsyncByteStream", response.stream)
    response.stream = _Bounded(inner, MAX_ANSWER_BYTES * (_STREAM_TIMES if streams else 1))


BOUNDED: Final[dict[str, Any]] = {
    "trust_env": False,
    "follow_redirects": False,
    "headers": {"Accept-Encoding": "identity"},  # a small answer may unpack to a large one
    "event_hooks": {"response": [_bound]},
}
"""Options of an SDK's HTTP client that goes where it is told, and whose answers are bounded."""


class _Bounded(httpx.AsyncByteStream, httpx2.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, max_bytes: int) -> None:
        self._inner = inner
        self._left = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._left -= len(piece)
            if self._left < 0:
                raise EndlessAnswerError("The answer has no end.")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
