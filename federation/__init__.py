"""What users import and type: the Python client, the command line, the process runner.

async with Client() as client:
    task = await client.run("Summarize README.md", files=[Path("README.md")])
    print(task.summary)
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from federation.client import Client

__all__ = ["Client", "main"]


def main() -> None:
    """Run the command `federation`. Ctrl-C while it still loads ends it without a word, as it does later."""
    try:
        from federation import streams  # noqa: PLC0415

        streams.settle()
        from federation import cli  # noqa: PLC0415

        cli.main()
    except KeyboardInterrupt:
        sys.exit(130)


def __getattr__(name: str) -> object:
    # Imported on first use: the process runner lives in this package too, and must stay small.
    if name == "Client":
        from federation.client import Client  # noqa: PLC0415

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
