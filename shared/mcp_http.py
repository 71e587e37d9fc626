"""MCP over HTTP by way of `shared.http`: the library's own client, on a transport that sends everything by ours.

So each address is checked and answers are capped, as for all outgoing calls; redirects are followed within the server's
own origin only.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import httpx

from shared import http
from shared.errors import FederationError

if TYPE_CHECKING:
    import httpx2
    from mcp.client import Transport

_MAX_MESSAGE_BYTES: Final = 4_000_000


async def open_transport(
    stack: AsyncExitStack, client: http.Client, url: str, headers: Mapping[str, str], *, timeout_s: float
) -> "Transport":
    """Return a transport to the server at `url`; what it opens is closed with the stack."""
    import httpx2  # noqa: PLC0415 - comes with a large library that most agents never use
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

    outgoing = httpx2.AsyncClient(transport=_bridge(client), headers=dict(headers), timeout=timeout_s, trust_env=False)
    await stack.enter_async_context(outgoing)
    return streamable_http_client(url, http_client=outgoing, max_sse_event_size=_MAX_MESSAGE_BYTES)


def _bridge(client: http.Client) -> "httpx2.AsyncBaseTransport":
    """Return a transport for the library's client that sends everything by ours."""
    import httpx2  # noqa: PLC0415

    class Body(httpx2.AsyncByteStream):
        def __init__(self, response: httpx.Response) -> None:
            self._response = response

        async def __aiter__(self) -> AsyncGenerator[bytes]:
            try:
                async for chunk in self._response.aiter_raw():
                    yield chunk
            except httpx.HTTPError as error:
                raise httpx2.ReadError(str(error)) from error

        async def aclose(self) -> None:
            await self._response.aclose()

    class Bridge(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            content = await request.aread()
            headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"accept-encoding"]
            outgoing = client.build_request(
                request.method,
                str(request.url),
                headers=headers,
                content=content,
                timeout=httpx.Timeout(**request.extensions.get("timeout", {})),
                extensions={http.MAX_BYTES: _MAX_MESSAGE_BYTES},
            )
            try:
                response = await client.send(outgoing, stream=True)
            except FederationError as error:
                raise httpx2.ConnectError(error.detail) from error
            except httpx.HTTPError as error:
                raise httpx2.ConnectError(str(error)) from error
            return httpx2.Response(response.status_code, headers=response.headers.raw, stream=Body(response))

    return Bridge()
