"""Figures of rules from what people said of their findings."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.proportions import Share, share
from qa_service.domain.quality import (
    WEEK,
    Judged,
    QualityPolicy,
    RuleAt,
    RuleFigures,
    RuleRecord,
    ShadowProposal,
    measure,
    to_propose,
)
from qa_service.domain.recall import heard_one
from qa_service.domain.results import Outcome

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CLOSING = RuleAt("service-zh", "closing", "sha256:a")
POLICY = QualityPolicy()


def record(*weeks: tuple[int, int], in_force: bool = True) -> RuleRecord:
    """A rule by verdicts and right ones of each week, the last week first."""
    return RuleRecord(tuple(Judged(total, right) for total, right in weeks), in_force=in_force)


def figures(known: RuleRecord, policy: QualityPolicy = POLICY) -> RuleFigures:
    (found,) = measure({CLOSING: known}, policy)
    return found


def test_the_figures_of_a_rule() -> None:
    found = figures(
        RuleRecord(
            faults=(Judged(20, 18, 4, 1), Judged(40, 36, 2, 1)),
            doubts=(Judged(10, 4), Judged(0, 0), Judged(2, 2, 1, 0)),
            flagged={Outcome.NOT_MET: 100, Outcome.UNDETERMINED: 20},
            heard=(heard_one(1.0, missed=False), heard_one(0.02, missed=True) + heard_one(0.02, missed=False)),
            in_force=True,
        )
    )
    assert found.precision == share(54, 60)
    assert found.doubts == share(6, 12)
    assert found.overturned == share(2, 7)
    assert found.weeks == ((40, 36), (20, 18))
    assert found.missed is not None
    assert (found.missed.heard, found.missed.found) == (3, 1)
    # 90 faults and 10 doubts that were some; half of about 100 unflagged calls hold one that was missed.
    assert found.recall is not None
    assert found.recall.value == pytest.approx(100 / 150)


def test_a_rule_that_nobody_judged_has_no_figures() -> None:
    found = figures(RuleRecord(flagged={Outcome.NOT_MET: 5}))
    assert (found.precision.value, found.overturned.value, found.recall, found.missed) == (None, None, None, None)
    assert (found.drift, found.short, found.weeks) == (None, False, ())


@pytest.mark.parametrize(
    ("right", "total", "short"),
    [
        (29, 29, False),
        (20, 29, False),
        (30, 30, False),
        (29, 30, False),
        (28, 30, True),
        (88, 100, False),
        (87, 100, True),
    ],
)
def test_a_rule_falls_short_when_its_lower_bound_does(right: int, total: int, short: bool) -> None:
    """Below 30 verdicts nobody can tell; from there on the bound counts, and not the value alone."""
    found = figures(record((total, right)))
    assert found.short is short
    if total >= POLICY.min_verdicts:
        assert short is (found.precision.interval.low < POLICY.target)


def test_a_rule_has_a_target_of_its_own() -> None:
    policy = QualityPolicy(targets={"closing": 0.5})
    known = record((100, 70))
    assert figures(known).short is True
    assert (figures(known, policy).short, figures(known, policy).target) == (False, 0.5)


def test_a_fall_is_told_from_chance() -> None:
    good = [(20, 18)] * 9
    fallen = figures(record(*[(20, 12)] * 4, *good)).drift
    assert fallen is not None
    assert (fallen.recent, fallen.before, fallen.fallen) == (share(48, 80), share(162, 180), True)
    for same in ([(20, 17)] * 4, [(20, 20)] * 4, [(2, 1), (2, 2), (2, 2), (2, 2)]):
        drift = figures(record(*same, *good)).drift
        assert drift is not None
        assert not drift.fallen
    assert figures(record(*[(20, 12)] * 4)).drift is None, "there is nothing before"
    assert figures(record(*[(0, 0)] * 4, *good)).drift is None, "nor anything since"


def test_looking_at_many_rules_finds_no_more_falls_by_chance() -> None:
    """A fall of this size is one that of 40 unchanged rules one shows now and then."""
    fall, steady = record(*[(10, 7)] * 4, *[(10, 9)] * 9), record(*[(10, 9)] * 13)
    alone = figures(fall).drift
    among = measure({CLOSING: fall} | {RuleAt("service-zh", f"r{n}", "d"): steady for n in range(39)}, POLICY)
    drift = next(each.drift for each in among if each.of == CLOSING)
    assert alone is not None
    assert drift is not None
    assert alone.fallen
    assert drift.p == pytest.approx(40 * alone.p)
    assert not drift.fallen


weeks = st.lists(st.integers(0, 30).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), max_size=13)


@given(weeks, st.integers(0, 13))
def test_how_verdicts_fall_into_weeks_changes_no_precision(verdicts: list[tuple[int, int]], split: int) -> None:
    whole = figures(record(*verdicts))
    merged = [tuple(map(sum, zip(*part, strict=True))) for part in (verdicts[:split], verdicts[split:]) if part]
    assert figures(record(*merged)).precision == whole.precision  # type: ignore[arg-type]
    assert sum(total for total, _ in whole.weeks) == whole.precision.total


def proposal(days_ago: float | None) -> ShadowProposal:
    decided = None if days_ago is None else NOW - timedelta(days=days_ago)
    return ShadowProposal(1, CLOSING, share(1, 2), 0.8, NOW - WEEK * 9, decided and False, decided and 1, decided)


def proposed(known: RuleRecord, last: ShadowProposal | None = None) -> Share | None:
    found = to_propose({CLOSING: known}, {} if last is None else {CLOSING: last}, POLICY, NOW)
    return found[0][1] if found else None


def test_what_falls_short_and_is_in_force_is_proposed() -> None:
    assert proposed(record((40, 20))) == share(20, 40)
    assert proposed(record((40, 40))) is None
    assert proposed(record((20, 2))) is None
    assert proposed(record((40, 20), in_force=False)) is None, "an old version, or one that is not scored any more"


def test_what_waits_for_somebody_is_not_proposed_again() -> None:
    assert proposed(record((40, 20)), proposal(None)) is None


def test_what_was_decided_is_proposed_again_for_new_verdicts_alone() -> None:
    known = record((20, 10), (20, 10), (20, 10), (100, 10))
    assert proposed(known, proposal(1)) is None
    assert proposed(known, proposal(13)) is None, "one whole week since, of 20 verdicts"
    assert proposed(known, proposal(14)) == share(20, 40)
    assert proposed(record((40, 40), (100, 10)), proposal(8)) is None, "it has become better"


def test_weeks_are_counted_back_from_now() -> None:
    edges = POLICY.edges(NOW)
    assert (len(edges), edges[0], edges[-1]) == (13, NOW - WEEK, NOW - 13 * WEEK)
