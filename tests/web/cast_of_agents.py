"""The agents that the UI's journeys meet; the words of a request say what they do."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Final

import orjson

from shared.agent import (
    Agent,
    AgentRequest,
    Answer,
    Delta,
    File,
    InputRequired,
    JsonObject,
    ModelCall,
    Produced,
    Progress,
    Update,
    Usage,
)
from tests.support.federation import TestAgent

FORM: Final[JsonObject] = {
    "type": "object",
    "title": "Trip",
    "required": ["city", "nights"],
    "properties": {
        "city": {"type": "string", "title": "City", "description": "Where to; **no** abbreviations."},
        "nights": {"type": "integer", "title": "Nights", "minimum": 1, "maximum": 30},
        "class": {"title": "Class", "enum": ["economy", "business"], "default": "economy"},
        "when": {"type": "string", "format": "date", "title": "First day"},
        "insured": {"type": "boolean", "title": "With insurance"},
        "guests": {"type": "array", "title": "Guests", "items": {"type": "string", "title": "Name"}},
        "contact": {
            "type": "object",
            "title": "Contact",
            "properties": {"email": {"type": "string", "format": "email", "title": "E-mail"}},
        },
    },
}

REPORT: Final = """\
## Sales by city

The *autumn* sale went well. Oslo sold most.

| city | price | sold |
| --- | ---: | ---: |
| Oslo | 42 | 310 |
| Bergen | 40 | 120 |
| Tromsø | 44 | 95 |

1. Prices rose in **Oslo**.
2. Bergen stayed as it was.

```python
def average(prices: list[float]) -> float:
    return sum(prices) / len(prices)
```
"""

NASTY: Final = """\
<script>window.pwned = 1</script> <img src=x onerror="window.pwned = 1">

[click](javascript:window.pwned=1) ![beacon](http://198.51.100.7/beacon.png)

A name with \u202emarks of direction\u202c, a bell \u0007 and שלום.

<iframe src="javascript:parent.pwned=1"></iframe>
"""

CHART: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 160"><script>parent.pwned = 1</script>'
    b'<rect width="320" height="160" fill="#fff"/><g fill="#2b7b73"><rect x="40" y="40" width="50" height="100"/>'
    b'<rect x="130" y="90" width="50" height="50"/><rect x="220" y="105" width="50" height="35"/></g></svg>'
)
SOLD: Final[JsonObject] = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "title": "Tickets sold",
    "data": {
        "values": [{"city": "Oslo", "sold": 310}, {"city": "Bergen", "sold": 120}, {"city": "Tromsø", "sold": 95}]
    },
    "mark": {"type": "bar", "tooltip": True},
    "encoding": {
        "x": {"field": "city", "type": "nominal", "sort": "-y"},
        "y": {"field": "sold", "type": "quantitative", "title": "tickets"},
        "color": {"condition": {"test": "datum.sold > 300", "value": "#c9762b"}, "value": "#2b8c81"},
    },
}
SPREAD: Final[JsonObject] = {
    "background": "white",
    "title": "Prices",
    "width": 240,
    "height": 160,
    "data": {"values": [{"low": 0, "high": 10, "rows": 4}, {"low": 10, "high": 20, "rows": 3}]},
    "mark": "bar",
    "encoding": {
        "x": {"field": "low", "bin": {"binned": True}, "type": "quantitative"},
        "x2": {"field": "high"},
        "y": {"field": "rows", "type": "quantitative"},
    },
}
REMOTE: Final[JsonObject] = {**SOLD, "data": {"url": "http://198.51.100.7/rows.csv"}}
ENDLESS: Final[JsonObject] = {**SOLD, "data": {"sequence": {"start": 0, "stop": 1_000_000_000, "as": "sold"}}}
PAGE: Final = b"<h1>A page</h1><script>parent.pwned = 1; document.title = 'pwned'</script><p>Harmless text.</p>"


class Gates:
    """What agents wait for, opened from the test's thread."""

    def __init__(self) -> None:
        self._opened: dict[str, threading.Event] = {}

    def open(self, name: str) -> None:
        """Let those who wait for `name` go on."""
        self._of(name).set()

    async def wait(self, name: str) -> None:
        """Wait until it is opened."""
        while not self._of(name).is_set():  # noqa: ASYNC110 - set from another thread
            await asyncio.sleep(0.01)

    def _of(self, name: str) -> threading.Event:
        return self._opened.setdefault(name, threading.Event())


def cast(gates: Gates) -> list[TestAgent]:
    """Return the agents."""
    failed: set[str] = set()

    async def write(request: AgentRequest) -> AsyncGenerator[Update]:
        yield Progress("Looking at the figures")
        if "nasty" in request.text:
            yield Produced(File("page.html", "text/html", PAGE))
            yield Produced(File("drawing.svg", "image/svg+xml", CHART))
            yield Answer("report", NASTY)
            return
        if "chart" in request.text:
            for name, chart in {"sold": SOLD, "spread": SPREAD, "remote": REMOTE, "endless": ENDLESS}.items():
                if name in request.text:
                    yield Produced(File(f"{name}.vl.json", "application/vnd.vegalite.v5+json", orjson.dumps(chart)))
            yield Answer("charts", "Drawn.")
            return
        for piece in REPORT.split("\n\n"):
            yield Delta("report", piece + "\n\n")
            await asyncio.sleep(0)
        call = ModelCall("test:writer", "write", 1_200, 300, cost_usd=0.021, latency_ms=840)
        yield Usage(call.input_tokens, call.output_tokens, call.cost_usd, 1, (call,))
        yield Produced(File("sales.csv", "text/csv", b"city,price\nOslo,42\nBergen,40\n"))
        yield Produced(File("chart.svg", "image/svg+xml", CHART))
        yield Answer("report", REPORT, {"cities": 3, "best": "Oslo"})

    async def book(request: AgentRequest) -> AsyncGenerator[Update]:
        if not request.history:
            yield InputRequired("Where do you want to go? Prices are *per night*.", FORM)
            return
        given = request.data[0] if request.data else None
        yield Answer("booking", f"Booked: {given['city'] if isinstance(given, dict) else request.text}")

    async def wait(request: AgentRequest) -> AsyncGenerator[Update]:
        yield Progress("Waiting for the gate")
        await gates.wait(request.text)
        yield Answer("waited", f"The gate {request.text} is open.")

    async def fail_once(request: AgentRequest) -> AsyncGenerator[Update]:
        if request.text not in failed:
            failed.add(request.text)
            message = "The ledger is locked"
            raise RuntimeError(message)
        yield Answer("checked", f"Checked: {request.text}")

    def counting(answer: str) -> Agent:
        async def count(request: AgentRequest) -> AsyncGenerator[Update]:
            yield Progress(f"Counting for: {request.text[:40]}")
            yield Answer("count", answer)

        return count

    async def echo(request: AgentRequest) -> AsyncGenerator[Update]:
        yield Progress("Listening")
        yield Answer("echo", f"You said: {request.text}")

    return [
        TestAgent("Writer", write, ("write-report",), ("report", "sales")),
        TestAgent("Travel desk", book, ("book-trip",), ("travel", "booking")),
        TestAgent("Gatekeeper", wait, ("wait-for-gate",)),
        TestAgent("Auditor", fail_once, ("check-ledger",)),
        TestAgent("Echo", echo, ("echo",), ("repeat", "say")),
        TestAgent("Ann", counting("717,710"), ("count-people",)),
        TestAgent("Ben", counting("about 700,000"), ("count-people",)),
        TestAgent("Cid", counting("717710"), ("count-people",)),
    ]
