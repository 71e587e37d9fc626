"""Installs the frameworks of others, each as its lock says, in an environment of its own: `python -m … [--lock]`.

`--lock` resolves the pinned requirements anew (needs uv and npm). What is installed as locked is left alone.
"""

import argparse
import shutil
import subprocess
import sys

from tests.interop.environments import FRAMEWORKS, PEERS, Framework

_INSTALL_S = 900.0


def main() -> int:
    """Install what is missing. Returns the exit code: 1 when a framework could not be installed."""
    parser = argparse.ArgumentParser(description="Install the frameworks that the interoperability tests use.")
    parser.add_argument("--lock", action="store_true", help="resolve the requirements of each framework anew")
    if parser.parse_args().lock:
        for framework in FRAMEWORKS:
            _lock(framework)
    failed = [framework.package for framework in FRAMEWORKS if not _install(framework)]
    if failed:
        sys.stderr.write(f"Not installed: {', '.join(failed)}.\n")
    return 1 if failed else 0


def _install(framework: Framework) -> bool:
    if framework.is_installed():
        return True
    if framework.environment.exists():
        shutil.rmtree(framework.environment)
    sys.stdout.write(f"Installing {framework.package} {framework.version()} …\n")
    try:
        _install_python(framework) if framework.is_python else _install_node(framework)
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{framework.package}: {error}\n")
        return False
    framework.mark.write_text(framework.digest(), encoding="utf-8")
    return True


def _install_python(framework: Framework) -> None:
    folder, locked = str(framework.environment), ["--require-hashes", "-r", str(framework.lock)]
    python = f"{folder}/bin/python"
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--python", sys.executable, folder])
        _run([uv, "pip", "install", "--quiet", "--python", python, *locked])
    else:
        _run([sys.executable, "-m", "venv", folder])
        _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *locked])


def _install_node(framework: Framework) -> None:
    framework.environment.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PEERS / framework.folder / name, framework.environment)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=str(framework.environment))


def _lock(framework: Framework) -> None:
    folder = str(PEERS / framework.folder)
    if not framework.is_python:
        options = ["--package-lock-only", "--omit-lockfile-registry-resolved", "--ignore-scripts", "--no-audit"]
        _run(["npm", "install", *options], cwd=folder)
        return
    resolved = ["--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--upgrade"]
    hidden = [
        "--no-emit-index-url",
        "--no-emit-find-links",
        "--custom-compile-command",
        "python -m tests.interop.prepare --lock",
    ]
    _run(["uv", "pip", "compile", *resolved, *hidden, "requirements.in", "-o", "requirements.lock"], cwd=folder)


def _run(command: list[str], cwd: str | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, timeout=_INSTALL_S)


if __name__ == "__main__":
    sys.exit(main())
