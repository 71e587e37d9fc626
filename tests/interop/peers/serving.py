"""What the Python servers here share: a port that the system chose, said on standard output once it listens."""

import socket
import sys
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

SKILL = "echo"
DESCRIPTION = "Says it again; told to, it asks, waits or fails."


def serve(build: Callable[[str, int], ASGIApp]) -> None:
    """Serve what `build` makes of the base URL and port, until the process is told to stop."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port: int = listener.getsockname()[1]
        app = build(f"http://127.0.0.1:{port}", port)
        sys.stdout.write(f"http://127.0.0.1:{port}\n")
        sys.stdout.flush()
        uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run(sockets=[listener])
