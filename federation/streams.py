"""What a process of ours was started with as its input and its outputs. Standard library only."""

import os
import sys
from io import TextIOWrapper
from typing import Literal, TextIO


def settle() -> None:
    """See that there is a standard input and a standard error, and that any text can be printed.

    What was closed is empty: else the next file that is opened would take its place. Characters that the encoding of
    the terminal does not have are printed as their numbers.
    """
    if sys.stdin is None:
        sys.stdin = _open_nothing("r")
    if sys.stderr is None:
        sys.stderr = _open_nothing("w")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # pyright: ignore[reportUnknownMemberType] - of bytes


def _open_nothing(mode: Literal["r", "w"]) -> TextIO:
    """Return nothing to read or write, at the lowest free descriptor: which is the one that was closed."""
    nothing = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - for as long as the process lives
    os.set_inheritable(nothing.fileno(), True)
    return nothing
