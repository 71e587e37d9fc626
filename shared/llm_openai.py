"""OpenAI, and every server that speaks as it does: Together, OpenRouter, Ollama, vLLM and others.

Called without its SDK, which takes longer to build a request than the call takes: docs/decisions/0011.
Source: https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Final, Literal, NoReturn

import aiohttp
import httpx
import orjson
from pydantic import BaseModel, BeforeValidator, Field, JsonValue, ValidationError

from shared import llm_chat
from shared.errors import TooLargeError
from shared.event_stream import EventReader
from shared.llm_choice import Access
from shared.llm_providers import (
    CONNECT_TIMEOUT_S,
    MAX_ANSWER_BYTES,
    RUBBISH,
    EndlessAnswerError,
    Form,
    Message,
    Reply,
    count,
    failed,
    openai_form,
    token_limit,
)

_LOST: Final = (aiohttp.ClientError, OSError)
_KEEP_ALIVE_S: Final = 4.0  # below the 5 s after which uvicorn, and so vLLM, closes an idle connection
_END: Final = b"[DONE]"

_Tokens = Annotated[int, BeforeValidator(count)]  # some servers say null


def _if_told(value: JsonValue) -> JsonValue:
    return value if isinstance(value, dict) else None


class _Function(BaseModel):
    arguments: str


class _Call(BaseModel):
    function: _Function | None = None


class _Said(BaseModel):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None


class _Details(BaseModel):
    cached_tokens: _Tokens = 0


class _Counted(BaseModel):
    prompt_tokens: _Tokens = 0
    completion_tokens: _Tokens = 0
    prompt_tokens_details: Annotated[_Details | None, BeforeValidator(_if_told)] = None


class _Completion(BaseModel):
    """What is read of an answer; servers that speak as OpenAI's does leave much else out."""

    choices: list[_Choice] = Field(min_length=1)
    usage: Annotated[_Counted | None, BeforeValidator(_if_told)] = None


class _Begun(BaseModel):
    delta: Annotated[_Said, BeforeValidator(lambda delta: delta or {})] = _Said()
    finish_reason: str | None = None


class _Chunk(BaseModel):
    """What is read of a piece of a streamed answer. The last ones have no choices, or no usage."""

    choices: Annotated[list[_Begun], BeforeValidator(lambda choices: choices or [])] = Field(default_factory=list)
    usage: Annotated[_Counted | None, BeforeValidator(_if_told)] = None
    error: object = None


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


class _Problem(BaseModel):
    message: str = ""
    code: str | int | None = None


class _Refusal(BaseModel):
    error: _Problem | str


class _RefusedError(Exception):
    """The server answered with an error; `response` has its headers."""

    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        super().__init__(_said(body))
        self.status_code = response.status
        self.response = response


class _BrokenOffError(Exception):
    """The server reported an error in the middle of its answer."""


_FAILURES: Final = (_RefusedError, _BrokenOffError, *_LOST, *RUBBISH)


class OpenAI:
    """A server that speaks OpenAI's chat completions."""

    def __init__(self, access: Access, timeout_s: float) -> None:
        self._access = access
        self._timeout_s = timeout_s
        self._ssl = httpx.create_ssl_context()
        self._headers = {
            "Authorization": f"Bearer {access.key.get_secret_value()}",
            "Content-Type": "application/json",
            "User-Agent": "agent-federation",
        }
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, model: str, messages: list[Message], max_tokens: int, form: Form | None) -> Reply:
        """See `Provider`."""
        try:
            body = _body(model, messages) | token_limit(self._access, max_tokens) | openai_form(form)
            async with self._send("POST", "/chat/completions", body) as response:
                completion = _Completion.model_validate_json(await _whole(response))
            choice = completion.choices[0]
            text = choice.message.content or ""
            for call in choice.message.tool_calls or ():
                if call.function is not None:
                    text = call.function.arguments
            return llm_chat.reply(text, completion.usage, choice.finish_reason)
        except _FAILURES as error:
            self._fail(error, model)

    async def stream(self, model: str, messages: list[Message], max_tokens: int) -> AsyncGenerator[str | Reply]:
        """See `Provider`."""
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        body = _body(model, messages) | streamed | token_limit(self._access, max_tokens)
        try:
            async with (
                self._send("POST", "/chat/completions", body) as response,
                aclosing(llm_chat.pieces(_chunks(response), lambda chunk: chunk.usage)) as pieces,
            ):
                async for piece in pieces:
                    yield piece
        except _FAILURES as error:
            self._fail(error, model)

    async def models(self) -> list[str]:
        """See `Provider`."""
        try:
            async with self._send("GET", "/models") as response:
                return [model.id for model in _Models.model_validate_json(await _whole(response)).data]
        except _FAILURES as error:
            self._fail(error, "")

    async def close(self) -> None:
        """See `Provider`."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def _send(
        self, method: Literal["GET", "POST"], path: str, body: dict[str, object] | None = None
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Yield the answer, of which the headers have come. Raises: _RefusedError, errors of aiohttp."""
        session = self._session = self._session or self._open()
        url, content = self._access.base_url + path, None if body is None else orjson.dumps(body)
        async with session.request(method, url, data=content, headers=self._headers, allow_redirects=False) as response:
            if response.status >= 300:
                raise _RefusedError(response, await _whole(response))
            yield response

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._ssl, keepalive_timeout=_KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S, sock_read=self._timeout_s),
            trust_env=False,
        )

    def _fail(self, error: Exception, model: str) -> NoReturn:
        raise failed(error, self._access, model, self._timeout_s, lost=_LOST) from error


def _body(model: str, messages: list[Message]) -> dict[str, object]:
    return {"model": model, "messages": llm_chat.to_messages(messages)}


async def _chunks(response: aiohttp.ClientResponse) -> AsyncGenerator[_Chunk]:
    reader = EventReader(MAX_ANSWER_BYTES)
    try:
        async for piece in response.content.iter_any():
            for event in reader.feed(piece):
                if event.strip() == _END:
                    return
                chunk = _Chunk.model_validate_json(event)
                if chunk.error:
                    raise _BrokenOffError(_said(event))
                yield chunk
    except TooLargeError as error:
        raise _BrokenOffError(error.detail) from error


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """Return an answer's body. Raises: EndlessAnswerError; errors of aiohttp."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise EndlessAnswerError(f"more than {MAX_ANSWER_BYTES:,} bytes")
    return bytes(body)


def _said(body: bytes) -> str:
    """Return what an error's body says, with its code."""
    try:
        error = _Refusal.model_validate_json(body).error
    except ValidationError:
        return body.decode(errors="replace").strip()
    if isinstance(error, str):
        return error
    return error.message if error.code is None else f"{error.message} ({error.code})"
