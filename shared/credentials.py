"""Credentials for agents, one form for each kind of security scheme that a card can have.

They are given when an agent is registered, fitted to its card (`shared.credential_binding`), kept encrypted as
`Secrets`, and used by `shared.agent_auth`. They go to one origin, and what they go there by (a header's name, a token
endpoint) is settled when they are given: a card that changes later cannot lead them elsewhere.
"""

import re
from typing import Annotated, Final, Literal, TypeAlias

from a2a.types import AgentCard
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, SecretStr

_VISIBLE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SET_BY_EACH_CALL: Final = frozenset(
    (
        "accept",
        "accept-encoding",
        "a2a-extensions",
        "a2a-version",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "last-event-id",
        "proxy-authorization",
        "te",
        "traceparent",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_MAX_CHARS: Final = 16_384
_MAX_PEM: Final = 65_536


def _check_visible(value: SecretStr) -> SecretStr:
    if not _VISIBLE.fullmatch(value.get_secret_value()):
        raise ValueError("must be visible ASCII, since it goes into a header")
    return value


def _check_header(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError("is not a name that HTTP allows")
    if name.lower() in _SET_BY_EACH_CALL:
        raise ValueError("is a header that each call sets itself")
    return name


_Kept = PlainSerializer(SecretStr.get_secret_value, when_used="json")
Secret: TypeAlias = Annotated[SecretStr, Field(min_length=1, max_length=_MAX_CHARS), _Kept]
"""A secret of any characters."""
SecretHeader: TypeAlias = Annotated[Secret, AfterValidator(_check_visible)]
"""A secret that goes into a header."""
HeaderName: TypeAlias = Annotated[str, Field(max_length=200), AfterValidator(_check_header)]
_Pem: TypeAlias = Annotated[SecretStr, Field(min_length=1, max_length=_MAX_PEM), _Kept]
_Url: TypeAlias = Annotated[str, Field(min_length=1, max_length=2_000)]
_Scope: TypeAlias = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,500}$")]


class _Credential(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ApiKey(_Credential):
    """A key in a header, in the address or in a cookie; what the card says of it need not be repeated."""

    type: Literal["api_key"]
    value: SecretHeader
    name: HeaderName | None = None
    location: Literal["header", "query", "cookie"] | None = None


class BearerToken(_Credential):
    """A token that is sent as it is."""

    type: Literal["bearer"]
    token: SecretHeader


class BasicLogin(_Credential):
    """A user name and password."""

    type: Literal["basic"]
    username: Annotated[str, Field(max_length=500, pattern=r"^[^:\x00-\x1f\x7f]*$")]
    password: Secret


class OAuthClient(_Credential):
    """A client of an OAuth 2 server: it gets a token by its credentials (RFC 6749, 4.4)."""

    type: Literal["oauth2"]
    client_id: Annotated[str, Field(min_length=1, max_length=1_000)]
    client_secret: Secret
    token_url: _Url | None = None
    scopes: Annotated[tuple[_Scope, ...] | None, Field(max_length=100)] = None
    sent_as: Literal["basic", "post"] = "basic"


class OpenIdClient(_Credential):
    """A client of an OpenID Connect server, whose token endpoint is found at `discovery_url`."""

    type: Literal["openid"]
    client_id: Annotated[str, Field(min_length=1, max_length=1_000)]
    client_secret: Secret
    discovery_url: _Url | None = None
    scopes: Annotated[tuple[_Scope, ...] | None, Field(max_length=100)] = None
    sent_as: Literal["basic", "post"] = "basic"


class ClientCertificate(_Credential):
    """A client certificate with its key, both PEM; `ca` is who signed the agent's own, if it is nobody known."""

    type: Literal["mtls"]
    certificate: _Pem
    key: _Pem
    ca: _Pem | None = None


AnyCredential: TypeAlias = ApiKey | BearerToken | BasicLogin | OAuthClient | OpenIdClient | ClientCertificate
Credential: TypeAlias = Annotated[AnyCredential, Field(discriminator="type")]


class Secrets(BaseModel):
    """What is kept for one agent: headers as they are, and credentials by the names of the card's schemes.

    All of it goes to `origin` only. None: it was stored by a version that knew no origins, and goes to the agent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    origin: str | None = None
    headers: dict[HeaderName, SecretHeader] = Field(default_factory=dict[HeaderName, SecretHeader])
    credentials: dict[str, Credential] = Field(default_factory=dict[str, Credential])

    def fitting(self, card: AgentCard) -> list[AnyCredential]:
        """Return those that the card asks for together; all of them when it asks for nothing that they satisfy."""
        for requirement in card.security_requirements:
            if requirement.schemes and all(name in self.credentials for name in requirement.schemes):
                return [self.credentials[name] for name in requirement.schemes]
        return [*self.credentials.values()]
