"""Answers that are given again: to the same prompt, for a while, at no cost; in both databases."""

from pathlib import Path

from shared.agent import Usage
from shared.llm import open_model
from shared.settings import FederationSettings
from tests.shared.asking_model import City, settings
from tests.support.model_server import ModelServer, model_server


def caching(server: ModelServer, folder: Path, **changes: object) -> FederationSettings:
    return settings(
        llm_base_url=server.base_url,
        llm_model="m",
        data_dir=folder,
        **{"llm_cache_ttl_s": 60.0, "llm_price_output_per_mtok": 10.0, **changes},
    )


async def test_the_same_prompt_is_answered_from_the_cache_and_counted_as_saved(
    stored_settings: FederationSettings,
) -> None:
    async with model_server("first", "second") as server:
        own = caching(server, stored_settings.data_dir, database_url=stored_settings.database_url)
        async with open_model(own) as model:
            assert model is not None
            await model.complete("hi")
        async with open_model(own) as model:  # another process, later
            assert model is not None
            again = await model.complete("hi")
            other = await model.complete("hi there")
    assert (again.text, other.text) == ("first", "second")
    assert again.usage == Usage()
    [call] = again.usage.calls
    assert call.cached
    assert call.saved_usd > 0
    assert len(server.requests) == 2


async def test_answers_in_a_form_are_kept_only_if_they_fit(tmp_path: Path) -> None:
    async with (
        model_server("rubbish", {"name": "Rome", "people": 1}) as server,
        open_model(caching(server, tmp_path)) as model,
    ):
        assert model is not None
        await model.structured("Which?", City)
        assert len(server.requests) == 2
        server.replies.append({"name": "Oslo", "people": 2})
        city, _ = await model.structured("Which?", City)
    assert city.name == "Oslo"  # the first prompt was answered with rubbish: that was not kept


async def test_an_old_answer_is_not_given_again(tmp_path: Path) -> None:
    async with (
        model_server("first", "second") as server,
        open_model(caching(server, tmp_path, llm_cache_ttl_s=1e-6)) as model,
    ):
        assert model is not None
        await model.complete("hi")
        assert (await model.complete("hi")).text == "second"


async def test_without_a_time_to_live_nothing_is_kept(tmp_path: Path) -> None:
    async with (
        model_server("first", "second") as server,
        open_model(caching(server, tmp_path, llm_cache_ttl_s=0.0)) as model,
    ):
        assert model is not None
        await model.complete("hi")
        assert (await model.complete("hi")).text == "second"
    assert not (tmp_path / "models.db").exists()
