"""What a guard is: a place in the code, how it is turned off, and the test that notices."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """`name` says what is guarded; `old` occurs once in `file`, and `new` in its place turns the guard off.

    `test` (below tests/, as pytest names it) fails then. `short`: it is tried in each run of the suite, too.
    """

    name: str
    file: str
    old: str
    new: str
    test: str
    short: bool = False
