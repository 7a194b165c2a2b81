"""The catalogue, standings, and the way of a change."""

from datetime import UTC, datetime, timedelta

import pytest

from qa_service.domain.training import (
    COURSES,
    MODULES,
    ChangeState,
    ChangeStep,
    Passed,
    Standing,
    TrainingModule,
    TrainingPolicy,
    follow,
    standing,
    waits_for,
)
from rules.loader import load_pack, shipped_packs

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def test_the_catalogue_is_what_rules_refer_to() -> None:
    named = {rule.training for path in shipped_packs().values() for rule in load_pack(path).rules}
    assert named - {None} == {module.name for module in MODULES}
    (onboarding,) = COURSES
    assert (onboarding.days, onboarding.onboarding) == (15.0, True)
    assert set(onboarding.modules) == {module.name for module in MODULES}
    assert sum(module.days for module in MODULES) == 10.0


@pytest.mark.parametrize(
    ("passed", "expires_in", "expected"),
    [
        ([], None, Standing.NEVER),
        ([True], 30, Standing.CERTIFIED),
        ([True], 0, Standing.EXPIRED),
        ([False], None, Standing.RETRAINING),
        ([True, False], 30, Standing.RETRAINING),
        ([False, True], 30, Standing.CERTIFIED),
    ],
)
def test_the_last_assessment_counts(passed: list[bool], expires_in: int | None, expected: Standing) -> None:
    expires_at = None if expires_in is None else NOW + timedelta(days=expires_in)
    assert standing(passed, expires_at, NOW) is expected


def test_a_module_goes_before_the_site() -> None:
    policy = TrainingPolicy(pass_mark=80.0, valid_days=365)
    plain, strict = TrainingModule("a", "甲", "A", 1.0), TrainingModule("b", "乙", "B", 1.0, 95.0, 30)
    assert (policy.mark_of(plain), policy.mark_of(strict)) == (80.0, 95.0)
    assert policy.expiry_of(plain, NOW) == NOW + 365 * DAY
    assert policy.expiry_of(strict, NOW) == NOW + 30 * DAY
    assert policy.mark_of(TrainingModule("c", "丙", "C", 1.0, 0.0)) == 0.0, "no mark at all is a mark"


def test_no_step_of_a_change_is_skipped() -> None:
    state, way = ChangeState.DRAFTED, []
    for step in (ChangeStep.APPROVE, ChangeStep.TRAIN, ChangeStep.ASSESS, ChangeStep.GO_LIVE):
        assert bool(waits_for(state)) is state.holds_up
        after = follow(state, step)
        assert after is not None
        way.append(after.value)
        state = after
    assert way == ["approved", "trained", "assessed", "live"]
    assert follow(ChangeState.DRAFTED, ChangeStep.TRAIN) is None
    assert follow(ChangeState.TRAINED, ChangeStep.GO_LIVE) is None
    assert follow(ChangeState.LIVE, ChangeStep.WITHDRAW) is None


@pytest.mark.parametrize(
    ("concerned", "passed", "enough"), [(0, 0, False), (10, 7, False), (10, 8, True), (1, 1, True)]
)
def test_of_nobody_nothing_can_be_said(concerned: int, passed: int, enough: bool) -> None:
    assert Passed(concerned, passed).is_enough(0.8) is enough
