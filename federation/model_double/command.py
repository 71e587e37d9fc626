"""Runs the scripted model until it is stopped."""

import socket
from pathlib import Path

import uvicorn

from federation.display import Display
from federation.model_double import script
from shared.errors import UnavailableError


def serve(path: Path, host: str, port: int) -> None:
    """Serve what the script says. Raises: NotFoundError, InvalidRequestError, UnavailableError."""
    double = script.read(path)
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:  # TCP: else no TCP_NODELAY
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise UnavailableError(
                f"Port {port} of {host} cannot be used: {error.strerror}. Choose another."
            ) from error
        listener.listen()  # so that nobody is refused who reads the address at once
        url = f"http://{host}:{listener.getsockname()[1]}/v1"
        Display().facts({"scripted model": url, "use it by": f"LLM_BASE_URL={url} LLM_MODEL={double.models[0]}"})
        config = uvicorn.Config(double.app(), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        uvicorn.Server(config).run(sockets=[listener])
