"""Properties of what the command line computes without a process or a connection."""

import tempfile
import unicodedata
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from federation.attachments import find_named, save
from federation.display import printable
from federation.events import EVENT
from federation.launch import Launch, Service
from federation.progress import TaskView, apply, describe

_IDS = st.sampled_from(["a", "b", "c"])
_STATUSES = st.sampled_from(["pending", "running", "input_required", "completed", "failed", "skipped", "canceled"])
_PLAN = st.lists(_IDS, unique=True).map(lambda ids: {"steps": [{"id": name, "instruction": name} for name in ids]})
_EVENTS = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["plan.created", "plan.revised"]), "plan": _PLAN}),
    st.fixed_dictionaries({"type": st.just("step.status"), "step_id": _IDS, "status": _STATUSES}),
    st.fixed_dictionaries({"type": st.just("step.progress"), "step_id": _IDS, "text": st.text()}),
    st.fixed_dictionaries({"type": st.just("step.artifact"), "step_id": _IDS, "artifact": st.just({"id": "f"})}),
    st.fixed_dictionaries({"type": st.text()}),
)


@settings(deadline=None)  # a loaded machine is no fault
@given(st.lists(_EVENTS))
def test_whatever_comes_in_whatever_order_each_step_is_shown_once_with_its_last_status(
    drafts: list[dict[str, object]],
) -> None:
    view = TaskView()
    last: dict[object, object] = {}
    for draft in drafts:
        try:
            event = EVENT.validate_python(draft)
        except ValueError:  # a text that happens to be a known type, without its fields
            continue
        view = apply(view, event)
        describe(view, event)
        if draft["type"] == "step.status":
            last[draft["step_id"]] = draft["status"]
        if draft["type"] in {"plan.created", "plan.revised"}:
            last = {step.id: last[step.id] for step in view.steps if step.id in last}
    assert len({step.id for step in view.steps}) == len(view.steps)
    assert {step.id: step.status for step in view.steps if step.id in last} == last


@settings(deadline=None)  # a loaded machine is no fault
@given(st.text())
def test_what_is_printed_holds_nothing_that_steers_a_terminal(text: str) -> None:
    assert not [char for char in printable(text) if unicodedata.category(char) == "Cc" and char not in "\n\t"]
    assert "\u202e" not in printable(f"{text}\u202e")


@settings(deadline=None)  # a loaded machine is no fault
@given(st.text() | st.just("漢" * 300 + ".txt"))
def test_a_file_is_saved_in_the_folder_whatever_it_calls_itself(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        saved = {save(Path(folder), name, b"x") for _ in range(2)}
        assert {path.resolve().parent for path in saved} == {Path(folder).resolve()}
        assert len(saved) == 2


@settings(deadline=None)  # a loaded machine is no fault
@given(st.text())
def test_any_text_can_be_searched_for_file_names(text: str) -> None:
    assert all(path.is_file() for path in find_named(text))


@settings(deadline=None)  # a loaded machine is no fault
@given(st.text(), st.integers(1, 65535), st.booleans())
def test_a_launch_is_the_same_after_its_way_to_the_runner(text: str, port: int, attached: bool) -> None:
    launch = Launch((Service("api", text, port, text),), text, text, text, banner=(text,), attached=attached)
    assert Launch.from_json(launch.to_json()) == launch
