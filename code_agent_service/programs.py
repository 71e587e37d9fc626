"""Finds the program in a request: code that was given, in whatever form, or words that can be computed. Pure."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import JsonValue

from code_agent_service import names, phrases, sources
from code_agent_service.phrases import Formula
from code_agent_service.runs import Language, Program, WorkFile
from code_agent_service.sources import JAVASCRIPT, PYTHON, looks_like_code, parse
from shared.errors import InvalidRequestError

HOW_TO_ASK = (
    'Give Python in a ```python block, after `run:`, as an attached .py file or as {"code": …}; or ask for something '
    "like `compute 15% of 80`, `the average of 3, 5, 8` or `the first 10 primes`."
)

_MAX_WORDED_CHARS = 20_000
_OTHER_LANGUAGES = {
    *("bash", "sh", "shell", "zsh", "typescript", "ts", "java", "c", "cpp", "c++", "csharp"),
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
_RUN_THIS = re.compile(rf"\W*(?:please\s+)?(?:run|execute|evaluate){_WHAT}\s*:", re.IGNORECASE)
_ARGUMENTS = re.compile(
    r"\b(?:with|using) (?:the |these )?(?:command[- ]line )?arguments?:? ([^\n]{1,2000})", re.IGNORECASE
)
_ARGUMENT = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`|[^\s,]+")
_RUN_AGAIN = re.compile(r"\b(?:run|execute|start|try)\b", re.IGNORECASE)


def find_program(
    text: str, data: Sequence[JsonValue], files: Sequence[WorkFile], kept: Sequence[WorkFile] = ()
) -> Program | None:
    """Return the program that is meant, with all files in its folder, or None where none is given.

    `files` came with the request; `kept` are those of the session's earlier jobs, and run only when nothing else is
    given. Raises: InvalidRequestError, where code of another language is given, or it is not clear which file to run.
    """
    folder = [*(file for file in kept if file.name not in {each.name for each in files}), *files]
    for item in data:
        if isinstance(item, dict) and isinstance(code := item.get("code"), str):
            return _from_data(code, item, folder)
    if found := _find_block(text):
        return from_code(found[0], folder, found[1])
    code = _find_unfenced(text)
    is_marked = code is not None and looks_like_code(code) and _RUN_THIS.match(text)
    if (scripts := _list_scripts(files)) and not is_marked:
        return _from_script(_choose_script(scripts, text), text, files, folder)
    if code is None and (reading := phrases.read(text)).formulas:
        return replace(from_code(_write_out(reading.formulas), folder), unread=reading.unread)
    if code is not None:
        return from_code(code, folder)
    scripts = _list_scripts(kept) if _RUN_AGAIN.search(text) else []
    return _from_script(_choose_script(scripts, text), text, files, folder) if scripts else None


def from_code(code: str, files: Sequence[WorkFile], language: Language = "python") -> Program:
    """Return `code` as a program, with `files` in its folder. A lone expression of Python prints its value."""
    if language == "python" and sources.is_lone_value(parse(code)):
        code = f"value = (\n{code.strip()}\n)\nif value is not None:\n    print(value)\n"
    taken = {file.name for file in files}
    main = "main.py" if language == "python" else "main.js"
    name = next(name for name in names.alternatives(main) if name not in taken)
    return Program(name, (*files, WorkFile(name, code.encode(errors="replace"))), language=language)


def _from_script(script: str, text: str, attached: Sequence[WorkFile], folder: Sequence[WorkFile]) -> Program:
    said = _find_arguments(text)
    data = [names.as_argument(file.name) for file in attached if sources.language_of(file.name) is None]
    arguments = (*(name for name in data if name not in said), *said)
    return Program(script, tuple(folder), arguments, language=sources.language_of(script) or "python")


def _find_arguments(text: str) -> list[str]:
    """Return the arguments that words name: `with the arguments 3, "two words" and --fast`."""
    found = _ARGUMENTS.search(text)
    said = _ARGUMENT.findall(_AFTERWARDS.sub("", found[1]).rstrip(".!? ")) if found else []
    return [word[1:-1] if word[0] in "\"'`" else word for word in said if word != "and"]


def _list_scripts(files: Sequence[WorkFile]) -> list[str]:
    scripts = [file.name for file in files if sources.language_of(file.name) is not None]
    return [name for name in scripts if not sources.is_test(name)] or scripts


def _from_data(code: str, item: dict[str, JsonValue], files: Sequence[WorkFile]) -> Program:
    arguments, stdin = item.get("arguments", []), item.get("stdin", "")
    if not isinstance(stdin, str) or not isinstance(arguments, list):
        raise InvalidRequestError('Beside "code", "stdin" must be a string and "arguments" a list of strings.')
    language = str(item.get("language", "python")).lower()
    if language not in PYTHON | JAVASCRIPT:
        raise InvalidRequestError(f'"language" must be python or javascript, not {language[:40]!r}.')
    program = from_code(code, files, "python" if language in PYTHON else "javascript")
    arguments = tuple(str(argument).replace("\0", "") for argument in arguments)
    return Program(program.main, program.files, arguments, stdin, program.language)


def _find_block(text: str) -> tuple[str, Language] | None:
    blocks = sources.find_blocks(text)
    python = [block.content for block in blocks if block.language in PYTHON]
    if python:
        return "\n".join(python), "python"
    javascript = [block.content for block in blocks if block.language in JAVASCRIPT]
    if javascript:
        return "\n".join(javascript), "javascript"
    untagged = [block.content for block in blocks if not block.language and looks_like_code(block.content)]
    if untagged:
        return "\n".join(untagged), "python"
    other = next((block.language for block in blocks if block.language in _OTHER_LANGUAGES), None)
    if other is not None and not phrases.read(text).formulas:
        raise InvalidRequestError(f"Only Python and JavaScript can be run; this is a block of {other}. {HOW_TO_ASK}")
    return None


def _choose_script(scripts: list[str], text: str) -> str:
    named = [name for name in scripts if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)]
    mains = [name for name in scripts if name in {"main.py", "main.js", "index.js"}]
    for choice in (named, scripts, mains):
        if len(choice) == 1:
            return choice[0]
    raise InvalidRequestError(f"Which file is the program: {', '.join(scripts[:10])}? Name one in the text.")


def _find_unfenced(text: str) -> str | None:
    """Return code that stands in the text as it is: all of it, after `run:`, or in single backticks."""
    match = _RUN.search(text)
    introduced = match is not None and match.start() == 0 and match["marked"]  # itself Python: an annotation
    if not introduced and looks_like_code(text):
        return text.strip()
    if match is None:
        return None
    if match["inline"]:
        return match["inline"]
    given = match["marked"] or match["bare"]
    line = text[: match.end() - len(given)].rpartition("\n")[2]
    given = textwrap.dedent(line + given) if not line.strip() else given  # code that stands indented below "run:"
    for candidate in _shortenings(given):
        if looks_like_code(candidate) or (match["marked"] and parse(candidate) is not None and candidate.strip()):
            return candidate
    if match["marked"] is None or phrases.read(given).formulas:
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


def _write_out(formulas: Sequence[Formula]) -> str:
    """Return the program that prints what `formulas` give."""
    setup = [line for lines in dict.fromkeys(formula.setup for formula in formulas) for line in lines]
    shown = 'f"{value:.15g}" if isinstance(value, float) else value'
    if len(formulas) == 1:
        return "\n".join([*setup, f"value = {formulas[0].expression}", f"print({shown})", ""])
    lines = ["", "def show(label, value):", f"    print(label, '=', {shown})", ""]
    calls = [f"show({formula.label!r}, {formula.expression})" for formula in formulas]
    return "\n".join([*setup, *lines, *calls, ""])
