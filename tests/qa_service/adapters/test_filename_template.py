"""File names: read in the only possible way or not at all."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qa_service.adapters.filename_template import FilenameTemplate
from qa_service.domain.call import CallMetadata, Direction
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import ConfigurationError

SHANGHAI = ZoneInfo("Asia/Shanghai")
NINE = datetime(2026, 5, 1, 9, tzinfo=SHANGHAI)


def parse(template: str, stem: str) -> CallMetadata | None:
    return FilenameTemplate(template, time_zone=SHANGHAI).parse(Path("calls") / f"{stem}.wav")


def test_the_usual_name() -> None:
    template = "{agent_id}_{direction}_{started_at:%Y%m%d%H%M%S}_{customer_ref}"
    assert parse(template, "10_42_Outbound_20260501093000_王") == CallMetadata(
        agent_id="10_42",
        direction=Direction.OUTBOUND,
        started_at=datetime(2026, 5, 1, 9, 30, tzinfo=SHANGHAI),
        customer_ref="王",
    )


@pytest.mark.parametrize(
    ("template", "stem", "expected"),
    [
        ("{_}-{agent_id}", "x-7", CallMetadata(agent_id="7")),
        ("[{agent_id}]{{ok}}.+", "[7]{ok}.+", CallMetadata(agent_id="7")),
        ("{hold_spans}", "1-2;3-4", CallMetadata(hold_spans=(TimeSpan(1, 2), TimeSpan(3, 4)))),
        ("{agent_id}~{team}", "7~T", CallMetadata(agent_id="7", team="T")),
        ("{speakers}{agent_id}", "27", CallMetadata(speakers=2, agent_id="7")),
        (
            "{started_at:%y-%j %I%p}",
            "26-121 09AM",
            CallMetadata(started_at=datetime(2026, 5, 1, 9, tzinfo=SHANGHAI)),
        ),
        ("{started_at}", "20260501T0900", CallMetadata(started_at=NINE)),
        ("{customer_ref:digits}-{agent_id}", "+86138-a-b", CallMetadata(customer_ref="+86138", agent_id="a-b")),
        ("{_}-{call_id:uniqueid}", "x-1706682330.12", CallMetadata(call_id="1706682330.12")),
    ],
)
def test_other_names(template: str, stem: str, expected: CallMetadata) -> None:
    assert parse(template, stem) == expected


@pytest.mark.parametrize(
    ("template", "stem"),
    [
        ("{agent_id}_{team}", "7"),
        ("{agent_id}_{team}", "_T"),
        ("{agent_id}_{team}", "a_b_c"),  # two readings
        ("{_}_{agent_id}_{_}", "a_b_c_d"),
        ("{speakers}{agent_id}", "123"),
        ("a.c{team}", "abcT"),  # a dot is a dot
        ("{direction}_{team}", "sideways_T"),
        ("{agent_channel}_{team}", "7_T"),
        ("{started_at:%Y%m%d%H}", "2026023010"),
        ("{started_at:%Y%m%d%H}", "202602301"),
        ("{started_at}", "20260501"),
        ("{language}", "中文"),
        ("{agent_id:digits}", "7a"),
        ("{call_id:uniqueid}", "1706682330"),
        ("{call_id:uuid}", "9f0c1c5e-1bb5-4d8d-9c1e-2f8c0d0e7a1"),
        ("{team}", "caf\udce9"),  # bytes that are not UTF-8
    ],
)
def test_names_that_do_not_match(template: str, stem: str) -> None:
    assert parse(template, stem) is None


@pytest.mark.parametrize(
    "template",
    ["", "calls", "{_}", "{agent}", "{agent_id", "agent_id}", "{}", "{0}", "{agent_id.__class__}", "{agent_id[0]}",
     "{agent_id!r}", "{agent_id:>10}", "{agent_id:{team}}", "{agent_id}_{agent_id}", "{team}/{agent_id}",
     "{team}\\{agent_id}", "{agent_id}.wav", "{file}", "{started_at:%Y%m%d}", "{started_at:%H%M}",
     "{started_at:%Y%m%d%I}", "{started_at:%Y%b%d%H}", "{started_at:%Y%Y%m%d%H}", "{started_at:%Y%m%d%H%}",
     "{_:%Y}", "{direction:digits}", "{started_at:digits}"],
)  # fmt: skip
def test_bad_templates_are_refused(template: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FilenameTemplate(template, time_zone=SHANGHAI)
    assert caught.value.code == "filename_template_invalid"
    assert repr(template) in caught.value.message


@given(st.text())
def test_any_template_compiles_or_is_refused(template: str) -> None:
    try:
        FilenameTemplate(template, time_zone=SHANGHAI)
    except ConfigurationError as error:
        assert error.code == "filename_template_invalid"  # noqa: PT017 - most texts are refused, some compile


values = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Z"), exclude_characters="/\\"), min_size=1, max_size=20
)


@given(
    values, values, st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)),
    st.text("_-. ~+()[]{}^$|#%@!", max_size=3), st.text("_-. ~+()[]{}^$|#%@!", min_size=1, max_size=3),
)  # fmt: skip
def test_what_a_template_writes_it_reads(
    agent_id: str, customer_ref: str, moment: datetime, before: str, between: str
) -> None:
    assume(between not in agent_id + customer_ref)
    moment = moment.replace(microsecond=0)
    start, gap = (text.replace("{", "{{").replace("}", "}}") for text in (before, between))
    template = f"{start}{{agent_id}}{gap}{{started_at:%Y%m%d%H%M%S}}{gap}{{customer_ref}}"
    stem = f"{before}{agent_id}{between}{moment:%Y%m%d%H%M%S}{between}{customer_ref}"
    metadata = FilenameTemplate(template, time_zone=SHANGHAI).parse(Path(f"{stem}.wav"))
    expected = CallMetadata(
        agent_id=agent_id, customer_ref=customer_ref, started_at=moment.replace(tzinfo=SHANGHAI)
    )
    assert metadata in (expected, None)
    # None is right only where the separator also arises across two parts.
    if stem.count(between) == 2 + before.count(between):
        assert metadata == expected


def test_hostile_names_are_refused_quickly() -> None:
    template = "{agent_id}_{team}_{queue}_{vendor}_{call_id}_{agent_name}_{customer_ref}!"
    assert parse(template, "_" * 250) is None  # a backtracking engine would still be at it tomorrow
