"""Reads YAML from people and files: plain data only, no aliases, no key twice, no tags of Python's, bounded in size."""

from typing import Final, cast

import yaml
from pydantic import JsonValue

MAX_BYTES: Final = 1_000_000


class YamlError(ValueError):
    """The text is not YAML as it is accepted here. The text completes a sentence: "The file ... <text>."."""


def parse(content: bytes) -> JsonValue:
    """Return the value that `content` is; times and dates stay the text they are. Raises: YamlError."""
    if len(content) > MAX_BYTES:
        raise YamlError(f"is larger than {MAX_BYTES:,} bytes")
    try:
        _check(yaml.compose(content, Loader=_Loader), set())
        return cast("JsonValue", yaml.load(content, Loader=_Loader))  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
        raise YamlError(f"is not valid: {error.problem or 'it cannot be read'}{at}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise YamlError("is not YAML in UTF-8, or is nested too deeply") from error


class _Loader(yaml.SafeLoader):
    """A safe loader that makes no guesses at dates."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name and form
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _check(node: yaml.Node | None, seen: set[int]) -> None:
    """Refuse a node that is there twice, which an alias makes, a key that is there twice, and one that is no text."""
    if node is None:
        return
    if id(node) in seen:
        raise yaml.MarkedYAMLError(problem="aliases are not accepted", problem_mark=node.start_mark)
    seen.add(id(node))
    match node:
        case yaml.MappingNode():
            names: set[str] = set()
            for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
                name = str(key.value)
                if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                    raise yaml.MarkedYAMLError(problem="a key must be a plain text", problem_mark=key.start_mark)
                if name in names:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key {name[:60]!r} is repeated", problem_mark=key.start_mark
                    )
                names.add(name)
                _check(value, seen)
        case yaml.SequenceNode():
            for item in cast("list[yaml.Node]", node.value):
                _check(item, seen)
        case _:
            pass
