"""Settings that more than one service reads: environment variables, or a `.env` file in the working folder."""

import os
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ServiceName = Literal["orchestrator", "research", "api", "browser", "code", "host"]

PORT_SETTINGS: Final[dict[ServiceName, str]] = {
    "orchestrator": "ORCHESTRATOR_PORT",
    "research": "RESEARCH_AGENT_PORT",
    "api": "API_AGENT_PORT",
    "browser": "BROWSER_PORT",
    "code": "CODE_AGENT_PORT",
    "host": "AGENT_HOST_PORT",
}

_LONGEST_S: Final = 100 * 365 * 86_400


def _is_address(value: str, schemes: frozenset[str]) -> bool:
    try:
        parts = urlsplit(value)
        is_whole = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_whole and not any(char.isspace() for char in value)


def _check_address(value: str) -> str:
    if not _is_address(value, frozenset({"http", "https"})):
        raise ValueError("that is no address; write it like http://127.0.0.1:8000")
    return value


def _check_devtools_address(value: str) -> str:
    if not _is_address(value, frozenset({"http", "https", "ws", "wss"})):
        raise ValueError("that is no address; write it like http://127.0.0.1:9222")
    return value


def _check_folder(value: Path) -> Path:
    if not os.access(value, os.R_OK | os.X_OK) or not value.is_dir():
        raise ValueError("there is no such folder that can be read")
    return value


Address = Annotated[str, AfterValidator(_check_address)]
"""A setting that is an address over HTTP."""

DevToolsAddress = Annotated[str, AfterValidator(_check_devtools_address)]
"""A setting that is the address of a browser's DevTools, over HTTP or as a WebSocket."""

Folder = Annotated[Path, AfterValidator(_check_folder)]
"""A setting that names a folder which is there; for a default that may be missing, say `validate_default=False`."""


class FederationSettings(BaseSettings):
    """Where the services are, where data is kept, which model is used, and how long things may take.

    Each service has a frozen subclass. A field's description is its line in `.env.example`.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    federation_host: str = Field(default="127.0.0.1", description="Address every service binds to.")
    federation_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Names under which services are called, besides localhost and their URLs'; default: any, "
        "but none while FEDERATION_HOST is loopback.",
    )
    orchestrator_port: int = Field(default=8000, ge=1, le=65535, description="Port of the orchestrator.")
    research_agent_port: int = Field(default=8001, ge=1, le=65535, description="Port of the research agent.")
    api_agent_port: int = Field(default=8002, ge=1, le=65535, description="Port of the API agent.")
    browser_port: int = Field(default=8003, ge=1, le=65535, description="Port of the browser service.")
    code_agent_port: int = Field(default=8004, ge=1, le=65535, description="Port of the code agent.")
    agent_host_port: int = Field(default=8005, ge=1, le=65535, description="Port of the host of template agents.")

    orchestrator_url: Address | None = Field(
        default=None,
        description="Where others reach the orchestrator; default http://FEDERATION_HOST:ORCHESTRATOR_PORT.",
    )
    research_agent_url: Address | None = Field(default=None, description="Where others reach the research agent.")
    api_agent_url: Address | None = Field(default=None, description="Where others reach the API agent.")
    browser_url: Address | None = Field(default=None, description="Where others reach the browser service.")
    code_agent_url: Address | None = Field(default=None, description="Where others reach the code agent.")
    agent_host_url: Address | None = Field(default=None, description="Where others reach the host of template agents.")

    data_dir: Path = Field(default=Path("./data"), description="Databases, artifacts and recordings.")
    database_url: SecretStr | None = Field(
        default=None, description="postgresql://USER:PASSWORD@HOST/NAME for many machines; default: SQLite in DATA_DIR."
    )
    federation_secret_key: SecretStr | None = Field(
        default=None,
        description="Secret that keys are made from (user ids, credentials, webhooks), the same on every machine; "
        "default: made once in DATA_DIR/secret.key.",
    )

    llm_provider: Literal["openai", "groq", "anthropic", "together", "openrouter", "ollama", "vllm"] | None = Field(
        default=None,
        description="Provider of models that are named without one: openai (any OpenAI-compatible address), groq, "
        "anthropic, together, openrouter, ollama or vllm; default: by the key that is set.",
    )
    llm_model: str | None = Field(
        default=None,
        description="Model, as NAME or PROVIDER:NAME; of several, separated by commas, the next is asked where one "
        "fails; default: a small one of the provider.",
    )
    llm_model_planner: str | None = Field(
        default=None, description="Model that plans and routes, small ones first; default: LLM_MODEL."
    )
    llm_model_research: str | None = Field(default=None, description="Model of the research agent; default: LLM_MODEL.")
    llm_model_summarize: str | None = Field(
        default=None, description="Model of summaries, questions about data and extraction; default: LLM_MODEL."
    )
    llm_model_code: str | None = Field(default=None, description="Model that writes code; default: LLM_MODEL.")
    llm_model_judge: str | None = Field(default=None, description="Model that judges answers; default: LLM_MODEL.")
    llm_base_url: Address | None = Field(
        default=None, description="OpenAI-compatible address, e.g. http://127.0.0.1:11434/v1 for Ollama."
    )
    llm_endpoints: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Addresses of more providers, as NAME=URL, separated by commas: other OpenAI-compatible servers, "
        "or another address for a known provider; models there are NAME:MODEL.",
    )
    llm_endpoint_keys: SecretStr | None = Field(
        default=None, description="Keys for LLM_ENDPOINTS, as NAME=KEY, separated by commas."
    )
    openai_api_key: SecretStr | None = Field(default=None, description="Key for OpenAI, or for LLM_BASE_URL.")
    groq_api_key: SecretStr | None = Field(default=None, description="Key for Groq.")
    anthropic_api_key: SecretStr | None = Field(default=None, description="Key for Anthropic.")
    together_api_key: SecretStr | None = Field(default=None, description="Key for Together.")
    openrouter_api_key: SecretStr | None = Field(default=None, description="Key for OpenRouter.")
    llm_timeout_s: float = Field(
        default=60.0, gt=0, description="Longest wait for one answer of the model, in seconds."
    )
    llm_first_token_timeout_s: float = Field(
        default=30.0, gt=0, description="Longest wait for the first piece of a streamed answer, in seconds."
    )
    llm_stream_timeout_s: float = Field(
        default=300.0, gt=0, description="Longest time for the whole of a streamed answer, in seconds."
    )
    llm_max_attempts: int = Field(default=3, ge=1, le=10, description="Most attempts for one answer of the model.")
    llm_concurrency: int = Field(
        default=8, ge=1, description="Calls that one service makes to one provider at the same time."
    )
    llm_max_input_chars: int = Field(
        default=400_000, ge=1_000, description="Longest prompt that is sent to the model, in characters."
    )
    llm_cache_ttl_s: float = Field(
        default=0.0,
        ge=0,
        description="How long an answer is kept and given again to exactly the same prompt, in seconds; 0: never.",
    )
    llm_price_input_per_mtok: float = Field(
        default=0.0, ge=0, description="Price in USD of a million input tokens of models without a known price."
    )
    llm_price_output_per_mtok: float = Field(
        default=0.0, ge=0, description="Price in USD of a million output tokens of models without a known price."
    )

    embedding_model: str | None = Field(
        default=None,
        description="Embedding model that searches by meaning, e.g. nomic-embed-text; default: words are searched.",
    )
    embedding_base_url: Address | None = Field(
        default=None, description="OpenAI-compatible address of the embedding model; default: LLM_BASE_URL, or OpenAI."
    )
    embedding_api_key: SecretStr | None = Field(
        default=None, description="Key for EMBEDDING_BASE_URL; without that, default: OPENAI_API_KEY."
    )
    embedding_timeout_s: float = Field(
        default=10.0, gt=0, description="Longest wait for one answer of the embedding model, in seconds."
    )

    egress_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Private addresses outgoing calls may reach, e.g. 127.0.0.1:9900-9999,10.0.0.0/8:443.",
    )
    federation_allow_private_agents: bool | None = Field(
        default=None,
        description="Let outgoing calls reach loopback; default: only while FEDERATION_HOST is loopback.",
    )

    connect_timeout_s: float = Field(
        default=5.0, gt=0, description="Longest time to open a connection to an agent, in seconds."
    )
    first_byte_timeout_s: float = Field(
        default=30.0, gt=0, description="Longest wait for the first byte of an agent's answer, in seconds."
    )
    card_timeout_s: float = Field(default=10.0, gt=0, description="Longest time to fetch an agent card, in seconds.")
    step_timeout_s: float = Field(default=600.0, gt=0, description="Longest time for one step, in seconds.")
    task_timeout_s: float = Field(default=3600.0, gt=0, description="Longest time for one task, in seconds.")
    stream_gap_timeout_s: float = Field(
        default=120.0,
        gt=0,
        description="Longest silence in a stream before the agent is asked how it stands, in seconds.",
    )

    max_body_bytes: int = Field(
        default=33_554_432, ge=1_024, description="Largest request body that a service accepts, in bytes."
    )
    shutdown_timeout_s: int = Field(
        default=5, ge=0, description="How long open requests may go on when a service stops, in seconds."
    )
    federation_register: bool = Field(
        default=True, description="Whether the bundled agents register themselves at the orchestrator."
    )
    register_interval_s: float = Field(
        default=3.0,
        gt=0,
        description="Pause between two looks whether the orchestrator still knows this agent, in seconds.",
    )
    a2a_retention_h: float = Field(
        default=168.0, gt=0, description="How long finished A2A tasks are kept by the service that did them, in hours."
    )

    mcp_servers: Path | None = Field(
        default=None, description="YAML file with the MCP servers whose tools agents may use."
    )

    card_signing_key: SecretStr | None = Field(
        default=None,
        description="Private key that signs the agent cards (P-256): a PEM file's path, or the PEM itself; "
        "default: cards are not signed.",
    )
    card_security: str | None = Field(
        default=None,
        description="What a proxy before the services asks callers for, as the cards are to say it: JSON with an agent "
        "card's securitySchemes and securityRequirements.",
    )
    a2a_conformance: bool = Field(
        default=False,
        description="Answer the messages of A2A's conformance kit as it asks; only while FEDERATION_HOST is loopback.",
    )

    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="json, text, or auto: text on a terminal, JSON lines elsewhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe level that is logged."
    )

    @field_validator("egress_allow", "federation_hosts", "llm_endpoints", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("*")
    @classmethod
    def _check_size(cls, value: object, info: ValidationInfo) -> object:
        """Refuse numbers that no clock counts to, infinity above all; those that are no times are bounded alike."""
        if isinstance(value, float):
            unit_s = 3_600 if str(info.field_name).endswith(("_h", "_hours")) else 1
            if not value * unit_s <= _LONGEST_S:
                raise ValueError(f"Input should be at most {_LONGEST_S // unit_s}")
        return value

    def port_of(self, service: ServiceName) -> int:
        """Return the port that `service` listens on."""
        ports: dict[ServiceName, int] = {
            "orchestrator": self.orchestrator_port,
            "research": self.research_agent_port,
            "api": self.api_agent_port,
            "browser": self.browser_port,
            "code": self.code_agent_port,
            "host": self.agent_host_port,
        }
        return ports[service]

    def url_of(self, service: ServiceName) -> str:
        """Return the base URL, without a slash at the end, at which others reach `service`."""
        configured: dict[ServiceName, str | None] = {
            "orchestrator": self.orchestrator_url,
            "research": self.research_agent_url,
            "api": self.api_agent_url,
            "browser": self.browser_url,
            "code": self.code_agent_url,
            "host": self.agent_host_url,
        }
        return (configured[service] or f"http://{self.federation_host}:{self.port_of(service)}").rstrip("/")
