"""The benchmarks run and print their tables. What they measure is no test's business: times differ by machine."""

import subprocess
import sys
from pathlib import Path

import pytest

_PROJECT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("script", "arguments", "tables"),
    [
        ("workloads", ["--only", "W1"], ["One task at a time", "Many at once", "What bounds it"]),
        ("watchers", [], ["Watchers by server-sent events"]),
        ("waiting", [], ["Tasks that wait for a person"]),
    ],
)
def test_a_benchmark_prints_its_tables(script: str, arguments: list[str], tables: list[str]) -> None:
    command = [sys.executable, str(_PROJECT / "benchmarks" / f"{script}.py"), "--quick", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    missing = [table for table in tables if f"\n{table}" not in run.stdout]
    assert not missing, run.stdout
