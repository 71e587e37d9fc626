"""What agents are shown, and calling them with it; while secrets are kept, the installation's key seals them."""

from contextlib import suppress
from dataclasses import dataclass

from a2a.types import AgentCard
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from orchestrator_service.keys import CredentialsUnreadableError, Keys
from shared import agent_client, http
from shared.agent_auth import AgentAuth
from shared.agent_client import AgentConnection, Deadlines, Tap
from shared.credentials import AnyCredential, Credential, HeaderName, SecretHeader, Secrets
from shared.oauth import Tokens


@dataclass(frozen=True, slots=True)
class NewSecrets:
    """What a client gives to be shown to an agent, and where, if that is not the agent's own origin."""

    headers: dict[str, SecretStr]
    credentials: AnyCredential | dict[str, AnyCredential] | None = None
    origin: str | None = None


class SecretFields(BaseModel):
    """What may be given to be shown to an agent: stored encrypted, never shown again, sent to one origin only."""

    model_config = ConfigDict(hide_input_in_errors=True)

    headers: dict[HeaderName, SecretHeader] | None = Field(
        default=None, max_length=50, description="Headers to send to the agent as they are."
    )
    credentials: Credential | dict[str, Credential] | None = Field(
        default=None, description="By the names of the card's security schemes; or one alone, for the one that it fits."
    )
    credentials_origin: str | None = Field(
        default=None, min_length=1, max_length=2000, description="Where they are sent; default: the endpoint's origin."
    )

    def to_secrets(self) -> NewSecrets | None:
        """Return what the registrar takes; None if nothing is given."""
        if self.headers is None and self.credentials is None:
            return None
        return NewSecrets(dict(self.headers or {}), self.credentials, self.credentials_origin)


class Credentials:
    """The credentials of all agents. Access tokens are kept here, in memory only."""

    def __init__(self, keys: Keys, client: http.Client) -> None:
        self._keys = keys
        self._client = client
        self._tokens = Tokens(client)

    def seal(self, secrets: Secrets) -> bytes:
        """Return the secrets encrypted."""
        return self._keys.seal(secrets.model_dump_json(exclude_defaults=True).encode())

    def unseal(self, sealed: bytes) -> Secrets:
        """Return what `seal` was given. Raises: CredentialsUnreadableError."""
        content = self._keys.unseal(sealed)
        for form in (b"%b", b'{"headers": %b}'):  # the second: headers alone, as the first version kept them
            with suppress(ValidationError):
                return Secrets.model_validate_json(form % content)
        raise CredentialsUnreadableError("The agent's stored credentials have no form that is known; give them again.")

    def auth(self, secrets: Secrets | None, card: AgentCard) -> AgentAuth | None:
        """Return what shows an agent with that card who we are; None if there is nothing to show."""
        return None if secrets is None else AgentAuth(secrets, card, self._tokens)

    def connect(
        self, card: AgentCard, sealed: bytes | None, *, deadlines: Deadlines | None = None, tap: Tap | None = None
    ) -> AgentConnection:
        """Return a connection to the agent with that card. Raises: as `agent_client.connect` and `unseal`."""
        auth = self.auth(None if sealed is None else self.unseal(sealed), card)
        return agent_client.connect(self._client, card, auth=auth, deadlines=deadlines, tap=tap)
