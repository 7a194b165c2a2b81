"""Batch runs: nightly and requested, filled piece by piece, counted as their jobs end, continued by whoever comes.

Guarantee: cursor, jobs and counts are written in one transaction: a process that dies leaves the run as it was
before. Any number of processes may see to it at once. No more waits for workers than the queue may hold, whatever
is selected; a run says why it waits. What a person asked for, or another run wants, is not taken back.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from functools import reduce
from zoneinfo import ZoneInfo

import structlog

from qa_service.domain.batch_runs import (
    BatchKind,
    BatchRun,
    BatchState,
    JobOutcome,
    Selection,
    Tally,
    Waiting,
    active_s,
)
from qa_service.domain.nights import last_night
from qa_service.errors import ConflictError, QAError
from qa_service.ports import BATCH_PRIORITY, Clock, JobRequest, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.batches import Candidate
from qa_service.services.plans import Planner

PAGE = 200
"""Recordings that are looked at, and jobs that are counted, in one transaction."""

SETTLING = timedelta(seconds=60)
"""A nightly run looks so much later: a recording's time is told before its transaction ends, by clocks that differ
a little, and what then appeared before the cursor would never be seen."""

BUDGET_S = 5.0
"""How long one look at all runs may take."""

log = structlog.get_logger(__name__)

Also = Callable[[UnitOfWork, BatchRun], None]
"""What else is written with a step that somebody asks for: who it was."""


def _nothing(unit: UnitOfWork, run: BatchRun) -> None:
    """Nobody asks what it was."""


@dataclass(frozen=True, slots=True)
class Nightly:
    """When the nightly run is due: ``at`` by the clocks of ``zone``."""

    at: time_of_day
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Room:
    """``jobs``: as many may wait. ``has_space``: whether the data disk has room for what they make."""

    jobs: int
    has_space: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Page:
    """The next recordings of a selection and what is wanted of them, or what the run waits for."""

    recordings: Sequence[Candidate] = ()
    wanted: Sequence[JobRequest] = ()
    waiting: Waiting | None = None


class BatchRuns:
    """Args:
    units: where runs and jobs are stored.
    planner: what is wanted of a recording.
    room: how much may wait.
    nightly: when the nightly run is due; None: never.
    clock: the time.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        planner: Callable[[], Planner],
        room: Room,
        nightly: Nightly | None,
        clock: Clock,
    ) -> None:
        self._units = units
        self._planner = planner
        self._room = room
        self._nightly = nightly
        self._clock = clock

    def request(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        team: str | None = None,
        pack: str | None = None,
        force: bool = False,
        rescore: bool = False,
        also: Also = _nothing,
    ) -> tuple[BatchRun, bool]:
        """The run of this selection that has not ended, else a new one; and whether it is new.

        Without ``until``, and with one that is to come, it ends now.
        """
        kind = BatchKind.RESCORE if rescore else BatchKind.REQUESTED
        asked = [_text(since), _text(until), team, pack, force]
        prefix = f"{kind}:{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]}:"
        now = self._clock.now()
        selection = Selection(min(until, now) if until else now, since, team, pack, force)
        with self._units() as unit:
            last = unit.batch_runs.last(prefix)
            if last is not None and last.is_open:
                return last, False
            # Named by the one before it, so that two who ask at once get the same.
            run, new = unit.batch_runs.add(f"{prefix}{last.id if last else 0}", kind, selection)
            if new:
                also(unit, run)
            unit.commit()
        return run, new

    def look_after(self) -> Sequence[BatchRun]:
        """Begin the nightly run if it is due, and see to every run that has not ended; these as they are now."""
        ends = time.monotonic() + BUDGET_S
        with self._units() as unit:
            self._begin_nightly(unit)
            runs = unit.batch_runs.unended()
        return [self._looked_after(run, ends) for run in runs]

    def _looked_after(self, run: BatchRun, until: float) -> BatchRun:
        try:
            return self.advance(run.id, until=until)
        except QAError as error:  # a pack that cannot be read, say: the other runs go on
            log.warning("a batch run cannot go on", batch_run=run.id, code=error.code, message=error.message)
            return run

    def advance(self, run_id: int, *, until: float | None = None) -> BatchRun:
        """Count what has ended and queue what there is room for.

        Args:
            run_id: the run.
            until: on the monotonic clock; None: one page.
        """
        while True:
            run, more = self._step(run_id)
            if not more or until is None or time.monotonic() >= until:
                return run

    def get(self, run_id: int) -> BatchRun:
        """Raises NotFoundError."""
        with self._units() as unit:
            return unit.batch_runs.get(run_id)

    def recent(self, limit: int) -> Sequence[BatchRun]:
        with self._units() as unit:
            return unit.batch_runs.page(before=None, limit=limit, teams=None)

    def failures(self, run_id: int, limit: int) -> Sequence[tuple[int, str, str]]:
        with self._units() as unit:
            return unit.batch_runs.failures(run_id, limit)

    def cancel(self, run_id: int, *, also: Also = _nothing) -> BatchRun:
        """Queue no more of it and take back what nobody works on; what is under way is finished.

        Raises:
            ConflictError: ``batch_run_ended``.
        """
        with self._units() as unit:
            run = self._held(unit, run_id)
            if run.state is BatchState.CANCELLED:
                return run
            if run.state is BatchState.DONE:
                raise ConflictError("batch_run_ended", f"batch run {run_id} is done: see `qa batch show {run_id}`")
            run = self._saved(unit, self._withdrawn(unit, replace(run, state=BatchState.CANCELLED, waiting=None)))
            also(unit, run)
            unit.commit()
        return run

    def retry(self, run_id: int, *, code: str | None = None, also: Also = _nothing) -> tuple[BatchRun, int]:
        """Try its failed jobs once more, all or those of one code; and how many they are.

        Raises:
            ConflictError: ``batch_run_ended``, when it was cancelled.
        """
        with self._units() as unit:
            run = self._held(unit, run_id)
            if run.state is BatchState.CANCELLED:
                raise ConflictError(
                    "batch_run_ended", f"batch run {run_id} was cancelled: ask for its recordings in another one"
                )
            failed = unit.batch_runs.failed(run_id, code)
            if failed:
                unit.batch_runs.queue_again(run_id, sorted(failed))
                state = BatchState.RUNNING if run.state is BatchState.DONE else run.state
                tally = run.tally.without(failed.values())
                run = self._saved(unit, replace(run, state=state, ended_at=None, tally=tally))
                also(unit, run)
            unit.commit()
        return run, len(failed)

    def _begin_nightly(self, unit: UnitOfWork) -> None:
        if self._nightly is None:
            return
        night = last_night(self._nightly.at, self._nightly.zone, self._clock.now())
        before = unit.batch_runs.last("nightly:")
        if night is None or (before is not None and before.selection.until >= night.begins):
            return
        since = before.selection.until if before else None
        run, new = unit.batch_runs.add(night.key, BatchKind.NIGHTLY, Selection(night.begins, since))
        unit.commit()
        if new:
            log.info("nightly batch run begins", batch_run=run.id, key=run.key, expected=run.expected)

    def _step(self, run_id: int) -> tuple[BatchRun, bool]:
        """One page, and whether there is more to do at once."""
        with self._units() as unit:
            run = unit.batch_runs.get(run_id)
        if run.ended_at is not None:
            return run, False
        page = self._next_page(run, self._horizon(run)) if run.state is BatchState.FILLING else _Page()
        with self._units() as unit:
            held = unit.batch_runs.hold(run_id)
            if held is None:  # somebody else sees to it
                return run, False
            if held.state is not run.state or held.cursor != run.cursor:
                return held, False  # somebody else was faster, and goes on
            run, counted = self._counted(unit, held)
            filled = self._filled(unit, run, page)
            moved = filled.cursor != run.cursor or filled.state is not run.state
            run = self._saved(unit, filled)
            unit.commit()
        return run, run.ended_at is None and (counted or moved)

    def _horizon(self, run: BatchRun) -> datetime:
        """What was received before this moment may be looked at."""
        until = run.selection.until
        return min(until, self._clock.now() - SETTLING) if run.kind is BatchKind.NIGHTLY else until

    def _next_page(self, run: BatchRun, horizon: datetime) -> _Page:
        """Made before the run is held: keys need engines and rules, which may take their time."""
        with self._units() as unit:
            if unit.jobs.waiting(self._room.jobs) >= self._room.jobs:
                return _Page(waiting=Waiting.QUEUE_FULL)
            page = unit.batch_runs.candidates(run.selection, after=run.cursor, before=horizon, limit=PAGE)
        if not page:
            return _Page(waiting=Waiting.SETTLING if horizon < run.selection.until else None)
        if not self._room.has_space():
            return _Page(waiting=Waiting.DISK_FULL)
        plan = self._planner().of(run)
        return _Page(page, [request for one in page if (request := plan(one)) is not None])

    def _counted(self, unit: UnitOfWork, run: BatchRun) -> tuple[BatchRun, bool]:
        ends = unit.batch_runs.ended(run.id, PAGE)
        if run.is_open:  # another run let go of them while this one began to want them
            lost = [end.job_id for end in ends if end.outcome is JobOutcome.WITHDRAWN]
            unit.batch_runs.queue_again(run.id, lost)
            ends = [end for end in ends if end.outcome is not JobOutcome.WITHDRAWN]
        unit.batch_runs.mark(run.id, ends)
        run = replace(run, tally=reduce(Tally.plus, ends, run.tally))
        return (run if run.is_open else self._withdrawn(unit, run)), bool(ends)

    def _filled(self, unit: UnitOfWork, run: BatchRun, page: _Page) -> BatchRun:
        if run.state is not BatchState.FILLING or page.waiting:
            return replace(run, waiting=page.waiting)
        if not page.recordings:
            return replace(run, state=BatchState.RUNNING, waiting=None)
        ids = unit.jobs.enqueue_all(page.wanted, priority=BATCH_PRIORITY)
        linked = unit.batch_runs.link(run.id, sorted(ids.values()))
        unheard = sum(one.heard is None for one in page.recordings) if run.kind is BatchKind.RESCORE else 0
        tally = replace(
            run.tally,
            queued=run.tally.queued + linked,
            not_heard=run.tally.not_heard + unheard,
            up_to_date=run.tally.up_to_date + len(page.recordings) - linked - unheard,
        )
        return replace(run, tally=tally, cursor=page.recordings[-1].cursor, waiting=None)

    def _withdrawn(self, unit: UnitOfWork, run: BatchRun) -> BatchRun:
        count = unit.batch_runs.withdraw(
            run.id,
            code="batch_run_cancelled",
            message="the batch run that asked for it was cancelled: score it again if it is wanted",
        )
        return replace(run, tally=replace(run.tally, withdrawn=run.tally.withdrawn + count))

    def _saved(self, unit: UnitOfWork, run: BatchRun) -> BatchRun:
        now = self._clock.now()
        run = replace(run, active_s=active_s(run, now), seen_at=now)
        if run.state is not BatchState.FILLING and not unit.batch_runs.waits(run.id):
            done = BatchState.DONE if run.is_open else run.state
            run = replace(run, state=done, ended_at=now)
        unit.batch_runs.save(run)
        return run

    def _held(self, unit: UnitOfWork, run_id: int) -> BatchRun:
        """The run, however long somebody else holds it. Raises NotFoundError."""
        unit.batch_runs.get(run_id)
        for _ in range(100):
            if (held := unit.batch_runs.hold(run_id)) is not None:
                return held
            time.sleep(0.1)
        raise ConflictError("batch_run_busy", f"batch run {run_id} is being filled: try again in a moment")


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
