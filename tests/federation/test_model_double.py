"""`federation model-double`: a scripted model over real HTTP, written in YAML."""

import asyncio
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from federation.model_double import script
from shared.errors import FederationError
from shared.llm import MODEL_ERRORS, open_model
from tests.shared.asking_model import City, settings

SCRIPT = """
models: [tiny]
rules:
  - prompt: weather in (\\w+)
    reply: It rains.
  - system: be a poet
    reply: {slow: {text: Roses are red., first_s: 0.01, gap_s: 0.001}}
replies:
  - fail: {status: 429, retry_after_s: 0}
  - text: Paris.
    usage: {input_tokens: 7, output_tokens: 2}
  - json: {name: Rome, people: 3}
  - tool_call: {name: answer, arguments: {name: Oslo, people: 1}}
  - cut: {clean: false}
  - raw: {body: "<html>", media_type: text/html}
  - fail: {status: 500}
  - text: ""
otherwise: That is all.
"""


_COMMAND = "from federation.cli import main; main()"


@asynccontextmanager
async def running(path: Path) -> AsyncGenerator[str]:
    """Run the command and yield the address that it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _COMMAND, "model-double", str(path), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            found = None
            while found is None:
                line = (await process.stdout.readline()).decode()
                assert line, "It ended without saying where it is."
                found = re.search(r"http://[\d.:]+/v1", line)
        yield found[0]
    finally:
        process.kill()
        await process.wait()


async def test_the_command_serves_what_the_script_says(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT, encoding="utf-8")
    async with running(path) as url, open_model(settings(llm_base_url=url)) as model:
        assert model is not None
        assert (await model.complete("How is the weather in Rome?")).text == "It rains."
        assert (await model.complete("Write.", system="Be a poet.")).text == "Roses are red."
        first = await model.complete("The capital of France?")  # after a 429
        assert (first.text, first.usage.input_tokens, model.name) == ("Paris.", 7, "tiny")
        assert (await model.structured("City?", City))[0].name == "Rome"
        assert (await model.structured("City?", City))[0].name == "Oslo"
        async with aclosing(model.stream("x")) as pieces:
            with pytest.raises(MODEL_ERRORS):
                _ = [piece async for piece in pieces]
        for _ in range(3):
            with pytest.raises(MODEL_ERRORS):
                await asked_once(url)
        assert (await model.complete("x")).text == "That is all."
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/models")).json()["data"][0]["id"] == "tiny"


async def asked_once(url: str) -> None:
    """Ask without a second attempt."""
    async with open_model(settings(llm_base_url=url, llm_model="tiny", llm_max_attempts=1)) as model:
        assert model is not None
        await model.complete("x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("replies: [{text: a, cut: {}}]", "one of text"),
        ("replies: [{fail: {status: 200}}]", "status"),
        ("rules: [{prompt: '(', reply: x}]", "regular expression"),
        ("repleis: []", "repleis"),
        ("replies: [", "line 1"),
        ("- a", r"the script: Input should be a valid dictionary\.$"),
        ("replies: [5]", r"replies\.0: Input should be a valid dictionary\.$"),
    ],
)
def test_what_is_wrong_with_a_script_is_said(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FederationError, match=says):
        script.read(path)


def test_a_script_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FederationError, match="No such file"):
        script.read(tmp_path / "none.yaml")
