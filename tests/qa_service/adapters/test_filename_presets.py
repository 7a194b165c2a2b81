"""Names of the common telephone systems: what they say for certain, and nothing else."""

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.adapters.filename_presets import PRESETS, FilenamePreset, name_reader
from qa_service.adapters.metadata_fields import parse_fields
from qa_service.domain.call import CallMetadata, Direction
from qa_service.errors import ConfigurationError

SHANGHAI = ZoneInfo("Asia/Shanghai")
EXAMPLES = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "data/telephony/names.jsonl").read_text("utf-8").splitlines()
]
READERS = {name: FilenamePreset(name, time_zone=SHANGHAI) for name in PRESETS}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example['system']}:{example['name']}")
def test_names_as_the_systems_write_them(example: dict[str, object]) -> None:
    told = example["told"]
    expected = None
    if isinstance(told, dict):
        expected, faults = parse_fields(told, time_zone=SHANGHAI)
        assert not faults
    assert READERS[str(example["system"])].parse(Path(str(example["name"]))) == expected


def test_every_system_has_examples_that_fit_and_one_that_does_not() -> None:
    assert {(e["system"], e["told"] is None) for e in EXAMPLES} == {(n, b) for n in PRESETS for b in (False, True)}


@pytest.mark.parametrize("name", PRESETS)
@given(stem=st.text())
def test_any_name_is_read_or_left_alone(name: str, stem: str) -> None:
    told = READERS[name].parse(Path(f"{stem}.wav"))
    assert told is None or told != CallMetadata()


numbers = st.from_regex(r"\+?[0-9]{2,15}", fullmatch=True)
moments = st.datetimes(datetime(1971, 1, 1), datetime(2199, 12, 30)).map(lambda m: m.replace(microsecond=0))
uniqueids = st.builds(
    "{}{}.{}".format, st.sampled_from(["", "pbx1-"]), st.integers(10**9, 10**10), st.integers(0, 10**6)
)


@given(called=numbers, caller=numbers, moment=moments, call_id=uniqueids)
def test_every_name_that_freepbx_makes_is_read(called: str, caller: str, moment: datetime, call_id: str) -> None:
    rest = f"{called}-{caller}-{moment:%Y%m%d-%H%M%S}-{call_id}"
    started_at = moment.replace(tzinfo=SHANGHAI)
    whole = {
        "out": CallMetadata(direction=Direction.OUTBOUND, customer_ref=called, agent_id=caller),
        "external": CallMetadata(direction=Direction.INBOUND, customer_ref=caller, agent_id=called),
        "in": CallMetadata(direction=Direction.INBOUND, customer_ref=caller),
        "q": CallMetadata(direction=Direction.INBOUND, customer_ref=caller, queue=called),
        "internal": CallMetadata(),
    }
    for kind, expected in whole.items():
        told = READERS["asterisk"].parse(Path(f"{kind}-{rest}.wav"))
        assert told is not None
        assert (told.call_id, told.started_at) == (call_id, started_at)
        assert (told.direction, told.customer_ref, told.agent_id, told.queue) == (
            expected.direction, expected.customer_ref, expected.agent_id, expected.queue,
        )  # fmt: skip


@given(
    phone=numbers, moment=moments, end=st.sampled_from(["-all", "-in", "-out", ""]),
    campaign=st.from_regex(r"[A-Z0-9]{2,8}", fullmatch=True),
    agent=st.from_regex(r"[A-Za-z0-9]{2,20}", fullmatch=True),
)  # fmt: skip
def test_every_name_that_vicidial_makes_is_read(
    phone: str, moment: datetime, end: str, campaign: str, agent: str
) -> None:
    told = READERS["vicidial"].parse(Path(f"{moment:%Y%m%d-%H%M%S}_{phone}_{campaign}_{agent}{end}.mp3"))
    assert told == CallMetadata(
        customer_ref=phone, queue=campaign, agent_id=agent, started_at=moment.replace(tzinfo=SHANGHAI)
    )


@given(moment=moments, uuid=st.uuids(), numbers=st.lists(numbers, max_size=2), gap=st.sampled_from("_."))
def test_a_freeswitch_name_gives_its_time_and_its_channel(
    moment: datetime, uuid: object, numbers: list[str], gap: str
) -> None:
    stem = gap.join([f"{moment:%Y-%m-%d-%H-%M-%S}", *numbers, str(uuid)])
    told = READERS["freeswitch"].parse(Path(f"{stem}.wav"))
    assert told == CallMetadata(call_id=str(uuid), started_at=moment.replace(tzinfo=SHANGHAI))


def test_a_setting_names_a_system_or_is_a_template() -> None:
    assert isinstance(name_reader(" FreeSWITCH ", time_zone=SHANGHAI), FilenamePreset)
    told = name_reader("{agent_id}-{_}", time_zone=SHANGHAI).parse(Path("7-x.wav"))
    assert told == CallMetadata(agent_id="7")
    with pytest.raises(ConfigurationError, match="names no telephone system"):
        name_reader("asterix", time_zone=SHANGHAI)
