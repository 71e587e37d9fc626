"""What the process runner is told: which services to start, where they listen, what to say. Standard library only."""

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its name, the module whose `main` is its program, its port and the setting that chooses it."""

    name: str
    module: str
    port: int
    port_setting: str


@dataclass(frozen=True, slots=True)
class Launch:
    """One start of the federation.

    `host` is what the services bind to, `url` where the orchestrator answers from here. `banner` are the lines to
    print once it is ready. `attached`: stop as soon as standard input closes. `grace_s`: how long a service may take
    to stop.
    """

    services: tuple[Service, ...]
    host: str
    url: str
    data_dir: str
    banner: tuple[str, ...] = ()
    attached: bool = False
    verbose: bool = False
    grace_s: float = 10.0

    def address(self, name: str) -> str:
        """Return the base URL at which the service answers on this machine."""
        port = next(service.port for service in self.services if service.name == name)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - not to bind to
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def to_json(self) -> str:
        """Return the launch as text."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Launch":
        """Return the launch that `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        fields["services"] = tuple(Service(**service) for service in fields["services"])
        fields["banner"] = tuple(fields["banner"])
        return Launch(**fields)
