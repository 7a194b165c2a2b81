"""Keys: everything that went in changes them, nothing else does."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.alignment import AlignmentOptions
from qa_service.domain.call import CallMetadata, Direction, HangupSide, Purpose, RawFormat
from qa_service.domain.conversation import EngineRun
from qa_service.domain.timeline import TimeSpan
from qa_service.services.keys import stage_key

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda name: name != "stage")
# Numbers are floats: 1, 1.0 and True are equal in Python and yet different inputs.
SCALARS = st.none() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES, v, max_size=3), max_leaves=8
)
INPUTS = st.dictionaries(NAMES, VALUES, max_size=5)


def reordered(value: Any) -> Any:
    """The same with every dict built in the opposite order."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(INPUTS)
def test_the_order_of_names_does_not_matter(inputs: dict[str, Any]) -> None:
    assert stage_key("s", **inputs) == stage_key("s", **reordered(inputs))


@given(INPUTS, INPUTS)
def test_other_inputs_have_another_key(first: dict[str, Any], second: dict[str, Any]) -> None:
    same = repr(_sorted(first)) == repr(_sorted(second))  # by repr, as 0.0 equals -0.0
    assert (stage_key("s", **first) == stage_key("s", **second)) == same


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


@given(INPUTS, NAMES, VALUES)
def test_one_more_input_has_another_key(inputs: dict[str, Any], name: str, value: Any) -> None:
    without = {key: inputs[key] for key in inputs if key != name}
    assert stage_key("s", **without) != stage_key("s", **without, **{name: value})


@given(INPUTS)
def test_the_stage_is_part_of_the_key(inputs: dict[str, Any]) -> None:
    assert stage_key("a", **inputs) != stage_key("b", **inputs)


METADATA = CallMetadata()
KNOWN: dict[str, Any] = {
    "call_id": "C-1",
    "direction": Direction.INBOUND,
    "purpose": Purpose.SALES,
    "agent_id": "8023",
    "agent_name": "林晓",
    "team": "一组",
    "vendor": "外包",
    "queue": "话费",
    "customer_ref": "R-1",
    "started_at": datetime(2026, 3, 2, 9, 12, tzinfo=UTC),
    "language": "zh",
    "ring_count": 0,
    "hangup_side": HangupSide.AGENT,
    "agent_channel": 0,
    "speakers": 2,
    "hold_spans": (),
    "channel_map": (1, 0),
    "raw_format": RawFormat("mulaw", 8000),
    "extra": (("skill", "gold"),),
}


@pytest.mark.parametrize("name", [f.name for f in fields(CallMetadata)])
def test_every_metadata_field_is_part_of_the_key(name: str) -> None:
    assert stage_key("s", metadata=replace(METADATA, **{name: KNOWN[name]})) != stage_key("s", metadata=METADATA)


def test_nested_dataclasses_are_part_of_the_key() -> None:
    def key(end: float) -> str:
        return stage_key("s", metadata=replace(METADATA, hold_spans=(TimeSpan(0.0, end),)))

    assert key(1.0) == key(1.0) != key(1.0 + 1e-9)


def test_engine_options_are_part_of_the_key() -> None:
    run = EngineRun("asr", "whisper", "base", "1", "cpu", (("beam", "1"),))
    keys = {
        stage_key("s", asr=r, alignment=a)
        for r in (run, replace(run, options=(("beam", "5"),)), replace(run, revision="2"), None)
        for a in (AlignmentOptions(), AlignmentOptions(utterance_pause_s=0.5))
    }
    assert len(keys) == 8


def test_a_key_is_the_same_in_every_process_and_version() -> None:
    """Stored conversations are found by it: a changed form would have every call heard again."""
    key = stage_key("speech", recording="ab", options={"b": 1, "a": None}, path=PurePosixPath("x/y"))
    assert key == "951dc681c1d20fc10bb4b52e90b3ab732b3b21cf1e39a042c33913693f0373c1"


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="set cannot be part of a stage key"):
        stage_key("s", value={1, 2})
