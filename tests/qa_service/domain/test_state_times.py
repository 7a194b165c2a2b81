"""What states add up to by half hours."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.agent_states import AgentState, StateSpan
from qa_service.domain.state_times import NO_TIMES, StateTimes, days_of, times_of

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
DAY = date(2026, 10, 5)


def span(state: AgentState, starts: str, ends: str, call_id: str | None = None) -> StateSpan:
    def at(text: str) -> datetime:
        return datetime.combine(DAY, datetime.min.time(), tzinfo=SHANGHAI).astimezone(UTC) + timedelta(
            hours=int(text[:2]), minutes=int(text[3:5])
        )

    return StateSpan("1024", state, at(starts), at(ends), call_id)


def total(spans: list[StateSpan], zone: ZoneInfo = SHANGHAI) -> StateTimes:
    return sum(times_of(spans, zone).values(), NO_TIMES)


def test_a_span_is_shared_out_over_half_hours_and_days() -> None:
    found = times_of([span(AgentState.TALK, "23:50", "24:40")], SHANGHAI)
    next_day = DAY + timedelta(days=1)
    assert {key: times.talk_s for key, times in found.items()} == {
        (DAY, 47): 600.0,
        (next_day, 0): 1800.0,
        (next_day, 1): 600.0,
    }
    assert {key: times.calls for key, times in found.items()} == {(DAY, 47): 1, (next_day, 0): 0, (next_day, 1): 0}
    assert days_of(span(AgentState.TALK, "23:50", "24:40"), SHANGHAI) == {DAY, next_day}
    assert days_of(span(AgentState.TALK, "23:50", "24:00"), SHANGHAI) == {DAY}


def test_a_call_goes_on_after_a_hold() -> None:
    held = [
        span(AgentState.TALK, "09:00", "09:03"),
        span(AgentState.HOLD, "09:03", "09:04"),
        span(AgentState.TALK, "09:04", "09:06"),
    ]
    assert total(held).calls == 1
    assert total([held[0], held[2]]).calls == 2
    other = [
        span(AgentState.TALK, "09:00", "09:03", "a"),
        span(AgentState.HOLD, "09:03", "09:04"),
        span(AgentState.TALK, "09:04", "09:06", "b"),
        span(AgentState.TALK, "09:06", "09:07", "a"),
    ]
    assert total(other).calls == 2


def test_a_shift_holds_what_no_state_accounts_for() -> None:
    spans = [span(AgentState.SHIFT, "09:00", "17:00"), span(AgentState.TALK, "09:00", "10:00")]
    assert total(spans).shift_s == 8 * 3600
    assert total(spans).states_s == 3600
    without = [*spans[1:], span(AgentState.OFFLINE, "10:00", "12:00")]
    assert total(without).shift_s == 3600


def test_the_hour_that_comes_twice_is_two_hours_of_work() -> None:
    starts = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00 summer time
    idle = StateSpan("1024", AgentState.IDLE, starts, starts + timedelta(hours=2))
    found = times_of([idle], BERLIN)
    assert {key: times.idle_s for key, times in found.items()} == {
        (date(2026, 10, 25), 4): 3600.0,
        (date(2026, 10, 25), 5): 3600.0,
    }


@given(
    st.lists(st.integers(0, 2 * 86_400), min_size=2, max_size=20, unique=True),
    st.lists(st.sampled_from(sorted(set(AgentState) - {AgentState.SHIFT})), min_size=20, max_size=20),
    st.integers(1, 86_399),
)
def test_every_second_counts_once_however_spans_are_cut(
    marks: list[int], states: list[AgentState], cut_s: int
) -> None:
    begin = datetime(2026, 10, 4, 3, 17, 5, tzinfo=UTC)
    moments = [begin + timedelta(seconds=mark) for mark in sorted(marks)]
    spans = [StateSpan("1", state, *both) for state, both in zip(states, pairwise(moments), strict=False)]
    worked = sum(each.seconds for each in spans if each.state is not AgentState.OFFLINE)
    assert total(spans).states_s == worked
    assert total(spans).shift_s == worked
    cut = []
    for each in spans:
        middle = each.starts + timedelta(seconds=cut_s)
        if each.starts < middle < each.ends:
            cut += [
                StateSpan("1", each.state, each.starts, middle),
                StateSpan("1", each.state, middle, each.ends),
            ]
        else:
            cut.append(each)
    before, after = times_of(spans, SHANGHAI), times_of(cut, SHANGHAI)
    assert {key: t.states_s for key, t in before.items()} == {key: t.states_s for key, t in after.items()}
