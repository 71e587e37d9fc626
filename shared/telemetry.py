"""Logs: JSON lines (readable text on a terminal) that carry the task, step and trace they belong to, and no secrets."""

import logging
import re
import secrets
import sys
import traceback
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, cast

import orjson
from pydantic import JsonValue, SecretStr

from shared.settings import FederationSettings, ServiceName

SAMPLED: Final = "01"
"""The flags of a trace that nobody said anything else about."""

_facts: ContextVar[Mapping[str, str]] = ContextVar("facts", default={})  # noqa: B039 - never changed in place

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_LINE_BREAKS: Final = re.compile(r"[\n\t]")
_SECRET_NAME: Final = re.compile(
    r"(?i)authorization|cookie|password|passwd|secret|api[-_]?key|private[-_]?key|^token$|_token$"
)
_SECRET_VALUE: Final = re.compile(
    r"(?i)\b(?:bearer|basic)\s+[a-z0-9._~+/=-]{8,}"
    r"|\b(?:sk|gsk|xox[abp]|ghp|gho|pypi)[-_][a-z0-9_-]{12,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
_HIDDEN: Final = "[hidden]"
_LONGEST: Final = 8_192
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KNOWN_FLAGS: Final = 0x03  # sampled, and a random trace id; the others are not passed on
_QUIET: Final = ("a2a", "aiohttp", "aiosqlite", "alembic", "asyncio", "httpcore", "httpx", "sse_starlette", "uvicorn")


def configure(settings: FederationSettings, service: ServiceName) -> None:
    """Send this process's logs to standard error, in the form that the settings ask for."""
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(service, _to_text if as_text else _to_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _QUIET:  # they log whole cards, requests and statements
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("a2a.utils.error_handlers").setLevel(logging.ERROR)  # it warns of what its caller is told anyway
    logging.captureWarnings(capture=True)


def bind(**facts: str | None) -> "_Bound":
    """Add facts (`task_id`, `step_id`, …) to every log line written inside, tasks started there included."""
    return _Bound({name: value for name, value in facts.items() if value})


def adopt_trace(traceparent: str | None) -> str:
    """Continue the caller's trace, or begin one if it is missing or wrong, for the rest of this context.

    Returns the `traceparent` of this hop. Source: https://www.w3.org/TR/trace-context/
    """
    if traceparent and _TRACEPARENT.fullmatch(traceparent):
        trace_id, flags = traceparent[3:35], f"{int(traceparent[-2:], 16) & _KNOWN_FLAGS:02x}"
    else:
        trace_id, flags = secrets.token_hex(16), SAMPLED
    span_id = secrets.token_hex(8)
    _facts.set({**_facts.get(), "trace_id": trace_id, "span_id": span_id, "trace_flags": flags})
    return f"00-{trace_id}-{span_id}-{flags}"


def in_trace(trace_id: str, flags: str) -> "_Bound":
    """Go on inside with a trace that was written down (hex digits), as one more hop of it; not if it is empty."""
    return bind(trace_id=trace_id, **({"span_id": secrets.token_hex(8), "trace_flags": flags} if trace_id else {}))


def trace_id() -> str | None:
    """Return the id of the present trace: 32 hex digits."""
    return _facts.get().get("trace_id")


def trace_flags() -> str:
    """Return the flags of the present trace, 2 hex digits: whether who began it records it."""
    return _facts.get().get("trace_flags", SAMPLED)


def traceparent() -> str | None:
    """Return the header that hands the present trace on to the next service."""
    facts = _facts.get()
    return f"00-{facts['trace_id']}-{facts['span_id']}-{facts['trace_flags']}" if "trace_id" in facts else None


class _Bound:
    __slots__ = ("_more", "_token")

    def __init__(self, more: Mapping[str, str]) -> None:
        self._more = more

    def __enter__(self) -> None:
        self._token = _facts.set({**_facts.get(), **self._more})

    def __exit__(self, *_error: object) -> None:
        _facts.reset(self._token)


class _Lines(logging.Formatter):
    def __init__(self, service: ServiceName, render: Callable[[dict[str, JsonValue]], str]) -> None:
        super().__init__()
        self._service = service
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        facts = {name: value for name, value in _facts.get().items() if name not in {"span_id", "trace_flags"}}
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line: dict[str, JsonValue] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "service": self._service,
            "message": _clean(record.getMessage()),
            **{name: _presentable(name, value) for name, value in (facts | extra).items()},
        }
        if record.exc_info and record.exc_info[1]:
            line["exception"] = _safe("".join(traceback.format_exception(record.exc_info[1]))[-2 * _LONGEST :])
        return self._render(line)


def _to_json(line: dict[str, JsonValue]) -> str:
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _to_text(line: dict[str, JsonValue]) -> str:
    moment, exception = str(line["time"])[11:23], line.get("exception")
    shown = {"time", "level", "logger", "service", "message", "exception", "trace_id"}
    facts = " ".join(f"{name}={_LINE_BREAKS.sub(' ', str(value))}" for name, value in line.items() if name not in shown)
    message = _LINE_BREAKS.sub(" ", str(line["message"]))
    text = f"{moment} {str(line['level']).upper():<7} {line['service']:<12} {message} {facts}".rstrip()
    return f"{text}\n{exception}" if exception else text


def _presentable(name: str, value: object) -> JsonValue:
    """Return `value` as JSON with secrets hidden; `name` alone can make it one."""
    if isinstance(value, SecretStr) or (_SECRET_NAME.search(name) and value):
        return _HIDDEN
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            items = cast("dict[object, object]", value).items()
            return {_clean(str(key)): _presentable(str(key), item) for key, item in items}
        case list() | tuple() | set() | frozenset():
            return [_presentable("", item) for item in cast("list[object]", value)]
        case _:
            return _clean(str(value))


def _clean(text: str) -> str:
    return _safe(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)")


def _safe(text: str) -> str:
    """Hide what looks like a secret; strip control and bidirectional characters, which can forge lines."""
    valid = text.encode("utf-8", "replace").decode()
    return _UNPRINTABLE.sub("", _SECRET_VALUE.sub(_HIDDEN, valid))
