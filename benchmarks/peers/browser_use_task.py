"""Runs in browser-use's environment: for each line of JSON with `url`, a session of its own and the page's heading."""

import asyncio
import json
import os
import sys

from browser_use import BrowserProfile, BrowserSession


async def main(chromium: str) -> None:
    """Answer each line with a line, until there are no more."""
    profile = BrowserProfile(
        executable_path=chromium,
        headless=True,
        chromium_sandbox=os.geteuid() != 0,
        enable_default_extensions=False,
        keep_alive=False,
    )
    while line := await asyncio.to_thread(sys.stdin.readline):
        session = BrowserSession(browser_profile=profile)
        await session.start()
        page = await session.new_page(json.loads(line)["url"])
        heading = await page.evaluate("() => document.querySelector('h1').textContent")
        await session.kill()
        sys.stdout.write(json.dumps({"heading": heading}) + "\n")
        sys.stdout.flush()


asyncio.run(main(sys.argv[1]))
