"""Values to try a type with, as Python text, by the annotation that stands in the code. Pure: nothing is evaluated."""

import ast
from collections.abc import Callable
from typing import Final

_MOST: Final = 6
_SIMPLE: Final[dict[str, tuple[str, ...]]] = {
    "int": ("0", "1", "2", "-3", "10", "7"),
    "float": ("0.0", "1.0", "-2.5", "0.1", "1e9"),
    "complex": ("0j", "1+2j"),
    "bool": ("True", "False"),
    "str": ("''", "'a'", "'hello world'", "'Zoë 日本'", "'two\\nlines'", "'12'"),
    "bytes": ("b''", "b'abc'", "b'\\x00\\xff'"),
    "None": ("None",),
    "object": ("None", "1", "'a'"),
    "Any": ("None", "1", "'a'"),
    "list": ("[]", "[1, 2, 3]"),
    "tuple": ("()", "(1, 2)"),
    "dict": ("{}", "{'a': 1}"),
    "set": ("set()", "{1, 2}"),
    "frozenset": ("frozenset()",),
}
_LISTS: Final = frozenset({"list", "List", "Sequence", "Iterable", "Collection", "MutableSequence"})
_SETS: Final = frozenset({"set", "Set", "AbstractSet", "MutableSet"})
_MAPPINGS: Final = frozenset({"dict", "Dict", "Mapping", "MutableMapping"})


def find_values(annotation: ast.expr) -> list[str] | None:
    """Return a few values of the type that `annotation` names, as Python expressions; None for a type not known here.

    The empty, the smallest and the odd ones come first, for that is where code is wrong.
    """
    match annotation:
        case ast.Constant(value=None):
            return ["None"]
        case ast.Constant(value=str(text)):
            return _of_text(text)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _union([left, right])
        case ast.Name(id=name) | ast.Attribute(attr=name):
            values = _SIMPLE.get(name) or (
                _SIMPLE["list"] if name in _LISTS else _SIMPLE["dict"] if name in _MAPPINGS else None
            )
            return None if values is None else list(values)
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            return _of_generic(name, inner.elts if isinstance(inner, ast.Tuple) else [inner])
        case _:
            return None


def _of_text(text: str) -> list[str] | None:
    try:
        return find_values(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _of_generic(name: str, inner: list[ast.expr]) -> list[str] | None:
    if name == "Optional":
        return _union([*inner, ast.Constant(None)])
    if name == "Union":
        return _union(inner)
    if name == "Literal":
        return [ast.unparse(each) for each in inner][:_MOST]
    if name in {"Annotated", "Final", "Required", "NotRequired"}:
        return find_values(inner[0])
    parts = [find_values(each) for each in inner if not _is_ellipsis(each)]
    if not parts or any(part is None for part in parts):
        return None
    return _containers(name, [part for part in parts if part is not None], open_ended=any(map(_is_ellipsis, inner)))


def _containers(name: str, parts: list[list[str]], *, open_ended: bool) -> list[str] | None:
    first = parts[0]
    if name in _LISTS:
        return _filled(first, "[{}]".format)
    if name in _SETS:
        return ["set()", f"{{{first[0]}}}", f"{{{', '.join(first[:3])}}}"]
    if name in _MAPPINGS and len(parts) == 2:
        pairs = [f"{key}: {value}" for key, value in zip(first[:3], parts[1] * 3, strict=False)]
        return ["{}", f"{{{pairs[0]}}}", f"{{{', '.join(pairs)}}}"]
    if name not in {"tuple", "Tuple"}:
        return None
    if open_ended:
        return _filled(first, lambda text: f"({text},)" if text else "()")
    return [f"({', '.join(part[number % len(part)] for part in parts)},)" for number in range(3)]


def _filled(first: list[str], build: Callable[[str], str]) -> list[str]:
    return [build(""), build(first[0]), build(", ".join(first[:3])), build(", ".join(reversed(first)))]


def _union(parts: list[ast.expr]) -> list[str] | None:
    """Return values of those parts that are known, in turn; a function must take any of them."""
    found = [values for part in parts if (values := find_values(part)) is not None]
    if not found:
        return None
    most = max(map(len, found))
    mixed = [values[number] for number in range(most) for values in found if number < len(values)]
    return list(dict.fromkeys(mixed))[:_MOST]


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis
