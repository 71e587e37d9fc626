"""Reading what agents send: events cut anywhere, JSON with traps in it."""

import json
from contextlib import nullcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import strict_json
from shared.errors import AgentProtocolError, TooLargeError
from shared.event_stream import EventReader
from shared.remote_parts import clean_note
from shared.remote_task import RemoteTask
from shared.strict_json import JsonError

FINITE = {"allow_nan": False, "allow_infinity": False}
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
lines = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=30)
line_ends = st.sampled_from(["\n", "\r\n", "\r"])


@settings(deadline=None)
@given(st.lists(st.lists(lines, min_size=1, max_size=3), max_size=5), line_ends, st.data())
def test_events_are_the_same_wherever_the_stream_is_cut(events: list[list[str]], end: str, data: st.DataObject) -> None:
    text = "".join(
        f": comment{end}event: message{end}" + "".join(f"data: {line}{end}" for line in event) + f"id: 1{end}{end}"
        for event in events
    )
    content = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=8)))
    reader = EventReader(10_000)
    found: list[bytes] = []
    for low, high in zip([0, *cuts], [*cuts, len(content)], strict=True):
        found.extend(reader.feed(content[low:high]))
    assert [event.decode() for event in found] == ["\n".join(event) for event in events]


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(1, 20))
def test_any_bytes_are_read_without_failing_or_keeping_more_than_the_limit(content: bytes, size: int) -> None:
    reader = EventReader(100)
    try:
        for start in range(0, len(content), size):
            for event in reader.feed(content[start : start + size]):
                assert len(event) <= 100
    except TooLargeError:
        assert len(content) > 100


def test_many_short_lines_of_one_event_count_together() -> None:
    with pytest.raises(TooLargeError):
        list(EventReader(100).feed(b"data: x\n" * 100))


def test_a_byte_order_mark_and_a_missing_space_are_accepted() -> None:
    assert list(EventReader(100).feed(b'\xef\xbb\xbfdata:{"a":1}\n\n')) == [b'{"a":1}']


@settings(deadline=None)
@given(json_values)
def test_json_is_read_as_it_was_written(value: object) -> None:
    written = json.dumps(value)
    expected = json.loads(written.replace("\\u0000", "\\ufffd"))
    assert strict_json.parse(written.encode()) == expected


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), json_values), max_size=4), st.sampled_from(["", " ", "\n", "\t"]))
def test_a_key_twice_is_found_however_it_is_written(members: list[tuple[str, object]], space: str) -> None:
    written = ",".join(f'"{key}"{space}:{json.dumps(value)}' for key, value in members)
    is_repeated = len({key for key, _ in members}) < len(members)
    with pytest.raises(JsonError, match="twice") if is_repeated else nullcontext():
        strict_json.parse(f"[{{{written}}}]".encode())


@settings(deadline=None)
@given(st.binary(max_size=80) | st.text('[]{}",:0123456789eE+-.\\undtrufalse ', max_size=40).map(str.encode))
def test_any_bytes_are_json_or_a_json_error(content: bytes) -> None:
    try:
        strict_json.parse(content)
    except JsonError as error:
        assert str(error)  # noqa: PT017 - no other error may come


def test_text_that_databases_refuse_is_replaced() -> None:
    assert strict_json.parse(rb'{"a\u0000": ["\ud800", "\ud83d\ude00"]}') == {"a\ufffd": ["\ufffd", "\U0001f600"]}


def test_nesting_up_to_the_limit_is_accepted() -> None:
    assert strict_json.parse(b"[" * 32 + b"1" + b"]" * 32)
    with pytest.raises(JsonError, match="deeper than 32"):
        strict_json.parse(b"[" * 33 + b"1" + b"]" * 33)


def test_numbers_too_long_for_a_database_become_floats() -> None:
    assert strict_json.parse(b"[123456789012345678, 1234567890123456789012]") == [
        123456789012345678,
        1.2345678901234568e21,
    ]
    with pytest.raises(JsonError, match="out of range"):
        strict_json.parse(b"9" * 400)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["task", "message", "statusUpdate", "artifactUpdate"]), json_values, max_size=2))
def test_any_event_is_understood_or_a_protocol_error(event: dict[str, object]) -> None:
    task = RemoteTask()
    try:
        task.read(strict_json.parse(json.dumps(event).encode()))  # pyright: ignore[reportArgumentType] - an object
    except AgentProtocolError:
        return
    assert task.ended is not None or task.begun


@settings(deadline=None)
@given(st.text())
def test_a_note_of_a_peer_cannot_control_a_terminal(text: str) -> None:
    note = clean_note(text)
    assert len(note) <= 2_000
    assert not any(ord(character) < 32 and character not in "\n\t" for character in note.replace("\r", ""))


@settings(deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_any_bytes_give_the_same_events_wherever_they_are_cut(content: bytes, places: list[int]) -> None:
    whole = list(EventReader(10_000).feed(content))
    cuts = sorted(place for place in places if place <= len(content))
    reader = EventReader(10_000)
    found: list[bytes] = []
    for low, high in zip([0, *cuts], [*cuts, len(content)], strict=True):
        found.extend(reader.feed(content[low:high]))
    assert found == whole
