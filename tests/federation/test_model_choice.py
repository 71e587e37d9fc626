"""Everyone who says which model there is says the same: the banner, the doctor (in its own tests), the code agent."""

import pytest

from code_agent_service import card
from code_agent_service.settings import Settings
from federation.up import describe_model

_UNSET = dict.fromkeys(("llm_provider", "llm_model", "llm_base_url", "openai_api_key", "groq_api_key"))


@pytest.mark.parametrize(
    ("given", "line", "writes"),
    [
        ({}, "No model: ", False),
        ({"groq_api_key": "gsk-1"}, "Model: openai/gpt-oss-20b (groq).", True),
        ({"llm_base_url": "http://127.0.0.1:9/v1"}, "Model: the one that is served (http://127.0.0.1:9/v1).", True),
        ({"llm_provider": "groq"}, "Model: none can be used: LLM_PROVIDER is groq, but GROQ_API_KEY is not set", False),
        (
            {"llm_provider": "openai", "groq_api_key": "gsk-1"},
            "Model: none can be used: LLM_PROVIDER is openai, but OPENAI_API_KEY is not set",
            False,
        ),
        (
            {"llm_provider": "groq", "llm_base_url": "http://127.0.0.1:9", "openai_api_key": "sk-1"},
            "Model: none can be used: LLM_PROVIDER is groq, but GROQ_API_KEY is not set",
            False,
        ),
    ],
)
def test_a_model_whose_key_is_missing_is_neither_announced_nor_built_upon(
    given: dict[str, str], line: str, writes: bool
) -> None:
    settings = Settings.model_validate({**_UNSET, **given})
    assert describe_model(settings).startswith(line)
    assert ("write-code" in {skill.id for skill in card.build(settings).skills}) == writes
