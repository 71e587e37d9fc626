"""Settings of the agent host."""

from pathlib import Path

from pydantic import Field

from shared.settings import FederationSettings, Folder, ServiceName


class Settings(FederationSettings):
    """What the agent host reads beside the common settings."""

    agent_templates: Folder = Field(
        default=Path("agents"),
        validate_default=False,
        description="Folder with agent templates (*.yaml) beside the shipped ones; read again when it changes.",
    )
    template_idle_s: float = Field(
        default=600.0, gt=0, description="After so long without a message an agent made from a template is retired."
    )
    template_max_turns: int = Field(
        default=12, ge=1, le=100, description="Turns an agent made from a template may take for one message."
    )

    def url_of(self, service: ServiceName) -> str:
        """Return the base URL of a service, also of an agent of this host: `host-NAME`."""
        kind, _, name = service.partition("-")
        if kind == "host" and name:
            return f"{super().url_of('host')}/agents/{name}"
        return super().url_of(service)
