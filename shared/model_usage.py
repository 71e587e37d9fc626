"""Usage of language models as JSON: how an agent reports it in A2A metadata, and how it is read there. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from pydantic import JsonValue

from shared.agent import JsonObject, ModelCall, Usage

MOST_CALLS: Final = 200
"""Calls told one by one; of more, those of one model and role are told together."""

_LONGEST_NAME: Final = 200
_MOST: Final = 1e15


def to_json(usage: Usage) -> JsonObject:
    """Return usage as it is told."""
    told: JsonObject = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
        "llm_calls": usage.llm_calls,
    }
    if usage.calls:
        told["calls"] = [_call_json(call) for call in bounded(usage.calls)]
    return told


def from_json(told: JsonValue) -> Usage:
    """Return usage as somebody else told it: what is no number, or below zero, is none; none is beyond 1e15."""
    if not isinstance(told, dict):
        return Usage()
    calls = told.get("calls")
    listed = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return Usage(
        whole(told.get("input_tokens")),
        whole(told.get("output_tokens")),
        _number(told.get("cost_usd")),
        whole(told.get("llm_calls")),
        bounded([_call(call) for call in listed[: 4 * MOST_CALLS]]),
    )


def bounded(calls: Iterable[ModelCall]) -> tuple[ModelCall, ...]:
    """Return the calls; where they are more than MOST_CALLS, those of one model and role as one entry."""
    listed = tuple(calls)
    if len(listed) <= MOST_CALLS:
        return listed
    merged: dict[tuple[str, str, bool], ModelCall] = {}
    for call in listed:
        key = (call.model, call.role, call.cached)
        merged[key] = _merge(merged[key], call) if key in merged else call
    return tuple(merged.values())[:MOST_CALLS]


def _merge(one: ModelCall, other: ModelCall) -> ModelCall:
    return replace(
        one,
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        cost_usd=one.cost_usd + other.cost_usd,
        saved_usd=one.saved_usd + other.saved_usd,
        latency_ms=one.latency_ms + other.latency_ms,
        count=one.count + other.count,
    )


def _call_json(call: ModelCall) -> JsonObject:
    return {
        "model": call.model,
        "role": call.role,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "cached_tokens": call.cached_tokens,
        "cost_usd": call.cost_usd,
        "saved_usd": call.saved_usd,
        "latency_ms": round(call.latency_ms, 1),
        "cached": call.cached,
        "count": call.count,
    }


def _call(told: JsonObject) -> ModelCall:
    return ModelCall(
        model=_name(told.get("model")),
        role=_name(told.get("role")),
        input_tokens=whole(told.get("input_tokens")),
        output_tokens=whole(told.get("output_tokens")),
        cached_tokens=whole(told.get("cached_tokens")),
        cost_usd=_number(told.get("cost_usd")),
        saved_usd=_number(told.get("saved_usd")),
        latency_ms=_number(told.get("latency_ms")),
        cached=told.get("cached") is True,
        count=max(1, whole(told.get("count"))),
    )


def _name(value: JsonValue) -> str:
    return "".join(char for char in value if char.isprintable())[:_LONGEST_NAME] if isinstance(value, str) else ""


def whole(value: object) -> int:
    """Return a count that somebody else told: what is no number, or below zero, is none; none is beyond 1e15."""
    return int(_number(value))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return min(float(value), _MOST) if value >= 0 else 0.0
