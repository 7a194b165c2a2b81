"""What coaching makes of the statistics."""

import sys
from datetime import date, timedelta

import pytest

from qa_service.domain.causes import Cause, CausePolicy, Trend
from qa_service.domain.figures import FaultLine, FaultTotals
from qa_service.services.coaching_causes import find_causes

MONDAY = date(2026, 3, 2)


def weeks(agent: str, faults: int, *, rule: str = "opening", calls: int = 60, team: str = "A") -> list[FaultLine]:
    return [
        FaultLine((team, agent), MONDAY + timedelta(weeks=week), rule, FaultTotals(calls, faults))
        for week in range(4)
    ]


def everybody(faults: int, *, rule: str = "opening") -> list[FaultLine]:
    return [line for number in range(12) for line in weeks(str(number), faults + number % 2, rule=rule)]


def test_one_stands_out_and_others_do_not() -> None:
    now = everybody(3) + weeks("1024", 30)
    told = find_causes(now, everybody(3) + weeks("1024", 3))
    assert told.agents["1024", "opening"] is Cause.SPECIAL
    assert told.trends["1024", "opening"] is Trend.WORSE
    assert {cause for (agent, _), cause in told.agents.items() if agent != "1024"} == {Cause.COMMON}
    assert list(told.shared) == []


def test_what_everybody_has_is_shared() -> None:
    told = find_causes(everybody(30), everybody(30))
    assert Cause.SPECIAL not in told.agents.values()
    assert (None, "opening") in told.shared


def test_few_calls_tell_nothing() -> None:
    told = find_causes(weeks("1024", 1, calls=2), ())
    assert set(told.agents.values()) == {Cause.TOO_FEW}
    assert list(told.shared) == []


def test_without_the_libraries_nobody_stands_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("numpy", "scipy")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    told = find_causes(everybody(3) + weeks("1024", 30), ())
    assert (dict(told.agents), list(told.shared)) == ({}, [])


def test_the_site_says_what_it_takes() -> None:
    now, before = everybody(3) + weeks("1024", 30), everybody(3) + weeks("1024", 3)
    told = find_causes(now, before, policy=CausePolicy(min_calls=1_000, high_rate=0.02))
    assert set(told.agents.values()) == {Cause.TOO_FEW}
    assert set(told.trends.values()) == {Trend.CANNOT_TELL}
