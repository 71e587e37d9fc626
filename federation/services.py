"""The five services: their settings, their programs, and the settings that choose their ports."""

from typing import Final, TypeVar

from pydantic import ValidationError

from a2a_agent_service.settings import Settings as ResearchSettings
from api_agent_service.settings import Settings as ApiSettings
from browser_service.settings import Settings as BrowserSettings
from code_agent_service.settings import Settings as CodeSettings
from orchestrator_service.settings import Settings as OrchestratorSettings
from shared.errors import InvalidRequestError
from shared.settings import FederationSettings, ServiceName

_Settings = TypeVar("_Settings", bound=FederationSettings)

SETTINGS: Final[dict[ServiceName, type[FederationSettings]]] = {
    "orchestrator": OrchestratorSettings,
    "research": ResearchSettings,
    "api": ApiSettings,
    "browser": BrowserSettings,
    "code": CodeSettings,
}
MODULES: Final[dict[ServiceName, str]] = {
    "orchestrator": "orchestrator_service.main",
    "research": "a2a_agent_service.main",
    "api": "api_agent_service.main",
    "browser": "browser_service.main",
    "code": "code_agent_service.main",
}
PORT_SETTINGS: Final[dict[ServiceName, str]] = {
    "orchestrator": "ORCHESTRATOR_PORT",
    "research": "RESEARCH_AGENT_PORT",
    "api": "API_AGENT_PORT",
    "browser": "BROWSER_PORT",
    "code": "CODE_AGENT_PORT",
}


def read_all() -> FederationSettings:
    """Return the common settings, once those of every service are right. Raises: InvalidRequestError."""
    for kind in SETTINGS.values():
        read(kind)
    return read(FederationSettings)


def read(kind: type[_Settings]) -> _Settings:
    """Return settings from the environment and `.env`. Raises: InvalidRequestError, which names each that is wrong."""
    try:
        return kind()  # pyright: ignore[reportCallIssue] - every setting has a default
    except ValidationError as error:
        raise InvalidRequestError("\n".join(_sentences(kind, error))) from None


def _sentences(kind: type[FederationSettings], error: ValidationError) -> list[str]:
    found: list[str] = []
    for fault in error.errors(include_url=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        field = kind.model_fields.get(name)
        secret = field is None or "SecretStr" in str(field.annotation)
        given = "" if secret else f" (it is {str(fault['input'])!r})"
        found.append(f"{name.upper()}{given}: {fault['msg']}. Correct it in the environment or in .env.")
    return found
