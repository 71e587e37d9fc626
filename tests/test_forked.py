"""The processes that tests fork: what happens when the one that they are forked from ends."""

import os
import subprocess
import sys
from pathlib import Path

from tests.federation.processes import PATIENCE_S, ROOT

_SCRIPT = """
import asyncio, os, signal
from pathlib import Path
from tests.support import forked

async def main():
    process = await forked.start("waiting", env={**os.environ})
    server = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(server, signal.SIGKILL)
    for wait in (process.wait, lambda: forked.start("waiting", env={**os.environ})):
        try:
            await wait()
        except forked.ServerGoneError:
            print("it is gone")
    process.kill()

asyncio.run(main())
"""


def test_whoever_waits_for_a_process_hears_that_nobody_can_tell_how_it_ends(tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text("import signal\ndef main(): signal.pause()\n", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("it is gone\n" * 2, "")
