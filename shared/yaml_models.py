"""Reads YAML into a Pydantic model, and says where in the text what is wrong stands: line and column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared import strict_yaml
from shared.agent import JsonObject

T = TypeVar("T", bound=BaseModel)

_MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: `line` and `column` from 1, `path` the keys that lead there."""

    line: int
    column: int
    path: str
    detail: str

    def to_json(self) -> JsonObject:
        """Return it as the API shows it."""
        return {"line": self.line, "column": self.column, "path": self.path, "detail": self.detail}

    def __str__(self) -> str:
        """Return it as a sentence."""
        at = f"line {self.line}, column {self.column}"
        return f"{at}: {self.path}: {self.detail}" if self.path else f"{at}: {self.detail}"


class YamlModelError(ValueError):
    """The text does not fit the model. `faults` says what is wrong where."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


def read(content: bytes, model: type[T]) -> T:
    """Return the model that the YAML is. Raises: YamlModelError."""
    try:
        value = strict_yaml.parse(content)
    except strict_yaml.YamlError as error:
        raise YamlModelError([_syntax_fault(error)]) from error
    try:
        return model.model_validate(value)
    except ValidationError as error:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
        faults = [_fault(root, each["loc"], describe(each)) for each in error.errors()[:_MOST_FAULTS]]
        raise YamlModelError(faults) from error


def describe(fault: ErrorDetails) -> str:
    """Return what Pydantic says of a value, without the names of our models."""
    return "Input should be a valid dictionary" if fault["type"] == "model_type" else fault["msg"]


def _syntax_fault(error: strict_yaml.YamlError) -> Fault:
    cause = error.__cause__
    if not isinstance(cause, yaml.MarkedYAMLError) or cause.problem_mark is None:
        return Fault(1, 1, "", f"the file {error}")
    mark = cause.problem_mark
    return Fault(mark.line + 1, mark.column + 1, "", f"the file is not valid: {cause.problem or 'it cannot be read'}")


def _fault(root: yaml.Node | None, location: Sequence[str | int], detail: str) -> Fault:
    """Return where the fault is: at the value, or at the key that has no business there, or where one is missing."""
    node, path = root, list[str]()
    for part in location:
        following = _child(node, part, is_key_wanted="extra" in detail.lower())
        if following is None:
            if isinstance(node, yaml.MappingNode) and "required" in detail.lower():
                path.append(str(part))
            break
        node = following
        path.append(str(part))
    mark = node.start_mark if node is not None else None
    line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
    return Fault(line, column, ".".join(path), detail.removeprefix("Value error, "))


def _child(node: yaml.Node | None, part: str | int, *, is_key_wanted: bool) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        for key, child in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            if key.value == part:
                return key if is_key_wanted else child
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        children = cast("list[yaml.Node]", node.value)
        return children[part] if part < len(children) else None
    return None
