"""Spans of agents' states, and what they add up to by half hours.

Guarantee: spans of an agent never overlap, but for the shift that the others lie in; sums are those of the spans
that are stored, counted again in the transaction that changes them.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final, NamedTuple

from sqlalchemy import Boolean, ColumnElement, Text, column, delete, func, insert, select, tuple_, update, values
from sqlalchemy.orm import Session

from qa_service.db.inserting import insert_or_update
from qa_service.db.rows import AgentRow, AgentStateRow, AgentTimesRow, UTCDateTime
from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.agent_states import LONGEST, AgentState, StateSpan
from qa_service.domain.imports import RowFault
from qa_service.domain.state_times import FIELDS, NO_TIMES, StateTimes, days_of, times_of
from qa_service.ports.imports import Put, StateLine

_UNIQUE: Final = ("agent_id", "is_shift", "starts_at")
_AT_ONCE: Final = 500
_DAYS_AT_ONCE: Final = 100
_DAY: Final = timedelta(days=1)
_NEAR: Final = timedelta(hours=1)


class _Window(NamedTuple):
    """``[since, until)`` of one of an agent's lanes."""

    agent_id: str
    is_shift: bool
    since: datetime
    until: datetime


_WINDOW: Final = (
    column("agent_id", Text),
    column("is_shift", Boolean),
    column("since", UTCDateTime),
    column("until", UTCDateTime),
    column("earliest", UTCDateTime),
)
"""``earliest``: no span that touches the window begins before."""


def _merged(windows: Iterable[_Window]) -> list[_Window]:
    """The same time in fewer windows. What is read between two stays little: a row may tell of a wrong year."""
    merged: list[_Window] = []
    for window in sorted(windows):
        last = merged[-1] if merged else None
        if last is not None and last[:2] == window[:2] and window.since - last.until <= _NEAR:
            merged[-1] = last._replace(until=max(last.until, window.until))
        else:
            merged.append(window)
    return merged


class _Lane:
    """An agent's spans of one kind, which do not overlap, by start."""

    def __init__(self, spans: Iterable[StateSpan]) -> None:
        self._starts: list[datetime] = []
        self._spans: list[StateSpan] = []
        for span in spans:
            self._starts.append(span.starts)
            self._spans.append(span)

    def at(self, starts: datetime) -> StateSpan | None:
        place = bisect_left(self._starts, starts)
        return self._spans[place] if place < len(self._starts) and self._starts[place] == starts else None

    def place(self, span: StateSpan) -> StateSpan | None:
        """Take it in, in place of one that begins with it; or return the one that it overlaps."""
        place = bisect_left(self._starts, span.starts)
        same = place < len(self._starts) and self._starts[place] == span.starts
        before = self._spans[place - 1] if place else None
        after = self._spans[place + same] if place + same < len(self._spans) else None
        if before is not None and before.ends > span.starts:
            return before
        if after is not None and after.starts < span.ends:
            return after
        if same:
            self._spans[place] = span
        else:
            self._starts.insert(place, span.starts)
            self._spans.insert(place, span)
        return None


class SqlAgentStates:
    """Implements ``AgentStateRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(
        self,
        rows: Sequence[tuple[int, StateSpan]],
        owners: Mapping[str, CallOwner],
        *,
        import_id: int,
        zone: tzinfo,
    ) -> Put:
        if not rows:
            return Put()
        agents = sorted({span.agent_id for _, span in rows})
        # One import of an agent's states at a time: the other would not see what overlaps.
        self._session.execute(
            select(AgentRow.agent_id)
            .where(AgentRow.agent_id.in_(agents))
            .order_by(AgentRow.agent_id)
            .with_for_update()
        )
        lanes, own = self._lanes(rows, import_id)
        added = changed = unchanged = 0
        stored: dict[tuple[str, bool, datetime], dict[str, Any]] = {}
        faults: dict[int, RowFault] = {}
        touched: set[tuple[str, date]] = set()

        def shrinks(row: tuple[int, StateSpan]) -> bool:
            span = row[1]
            lane = lanes.get((span.agent_id, span.is_shift))
            old = None if lane is None else lane.at(span.starts)
            return old is not None and span.ends <= old.ends

        # Those first that make room for the others.
        for line, span in sorted(rows, key=lambda row: not shrinks(row)):
            key = (span.agent_id, span.is_shift, span.starts)
            lane = lanes.setdefault(key[:2], _Lane(()))
            old = lane.at(span.starts)
            if key in own:
                faults[line] = _REPEATED if old == span else _CONTRADICTS
                unchanged += old == span
                continue
            if old == span:
                unchanged += 1
                own.add(key)
                stored[key] = _values(span, import_id)  # so that a later row of the same import is seen to differ
                continue
            overlapped = lane.place(span)
            if overlapped is not None:
                faults[line] = _overlap(overlapped, zone)
                continue
            own.add(key)
            added, changed = added + (old is None), changed + (old is not None)
            stored[key] = _values(span, import_id)
            for each in (span, *([old] if old else [])):
                touched |= {(span.agent_id, day) for day in days_of(each, zone)}
        insert_or_update(self._session, AgentStateRow, _UNIQUE, [stored[key] for key in sorted(stored)])
        self._recount(touched, owners, zone)
        return Put(added, changed, unchanged, faults)

    def _lanes(
        self, rows: Sequence[tuple[int, StateSpan]], import_id: int
    ) -> tuple[dict[tuple[str, bool], _Lane], set[tuple[str, bool, datetime]]]:
        """What is stored near the rows, and which of it came with this import."""
        by_lane: dict[tuple[str, bool], list[StateSpan]] = {}
        own: set[tuple[str, bool, datetime]] = set()
        near = (_Window(span.agent_id, span.is_shift, span.starts, span.ends) for _, span in rows)
        for span, came_with in self._stored(near):
            by_lane.setdefault((span.agent_id, span.is_shift), []).append(span)
            if came_with == import_id:
                own.add((span.agent_id, span.is_shift, span.starts))
        return {key: _Lane(spans) for key, spans in by_lane.items()}, own

    def _stored(self, windows: Iterable[_Window]) -> list[tuple[StateSpan, int]]:
        """Spans that touch any of the windows, by start in each lane; and with which import each came."""
        found: dict[tuple[str, bool, datetime], tuple[StateSpan, int]] = {}
        row, merged = AgentStateRow, _merged(windows)
        for begin in range(0, len(merged), _AT_ONCE):
            near = (
                values(*_WINDOW, name="near")
                .data([(*each, each.since - LONGEST) for each in merged[begin : begin + _AT_ONCE]])
                .cte("near")
            )
            wanted = (
                select(row.agent_id, row.state, row.starts_at, row.ends_at, row.call_id, row.import_id)
                .join(
                    near,
                    (row.agent_id == near.c.agent_id)
                    & (row.is_shift == near.c.is_shift)
                    & (row.starts_at > near.c.earliest)
                    & (row.starts_at < near.c.until)
                    & (row.ends_at > near.c.since),
                )
                .order_by(row.agent_id, row.starts_at)
            )
            for agent_id, state, starts, ends, call_id, import_id in self._session.execute(wanted):
                span = StateSpan(agent_id, AgentState(state), starts, ends, call_id)
                found[agent_id, span.is_shift, starts] = span, import_id  # a long one may touch two windows
        return list(found.values())

    def _recount(
        self, changed: Collection[tuple[str, date]], owners: Mapping[str, CallOwner], zone: tzinfo
    ) -> None:
        # A call that goes on after midnight is none of the next day's, whichever of them was brought in first.
        after = {(agent_id, day + _DAY) for agent_id, day in changed}
        days = sorted(after.union(changed))
        for begin in range(0, len(days), _DAYS_AT_ONCE):
            page = days[begin : begin + _DAYS_AT_ONCE]
            times = self._times(page, zone)
            self._replace([key for key in page if key in changed], times, owners)
            self._correct_calls([key for key in page if key not in changed], times)

    def _times(
        self, days: Sequence[tuple[str, date]], zone: tzinfo
    ) -> Mapping[tuple[str, date], Mapping[int, StateTimes]]:
        """What the states of these days add up to, by half hours."""
        near = (
            _Window(agent_id, is_shift, _midnight(day - _DAY, zone), _midnight(day + _DAY, zone))
            for agent_id, day in days
            for is_shift in (False, True)
        )
        by_day: dict[tuple[str, date], list[StateSpan]] = {}
        for span, _ in self._stored(near):
            for day in days_of(span, zone):
                by_day.setdefault((span.agent_id, day), []).append(span)
        found = {}
        for agent_id, day in days:
            # The day before tells which calls go on; no more than it, or sums would depend on what else came.
            spans = {*by_day.get((agent_id, day - _DAY), ()), *by_day.get((agent_id, day), ())}
            times = times_of(spans, zone)
            found[agent_id, day] = {half_hour: times[of, half_hour] for of, half_hour in times if of == day}
        return found

    def _replace(
        self,
        days: Sequence[tuple[str, date]],
        times: Mapping[tuple[str, date], Mapping[int, StateTimes]],
        owners: Mapping[str, CallOwner],
    ) -> None:
        """Store the sums of days in place of those that they had."""
        self._session.execute(delete(AgentTimesRow).where(_of(days)))
        rows = []
        for agent_id, day in days:
            owner = owners.get(agent_id, CallOwner())
            for half_hour, summed in times[agent_id, day].items():
                rows.append(
                    {
                        "agent_id": agent_id,
                        "day": day.isoformat(),
                        "half_hour": half_hour,
                        "team": owner.team,
                        "vendor": owner.vendor,
                        **{name: getattr(summed, name) for name in FIELDS},
                    }
                )
        if rows:
            self._session.execute(insert(AgentTimesRow), rows)

    def _correct_calls(
        self, days: Sequence[tuple[str, date]], times: Mapping[tuple[str, date], Mapping[int, StateTimes]]
    ) -> None:
        """Of days whose own states are as they were: what else is stored of them stays, their team too."""
        row = AgentTimesRow
        wanted = select(row.agent_id, row.day, row.half_hour, row.calls).where(_of(days))
        wrong = []
        for agent_id, day, half_hour, calls in self._session.execute(wanted).all():
            counted = times[agent_id, date.fromisoformat(day)].get(half_hour, NO_TIMES).calls
            if counted != calls:
                wrong.append({"agent_id": agent_id, "day": day, "half_hour": half_hour, "calls": counted})
        if wrong:
            self._session.execute(update(row), wrong)

    def spans(self, agent_id: str, since: datetime, until: datetime) -> Sequence[StateSpan]:
        lanes = (_Window(agent_id, is_shift, since, until) for is_shift in (False, True))
        return sorted((span for span, _ in self._stored(lanes)), key=lambda span: span.starts)

    def times(
        self,
        since: date,
        until: date,
        scope: Scope,
        *,
        teams: Collection[str] | None = None,
        vendors: Collection[str] | None = None,
        agents: Collection[str] | None = None,
        half_hours: Iterable[int] | None = None,
    ) -> Sequence[StateLine]:
        row = AgentTimesRow
        keys = (row.day, row.agent_id, row.team, row.vendor)
        wanted = (
            select(*keys, *(func.sum(getattr(row, name)) for name in FIELDS))
            .where(row.day >= since.isoformat(), row.day < until.isoformat())
            .group_by(*keys)
            .order_by(*keys)
        )
        if scope.vendor is not None:
            wanted = wanted.where(row.vendor == scope.vendor)
        if scope.agent_id is not None:
            wanted = wanted.where(row.agent_id == scope.agent_id)
        for of, among in (
            (row.team, scope.teams),
            (row.team, teams),
            (row.vendor, vendors),
            (row.agent_id, agents),
        ):
            if among is not None:
                wanted = wanted.where(of.in_(sorted(among)))
        if half_hours is not None:
            wanted = wanted.where(row.half_hour.in_(sorted(half_hours)))
        return [
            StateLine(
                agent_id,
                team,
                vendor,
                date.fromisoformat(day),
                StateTimes(**dict(zip(FIELDS[:-1], map(float, sums[:-1]), strict=True)), calls=int(sums[-1])),
            )
            for day, agent_id, team, vendor, *sums in self._session.execute(wanted)
        ]


def _of(days: Sequence[tuple[str, date]]) -> ColumnElement[bool]:
    keys = [(agent_id, day.isoformat()) for agent_id, day in days]
    return tuple_(AgentTimesRow.agent_id, AgentTimesRow.day).in_(keys)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def _values(span: StateSpan, import_id: int) -> dict[str, Any]:
    return {
        "agent_id": span.agent_id,
        "is_shift": span.is_shift,
        "starts_at": span.starts,
        "ends_at": span.ends,
        "state": span.state.value,
        "call_id": span.call_id,
        "import_id": import_id,
    }


def _overlap(other: StateSpan, zone: tzinfo) -> RowFault:
    since, until = (moment.astimezone(zone).isoformat(" ", "seconds") for moment in (other.starts, other.ends))
    return RowFault(
        "state_overlaps",
        f"the agent was in the state {other.state} from {since} to {until}",
        "correct one of the two",
        "started_at",
    )


_REPEATED: Final = RowFault(
    "row_repeated", "the row stands in the file before", "leave one of them out", "", warning=True
)
_CONTRADICTS: Final = RowFault(
    "row_contradicts", "a row before says otherwise of the same agent and moment", "keep the one that is right"
)
