"""Prints what of the orchestrator's OpenAPI document the web UI uses; `make types` makes its types of it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from pydantic import JsonValue

from orchestrator_service import main
from orchestrator_service.settings import Settings
from shared.agent import JsonObject

_REFERENCE = "#/components/schemas/"


def text() -> str:
    """Return the document as JSON, sorted: the paths below /api and the schemas that they need."""
    with TemporaryDirectory() as folder:
        whole: dict[str, JsonObject] = main.create(Settings.model_validate({"data_dir": Path(folder)})).openapi()
    paths = {path: item for path, item in whole["paths"].items() if path.startswith("/api/")}
    schemas = whole["components"]["schemas"]
    assert isinstance(schemas, dict)  # noqa: S101 - so says OpenAPI
    needed: dict[str, JsonValue] = {}
    open_names = list(_references(paths))
    while open_names:
        name = open_names.pop()
        if name not in needed:
            needed[name] = schemas[name]
            open_names += _references(schemas[name])
    document = {"openapi": whole["openapi"], "info": {"title": "Agent Federation", "version": "1"}, "paths": paths}
    document["components"] = {"schemas": needed}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"


def _references(value: JsonValue | JsonObject) -> Iterator[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith(_REFERENCE):
            yield reference.removeprefix(_REFERENCE)
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


if __name__ == "__main__":
    sys.stdout.write(text())
