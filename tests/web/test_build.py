"""What the UI is made of: its types fit the API, its pure parts are right, its lock file names no host."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator_service import openapi_document

_WEB = Path(__file__).parents[2] / "web"


def test_the_types_are_those_of_the_api() -> None:
    """`make types` makes them anew."""
    first_line = (_WEB / "src" / "api" / "schema.ts").read_text(encoding="utf-8").split("\n", 1)[0]
    assert hashlib.sha256(openapi_document.text().encode()).hexdigest() in first_line, "Run `make types`."


def test_the_lock_file_names_no_host() -> None:
    lock = (_WEB / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert '"integrity": "sha512-' in lock


def test_the_page_loads_nothing_from_elsewhere() -> None:
    page = (_WEB / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["'](?!/)""", page)
    assert not re.search(r"<script(?![^>]*\ssrc=)", page)


@pytest.mark.slow
def test_the_pure_parts_of_the_ui() -> None:
    npx = shutil.which("npx")
    if npx is None or not (_WEB / "node_modules" / "vitest").is_dir():
        pytest.skip("The UI's packages are not installed: `make ui`.")
    ended = subprocess.run(
        [npx, "vitest", "run"],
        cwd=_WEB,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={**os.environ, "NO_COLOR": "1", "CI": "1"},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
