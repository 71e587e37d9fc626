"""Task after task on one browser service, and whether it grows: `make soak`, or `python -m tests.browser.soak`.

Prints the memory of the service and of its Chromium every fifty tasks, and fails when the last fifth of the tasks used
clearly more than the second fifth: what a warm browser needs has settled by then.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from pathlib import Path

from browser_service.agent import open_agent
from tests.browser.conftest import ask, make_settings
from tests.browser.test_browser import descendants
from tests.browser.workshop import open_workshop

_SENTENCES = (
    "open {shop}/list, click the Delete button next to 'Bread' and tell me the message",
    "open {shop}/form, fill 'Ada' into the Name field, choose Blue, click Send order and tell me the message",
    'open {shop}/tabs, switch between the tabs to find and click on the link "Deep link" and get the title',
    "open {shop}/many, get the title",
    "take a screenshot of {shop}/parts",
)

_LOOKS = 5


def memory_mb() -> float:
    """Return the memory that this process and its Chromium share out among them (PSS), in MB."""
    pids = {os.getpid(), *descendants("")}
    total_kb = 0
    for pid in pids:
        try:
            rollup = (Path("/proc") / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue
        total_kb += next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return total_kb / 1024


async def _settled_mb() -> float:
    """Return the least of some looks: pages that close, and the one that is made ready, come and go meanwhile."""
    looks: list[float] = []
    for _ in range(_LOOKS):
        looks.append(memory_mb())
        await asyncio.sleep(0.2)
    return min(looks)


async def soak(tasks: int, at_once: int = 2) -> list[float]:
    """Do so many tasks; return the memory after each tenth of them, in MB."""
    samples: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = make_settings(data_dir=Path(folder), browser_action_timeout_s=10.0)
        async with open_workshop() as shop, open_agent(settings) as agent:
            every = max(at_once, tasks // 10)
            await ask(agent, _SENTENCES[0].format(shop=shop))
            processes = len(descendants("--headless"))
            for first in range(0, tasks, at_once):
                async with asyncio.TaskGroup() as group:
                    for number in range(first, min(tasks, first + at_once)):
                        group.create_task(ask(agent, _SENTENCES[number % len(_SENTENCES)].format(shop=shop)))
                if (first + at_once) % every < at_once:
                    samples.append(await _settled_mb())
                    print(f"{first + at_once:>5} tasks: {samples[-1]:.0f} MB", flush=True)  # noqa: T201 - a program
            left = len(descendants("--headless"))
    if left != processes:
        raise SystemExit(f"{left} processes of Chromium's own run at the end, not {processes} as after the first task.")
    return samples


def growth(samples: list[float]) -> float:
    """Return how much more memory the last fifth used than the second, as a part of it."""
    fifth = max(1, len(samples) // 5)
    early, late = samples[fifth : 2 * fifth] or samples[:1], samples[-fifth:]
    return statistics.median(late) / statistics.median(early) - 1


def main() -> None:
    """Read the arguments, and soak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=500)
    chosen = parser.parse_args()
    grown = growth(asyncio.run(soak(chosen.tasks)))
    sys.stdout.write(f"Growth from the second to the last fifth: {grown:+.1%}\n")
    if grown > 0.10:
        raise SystemExit("The service grows.")


if __name__ == "__main__":
    main()
