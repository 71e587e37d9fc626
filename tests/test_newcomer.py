"""What a newcomer's first command does: set-up, said step by step; which model is used; logs for people."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from federation.up import describe_model
from shared.settings import FederationSettings

_ROOT = Path(__file__).resolve().parents[1]
_LOCKS = ("requirements.lock", "requirements-dev.lock")

_PYTHON = """\
#!/bin/sh
case "$*" in
  *"playwright install"*) echo "python: playwright install" >> "$LOG"; exit 1;;
  *chromium.find*) echo "$CHROMIUM";;
esac
"""
_UV = """\
#!/bin/sh
echo "uv $*" >> "$LOG"
case "$*" in
  venv*) for folder; do :; done; /bin/mkdir -p "$folder/bin"
    /bin/cp "$PROGRAMS/fake-python" "$folder/bin/python";;
  *broken.lock*) echo "No matching distribution"; exit 1;;
  *--editable*) : > .venv/bin/federation;;
esac
"""


class Folder:
    """A copy of what set-up reads, on a machine that has only what is put into `programs`. Nothing is installed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "project"
        self.programs = folder / "programs"
        self.log = folder / "log"
        (self.path / "deploy").mkdir(parents=True)
        self.programs.mkdir()
        setup = (_ROOT / "deploy" / "setup.py").read_text(encoding="utf-8")
        (self.path / "deploy" / "setup.py").write_text(setup, encoding="utf-8")
        for name in (*_LOCKS, "pyproject.toml"):
            (self.path / name).write_text(f"{name} 1", encoding="utf-8")
        self.add("uv", _UV)
        self.add("fake-python", _PYTHON)

    def add(self, name: str, script: str = "#!/bin/sh\n") -> Path:
        """Add a program to the machine."""
        program = self.programs / name
        program.write_text(script, encoding="utf-8")
        program.chmod(0o755)
        return program

    def set_up(self, *options: str, **env: str) -> tuple[int, str, list[str]]:
        """Run set-up; returns its exit code, what it said, and what it did."""
        self.log.write_text("", encoding="utf-8")
        run = subprocess.run(
            [sys.executable, str(self.path / "deploy" / "setup.py"), *options],
            env={"PATH": str(self.programs), "PROGRAMS": str(self.programs), "LOG": str(self.log), **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return run.returncode, run.stderr, self.log.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_set_up_installs_what_is_locked_once_and_again_when_the_lock_changes(folder: Folder) -> None:
    env = {"CHROMIUM": str(folder.add("chromium"))}
    folder.add("bwrap")
    code, said, done = folder.set_up(**env)
    assert code == 0, said
    assert [line.split()[1] for line in done] == ["venv", "pip", "pip"]
    assert "--require-hashes" in done[1]
    assert done[1].endswith("requirements.lock")
    assert "--no-deps" in done[2]
    assert "Installing the packages" in said
    assert folder.set_up(**env) == (0, "", [])

    (folder.path / "requirements.lock").write_text("requirements.lock 2", encoding="utf-8")
    assert [line.split()[-1].rsplit("/")[-1] for line in folder.set_up(**env)[2]] == ["requirements.lock"]
    _, _, done = folder.set_up("--dev", **env)
    assert [line.split()[-1].rsplit("/")[-1] for line in done] == ["requirements-dev.lock"]


def test_what_cannot_be_installed_is_said_with_what_to_do_and_tried_again_only_when_asked(folder: Folder) -> None:
    code, said, done = folder.set_up()
    assert code == 0
    assert done[-1] == "python: playwright install"
    assert "No Chromium: the browser service starts degraded. Install Chromium" in said
    assert "No bubblewrap: the code agent will refuse to run code. Install it" in said
    assert folder.set_up() == (0, "", [])
    assert folder.set_up("--again")[2] == ["python: playwright install"]


def test_a_set_up_that_fails_says_why_and_the_next_one_goes_on(folder: Folder) -> None:
    env = {"CHROMIUM": str(folder.add("chromium"))}
    folder.add("bwrap")
    working = folder.programs / "uv"
    text = working.read_text(encoding="utf-8")
    folder.add("uv", text.replace("broken.lock", "requirements.lock"))
    code, said, _ = folder.set_up(**env)
    assert code == 1
    assert "Set-up failed." in said
    assert "No matching distribution" in said
    assert "Traceback" not in said
    folder.add("uv", text)
    code, _, done = folder.set_up(**env)
    assert code == 0
    assert "venv" not in done[0].split()[1]


_NPM = """\
#!/bin/sh
echo "npm $1 $2" >> "$LOG"
case "$1" in
  ci) /bin/mkdir -p "$WEB/node_modules";;
  run) case "$BROKEN" in yes) echo "src/main.tsx is broken"; exit 1;; esac
    /bin/mkdir -p "$WEB/../orchestrator_service/web_dist"
    : > "$WEB/../orchestrator_service/web_dist/index.html";;
esac
"""


def _with_web(folder: Folder) -> dict[str, str]:
    folder.add("bwrap")
    web = folder.path / "web"
    (web / "src").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "src/main.tsx"):
        (web / name).write_text(name, encoding="utf-8")
    return {"CHROMIUM": str(folder.add("chromium")), "WEB": str(web)}


def test_the_web_ui_is_built_once_and_again_when_its_sources_change(folder: Folder) -> None:
    env = _with_web(folder)
    folder.add("node")
    folder.add("npm", _NPM)
    code, said, done = folder.set_up(**env)
    assert code == 0, said
    assert done[-2:] == ["npm ci --prefix", "npm run build"]
    assert "Building the web UI" in said
    assert folder.set_up(**env) == (0, "", [])
    (folder.path / "web" / "src" / "main.tsx").write_text("other", encoding="utf-8")
    assert folder.set_up(**env)[2] == ["npm run build"]
    (folder.path / "orchestrator_service" / "web_dist" / "index.html").unlink()
    assert folder.set_up(**env)[2] == ["npm run build"]


def test_a_web_ui_that_cannot_be_built_does_not_stop_set_up(folder: Folder) -> None:
    env = {**_with_web(folder), "BROKEN": "yes"}
    folder.add("node")
    folder.add("npm", _NPM)
    code, said, _ = folder.set_up(**env)
    assert code == 0
    assert "src/main.tsx is broken" in said
    assert "`make ui` tries again" in said
    assert folder.set_up(**env) == (0, "", [])
    assert folder.set_up("--ui", "--again", **env)[0] == 1


def test_without_node_set_up_says_how_to_get_the_web_ui(folder: Folder) -> None:
    env = _with_web(folder)
    code, said, _ = folder.set_up(**env)
    assert code == 0
    assert "No Node.js 20: the web UI is not built" in said
    assert folder.set_up(**env) == (0, "", [])
    folder.add("node")
    folder.add("npm", _NPM)
    assert folder.set_up(**env)[2] == ["npm ci --prefix", "npm run build"]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "No model: rules and extraction; set OPENAI_API_KEY, GROQ_API_KEY or LLM_BASE_URL."),
        ({"openai_api_key": "sk-1", "llm_model": "big"}, "Model: big (openai)."),
        ({"groq_api_key": "gsk-1", "llm_model": "quick"}, "Model: quick (groq)."),
        (
            {"llm_base_url": "http://127.0.0.1:11434/v1", "llm_model": "tiny"},
            "Model: tiny (http://127.0.0.1:11434/v1).",
        ),
    ],
)
def test_it_is_said_in_one_line_which_model_is_used(settings: dict[str, str], line: str) -> None:
    unset = dict.fromkeys(("llm_provider", "llm_model", "llm_base_url", "openai_api_key", "groq_api_key"))
    said = describe_model(FederationSettings.model_validate({**unset, **settings}))
    assert said.startswith(line)
    assert "\n" not in said


def test_logs_are_readable_text_on_a_terminal() -> None:
    program = (
        "import logging; from shared import telemetry; from shared.settings import FederationSettings\n"
        "telemetry.configure(FederationSettings(), 'code')\n"
        "with telemetry.bind(task_id='T1'): logging.getLogger('x').info('program ended', extra={'exit_code': 0})"
    )
    ours, theirs = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", program], stderr=theirs, cwd=_ROOT, check=True, timeout=60)
        said = os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "INFO    code         program ended task_id=T1 exit_code=0" in said
    assert "{" not in said
