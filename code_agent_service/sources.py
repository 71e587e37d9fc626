"""Finds source files in a message: code blocks of Markdown and their names, code that stands there as it is. Pure."""

import ast
import builtins
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from code_agent_service import names
from code_agent_service.runs import Language, WorkFile

PYTHON: Final = frozenset({"python", "py", "python3"})
JAVASCRIPT: Final = frozenset({"javascript", "js", "node", "mjs"})

_FENCE: Final = re.compile(r"(`{3,}|~{3,})[ \t]*([\w+-]*)(.{0,200})")
_FILE_NAME: Final = r"(?P<name>[\w][\w./-]{0,200}\.[A-Za-z]\w{0,9})"
_IN_OPENING: Final = re.compile(rf"[ \t:{{]*(?:title|file|filename|name)?\s*[=:]?\s*[\"'`]?{_FILE_NAME}[\"'`}}]*\s*$")
_BEFORE: Final = re.compile(
    rf"^[#*>\s\d.)-]*(?:(?:the\s+)?file(?:\s?name)?\s*:?\s*)?[`*\"]*{_FILE_NAME}[`*\":]*\s*(?:\([^)]*\))?:?[*`]*\s*$",
    re.IGNORECASE,
)
_IN_COMMENT: Final = re.compile(rf"^\s*(?:#|//)\s*(?:file(?:name)?\s*:\s*)?{_FILE_NAME}\s*$", re.IGNORECASE)
_ENDINGS: Final = {"html": "html", "css": "css", "json": "json", "yaml": "yaml", "toml": "toml", "markdown": "md"}
_MARKDOWN: Final = frozenset({"markdown", "md"})
_MAX_DEPTH: Final = 120  # what ast.unparse can do without running out of stack, and more than people write
_KNOWN: Final = PYTHON | JAVASCRIPT | set(_ENDINGS)
_CODE_ENDINGS: Final = frozenset(
    {"py", "pyi", "js", "mjs", "cjs", "ts", "tsx", "jsx", "java", "c", "h", "cc", "cpp", "hpp", "cs", "go", "rs", "rb"}
    | {"php", "pl", "r", "sql", "sh", "kt", "swift", "lua"}
)
_CODE_NODES: Final = (
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef),
    *(ast.For, ast.While, ast.With, ast.Try, ast.Assert, ast.Raise, ast.AsyncFunctionDef),
)
_BUILTINS: Final = frozenset(dir(builtins))
_TEST_CODE: Final = re.compile(r"^\s*(?:async )?def test_|^import pytest", re.MULTILINE)
_TEST_NAME: Final = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language in lower case, the file's name it is given, if any, and what is in it."""

    language: str
    name: str
    content: str


def find_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of Markdown `text`."""
    blocks: list[Block] = []
    mark, language, name, lead, lines = "", "", "", "", list[str]()
    inner = 0  # blocks that are open in one of Markdown: those with a language are known to begin
    for line in text.splitlines():
        stripped = line.strip()
        opening = None if mark else _FENCE.match(stripped)
        if opening:
            mark, language, lines = opening[1], opening[2].lower(), []
            name = _named(_IN_OPENING, opening[3]) or _named(_BEFORE, lead)
            lead = ""
        elif mark and language in _MARKDOWN and re.fullmatch(rf"{mark}\w+", stripped):
            inner += 1
            lines.append(line)
        elif mark and stripped == mark and inner:
            inner -= 1
            lines.append(line)
        elif mark and stripped == mark:
            content = textwrap.dedent("".join(f"{each}\n" for each in lines))  # a block in a list is indented
            blocks.append(Block(language, name or _named(_IN_COMMENT, lines[0] if lines else ""), content))
            mark = ""
        elif mark:
            lines.append(line)
        elif stripped:
            lead = stripped
    return blocks


def find_files(text: str) -> list[WorkFile]:
    """Return the code that `text` brings, as files.

    Those are its blocks with a name or a language; else blocks that look like code; else code that stands there as it
    is. So the output of a program, in a block of its own beside named files, is not taken for one.
    """
    blocks = find_blocks(text)
    chosen = [block for block in blocks if block.name or block.language in _KNOWN]
    chosen = chosen or [block for block in blocks if not block.language and looks_like_code(block.content)]
    if not chosen and (code := _find_unfenced(text)):
        chosen = [Block("python", "", code)]
    found = [(_name(block), block.content) for block in chosen]
    tidy = names.tidy([name for name, _ in found])
    return [WorkFile(name, content.encode(errors="replace")) for name, (_, content) in zip(tidy, found, strict=True)]


def find_data_files(data: Sequence[JsonValue]) -> list[WorkFile]:
    """Return the files that JSON brings: `{"files": {"a.py": "…"}}`, or `{"code": "…"}`, which is main.py."""
    found: list[tuple[str, str]] = []
    for item in data:
        if not isinstance(item, dict):
            continue
        if isinstance(files := item.get("files"), dict):
            found += [(name, content) for name, content in files.items() if isinstance(content, str)]
        if isinstance(code := item.get("code"), str):
            found.append((_name(Block("python", "", code)), code))
    tidy = names.tidy([name for name, _ in found])
    return [WorkFile(name, content.encode(errors="replace")) for name, (_, content) in zip(tidy, found, strict=True)]


def is_test(name: str) -> bool:
    """Tell whether a file of that name holds tests, as pytest sees it."""
    return _TEST_NAME.search(name) is not None


def is_code(name: str) -> bool:
    """Tell whether a file of that name is source code that can be worked on."""
    return name.rpartition(".")[2].lower() in _CODE_ENDINGS


def list_python(files: Sequence[WorkFile]) -> list[WorkFile]:
    """Return the Python files among `files`."""
    return [file for file in files if file.name.endswith(".py")]


def language_of(name: str) -> Language | None:
    """Return the language that a file of that name is a program of, if it can be run."""
    ending = name.rpartition(".")[2].lower()
    return "python" if ending == "py" else "javascript" if ending in {"js", "mjs", "cjs"} else None


def parse(code: str) -> ast.Module | None:
    """Return the syntax tree of `code`, or None if it is not Python."""
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def read_module(code: str) -> ast.Module | None:
    """Return the syntax tree of `code` to be walked through; None if it is not Python, or nested beyond all reason."""
    tree = parse(code)
    level: list[ast.AST] = [] if tree is None else [tree]
    for _ in range(_MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return None if level else tree


def looks_like_code(text: str) -> bool:
    """Tell Python from words that happen to be Python, too, such as `tests` or `a, b`."""
    tree = parse(text.strip())
    if tree is None:
        return False
    return any(
        isinstance(node, _CODE_NODES)
        or (
            isinstance(node, ast.Call)
            and (
                isinstance(node.func, ast.Attribute) or (isinstance(node.func, ast.Name) and node.func.id in _BUILTINS)
            )
        )
        for node in ast.walk(tree)
    )


def list_raised(node: ast.AST) -> tuple[str, ...]:
    """Return the names of the exceptions that the code of a function raises by itself, sorted."""
    raised: list[str] = []
    for each in ast.walk(node):
        if isinstance(each, ast.Raise) and each.exc is not None:
            called = each.exc.func if isinstance(each.exc, ast.Call) else each.exc
            raised.append(ast.unparse(called).rpartition(".")[2])
    return tuple(sorted(set(raised)))


def is_lone_value(tree: ast.Module | None) -> bool:
    """Tell whether a program is nothing but an expression, whose value is what one wants to see."""
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return False
    value = tree.body[0].value
    return not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "print")


def _named(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text[:300]) if text else None
    return found["name"] if found else ""


def _name(block: Block) -> str:
    if block.name:
        return block.name
    if block.language in JAVASCRIPT:
        return "main.js"
    if block.language in _ENDINGS:
        return f"file.{_ENDINGS[block.language]}"
    return "test_main.py" if _TEST_CODE.search(block.content) else "main.py"


def _find_unfenced(text: str) -> str | None:
    """Return code that stands in the text as it is: all of it, or what follows its first colon or its first lines."""
    return next((code for code in _candidates(text) if looks_like_code(code)), None)


def _candidates(text: str) -> Iterator[str]:
    for candidate in (text, text.partition(":")[2], text.partition("\n")[2], text.partition("\n\n")[2]):
        yield candidate.strip()
