"""The result's summary: composed without a model, written and cited with one."""

from collections.abc import Sequence
from contextlib import aclosing

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_service.planning.synthesis import StepOutput, compose, summarize
from shared.agent import Usage
from shared.llm import open_model
from shared.settings import FederationSettings
from tests.support.model_server import Cut, Failure, Reply, model_server

ONE = StepOutput(1, "read", "Open http://a.b and get the heading", "Browser agent", "Heading: **Hello**")
TWO = StepOutput(2, "find", "find what the docs say\nabout retries", "Research\nagent", "Three times [1].")


async def summarized(outputs: Sequence[StepOutput], *replies: Reply) -> tuple[str, list[Usage], str]:
    """Return the summary, its usages, and the prompt that the model got."""
    text = ""
    usages: list[Usage] = []
    async with model_server(*replies) as server:
        settings = FederationSettings.model_construct(
            llm_base_url=server.base_url, llm_model="scripted", llm_timeout_s=20.0, llm_max_attempts=1
        )
        async with open_model(settings) as model:
            assert model is not None
            async with aclosing(summarize(model, "What is there?", outputs)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Usage):
                        usages.append(piece)
                    else:
                        text += piece
        return text, usages, server.requests[0].prompt if server.requests else ""


def test_composed_parts_name_their_step_and_agent() -> None:
    assert compose("What is there?", [ONE, TWO]) == (
        "## 1. Open http://a.b and get the heading\n\n*Step 1, Browser agent*\n\nHeading: **Hello**\n\n"
        "## 2. find what the docs say\n\n*Step 2, Research*\n\nThree times [1]."
    )


def test_a_single_output_stands_alone_with_its_origin() -> None:
    assert compose("What is there?", [ONE]) == "Heading: **Hello**\n\n*Step 1, Browser agent*"


def test_an_agents_name_is_no_markup() -> None:
    spoof = StepOutput(1, "a", "x", "**[Bank](http://evil.example)**\n# Ha", "text")
    assert compose("goal", [spoof]) == "text\n\n*Step 1, Bank(http://evil.example)*"


def test_without_output_the_summary_says_so() -> None:
    silent = StepOutput(1, "a", "x", "A", " \n")
    assert "No step produced an output" in compose("What is there?", [silent])
    assert "What is there?" in compose("What is there?", [])


@hypothesis.settings(deadline=None)
@given(st.lists(st.builds(StepOutput, st.integers(1, 99), st.text(), st.text(), st.text(), st.text()), min_size=2))
def test_every_output_is_in_the_composed_text_and_origins_stay_on_their_line(outputs: list[StepOutput]) -> None:
    text = compose("goal", outputs)
    for output in outputs:
        assert output.text.strip() in text
        if output.text.strip():
            assert f"*Step {output.step_number}, " in text


async def test_the_models_summary_streams_with_its_citations_and_usage() -> None:
    text, usages, prompt = await summarized([ONE, TWO], "It says Hello [step 1] and three times [Step 2].")
    assert text == "It says Hello [step 1] and three times [step 2]."
    assert [usage.llm_calls for usage in usages] == [1]
    assert "What is there?" in prompt
    assert "Step 2 (find what the docs say), by Research:" in prompt
    assert f"result of step 1>>>\n{ONE.text}\n<<<end" in prompt


async def test_citations_of_steps_that_do_not_exist_are_taken_out() -> None:
    text, _, _ = await summarized([ONE, TWO], "Hello [step 1] again [step 9], both [steps 1, 2 and 7].")
    assert text == "Hello [step 1] again, both [step 1] [step 2]."


async def test_a_summary_that_cites_nothing_is_given_its_sources() -> None:
    text, _, _ = await summarized([ONE, TWO], "It says [hello] there [")
    assert text == "It says [hello] there [\n\nSources: [step 1] Browser agent; [step 2] Research"


@pytest.mark.parametrize("failure", [Failure(503), Failure(401), ""])
async def test_without_an_answer_of_the_model_the_outputs_are_composed(failure: Reply) -> None:
    text, _, _ = await summarized([ONE, TWO], failure)
    assert text == compose("What is there?", [ONE, TWO])


async def test_a_summary_that_breaks_off_is_followed_by_the_outputs() -> None:
    text, _, _ = await summarized([ONE, TWO], Cut("It says Hello and"))
    assert text.startswith("It says Hello")
    assert text.endswith(compose("What is there?", [ONE, TWO]))
    assert "broke off" in text


async def test_without_outputs_the_model_is_not_asked() -> None:
    text, usages, prompt = await summarized([])
    assert (usages, prompt) == ([], "")
    assert "No step produced an output" in text


async def test_huge_outputs_are_shortened_for_the_model() -> None:
    huge = StepOutput(1, "a", "x", "A", "word " * 200_000)
    _, _, prompt = await summarized([huge, TWO], "ok [step 1]")
    assert len(prompt) < 80_000
    assert "characters left out" in prompt
