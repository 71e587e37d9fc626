"""The whole federation as a newcomer starts it: real services, real Chromium, real sandbox, other ports, no model."""

import json
import os
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import cast

import pytest

from federation import probe
from federation.running import find
from tests.federation.processes import PORTS, ROOT, Printing, free_ports, lives, poll, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

_START_TIMEOUT_S = 180.0
_PROGRAM = (sys.executable, "-c", "from federation.cli import main; main()")
_UNSET = ("OPENAI_API_KEY", "GROQ_API_KEY", "LLM_BASE_URL", "DATABASE_URL")


class Place:
    """A federation's own ports and data, and the folder that its commands run in."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.documents = folder / "documents"
        self.documents.mkdir()
        self.env = {
            **dict.fromkeys(_UNSET, ""),
            **{name: str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)},
            "DATA_DIR": str(self.data_dir),
            "RESEARCH_DOCUMENTS": str(self.documents),
            "RESEARCH_WEB": "false",
            "PYTHONPATH": str(ROOT),
        }

    @contextmanager
    def command(self, *arguments: str) -> Generator[Printing]:
        """Run `federation` with these arguments."""
        with started([*_PROGRAM, *arguments], env=self.env, cwd=self.documents) as process:
            yield process

    def call(self, *arguments: str) -> tuple[int, str]:
        """Run `federation` to its end."""
        with self.command(*arguments) as process:
            return process.end(timeout_s=_START_TIMEOUT_S), process.text

    def pids(self) -> dict[str, int]:
        """Return the processes of the services, as recorded."""
        return cast("dict[str, int]", (find(self.data_dir) or {"services": {}})["services"])

    def processes(self) -> Sequence[int]:
        """Return every living process that was started with this data folder, browsers included."""
        mark = f"DATA_DIR={self.data_dir}".encode()
        found: list[int] = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and lives(int(folder.name)):
                try:
                    variables = (folder / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if mark in variables:
                    found.append(int(folder.name))
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_it_starts_works_heals_and_stops_without_a_trace(place: Place) -> None:
    with place.command("up") as up:
        up.expect("Ready after", timeout_s=_START_TIMEOUT_S)
        up.expect("No model: rules and extraction; set OPENAI_API_KEY, GROQ_API_KEY or LLM_BASE_URL")
        up.expect("Try, in another terminal")
        assert "warning" not in up.text

        (place.documents / "cities.csv").write_text("city,price\nBonn,10\nUlm,20\nBonn,30\n", encoding="utf-8")
        code, said = place.call("run", "--json", "profile cities.csv")
        assert code == 0, said
        task = json.loads(said)
        assert task["status"] == "completed"
        assert "price" in task["result"]["summary"]

        code, said = place.call("agents", "list", "--json")
        assert code == 0, said
        assert len(json.loads(said)) == 4

        killed = place.pids()["api"]
        os.kill(killed, signal.SIGKILL)
        up.expect("api stopped (killed by SIGKILL); starting it again")
        poll(lambda: place.pids()["api"] not in {killed, None})
        poll(lambda: probe.ask(f"http://127.0.0.1:{place.env['API_AGENT_PORT']}/health")[0] == HTTPStatus.OK)
        code, said = place.call("run", "--timeout", "120", "profile cities.csv")
        assert code == 0, said

        code, said = place.call("up")
        assert code == 1
        assert f"already running at http://127.0.0.1:{place.env['ORCHESTRATOR_PORT']}" in said

        up.process.send_signal(signal.SIGINT)
        assert up.end() == 0
    poll(lambda: not place.processes())


def test_one_task_on_its_own_starts_the_federation_and_leaves_no_process(place: Place) -> None:
    (place.documents / "engine.md").write_text(
        "# Engine\n\nA killed orchestrator finishes its tasks after the restart, because each step is recorded.\n",
        encoding="utf-8",
    )
    code, said = place.call("run", "--start", "Research how a killed orchestrator finishes its tasks")
    assert code == 0, said
    assert "each step is recorded" in said
    assert "engine.md" in said
    poll(lambda: not place.processes())


def test_killing_it_outright_leaves_no_process(place: Place) -> None:
    with place.command("up") as up:
        up.expect("Ready after", timeout_s=_START_TIMEOUT_S)
        up.process.kill()
        poll(lambda: not place.processes())
