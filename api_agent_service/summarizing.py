"""The skill `summarize`: by the model where there is one, else by extraction; never not at all."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from api_agent_service import material, summary
from api_agent_service.sources import Resources, fetch_all, prepare, read_text
from api_agent_service.summary import Length
from shared.agent import AgentRequest, Answer, Delta, JsonObject, Progress, Update, Usage
from shared.errors import InvalidRequestError
from shared.llm import MODEL_ERRORS, Model, fence, spent

_ANSWER = "summary"
_SYSTEM = (
    "You write summaries. Say only what the text says, in the language of the text, without an introduction or a "
    "closing remark. Answer in Markdown."
)


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
    length = summary.read_length(work.instruction)
    facts: JsonObject = {
        "sources": [name for name, _ in documents],
        "titles": [document.title for _, document in documents if document.title],
        "characters": len(text),
    }
    if resources.model is not None:
        prompt = await _prompt(text, work.instruction, length, resources.settings.model_input_chars)
        written = ""
        try:
            async with aclosing(
                resources.model.stream(prompt, system=_SYSTEM, max_tokens=_max_tokens(length))
            ) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Usage):
                        yield piece
                    else:
                        written += piece
                        yield Delta(_ANSWER, piece)
        except MODEL_ERRORS as error:
            yield spent(error)
            yield Progress(f"Without the language model: {error} The most telling sentences follow instead.")
        else:
            yield Answer(_ANSWER, written.strip(), facts | {"summary": written.strip(), **_made_by(resources.model)})
            return
    found = await asyncio.to_thread(summary.summarize, text, length)
    facts |= {"summary": found.text, "method": "extractive", "of_sentences": found.of_sentences}
    facts["sentences"] = list(found.sentences)
    yield Answer(_ANSWER, found.text, facts)


def _made_by(model: Model) -> JsonObject:
    return {"method": "model", "model": model.name, "provider": model.provider}


async def _prompt(text: str, instruction: str, length: Length, max_chars: int) -> str:
    condensed = await asyncio.to_thread(summary.condense, text, max_chars)
    asked = f"The request was: {instruction}\n" if instruction else ""
    return f"Summarize the text below. Length: {summary.describe(length)}.\n{asked}\n{fence('text', condensed)}"


def _max_tokens(length: Length) -> int:
    return min(8_192, 512 + (length.words or length.sentences * 40) * 3)
