"""The skill `document-code`: docstrings where there are none, and a README, by what the code does.

Without a model both are made from signatures. With one, the model says the words; where they go, and that the code
itself stays what it is, is seen to here.
"""

import ast
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from code_agent_service import docstrings, presentation, sources
from code_agent_service.bench import Bench, Finished, Given, describe, merge
from code_agent_service.runs import WorkFile
from shared.agent import JsonObject, Progress, Update, Usage
from shared.errors import InvalidRequestError
from shared.llm import MODEL_ERRORS, Model, spent

_MAX_TOKENS: Final = 8000
_SYSTEM: Final = """You document source code. For each module (name ""), public class, function and method (name such as
"Class.method") that has no docstring yet, write one in Google style: what it promises, not how; arguments, results and
errors where the signature does not say enough. Only what the code really does. `readme` is a README in Markdown for who
uses the code: what it is for, how it is used, with a short example, how it is run and tested."""


class _Docstring(BaseModel):
    model_config = ConfigDict(extra="ignore")

    file: str = Field(description="Name of the file, as given.")
    name: str = Field(default="", description="Dotted name in the file; empty for the module.")
    docstring: str = Field(min_length=1, max_length=4000, description="Its text, without quotes.")


class _Documents(BaseModel):
    model_config = ConfigDict(extra="ignore", title="Documentation")

    docstrings: list[_Docstring] = Field(default_factory=list[_Docstring], max_length=300)
    readme: str = Field(min_length=1, max_length=40_000)


async def document(given: Given, bench: Bench) -> AsyncGenerator[Update | Finished]:
    """Document the code that is given; nothing of it is run."""
    material = given.material()
    python = [file for file in sources.list_python(material) if not sources.is_test(file.name)]
    trees = {file.name: tree for file in python if _is_utf8(file) and (tree := sources.read_module(file.text))}
    broken: list[JsonValue] = [file.name for file in python if file.name not in trees]
    if not trees and bench.model is None:
        why = f"{', '.join(map(str, broken))} is not Python that can be read" if broken else "there is no .py file"
        raise InvalidRequestError(f"Without a language model only Python can be documented, and {why}.")
    words: dict[str, dict[str, str]] = {name: _from_signatures(name, tree) for name, tree in trees.items()}
    readme, author, note = "", "signatures", ""
    if bench.model is not None:
        yield Progress("Reading the code")
        try:
            documents, usage = await _ask(bench.model, given.text, material)
        except MODEL_ERRORS as error:
            yield spent(error)
            if not trees:
                raise
            note = f"The model could not document the code ({error.detail}), so it was done from signatures."
        else:
            yield usage
            author, readme = "model", documents.readme
            for each in documents.docstrings:
                if each.file in words:
                    words[each.file][each.name] = each.docstring
    changed = [
        WorkFile(file.name, text.encode())
        for file in python
        if (text := docstrings.insert(file.text, words.get(file.name, {}))) != file.text
    ]
    documented = merge(material, changed)
    name = "README.md" if not any(file.name == "README.md" for file in material) else "API.md"
    page = WorkFile(name, f"{(readme or _write_readme(documented)).strip()}\n".encode())
    added = sum(_count_docstrings(file.text) for file in changed) - sum(
        _count_docstrings(file.text) for file in python if file.name in {each.name for each in changed}
    )
    data: JsonObject = {
        "docstrings_added": added,
        "files_changed": [file.name for file in changed],
        "document": name,
        "written_by": author,
        "not_documented": broken,
    }
    said = f"{added} docstrings were added, and `{name}` was written, by {_BY[author]}."
    problem = f"Not Python that can be read, and so left as it is: {', '.join(map(str, broken))}." if broken else ""
    shown = presentation.show_files([*changed, page])
    made = (*changed, page)
    text = "\n\n".join(filter(None, [said, note, problem, shown]))
    yield Finished(text, data, made, merge(given.kept, material, made))


def _is_utf8(file: WorkFile) -> bool:
    """Tell whether nothing of a file is lost when it is written again."""
    return file.text.encode() == file.content


_BY: Final = {"signatures": "signatures, type hints and names alone", "model": "the model"}


async def _ask(model: Model, text: str, material: Sequence[WorkFile]) -> tuple[_Documents, Usage]:
    prompt = f"What was asked for: {text[:4000]}\n\n{describe(material)}"
    return await model.structured(prompt, _Documents, system=_SYSTEM, max_tokens=_MAX_TOKENS)


def _from_signatures(name: str, tree: ast.Module) -> dict[str, str]:
    module = name.removesuffix(".py").rpartition("/")[2]
    return {place.name: docstrings.describe(place, module) for place in docstrings.list_places(tree)}


def _count_docstrings(code: str) -> int:
    tree = sources.read_module(code)
    return 0 if tree is None else sum(bool(place.docstring) for place in docstrings.list_places(tree))


def _write_readme(files: Sequence[WorkFile]) -> str:
    """Return a README by what the files hold: what can be imported, run and tested, and what that needs."""
    python = sources.list_python(files)
    trees = {file.name: tree for file in python if (tree := sources.read_module(file.text)) is not None}
    code = {name: tree for name, tree in trees.items() if not sources.is_test(name)}
    title = next(iter(code), "code").removesuffix(".py").rpartition("/")[2].replace("_", " ").strip()
    parts = [f"# {title[:1].upper()}{title[1:]}"]
    for name, tree in code.items():
        parts += [f"## `{name}`", *_describe_module(tree)]
    runnable = [name for name, tree in code.items() if _is_program(tree)]
    if runnable:
        parts += ["## Running", "\n".join(f"    python {name}" for name in runnable)]
    if any(sources.is_test(name) for name in trees):
        parts += ["## Testing", "    python -m pytest"]
    if needed := _list_needed(trees):
        parts += ["## Needs", ", ".join(f"`{name}`" for name in needed)]
    return "\n\n".join(parts)


def _describe_module(tree: ast.Module) -> Iterator[str]:
    if text := ast.get_docstring(tree):
        yield text.split("\n\n", maxsplit=1)[0]
    lines: list[str] = []
    for place in docstrings.list_places(tree):
        if isinstance(place.node, ast.Module):
            continue
        shown = f"class {place.name}" if isinstance(place.node, ast.ClassDef) else docstrings.signature(place.node)
        first = place.docstring.split("\n", maxsplit=1)[0]
        lines.append(f"{'  ' * place.name.count('.')}- `{shown}`{': ' if first else ''}{first}")
    if lines:
        yield "\n".join(lines)


def _is_program(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) for node in tree.body)


def _list_needed(trees: Mapping[str, ast.Module]) -> list[str]:
    """Return the packages that are imported and come neither with Python nor from these files."""
    own = {part for name in trees for part in name.removesuffix(".py").split("/")}
    imported: set[str] = set()
    for node in (each for tree in trees.values() for each in ast.walk(tree)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.add(node.module.partition(".")[0])
    return sorted(imported - own - set(sys.stdlib_module_names))
