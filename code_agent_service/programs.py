"""Finds the program in a request: Python that was given, in whatever form, or words that can be computed. Pure."""

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from pydantic import JsonValue

from code_agent_service import phrases
from code_agent_service.phrases import Formula
from code_agent_service.runs import Program, WorkFile
from shared.errors import InvalidRequestError

HOW_TO_ASK = (
    'Give Python in a ```python block, after `run:`, as an attached .py file or as {"code": …}; or ask for something '
    "like `compute 15% of 80`, `the average of 3, 5, 8` or `the first 10 primes`."
)

_MAX_WORDED_CHARS = 20_000
_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*([\w+-]*)")
_PYTHON = {"python", "py", "python3"}
_OTHER_LANGUAGES = {
    *("bash", "sh", "shell", "zsh", "javascript", "js", "typescript", "ts", "java", "c", "cpp", "c++", "csharp"),
    *("go", "rust", "ruby", "php", "perl", "r", "sql", "powershell", "kotlin", "swift", "lua"),
}
_WHAT = r"(?:\s+(?:this|the following|following|the|my|some))?(?:\s+(?:python3?|code|program|script|snippet))*"
_RUN = re.compile(
    rf"\b(?:(?:run|execute|evaluate){_WHAT}|python3?(?:\s+code)?)\s*:\s*(?P<marked>.+)"
    rf"|\b(?:run|execute|evaluate){_WHAT}\s*`(?P<inline>[^`\n]+)`"
    rf"|\b(?:run|execute){_WHAT}\s+(?P<bare>.+)",
    re.IGNORECASE | re.DOTALL,
)
_AFTERWARDS = re.compile(
    r"\b(?:in|inside|with|using) (?:the |a )?(?:sandbox|python|code agent)[.!?]?$"
    r"|\band (?:tell|show|give|print|report|return|say)\b[^\n]*$",
    re.IGNORECASE,
)
_CODE_NODES = (
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef),
    *(ast.For, ast.While, ast.With, ast.Try, ast.Assert, ast.Raise),
)
_BUILTINS = frozenset(dir(builtins))


def find_program(text: str, data: Sequence[JsonValue], files: Sequence[WorkFile]) -> Program | None:
    """Return the program that is meant, with `files` in its folder, or None where none is given.

    Raises: InvalidRequestError, where code of another language is given, or it is not clear which file to run.
    """
    for item in data:
        if isinstance(item, dict) and isinstance(code := item.get("code"), str):
            return _from_data(code, item, files)
    code = _find_block(text)
    if code is not None:
        return from_code(code, files)
    scripts = [file.name for file in files if file.name.endswith(".py")]
    if scripts:
        others = tuple(file.name for file in files if not file.name.endswith(".py"))
        return Program(_choose_script(scripts, text), tuple(files), others)
    code = _find_unfenced(text)
    if code is not None:
        return from_code(code, files)
    formulas = phrases.find_formulas(text)
    return from_code(_write_out(formulas), files) if formulas else None


def from_code(code: str, files: Sequence[WorkFile]) -> Program:
    """Return `code` as a program, with `files` in its folder. A lone expression prints its value."""
    if _is_lone_value(parse(code)):
        code = f"value = (\n{code.strip()}\n)\nif value is not None:\n    print(value)\n"
    taken = {file.name for file in files}
    name = next(name for name in _names("main.py") if name not in taken)
    return Program(name, (*files, WorkFile(name, code.encode(errors="replace"))))


def parse(code: str) -> ast.Module | None:
    """Return the syntax tree of `code`, or None if it is not Python."""
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def name_files(names: Sequence[str]) -> list[str]:
    """Return plain, different file names for `names`, which may hold folders, or anything."""
    given: list[str] = []
    for name in names:
        plain = "".join(
            character if character.isprintable() else "_" for character in PurePosixPath(name.replace("\\", "/")).name
        )
        plain = plain.encode(errors="replace")[-120:].decode(errors="ignore").strip()
        plain = plain if plain.strip(".") else "file"
        given.append(next(candidate for candidate in _names(plain) if candidate not in given))
    return given


def find_blocks(text: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of Markdown `text`: language, in lower case, and content."""
    blocks: list[tuple[str, str]] = []
    mark, language, lines = "", "", list[str]()
    for line in text.splitlines():
        opening = _FENCE.match(line.strip())
        if not mark and opening:
            mark, language, lines = opening[1], opening[2].lower(), []
        elif mark and line.strip() == mark:
            blocks.append((language, "".join(f"{each}\n" for each in lines)))
            mark = ""
        elif mark:
            lines.append(line)
    return blocks


def _names(name: str) -> Iterator[str]:
    yield name
    stem, dot, suffix = name.rpartition(".")
    for number in range(2, 10_000):
        yield f"{stem}-{number}.{suffix}" if dot and stem else f"{name}-{number}"


def _from_data(code: str, item: dict[str, JsonValue], files: Sequence[WorkFile]) -> Program:
    arguments, stdin = item.get("arguments", []), item.get("stdin", "")
    if not isinstance(stdin, str) or not isinstance(arguments, list):
        raise InvalidRequestError('Beside "code", "stdin" must be a string and "arguments" a list of strings.')
    program = from_code(code, files)
    return Program(program.main, program.files, tuple(str(argument) for argument in arguments), stdin)


def _find_block(text: str) -> str | None:
    blocks = find_blocks(text)
    python = [code for language, code in blocks if language in _PYTHON]
    if python:
        return "\n".join(python)
    untagged = [code for language, code in blocks if not language and _looks_like_code(code)]
    if untagged:
        return "\n".join(untagged)
    other = next((language for language, _ in blocks if language in _OTHER_LANGUAGES), None)
    if other is not None and not phrases.find_formulas(text):
        raise InvalidRequestError(f"Only Python can be run; this is a block of {other}. {HOW_TO_ASK}")
    return None


def _choose_script(scripts: list[str], text: str) -> str:
    named = [name for name in scripts if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)]
    for choice in (named, scripts, [name for name in scripts if name == "main.py"]):
        if len(choice) == 1:
            return choice[0]
    raise InvalidRequestError(f"Which file is the program: {', '.join(scripts[:10])}? Name one in the text.")


def _find_unfenced(text: str) -> str | None:
    """Return code that stands in the text as it is: all of it, after `run:`, or in single backticks."""
    match = _RUN.search(text)
    introduced = match is not None and match.start() == 0 and match["marked"]  # itself Python: an annotation
    if not introduced and _looks_like_code(text):
        return text.strip()
    if match is None:
        return None
    if match["inline"]:
        return match["inline"]
    given = match["marked"] or match["bare"]
    for candidate in _shortenings(given):
        if _looks_like_code(candidate) or (match["marked"] and parse(candidate) is not None and candidate.strip()):
            return candidate
    if match["marked"] is None or phrases.find_formulas(given):
        return None
    return given.strip()


def _shortenings(given: str) -> Iterator[str]:
    """Yield what the code may be, where words follow it: all, its first paragraph or line, without them."""
    for part in (given, given.split("\n\n", 1)[0], given.split("\n", 1)[0]):
        code = part.strip().strip("`")
        yield code
        while len(code) < _MAX_WORDED_CHARS and (shorter := _AFTERWARDS.sub("", code).rstrip(" ,\n")) != code:
            code = shorter
            yield code
        yield code.rstrip(".")


def _is_lone_value(tree: ast.Module | None) -> bool:
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return False
    value = tree.body[0].value
    return not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "print")


def _looks_like_code(text: str) -> bool:
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


def _write_out(formulas: Sequence[Formula]) -> str:
    """Return the program that prints what `formulas` give."""
    setup = [line for lines in dict.fromkeys(formula.setup for formula in formulas) for line in lines]
    shown = 'f"{value:.15g}" if isinstance(value, float) else value'
    if len(formulas) == 1:
        return "\n".join([*setup, f"value = {formulas[0].expression}", f"print({shown})", ""])
    lines = ["", "def show(label, value):", f"    print(label, '=', {shown})", ""]
    calls = [f"show({formula.label!r}, {formula.expression})" for formula in formulas]
    return "\n".join([*setup, *lines, *calls, ""])
