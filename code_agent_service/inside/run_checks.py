"""Looks over the Python files of the working folder with ruff and bandit; runs none of them.

Arguments: the report's name, and JSON `{"select": rules, "files": [...]}`. The report is JSON:
`{"ruff": [...], "bandit": [...], "problems": [str]}`, the findings in the tools' own form.
"""

import json
import subprocess
import sys
from typing import Any

_MAX_FINDINGS = 1000


def main() -> None:
    """Look over the files that are asked for."""
    target, task = sys.argv[1], json.loads(sys.argv[2])
    problems: list[str] = []
    ruff = _run(
        [
            *("ruff", "check", "--isolated", "--no-cache", "--quiet", "--exit-zero", "--output-format", "json"),
            *("--target-version", "py311", "--line-length", "120", "--select", task["select"], "--", *task["files"]),
        ],
        problems,
    )
    bandit = _run(
        [sys.executable, "-s", "-m", "bandit", "--quiet", "--exit-zero", "--format", "json", "--", *task["files"]],
        problems,
    )
    report: dict[str, Any] = {
        "ruff": (ruff or [])[:_MAX_FINDINGS],
        "bandit": (bandit or {"results": []})["results"][:_MAX_FINDINGS],
        "problems": problems,
    }
    with open(target, "w", encoding="utf-8") as file:
        json.dump(report, file)


def _run(command: list[str], problems: list[str]) -> Any:
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    try:
        return json.loads(ended.stdout)
    except ValueError:
        problems.append(f"{command[0]} failed: {ended.stderr[-500:]}")
        return None


if __name__ == "__main__":
    main()
