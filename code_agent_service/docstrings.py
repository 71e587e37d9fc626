"""Docstrings for Python code that has none: made from signatures, and put in without changing anything else. Pure."""

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from code_agent_service import sources

Documented: TypeAlias = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

_LINE_CHARS: Final = 100
_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")
_BEFORE_ALL: Final = re.compile(r"#!|#.*coding[:=]")


@dataclass(frozen=True, slots=True)
class Place:
    """Something that can have a docstring: its dotted name in the module, "" for the module itself."""

    name: str
    node: Documented

    @property
    def docstring(self) -> str:
        """The docstring it has, or nothing."""
        return ast.get_docstring(self.node) or ""


def list_places(tree: ast.Module) -> list[Place]:
    """Return the module, its public classes and functions, and the public methods of these classes."""
    return [Place("", tree), *_list_inner(tree, "")]


def describe(place: Place, module: str) -> str:
    """Return a docstring by what can be seen: the name, the parameters and their types, what is returned and raised."""
    match place.node:
        case ast.Module() as tree:
            public = [each.name for each in list_places(tree) if each.name and "." not in each.name]
            return f"{_sentence(module)}\n\nHolds {_join(public)}." if public else _sentence(module)
        case ast.ClassDef() as node:
            fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            lines = [f"    {ast.unparse(each.target)} ({ast.unparse(each.annotation)})" for each in fields]
            return "\n".join([_sentence(node.name), *(["", "Attributes:", *lines] if lines else [])])
        case ast.FunctionDef() | ast.AsyncFunctionDef() as node:
            return "\n".join([_sentence(node.name), *_sections(node)])


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return how a function is called, as in its definition."""
    prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    returned = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    return f"{prefix}{node.name}({ast.unparse(node.args)}){returned}"


def insert(code: str, docstrings: Mapping[str, str]) -> str:
    """Return `code` with these docstrings, by dotted name, where there is none yet and there is room for one.

    Nothing else changes: where the result would mean anything else, `code` is returned as it was.
    """
    tree = sources.read_module(code)
    if tree is None:
        return code
    lines = _LINES.findall(code)
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    for place in sorted(list_places(tree), key=_line_of, reverse=True):
        text = docstrings.get(place.name, "").strip()
        if not text or place.docstring:
            continue
        found = _find_room(place, lines)
        if found is not None:
            line, indent = found
            between = [newline] if isinstance(place.node, ast.Module | ast.ClassDef) and place.node.body else []
            lines[line:line] = [f"{each}{newline}" if each else newline for each in _quote(text, indent)] + between
    changed = "".join(lines)
    return changed if _means_the_same(code, changed) else code


def _list_inner(parent: ast.Module | ast.ClassDef, prefix: str) -> Iterator[Place]:
    for node in parent.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield Place(f"{prefix}{node.name}", node)
            if isinstance(node, ast.ClassDef):
                yield from _list_inner(node, f"{prefix}{node.name}.")


def _sections(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named = [each for place, each in enumerate(every) if not (place == 0 and each.arg in {"self", "cls"})]
    if named:
        yield from ("", "Args:", *(f"    {each.arg}{_type_of(each.annotation)}" for each in named))
    if node.returns is not None and ast.unparse(node.returns) not in {"None", "'None'"}:
        yields = any(isinstance(each, ast.Yield | ast.YieldFrom) for each in ast.walk(node))
        yield from ("", "Yields:" if yields else "Returns:", f"    {ast.unparse(node.returns)}")
    if raised := sources.list_raised(node):
        yield from ("", "Raises:", *(f"    {name}" for name in raised))


def _type_of(annotation: ast.expr | None) -> str:
    return "" if annotation is None else f" ({ast.unparse(annotation)})"


def _sentence(name: str) -> str:
    """Return the words of a name as a sentence: `parse_CSVLine` is "Parse CSV line."."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W_A-Z]+|\d+", name)
    plain = [word if word.isupper() and len(word) > 1 else word.lower() for word in words] or [name]
    text = " ".join(plain)
    return f"{text[0].upper()}{text[1:]}."


def _join(names: list[str]) -> str:
    shown = [f"`{name}`" for name in names[:12]] + ([f"{len(names) - 12} more"] if len(names) > 12 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _line_of(place: Place) -> int:
    return 0 if isinstance(place.node, ast.Module) else place.node.lineno


def _find_room(place: Place, lines: list[str]) -> tuple[int, str] | None:
    """Return the number of the line before which the docstring goes, from 0, and its indent; None without room."""
    if isinstance(place.node, ast.Module):
        first = next((number for number, line in enumerate(lines[:2]) if not _BEFORE_ALL.match(line)), len(lines[:2]))
        return first, ""
    statement = place.node.body[0]
    decorators = statement.decorator_list if isinstance(statement, ast.ClassDef | ast.FunctionDef) else []
    line = min([statement.lineno, *(each.lineno for each in decorators)]) - 1
    indent = lines[line][: len(lines[line]) - len(lines[line].lstrip(" \t"))]
    begins_line = bool(decorators) or not lines[line].encode()[: statement.col_offset].strip()
    return (line, indent) if begins_line and line > place.node.lineno - 1 else None


def _quote(text: str, indent: str) -> list[str]:
    """Return the lines of a docstring literal."""
    safe = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    safe = "".join(each if each.isprintable() or each == "\n" else " " for each in safe)
    wrapped = [part for line in safe.splitlines() for part in _wrap(line)]
    if wrapped[-1].endswith('"'):
        wrapped[-1] += " "
    first, *rest = wrapped
    if not rest:
        return [f'{indent}"""{first}"""']
    return [f'{indent}"""{first}', *(f"{indent}{line}" if line else "" for line in rest), f'{indent}"""']


def _wrap(line: str) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(line, _LINE_CHARS, subsequent_indent=indent, break_long_words=False) or [""]


def _means_the_same(code: str, changed: str) -> bool:
    before, after = sources.read_module(code), sources.read_module(changed)
    if before is None or after is None:
        return False
    return ast.dump(_bare(before)) == ast.dump(_bare(after))


def _bare(tree: ast.Module) -> ast.Module:
    """Return the tree without the docstrings of what can be documented."""
    for place in list_places(tree):
        if place.docstring or (place.node.body and _is_text(place.node.body[0])):
            place.node.body = place.node.body[1:]
    return tree


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
