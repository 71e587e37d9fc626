"""Completes what the SDK says of A2A's routes in a service's OpenAPI document, without which it is not a valid one."""

import re
from typing import Any, Final

from a2a.utils.constants import VERSION_HEADER
from fastapi import FastAPI

_OLDER: Final = "/v1/"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_STREAMS: Final = (":stream", ":subscribe")
_TAGS: Final = frozenset({"A2A: JSON-RPC", "A2A: REST"})


def describe(app: FastAPI) -> None:
    """Say in the document which parameters A2A's routes take, and what they answer, errors too."""
    of_the_sdk = app.openapi

    def openapi() -> dict[str, Any]:
        document = of_the_sdk()
        for path, item in document["paths"].items():
            for operation in item.values():
                if not _TAGS.isdisjoint(operation.get("tags", ())):
                    operation |= {"parameters": _parameters(path), "responses": _responses(path)}
        return document

    app.openapi = openapi


def _parameters(path: str) -> list[dict[str, Any]]:
    text = {"type": "string"}
    named = [{"in": "path", "name": name, "required": True, "schema": text} for name in _PARAMETER.findall(path)]
    version = "0.3" if path.startswith(_OLDER) else "1.0"
    return [*named, {"in": "header", "name": VERSION_HEADER, "schema": text, "example": version}]


def _responses(path: str) -> dict[str, Any]:
    answer, stream = {"schema": {"type": "object"}}, {"text/event-stream": dict[str, Any]()}
    plain: dict[str, Any] = {"application/json": answer}
    given = plain if path == "/" or path.startswith(_OLDER) else {"application/a2a+json": answer}
    if path.endswith(_STREAMS):
        given = stream
    elif path == "/":
        given = given | stream
    refusal = {"description": "What is wrong, as A2A says it", "content": {**plain, "application/problem+json": answer}}
    return {"200": {"description": "What A2A answers", "content": given}, "4XX": refusal, "5XX": refusal}
