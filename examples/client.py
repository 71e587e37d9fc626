"""Runs one task from Python and follows it: .venv/bin/python examples/client.py "Compute 17 * 23 in Python" """

# ruff: noqa: T201 - an example prints

import asyncio
import sys

from federation import Client


async def main() -> None:
    """Submit the task named on the command line, print what happens, then its result."""
    async with Client() as client:
        task = await client.submit(sys.argv[1])
        async for event in client.events(task.id):
            print(event.seq, event.type)
        task = await client.get(task.id)
        print(task.status, task.summary)


if __name__ == "__main__":
    asyncio.run(main())
