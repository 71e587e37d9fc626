"""Prepares this folder to run: virtual environment, locked packages, Chromium, bubblewrap, the web UI.

Needs a Python 3.11 and nothing else; `make run` and `make test` call it. What is already there is left alone, so it
ends at once the second time. `--dev` adds what the tests need, `--again` repeats what failed on this machine before.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STATE = ENVIRONMENT / "setup.json"
WEB = ROOT / "web"
WEB_BUILD = ROOT / "orchestrator_service" / "web_dist"
NODE_VERSION = 20
PLAYWRIGHT_TIMEOUT_S = 600.0
INSTALL_TIMEOUT_S = 1800.0
NEWS_EVERY_S = 15.0
_FIND_CHROMIUM = """
from browser_service import chromium, settings
found = chromium.find(settings.Settings())
print(found.path if found else "")
"""

State = dict[str, str]


class SetupFailedError(Exception):
    """Set-up cannot go on; the text says what to do."""


def main() -> int:
    """Prepare everything that is missing. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Prepare this folder to run the federation.")
    parser.add_argument("--dev", action="store_true", help="also install what the tests and checks need")
    parser.add_argument("--ui", action="store_true", help="build the web UI, and say why if that cannot be done")
    parser.add_argument("--again", action="store_true", help="try again what could not be installed before")
    options = parser.parse_args()
    try:
        with _only_one():
            _prepare(dev=options.dev, again=options.again)
            if options.ui and not (WEB_BUILD / "index.html").is_file():
                raise SetupFailedError(f"The web UI needs Node.js {NODE_VERSION} or newer, with npm, to be built.")
    except SetupFailedError as error:
        _say(f"Set-up failed. {error}")
        return 1
    except KeyboardInterrupt:
        _say("Set-up interrupted; the next run goes on from here.")
        return 130
    return 0


def _prepare(*, dev: bool, again: bool) -> None:
    state = _ensure_environment()
    before = dict(state)
    try:
        _ensure_locked("requirements.lock", state)
        if dev:
            _ensure_locked("requirements-dev.lock", state)
        _ensure_project(state)
        _ensure_chromium(state, again=again)
        _ensure_bubblewrap(state, again=again)
        _ensure_web_ui(state, again=again)
    finally:
        if state != before:
            unfinished = STATE.with_suffix(".new")
            unfinished.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
            unfinished.replace(STATE)


@contextmanager
def _only_one() -> Generator[None]:
    """Let one set-up of this folder run at a time; the others wait."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Another set-up of this folder is running; waiting for it …")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _ensure_environment() -> State:
    """Make `.venv` unless a usable one is there, and return what set-up knows about it."""
    if PYTHON.exists() and _succeeds([str(PYTHON), "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]):
        state = _read_state()
        if state.get("folder", str(ROOT)) == str(ROOT):
            return state
    if ENVIRONMENT.exists() or ENVIRONMENT.is_symlink():
        _say("The virtual environment .venv was made elsewhere or no longer works; making it anew.")
        if ENVIRONMENT.is_symlink():
            ENVIRONMENT.unlink()
        else:
            shutil.rmtree(ENVIRONMENT)
    if uv := shutil.which("uv"):
        _run(
            "Making the virtual environment .venv with uv",
            [uv, "venv", "--quiet", "--python", sys.executable, str(ENVIRONMENT)],
        )
    else:
        if not _has_ensurepip():
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            if not _apt_install(f"python{version}-venv") or not _has_ensurepip():
                raise SetupFailedError(
                    f"Python {version} here cannot make virtual environments. Install its venv module "
                    f"(Debian, Ubuntu: apt install python{version}-venv) or uv, then try again."
                )
        _run("Making the virtual environment .venv", [sys.executable, "-m", "venv", str(ENVIRONMENT)])
    return {"folder": str(ROOT)}


def _has_ensurepip() -> bool:
    return _succeeds([sys.executable, "-c", "import ensurepip, venv"])


def _ensure_locked(lock: str, state: State) -> None:
    """Install exactly what `lock` lists, each file checked against its hash."""
    digest = hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()
    if state.get(lock) == digest:
        return
    label = "Installing the packages that the tests need" if "dev" in lock else "Installing the packages"
    _run(label, [*_installer(), "install", *_target(), "--require-hashes", "-r", str(ROOT / lock)])
    state[lock] = digest


def _ensure_project(state: State) -> None:
    """Install the project itself so that its code is used from where it stands."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if state.get("project") == digest and (ENVIRONMENT / "bin" / "federation").exists():
        return
    how = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    _run("Installing the command .venv/bin/federation", [*_installer(), "install", *_target(), *how])
    state["project"] = digest


def _installer() -> list[str]:
    if uv := shutil.which("uv"):
        return [uv, "pip"]
    if not _succeeds([str(PYTHON), "-m", "pip", "--version"]):
        _run("Adding pip to .venv", [str(PYTHON), "-m", "ensurepip"])
    return [str(PYTHON), "-m", "pip", "--no-input", "--disable-pip-version-check"]


def _target() -> list[str]:
    return ["--python", str(PYTHON)] if shutil.which("uv") else []


def _ensure_chromium(state: State, *, again: bool) -> None:
    """Find Chromium or install it: Playwright's own, then Debian's. Without it the browser service starts degraded."""
    known = state.get("chromium", "")
    if not again and known and (known == "missing" or Path(known).exists()):
        return
    drives = _ensure_driver()
    found = _find_chromium()
    if not found and drives:
        playwright = [str(PYTHON), "-m", "playwright", "install", "--only-shell", "chromium"]
        _tries(
            "Installing Chromium with Playwright",
            [*playwright, "--with-deps"] if _may_apt() else playwright,
            PLAYWRIGHT_TIMEOUT_S,
        )
        found = _find_chromium()
    for package in ("chromium-headless-shell", "chromium"):
        if not found and _apt_install(package, "fonts-liberation"):
            found = _find_chromium()
    state["chromium"] = found or "missing"
    if not found:
        _say(
            "No Chromium: the browser service starts degraded. Install Chromium (Debian: apt install chromium) "
            "or set BROWSER_EXECUTABLE; `make setup AGAIN=1` tries again."
        )


def _ensure_driver() -> bool:
    """See that what drives Chromium starts: Playwright brings Node.js along, but not the library that this needs."""
    version = [str(PYTHON), "-m", "playwright", "--version"]
    if _succeeds(version) or (_apt_install("libatomic1") and _succeeds(version)):
        return True
    _say(
        "Playwright's driver does not start: the browser service starts degraded. Often a library is missing (Debian, "
        "Ubuntu: apt install libatomic1); `.venv/bin/playwright --version` says which."
    )
    return False


def _find_chromium() -> str:
    """Return the path of the Chromium that the browser service will use, or nothing."""
    asked = subprocess.run(  # noqa: S603 - our own interpreter, a fixed script
        [str(PYTHON), "-c", _FIND_CHROMIUM],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip()


def _ensure_bubblewrap(state: State, *, again: bool) -> None:
    """Find bubblewrap or install Debian's package. Without it no code is run."""
    if shutil.which("bwrap") or (state.get("bubblewrap") == "missing" and not again):
        return
    state["bubblewrap"] = "installed" if _apt_install("bubblewrap") else "missing"
    if state["bubblewrap"] == "missing":
        _say(
            "No bubblewrap: the code agent will refuse to run code. Install it (Debian, Ubuntu: apt install "
            "bubblewrap); `.venv/bin/federation doctor` says whether it works."
        )


def _ensure_web_ui(state: State, *, again: bool) -> None:
    """Build the web UI where Node.js is, unless it is built as its sources stand. Without it the API runs alone."""
    if not (WEB / "package.json").is_file():
        return
    sources = _digest_of_web()
    is_built = (WEB_BUILD / "index.html").is_file()
    failed = f"failed {sources}"
    if (state.get("web") == sources and is_built) or (state.get("web") == failed and not again):
        return
    npm = shutil.which("npm")
    if npm is None or not _has_node():
        if not is_built and state.get("web") != "missing":
            state["web"] = "missing"
            _say(
                f"No Node.js {NODE_VERSION}: the web UI is not built, the API runs without it. Install Node.js "
                "and npm, then run `make ui`."
            )
        return
    packages = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    works = True
    if state.get("web packages") != packages or not (WEB / "node_modules").is_dir():
        works = _tries("Installing the packages of the web UI", [npm, "ci", "--prefix", str(WEB), "--no-audit"])
        state["web packages"] = packages if works else ""
    works = works and _tries("Building the web UI", [npm, "run", "build", "--prefix", str(WEB)])
    state["web"] = sources if works else failed
    if not works:
        _say("The web UI is not built; the API runs without it. `make ui` tries again and says more.")


def _has_node() -> bool:
    test = f"process.exit(process.versions.node.split('.')[0] < {NODE_VERSION} ? 1 : 0)"
    return shutil.which("node") is not None and _succeeds(["node", "-e", test])


def _digest_of_web() -> str:
    """Return a hash of all that the build is made of."""
    digest = hashlib.sha256()
    top = ("package-lock.json", "vite.config.ts", "index.html")
    folders = (WEB / "src", WEB / "public")
    for path in sorted([*(WEB / name for name in top), *(path for folder in folders for path in folder.rglob("*"))]):
        if path.is_file():
            digest.update(str(path.relative_to(WEB)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _may_apt() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _apt_install(*packages: str) -> bool:
    """Install Debian packages where that is allowed: as root, where apt-get is. Returns whether it worked."""
    if not _may_apt():
        return False
    names = " ".join(packages)
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "--yes", "--no-install-recommends", *packages]
    return _tries(f"Installing {names} with apt-get", command) or (
        _tries("Reading the lists of Debian packages", ["apt-get", "-o", "DPkg::Lock::Timeout=120", "update"])
        and _tries(f"Installing {names} with apt-get, again", command)
    )


def _tries(label: str, command: Sequence[str], timeout_s: float = INSTALL_TIMEOUT_S) -> bool:
    try:
        _run(label, command, timeout_s)
    except SetupFailedError as error:
        _say(f"  That did not work: {str(error).strip().splitlines()[-1][:200]}")
        return False
    return True


def _run(label: str, command: Sequence[str], timeout_s: float = INSTALL_TIMEOUT_S) -> None:
    """Run `command`, saying what is done and how long it takes. Raises: SetupFailedError with its last lines."""
    started = time.monotonic()
    lines: list[str] = []
    _say(f"{label} …")
    with subprocess.Popen(  # noqa: S603 - commands of this file, no shell
        command,
        cwd=ROOT,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NO_COLOR": "1", "PIP_PROGRESS_BAR": "off"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:

        def collect() -> None:
            lines.extend(line.strip() for line in process.stdout or () if line.strip())

        reader = threading.Thread(target=collect, daemon=True)
        reader.start()
        try:
            while (elapsed := time.monotonic() - started) < timeout_s:
                try:
                    process.wait(min(NEWS_EVERY_S, timeout_s - elapsed))
                    break
                except subprocess.TimeoutExpired:
                    _say(f"  {time.monotonic() - started:.0f} s: {lines[-1][:150] if lines else 'still at it'}")
        finally:
            if process.poll() is None:
                process.kill()
        reader.join(1)
    if process.returncode != 0:
        said = "\n".join(f"  {line}" for line in lines[-15:])
        raise SetupFailedError(f"`{' '.join(command[:6])} …` ended with {process.returncode}:\n{said}")
    if (elapsed := time.monotonic() - started) > 1:
        _say(f"  done in {elapsed:.0f} s")


def _succeeds(command: Sequence[str]) -> bool:
    quiet = subprocess.DEVNULL
    return subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, check=False).returncode == 0  # noqa: S603


def _read_state() -> State:
    try:
        return {**json.loads(STATE.read_text(encoding="utf-8"))}
    except (OSError, ValueError, TypeError):
        return {"folder": str(ROOT)}


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
