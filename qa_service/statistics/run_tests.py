"""Run tests on points of a chart: patterns that chance seldom makes.

Guarantee: pure, standard library only. Each pattern is told once, with all points that it is made of: a run that
goes on is one alarm and not one more every day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from qa_service.domain.causes import Cause
from qa_service.domain.control_charts import Advice, Alarm, RunTest

Found = tuple[tuple[int, ...], bool | None]
"""Numbers of points, and on which side they are."""

_RUNS: Final = {RunTest.RUN_OF_6: 6, RunTest.RUN_OF_8: 8, RunTest.RUN_OF_9: 9, RunTest.RUN_OF_12: 12}
_TREND: Final = 6
_ALTERNATING: Final = 14
_WITHIN: Final = 15
_BEYOND: Final = 8

_ADVICE: Final = {
    RunTest.BEYOND_LIMITS: Advice.FIND_CAUSE,
    RunTest.TWO_OF_THREE: Advice.FIND_CAUSE,
    RunTest.FOUR_OF_FIVE: Advice.FIND_SHIFT,
    RunTest.RUN_OF_6: Advice.WATCH,
    RunTest.RUN_OF_8: Advice.FIND_SHIFT,
    RunTest.RUN_OF_9: Advice.FIND_SHIFT,
    RunTest.RUN_OF_12: Advice.FIND_SHIFT,
    RunTest.TREND_OF_6: Advice.FIND_SHIFT,
    RunTest.FOURTEEN_ALTERNATING: Advice.STOP_ADJUSTING,
    RunTest.FIFTEEN_WITHIN: Advice.CHECK_LIMITS,
    RunTest.EIGHT_BEYOND: Advice.CHECK_LIMITS,
    RunTest.OFF_TARGET: Advice.CHANGE_SYSTEM,
}
# These are about how the figure comes about, not about one event.
_COMMON: Final = {
    RunTest.FOURTEEN_ALTERNATING,
    RunTest.FIFTEEN_WITHIN,
    RunTest.EIGHT_BEYOND,
    RunTest.OFF_TARGET,
}


def alarms(z: Sequence[float], outside: Sequence[int], tests: Sequence[RunTest]) -> list[Alarm]:
    """What ``tests`` find, in the order in which patterns were complete.

    Args:
        z: points in standard deviations from the centre.
        outside: of each point, on which side of its limits it lies: 1 above, -1 below, 0 within.
        tests: that are run; OFF_TARGET is none of points and finds nothing here.
    """
    found: list[Alarm] = []
    for test in dict.fromkeys(tests):
        found += (alarm(test, points, above) for points, above in _find(test, z, outside, tests))
    return sorted(found, key=lambda one: (one.points[-1], one.test))


def alarm(test: RunTest, points: tuple[int, ...], above: bool | None) -> Alarm:
    return Alarm(test, points, above, Cause.COMMON if test in _COMMON else Cause.SPECIAL, _ADVICE[test])


def _find(test: RunTest, z: Sequence[float], outside: Sequence[int], tests: Sequence[RunTest]) -> Iterator[Found]:
    match test:
        case RunTest.BEYOND_LIMITS:
            for point, side in enumerate(outside):
                if side:
                    yield (point,), side > 0
        case RunTest.TWO_OF_THREE:
            yield from _some_of(z, least=2, of=3, beyond=2.0)
        case RunTest.FOUR_OF_FIVE:
            yield from _some_of(z, least=4, of=5, beyond=1.0)
        case RunTest.TREND_OF_6:
            yield from _trends(z)
        case RunTest.FOURTEEN_ALTERNATING:
            turns = [(b - a) * (c - b) < 0 for a, b, c in zip(z, z[1:], z[2:], strict=False)]
            for first, last in _stretches(turns, _ALTERNATING - 2):
                yield tuple(range(first, last + 3)), None
        case RunTest.FIFTEEN_WITHIN:
            for first, last in _stretches([abs(value) < 1 for value in z], _WITHIN):
                yield tuple(range(first, last + 1)), None
        case RunTest.EIGHT_BEYOND:
            for first, last in _stretches([abs(value) > 1 for value in z], _BEYOND):
                if min(z[first : last + 1]) < 0 < max(z[first : last + 1]):
                    yield tuple(range(first, last + 1)), None
        case RunTest.OFF_TARGET:
            return
        case _:
            yield from _sides(z, _RUNS[test], [_RUNS[other] for other in tests if other in _RUNS])


def _sides(z: Sequence[float], length: int, lengths: Sequence[int]) -> Iterator[Found]:
    """Runs on one side for which ``length`` is the longest of ``lengths`` that they reach."""
    for above in (True, False):
        side = [value > 0 if above else value < 0 for value in z]
        for first, last in _stretches(side, length):
            if max(one for one in lengths if one <= last + 1 - first) == length:
                yield tuple(range(first, last + 1)), above


def _trends(z: Sequence[float]) -> Iterator[Found]:
    steps = [after - before for before, after in pairwise(z)]
    for above in (True, False):
        for first, last in _stretches([step > 0 if above else step < 0 for step in steps], _TREND - 1):
            yield tuple(range(first, last + 2)), above


def _some_of(z: Sequence[float], *, least: int, of: int, beyond: float) -> Iterator[Found]:
    """``least`` of ``of`` points in a row further out than ``beyond``, on one side; what overlaps is one
    pattern."""
    for above in (True, False):
        out = [point for point, value in enumerate(z) if (value if above else -value) > beyond]
        pattern: list[int] = []
        for number in range(least - 1, len(out)):
            group = out[number + 1 - least : number + 1]
            if group[-1] - group[0] >= of:
                continue
            if pattern and group[0] > pattern[-1]:
                yield tuple(pattern), above
                pattern = []
            pattern += [point for point in group if point not in pattern]
        if pattern:
            yield tuple(pattern), above


def _stretches(flags: Sequence[bool], least: int) -> Iterator[tuple[int, int]]:
    """First and last of each longest stretch of true ``flags`` that has ``least`` of them."""
    first: int | None = None
    for number, flag in enumerate([*flags, False]):
        if flag and first is None:
            first = number
        elif not flag and first is not None:
            if number - first >= least:
                yield first, number - 1
            first = None
