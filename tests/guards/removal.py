"""Turns off one guard after the other in a copy of the project, and sees whether the test that stands for it fails.

    .venv/bin/python -m tests.guards.removal [--only WORDS] [--jobs 2]

A guard whose test passes without it is not tested; the exit status is then 1.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from os import environ
from pathlib import Path
from typing import Final

from tests.guards.catalogue import GUARDS
from tests.guards.guard import Guard

ROOT: Final = Path(__file__).parents[2]

_COPIED: Final = (
    "a2a_agent_service",
    "agent_host_service",
    "api_agent_service",
    "browser_service",
    "code_agent_service",
    "federation",
    "orchestrator_service",
    "shared",
    "tests",
    "pyproject.toml",
)
_TEST_FAILED: Final = 1
_LONGEST_S: Final = 180


def main() -> int:
    """Try all guards, or those whose name has the words; print what happened."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="only guards whose name has this")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    guards = [guard for group in GUARDS.values() for guard in group if chosen.only in guard.name]
    with ThreadPoolExecutor(chosen.jobs) as pool:
        faults = [*chain(*pool.map(_try_all, (guards[first :: chosen.jobs] for first in range(chosen.jobs))))]
    _say(f"{len(guards) - len(faults)} of {len(guards)} guards are missed by their test when they are gone.")
    return 1 if faults else 0


def _try_all(guards: Sequence[Guard]) -> list[str]:
    faults: list[str] = []
    with copied() as copy:
        for guard in guards:
            fault = what_is_wrong(copy, [guard])
            _say(
                f"{'NOT MISSED' if fault else 'missed    '}  {guard.name}" + (f"\n            {fault}" if fault else "")
            )
            faults += [fault] if fault else []
    return faults


@contextmanager
def copied() -> Generator[Path]:
    """Lend a copy of the project."""
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        for name in _COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, Path(folder, name), ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, Path(folder, name))
        yield Path(folder)


def what_is_wrong(copy: Path, guards: Sequence[Guard]) -> str:
    """Return why turning these guards off proves nothing; nothing if each one's test fails without them."""
    before = {copy / guard.file: (copy / guard.file).read_text("utf-8") for guard in guards}
    try:
        for guard in guards:
            path = copy / guard.file
            content = path.read_text("utf-8")
            if content.count(guard.old) != 1:
                return f"{guard.file} has what turns it off {content.count(guard.old)} times"
            path.write_text(content.replace(guard.old, guard.new), "utf-8")
        ended = _test(copy, [guard.test for guard in guards])
    except subprocess.TimeoutExpired:
        return f"its test did not end within {_LONGEST_S} s"
    finally:
        for path, content in before.items():
            path.write_text(content, "utf-8")
    if ended.returncode != _TEST_FAILED:
        return f"pytest ended with {ended.returncode}: {ended.stdout[-400:]}{ended.stderr[-400:]}"
    passed = [guard.name for guard in guards if not _has_failed(guard, ended.stdout)]
    return f"passed without it: {', '.join(passed)}" if passed else ""


def _test(copy: Path, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    options = ["-q", "-p", "no:xdist", "-p", "no:randomly", "-p", "no:cacheprovider", "--timeout", "60"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *(f"tests/{test}" for test in tests), *options],
        cwd=copy,
        env={**environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": ""},
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )


def _has_failed(guard: Guard, output: str) -> bool:
    """Tell whether the short summary names the guard's test, or one of its cases."""
    return any(line.startswith(("FAILED ", "ERROR ")) and f"tests/{guard.test}" in line for line in output.splitlines())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
