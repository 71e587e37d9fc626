"""The Python client over real HTTP."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from federation import Client
from federation.connection import RefusedError
from federation.events import Event, OtherEvent, StepProgress, TaskStatusChanged
from shared.errors import AgentProtocolError, InvalidRequestError, TimedOutError, UnavailableError
from tests.federation.fake_orchestrator import BEGIN, END, LISTED_IDS, TASK_ID, FakeOrchestrator
from tests.federation.processes import free_ports
from tests.support.serving import serve


@asynccontextmanager
async def connected(fake: FakeOrchestrator) -> AsyncGenerator[Client]:
    async with serve(fake.app()) as url, Client(url, outage_s=10.0) as client:
        yield client


async def read_all(client: Client, after: int = 0) -> list[Event]:
    async with aclosing(client.events(TASK_ID, after=after)) as events:
        return [event async for event in events]


async def test_a_task_is_handed_in_and_its_result_comes_back() -> None:
    async with connected(fake := FakeOrchestrator()) as client:
        task = await client.run("open the page", agent="Browser")
    assert task.status == "completed"
    assert task.summary == "The heading is *Welcome*."
    assert [step.agent_name for step in task.steps] == ["Browser", "Browser"]
    assert fake.submitted == [{"description": "open the page", "agent": "Browser"}]


async def test_a_broken_stream_goes_on_without_gap_or_repeat() -> None:
    async with connected(fake := FakeOrchestrator(break_after=4)) as client:
        events = await read_all(client)
    assert [event.seq for event in events] == list(range(1, len(BEGIN) + len(END) + 1))
    assert fake.resumed_after == [None, "4"]


async def test_a_connection_that_breaks_and_is_made_again_at_once_is_no_outage() -> None:
    said: list[str] = []
    async with (
        serve(FakeOrchestrator(break_after=4).app()) as url,
        Client(url, on_outage=said.append) as client,
    ):
        await read_all(client)
    assert not said


async def test_a_stream_that_breaks_after_a_long_silence_goes_on_too() -> None:
    fake = FakeOrchestrator(hold=3, break_after=4)
    async with serve(fake.app()) as url, Client(url, outage_s=0.3) as client:
        asyncio.get_running_loop().call_later(0.6, fake.released.set)
        events = await read_all(client)
    assert len(events) == len(BEGIN) + len(END)


async def test_events_are_typed_and_unknown_ones_are_kept() -> None:
    async with connected(FakeOrchestrator()) as client:
        events = await read_all(client)
    assert any(isinstance(event, StepProgress) and event.text == "opening the page" for event in events)
    [other] = [event for event in events if isinstance(event, OtherEvent)]
    assert other.model_extra == {"to": "rain"}
    assert isinstance(events[-1], TaskStatusChanged)
    assert events[-1].status == "completed"


async def test_following_a_finished_task_from_its_end_ends_at_once() -> None:
    async with connected(FakeOrchestrator()) as client:
        assert await read_all(client, after=len(BEGIN) + len(END)) == []


async def test_a_lost_answer_does_not_make_a_second_task() -> None:
    async with connected(fake := FakeOrchestrator(lose_first_answer=True)) as client:
        task = await client.submit("open the page")
    assert task.id == TASK_ID
    assert len(fake.submitted) == 1
    assert len(fake.keys) == 2
    assert len(set(fake.keys)) == 1


async def test_files_go_along(tmp_path: Path) -> None:
    (tmp_path / "cities.csv").write_bytes(b"city,price\n")
    async with connected(fake := FakeOrchestrator()) as client:
        await client.submit("profile it", files=[tmp_path / "cities.csv"])
    assert fake.submitted[0]["files"] == [
        {"name": "cities.csv", "media_type": "text/csv", "content": "Y2l0eSxwcmljZQo="}
    ]


async def test_a_question_is_returned_and_its_answer_finishes_the_task() -> None:
    script = [*BEGIN, {"type": "input.required", "input_id": "i1", "prompt": "Which page?"}, *END]
    async with connected(fake := FakeOrchestrator(script=script)) as client:
        task = await client.run("open the page")
        assert task.status == "input_required"
        assert [pending.prompt for pending in task.pending_inputs] == ["Which page?"]
        await client.answer(task.id, task.pending_inputs[0].input_id, text="the first")
        assert (await client.wait(task.id)).status == "completed"
    assert fake.answers == [{"input_id": "i1", "text": "the first"}]


async def test_nobody_there_says_how_to_start() -> None:
    async with Client(f"http://127.0.0.1:{free_ports(1)[0]}") as client:
        assert not await client.is_ready()
        with pytest.raises(UnavailableError, match="federation up"):
            await client.submit("anything")


async def test_an_orchestrator_that_stays_away_ends_the_wait() -> None:
    async with Client(f"http://127.0.0.1:{free_ports(1)[0]}", outage_s=0.3) as client:
        with pytest.raises(UnavailableError, match=r"has not answered for 0\.3 s"):
            await client.wait(TASK_ID)


async def test_waiting_has_a_limit_and_the_task_goes_on() -> None:
    async with connected(fake := FakeOrchestrator(hold=3)) as client:
        with pytest.raises(TimedOutError, match="goes on"):
            await client.wait(TASK_ID, timeout_s=0.2)
        assert not fake.canceled
        fake.released.set()


async def test_a_refusal_is_the_orchestrators_own_sentence() -> None:
    async with connected(FakeOrchestrator()) as client:
        with pytest.raises(RefusedError, match=r"not valid\.\n/description: empty"):
            await client.submit(" ")
        with pytest.raises(RefusedError, match="There is no /api/tasks/x"):
            await client.get("x/y")


async def test_lists_are_read_page_by_page() -> None:
    async with connected(FakeOrchestrator()) as client:
        assert [task.id for task in await client.tasks()] == LISTED_IDS
        assert len(await client.tasks(limit=3)) == 3


async def test_another_server_is_recognized() -> None:
    async with connected(FakeOrchestrator(agents=[{"no": "agent"}])) as client:
        with pytest.raises(AgentProtocolError, match="Is the address right"):
            await client.agents()


@pytest.mark.parametrize("url", ["localhost:8000", "http://", "http://[::1", "ftp://127.0.0.1"])
def test_what_is_no_address_of_a_server_is_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"is no address; write it like http://127\.0\.0\.1:8000"):
        Client(url)


async def test_a_files_bytes_come_back() -> None:
    async with connected(FakeOrchestrator()) as client:
        assert await client.artifact(TASK_ID, "f1") == b"<svg/>"
