"""Extraction by a model: of a text that is too long for one call, part by part, and put together."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api_agent_service import merging, parts, schema_filling
from api_agent_service.merging import Merged
from api_agent_service.schema_filling import Schema
from api_agent_service.settings import Settings
from shared.agent import Progress, Update, Usage
from shared.errors import FederationError, ModelAnswerError
from shared.llm import MODEL_ERRORS, Model, fence, spent

_SYSTEM = "You extract data from text. Use only what the text says; leave out, or set to null, what it does not say."


class _Fact(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="What it is, e.g. the name of a field that was asked for.")
    value: str = Field(description="The value, as the text has it.")


class _Facts(BaseModel):
    """What a model finds where no schema says the form."""

    model_config = ConfigDict(extra="forbid")

    facts: list[_Fact] = Field(max_length=500)


@dataclass(slots=True)
class Found:
    """What a model found, as the schema says or names with values; `notes` say what was not read, or not settled."""

    value: JsonValue = None
    parts: int = 1
    notes: list[str] = field(default_factory=list[str])


async def extract(
    model: Model, instruction: str, schema: Schema | None, text: str, settings: Settings
) -> AsyncGenerator[Update | Found]:
    """Let a model extract what an instruction and a schema ask for; what it found comes last.

    Raises: one of MODEL_ERRORS, when it can read nothing, or what it read does not make up what the schema asks for.
    """
    divided = await asyncio.to_thread(
        parts.divide,
        text,
        most_chars=settings.model_input_chars,
        most_parts=settings.extraction_calls - 1,
        setting="EXTRACTION_CALLS",
    )
    asked = f"The request was: {instruction}\n" if instruction else ""
    if len(divided.texts) == 1:
        yield Progress("Asking the language model")
        value, usage = await _ask(model, f"Extract data from the text below.\n{asked}\n{fence('text', text)}", schema)
        yield usage
        yield Found(value)
        return
    found = Found(parts=len(divided.texts), notes=[divided.left_out] if divided.left_out else [])
    values: list[JsonValue] = []
    async with aclosing(_read(model, divided.texts, asked, schema, found.notes)) as reading:
        async for update in reading:
            if isinstance(update, Found):
                values.append(update.value)
            else:
                yield update
    merged = merging.merge(values)
    if schema is not None:
        merged.value = merging.with_nulls(merged.value, schema.form)
        if merged.others or schema.problems(merged.value):
            yield Progress("Putting together what the parts say")
            value, usage = await _join(model, asked, schema, values, merged, found.notes, settings.model_input_chars)
            yield usage
            merged.value = value
    found.value = merged.value
    yield found


async def _read(
    model: Model, texts: Sequence[str], asked: str, schema: Schema | None, notes: list[str]
) -> AsyncGenerator[Update | Found]:
    """Yield what is found in each part; `notes` are told which were not read. Raises: as the first, when none was."""
    loose = await asyncio.to_thread(schema_filling.compile_schema, merging.loosen(schema.form)) if schema else None
    first: FederationError | None = None
    many = read = 0
    for number, part in enumerate(texts, 1):
        yield Progress(f"Reading part {number} of {len(texts)}")
        prompt = f"Extract data from part {number} of {len(texts)} of a text.\n{asked}\n{fence('part', part)}"
        try:
            value, usage = await _ask(model, prompt, loose, is_part=True)
        except MODEL_ERRORS as error:
            yield spent(error)
            first, many = first or error, many + 1
            if not isinstance(error, ModelAnswerError):  # nor will it answer for the next ones
                many = len(texts) - read
                break
        else:
            read += 1
            yield usage
            yield Found(value)
    if first is not None:
        if not read:
            raise first
        notes.append(f"{many} of the text's {len(texts)} parts could not be read: {first}")


async def _join(
    model: Model,
    asked: str,
    schema: Schema,
    values: Sequence[JsonValue],
    merged: Merged,
    notes: list[str],
    most_chars: int,
) -> tuple[JsonValue, Usage]:
    """Return what all parts say together, where that takes a choice. Raises: one of MODEL_ERRORS, where it must."""
    listed = json.dumps(values, ensure_ascii=False)
    if len(listed) > most_chars:  # lists are put together by rule
        listed = json.dumps([merging.without_lists(value) for value in values], ensure_ascii=False)[:most_chars]
    prompt = (
        "Below is what was found in the parts of one text, in order. Make one answer of it. Where parts say different "
        f"things, choose what fits the request for the text as a whole.\n{asked}\n{fence('found', listed)}"
    )
    try:
        answer, usage = await _ask(model, prompt, schema)
    except MODEL_ERRORS as error:
        if schema.problems(merged.value):
            raise
        where = ", ".join("/".join(place) or "the whole" for place in merged.others)
        notes.append(f"The parts of the text say different things of {where}; the first is given. {error}")
        return merged.value, spent(error)
    settled = merging.settle(merged, answer)
    return answer if schema.problems(settled) else settled, usage


async def _ask(model: Model, prompt: str, schema: Schema | None, *, is_part: bool = False) -> tuple[JsonValue, Usage]:
    """Return what a model answers, as the schema says or as names with values. Raises: one of MODEL_ERRORS."""
    if schema is None:
        facts, usage = await model.structured(prompt, _Facts, system=_SYSTEM)
        return [fact.model_dump(mode="json") for fact in facts.facts if fact.value.strip()], usage
    form = schema

    def read(answer: BaseModel) -> JsonValue:
        return schema_filling.read_answer(form, answer, nulls_are_absent=is_part)

    answer, usage = await model.structured(prompt, schema_filling.answer_model(form), system=_SYSTEM, verify=read)
    return read(answer), usage
