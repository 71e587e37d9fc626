"""What a requirement is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that must hold. `tests` are functions of test files, as `FOLDER/FILE.py::FUNCTION` below tests/."""

    id: str
    says: str
    tests: tuple[str, ...]
