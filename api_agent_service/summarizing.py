"""The skill `summarize`: by the model where there is one, else by extraction; never not at all."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from api_agent_service import material, parts, summary
from api_agent_service.parts import Parts
from api_agent_service.sources import Resources, fetch_all, prepare, read_text
from api_agent_service.summary import Length
from shared.agent import AgentRequest, Answer, Delta, JsonObject, Progress, Update, Usage
from shared.errors import InvalidRequestError
from shared.llm import MODEL_ERRORS, Model, fence, spent

_ANSWER = "summary"
_SYSTEM = (
    "You write summaries. Say only what the text says, in its language if no other is asked for, without an "
    "introduction or a closing remark. Answer in Markdown."
)
_NOTES_SYSTEM = (
    "You take notes of one part of a long text for somebody who will summarize the whole. Keep what matters: names, "
    "figures, dates, claims, conclusions. Say only what the part says, in its language, as short bullet points."
)
_NOTES_TOKENS = 700


async def summarize(request: AgentRequest, resources: Resources) -> AsyncGenerator[Update]:
    """Summarize what the request brings along.

    Raises: InvalidRequestError when there is no text; TooLargeError.
    """
    work = await prepare(request, material.split_prose, resources)
    async with aclosing(fetch_all(work, resources)) as fetching:
        async for progress in fetching:
            yield progress
    documents = [(source.name, await read_text(source, resources.settings)) for source in work.sources]
    text = "\n\n".join(document.text for _, document in documents if document.text.strip())
    if not text.strip():
        raise InvalidRequestError(
            "There is no text to summarize. Put it below the instruction, attach a file (text, Markdown, HTML, PDF), "
            "or give a URL."
        )
    length, style = summary.read_length(work.instruction), summary.read_style(work.instruction)
    facts: JsonObject = {
        "sources": [name for name, _ in documents],
        "titles": [document.title for _, document in documents if document.title],
        "characters": len(text),
    }
    notes: list[str] = []
    if resources.model is not None:
        divided = await asyncio.to_thread(
            parts.divide,
            text,
            most_chars=resources.settings.model_input_chars,
            most_parts=resources.settings.summary_calls - 1,
            setting="SUMMARY_CALLS",
        )
        try:
            async with aclosing(_write(resources.model, divided, work.instruction, length)) as updates:
                async for update in updates:
                    yield update if not isinstance(update, str) else _answer(update, facts, divided, resources.model)
        except MODEL_ERRORS as error:
            yield spent(error)
            notes.append(f"Without the language model: {error} The most telling sentences follow instead.")
            yield Progress(notes[0])
        else:
            return
    if style:
        notes.append(f"These are the text's own sentences; another style ({', '.join(style)}) needs a language model.")
    found = await asyncio.to_thread(summary.summarize, text, length)
    facts |= {"summary": found.text, "method": "extractive", "of_sentences": found.of_sentences}
    facts |= {"sentences": list(found.sentences), "notes": list(notes)}
    yield Answer(_ANSWER, found.text, facts)


async def _write(model: Model, divided: Parts, instruction: str, length: Length) -> AsyncGenerator[Update | str]:
    """Let the model write: notes of each part first, where there are several. The summary itself comes last."""
    asked = f"The request was: {instruction}\n" if instruction else ""
    texts = divided.texts
    fenced = fence("text", texts[0])
    if len(texts) > 1:
        notes: list[str] = []
        for number, text in enumerate(texts, 1):
            yield Progress(f"Reading part {number} of {len(texts)}")
            prompt = f"This is part {number} of {len(texts)}.\n\n{fence('part', text)}"
            taken = await model.complete(prompt, system=_NOTES_SYSTEM, max_tokens=_NOTES_TOKENS)
            yield taken.usage
            notes.append(f"Part {number}:\n{taken.marked.strip()}")
        yield Progress("Writing the summary from the notes of the parts")
        fenced = fence("notes of the parts of the text, in order", "\n\n".join(notes))
    prompt = f"Summarize the text below. Length: {summary.describe(length)}.\n{asked}\n{fenced}"
    written = ""
    async with aclosing(model.stream(prompt, system=_SYSTEM, max_tokens=_max_tokens(length))) as pieces:
        async for piece in pieces:
            if isinstance(piece, Usage):
                yield piece
            else:
                written += piece
                yield Delta(_ANSWER, piece)
    yield written.strip()


def _answer(written: str, facts: JsonObject, divided: Parts, model: Model) -> Answer:
    made: JsonObject = {"summary": written, "method": "model", "model": model.name, "provider": model.provider}
    if len(divided.texts) > 1:
        made["parts"] = len(divided.texts)
    if divided.left_out:
        made["left_out"] = divided.left_out
    text = f"{written}\n\n_{divided.left_out}_" if divided.left_out else written
    return Answer(_ANSWER, text, facts | made)


def _max_tokens(length: Length) -> int:
    return min(8_192, 512 + (length.words or length.sentences * 40) * 3)
