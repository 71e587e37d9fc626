"""The code agent is tested on the event loop that serves it: its subprocesses and pipes are not asyncio's own."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the one event loop these tests run on."""
    return {"uvloop": uvloop.new_event_loop}
