"""What users import and type: the Python client, the command line, the process runner.

async with Client() as client:
    task = await client.run("Summarize README.md", files=[Path("README.md")])
    print(task.summary)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from federation.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> object:
    # Imported on first use: the process runner lives in this package too, and must stay small.
    if name == "Client":
        from federation.client import Client  # noqa: PLC0415

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
