"""The stream of server-sent events, over real HTTP: what is sent, and when it ends."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Response

from shared import event_response
from shared.event_response import EventResponse, encode
from tests.support.serving import serve


class _Source:
    """Events to stream, and whether the stream has let go of them."""

    def __init__(self, events: int, *, bytes_each: int = 1) -> None:
        self.asked = 0
        self.ended = asyncio.Event()
        self._events = events
        self._text = b"x" * bytes_each

    async def stream(self, *, stay: bool) -> AsyncGenerator[bytes]:
        try:
            for number in range(1, self._events + 1):
                self.asked = number
                yield encode(number, "step.progress", self._text)
            if stay:
                await asyncio.Event().wait()
        finally:
            self.ended.set()


@asynccontextmanager
async def _served(answer: Callable[[], Response]) -> AsyncGenerator[httpx.AsyncClient]:
    app = FastAPI()
    app.get("/events")(answer)
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
        yield client


async def test_events_come_as_they_are_written_and_the_stream_ends_with_them() -> None:
    source = _Source(2)
    async with _served(lambda: EventResponse(source.stream(stay=False))) as client:
        response = await client.get("/events")
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.text == ("id: 1\nevent: step.progress\ndata: x\n\nid: 2\nevent: step.progress\ndata: x\n\n")
    assert source.ended.is_set()


async def test_a_quiet_stream_is_kept_alive() -> None:
    source = _Source(0)
    async with (
        _served(lambda: EventResponse(source.stream(stay=True), keep_alive_s=0.05)) as client,
        client.stream("GET", "/events") as response,
    ):
        lines = response.aiter_lines()
        assert [await anext(lines) for _ in range(4)] == [": keep-alive", "", ": keep-alive", ""]


async def test_the_source_is_let_go_when_the_client_is_gone() -> None:
    source = _Source(1)
    async with _served(lambda: EventResponse(source.stream(stay=True))) as client, asyncio.timeout(20):
        async with client.stream("GET", "/events") as response:
            await anext(response.aiter_lines())
        await source.ended.wait()


async def test_a_client_that_reads_nothing_costs_little_and_not_for_ever() -> None:
    source = _Source(10_000, bytes_each=10_000)
    async with (
        _served(lambda: EventResponse(source.stream(stay=True), keep_alive_s=0.1)) as client,
        client.stream("GET", "/events"),
        asyncio.timeout(20),
    ):
        await source.ended.wait()
    assert source.asked < 5_000


async def test_streams_end_when_the_service_stops() -> None:
    source = _Source(1)
    async with (
        _served(lambda: EventResponse(source.stream(stay=True))) as client,
        client.stream("GET", "/events") as response,
        asyncio.timeout(20),
    ):
        lines = response.aiter_lines()
        await anext(lines)
        event_response.end_all()
        assert [line async for line in lines if line.startswith("id")] == []


async def test_a_source_that_fails_breaks_the_connection() -> None:
    async def fail() -> AsyncGenerator[bytes]:
        yield encode(1, "step.progress", b"x")
        raise RuntimeError("broken")

    async with _served(lambda: EventResponse(fail())) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/events")
