"""Prints what the run found; with `--interop-document FILE` the tables also go to their place in that file."""

from pathlib import Path

import pytest

from tests.interop import findings

_OPTION = "--interop-document"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option; it is there when tests/interop is named on the command line."""
    parser.addoption(_OPTION, type=Path, default=None, help="put the tables of the interoperability tests in here")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the tables."""
    if not (tables := findings.written()):
        return
    terminalreporter.write_line(f"\n{tables}")
    document: Path | None = config.getoption(_OPTION, default=None)
    if document is not None:
        findings.publish(document)
