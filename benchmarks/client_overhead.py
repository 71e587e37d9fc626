"""What does our client add to one call of an agent, with its guards, over a raw HTTP POST of the same body?

    .venv/bin/python benchmarks/client_overhead.py [--calls 2000]

The agent is a process of its own and answers at once. Calls take turns: a raw POST by httpx whose answer is read and
parsed, the same by aiohttp (which our client stands on), and one by `shared.agent_client`, which judges the address,
bounds and checks what comes, and makes it into events. Target: ours takes at most 2 ms more than httpx, by the median.
"""

import argparse
import asyncio
import statistics
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from itertools import count
from time import perf_counter
from typing import Final, TypeAlias

import aiohttp
import httpx
import orjson
import uvloop

from benchmarks.harness import machine
from benchmarks.harness.processes import folder, free_port, serving
from benchmarks.harness.tables import show, verdict
from shared import agent_client
from shared.agent import JsonObject
from shared.agent_client import Ended, OutgoingMessage
from shared.http import open_client
from shared.outgoing_message import to_params
from shared.settings import FederationSettings

Call: TypeAlias = Callable[[], Awaitable[None]]

_MOST_MS: Final = 2.0
_TEXT: Final = "Say this. " * 20
_HEADERS: Final = {"A2A-Version": "1.0", "Content-Type": "application/json", "Accept": "text/event-stream"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--quick", action="store_true", help="few calls: to see that it works")
    chosen = parser.parse_args()
    print(machine.describe())
    uvloop.run(_measure(50 if chosen.quick else chosen.calls))


async def _measure(calls: int) -> None:
    port = free_port()
    settings = FederationSettings.model_validate({})
    with folder() as data:
        async with (
            serving("benchmarks.harness.least_agent", ["Echo"], {"API_AGENT_PORT": port}, port, data) as agent,
            open_client(settings) as client,
            httpx.AsyncClient(trust_env=False) as raw,
            aiohttp.ClientSession() as session,
        ):
            card = (await agent_client.fetch_card(client, agent.url, timeout_s=5)).card
            connection = agent_client.connect(client, card)
            numbers = count()

            async def by_httpx() -> None:
                _check((await raw.post(agent.url, content=_body(next(numbers)), headers=_HEADERS)).content)

            async def by_aiohttp() -> None:
                async with session.post(agent.url, data=_body(next(numbers)), headers=_HEADERS) as answer:
                    _check(await answer.read())

            async def by_ours() -> None:
                async with aclosing(connection.send(_message(next(numbers)))) as events:
                    assert isinstance([event async for event in events][-1], Ended)

            ways: dict[str, Call] = {"raw, httpx": by_httpx, "raw, aiohttp": by_aiohttp, "our client": by_ours}
            took_ms = await _time(ways, calls)
    base = statistics.median(took_ms["raw, httpx"])
    rows = [
        [name, f"{median:.2f}", f"{times[int(len(times) * 0.95)]:.2f}", f"{median - base:+.2f}"]
        for name, times in took_ms.items()
        for median in [statistics.median(times)]
    ]
    added = statistics.median(took_ms["our client"]) - base
    rows[-1][-1] += f" (≤ {_MOST_MS:g}: {verdict(added, _MOST_MS)})"
    show(f"One call of an agent; n = {calls} each, in turns", ["way", "median ms", "p95 ms", "added ms"], rows)


async def _time(ways: dict[str, Call], calls: int) -> dict[str, list[float]]:
    took_ms: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(calls + 20):
        for name, call in ways.items():
            began = perf_counter()
            await call()
            if number >= 20:  # the first ones warm up
                took_ms[name].append((perf_counter() - began) * 1000)
        if number % 100 == 0:
            await asyncio.sleep(0)
    return {name: sorted(times) for name, times in took_ms.items()}


def _message(number: int) -> OutgoingMessage:
    return OutgoingMessage(f"m-{number}", _TEXT)


def _body(number: int) -> bytes:
    params: JsonObject = to_params(_message(number), returns_at_once=False, push=None)
    return orjson.dumps({"jsonrpc": "2.0", "id": str(number), "method": "SendStreamingMessage", "params": params})


def _check(content: bytes) -> None:
    event = orjson.loads(content.partition(b"data:")[2].partition(b"\n")[0])
    assert event["result"]["task"]["status"]["state"] == "TASK_STATE_COMPLETED", event


if __name__ == "__main__":
    main()
