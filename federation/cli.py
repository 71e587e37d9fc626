"""The command line: `federation up`, `run`, `verify`, `retry`, `fork`, `answer`, `cancel`, `tasks`, `agents`, …"""

import errno
import json
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue

from federation import attachments
from federation.agent_commands import agents
from federation.calling import FAILED, INTERRUPTED, AsJson, call, orchestrator_url, print_json, wait
from federation.client import Client
from federation.display import Display, printable
from federation.learned_commands import learned
from federation.models import PendingInput, Task
from federation.progress import first_line
from federation.task_run import Watch, run_task
from shared.errors import ConflictError, FederationError, InvalidRequestError

app = typer.Typer(
    help="Say what you want; agents do it.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # it prints the values of variables
)
tasks = typer.Typer(help="See and steer tasks.", no_args_is_help=True)
app.add_typer(tasks, name="tasks")
app.add_typer(agents, name="agents")
app.add_typer(learned, name="learned")


def _only_if(check: Callable[[Path], None]) -> Callable[[Path | None], Path | None]:
    """Return what makes wrong use of an option's path that `check` finds to be unusable."""

    def checked(path: Path | None) -> Path | None:
        try:
            if path is not None:
                check(path)
        except InvalidRequestError as error:
            raise typer.BadParameter(str(error)) from error
        return path

    return checked


_NOT_WRITTEN = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE}

AsTask = Annotated[bool, typer.Option("--json", help="Print the task as JSON, and nothing else.")]
TaskId = Annotated[str, typer.Argument(help="Id of the task.")]
Timeout = Annotated[float | None, typer.Option(min=0.1, help="Cancel the task after so many seconds.")]
Save = Annotated[
    Path | None,
    typer.Option(help="Folder to save the task's files in.", callback=_only_if(attachments.check_folder)),
]


def main() -> None:
    """Run the command line; every foreseen failure ends as a sentence and an exit code."""
    if sys.stdout is None:  # else the next file that is opened would take its place
        Display().err.print("The output is closed: there is nowhere to print to.", style="red")
        sys.exit(FAILED)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except FederationError as error:
        Display().err.print(printable(str(error)), style="red")
        sys.exit(FAILED)
    except OSError as error:
        if error.errno not in _NOT_WRITTEN:
            raise
        if error.errno != errno.EPIPE:  # who reads may stop
            Display().err.print(f"The output could not be written ({error.strerror}).", style="red")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left of it is not tried again
        sys.exit(FAILED)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        sys.stdout.write(version("agent-federation") + "\n")
        raise typer.Exit


@app.callback()
def _global_options(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Option(help="Where the orchestrator answers; default: from the environment and .env.")
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    for word in sys.argv[1:]:
        if not _is_text(word):
            raise typer.BadParameter(f"{word!r} is not written in {sys.getfilesystemencoding()}: save or type it so.")
    context.obj = url


def _is_text(word: str) -> bool:
    """Return whether a word of the command line could be decoded, and so be sent."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


@app.command("up")
def _up(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every line of the logs.")] = False) -> None:
    """Start the whole federation, here, until Ctrl-C."""
    from federation import up  # noqa: PLC0415 - what only some commands need is imported by them: the others start fast

    up.run_in_foreground(verbose=verbose)


@app.command("worker")
def _worker() -> None:
    """Run tasks without serving an API, beside other orchestrators on one PostgreSQL (DATABASE_URL), until stopped."""
    command = [sys.executable, "-P", "-m", "orchestrator_service.worker"]  # -P: see federation.up
    os.execv(sys.executable, command)  # noqa: S606 - it takes our place


@app.command("webhook-secret")
def _webhook_secret() -> None:
    """Print the key that webhooks are signed with, for whoever receives them (Standard Webhooks)."""
    from orchestrator_service.keys import open_keys  # noqa: PLC0415
    from orchestrator_service.settings import Settings  # noqa: PLC0415
    from shared import configuration, webhooks  # noqa: PLC0415

    sys.stdout.write(webhooks.write_secret(open_keys(configuration.read(Settings)).webhook_secret()) + "\n")


@app.command("model-double")
def _model_double(
    script: Annotated[Path, typer.Argument(help="YAML file that says what is answered.")],
    host: Annotated[str, typer.Option(help="Address to bind to.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0: a free one, which is printed.")] = 0,
) -> None:
    """Serve a scripted language model (OpenAI-compatible), for tests and trials without a key, until stopped."""
    from federation.model_double import command  # noqa: PLC0415

    command.serve(script, host, port)


@app.command("run")
def _run(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="What you want, in plain words.")],
    file: Annotated[list[Path] | None, typer.Option("--file", "-f", help="Send this file along; repeatable.")] = None,
    attach: Annotated[bool, typer.Option(help="Send along the files that the task's words name.")] = True,
    agent: Annotated[str | None, typer.Option(help="Send it to this agent; no planning.")] = None,
    session: Annotated[str | None, typer.Option(help="Id of the session it belongs to.")] = None,
    approve_plan: Annotated[bool, typer.Option("--approve-plan", help="Show the plan and ask before it runs.")] = False,
    timeout: Timeout = None,
    save: Save = None,
    start: Annotated[bool, typer.Option("--start", help="Start the federation for this task if none runs.")] = False,
    as_json: AsTask = False,
) -> None:
    """Run one task and print its result. Ends with 0, 1 (failed), 3 (waits for an answer) or 130 (canceled)."""
    if not task.strip():
        raise typer.BadParameter("Say what you want: the task is empty.", param_hint="TASK")
    display = Display(quiet=as_json)
    named = [path for path in (attachments.find_named(task) if attach else []) if path not in (file or [])]
    if named:
        display.note(f"Sending along: {', '.join(map(str, named))}")
    files = attachments.check([*(file or []), *named])

    def submit(client: Client) -> Awaitable[Task]:
        return client.submit(task, files=files, agent=agent, session_id=session, approve_plan=approve_plan)

    with ExitStack() as stack:
        if start:
            from federation import up  # noqa: PLC0415

            stack.enter_context(up.running())
        code = wait(
            run_task(orchestrator_url(context), submit, Watch(timeout_s=timeout, save=save, as_json=as_json), display)
        )
    raise typer.Exit(code)


@app.command("retry")
def _retry(
    context: typer.Context, task_id: TaskId, timeout: Timeout = None, save: Save = None, as_json: AsTask = False
) -> None:
    """Do what a task that is over left undone, as a new task that keeps what was completed. Ends as `run` does."""
    watch = Watch(timeout_s=timeout, save=save, as_json=as_json)
    code = wait(
        run_task(orchestrator_url(context), lambda client: client.retry(task_id), watch, Display(quiet=as_json))
    )
    raise typer.Exit(code)


@app.command("fork")
def _fork(
    context: typer.Context,
    task_id: TaskId,
    from_step: Annotated[str, typer.Option("--from", help="Id of the step to begin at; `tasks show` has them.")],
    instruction: Annotated[str | None, typer.Option(help="What the step is told instead.")] = None,
    timeout: Timeout = None,
    save: Save = None,
    as_json: AsTask = False,
) -> None:
    """Do a step of a task that is over again, and all that depends on it, as a new task. Ends as `run` does."""

    def fork(client: Client) -> Awaitable[Task]:
        return client.fork(task_id, from_step, instruction=instruction)

    code = wait(
        run_task(
            orchestrator_url(context),
            fork,
            Watch(timeout_s=timeout, save=save, as_json=as_json),
            Display(quiet=as_json),
        )
    )
    raise typer.Exit(code)


@app.command("verify")
def _verify(
    context: typer.Context,
    page: Annotated[str, typer.Argument(help="Address of the page.", metavar="URL", show_default=False)],
    goal: Annotated[str, typer.Argument(help="What is to be so, in plain words.")],
    name: Annotated[str | None, typer.Option(help="Keep the test under this name, with its history.")] = None,
    cron: Annotated[str | None, typer.Option(help="With --name: run it by itself, e.g. '0 9 * * 1-5' (UTC).")] = None,
    junit: Annotated[
        Path | None,
        typer.Option(help="Write a JUnit XML report to this file.", callback=_only_if(attachments.check_file)),
    ] = None,
    timeout: Timeout = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")] = False,
) -> None:
    """Test a web page for a goal in plain words. Ends with 0 (passed), 1 (failed) or 2 (not run, or not reported)."""
    from federation import page_test  # noqa: PLC0415
    from shared.page_tests import MAX_GOAL_CHARS, PageTestRequest  # noqa: PLC0415

    if not page.strip() or len(page) > 2_000:
        raise typer.BadParameter("Give the page's address, e.g. https://example.com.", param_hint="URL")
    if not goal.strip() or len(goal) > MAX_GOAL_CHARS:
        raise typer.BadParameter(f"Say what is to be so, in at most {MAX_GOAL_CHARS:,} characters.", param_hint="GOAL")
    if cron is not None and name is None:
        raise typer.BadParameter("Only a test that is kept runs by itself; give it a --name.", param_hint="--cron")
    wish = page_test.Wish(PageTestRequest(url=page.strip(), goal=goal), name, cron, timeout, junit, as_json)
    try:
        code = page_test.run_here(orchestrator_url(context), wish, may_start=context.obj is None)
    except KeyboardInterrupt:
        code = INTERRUPTED
    raise typer.Exit(code)


@app.command("doctor")
def _doctor(as_json: AsJson = False) -> None:
    """Say what is there, what is missing and how to get it. Ends with 1 when something (✗) must be put right."""
    from federation import doctor  # noqa: PLC0415

    findings = doctor.examine()
    if as_json:
        sys.stdout.write(json.dumps([finding.to_json() for finding in findings], indent=2) + "\n")
    else:
        display = Display()
        for finding in findings:
            display.finding(finding.state, finding.name, finding.text)
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(FAILED)


@tasks.command("list")
def _list_tasks(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="Only those with this status.")] = None,
    q: Annotated[str | None, typer.Option(help="Only those whose text holds this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List tasks, newest first."""
    found = call(context, lambda client: client.tasks(status=status, q=q, limit=limit))
    if as_json:
        print_json(found)
        return
    rows = [(task.id, task.status, _when(task), first_line(task.description, 80)) for task in found]
    Display().table(("id", "status", "created", "task"), rows)


@tasks.command("show")
def _show_task(context: typer.Context, task_id: str, as_json: AsJson = False) -> None:
    """Show a task: its steps, its result, what it waits for."""
    task = call(context, lambda client: client.get(task_id))
    if as_json:
        print_json(task)
        return
    display = Display()
    display.facts({"task": task.description, "status": task.status, "session": task.session_id or ""})
    if (origin := task.origin) is not None:
        begin = f" from step {origin.from_step}" if origin.from_step else ""
        display.facts({origin.kind: f"of task {origin.task_id}{begin}"})
    for step in task.steps:
        kept = f" (kept from task {step.kept_from})" if step.kept_from else ""
        who = step.agent_name or step.skill or step.agent or ""
        display.finding(step.status, f"{step.id} {who}".strip(), first_line(step.instruction) + kept)
        if step.error:
            display.facts({"  error": str(step.error)})
    if task.descendants:
        display.facts({"done again by": ", ".join(task.descendants)})
    display.questions(task)
    display.result(task)


@app.command("cancel")
@tasks.command("cancel")
def _cancel_task(context: typer.Context, task_id: TaskId) -> None:
    """Cancel a task, with what it started at its agents."""
    task = call(context, lambda client: client.cancel(task_id))
    Display().facts({"status": "canceling" if not task.is_over else task.status})


@app.command("answer")
@tasks.command("answer")
def _answer_task(
    context: typer.Context,
    task_id: TaskId,
    input_id: Annotated[
        str | None, typer.Argument(help="Id of the question; needed only when the task waits for several answers.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="The answer in words.")] = None,
    data: Annotated[str | None, typer.Option(help="The answer as JSON, for a question that has a form.")] = None,
    approve: Annotated[
        bool | None, typer.Option("--approve/--reject", help="Whether the plan or step may run.")
    ] = None,
    comment: Annotated[str | None, typer.Option(help="Why it may, or may not.")] = None,
) -> None:
    """Answer a question of a task, or say whether its plan or step may run."""
    if [text, data, approve].count(None) != 2:
        raise typer.BadParameter("Give one of --text, --data, --approve and --reject.")
    try:
        value: JsonValue = None if data is None else json.loads(data)
    except ValueError as error:
        raise typer.BadParameter(
            f"It is not valid JSON: {error}. For words, give --text.", param_hint="--data"
        ) from error

    async def answer(client: Client) -> Task:
        asked = input_id or _only_question(await client.get(task_id)).input_id
        return await client.answer(task_id, asked, text=text, data=value, approve=approve, comment=comment)

    task = call(context, answer)
    Display().facts({"status": task.status})


def _only_question(task: Task) -> PendingInput:
    """Return what the task waits for. Raises: ConflictError when it is nothing, or several things."""
    if not task.pending_inputs:
        raise ConflictError(f"The task is {task.status} and waits for no answer.")
    if len(task.pending_inputs) > 1:
        asked = "; ".join(f"{pending.input_id} ({first_line(pending.prompt, 60)})" for pending in task.pending_inputs)
        raise ConflictError(
            f"The task waits for several answers; say which one you give, after the task's id: {asked}."
        )
    return task.pending_inputs[0]


def _when(task: Task) -> str:
    return f"{task.created_at.astimezone():%Y-%m-%d %H:%M:%S}" if task.created_at else ""
