"""The service as others see it: its card, calls over A2A, which skill is chosen, what an idle process carries."""

import subprocess
import sys
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.types import Message, Part, Role, SendMessageRequest, TaskState
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from api_agent_service import material
from api_agent_service.agent import choose
from api_agent_service.main import create
from shared.agent import METADATA_KEY, AgentRequest, File, JsonObject
from shared.errors import InvalidRequestError
from tests.api_agent.asking import SALES, make_settings
from tests.support.serving import serve


def message(text: str, skill: str | None = None) -> JsonObject:
    body: JsonObject = {"messageId": str(uuid4()), "role": "ROLE_USER", "parts": [{"text": text}]}
    if skill:
        body["metadata"] = {METADATA_KEY: {"skill": skill}}
    return {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": body}}


async def send(client: httpx.AsyncClient, text: str, skill: str | None = None) -> dict[str, JsonObject]:
    response = await client.post("/", headers={"A2A-Version": "1.0"}, json=message(text, skill))
    return cast("dict[str, JsonObject]", response.json()["result"]["task"])


async def test_each_skill_answers_a_direct_call_over_a2a(tmp_path: Path) -> None:
    app = create(make_settings(data_dir=tmp_path))
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        card = (await client.get("/.well-known/agent-card.json")).json()
        health = (await client.get("/health")).json()
        answered = await send(client, f"average price by city\n\n{SALES}")
        summarized = await send(client, "Summarize in one sentence: It was built in 1872. It is a museum now.")
        extracted = await send(client, "Extract e-mails: a@b.org")
        failed = await send(client, "average prize by city\n\n" + SALES, "analyze-data")

    assert [skill["id"] for skill in card["skills"]] == ["summarize", "analyze-data", "extract-data"]
    assert health["status"] == "ok"
    for task, said in ((answered, "| Oslo | 40 |"), (summarized, "It was built in 1872."), (extracted, "a@b.org")):
        assert "TASK_STATE_COMPLETED" in str(task["status"])
        assert said in str(task["artifacts"])
    names = {str(artifact["name"]) for artifact in cast("list[JsonObject]", answered["artifacts"])}
    assert names == {"analysis", "chart.vl.json", "chart.png"}
    assert "TASK_STATE_FAILED" in str(failed["status"])
    assert "There is no column 'prize'. Did you mean price?" in str(failed["status"])


async def test_the_official_client_gets_an_answer(tmp_path: Path) -> None:
    async with serve(create(make_settings(data_dir=tmp_path))) as url, httpx.AsyncClient(timeout=30) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        for interface in card.supported_interfaces:
            interface.url = url + urlsplit(interface.url).path
        client = ClientFactory(ClientConfig(httpx_client=http)).create(card)
        asked = Part(text=f"how many orders per status\n{SALES}")
        request = SendMessageRequest(message=Message(message_id="1", role=Role.ROLE_USER, parts=[asked]))
        events = [event async for event in client.send_message(request)]

    assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


@pytest.mark.parametrize(
    ("text", "files", "skill"),
    [
        ("Summarize this.\n\nA long text, with commas, in it.\nAnother line, with commas, in it.", (), "summarize"),
        ("Once upon a time there was a king. He had a castle.", (), "summarize"),
        ("tl;dr\n\nIt was a dark night.", (), "summarize"),
        (f"average price by city\n{SALES}", (), "analyze-data"),
        (f"Profile and summarize this table\n{SALES}", (), "analyze-data"),
        ('[{"a": 1}, {"a": 2}]', (), "analyze-data"),
        ("What is in https://example.org/sales.csv?x=1", (), "analyze-data"),
        ("What is this?", (File("sales.parquet", "", b"PAR1"),), "analyze-data"),
        ("What is this?", (File("letter.pdf", "application/pdf", b"%PDF"),), "summarize"),
        ("Extract all dates:\n\n1 May 2024", (), "extract-data"),
        (f"Extract the e-mails\n{SALES}", (), "extract-data"),
    ],
)
def test_the_skill_follows_from_the_words_and_the_material(text: str, files: tuple[File, ...], skill: str) -> None:
    assert choose(AgentRequest(text, "t", "c", "m", files=files)) == skill


def test_the_skill_that_is_asked_for_is_taken_and_an_unknown_one_refused() -> None:
    assert choose(AgentRequest("Summarize: a", "t", "c", "m", skill="extract-data")) == "extract-data"
    with pytest.raises(
        InvalidRequestError, match="This agent has no skill 'cook'; it has summarize, analyze-data and extract-data"
    ):
        choose(AgentRequest("Cook", "t", "c", "m", skill="cook"))


def test_a_table_that_is_to_be_summarized_is_profiled() -> None:
    file = File("sales.csv", "text/csv", SALES.encode())
    assert (
        choose(AgentRequest("Summarize this file", "t", "c", "m", files=(file,), skill="summarize")) == "analyze-data"
    )


def test_an_empty_message_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"The message is empty\. Say what to do"):
        choose(AgentRequest("  \n", "t", "c", "m"))


@pytest.mark.parametrize(
    ("text", "instruction", "rest"),
    [
        ("Summarize in three sentences: Foo bar. Baz.", "Summarize in three sentences", "Foo bar. Baz."),
        ("Summarize https://a.org/b: it is long", "Summarize https://a.org/b", "it is long"),
        ("Summarize this.\n\nLong text here.", "Summarize this.", "Long text here."),
        ("Long text here.\nmore\n\nSummarize the above.", "Summarize the above.", "Long text here.\nmore"),
        ("Summarize it\n```\nLong text\n```", "Summarize it", "Long text"),
        ("Summarize:\nhttps://a.org/b", "Summarize:\nhttps://a.org/b", ""),
        ("Summarize both: https://a.org, https://b.org", "Summarize both: https://a.org, https://b.org", ""),
        ("Just some text. With sentences.", "", "Just some text. With sentences."),
        ("What is love? A long text.\nMore lines", "", "What is love? A long text.\nMore lines"),
    ],
)
def test_instruction_and_text_are_told_apart(text: str, instruction: str, rest: str) -> None:
    assert material.split_prose(text) == material.Parts(instruction, rest)


@pytest.mark.parametrize(
    ("text", "instruction", "rest"),
    [
        ("average a:\n\na,b\n1,2\n\nthanks", "average a:\nthanks", "a,b\n1,2"),
        ("Max of a? ```csv\na,b\n1,2\n```", "Max of a? ```csv\n```", "a,b\n1,2"),
        ('Profile [{"a": 1}]', "Profile", '[{"a": 1}]'),
        ('{"a": 1}\n{"a": 2}\nWhich is larger?', "Which is larger?", '{"a": 1}\n{"a": 2}'),
        ("x\n\n| a | b |\n|---|---|\n| x | 1 |\nrest", "x\nrest", "| a | b |\n|---|---|\n| x | 1 |"),
        ("As shown in [1], and\n[1] https://a.org", "As shown in [1], and\n[1] https://a.org", ""),
        ('Total:\n[{"a": 1},', "Total:", '[{"a": 1},'),
    ],
)
def test_instruction_and_table_are_told_apart(text: str, instruction: str, rest: str) -> None:
    assert material.split_table(text) == material.Parts(instruction, rest)


@given(st.text(alphabet='ab1,;|:.?!-{}[]"` \n', max_size=120))
@given_settings(max_examples=200, deadline=None)
def test_nothing_is_lost_between_instruction_and_material(text: str) -> None:
    for split in (material.split_prose, material.split_table):
        parts = split(text)
        if "```" not in text:
            left = sorted((parts.instruction + parts.material).replace(":", "").split())
            assert "".join(sorted("".join(left))) == "".join(sorted("".join(text.replace(":", "").split())))


def test_an_idle_service_does_not_carry_what_only_requests_need() -> None:
    heavy = "{'duckdb', 'vl_convert', 'jsonschema_rs', 'lxml', 'trafilatura', 'pypdf', 'openai', 'groq'}"
    code = f"import sys, api_agent_service.main; print({heavy} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "set()\n"
