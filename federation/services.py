"""The services: their settings, their programs, and the settings that choose their ports."""

from typing import Final

from a2a_agent_service.settings import Settings as ResearchSettings
from agent_host_service.settings import Settings as HostSettings
from api_agent_service.settings import Settings as ApiSettings
from browser_service.settings import Settings as BrowserSettings
from code_agent_service.settings import Settings as CodeSettings
from orchestrator_service.settings import Settings as OrchestratorSettings
from shared.configuration import read
from shared.egress import EgressPolicy
from shared.settings import FederationSettings, ServiceName

SETTINGS: Final[dict[ServiceName, type[FederationSettings]]] = {
    "orchestrator": OrchestratorSettings,
    "research": ResearchSettings,
    "api": ApiSettings,
    "browser": BrowserSettings,
    "code": CodeSettings,
    "host": HostSettings,
}
MODULES: Final[dict[ServiceName, str]] = {
    "orchestrator": "orchestrator_service.main",
    "research": "a2a_agent_service.main",
    "api": "api_agent_service.main",
    "browser": "browser_service.main",
    "code": "code_agent_service.main",
    "host": "agent_host_service.main",
}
PORT_SETTINGS: Final[dict[ServiceName, str]] = {
    "orchestrator": "ORCHESTRATOR_PORT",
    "research": "RESEARCH_AGENT_PORT",
    "api": "API_AGENT_PORT",
    "browser": "BROWSER_PORT",
    "code": "CODE_AGENT_PORT",
    "host": "AGENT_HOST_PORT",
}


def read_all() -> FederationSettings:
    """Return the common settings, once those of every service are right.

    Raises: InvalidRequestError, InvalidSettingError.
    """
    for kind in SETTINGS.values():
        read(kind)
    settings = read(FederationSettings)
    EgressPolicy.from_settings(settings)
    return settings
