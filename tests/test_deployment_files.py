"""What set-up, CI and containers are made of, checked without running a container."""

import os
import re
import shutil
import subprocess
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from federation.services import MODULES, SETTINGS
from shared.settings import PORT_SETTINGS, ServiceName

_ROOT = Path(__file__).resolve().parents[1]
_NOT_SETTINGS = {"HOME"}
_NAMES = [setting.upper() for kind in SETTINGS.values() for setting in kind.model_fields]

Json = dict[str, Any]


def read(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave only what the settings declare: these files are compared with that."""
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def compose() -> Json:
    return yaml.safe_load(read("docker-compose.yml"))


@pytest.mark.parametrize("name", MODULES)
def test_each_service_is_started_by_its_own_program_and_watched(compose: Json, name: ServiceName) -> None:
    service = compose["services"][name]
    module = MODULES[name]
    assert service["command"] == ["python", "-m", module]
    assert find_spec(module) is not None
    port = SETTINGS[name](_env_file=None).port_of(name)  # pyright: ignore[reportCallIssue]
    assert service["healthcheck"]["test"][:4] == ["CMD", "python", "-m", "federation.probe"]
    assert urlsplit(str(service["healthcheck"]["test"][4])).port == port
    assert service["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", MODULES)
def test_every_variable_of_a_service_is_a_setting_and_takes_its_value(compose: Json, name: ServiceName) -> None:
    given = {key: _fill(str(value)) for key, value in compose["services"][name]["environment"].items()}
    assert set(given) - _NOT_SETTINGS <= set(_NAMES)
    settings = SETTINGS[name](
        _env_file=None,  # pyright: ignore[reportCallIssue]
        **{key.lower(): value for key, value in given.items() if value and key not in _NOT_SETTINGS},
    )
    for other in MODULES:
        assert settings.url_of(other) == f"http://{other}:{settings.port_of(other)}"
    assert settings.federation_host == "0.0.0.0"


@pytest.mark.parametrize("name", MODULES)
def test_what_is_set_for_the_federation_is_set_for_every_service(compose: Json, name: ServiceName) -> None:
    service = compose["services"][name]
    assert [entry["path"] for entry in service["env_file"]] == [".env"]
    ports = set(PORT_SETTINGS.values())
    places = {"FEDERATION_HOST", "DATA_DIR", "DATABASE_URL", *ports, *(port.replace("PORT", "URL") for port in ports)}
    own = {key for key, value in service["environment"].items() if f"${{{key}" not in str(value)}
    assert own - _NOT_SETTINGS == places


def _fill(value: str) -> str:
    """Return the value as compose fills it in where nothing but the required variables is set."""
    return re.sub(r"\$\{\w+(?::-([^}]*)|:\?[^}]*)\}", lambda found: found[1] or "", value)


def test_only_the_orchestrator_is_reachable_and_only_from_this_machine(compose: Json) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert list(published) == ["orchestrator"]
    assert all(port.startswith("127.0.0.1:") for port in published["orchestrator"])


def test_images_and_volumes_are_named_and_the_password_is_asked_for(compose: Json) -> None:
    assert set(compose["services"]) == {"postgres", *MODULES}
    for service in compose["services"].values():
        assert re.search(r":[\w.-]*\d", service["image"]), service["image"]
        assert not service["image"].endswith(":latest")
        named = [volume.split(":")[0] for volume in service["volumes"] if not volume.startswith(".")]
        assert set(named) <= set(compose["volumes"])
        assert service["healthcheck"]["test"]
    assert "${POSTGRES_PASSWORD:?" in compose["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"]


def test_the_image_holds_every_package_and_runs_as_nobody_special() -> None:
    dockerfile = read("deploy/Dockerfile")
    assert re.search(r"^FROM python:3\.\d+\.\d+-slim", dockerfile, re.MULTILINE)
    for package in {module.split(".")[0] for module in MODULES.values()} | {"shared", "federation"}:
        assert f"COPY {package} {package}\n" in dockerfile
        assert f"!{package}\n" in read("deploy/Dockerfile.dockerignore")
    assert "--require-hashes" in dockerfile
    assert dockerfile.index("USER federation") < dockerfile.index("CMD")


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_version_and_hashes_and_no_address(lock: str) -> None:
    text = read(lock)
    assert "://" not in text
    blocks = re.findall(r"^([a-z0-9][\w.-]*)(\S*)((?: [^\n]*)?(?:\n    --hash=\S+(?: \\)?)*)", text, re.MULTILINE)
    assert len(blocks) > 20
    for name, version, rest in blocks:
        assert version.startswith("=="), name
        assert "--hash=sha256:" in rest, name


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    for lock, wanted in (
        ("requirements.lock", project["project"]["dependencies"]),
        ("requirements-dev.lock", project["dependency-groups"]["dev"]),
    ):
        locked = set(re.findall(r"^([a-z0-9][\w.-]*)==", read(lock), re.MULTILINE))
        names = {re.split(r"[\[<>=!~; ]", need)[0].lower().replace("_", "-") for need in wanted}
        assert names <= locked, f"{lock}: run `make lock`"


def test_ci_runs_the_tests_and_the_checks_and_fails_when_one_does(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(_ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    for failing, code in (("test", 1), ("lint", 1), ("neither", 0)):
        makefile = "".join(
            f"{goal}:\n\t@echo ran {goal}{'; false' if goal == failing else ''}\n" for goal in ("test", "lint")
        )
        (tmp_path / "Makefile").write_text(makefile, encoding="utf-8")
        run = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == code
        assert "ran test" in run.stdout
        assert "ran lint" in run.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The Makefile in a folder where set-up does nothing and `federation` prints its arguments."""
    shutil.copy(_ROOT / "Makefile", tmp_path / "Makefile")
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "setup.py").write_text("", encoding="utf-8")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    program = tmp_path / ".venv" / "bin" / "federation"
    program.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def make(folder: Path, *arguments: str, **variables: str) -> str:
    env = {key: value for key, value in os.environ.items() if key not in {"TASK", "MAKEFLAGS", "MAKELEVEL"}} | variables
    run = subprocess.run(["make", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return run.stdout


def test_make_run_starts_everything_or_runs_one_task(copy: Path) -> None:
    assert make(copy, "run") == "<up>"
    assert make(copy, "run", "TASK=do it") == "<run><--start><--><do it>"


@pytest.mark.parametrize(
    "task",
    [
        'it\'s "quoted" and costs $5 or $$5',
        "$(shell touch made) `touch made` ${HOME} $HOME; touch made & | > made #",
        "--help",
        "one\ntwo \\ three",
        "100 % Größe ✓ = *",
    ],
)
def test_a_task_reaches_the_command_as_it_was_typed(copy: Path, task: str) -> None:
    assert make(copy, "run", f"TASK={task}") == f"<run><--start><--><{task}>"
    assert make(copy, "run", TASK=task) == f"<run><--start><--><{task}>"
    assert not (copy / "made").exists()


def test_without_a_python_it_says_which_one_is_needed(copy: Path) -> None:
    run = subprocess.run(
        ["make", "PYTHON=", "run"], cwd=copy, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert run.returncode != 0
    assert "No Python 3.11 or newer found" in run.stderr
