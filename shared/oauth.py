"""Access tokens for agents, by OAuth 2 client credentials; OpenID Connect says where they are given.

Source: https://www.rfc-editor.org/rfc/rfc6749 (2.3.1, 4.4, 5), https://openid.net/specs/openid-connect-discovery-1_0.html
"""

import asyncio
import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus, urlencode

import httpx
from pydantic import JsonValue

from shared import http, strict_json
from shared.agent import JsonObject
from shared.credentials import OAuthClient, OpenIdClient
from shared.errors import AgentFailedError, AgentUnavailableError, FederationError, InvalidRequestError, TooLargeError

_TIMEOUT_S: Final = 10.0
_MAX_BYTES: Final = 64 * 1024
_MOST_KNOWN: Final = 1_000
_EARLY_S: Final = 30.0
_UNSAID_S: Final = 300.0
_LONGEST_S: Final = 86_400.0
_OPENID: Final = "/.well-known/openid-configuration"
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
_CODE: Final = re.compile(r"[\w.-]{1,60}")


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    until: float


class Tokens:
    """The tokens of all agents: each is asked for once, and again when it is about to expire, or was refused."""

    def __init__(self, client: http.Client) -> None:
        self._client = client
        self._known: dict[str, _Token] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def get(self, login: OAuthClient | OpenIdClient) -> str:
        """Return a token. Raises: AgentUnavailableError, AgentFailedError (the login is refused), AddressRefusedError.

        Nothing has been sent to the agent then: the facts say `reached` False.
        """
        key = _key_of(login)
        async with self._asking.setdefault(key, asyncio.Lock()):
            known = self._known.get(key)
            if known is None or known.until <= asyncio.get_running_loop().time():
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                    self._asking.clear()
                known = self._known[key] = await self._ask(login)
            return known.value

    def forget(self, login: OAuthClient | OpenIdClient, token: str) -> None:
        """Take note that a token was refused."""
        key = _key_of(login)
        known = self._known.get(key)
        if known is not None and known.value == token:
            del self._known[key]

    async def _ask(self, login: OAuthClient | OpenIdClient) -> _Token:
        url = await self._discover(login) if isinstance(login, OpenIdClient) else str(login.token_url)
        secret = login.client_secret.get_secret_value()
        form = {"grant_type": "client_credentials"} | ({"scope": " ".join(login.scopes)} if login.scopes else {})
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        if login.sent_as == "basic":
            pair = f"{quote_plus(login.client_id)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        else:
            form |= {"client_id": login.client_id, "client_secret": secret}
        status, answer = await self._call("POST", url, headers, urlencode(form).encode())
        if status != 200:
            raise _refused(status, answer)
        token, kind = answer.get("access_token"), answer.get("token_type", "bearer")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or str(kind).lower() != "bearer":
            raise AgentFailedError("The agent's token endpoint did not answer with a bearer token.", reached=False)
        return _Token(token, asyncio.get_running_loop().time() + _lasts_s(answer.get("expires_in")))

    async def _discover(self, login: OpenIdClient) -> str:
        """Return the token endpoint of an OpenID Connect server, which must be the one that it says it is."""
        url = str(login.discovery_url)
        status, answer = await self._call("GET", url, {"Accept": "application/json"}, None)
        issuer, endpoint = answer.get("issuer"), answer.get("token_endpoint")
        if status != 200:
            raise _refused(status, {})
        if not isinstance(issuer, str) or issuer.rstrip("/") + _OPENID != url:
            raise AgentFailedError(
                "The OpenID configuration names another issuer than the address it was found at.", reached=False
            )
        try:
            address = http.parse_url(endpoint if isinstance(endpoint, str) else "")
        except InvalidRequestError:
            address = None
        if address is None or address.scheme != http.parse_url(url).scheme:
            raise AgentFailedError("The OpenID configuration names no token endpoint that can be used.", reached=False)
        return str(address)

    async def _call(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None
    ) -> tuple[int, JsonObject]:
        """Return status and JSON object of an answer; redirects are not followed, what is no object is empty."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                response = await self._client.request(
                    method, url, headers=headers, content=content, extensions={http.MAX_BYTES: _MAX_BYTES}
                )
        except httpx.HTTPError as error:
            why = http.translate(error, http.parse_url(url)).detail
            raise AgentUnavailableError(f"No token for the agent: {why}", reached=False) from error
        except (TimeoutError, TooLargeError) as error:
            why = f"{http.parse_url(url).host} did not answer as a token endpoint does, within {_TIMEOUT_S:g} s."
            raise AgentUnavailableError(f"No token for the agent: {why}", reached=False) from error
        try:
            answer = strict_json.parse(response.content)
        except strict_json.JsonError:
            answer = None
        return response.status_code, answer if isinstance(answer, dict) else {}


def _refused(status: int, answer: JsonObject) -> FederationError:
    if status >= 500 or status == 429:
        return AgentUnavailableError(f"The agent's token endpoint answers HTTP {status}.", reached=False)
    code = answer.get("error")
    why = code if isinstance(code, str) and _CODE.fullmatch(code) else f"HTTP {status}"
    return AgentFailedError(
        f"The agent's token endpoint refuses the stored credentials: {why}. Give others with PATCH /api/agents/ID.",
        reached=False,
    )


def _lasts_s(told: JsonValue) -> float:
    """Return how long a token can be used, in seconds: until a little before it expires."""
    given = float(told) if isinstance(told, int | float) and not isinstance(told, bool) else _UNSAID_S
    return max(min(given, _LONGEST_S) - min(_EARLY_S, given / 10), 0.0)


def _key_of(login: OAuthClient | OpenIdClient) -> str:
    return hashlib.sha256(login.model_dump_json().encode()).hexdigest()
