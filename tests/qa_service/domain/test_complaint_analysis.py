"""A month of complaints: what is open counts, and medians cover the truth as often as they say."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from qa_service.domain.complaint_analysis import ComplaintFact, analyse, median_of

AT = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
FACT = ComplaintFact(
    level=1,
    valid=None,
    cause="",
    team="A",
    vendor=None,
    raised_at=AT,
    respond_by=AT + timedelta(minutes=30),
    due_at=AT + timedelta(days=2),
    responded_at=None,
    handled_at=None,
    ended_at=None,
)


def after(minutes: float) -> datetime:
    return AT + timedelta(minutes=minutes)


def test_counts_and_shares() -> None:
    facts = [
        replace(FACT, responded_at=after(10), handled_at=after(60), valid=True, cause="opening"),
        replace(FACT, responded_at=after(40), handled_at=after(3000), valid=True, cause="opening", team="B"),
        replace(FACT, responded_at=after(5), valid=False, level=2),
        FACT,
    ]
    found = analyse(facts, since=AT, until=END, as_of=after(45))
    assert (found.all.complaints, found.all.unverified) == (4, 1)
    assert (found.all.valid.count, found.all.valid.total) == (2, 3)
    # The fourth was due after 30 minutes: unanswered after 45 it is late, not unknown.
    assert (found.all.response_in_time.count, found.all.response_in_time.total) == (2, 4)
    # Nothing is known yet of the two that are not handled: their two days are not over.
    assert (found.all.handled_in_time.count, found.all.handled_in_time.total) == (1, 2)
    assert {team: group.complaints for team, group in found.by_team.items()} == {"A": 3, "B": 1}
    assert {level: group.complaints for level, group in found.by_level.items()} == {1: 3, 2: 1}
    assert found.by_cause == {"opening": 2}
    assert list(found.by_vendor) == [""]


def test_what_is_answered_at_the_last_moment_is_late() -> None:
    found = analyse([replace(FACT, responded_at=after(30))], since=AT, until=END, as_of=END)
    assert (found.all.response_in_time.count, found.all.response_in_time.total) == (0, 1)


def test_a_month_without_complaints() -> None:
    found = analyse([], since=AT, until=END, as_of=END)
    assert (found.all.complaints, found.all.valid.value, found.response_s.value) == (0, None, None)


def test_what_is_open_is_no_reason_to_look_quick() -> None:
    done = [(AT, after(minutes)) for minutes in (1, 2, 3)]
    waiting = [(AT, None)] * 4
    assert median_of(done, as_of=after(1000)).value == 120.0
    found = median_of([*done, *waiting], as_of=after(1000))
    assert (found.value, found.count, found.high) == (None, 7, None)
    # Two of nine are open: they are among the longest in any case, and the median is known.
    known = median_of([*done, *done, (AT, after(4)), *waiting[:2]], as_of=after(1000))
    assert known.value == 180.0


def test_so_few_bound_nothing() -> None:
    found = median_of([(AT, after(minutes)) for minutes in (1, 2, 3, 4, 5)], as_of=END)
    assert (found.value, found.low, found.high) == (180.0, None, None)
    six = median_of([(AT, after(minutes)) for minutes in range(1, 7)], as_of=END)
    assert (six.low, six.high) == (60.0, 360.0)


@pytest.mark.parametrize("count", [9, 30])
def test_intervals_cover_the_median(count: int) -> None:
    """Durations as they are: long-tailed. The interval is exact or wider, so coverage is 95 % at least."""
    chance = random.Random(7)
    covered = 0
    for _ in range(1000):
        spans = [(AT, after(chance.lognormvariate(3.0, 1.0))) for _ in range(count)]
        found = median_of(spans, as_of=END)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 60 * 20.0855 <= found.high
    assert covered >= 935  # 950 less two standard errors
