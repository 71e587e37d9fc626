"""What the Python clients here share: they run the script they are given, and print a line of JSON for each case.

A script maps cases to what is to be said: {"answer": ["echo one"], "ask": ["echo ask", "blue"]}. A line is
{"case": …, "state": …, "text": …}, or {"case": …, "error": …} when the client could not do it.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

_LONGEST_S = 30.0

Case = Callable[..., Awaitable[dict[str, Any]]]


def arguments() -> tuple[str, str, dict[str, list[str]]]:
    """Return the service's URL, the dialect to be spoken, and the script."""
    url, dialect, script = sys.argv[1:]
    return url, dialect, json.loads(script)


async def play(script: Mapping[str, list[str]], cases: Mapping[str, Case]) -> None:
    """Run the script's cases, one after the other; what one of them raises is what it found out."""
    for name, said in script.items():
        try:
            found = await asyncio.wait_for(cases[name](*said), _LONGEST_S)
        except Exception as error:  # noqa: BLE001 - whatever a framework raises is the finding
            found = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
        sys.stdout.write(json.dumps({"case": name, **found}) + "\n")
        sys.stdout.flush()
