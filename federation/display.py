"""Shows a task to the person at the terminal: live as a tree, or line by line where there is no terminal."""

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from federation.events import Event
from federation.models import Artifact, Task
from federation.progress import StepView, TaskView, apply, describe, first_line, how_to_answer

_WIDTH_WITHOUT_TERMINAL: Final = 200
_ID_WIDTH: Final = 36
_LEAST_WIDTH: Final = 11
_HIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MARKS: Final[dict[str, tuple[str, str]]] = {
    "ok": ("✓", "green"),
    "degraded": ("!", "yellow"),
    "missing": ("✗", "red"),
    "pending": ("·", "dim"),
    "running": ("▸", "cyan"),
    "input_required": ("?", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
    "canceled": ("-", "yellow"),
}


def printable(text: str) -> str:
    """Return `text` without the characters that steer a terminal: much of what is shown was written by others."""
    return _HIDDEN.sub("", text)


def printable_json(text: str) -> str:
    """Return JSON that says the same, with escapes for the characters that steer a terminal."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Display:
    """Progress goes to standard error, what was asked for to standard output."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)
        self._quiet = quiet
        self._view = TaskView()
        self._live: Live | None = None
        self._last = ""

    @contextmanager
    def following(self) -> Generator[None]:
        """Show what `show` is told, live where there is a terminal, until the end of the block."""
        if self._quiet or not self.err.is_terminal:
            yield
            return
        self._live = self._begin()
        try:
            yield
        finally:
            self._live.stop()
            self._live = None

    @contextmanager
    def paused(self) -> Generator[None]:
        """Leave the terminal to somebody else for the block."""
        if self._live is None:
            yield
            return
        self._live.stop()
        yield
        self._live = self._begin()

    def _begin(self) -> Live:
        live = Live(_tree(self._view), console=self.err, refresh_per_second=8)
        live.start()
        return live

    def show(self, event: Event) -> None:
        """Take in an event."""
        self._view = apply(self._view, event)
        if self._live is not None:
            self._live.update(_tree(self._view))
        elif line := describe(self._view, event):
            if line != self._last:
                self.note(line)
            self._last = line

    def note(self, text: str) -> None:
        """Say something beside the result."""
        if not self._quiet:
            self.err.print(Text(printable(text)))

    def result(self, task: Task) -> None:
        """Print what came out of the task: of one that went wrong, what its steps brought until then."""
        outputs = _outputs(task)
        text = printable(task.summary or outputs) if outputs or task.status == "completed" else ""
        if text and self.out.is_terminal:
            self.out.print()
            self.out.print(_Formatted(text))
        elif text:
            self.out.print(Text(text))
        if task.status == "failed":
            self.err.print(Text(f"The task failed. {printable(str(task.error)) if task.error else ''}", style="red"))
        elif task.status == "canceled":
            why = f" {printable(str(task.error))}" if task.error else ""
            self.err.print(Text(f"The task was canceled.{why}", style="yellow"))
        if artifacts := (task.result.artifacts if task.result else []):
            self.note("Files: " + ", ".join(_artifact(artifact) for artifact in artifacts))
        self.note(_spent(task))

    def questions(self, task: Task) -> None:
        """Say what the task waits for, and how to answer."""
        for pending in task.pending_inputs:
            until = f" (until {pending.expires_at.astimezone():%Y-%m-%d %H:%M})" if pending.expires_at else ""
            who = f"step {pending.step_id}" if pending.step_id else "The task"
            self.note(f"{who[0].upper()}{who[1:]} waits for an answer{until}: {pending.prompt}")
            self.note(f"Answer with: {how_to_answer(task.id, pending, is_only=len(task.pending_inputs) == 1)}")

    def table(self, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """Print a table, with all of its text: ids in one line where that leaves room for the rest."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        has_room = self.out.width >= _ID_WIDTH + _LEAST_WIDTH * (len(columns) - 1)
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column == "id" and has_room)
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        self.out.print(table)

    def finding(self, state: str, name: str, text: str) -> None:
        """Print one line of a list of things that are well or not."""
        mark, style = _MARKS.get(state, ("·", "dim"))
        self.out.print(Text.assemble((f"{mark} ", style), (f"{name}: ", "bold"), printable(text)))

    def facts(self, facts: dict[str, str]) -> None:
        """Print names with their values, the empty ones left out."""
        for name, value in facts.items():
            if value:
                self.out.print(Text.assemble((f"{name}: ", "bold"), printable(value)))


class _Formatted:
    """Markdown, whose references to characters (`&#x202e;`) steer no terminal either."""

    def __init__(self, text: str) -> None:
        self._text = Markdown(text, hyperlinks=False)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for text, style, control in console.render(self._text, options):
            yield Segment(printable(text), style, control)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    is_terminal = stream is not None and stream.isatty()  # a stream that was closed before is None
    width = None if is_terminal else _WIDTH_WITHOUT_TERMINAL
    return Console(stderr=stderr, width=width, soft_wrap=not is_terminal, highlight=False, emoji=False, markup=False)


def _tree(view: TaskView) -> RenderableType:
    if not view.steps:
        return Spinner("dots", Text(view.status))
    how = f" (plan by {view.strategy})" if view.strategy else ""
    tree = Tree(Text(f"{view.status.replace('_', ' ')}{how}"), guide_style="dim")
    for step in view.steps:
        tree.add(_step(step))
    for asked in view.questions:
        tree.add(Text(f"? {printable(first_line(asked.prompt, 160))}", style="yellow"))
    return tree


def _step(step: StepView) -> RenderableType:
    mark, style = _MARKS[step.status]
    who = f" [{step.agent or step.skill}]" if step.agent or step.skill else ""
    title = Text.assemble((f"{mark} ", style), printable(first_line(step.instruction)), (printable(who), "dim"))
    lines: list[Text] = [title]
    if step.note and step.status in {"running", "failed", "input_required"}:
        lines.append(
            Text(f"  {printable(first_line(step.note, 160))}", style="red" if step.status == "failed" else "dim")
        )
    if step.files:
        lines.append(Text(f"  files: {printable(', '.join(step.files))}", style="dim"))
    return Group(*lines)


def _artifact(artifact: Artifact) -> str:
    size = f", {artifact.size_bytes:,} bytes" if artifact.size_bytes is not None else ""
    return f"{artifact.name or artifact.id} ({artifact.media_type}{size})"


def _outputs(task: Task) -> str:
    """Return what the steps that went well brought, for a task that has no summary."""
    return (
        "\n\n".join(f"{first_line(output.step)}:\n{output.output}" for output in task.result.outputs)
        if task.result
        else ""
    )


def _spent(task: Task) -> str:
    parts = [f"{task.status}"]
    if task.created_at and task.completed_at:
        parts.append(f"{(task.completed_at - task.created_at).total_seconds():.1f} s")
    if task.usage.llm_calls:
        tokens = task.usage.input_tokens + task.usage.output_tokens
        parts.append(f"{task.usage.llm_calls} model calls, {tokens:,} tokens")
    if task.usage.cost_usd:
        parts.append(f"${task.usage.cost_usd:.4f}")
    return f"Task {task.id}: " + ", ".join(parts)
