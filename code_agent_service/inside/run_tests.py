"""Runs pytest over the working folder and writes down what came of it, with the lines that were covered.

Arguments: the report's name, and JSON `{"paths": [...], "doctests": [...], "sources": [...]}`. The report is JSON:
`{"tests": [{name, outcome, message, duration_s}], "coverage": [{file, lines, covered, missing}], "problem": str}`.
"""

import contextlib
import json
import os
import sys

import coverage
import pytest

_MESSAGE_CHARS = 1500
_MAX_TESTS = 2000


class Watcher:
    """Notes how each test went, as a plugin of pytest. `tests` maps a test's id to what the report says of it."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, object]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a phase of a test; the worst one counts."""
        known = self.tests.setdefault(report.nodeid, {"name": report.nodeid, "outcome": "passed", "message": ""})
        known["duration_s"] = round(float(str(known.get("duration_s", 0.0))) + report.duration, 4)
        if report.failed:
            known["outcome"] = "failed" if report.when == "call" else "error"
            known["message"] = self._say(report)
        elif report.skipped and known["outcome"] == "passed":
            known["outcome"] = "skipped"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that could not be read."""
        if report.failed:
            message = self._say(report)
            self.tests[report.nodeid] = {"name": report.nodeid, "outcome": "error", "message": message, "duration_s": 0}

    def _say(self, report: pytest.TestReport | pytest.CollectReport) -> str:
        return report.longreprtext[-_MESSAGE_CHARS:]


def main() -> None:
    """Run the tests that are asked for."""
    folder = os.getcwd()
    target, task = os.path.join(folder, sys.argv[1]), json.loads(sys.argv[2])
    sys.path[:0] = [folder, os.path.join(folder, "src")]
    sys.argv = ["pytest"]
    watcher = Watcher()
    measured = coverage.Coverage(data_file=None, config_file=False, include=[os.path.join(folder, "*")])
    measured.start()
    problem = ""
    try:
        options = ["-q", "-c", os.devnull, "--rootdir", folder, "-p", "no:cacheprovider", "--color=no", "--tb=short"]
        options += ["--confcutdir", folder, "--continue-on-collection-errors"]
        doctests = ["--doctest-modules"] if task["doctests"] else []
        code = pytest.main([*options, *doctests, *task["paths"], *task["doctests"]], plugins=[watcher])
        if code == pytest.ExitCode.INTERNAL_ERROR:
            problem = "pytest itself failed"
    except (SystemExit, KeyboardInterrupt):  # a module that is imported may want to end the process
        problem = "the code ended the process while it was tested"
    finally:
        measured.stop()
    report = {
        "tests": list(watcher.tests.values())[:_MAX_TESTS],
        "coverage": [found for name in task["sources"] if (found := _cover(measured, folder, name))],
        "problem": problem,
    }
    with open(target, "w", encoding="utf-8") as file:
        json.dump(report, file)


def _cover(measured: coverage.Coverage, folder: str, name: str) -> dict[str, object] | None:
    with contextlib.suppress(coverage.CoverageException):
        _, lines, _, missing, _ = measured.analysis2(os.path.join(folder, name))
        return {"file": name, "lines": len(lines), "covered": len(lines) - len(missing), "missing": missing[:200]}
    return None


if __name__ == "__main__":
    main()
