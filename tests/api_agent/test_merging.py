"""What comes of the parts of a text is put together without losing anything."""

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from api_agent_service import merging

names = st.sampled_from(["a", "b", "c"])
single = st.one_of(st.none(), st.integers(0, 3), st.text(alphabet="xY ", max_size=2))
values = st.recursive(
    single | st.lists(single, max_size=3), lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=8
)


def _leaves(value: JsonValue) -> list[JsonValue]:
    """Return the single values in a value."""
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]


def _known(value: JsonValue) -> JsonValue:
    return value.strip().casefold() if isinstance(value, str) else value


@given(st.lists(st.dictionaries(names, values, max_size=3), max_size=4))
@settings(max_examples=100, deadline=None)
def test_every_value_of_every_part_is_in_what_is_merged_or_among_what_others_said(parts: list[JsonValue]) -> None:
    merged = merging.merge(parts)

    kept = [*_leaves(merged.value), *(leaf for said in merged.others.values() for leaf in _leaves([*said]))]
    known = [_known(leaf) for leaf in kept]
    assert all(_known(leaf) in known for part in parts for leaf in _leaves(part) if leaf is not None)


def test_an_answer_settles_only_what_parts_said_differently_or_did_not_say() -> None:
    merged = merging.merge([{"who": "Ann", "items": [1, 1]}, {"who": "Bob", "items": [1, 2]}])

    assert merging.settle(merged, {"who": "Bob", "items": [], "when": "2024"}) == {
        "who": "Bob",
        "items": [1, 1, 2],
        "when": "2024",
    }
