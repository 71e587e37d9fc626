"""How an answer looks on the wire: as OpenAI's chat completions, or as Anthropic's messages; whole or streamed."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Final

from pydantic import JsonValue

from federation.model_double.replies import (
    Cut,
    Dialect,
    Failure,
    JsonObject,
    ModelRequest,
    Slow,
    Text,
    ToolCall,
    tokens,
)

_DONE: Final = "data: [DONE]\n\n"
_ANTHROPIC_REASONS: Final = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}


def body(asked: ModelRequest, answer: Text | ToolCall) -> JsonObject:
    """Return the whole answer as JSON."""
    return _message(asked, answer) if asked.dialect == "anthropic" else _completion(asked, answer)


def stream(asked: ModelRequest, answer: Text | ToolCall | Cut, slow: Slow | None = None) -> AsyncGenerator[str]:
    """Yield the answer as server-sent events."""
    return _message_events(asked, answer, slow) if asked.dialect == "anthropic" else _chunks(asked, answer, slow)


def error(dialect: Dialect, failure: Failure) -> JsonObject:
    """Return the body of an HTTP error."""
    if dialect == "anthropic":
        return {"type": "error", "error": {"type": failure.code, "message": failure.message}}
    return {"error": {"message": failure.message, "type": "scripted", "code": failure.code}}


def _counts(asked: ModelRequest, answer: Text | ToolCall) -> tuple[int, int, int]:
    read = sum(tokens(message["content"]) for message in asked.messages)
    if asked.dialect == "anthropic":
        read += tokens(asked.system)
    if isinstance(answer, ToolCall):
        return read, tokens(json.dumps(answer.arguments)), 0
    given_in, given_out = answer.input_tokens, answer.output_tokens
    return given_in or read, tokens(answer.text) if given_out is None else given_out, answer.cached_tokens


def _pieces(text: str) -> Iterator[str]:
    size = max(1, min(8, len(text) // 3))
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _openai_usage(asked: ModelRequest, answer: Text | ToolCall) -> JsonObject:
    read, written, cached = _counts(asked, answer)
    usage: JsonObject = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    if cached:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    return usage


def _completion(asked: ModelRequest, answer: Text | ToolCall) -> JsonObject:
    if isinstance(answer, ToolCall):
        function: JsonObject = {"name": answer.name, "arguments": json.dumps(answer.arguments)}
        call: JsonObject = {"id": "call-scripted", "type": "function", "function": function}
        message: JsonObject = {"role": "assistant", "content": None, "tool_calls": [call]}
        reason = "tool_calls"
    else:
        message = {"role": "assistant", "content": answer.text}
        reason = answer.finish_reason
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1,
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": _openai_usage(asked, answer),
    }


async def _chunks(asked: ModelRequest, answer: Text | ToolCall | Cut, slow: Slow | None) -> AsyncGenerator[str]:
    yield _chunk(asked, {"role": "assistant", "content": ""})
    if isinstance(answer, ToolCall):
        function: JsonObject = {"name": answer.name, "arguments": json.dumps(answer.arguments)}
        call: JsonObject = {"index": 0, "id": "call-scripted", "type": "function", "function": function}
        yield _chunk(asked, {"tool_calls": [call]})
        reason = "tool_calls"
    else:
        async for piece in _paced(answer.text, slow):
            yield _chunk(asked, {"content": piece})
        if isinstance(answer, Cut):
            _break_off(answer)
            return
        reason = answer.finish_reason
    yield _chunk(asked, {}, reason)
    options = asked.body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        yield _chunk(asked, None, usage=_openai_usage(asked, answer))
    yield _DONE


def _chunk(
    asked: ModelRequest, delta: JsonObject | None, reason: str | None = None, usage: JsonObject | None = None
) -> str:
    choices: list[JsonValue] = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    chunk: JsonObject = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": asked.model,
        "choices": choices,
        "usage": usage,
    }
    return f"data: {json.dumps(chunk)}\n\n"


def _message(asked: ModelRequest, answer: Text | ToolCall) -> JsonObject:
    read, written, cached = _counts(asked, answer)
    if isinstance(answer, ToolCall):
        block: JsonObject = {"type": "tool_use", "id": "toolu_scripted", "name": answer.name, "input": answer.arguments}
        reason = "tool_use"
    else:
        block = {"type": "text", "text": answer.text}
        reason = _ANTHROPIC_REASONS.get(answer.finish_reason, "end_turn")
    return {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [block],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": _anthropic_usage(read, written, cached),
    }


async def _message_events(asked: ModelRequest, answer: Text | ToolCall | Cut, slow: Slow | None) -> AsyncGenerator[str]:
    whole = Text(answer.text) if isinstance(answer, Cut) else answer
    read, written, cached = _counts(asked, whole)
    begun = _message(asked, Text(""))
    begun["content"], begun["stop_reason"], begun["usage"] = [], None, _anthropic_usage(read, 0, cached)
    yield _event("message_start", {"message": begun})
    if isinstance(whole, ToolCall):
        block: JsonObject = {"type": "tool_use", "id": "toolu_scripted", "name": whole.name, "input": {}}
        yield _event("content_block_start", {"index": 0, "content_block": block})
        partial: JsonObject = {"type": "input_json_delta", "partial_json": json.dumps(whole.arguments)}
        yield _event("content_block_delta", {"index": 0, "delta": partial})
    else:
        yield _event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
        async for piece in _paced(whole.text, slow):
            yield _event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": piece}})
    if isinstance(answer, Cut):
        _break_off(answer)
        return
    yield _event("content_block_stop", {"index": 0})
    reason = _message(asked, whole)["stop_reason"]
    delta: JsonObject = {"stop_reason": reason, "stop_sequence": None}
    yield _event("message_delta", {"delta": delta, "usage": {"output_tokens": written}})
    yield _event("message_stop", {})


def _anthropic_usage(read: int, written: int, cached: int) -> JsonObject:
    fresh = max(0, read - cached)
    return {
        "input_tokens": fresh,
        "output_tokens": written,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": 0,
    }


def _event(kind: str, data: JsonObject) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | data)}\n\n"


async def _paced(text: str, slow: Slow | None) -> AsyncGenerator[str]:
    for piece in _pieces(text):
        yield piece
        if slow is not None and slow.gap_s:
            await asyncio.sleep(slow.gap_s)


def _break_off(cut: Cut) -> None:
    if not cut.clean:
        raise ConnectionAbortedError("as scripted")
