"""How a run is told: the answer's text and data, and the sentence of a failure. Pure."""

import json
import mimetypes
import re
from collections.abc import Sequence

from pydantic import JsonValue

from code_agent_service.bubblewrap import SMALL_FOLDER_BYTES
from code_agent_service.runs import Limits, Program, Reason, Run, WorkFile
from shared.agent import File, JsonObject

_SHORT_LINES, _SHORT_CHARS = 3, 400
_TAIL_LINES, _TAIL_CHARS = 5, 600
_MAX_COMMAND_CHARS = 300
_SHOWN_CHARS = 60_000
_MAX_OUTPUT_BYTES = 800 * 1024  # of a stream as JSON, where a control character is six: it is said in text and in data
_MIB = 1024 * 1024
_LANGUAGES = {"py": "python", "js": "javascript", "mjs": "javascript", "md": "markdown", "json": "json"}


def to_text(run: Run, limits: Limits) -> str:
    """Return the run as Markdown: its output first."""
    stdout, stderr = _bound(run.stdout), _bound(run.stderr)
    parts = [_block(stdout)] if stdout.strip() else []
    if stderr.strip():
        parts.append(f"Standard error:\n\n{fence(stderr)}")
    if run.exit_code or run.stopped_by:
        parts.append(explain(run, limits))
    elif not parts and not run.files:
        parts.append("The program ended without any output.")
    if run.files:
        parts.append("Files: " + ", ".join(f"{file.name} ({len(file.content):,} bytes)" for file in run.files))
    if run.left_out:
        more = f" and {run.more_left_out:,} more" if run.more_left_out else ""
        named = ", ".join(run.left_out)
        parts.append(
            "Not handed back, for there is a limit (SANDBOX_MAX_FILES, SANDBOX_FILES_KB), or for the program closed "
            f"them or put them too deep: {named}{more}"
        )
    return "\n\n".join(parts)


def to_data(run: Run, code: str) -> JsonObject:
    """Return the run as JSON."""
    return {
        "stdout": _bound(run.stdout),
        "stderr": _bound(run.stderr),
        "exit_code": run.exit_code,
        "duration_s": round(run.duration_s, 3),
        "timed_out": run.stopped_by == "time",
        "killed_for": run.stopped_by,
        "files": list_files(run.files),
        "left_out": list(run.left_out),
        "more_left_out": run.more_left_out,
        "code": code,
    }


def list_files(files: Sequence[WorkFile]) -> list[JsonValue]:
    """Return the files as JSON, without what is in them."""
    return [
        {"name": file.name, "media_type": media_type_of(file.name), "size_bytes": len(file.content)} for file in files
    ]


def tell_run(program: Program, run: Run, confined_by: str, *, label: str = "") -> JsonObject:
    """Return what was run and how it ended, as JSON."""
    return {
        "command": label or " ".join(program.command)[:_MAX_COMMAND_CHARS],
        "exit_code": run.exit_code,
        "stopped_by": run.stopped_by,
        "duration_s": round(run.duration_s, 3),
        "sandbox": confined_by,
    }


def show_files(files: Sequence[WorkFile]) -> str:
    """Return the files as Markdown, each with its name before it, so that they can be read back from the text.

    Of those that are too long for a text there is only the name.
    """
    shown: list[str] = []
    left = _SHOWN_CHARS
    for file in files:
        if len(file.content) <= left and b"\0" not in file.content:
            left -= len(file.content)
            shown.append(f"`{file.name}`:\n\n{fence(file.text, _language(file.name))}")
        else:
            shown.append(f"`{file.name}` ({len(file.content):,} bytes)")
    return "\n\n".join(shown)


def to_file(file: WorkFile) -> File:
    """Return a file of the working folder as an artifact."""
    return File(file.name, media_type_of(file.name), file.content)


def media_type_of(name: str) -> str:
    """Return the media type that the name's ending stands for."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def explain(run: Run, limits: Limits) -> str:
    """Return the sentence that says why a program failed."""
    if run.stopped_by is not None:
        return _explain_limit(run.stopped_by, limits)
    if run.exit_code is not None and run.exit_code < 0:
        return f"The program was ended by signal {-run.exit_code}."
    return f"The program ended with exit code {run.exit_code}."


def fence(text: str, language: str = "") -> str:
    """Return `text` as a block of Markdown that it cannot end."""
    longest = max(map(len, re.findall(r"`{3,}", text)), default=2)
    mark = "`" * (longest + 1)
    content = text.strip("\n")
    return f"{mark}{language}\n{content}\n{mark}"


def tail(text: str) -> str:
    """Return the last lines of `text`."""
    return "\n".join(text.rstrip().splitlines()[-_TAIL_LINES:])[-_TAIL_CHARS:]


def _bound(output: str) -> str:
    """Return output as far as an answer has room for it, with a note where something is missing."""
    most = len(output)
    while (size := len(json.dumps(output[:most], ensure_ascii=False).encode(errors="replace"))) > _MAX_OUTPUT_BYTES:
        most = min(most - 1, most * _MAX_OUTPUT_BYTES // size)
    left_out = len(output) - most
    return f"{output[:most]}\n[{left_out:,} more characters are not shown]\n" if left_out else output


def _language(name: str) -> str:
    return _LANGUAGES.get(name.rpartition(".")[2].lower(), "")


def _explain_limit(reason: Reason, limits: Limits) -> str:
    match reason:
        case "time":
            return f"The program was stopped: it ran longer than {limits.timeout_s:g} s (SANDBOX_TIMEOUT_S)."
        case "cpu":
            return f"The program was stopped: it used more than {limits.cpu_s:g} s of CPU time (SANDBOX_CPU_S)."
        case "memory":
            return f"The program needed more than {limits.memory_bytes // _MIB} MB of memory (SANDBOX_MEMORY_MB)."
        case "processes":
            return (
                f"The program started more than {limits.processes} processes and threads (SANDBOX_PROCESSES), or "
                f"threads whose stacks have no room in {limits.memory_bytes // _MIB} MB (SANDBOX_MEMORY_MB)."
            )
        case "output":
            return "The program was stopped: its output had no end."
        case "files":
            return (
                f"The program's files were too many, or larger than {limits.disk_bytes // _MIB} MB (SANDBOX_DISK_MB); "
                f"those in /tmp may have at most {SMALL_FOLDER_BYTES // _MIB} MB."
            )


def _block(text: str) -> str:
    """Return output as it is when it is short, so that a next step can use it, else as a block."""
    text = text.strip("\n")
    short = len(text) <= _SHORT_CHARS and text.count("\n") < _SHORT_LINES
    return text if short else fence(text)
