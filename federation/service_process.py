"""What the runner starts for each service: the service, and a watch that ends it when the runner is gone.

    python -m federation.service_process MODULE GRACE_S < PIPE

The runner holds the other end of the pipe on standard input and never writes. However the runner ends, SIGKILL
included, the pipe closes: the service is asked to stop, and after GRACE_S killed with all it started.
"""

import os
import runpy
import signal
import sys
import threading
import time


def main() -> None:
    """Run the module named on the command line as a program."""
    module, grace_s = sys.argv[1], float(sys.argv[2])
    threading.Thread(target=_end_with_runner, args=(grace_s,), daemon=True).start()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_runner(grace_s: float) -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s)  # nothing to wait for: the process ends, and this thread with it, or it is stuck
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
