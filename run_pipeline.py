"""Tests a web page: `python run_pipeline.py URL "GOAL"`; the same as `federation verify URL "GOAL"`."""

import os
import sys
from pathlib import Path

_VENV_PYTHON = Path(__file__).resolve().parent / ".venv" / "bin" / "python"


def main() -> None:
    """Run the command line; another Python than the one that was set up hands over to that."""
    try:
        from federation import cli  # noqa: PLC0415 - what it needs may be installed for another Python only
    except ModuleNotFoundError as error:
        if not _VENV_PYTHON.exists() or Path(sys.prefix).resolve() == _VENV_PYTHON.parents[1]:
            sys.stderr.write(f"{error}. Run `make setup` first.\n")
            raise SystemExit(2) from None
        os.execv(_VENV_PYTHON, [str(_VENV_PYTHON), *sys.argv])  # noqa: S606 - our own interpreter
    sys.argv[:1] = ["federation", "verify"]
    cli.main()


if __name__ == "__main__":
    main()
