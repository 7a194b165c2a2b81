"""Promises: what keeps one, what may have, and that order never matters."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.call import Direction, Purpose
from qa_service.domain.promises import (
    CallFact,
    Followed,
    PromiseDecision,
    PromiseFact,
    PromisePolicy,
    PromiseState,
    Reply,
    Standing,
    follow,
    reply_in,
    state_of,
)
from qa_service.domain.results import Outcome

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
OUT, IN = Direction.OUTBOUND, Direction.INBOUND
REPLY = CallFact(9, NOON + timedelta(hours=5), OUT, Purpose.REPLY, Outcome.MET, True)
OPEN, KEPT, PROBABLE = Followed(Standing.OPEN), Standing.KEPT, Standing.PROBABLE


def promise(key: int, hours: float = 0.0) -> PromiseFact:
    return PromiseFact(key, key, NOON + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("direction", "purpose", "rule", "connected", "expected"),
    [
        (OUT, Purpose.REPLY, Outcome.MET, True, Reply.SURE),
        (None, None, Outcome.MET, True, Reply.SURE),
        (OUT, None, Outcome.MET, None, Reply.DOUBTFUL),
        (OUT, Purpose.FOLLOW_UP, None, True, Reply.SURE),
        (OUT, Purpose.REPLY, Outcome.NOT_MET, True, Reply.SURE),
        (None, Purpose.REPLY, None, True, Reply.DOUBTFUL),
        (OUT, Purpose.REPLY, None, None, Reply.DOUBTFUL),
        (OUT, Purpose.REPLY, Outcome.MET, False, Reply.NONE),
        (OUT, Purpose.SERVICE, Outcome.NOT_APPLICABLE, True, Reply.DOUBTFUL),
        (OUT, None, None, None, Reply.DOUBTFUL),
        (None, None, Outcome.UNDETERMINED, True, Reply.DOUBTFUL),
        (None, None, None, True, Reply.NONE),
        (OUT, Purpose.SALES, None, True, Reply.NONE),
        (IN, Purpose.SERVICE, Outcome.NOT_APPLICABLE, True, Reply.NONE),
        (IN, None, Outcome.MET, True, Reply.NONE),
    ],
)
def test_what_is_a_reply(
    direction: Direction | None,
    purpose: Purpose | None,
    rule: Outcome | None,
    connected: bool | None,
    expected: Reply,
) -> None:
    assert reply_in(CallFact(9, NOON, direction, purpose, rule, connected)) is expected


def test_a_reply_keeps_what_was_promised_before_it() -> None:
    assert follow([promise(1)], [REPLY]) == {1: Followed(KEPT, 9, REPLY.at)}
    assert follow([promise(1, hours=6)], [REPLY]) == {1: OPEN}
    assert follow([promise(1)], []) == {1: OPEN}


def test_no_call_keeps_what_is_promised_in_it() -> None:
    again = replace(REPLY, recording_id=2, at=NOON + timedelta(hours=1))
    assert follow([promise(1), PromiseFact(2, 2, again.at)], [again]) == {1: Followed(KEPT, 2, again.at), 2: OPEN}


def test_of_several_promises_nobody_can_tell_which_was_kept() -> None:
    found = follow([promise(1), promise(2, hours=1)], [REPLY])
    assert {found[key].standing for key in (1, 2)} == {PROBABLE}


def test_one_that_people_settled_does_not_stand_in_the_way() -> None:
    found = follow([promise(1), replace(promise(2, hours=1), followed=False)], [REPLY])
    assert found == {1: Followed(KEPT, 9, REPLY.at)}


def test_what_may_be_a_reply_is_told_until_a_sure_one_comes() -> None:
    maybe = replace(REPLY, recording_id=8, at=NOON + timedelta(hours=2), purpose=None, reply=None)
    assert follow([promise(1)], [maybe]) == {1: Followed(PROBABLE, 8, maybe.at)}
    assert follow([promise(1)], [maybe, REPLY]) == {1: Followed(KEPT, 9, REPLY.at)}


facts = st.builds(
    CallFact,
    recording_id=st.integers(1, 12),
    at=st.integers(0, 8).map(lambda hours: NOON + timedelta(hours=hours)),
    direction=st.sampled_from([None, OUT, IN]),
    purpose=st.sampled_from([None, *Purpose]),
    reply=st.sampled_from([None, *Outcome]),
    connected=st.sampled_from([None, True, False]),
)
made = st.builds(
    PromiseFact,
    key=st.integers(1, 12),
    recording_id=st.integers(1, 12),
    at=st.integers(0, 8).map(lambda hours: NOON + timedelta(hours=hours)),
    followed=st.booleans(),
)


@given(
    promises=st.lists(made, unique_by=lambda p: p.key, max_size=5),
    calls=st.lists(facts, unique_by=lambda c: c.recording_id, max_size=6),
    data=st.data(),
)
def test_order_never_matters(promises: list[PromiseFact], calls: list[CallFact], data: st.DataObject) -> None:
    expected = follow(promises, calls)
    mixed = follow(data.draw(st.permutations(promises)), data.draw(st.permutations(calls)))
    assert mixed == expected
    assert set(expected) == {p.key for p in promises if p.followed}
    by_key = {p.key: p for p in promises}
    for key, found in expected.items():
        if found.at is not None:
            assert found.at > by_key[key].at
            assert found.by != by_key[key].recording_id
        assert (found.standing is Standing.OPEN) == (found.by is None)


@given(
    promises=st.lists(made, unique_by=lambda p: p.key, max_size=5),
    calls=st.lists(facts, unique_by=lambda c: c.recording_id, min_size=1, max_size=6),
)
def test_a_call_more_opens_no_promise_again(promises: list[PromiseFact], calls: list[CallFact]) -> None:
    """Whatever a later call is, what was kept or may have been stays so."""
    *earlier, last = sorted(calls, key=lambda call: (call.at, call.recording_id))
    before, after = follow(promises, earlier), follow(promises, [*earlier, last])
    for key, found in before.items():
        if found.standing is Standing.KEPT:
            assert after[key] == found
        elif found.standing is Standing.PROBABLE:
            assert after[key].standing is not Standing.OPEN


def test_days_are_those_of_the_calendar() -> None:
    policy = PromisePolicy(zone=ZoneInfo("Asia/Shanghai"))
    friday = datetime(2026, 11, 20, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
    assert policy.due(friday, 3) == datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
    assert policy.due(friday + timedelta(minutes=1), 3) == datetime(2026, 11, 24, 16, 0, tzinfo=UTC)
    assert replace(policy, days=1).due(friday, 3) == datetime(2026, 11, 21, 16, 0, tzinfo=UTC)


def test_peoples_word_goes_first() -> None:
    def state(standing: Standing, decided: PromiseDecision | None = None, hours: int = 0) -> PromiseState:
        return state_of(standing, decided, due_at=NOON, now=NOON + timedelta(hours=hours))

    assert state(Standing.OPEN) is PromiseState.OVERDUE
    assert state(Standing.OPEN, hours=-1) is PromiseState.OPEN
    assert state(Standing.PROBABLE) is PromiseState.CONFIRM
    assert state(Standing.KEPT, PromiseDecision.BROKEN) is PromiseState.BROKEN
    assert state(Standing.KEPT, PromiseDecision.REOPEN) is PromiseState.KEPT
    assert state(Standing.UNKNOWN, PromiseDecision.KEPT) is PromiseState.KEPT
