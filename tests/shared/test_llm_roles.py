"""Which model is asked: names, roles, what a task wants instead, and who takes over from whom."""

import asyncio

import pytest
from pydantic import SecretStr

from shared.agent import METADATA_KEY, AgentRequest, JsonObject
from shared.errors import ModelBudgetError, ModelRefusedError, ModelUnavailableError
from shared.llm import MODEL_ERRORS, Model, Role, choose, open_model, open_models, spent
from shared.settings import FederationSettings
from tests.shared.asking_model import City, collect, settings
from tests.support.model_server import Failure, Fixed, Hang, ModelRequest, ModelServer, Reply, Slow, Text, model_server

_KEYS = {
    f"{name}_api_key": SecretStr(f"key-of-{name}") for name in ("openai", "groq", "anthropic", "together", "openrouter")
}


def request(**call: JsonObject) -> AgentRequest:
    return AgentRequest("go", "task", "context", "message", metadata={METADATA_KEY: {**call}})


def endpoints(**servers: ModelServer) -> tuple[str, ...]:
    return tuple(f"{name}={server.base_url}" for name, server in servers.items())


def keyed(own: FederationSettings) -> FederationSettings:
    return own.model_copy(update={"llm_endpoint_keys": SecretStr("one=k1,two=k2,lab=k3,mine=k4")})


@pytest.mark.parametrize(
    ("name", "provider", "model", "url"),
    [
        ("groq:openai/gpt-oss-20b", "groq", "openai/gpt-oss-20b", "https://api.groq.com"),
        ("anthropic:claude-haiku-4-5", "anthropic", "claude-haiku-4-5", "https://api.anthropic.com"),
        ("together:meta/llama", "together", "meta/llama", "https://api.together.xyz/v1"),
        ("openrouter:anthropic/claude", "openrouter", "anthropic/claude", "https://openrouter.ai/api/v1"),
        ("ollama:llama3.2:1b", "ollama", "llama3.2:1b", "http://127.0.0.1:11434/v1"),
        ("vllm:qwen", "vllm", "qwen", "http://gpu:8080/v1"),
        ("mine:small", "mine", "small", "http://10.0.0.5/v1"),
        ("llama3.2:1b", "openai", "llama3.2:1b", "https://api.openai.com/v1"),
    ],
)
def test_a_model_is_named_with_its_provider(name: str, provider: str, model: str, url: str) -> None:
    there = ("vllm=http://gpu:8080/v1", "mine=http://10.0.0.5/v1")
    found = choose(keyed(settings(llm_model=name, llm_endpoints=there, **_KEYS)))
    assert found is not None
    assert (found.provider, found.name, found.access.base_url) == (provider, model, url)
    assert not found.missing


def test_what_a_model_lacks_is_named() -> None:
    for name, lacking in (
        ("groq:x", "GROQ_API_KEY"),
        ("anthropic:x", "ANTHROPIC_API_KEY"),
        ("vllm:x", "LLM_ENDPOINTS"),
    ):
        found = choose(settings(llm_model=name))
        assert found is not None
        assert lacking in found.missing


async def test_each_role_has_its_own_model_and_the_common_one_otherwise() -> None:
    async with model_server(otherwise="ok") as server:
        own = settings(llm_base_url=server.base_url, llm_model="common", llm_model_judge="strict")
        async with open_models(own) as models:
            roles: tuple[Role, ...] = ("judge", "research")
            for role in roles:
                model = models.of(role)
                assert model is not None
                await model.complete("hi")
    assert [asked.model for asked in server.requests] == ["strict", "common"]


async def test_a_task_may_want_another_model_for_a_role() -> None:
    async with model_server(otherwise="ok") as server, model_server(otherwise="ok") as other:
        own = settings(llm_base_url=server.base_url, llm_model="common", llm_endpoints=endpoints(lab=other))
        async with open_models(keyed(own)) as models:
            wanting = request(models={"summarize": "lab:big"})
            roles: tuple[Role, ...] = ("summarize", "code")
            for role in roles:
                model = models.of(role, wanting)
                assert model is not None
                await model.complete("hi")
    assert [asked.model for asked in other.requests] == ["big"]
    assert [asked.model for asked in server.requests] == ["common"]


async def test_a_wanted_model_that_cannot_be_called_is_named_with_what_it_lacks() -> None:
    async with open_models(settings(llm_base_url="http://127.0.0.1:9/v1", llm_model="common")) as models:
        with pytest.raises(ModelRefusedError, match="GROQ_API_KEY"):
            models.of("code", request(models={"code": "groq:x"}))
    async with open_models(settings()) as models:
        with pytest.raises(ModelRefusedError, match="PROVIDER:NAME"):
            models.of("code", request(models={"code": "unheard-of"}))


@pytest.mark.parametrize(
    "fails", [Failure(500, retry_after_s=0), Failure(401), Failure(404), "", Failure(429, code="insufficient_quota")]
)
async def test_the_next_model_of_a_role_takes_over(fails: Reply) -> None:
    async with model_server(otherwise=fails) as first, model_server(otherwise="from the second") as second:
        own = settings(llm_model="one:a,two:b", llm_endpoints=endpoints(one=first, two=second), llm_max_attempts=1)
        async with open_model(keyed(own)) as model:
            assert model is not None
            assert (await model.complete("hi")).text == "from the second"
            assert (model.provider, model.name) == ("two", "b")
            await collect(model, "hi", pieces := [])
    assert "".join(pieces) == "from the second"


async def test_a_model_that_contradicts_the_form_twice_is_followed_by_the_next_which_is_charged_with_both() -> None:
    good: Reply = {"name": "Rome", "people": 1}
    async with model_server(otherwise="no") as small, model_server(otherwise=good) as big:
        own = settings(llm_model="one:small,two:big", llm_endpoints=endpoints(one=small, two=big))
        async with open_model(keyed(own), "planner") as model:
            assert model is not None
            city, usage = await model.structured("Which city?", City)
    assert city.name == "Rome"
    assert (len(small.requests), len(big.requests)) == (2, 1)
    assert usage.llm_calls == 3
    assert [call.model for call in usage.calls] == ["one:small", "one:small", "two:big"]


async def test_a_model_that_is_away_is_asked_last_for_a_while() -> None:
    async with model_server(otherwise=Failure(503, retry_after_s=0)) as away, model_server(otherwise="ok") as there:
        own = settings(llm_model="one:a,two:b", llm_endpoints=endpoints(one=away, two=there), llm_max_attempts=1)
        async with open_model(keyed(own)) as model:
            assert model is not None
            for _ in range(3):
                await model.complete("hi")
    assert (len(away.requests), len(there.requests)) == (1, 3)


async def test_when_all_models_fail_the_last_error_is_told() -> None:
    async with model_server(otherwise="") as first, model_server(otherwise=Failure(401)) as second:
        own = settings(llm_model="one:a,two:b", llm_endpoints=endpoints(one=first, two=second))
        async with open_model(keyed(own)) as model:
            assert model is not None
            with pytest.raises(ModelRefusedError) as caught:
                await model.complete("hi")
    assert spent(caught.value).llm_calls == 1


async def test_a_stream_that_does_not_begin_in_time_is_given_to_the_next_model() -> None:
    async with model_server(otherwise=Hang()) as slow, model_server(otherwise="quick") as quick:
        own = settings(
            llm_model="one:a,two:b",
            llm_endpoints=endpoints(one=slow, two=quick),
            llm_first_token_timeout_s=0.3,
            llm_max_attempts=1,
        )
        async with open_model(keyed(own)) as model:
            assert model is not None
            await collect(model, "hi", pieces := [])
    assert "".join(pieces) == "quick"


async def test_a_stream_has_a_total_deadline() -> None:
    async with model_server(Slow("word " * 200, gap_s=0.05)) as server:
        own = settings(llm_base_url=server.base_url, llm_model="m", llm_stream_timeout_s=0.5)
        async with open_model(own) as model:
            assert model is not None
            pieces: list[str] = []
            with pytest.raises(ModelUnavailableError, match="LLM_STREAM_TIMEOUT_S"):
                await collect(model, "hi", pieces)
    assert pieces


async def test_only_so_many_calls_to_one_provider_run_at_once() -> None:
    done = 0
    done_before: list[int] = []

    def reply(_asked: ModelRequest) -> Fixed:
        done_before.append(done)
        return "ok"

    async def ask(model: Model) -> None:
        nonlocal done
        await model.complete("hi")
        done += 1

    async with model_server(otherwise=reply) as server:
        own = settings(llm_base_url=server.base_url, llm_model="m", llm_concurrency=1)
        async with open_model(own) as model, asyncio.TaskGroup() as group:
            assert model is not None
            for _ in range(5):
                group.create_task(ask(model))
    assert done_before == [0, 1, 2, 3, 4]


async def test_a_budget_of_tokens_is_kept_to() -> None:
    async with (
        model_server(Text("fine", input_tokens=80, output_tokens=15), otherwise="more") as server,
        open_models(settings(llm_base_url=server.base_url, llm_model="m")) as models,
    ):
        model = models.of("code", request(budget={"tokens": 100}))
        assert model is not None
        await model.complete("hi")
        with pytest.raises(ModelBudgetError):
            await model.complete("hi")
    assert len(server.requests) == 1
    assert int(str(server.requests[0].body["max_tokens"])) <= 100


async def test_a_budget_of_money_bounds_the_answer_by_the_price() -> None:
    async with model_server(otherwise="ok") as server:
        own = settings(llm_base_url=server.base_url, llm_model="m", llm_price_output_per_mtok=1_000.0)
        async with open_models(own) as models:
            model = models.of("code", request(budget={"cost_usd": 0.05}))
            assert model is not None
            await model.complete("hi", max_tokens=1_000)
            nothing = models.of("code", request(budget={"cost_usd": 0.0}))
            assert nothing is not None
            with pytest.raises(MODEL_ERRORS):
                await nothing.complete("hi")
    assert server.requests[0].body["max_tokens"] == 50
    assert len(server.requests) == 1


@pytest.mark.parametrize("in_graph", [False, True])
async def test_each_call_says_its_model_role_tokens_and_how_long_it_took(in_graph: bool) -> None:
    answer = Text("four words are here", input_tokens=100, output_tokens=7, cached_tokens=60)
    async with (
        model_server(answer) as server,
        open_models(settings(llm_base_url=server.base_url, llm_model="m"), in_graph=in_graph) as models,
    ):
        model = models.of("research")
        assert model is not None
        [call] = (await model.complete("hi")).usage.calls
    assert (call.model, call.role) == ("openai:m", "research")
    assert (call.input_tokens, call.output_tokens, call.cached_tokens) == (100, 7, 60)
    assert call.latency_ms > 0
    assert not call.cached
