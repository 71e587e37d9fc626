"""Reads the script of a scripted model from YAML."""

import json
import re
from collections import deque
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from federation.model_double.replies import Cut, Failure, Fixed, Hang, Raw, Reply, Slow, Text, ToolCall
from federation.model_double.server import ModelDouble, Rule
from shared import strict_yaml, yaml_models
from shared.errors import InvalidRequestError, NotFoundError


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"it is not a regular expression: {error}") from error
    return pattern


_Pattern = Annotated[str, AfterValidator(_check_pattern)]
_Seconds = Annotated[float, Field(ge=0, le=86_400)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Fail(_Form):
    status: int = Field(ge=400, le=599)
    retry_after_s: _Seconds | None = None
    message: str = "scripted failure"
    code: str = "scripted"


class _Slow(_Form):
    text: str
    first_s: _Seconds = 0.0
    gap_s: _Seconds = 0.0


class _Cut(_Form):
    text: str = "The beginning of an"
    clean: bool = True


class _Raw(_Form):
    body: str
    media_type: str = "application/json"


class _Usage(_Form):
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    cached_tokens: int = Field(default=0, ge=0)


class _Tool(_Form):
    name: str
    arguments: dict[str, JsonValue] = {}


class _Reply(_Form):
    """One answer: exactly one of these, and `usage` beside `text` or `json`."""

    text: str | None = None
    json_: JsonValue = Field(default=None, alias="json")
    usage: _Usage | None = None
    tool_call: _Tool | None = None
    fail: _Fail | None = None
    hang: _Seconds | None = None
    slow: _Slow | None = None
    cut: _Cut | None = None
    raw: _Raw | None = None

    def to_reply(self) -> Fixed:
        """Return the answer. Raises: ValueError when it is none, or several."""
        given = [name for name in type(self).model_fields if name != "usage" and getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"A reply is one of text, json, tool_call, fail, hang, slow, cut and raw; got {given}.")
        return next(reply for reply in self._replies() if reply is not None)

    def _replies(self) -> list[Fixed | None]:
        usage = self.usage or _Usage()
        text = self.text
        if self.json_ is not None:
            text = json.dumps(self.json_)
        counts = (usage.input_tokens, usage.output_tokens, usage.cached_tokens)
        return [
            None if text is None else Text(text, *counts),
            self.tool_call and ToolCall(self.tool_call.name, self.tool_call.arguments),
            self.fail and Failure(**self.fail.model_dump()),
            None if self.hang is None else Hang(self.hang),
            self.slow and Slow(**self.slow.model_dump()),
            self.cut and Cut(**self.cut.model_dump()),
            self.raw and Raw(**self.raw.model_dump()),
        ]


def _worded(reply: object) -> object:
    return {"text": reply} if isinstance(reply, str) else reply


_Said = Annotated[_Reply, BeforeValidator(_worded)]
"""An answer, or its text alone."""


class _Rule(_Form):
    prompt: _Pattern = ""
    system: _Pattern = ""
    model: _Pattern = ""
    reply: _Said


class _Script(_Form):
    models: list[str] = Field(default=["scripted"], min_length=1)
    json_schema: bool = True
    tools: bool = True
    rules: list[_Rule] = []
    replies: list[_Said] = []
    otherwise: _Said | None = None
    version: Literal[1] = 1


def read(path: Path) -> ModelDouble:
    """Return the scripted model that a file describes. Raises: NotFoundError, InvalidRequestError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFoundError(f"The script {str(path)!r} cannot be read: {error.strerror}.") from error
    try:
        script = _Script.model_validate(strict_yaml.parse(content))
        return ModelDouble(
            replies=deque[Reply](reply.to_reply() for reply in script.replies),
            otherwise=None if script.otherwise is None else script.otherwise.to_reply(),
            models=tuple(script.models),
            json_schema=script.json_schema,
            tools=script.tools,
            rules=[Rule(rule.reply.to_reply(), rule.prompt, rule.system, rule.model) for rule in script.rules],
        )
    except strict_yaml.YamlError as error:
        raise InvalidRequestError(f"The script {str(path)!r} {error}.") from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"])) or "the script"
        raise InvalidRequestError(f"In the script {str(path)!r}, {place}: {yaml_models.describe(problem)}.") from error
    except ValueError as error:
        raise InvalidRequestError(f"In the script {str(path)!r}: {error}") from error
