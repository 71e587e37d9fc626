"""Whatever a card says of its security, what it lacks is said in a sentence, and no secret goes where only it says."""

from contextlib import nullcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from shared import http
from shared.agent import JsonObject
from shared.agent_card import parse_card
from shared.credential_binding import bind, explain, missing
from shared.credentials import AnyCredential, ApiKey, BasicLogin, BearerToken, OAuthClient, OpenIdClient, Secrets
from shared.errors import AgentCardInvalidError, InvalidRequestError
from tests.orchestrator.fickle import card_of

ORIGIN = "https://agent.example"
SECRET = SecretStr("s3cret")
urls = st.sampled_from(["", "nope", f"{ORIGIN}/token", "https://elsewhere.example/token", "http://agent.example/token"])
names = st.sampled_from(["one", "two", "three"])


def api_key(name: str, location: str) -> JsonObject:
    """Return a scheme of that kind."""
    return {"apiKeySecurityScheme": {"name": name, "location": location}}


def login(kind: str) -> JsonObject:
    """Return a scheme of that kind."""
    return {"httpAuthSecurityScheme": {"scheme": kind}}


def oauth(url: str) -> JsonObject:
    """Return a scheme of that kind."""
    return {"oauth2SecurityScheme": {"flows": {"clientCredentials": {"tokenUrl": url}}}}


def openid(url: str) -> JsonObject:
    """Return a scheme of that kind."""
    return {"openIdConnectSecurityScheme": {"openIdConnectUrl": url}}


def bare(kind: str) -> JsonObject:
    """Return a scheme that says nothing of itself."""
    return {kind: {}}


def requirement(asked: dict[str, list[str]]) -> JsonObject:
    """Return a requirement of these schemes with their scopes."""
    return {"schemes": {name: {"list": [*scopes]} for name, scopes in asked.items()}}


schemes = st.one_of(
    st.builds(api_key, st.text(max_size=8), st.sampled_from(["header", "query", "cookie", "body", ""])),
    st.builds(login, st.sampled_from(["bearer", "Basic", "hoba"])),
    st.builds(oauth, urls),
    st.builds(openid, urls),
    st.builds(bare, st.sampled_from(["mtlsSecurityScheme", "unknownSecurityScheme"])),
)
credentials: st.SearchStrategy[AnyCredential] = st.sampled_from(
    [
        ApiKey(type="api_key", value=SECRET),
        BearerToken(type="bearer", token=SECRET),
        BasicLogin(type="basic", username="us", password=SECRET),
        OAuthClient(type="oauth2", client_id="us", client_secret=SECRET),
        OpenIdClient(type="openid", client_id="us", client_secret=SECRET),
    ]
)
requirements = st.lists(
    st.builds(requirement, st.dictionaries(names, st.lists(st.text(max_size=5), max_size=2), max_size=2)), max_size=3
)


@settings(deadline=None)
@given(st.dictionaries(names, schemes), requirements, credentials, st.none() | names)
def test_a_secret_is_bound_to_its_scheme_and_the_agents_own_origin_or_refused(
    given_schemes: dict[str, JsonObject], required: list[JsonObject], credential: AnyCredential, name: str | None
) -> None:
    raw = card_of(ORIGIN, "Any")
    raw |= {"securitySchemes": {**given_schemes}, "securityRequirements": [*required]}
    try:
        card = parse_card(raw)
    except AgentCardInvalidError:
        return
    assert all(scheme in explain(scheme, card) for scheme in missing(card, None))
    try:
        bound = bind(credential if name is None else {name: credential}, card, ORIGIN)
    except InvalidRequestError:
        return
    [(where, made)] = bound.items()
    assert where in given_schemes or not given_schemes
    assert where not in missing(card, Secrets(origin=ORIGIN, credentials=bound)) or len(required) > 1
    match made:
        case OAuthClient(token_url=str(url)) | OpenIdClient(discovery_url=str(url)):
            assert http.origin_of(url) == ORIGIN
        case ApiKey():
            assert made.name
            assert made.location
        case _:
            pass


@pytest.mark.parametrize(
    ("url", "is_refused"),
    [
        ("http://elsewhere.example/token", True),
        ("https://elsewhere.example/token", False),
        ("http://127.0.0.1:9000/token", False),
    ],
)
def test_a_secret_goes_to_no_other_machine_without_tls_whoever_names_it(url: str, *, is_refused: bool) -> None:
    raw = card_of(ORIGIN, "Any")
    raw["securitySchemes"] = {"one": oauth(f"{ORIGIN}/token")}
    client = OAuthClient(type="oauth2", client_id="us", client_secret=SECRET, token_url=url)
    with pytest.raises(InvalidRequestError, match="https") if is_refused else nullcontext():
        assert bind(client, parse_card(raw), ORIGIN) == {"one": client.model_copy(update={"scopes": ()})}
