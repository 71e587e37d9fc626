"""Asks a service over HTTP how it is. Standard library only.

`python -m federation.probe URL` ends with 0 when the answer is 200: a container's health check.
"""

import http.client
import json
import sys
from typing import TypeAlias
from urllib.parse import urlsplit

_MAX_BYTES = 1_000_000

Facts: TypeAlias = dict[str, object]


def ask(url: str, *, timeout_s: float = 5.0) -> tuple[int, Facts]:
    """Return the status and the JSON object that `url` answers; status 0 when nobody answers."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("GET", parts.path or "/", headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read(_MAX_BYTES)
    except (OSError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()
    try:
        facts: object = json.loads(body)
    except ValueError:
        facts = None
    return response.status, ({**facts} if isinstance(facts, dict) else {})


if __name__ == "__main__":
    sys.exit(ask(sys.argv[1])[0] != http.client.OK)
