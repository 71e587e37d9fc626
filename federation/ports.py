"""Whether a service can listen where the settings say. Standard library only: the process runner asks it, too."""

import errno
import socket

from federation.launch import Service


def find_problem(host: str, service: Service) -> str:
    """Return in a line why the service could not listen at `host` now, and what to do; nothing when it could."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, service.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return (
                f"Port {service.port} ({service.name}) is taken by another program. Stop that program, or set "
                f"{service.port_setting} to a free port."
            )
        return (
            f"{service.name} cannot listen on {host}:{service.port} ({error.strerror or error}). "
            f"Check FEDERATION_HOST and {service.port_setting}."
        )
    return ""
