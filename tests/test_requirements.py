"""Every requirement has a test, and every test it names exists."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.requirements import REQUIREMENTS, Requirement

_TESTS = Path(__file__).resolve().parent


@cache
def functions(file: str) -> frozenset[str]:
    """Return the names of the test functions of a file below tests/."""
    path = _TESTS / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in nodes if node.name.startswith("test_"))


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.id)
def test_every_requirement_has_a_test_that_exists(requirement: Requirement) -> None:
    assert requirement.tests, f"{requirement.id} has no test: {requirement.says}"
    for node in requirement.tests:
        file, _, name = node.partition("::")
        assert name in functions(file), f"{requirement.id} names {node}, which does not exist"


def test_no_two_requirements_share_an_id() -> None:
    ids = [requirement.id for requirement in REQUIREMENTS]
    assert len(ids) == len(set(ids))
