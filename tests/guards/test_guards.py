"""The guards are all there, are written down, and a few of them are turned off in each run; `make guards` tries all."""

import re
from pathlib import Path

import pytest

from tests.guards.catalogue import GUARDS
from tests.guards.guard import Guard
from tests.guards.removal import ROOT, copied, what_is_wrong

ALL = [guard for group in GUARDS.values() for guard in group]


@pytest.mark.parametrize("guard", ALL, ids=lambda guard: guard.name)
def test_every_guard_is_where_it_is_said_to_be_and_has_a_test(guard: Guard) -> None:
    assert (ROOT / guard.file).read_text("utf-8").count(guard.old) == 1
    assert guard.new != guard.old
    path, _, name = guard.test.partition("::")
    defined = (ROOT / "tests" / path).read_text("utf-8")
    assert re.search(rf"^(async )?def {name.partition('[')[0]}\(", defined, re.MULTILINE)


def test_the_document_lists_every_guard_with_its_place_and_test() -> None:
    rows = [
        f"| {threat} | {guard.name} | `{guard.file}` | `{guard.test.partition('::')[2]}` |"
        for threat, group in GUARDS.items()
        for guard in group
    ]
    assert "\n".join(rows) in Path(ROOT / "docs" / "security.md").read_text("utf-8")


def test_without_a_guard_its_test_fails() -> None:
    short = [guard for guard in ALL if guard.short]
    assert len(short) == 3
    with copied() as copy:
        assert what_is_wrong(copy, short) == ""
