"""The pure part of serving: whatever an agent says can be told, and means the same however it is cut."""

from copy import deepcopy

from a2a.types import Message, Part, Role, Task, TaskState
from google.protobuf.json_format import MessageToJson
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from shared.agent import Answer, Delta, File, Produced, Progress, Update, Usage
from shared.agent_messages import Event, apply, join, to_request
from shared.agent_narration import Narrator
from shared.errors import FederationError

_TEXTS = st.text(st.characters(), max_size=20)  # lone surrogates too
_JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(["answer", "notes"])
_UPDATES: st.SearchStrategy[Update] = st.one_of(
    st.builds(Progress, _TEXTS),
    st.builds(Delta, _NAMES, _TEXTS),
    st.builds(Answer, _NAMES, _TEXTS, st.none() | st.dictionaries(_TEXTS, _JSON, max_size=3)),
    st.builds(Produced, st.builds(File, _TEXTS, st.just("text/plain"), st.binary(max_size=8))),
    st.builds(Usage, st.integers(0, 9), st.integers(0, 9), st.floats(0, 9), st.integers(0, 9)),
)


@given(st.lists(_UPDATES, max_size=12))
def test_joined_events_make_the_same_task(updates: list[Update]) -> None:
    told = _tell(updates)
    assert _applied(join(_tell_again(told))) == _applied(_tell_again(told))


@given(st.lists(_UPDATES, max_size=12))
def test_whatever_an_agent_says_can_be_stored_and_written_as_json(updates: list[Update]) -> None:
    task = _applied(_tell(updates))
    assert Task.FromString(task.SerializeToString()) == task
    assert MessageToJson(task)
    assert task.status.state == TaskState.TASK_STATE_COMPLETED


@given(st.lists(st.builds(Delta, _NAMES, st.text(max_size=20)), min_size=1, max_size=12))
def test_pieces_of_a_text_end_as_the_whole_text_in_one_part(updates: list[Delta]) -> None:
    task = _applied(_tell(updates))
    for artifact in task.artifacts:
        assert [part.text for part in artifact.parts] == ["".join(u.text for u in updates if u.name == artifact.name)]


@given(_TEXTS)
def test_a_failure_keeps_what_was_written_before_it(text: str) -> None:
    narrator = Narrator(_task())
    events = [*narrator.tell(Delta("answer", text)), *narrator.fail(FederationError("It broke."))]
    task = _applied(events)
    assert task.status.state == TaskState.TASK_STATE_FAILED
    assert len(task.artifacts) == 1


def test_a_request_is_the_last_user_message_with_the_turns_before_it() -> None:
    task = _task()
    task.history.append(Message(message_id="2", role=Role.ROLE_AGENT, parts=[Part(text="Which?")]))
    task.history.append(Message(message_id="3", role=Role.ROLE_USER, parts=[Part(text="That.")]))
    request = to_request(task)
    assert (request.text, request.message_id) == ("That.", "3")
    assert [(turn.role, turn.text) for turn in request.history] == [("user", "hello"), ("agent", "Which?")]


def _task() -> Task:
    message = Message(message_id="1", role=Role.ROLE_USER, parts=[Part(text="hello")])
    return Task(id="task", context_id="context", history=[message])


def _tell(updates: list[Update] | list[Delta]) -> list[Event]:
    narrator = Narrator(_task())
    return [*(event for update in updates for event in narrator.tell(update)), *narrator.complete()]


def _tell_again(events: list[Event]) -> list[Event]:
    """Return copies: joining extends the first piece in place."""
    return [deepcopy(event) for event in events]


def _applied(events: list[Event]) -> Task:
    task = _task()
    for event in events:
        apply(task, event)
    return task
