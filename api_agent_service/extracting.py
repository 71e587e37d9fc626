"""The skill `extract-data`: structured JSON from text, by rules, or by a model in the form of a schema."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import cast

from pydantic import JsonValue

from api_agent_service import extraction, markdown, material, model_extraction, schema_filling
from api_agent_service.extraction import KINDS, Kind
from api_agent_service.material import Source
from api_agent_service.model_extraction import Found
from api_agent_service.sources import Resources, content_of, fetch_all, prepare, read_text
from shared.agent import AgentRequest, Answer, JsonObject, Progress, Update
from shared.errors import FederationError, InvalidRequestError
from shared.llm import MODEL_ERRORS, Model, spent

_ANSWER = "extracted"
_SHOWN = 20
_HTML = ("text/html", "application/xhtml+xml")


async def extract(request: AgentRequest, resources: Resources) -> AsyncGenerator[Update]:
    """Extract what the request asks for: by its schema, by the kinds it names, or all that rules know.

    Raises: InvalidRequestError when there is no text, the schema is none, or it cannot be filled; TooLargeError; one of
    MODEL_ERRORS when only the model could fill it, and it fails.
    """
    work = await prepare(request, material.split_prose, resources)
    async with aclosing(fetch_all(work, resources)) as fetching:
        async for progress in fetching:
            yield progress
    if not work.sources and len(work.instruction.split()) > 2:
        work.sources.append(Source(material.MESSAGE, "text/plain", work.instruction.encode("utf-8", "replace")))
    text = "\n\n".join([(await read_text(source, resources.settings)).text for source in work.sources])
    if not text.strip():
        raise InvalidRequestError(
            "There is no text to extract from. Put it below the instruction, attach a file (text, Markdown, HTML, "
            "PDF), or give a URL."
        )
    schema = await asyncio.to_thread(schema_filling.compile_schema, work.schema) if work.schema else None
    kinds = extraction.read_kinds(work.instruction)
    failure: FederationError | None = None
    if resources.model is not None and (schema or not _is_covered(work.instruction, kinds)):
        try:
            reading = model_extraction.extract(resources.model, work.instruction, schema, text, resources.settings)
            async with aclosing(reading) as updates:
                async for update in updates:
                    if isinstance(update, Found):
                        yield _answer(update, resources.model, with_schema=schema is not None)
                    else:
                        yield update
        except MODEL_ERRORS as error:
            failure = error
            yield spent(error)
            yield Progress(f"Without the language model: {error} Rules are used instead.")
        else:
            return
    if schema is not None:
        try:
            filled = await asyncio.to_thread(schema_filling.fill, schema, text)
        except InvalidRequestError as error:
            raise failure or error from error
        yield Answer(_ANSWER, _block(filled), {"method": "rules", "result": filled})
        return
    limit = resources.settings.max_document_bytes
    found = await asyncio.to_thread(_find, text, work.sources, kinds, limit)
    yield Answer(_ANSWER, _write(found, kinds), {"method": "rules", **found})


def _answer(found: Found, model: Model, *, with_schema: bool) -> Answer:
    data: JsonObject = {"method": "model", "model": model.name, "provider": model.provider}
    if found.parts > 1:
        data["parts"] = found.parts
    if found.notes:
        data["left_out"] = " ".join(found.notes)
    if with_schema:
        said = _block(found.value)
        data["result"] = found.value
    else:
        facts = cast("list[JsonObject]", found.value)
        said = "\n".join(f"- {markdown.text(str(fact['name']))}: {markdown.text(str(fact['value']))}" for fact in facts)
        said = said or "The text holds nothing of what was asked for."
        data["facts"] = found.value
    notes = "".join(f"\n\n_{note}_" for note in found.notes)
    return Answer(_ANSWER, said + notes, data)


_WORDS = (
    r"please|extract|pull|out|find|get|give|list|me|all|any|every|each|the|a|an|and|or|of|from|in|on|this|that|these|it|its|with|their|"
    r"following|text|document|page|file|message|below|above|structured|data|information|info|facts?|json|as|into|to|records?|values?|"
    r"mentioned|contained|you|can|contact|details|addresses|address|numbers?|here|is"
)


def _is_covered(instruction: str, kinds: Sequence[Kind]) -> bool:
    """Tell whether rules know everything that an instruction asks for."""
    left = material.without_names(instruction)
    for kind in kinds:
        left = re.sub(rf"\b(?:{kind.asked_by})\b", " ", left, flags=re.IGNORECASE)
    return not re.search(r"[^\W\d_]{2,}", re.sub(rf"\b(?:{_WORDS})\b", " ", left, flags=re.IGNORECASE))


def _find(text: str, sources: Sequence[Source], kinds: Sequence[Kind], max_bytes: int) -> JsonObject:
    """Return the facts of the kinds asked for, empty ones too; or all that there are, when none is asked for."""
    found = extraction.extract(text, kinds or KINDS)
    for source in sources:
        start = source.head(15).lstrip().lower()
        if source.media_type.startswith(_HTML) or start.startswith((b"<!doctype", b"<html")):
            tables, links = extraction.html_facts(content_of(source, max_bytes))
            mails: list[JsonValue] = [
                link.removeprefix("mailto:").partition("?")[0] for link in links if link.startswith("mailto:")
            ]
            pages: list[JsonValue] = [link for link in links if not link.startswith("mailto:")]
            for key, more in (("tables", tables), ("emails", mails), ("urls", pages)):
                if key in found:
                    known = cast("list[JsonValue]", found[key])
                    found[key] = tables if key == "tables" else [*known, *(item for item in more if item not in known)]
    return found if kinds else {key: items for key, items in found.items() if items}


def _write(found: JsonObject, kinds: Sequence[Kind]) -> str:
    """Return what was found as Markdown: a heading for each kind, its facts below."""
    parts: list[str] = []
    for kind in kinds or KINDS:
        items = found.get(kind.key)
        if not isinstance(items, list) or not (items or kinds):
            continue
        heading = f"### {kind.name[0].upper()}{kind.name[1:]} ({len(items)})"
        if kind.key == "tables":
            body = "\n\n".join(_write_table(item) for item in items[:5]) or "None."
        else:
            body = "\n".join(f"- {_write_item(item)}" for item in items[:_SHOWN]) or "None."
        more = (
            f"\n- and {len(items) - _SHOWN} more, in the data" if len(items) > _SHOWN and kind.key != "tables" else ""
        )
        parts.append(f"{heading}\n\n{body}{more}")
    if parts:
        return "\n\n".join(parts)
    known = ", ".join(kind.name for kind in KINDS)
    return f"Nothing was found. Rules find {known}; for anything else give a JSON schema and configure a model."


def _write_item(item: JsonValue) -> str:
    if not isinstance(item, dict):
        return markdown.text(str(item))
    if "key" in item:
        return f"{markdown.text(str(item['key']))}: {markdown.text(str(item['value']))}"
    written = markdown.text(str(item["text"]))
    return f"{written} ({item['iso']})" if item.get("iso") not in (None, item["text"]) else written


def _write_table(records: JsonValue) -> str:
    rows = [row for row in records if isinstance(row, dict)] if isinstance(records, list) else []
    names = list(rows[0]) if rows else []
    return markdown.table(names, [[str(row[name]) for name in names] for row in rows[:_SHOWN]])


def _block(result: JsonValue) -> str:
    return f"```json\n{json.dumps(result, ensure_ascii=False, indent=2)}\n```"
