"""The process runner, with real processes and services that are small."""

import os
import resource
import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from federation.launch import Launch, Service
from federation.running import find
from federation.service_log import ServiceLog
from federation.services import MODULES
from tests.federation.processes import ROOT, Printing, free_ports, lives, poll, python, started

_NAMES = ("orchestrator", "research", "api", "browser", "code")
_SERVE = "from tests.federation.small_service import serve\ndef main(): serve({port})\n"
_FORKS_WHILE_THERE_IS_ROOM = """
import errno, os
really_fork = os.fork
def fork():
    if os.path.exists("FULL"):
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return really_fork()
os.fork = fork
"""


class Federation:
    """Five small services in a folder, and the runner for them."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self._programs = folder
        self.ports: dict[str, int] = dict(zip(_NAMES, free_ports(len(_NAMES)), strict=True))
        for name in _NAMES:
            self.program(name, _SERVE)

    def program(self, name: str, text: str) -> None:
        """Make `text` the service's program."""
        (self._programs / f"small_{name}.py").write_text(text.format(port=self.ports[name]), encoding="utf-8")

    @contextmanager
    def running(
        self, *, stdin: int = subprocess.DEVNULL, grace_s: float = 5.0, verbose: bool = False, shell: str = ""
    ) -> Generator[Printing]:
        """Run the runner. `shell`: what the command line says of its descriptors."""
        launch = Launch(
            services=tuple(
                Service(name, f"small_{name}", port, f"{name.upper()}_PORT") for name, port in self.ports.items()
            ),
            host="127.0.0.1",
            url=f"http://127.0.0.1:{self.ports['orchestrator']}",
            data_dir=str(self.data_dir),
            banner=("Model: none.",),
            attached=stdin == subprocess.PIPE,
            grace_s=grace_s,
            verbose=verbose,
        )
        env = {"PYTHONPATH": os.pathsep.join([str(self._programs), str(ROOT)])}
        command = ["sh", "-c", f'exec "$0" "$@" {shell}', *python("-m", "federation.runner", launch.to_json())]
        with started(command, env=env, stdin=stdin) as runner:
            yield runner

    def pids(self) -> dict[str, int]:
        """Return the processes of the services, as recorded."""
        return cast("dict[str, int]", (find(self.data_dir) or {"services": {}})["services"])

    def fork_server(self) -> int:
        """The process that the services were forked from."""
        stat = Path(f"/proc/{self.pids()['api']}/stat").read_text(encoding="utf-8")
        return int(stat.rpartition(")")[2].split()[1])


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


def test_it_says_when_it_is_ready_and_stops_everything_on_ctrl_c(federation: Federation) -> None:
    with federation.running() as runner:
        assert "orchestrator" in runner.expect("Starting 5 services")
        runner.expect(f"http://127.0.0.1:{federation.ports['orchestrator']}")
        runner.expect("Degraded: browser: Chromium is missing.")
        runner.expect("Model: none.")
        pids = federation.pids()
        assert all(lives(pid) for pid in pids.values())
        runner.process.send_signal(signal.SIGINT)
        assert runner.end() == 0
        assert not [pid for pid in pids.values() if lives(pid)]
        assert (federation.data_dir / "federation.json").read_text(encoding="utf-8") == ""


def test_services_can_log_though_the_error_output_is_closed(federation: Federation) -> None:
    federation.program("api", "import sys\n" + _SERVE.replace("serve(", "sys.stderr.write('begun\\n'); serve("))
    with federation.running(shell="2>&-") as runner:
        runner.expect("Ready after")
    assert "starting it again" not in runner.text
    assert "begun" in (federation.data_dir / "logs" / "api.log").read_text(encoding="utf-8")


def test_it_starts_at_a_terminal_whose_encoding_lacks_a_character(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    with federation.running() as runner:
        runner.expect("Ready after")


def test_a_service_that_dies_is_started_again_and_said(federation: Federation) -> None:
    with federation.running() as runner:
        runner.expect("Model: none.")
        killed = federation.pids()["api"]
        os.kill(killed, signal.SIGKILL)
        assert "killed by SIGKILL" in runner.expect("api stopped")
        poll(lambda: federation.pids()["api"] not in {killed, None})


def test_services_are_started_again_when_what_forks_them_is_killed(federation: Federation) -> None:
    with federation.running() as runner:
        runner.expect("Model: none.")
        before = federation.pids()
        forks = federation.fork_server()
        os.kill(forks, signal.SIGKILL)
        for name in _NAMES:
            runner.expect(f"{name} stopped (killed by SIGKILL)")
        poll(lambda: all(pid not in {before[name], None} for name, pid in federation.pids().items()))
        assert not [pid for pid in before.values() if lives(pid)]
        assert federation.fork_server() != forks


def test_a_service_that_cannot_be_forked_is_tried_again_and_the_others_go_on(
    federation: Federation, tmp_path: Path
) -> None:
    full = tmp_path / "full"
    federation.program("api", _FORKS_WHILE_THERE_IS_ROOM.replace("FULL", str(full)) + _SERVE)
    with federation.running() as runner:
        runner.expect("Ready after")
        before = federation.pids()
        full.touch()
        os.kill(before["api"], signal.SIGKILL)
        runner.expect("api stopped (exit code 71: it cannot be forked: Resource temporarily unavailable)")
        full.unlink()
        poll(lambda: federation.pids()["api"] not in {None, before["api"]})
        after = federation.pids()
        assert lives(after["api"])
        assert {**before, "api": after["api"]} == after


def test_services_show_their_names_where_processes_are_listed(federation: Federation) -> None:
    with federation.running() as runner:
        runner.expect("Model: none.")
        names = {name: Path(f"/proc/{pid}/comm").read_text(encoding="utf-8") for name, pid in federation.pids().items()}
    assert names == {name: f"{name}\n" for name in _NAMES}


def test_a_taken_port_is_one_line_with_the_port_and_its_setting(federation: Federation) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", federation.ports["browser"]))
        other.listen()
        with federation.running() as runner:
            assert runner.end() == 1
    assert len(runner.lines) == 1
    assert f"Port {federation.ports['browser']} (browser) is taken" in runner.text
    assert "BROWSER_PORT" in runner.text


def test_one_port_for_two_services_is_said_before_anything_starts(federation: Federation) -> None:
    federation.ports["code"] = federation.ports["api"]
    with federation.running() as runner:
        assert runner.end() == 1
    assert "API_PORT and CODE_PORT are both" in runner.text


def test_a_second_start_on_the_same_data_says_where_the_first_runs(federation: Federation) -> None:
    with federation.running() as first:
        first.expect("Model: none.")
        with federation.running() as second:
            assert second.end() == 1
        assert f"already running at http://127.0.0.1:{federation.ports['orchestrator']}" in second.text


def test_killing_the_runner_leaves_no_process_and_the_next_start_works(federation: Federation) -> None:
    with federation.running() as runner:
        runner.expect("Model: none.")
        pids = [*federation.pids().values(), federation.fork_server()]
        runner.process.kill()
    with federation.running() as again:
        again.expect("Model: none.")
        assert not [pid for pid in pids if lives(pid)]


def test_a_service_that_ignores_the_stop_is_killed_with_its_children(federation: Federation) -> None:
    federation.program("code", _SERVE.replace("{port}", "{port}, stubborn=True"))
    with federation.running(grace_s=0.5, verbose=True) as runner:
        child = int(runner.expect("code: child").split()[-1])
        runner.expect("Model: none.")
        stubborn = federation.pids()["code"]
        runner.process.send_signal(signal.SIGINT)
        assert runner.end() == 0
        poll(lambda: not lives(stubborn) and not lives(child))


def test_a_stubborn_service_does_not_outlive_a_killed_runner(federation: Federation) -> None:
    federation.program("code", _SERVE.replace("{port}", "{port}, stubborn=True"))
    with federation.running(grace_s=0.5, verbose=True) as runner:
        child = int(runner.expect("code: child").split()[-1])
        runner.expect("Model: none.")
        stubborn = federation.pids()["code"]
        runner.process.kill()
        poll(lambda: not lives(stubborn) and not lives(child))


def test_a_service_that_never_starts_ends_the_run_with_its_reason(federation: Federation) -> None:
    federation.program("research", "def main(): raise SystemExit('LLM_MODEL is wrong')\n")
    with federation.running() as runner:
        assert runner.end() == 1
    assert "research does not start (exit code 1: LLM_MODEL is wrong)" in runner.text
    assert "research.log" in runner.text


def test_a_service_that_another_start_cannot_help_ends_the_run_at_once_and_its_reason_is_said_once(
    federation: Federation,
) -> None:
    said = '{{"level": "error", "message": "LLM_MODEL is wrong"}}'
    federation.program("research", f"def main():\n    print('{said}')\n    raise SystemExit({os.EX_CONFIG})\n")
    with federation.running() as runner:
        assert runner.end() == 1
    assert runner.text.count("LLM_MODEL is wrong") == 1
    assert "starting it again" not in runner.text
    assert "research does not start (exit code 78)" in runner.text


def test_a_service_whose_code_does_not_load_ends_the_run_with_its_reason(federation: Federation) -> None:
    federation.program("research", "import what_is_not_there\n")
    with federation.running() as runner:
        assert runner.end() == 1
    assert "research does not start (exit code 1: ModuleNotFoundError: No module named" in runner.text


def test_ctrl_c_while_the_code_still_loads_ends_everything_at_once(federation: Federation, tmp_path: Path) -> None:
    loading = tmp_path / "loading"
    federation.program(
        "code",
        f"import os, pathlib, signal\npathlib.Path({str(loading)!r}).write_text(str(os.getpid()))\n"
        "signal.sigwait({{signal.SIGUSR1}})\n",
    )
    with federation.running(grace_s=600.0) as runner:
        poll(lambda: loading.exists() and loading.read_text(encoding="utf-8"))
        runner.process.send_signal(signal.SIGINT)
        assert runner.end() == 0
        assert not lives(int(loading.read_text(encoding="utf-8")))


def test_a_service_that_is_stopped_while_it_starts_is_not_shown_as_one_that_failed(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation.program("api", "from api_agent_service.main import main\n")
    monkeypatch.setenv("API_AGENT_PORT", str(federation.ports["api"]))
    monkeypatch.setenv("DATABASE_URL", f"postgresql://someone@127.0.0.1:{free_ports(1)[0]}/x")
    monkeypatch.setenv("DATA_DIR", str(federation.data_dir))
    with federation.running() as runner:
        runner.expect("the service waits for its database")
        runner.process.send_signal(signal.SIGINT)
        assert runner.end() == 0
    assert "api: error" not in runner.text
    assert "told to stop before it was up" in (federation.data_dir / "logs" / "api.log").read_text(encoding="utf-8")


def test_the_code_of_the_services_starts_no_thread_when_it_is_loaded() -> None:
    program = f"import importlib\nfor name in {[*MODULES.values()]!r}: importlib.import_module(name)\n"
    program += "print(open('/proc/self/status').read())"
    status = subprocess.run(python("-c", program), cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "\nThreads:\t1\n" in status  # a fork has only the thread that forks


def test_an_attached_run_ends_with_the_one_who_started_it(federation: Federation) -> None:
    with federation.running(stdin=subprocess.PIPE) as runner:
        runner.expect("Model: none.")
        pids = federation.pids()
        assert runner.process.stdin
        runner.process.stdin.close()
        assert runner.end() == 0
        assert not [pid for pid in pids.values() if lives(pid)]


def test_everything_goes_to_the_log_and_warnings_to_the_terminal(federation: Federation) -> None:
    with federation.running() as runner:
        runner.expect("api: warning: it is small")
        runner.expect("Model: none.")
    assert '"it is small"' in (federation.data_dir / "logs" / "api.log").read_text(encoding="utf-8")


def test_ctrl_c_while_ports_are_waited_for_ends_it_without_a_traceback(federation: Federation) -> None:
    federation.data_dir.mkdir()
    (federation.data_dir / "federation.json").write_text('{"pid": 1}\n', encoding="utf-8")  # as a crash leaves it
    with socket.create_server(("127.0.0.1", federation.ports["browser"])), federation.running(grace_s=600.0) as runner:
        runner.expect("Waiting for what the last run left")
        runner.process.send_signal(signal.SIGINT)
        assert runner.end() == -signal.SIGINT
    assert len(runner.lines) == 1


def test_the_federation_goes_on_when_there_is_no_room_for_a_log_and_says_so_once(federation: Federation) -> None:
    logs = federation.data_dir / "logs"
    logs.mkdir(parents=True)
    (logs / "api.log").symlink_to("/dev/full")
    with federation.running() as runner:
        runner.expect("Model: none.")
        os.kill(federation.pids()["api"], signal.SIGKILL)  # the next one writes to its log, too
        runner.expect("api stopped")
        runner.expect("api: warning: it is small")
        runner.process.send_signal(signal.SIGINT)
        assert runner.end() == 0
    said = [line for line in runner.lines if "api.log cannot be written (No space left on device)" in line]
    assert len(said) == 1


def test_the_federation_goes_on_when_no_file_can_grow_any_more(federation: Federation) -> None:
    with federation.running() as runner:
        runner.expect("Model: none.")
        before = federation.pids()["api"]
        resource.prlimit(runner.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        os.kill(before, signal.SIGKILL)
        runner.expect("api stopped")
        runner.expect(f"What runs cannot be kept in DATA_DIR {federation.data_dir} (File too large); it goes on.")
        runner.expect("api: warning: it is small")
        resource.prlimit(runner.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        os.kill(federation.pids()["code"], signal.SIGKILL)
        poll(lambda: federation.pids()["api"] not in {None, before})
        runner.process.send_signal(signal.SIGINT)
        assert runner.end() == 0


def test_a_log_that_was_deleted_is_begun_anew_when_it_has_grown(tmp_path: Path) -> None:
    log = ServiceLog(tmp_path / "api.log", "api", print, verbose=False)
    log.write(b"x" * 20_000_001)
    log.path.unlink()
    log.write(b"after\n")
    log.close()
    assert log.path.read_bytes() == b"after\n"


def test_a_data_dir_that_cannot_be_written_is_said(federation: Federation) -> None:
    federation.data_dir.write_text("a file", encoding="utf-8")
    with federation.running() as runner:
        assert runner.end() == 1
    assert "cannot be used" in runner.text
    assert "DATA_DIR" in runner.text
