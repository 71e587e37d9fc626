"""`federation agents`: which agents are registered, how far they are to be trusted, and who may be called."""

import json
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from federation.calling import AsJson, call, print_json
from federation.client import Client
from federation.display import Display
from federation.models import Agent, JsonObject, Quarantine
from federation.progress import first_line
from shared.errors import ConflictError, NotFoundError

agents = typer.Typer(help="See and change which agents are registered.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name or id.")]

_MOST_NAMED = 20
_SEVERITIES = {"error": "missing", "warning": "degraded"}


@agents.command("list")
def _list(
    context: typer.Context,
    skill: Annotated[str | None, typer.Option(help="Only those with this skill id or tag.")] = None,
    q: Annotated[str | None, typer.Option(help="Only those that fit these words.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the registered agents."""
    found = call(context, lambda client: client.agents(capability=skill, q=q))
    if as_json:
        print_json(found)
        return
    rows = [(agent.name, agent.status, _skills(agent), agent.grade or "", agent.endpoint, agent.id) for agent in found]
    Display().table(("name", "status", "skills", "grade", "endpoint", "id"), rows)


@agents.command("show")
def _show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show one agent: what it can do, its grade and why, and what was found about it."""
    agent = call(context, lambda client: _find(client, name))
    if as_json:
        print_json(agent)
        return
    _show_agent(agent)


@agents.command("add")
def _add(
    context: typer.Context,
    endpoint: Annotated[str, typer.Argument(help="The agent's base URL or card URL.")],
    credential: Annotated[
        str | None,
        typer.Option(
            help="What the agent asks for: bearer:TOKEN, api-key:KEY, basic:USER:PASSWORD, or @FILE with JSON, which "
            "no other user of the machine can read in the list of processes."
        ),
    ] = None,
) -> None:
    """Register an A2A agent by its address."""
    credentials = None if credential is None else _read_credential(credential)
    agent = call(context, lambda client: client.add_agent(endpoint, credentials=credentials))
    display = Display()
    grade = agent.grade or ""
    display.facts({"registered": agent.name, "id": agent.id, "grade": grade, "skills": _skills(agent)})
    if agent.status in {"pending", "quarantined"}:
        display.note(
            f"It is {agent.status}; look at it with `federation agents show`, then `federation agents accept`."
        )
    for found in agent.verification.findings if agent.verification is not None else ():
        if found.where == "/securityRequirements":
            display.note(f"It {found.text}.")


@agents.command("accept")
def _accept(context: typer.Context, name: Name) -> None:
    """Let a new agent in, or take over a changed card, and say what changed."""

    async def accept(client: Client) -> tuple[Agent, Agent]:
        seen = await _find(client, name)
        card_hash = seen.card_hash if seen.quarantine is None else seen.quarantine.card_hash
        return seen, await client.accept_agent(seen.id, card_hash)

    seen, agent = call(context, accept)
    display = Display()
    display.facts({"name": agent.name, "status": agent.status})
    if seen.quarantine is not None:
        _show_changes(display, seen.quarantine)


@agents.command("suspend")
def _suspend(context: typer.Context, name: Name) -> None:
    """Stop an agent at once, with the steps that run at it."""
    _steer(context, name, "suspend")


@agents.command("resume")
def _resume(context: typer.Context, name: Name) -> None:
    """Let a suspended agent be called again."""
    _steer(context, name, "resume")


@agents.command("remove")
def _remove(context: typer.Context, name: Name) -> None:
    """Take an agent out of the registry."""

    async def remove(client: Client) -> Agent:
        agent = await _find(client, name)
        await client.remove_agent(agent.id)
        return agent

    Display().facts({"removed": call(context, remove).name})


def _read_credential(given: str) -> JsonObject:
    """Return the credential, or those of the file. Raises: typer.BadParameter, which does not repeat it."""
    kind, _, value = given.partition(":")
    user, has_password, password = value.partition(":")
    if given.startswith("@"):
        try:
            read: object = json.loads(Path(given[1:]).expanduser().read_bytes())
        except (OSError, ValueError) as error:
            raise typer.BadParameter(f"{given[1:]} cannot be read as JSON.", param_hint="--credential") from error
        if isinstance(read, dict):
            return cast("JsonObject", read)
    elif kind == "bearer" and value:
        return {"type": "bearer", "token": value}
    elif kind == "api-key" and value:
        return {"type": "api_key", "value": value}
    elif kind == "basic" and has_password:
        return {"type": "basic", "username": user, "password": password}
    raise typer.BadParameter(
        "Write bearer:TOKEN, api-key:KEY, basic:USER:PASSWORD, or @FILE with a JSON object.", param_hint="--credential"
    )


def _steer(context: typer.Context, name: str, way: Literal["suspend", "resume"]) -> None:
    async def steer(client: Client) -> Agent:
        return await client.steer_agent((await _find(client, name)).id, way)

    agent = call(context, steer)
    Display().facts({"name": agent.name, "status": agent.status})


def _show_agent(agent: Agent) -> None:
    display = Display()
    checked = f", checked {agent.health.checked_at:%Y-%m-%d %H:%M:%S %Z}" if agent.health.checked_at else ""
    display.facts(
        {
            "name": agent.name,
            "id": agent.id,
            "description": agent.description,
            "endpoint": agent.endpoint,
            "status": f"{agent.status} ({agent.health.state}{checked})",
            "grade": agent.grade or "",
        }
    )
    looked = agent.verification
    if looked is not None:
        for reason in looked.grade.reasons:
            display.finding("degraded" if reason.points else "ok", reason.part, reason.text)
        display.facts({"signature": looked.signature.state})
        for found in looked.findings:
            state = _SEVERITIES.get(found.severity, "pending")
            display.finding(state, found.where or "card", f"{found.text} ({found.clause})")
    if agent.quarantine is not None:
        display.note("Its card has changed; `federation agents accept` takes the new one over:")
        _show_changes(display, agent.quarantine)
    display.table(("skill", "description"), [(skill.id, first_line(skill.description)) for skill in agent.skills])


def _show_changes(display: Display, quarantine: Quarantine) -> None:
    for change in quarantine.changes:
        before, after = (json.dumps(value, ensure_ascii=False) for value in (change.before, change.after))
        display.finding("degraded", change.field, f"{before} → {after}")


def _skills(agent: Agent) -> str:
    return ", ".join(skill.id for skill in agent.skills)


async def _find(client: Client, name: str) -> Agent:
    """Return the agent with that id or name. Raises: NotFoundError, ConflictError when several have the name."""
    registered = await client.agents()
    found = [agent for agent in registered if name in {agent.id, agent.name}]
    found = found or [agent for agent in registered if agent.name.casefold() == name.casefold()]
    if not found:
        names = sorted(agent.name for agent in registered)
        known = ", ".join(names[:_MOST_NAMED]) or "none"
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        raise NotFoundError(f"There is no agent {name!r}. Registered: {known}{more}.")
    if len(found) > 1:
        ids = ", ".join(f"{agent.id} ({agent.endpoint})" for agent in found)
        raise ConflictError(f"Several agents are called {name!r}; name one by its id: {ids}.")
    return found[0]
