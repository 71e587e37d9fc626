"""The services: their settings and their programs."""

from typing import Final

from a2a_agent_service.settings import Settings as ResearchSettings
from agent_host_service.settings import Settings as HostSettings
from api_agent_service.settings import Settings as ApiSettings
from browser_service.settings import Settings as BrowserSettings
from code_agent_service.settings import Settings as CodeSettings
from orchestrator_service.settings import Settings as OrchestratorSettings
from shared import llm_choice
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


def read_all() -> FederationSettings:
    """Return the common settings, once those of every service are right, and what they name is there.

    Raises: InvalidRequestError, InvalidSettingError.
    """
    for kind in SETTINGS.values():
        read(kind)
    settings = read(FederationSettings)
    EgressPolicy.from_settings(settings)
    llm_choice.endpoints(settings)
    _try_common(settings)
    _try_orchestrators(read(OrchestratorSettings))
    return settings


def _try_common(settings: FederationSettings) -> None:
    """Read what the settings name as the services would. What few need is imported for those only."""
    if settings.mcp_servers is not None:
        from shared import mcp_tools  # noqa: PLC0415

        mcp_tools.read_servers(settings.mcp_servers)
    if settings.card_signing_key is not None:
        from shared import card_routes  # noqa: PLC0415

        card_routes.read_key(settings, "orchestrator")
    if settings.card_security is not None:
        from shared import cards  # noqa: PLC0415

        cards.read_security(settings)


def _try_orchestrators(settings: OrchestratorSettings) -> None:
    if settings.agents_file is not None:
        from orchestrator_service import agents_file  # noqa: PLC0415

        agents_file.check(settings.agents_file)
    if settings.agent_trusted_keys is not None:
        from orchestrator_service.verification import signatures  # noqa: PLC0415

        signatures.load_trusted(settings.agent_trusted_keys)
    if settings.webhook_secret is not None:
        from shared import webhooks  # noqa: PLC0415

        webhooks.parse_secret(settings.webhook_secret.get_secret_value())
