"""Starts the federation: reads every service's settings, then hands over to the process runner."""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Generator
from contextlib import contextmanager

from federation import probe
from federation.launch import Launch, Service
from federation.running import find
from federation.services import MODULES, read_all
from shared.errors import TimedOutError, UnavailableError
from shared.llm import choose
from shared.settings import PORT_SETTINGS, FederationSettings, ServiceName

START_TIMEOUT_S = 180.0


def run_in_foreground(*, verbose: bool) -> None:
    """Become the process runner: this process goes on as a much smaller program. Never returns.

    Raises: InvalidRequestError, InvalidSettingError, DatabaseUnavailableError, before anything is started.
    """
    settings = read_all()
    _examine_database(settings)
    launch = plan_launch(settings, banner=_banner(settings), verbose=verbose)
    os.execv(sys.executable, [*_RUNNER, launch.to_json()])  # noqa: S606 - our own interpreter


@contextmanager
def running(only: Collection[ServiceName] = tuple(MODULES), *, quiet: bool = False) -> Generator[None]:
    """Have the federation ready for the block: the one that runs, else one of its own, of which nothing stays.

    One of its own has `only` these services; `quiet`: it says something only when it cannot be started.
    Raises: as `run_in_foreground`; UnavailableError, TimedOutError when it does not get ready.
    """
    settings = read_all()
    launch = plan_launch(settings, attached=True, only=only)
    ready = launch.address("orchestrator") + "/ready"
    process: subprocess.Popen[bytes] | None = None
    agents = [name for name in only if name != "orchestrator"]
    said = tempfile.TemporaryFile() if quiet else None  # noqa: SIM115 - it lives as long as the process
    if probe.ask(ready)[0] == 0 and find(settings.data_dir) is None:
        _examine_database(settings)
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [*_RUNNER, launch.to_json()],
            stdin=subprocess.PIPE,
            stdout=sys.stderr.fileno() if said is None else said,
            env=os.environ if len(only) == len(MODULES) else {**os.environ, "BUNDLED_AGENTS": ",".join(agents)},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while probe.ask(ready)[0] != http.client.OK:
            if process is not None and process.poll() is not None:
                if said is not None:
                    said.seek(0)
                    sys.stderr.write(said.read().decode(errors="replace"))
                raise UnavailableError("The federation could not be started; the lines above say why.")
            if time.monotonic() > deadline:
                raise TimedOutError(
                    f"The federation is not ready after {START_TIMEOUT_S:g} s; see {settings.data_dir}/logs."
                )
            time.sleep(0.1)  # readiness is asked for; nothing announces it to another process
        yield
    finally:
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait()
        if said is not None:
            said.close()


def plan_launch(
    settings: FederationSettings,
    *,
    banner: tuple[str, ...] = (),
    attached: bool = False,
    verbose: bool = False,
    only: Collection[ServiceName] = tuple(MODULES),
) -> Launch:
    """Return what the process runner is told, as the settings say it. See `Launch`."""
    return Launch(
        services=tuple(Service(name, MODULES[name], settings.port_of(name), PORT_SETTINGS[name]) for name in only),
        host=settings.federation_host,
        url=settings.url_of("orchestrator"),
        data_dir=str(settings.data_dir),
        banner=banner,
        attached=attached,
        verbose=verbose,
        grace_s=settings.shutdown_timeout_s + 5.0,
    )


def describe_model(settings: FederationSettings) -> str:
    """Say in a line which model is used, or why none can be."""
    model = choose(settings)
    if model is None:
        return "No model: rules and extraction; set OPENAI_API_KEY, GROQ_API_KEY or LLM_BASE_URL."
    if model.missing:
        return f"Model: none can be used: {model.missing}"
    return f"Model: {model.name or 'the one that is served'} ({settings.llm_base_url or model.provider})."


_RUNNER = (sys.executable, "-P", "-m", "federation.runner")  # -P: the folder one stands in holds no code of ours


def _examine_database(settings: FederationSettings) -> None:
    if settings.database_url is not None:
        from shared import db_examination  # noqa: PLC0415 - takes half a second, which the default can do without

        db_examination.examine(settings)


def _banner(settings: FederationSettings) -> tuple[str, ...]:
    return (
        describe_model(settings),
        f"Logs: {settings.data_dir}/logs. API: {settings.url_of('orchestrator')}/docs. Ctrl-C stops everything.",
        'Try, in another terminal:  make run TASK="Summarize README.md, and compute 2**100 with Python"',
    )
