"""How agents spend their shifts, by half hours of the site's clock: what spans of states add up to.

Guarantee: pure. Every second of a span falls into one half hour; cutting a span in two changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from qa_service.domain.agent_states import AgentState, StateSpan

HALF_HOURS: Final = 48
_HALF_HOUR_S: Final = 1800
_TOUCHING: Final = timedelta(seconds=1)  # logs are in whole seconds


@dataclass(frozen=True, slots=True)
class StateTimes:
    """Seconds in each state. ``shift_s``: at work at all, known or not what with; ``calls``: those that began."""

    talk_s: float = 0.0
    hold_s: float = 0.0
    ring_s: float = 0.0
    after_call_s: float = 0.0
    idle_s: float = 0.0
    break_s: float = 0.0
    training_s: float = 0.0
    meeting_s: float = 0.0
    shift_s: float = 0.0
    calls: int = 0

    def __add__(self, other: "StateTimes") -> "StateTimes":
        return StateTimes(*(getattr(self, name) + getattr(other, name) for name in FIELDS))

    @property
    def states_s(self) -> float:
        """What is accounted for."""
        return (
            self.talk_s
            + self.hold_s
            + self.ring_s
            + self.after_call_s
            + self.idle_s
            + self.break_s
            + self.training_s
            + self.meeting_s
        )


FIELDS: Final = tuple(field.name for field in fields(StateTimes))
NO_TIMES: Final = StateTimes()

HalfHour = tuple[date, int]
"""A day, and which of its 48 half hours."""


def times_of(spans: Iterable[StateSpan], zone: tzinfo) -> Mapping[HalfHour, StateTimes]:
    """Of one agent's spans, in any order: what falls into each half hour.

    A call begins where talking does, but not where it goes on after a hold; spans of the same ``call_id`` are one.
    Where the log tells the shift, a half hour's ``shift_s`` holds what no state accounts for too.
    """
    ordered = sorted(spans, key=lambda span: (span.starts, span.is_shift))
    found: dict[HalfHour, dict[str, float]] = {}
    for span in ordered:
        if span.state is AgentState.OFFLINE:
            continue
        name = f"{span.state.value}_s"
        for key, seconds in _pieces(span, zone):
            times = found.setdefault(key, {})
            times[name] = times.get(name, 0.0) + seconds
    calls = Counter(_half_hour(moment, zone) for moment in _calls(span for span in ordered if not span.is_shift))
    summed = {key: StateTimes(**times, calls=calls[key]) for key, times in found.items()}
    return {key: replace(times, shift_s=max(times.shift_s, times.states_s)) for key, times in summed.items()}


def days_of(span: StateSpan, zone: tzinfo) -> set[date]:
    """The days that a span touches."""
    first, last = span.starts.astimezone(zone).date(), (span.ends - _SMALLEST).astimezone(zone).date()
    return {first + timedelta(days=ahead) for ahead in range((last - first).days + 1)}


_SMALLEST: Final = timedelta(microseconds=1)


def _calls(spans: Iterable[StateSpan]) -> Iterator[datetime]:
    known: set[str] = set()
    before: StateSpan | None = None
    for span in spans:
        if span.state is AgentState.TALK:
            resumed = (
                before is not None and before.state is AgentState.HOLD and span.starts - before.ends <= _TOUCHING
            )
            if span.call_id not in known if span.call_id is not None else not resumed:
                yield span.starts
            if span.call_id is not None:
                known.add(span.call_id)
        before = span


def _pieces(span: StateSpan, zone: tzinfo) -> Iterator[tuple[HalfHour, float]]:
    at = span.starts
    while at < span.ends:
        local = at.astimezone(zone)
        passed = local.minute % 30 * 60 + local.second + local.microsecond / 1e6
        until = min(at + timedelta(seconds=_HALF_HOUR_S - passed), span.ends)
        yield (local.date(), local.hour * 2 + local.minute // 30), (until - at).total_seconds()
        at = until


def _half_hour(moment: datetime, zone: tzinfo) -> HalfHour:
    local = moment.astimezone(zone)
    return local.date(), local.hour * 2 + local.minute // 30
