"""Which models the settings name: `provider:model`, one list for each role, and where they are reached. Pure."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from pydantic import SecretStr

from shared.errors import InvalidSettingError, ModelRefusedError
from shared.settings import FederationSettings

Role: TypeAlias = Literal["planner", "research", "summarize", "code", "judge"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

Api: TypeAlias = Literal["openai", "groq", "anthropic"]


@dataclass(frozen=True, slots=True)
class Access:
    """Where a provider is and with which key, and the names to use in error texts.

    `api` is what is spoken there. `is_official`: it is the provider's own address, where its prices hold.
    """

    provider: str
    api: Api
    base_url: str
    key: SecretStr
    key_setting: str
    is_official: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that the settings choose: its provider and name (empty: the server tells it), and where that is.

    `missing` says what it cannot be called without, and is empty when nothing is missing.
    """

    provider: str
    name: str
    missing: str
    access: Access


@dataclass(frozen=True, slots=True)
class _Known:
    api: Api
    url: str
    key_setting: str
    model: str = ""


_KNOWN: Final[dict[str, _Known]] = {
    "openai": _Known("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", "gpt-4.1-mini"),
    "groq": _Known("groq", "https://api.groq.com", "GROQ_API_KEY", "openai/gpt-oss-20b"),
    "anthropic": _Known("anthropic", "https://api.anthropic.com", "ANTHROPIC_API_KEY", "claude-haiku-4-5"),
    "together": _Known("openai", "https://api.together.xyz/v1", "TOGETHER_API_KEY", "openai/gpt-oss-20b"),
    "openrouter": _Known("openai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "openai/gpt-4.1-mini"),
    "ollama": _Known("openai", "http://127.0.0.1:11434/v1", ""),
    "vllm": _Known("openai", "", ""),
}
_NO_KEY: Final = "none"  # the SDKs want one; Ollama, vLLM and the like ignore it


def choose(settings: FederationSettings, role: Role | None = None) -> Choice | None:
    """Return the first model that the settings choose for a role, or None where they choose none."""
    return next(iter(choices(settings, role)), None)


def choices(settings: FederationSettings, role: Role | None = None) -> tuple[Choice, ...]:
    """Return the models that the settings choose for a role, the first to be asked first. Connects to nothing.

    Raises: InvalidSettingError for an entry in LLM_ENDPOINTS that is not NAME=URL.
    """
    own: dict[Role, str | None] = {
        "planner": settings.llm_model_planner,
        "research": settings.llm_model_research,
        "summarize": settings.llm_model_summarize,
        "code": settings.llm_model_code,
        "judge": settings.llm_model_judge,
    }
    listed = (own[role] if role else None) or settings.llm_model or ""
    names = [name.strip() for name in listed.split(",") if name.strip()]
    found = [named(settings, name) for name in names] or [_default(settings)]
    return tuple(choice for choice in found if choice is not None)


def named(settings: FederationSettings, name: str) -> Choice | None:
    """Return the model of this name, `provider:model` or `model`; None where no provider is set for the latter.

    What stands before the first colon is a provider only if there is one of that name: `llama3.2:1b` is a model.
    """
    provider, _, model = name.partition(":")
    if model and (provider in _KNOWN or provider in endpoints(settings)):
        return _choice(settings, provider, model)
    default = default_provider(settings)
    return None if default is None else _choice(settings, default, name)


def asked_for(settings: FederationSettings, name: str) -> Choice:
    """Return the model that a task asks for by its name. Raises: ModelRefusedError when it cannot be called."""
    choice = named(settings, name.strip())
    if choice is None:
        known = ", ".join([*_KNOWN, *(other for other in endpoints(settings) if other not in _KNOWN)])
        raise ModelRefusedError(
            f"No model {name[:100]!r} can be called; name it as PROVIDER:NAME, with one of: {known}."
        )
    if choice.missing:
        raise ModelRefusedError(f"The model {name[:100]!r} cannot be called. {choice.missing}")
    return choice


def default_provider(settings: FederationSettings) -> str | None:
    """Return the provider of models that are named without one, or None."""
    if settings.llm_provider is not None:
        return settings.llm_provider
    if settings.openai_api_key is not None or settings.llm_base_url is not None:
        return "openai"
    return next((name for name in ("groq", "anthropic", "together", "openrouter") if _key(settings, name)), None)


def endpoints(settings: FederationSettings) -> dict[str, str]:
    """Return the addresses of LLM_ENDPOINTS by name. Raises: InvalidSettingError for an entry that is not NAME=URL."""
    found: dict[str, str] = {}
    for entry in settings.llm_endpoints:
        name, _, url = entry.partition("=")
        if not name.strip() or not url.strip().startswith(("http://", "https://")):
            raise InvalidSettingError(
                f"LLM_ENDPOINTS has {entry!r}; each entry is NAME=URL, such as local=http://127.0.0.1:1234/v1."
            )
        found[name.strip()] = url.strip()
    return found


def _default(settings: FederationSettings) -> Choice | None:
    provider = default_provider(settings)
    if provider is None:
        return None
    served = provider == "openai" and settings.llm_base_url is not None
    return _choice(settings, provider, "" if served else _KNOWN[provider].model)


def _choice(settings: FederationSettings, provider: str, model: str) -> Choice:
    access = _access(settings, provider)
    missing = ""
    if not access.base_url:
        missing = f"Where {provider} is served is not set; set LLM_ENDPOINTS={provider}=URL."
    elif not access.key.get_secret_value():
        by_setting = settings.llm_provider == provider
        wanted = f"LLM_PROVIDER is {provider}" if by_setting else f"The model {model!r} is at {provider}"
        missing = f"{wanted}, but {access.key_setting} is not set; set it."
    return Choice(provider, model, missing, access)


def _access(settings: FederationSettings, provider: str) -> Access:
    known = _KNOWN.get(provider, _Known("openai", "", ""))
    url = endpoints(settings).get(provider)
    if provider == default_provider(settings):
        url = settings.llm_base_url or url
    key = _endpoint_keys(settings).get(provider) or _key(settings, provider)
    if not key and (not known.key_setting or (url and known.key_setting == "OPENAI_API_KEY")):
        key = _NO_KEY
    base_url = (url or known.url).rstrip("/")
    is_official = bool(known.key_setting) and base_url == known.url
    return Access(provider, known.api, base_url, SecretStr(key), known.key_setting or "LLM_ENDPOINT_KEYS", is_official)


def _key(settings: FederationSettings, provider: str) -> str:
    keys = {
        "openai": settings.openai_api_key,
        "groq": settings.groq_api_key,
        "anthropic": settings.anthropic_api_key,
        "together": settings.together_api_key,
        "openrouter": settings.openrouter_api_key,
    }
    key = keys.get(provider)
    return "" if key is None else key.get_secret_value()


def _endpoint_keys(settings: FederationSettings) -> dict[str, str]:
    listed = settings.llm_endpoint_keys.get_secret_value() if settings.llm_endpoint_keys else ""
    pairs = (entry.partition("=") for entry in listed.split(",") if entry.strip())
    return {name.strip(): key.strip() for name, _, key in pairs}
