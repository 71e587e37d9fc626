"""Everyone who says which model there is says the same: the banner, and the doctor (in its own tests)."""

import pytest

from federation.up import describe_model
from shared.settings import FederationSettings

_UNSET = dict.fromkeys(("llm_provider", "llm_model", "llm_base_url", "openai_api_key", "groq_api_key"))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({}, "No model: "),
        ({"groq_api_key": "gsk-1"}, "Model: openai/gpt-oss-20b (groq)."),
        ({"llm_base_url": "http://127.0.0.1:9/v1"}, "Model: the one that is served (http://127.0.0.1:9/v1)."),
        ({"llm_provider": "groq"}, "Model: none can be used: LLM_PROVIDER is groq, but GROQ_API_KEY is not set"),
        (
            {"llm_provider": "openai", "groq_api_key": "gsk-1"},
            "Model: none can be used: LLM_PROVIDER is openai, but OPENAI_API_KEY is not set",
        ),
        (
            {"llm_provider": "groq", "llm_base_url": "http://127.0.0.1:9", "openai_api_key": "sk-1"},
            "Model: none can be used: LLM_PROVIDER is groq, but GROQ_API_KEY is not set",
        ),
    ],
)
def test_a_model_whose_key_is_missing_is_not_announced_as_one(given: dict[str, str], line: str) -> None:
    assert describe_model(FederationSettings.model_validate({**_UNSET, **given})).startswith(line)
