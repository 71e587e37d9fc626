"""What a service's HTTP API can do, as a page at `/docs`, made of the OpenAPI document: it loads and runs nothing."""

import json
from collections.abc import Iterator
from html import escape
from typing import Final, TypeAlias

from fastapi import FastAPI
from pydantic import JsonValue
from starlette.responses import HTMLResponse

from shared.agent import JsonObject

_Parts: TypeAlias = Iterator[str]

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_SCHEMAS: Final = "#/components/schemas/"
_STYLE: Final = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent) }
body { font: 15px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
details { border-top: 1px solid var(--line); padding: .45rem 0 } summary { cursor: pointer; overflow-wrap: anywhere }
details > :not(summary) { margin: .5rem 0 .5rem 1rem }
code, pre { font-family: ui-monospace, monospace; font-size: .9em }
pre { overflow-x: auto; padding: .7rem; border: 1px solid var(--line); border-radius: 6px }
table { border-collapse: collapse; width: calc(100% - 1rem) }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0 }
td { overflow-wrap: anywhere; border-top: 1px solid var(--line) }
"""


def install(app: FastAPI) -> None:
    """Serve the page."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:  # pyright: ignore[reportUnusedFunction] - the decorator keeps it
        return HTMLResponse(page(app.openapi()), headers={"Content-Security-Policy": _POLICY})


def page(document: JsonObject) -> str:
    """Return the page of an OpenAPI document."""
    info = _object(document.get("info"))
    title = escape(str(info.get("title")))
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{title}: the API</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{title} {escape(str(info.get('version')))}</h1><p>{escape(str(info.get('description') or ''))}</p>",
        '<p>For programs: <a href="/openapi.json">the OpenAPI document</a>.</p>',
        *_operations(_object(document.get("paths"))),
        "<h2>Schemas</h2>",
    ]
    for name, schema in _object(_object(document.get("components")).get("schemas")).items():
        text = escape(json.dumps(schema, indent=2, ensure_ascii=False))
        parts.append(f'<details><summary>{escape(name)}</summary><pre id="{escape(name)}">{text}</pre></details>')
    return "".join((*parts, "</main></body></html>"))


def _operations(paths: JsonObject) -> _Parts:
    """Yield what can be asked, by nouns."""
    nouns: dict[str, list[str]] = {}
    for path, methods in paths.items():
        for method, operation in _object(methods).items():
            if isinstance(operation, dict):
                tags = operation.get("tags")
                noun = str(tags[0]) if isinstance(tags, list) and tags else "more"
                nouns.setdefault(noun, []).append("".join(_operation(f"{method.upper()} {path}", operation)))
    for noun, operations in nouns.items():
        yield f"<h2>{escape(noun.capitalize())}</h2>{''.join(operations)}"


def _operation(name: str, operation: JsonObject) -> _Parts:
    yield f"<details><summary><code>{escape(name)}</code> {escape(str(operation.get('summary') or ''))}</summary>"
    if description := operation.get("description"):
        yield f"<p>{escape(str(description))}</p>"
    parameters = operation.get("parameters")
    if isinstance(parameters, list) and parameters:
        rows = "".join(_parameter(_object(parameter)) for parameter in parameters)
        yield f"<table><tr><th>Parameter</th><th>in</th><th>type</th><th></th></tr>{rows}</table>"
    if body := _object(operation.get("requestBody")):
        yield f"<p>Takes {_content(body)}.</p>"
    for status, answer in _object(operation.get("responses")).items():
        found = _object(answer)
        said = (escape(str(found.get("description") or "")), _content(found))
        yield f"<p><code>{escape(status)}</code> {': '.join(filter(None, said))}</p>"
    yield "</details>"


def _parameter(parameter: JsonObject) -> str:
    name = f"<code>{escape(str(parameter.get('name')))}</code>{', required' if parameter.get('required') else ''}"
    cells = (name, escape(str(parameter.get("in"))), _kind(_object(parameter.get("schema"))))
    description = escape(str(parameter.get("description") or ""))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in (*cells, description)) + "</tr>"


def _content(body: JsonObject) -> str:
    found = _object(body.get("content"))
    kinds = (f"{escape(media)} {_kind(_object(_object(how).get('schema')))}".strip() for media, how in found.items())
    return " or ".join(kinds)


def _kind(schema: JsonObject) -> str:
    """Return what a value is, in few words: the schema's name as a link, or its types."""
    reference = schema.get("$ref")
    if isinstance(reference, str):
        name = escape(reference.removeprefix(_SCHEMAS))
        return f'<a href="#{name}">{name}</a>'
    either = schema.get("anyOf")
    if isinstance(either, list):
        return " or ".join(_kind(_object(each)) for each in either)
    if schema.get("type") == "array":
        return f"list of {_kind(_object(schema.get('items')))}"
    return escape(str(schema.get("type") or ""))


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}
