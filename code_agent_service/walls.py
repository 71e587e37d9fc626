"""What confines a program, as far as running one is concerned: bubblewrap's walls, or the weaker ones of Landlock."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Protocol, TypeAlias

from code_agent_service.consumption import Consumption
from code_agent_service.runs import Limits, Program

CommandBuilder: TypeAlias = Callable[[int, int, int | None], list[str]]
"""Makes a command line from the descriptors for the report, for the first process's id, and of the call filter."""

LAUNCHER = (Path(__file__).parent / "inside" / "launcher.py").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Entry:
    """One way in, for one run: the command, the call filter, and how it is watched and ended.

    `measure` tells what the processes below the first one use; its second argument asks for exact numbers. `end_signal`
    ends all of them when the first one gets it. `is_alone`: the launcher sees no process but its own.
    """

    build: CommandBuilder
    call_filter: bytes | None
    measure: Callable[[int, bool], Consumption]
    end_signal: Signals = SIGKILL
    is_alone: bool = True
    more_processes: int = 0


class Walls(Protocol):
    """A kind of walls. `caution` says in a sentence what is weaker about them than it should be, if anything."""

    kind: str
    caution: str

    def open(self, program: Program, limits: Limits) -> AbstractContextManager[Entry]:
        """Prepare for one run; what was prepared is gone at the end."""
        ...
