"""Fits credentials to the security schemes of a card, and says which ones it lacks. Pure.

The card is peer text: an address that only it names, at another origin than the agent's own, gets no secret.
"""

from collections.abc import Mapping
from typing import Final

from a2a.types import AgentCard, OAuth2SecurityScheme, SecurityScheme

from shared import http
from shared.credentials import (
    AnyCredential,
    ApiKey,
    BasicLogin,
    BearerToken,
    ClientCertificate,
    OAuthClient,
    OpenIdClient,
    Secrets,
)
from shared.errors import InvalidRequestError

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def bind(given: AnyCredential | Mapping[str, AnyCredential], card: AgentCard, origin: str) -> dict[str, AnyCredential]:
    """Return the credentials by the names of the card's schemes, with what the card says of them written into them.

    One credential alone is for the one scheme of its kind. `origin` is the agent's.
    Raises: InvalidRequestError, for one that fits no scheme, lacks something, or would take a secret to an address that
    only the card names.
    """
    named = dict(given) if isinstance(given, Mapping) else {_name_for(given, card): given}
    return {name: _complete(name, credential, card, origin) for name, credential in named.items()}


def missing(card: AgentCard, secrets: Secrets | None) -> list[str]:
    """Return the names of the schemes that the card requires and nothing is stored for; none if one way in is open."""
    lacking = [
        [name for name in requirement.schemes if not _is_covered(name, card, secrets)]
        for requirement in card.security_requirements
    ]
    return min(lacking, key=len) if lacking else []


def explain(name: str, card: AgentCard) -> str:
    """Say what a scheme asks for, and how that is given."""
    scheme = card.security_schemes.get(name, SecurityScheme())
    match scheme.WhichOneof("scheme"):
        case "api_key_security_scheme":
            key = scheme.api_key_security_scheme
            what, form = f"an API key ({key.location} {key.name})", '{"type": "api_key", "value": "…"}'
        case "http_auth_security_scheme" if scheme.http_auth_security_scheme.scheme.lower() == "basic":
            what, form = "a user name and password", '{"type": "basic", "username": "…", "password": "…"}'
        case "http_auth_security_scheme" if scheme.http_auth_security_scheme.scheme.lower() == "bearer":
            what, form = "a bearer token", '{"type": "bearer", "token": "…"}'
        case "oauth2_security_scheme" if _has_client_credentials(scheme.oauth2_security_scheme):
            what = "OAuth 2 client credentials"
            form = '{"type": "oauth2", "client_id": "…", "client_secret": "…"}'
        case "oauth2_security_scheme":
            what, form = "an OAuth 2 token that a person has to get", '{"type": "bearer", "token": "…"}'
        case "open_id_connect_security_scheme":
            what, form = "an OpenID Connect client", '{"type": "openid", "client_id": "…", "client_secret": "…"}'
        case "mtls_security_scheme":
            what, form = "a client certificate", '{"type": "mtls", "certificate": "PEM", "key": "PEM"}'
        case _:
            return f"asks for {name!r}, which is no scheme known here; give what it needs as `headers`"
    return f'asks for {name!r}, {what}, and none is stored: give "credentials": {{"{name}": {form}}}'


def _is_covered(name: str, card: AgentCard, secrets: Secrets | None) -> bool:
    if secrets is None:
        return False
    sent = {header.lower() for header in secrets.headers}
    scheme = card.security_schemes.get(name, SecurityScheme())
    match scheme.WhichOneof("scheme"):
        case "api_key_security_scheme":
            key = scheme.api_key_security_scheme
            header = {"header": key.name.lower(), "cookie": "cookie"}.get(key.location.lower())
        case "mtls_security_scheme" | None:
            header = None
        case _:
            header = "authorization"
    return name in secrets.credentials or header in sent


def _name_for(credential: AnyCredential, card: AgentCard) -> str:
    """Return the scheme that a credential given without a name is for. Raises: InvalidRequestError."""
    names = [name for name, scheme in card.security_schemes.items() if credential.type in _kinds(scheme)]
    required = {name for requirement in card.security_requirements for name in requirement.schemes}
    names = [name for name in names if name in required] or names
    if len(names) > 1:
        raise InvalidRequestError(
            f"The card has several schemes that {credential.type!r} could be for: {_listed(names)}. Name it: "
            f'"credentials": {{"{_shown(names[0])}": …}}.'
        )
    if not names and card.security_schemes:
        raise InvalidRequestError(
            f"The card has no scheme that {credential.type!r} could be for. Its schemes: "
            f"{_listed([*card.security_schemes])}."
        )
    return names[0] if names else credential.type


def _complete(name: str, credential: AnyCredential, card: AgentCard, origin: str) -> AnyCredential:
    scheme = card.security_schemes.get(name)
    if scheme is None and card.security_schemes:
        raise InvalidRequestError(
            f"The card has no security scheme {name[:60]!r}. Its schemes: {_listed([*card.security_schemes])}."
        )
    kinds = _kinds(scheme) if scheme is not None else (credential.type,)
    if credential.type not in kinds:
        wanted = " or ".join(map(repr, kinds)) or "given as `headers`"
        raise InvalidRequestError(f"The scheme {_shown(name)!r} of the card wants {wanted}, not {credential.type!r}.")
    scheme = scheme or SecurityScheme()
    match credential:
        case ApiKey():
            return _complete_key(name, credential, scheme)
        case OAuthClient():
            said = scheme.oauth2_security_scheme.flows.client_credentials.token_url
            url = _confirmed(credential.token_url, said, "token_url", "token endpoint", origin)
            return credential.model_copy(update={"token_url": url, "scopes": _scopes(name, credential, card)})
        case OpenIdClient():
            said = scheme.open_id_connect_security_scheme.open_id_connect_url
            url = _confirmed(credential.discovery_url, said, "discovery_url", "OpenID configuration", origin)
            return credential.model_copy(update={"discovery_url": url, "scopes": _scopes(name, credential, card)})
        case BearerToken() | BasicLogin() | ClientCertificate():
            return credential


def _complete_key(name: str, key: ApiKey, scheme: SecurityScheme) -> ApiKey:
    told = scheme.api_key_security_scheme
    fields = {"name": key.name or told.name, "location": key.location or told.location.lower()}
    try:
        return ApiKey.model_validate({"type": "api_key", "value": key.value, **fields})
    except ValueError as error:
        raise InvalidRequestError(
            f"The API key {_shown(name)!r} needs a `name` and a `location` (header, query or cookie) that can be used; "
            "the card does not say them."
        ) from error


def _confirmed(given: str | None, said: str, field: str, what: str, origin: str) -> str:
    """Return an address that a secret may be sent to. Raises: InvalidRequestError."""
    if not (given or said):
        raise InvalidRequestError(f"The card names no {what}: give `{field}`.")
    address = http.parse_url(given or said)
    if address.scheme != "https" and (address.scheme != "http" or address.host not in _LOOPBACK):
        raise InvalidRequestError(f"The {what} must be at an https address, for a secret is sent to it.")
    if given is None and http.origin_of(said) != origin:
        raise InvalidRequestError(
            f"The card names a {what} at {http.origin_of(said)}, which is not the agent's own origin. If that is "
            f"right, say so: give `{field}`."
        )
    return str(address)


def _scopes(name: str, client: OAuthClient | OpenIdClient, card: AgentCard) -> tuple[str, ...]:
    if client.scopes is not None:
        return client.scopes
    asked = [
        scope
        for requirement in card.security_requirements
        if name in requirement.schemes
        for scope in requirement.schemes[name].list
    ]
    return tuple(dict.fromkeys(scope for scope in asked if scope and scope.isprintable() and " " not in scope))


def _kinds(scheme: SecurityScheme) -> tuple[str, ...]:
    """Return the types of credentials that satisfy a scheme; none when only `headers` can."""
    match scheme.WhichOneof("scheme"):
        case "api_key_security_scheme":
            return ("api_key",)
        case "http_auth_security_scheme":
            kind = scheme.http_auth_security_scheme.scheme.lower()
            return (kind,) if kind in {"basic", "bearer"} else ()
        case "oauth2_security_scheme":
            return ("oauth2", "bearer")
        case "open_id_connect_security_scheme":
            return ("openid", "bearer")
        case "mtls_security_scheme":
            return ("mtls",)
        case _:
            return ()


def _has_client_credentials(scheme: OAuth2SecurityScheme) -> bool:
    return scheme.flows.WhichOneof("flow") == "client_credentials"


def _listed(names: list[str]) -> str:
    return ", ".join(_shown(name) for name in names[:20])


def _shown(name: str) -> str:
    return name[:60]
