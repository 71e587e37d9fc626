"""Writes tests without a model, from what the code says of itself: signatures, type hints, doctests. Pure.

What such tests can show is little, and they say so: that a module can be imported, that its functions take values of
the types they name and return the type they promise. Whether a result is right they cannot know.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from code_agent_service import samples, sources
from code_agent_service.runs import WorkFile

_MAX_CALLS: Final = 6
_HEAD: Final = '''"""Smoke tests for {modules}, made from signatures and type hints without a model.

They check that modules can be imported, that functions take values of the types they name, and that what comes back has
the type that is promised. An exception that a function raises by itself is taken as its answer. They do not check that
results are right.
"""

import asyncio
import importlib
import inspect
import types
import typing

import pytest


def _find(module: str, name: str) -> object:
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _fits(value: object, hint: object) -> bool:
    """Tell whether a value has a type, as far as that can be seen from outside."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in {{typing.Any, object}} or isinstance(hint, (typing.TypeVar, str)):
        return True
    if hint is None or hint is type(None):
        return value is None
    if origin in {{typing.Union, types.UnionType}}:
        return any(_fits(value, each) for each in inner)
    if origin is typing.Literal:
        return value in inner
    if hint is float:
        return isinstance(value, (int, float))
    if hint is complex:
        return isinstance(value, (int, float, complex))
    expected = origin or hint
    if not isinstance(expected, type):
        return True
    if expected is int and isinstance(value, bool):
        return True
    if not isinstance(value, expected):
        return False
    if origin in {{list, set, frozenset}} and inner:
        return all(_fits(each, inner[0]) for each in value)
    if origin is dict and len(inner) == 2:
        return all(_fits(key, inner[0]) and _fits(each, inner[1]) for key, each in value.items())
    if origin is tuple and inner and Ellipsis not in inner:
        return len(value) == len(inner) and all(map(_fits, value, inner))
    return True


def _check(function, arguments, raised=()) -> None:
    """Call, and compare what comes back with what is promised."""
    try:
        result = function(*arguments)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
    except Exception as error:
        if type(error).__name__ in raised:
            return
        raise
    try:
        hint = typing.get_type_hints(function).get("return", typing.Any)
    except (NameError, TypeError):
        return
    assert _fits(result, hint), f"it returned {{result!r}}, which is no {{hint}}"
'''
_IMPORT: Final = """

@pytest.mark.parametrize("module", {modules!r})
def test_it_can_be_imported(module: str) -> None:
    importlib.import_module(module)
"""
_CALLS: Final = """

@pytest.mark.parametrize("arguments", [{arguments}])
def test_{name}(arguments) -> None:
    _check({function}, arguments, {raised!r})
"""


@dataclass(frozen=True, slots=True)
class SmokeTests:
    """Tests that were written: the file, if there is anything to test; modules with doctests; what is not checked."""

    file: WorkFile | None
    doctests: tuple[str, ...]
    unchecked: tuple[str, ...]


def write(files: Sequence[WorkFile], name: str) -> SmokeTests:
    """Write smoke tests for the Python files among `files`, into a file called `name`."""
    modules: list[str] = []
    calls: list[str] = []
    unchecked: list[str] = []
    doctests: list[str] = []
    for file in sources.list_python(files):
        if sources.is_test(file.name):
            continue
        tree, module = sources.read_module(file.text), _module_name(file.name)
        if tree is None:
            unchecked.append(f"{file.name}: it is not Python that can be read")
        elif module is None:
            unchecked.append(f"{file.name}: its name cannot be imported")
        else:
            modules.append(module)
            if ">>>" in file.text:
                doctests.append(file.name)
            for found in _list_functions(tree):
                text, problem = _write_calls(module, found)
                calls += [text] if text else []
                unchecked += [f"{file.name}: {problem}"] if problem else []
    if not modules:
        return SmokeTests(None, (), tuple(unchecked))
    head = _HEAD.format(modules=", ".join(modules))
    text = "".join([head, _IMPORT.format(modules=modules), *calls])
    return SmokeTests(WorkFile(name, text.encode()), tuple(doctests), tuple(unchecked))


@dataclass(frozen=True, slots=True)
class _Function:
    node: ast.FunctionDef | ast.AsyncFunctionDef
    owner: ast.ClassDef | None = None

    @property
    def label(self) -> str:
        return f"{self.owner.name}.{self.node.name}" if self.owner else self.node.name


def _list_functions(tree: ast.Module) -> Iterator[_Function]:
    """Yield the public functions of a module, and the public methods of its public classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield _Function(node)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and not inner.name.startswith("_"):
                    yield _Function(inner, node)


def _write_calls(module: str, function: _Function) -> tuple[str, str]:
    """Return the test of a function, or why there is none."""
    label = function.label
    decorators = {ast.unparse(each).partition("(")[0].rpartition(".")[2] for each in function.node.decorator_list}
    if decorators & {"property", "cached_property", "setter", "fixture", "contextmanager", "asynccontextmanager"}:
        return "", f"{label}: it is not called by itself"
    if any(isinstance(each, ast.Name) and each.id in {"input", "exit"} for each in ast.walk(function.node)):
        return "", f"{label}: it asks a person, or ends the program"
    bound = function.owner is not None and "staticmethod" not in decorators
    rows, problem = _list_arguments(function.node.args, skip=1 if bound else 0)
    if problem:
        return "", f"{label}: {problem}"
    reach = f'_find("{module}", "{label}")'
    if bound and "classmethod" not in decorators and function.owner is not None:
        own, problem = _list_arguments(_find_constructor(function.owner), skip=1)
        if problem or not _is_plain(function.owner):
            return "", f"{label}: {problem or 'how to make its object cannot be seen'}"
        reach = f'_find("{module}", "{function.owner.name}")(*{own[0]}).{function.node.name}'
    name = f"{module}_{label}_keeps_its_signature".replace(".", "_")
    return _CALLS.format(
        arguments=", ".join(rows), name=name, function=reach, raised=sources.list_raised(function.node)
    ), ""


def _list_arguments(arguments: ast.arguments, *, skip: int) -> tuple[list[str], str]:
    """Return a few tuples of arguments, as Python text, or which parameter keeps one from making them."""
    positional = [*arguments.posonlyargs, *arguments.args][skip:]
    required = positional[: len(positional) - len(arguments.defaults)] if arguments.defaults else positional
    columns: list[list[str]] = []
    for parameter in required:
        if parameter.annotation is None:
            return [], f"its parameter {parameter.arg!r} has no type hint"
        values = samples.find_values(parameter.annotation)
        if not values:
            return [], f"no values are known for {parameter.arg!r}, which is {ast.unparse(parameter.annotation)}"
        columns.append(values)
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is None:
            return [], f"its keyword {parameter.arg!r} has no default"
    count = min(_MAX_CALLS, max(map(len, columns), default=1))
    rows = [[values[(number + shift) % len(values)] for shift, values in enumerate(columns)] for number in range(count)]
    return list(dict.fromkeys(f"({', '.join(row)}{',' if row else ''})" for row in rows)), ""


def _find_constructor(owner: ast.ClassDef) -> ast.arguments:
    """Return what a class is made with: its own `__init__`, its fields as a dataclass, or nothing."""
    for node in owner.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return node.args
    fields = [node for node in owner.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    made = fields if any("dataclass" in ast.unparse(each) for each in owner.decorator_list) else []
    args = [ast.arg("self"), *(ast.arg(ast.unparse(each.target), each.annotation) for each in made)]
    defaults = [each.value for each in made if each.value is not None]
    return ast.arguments(posonlyargs=[], args=args, kwonlyargs=[], kw_defaults=[], defaults=defaults)


def _is_plain(owner: ast.ClassDef) -> bool:
    """Tell whether the class says all by itself: what it inherits may want more."""
    bases = {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in owner.bases}
    return bases <= {"object", "Exception", "ValueError", "Generic"}


def _module_name(path: str) -> str | None:
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    parts = parts[1:] if parts[0] == "src" and len(parts) > 1 else parts
    return ".".join(parts) if all(part.isidentifier() for part in parts) else None
