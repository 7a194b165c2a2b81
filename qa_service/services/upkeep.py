"""What keeps the queue whole when workers and messages are lost.

Guarantee: safe to run at any time, by any number of workers: every change is conditional on what it was meant for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from qa_service.domain.queueing import ReviewPolicy
from qa_service.observing import Observer, Observers
from qa_service.ports import MAX_LOSSES, Clock, UnitOfWorkFactory
from qa_service.services.fitness import at_most_each

SWEEP_EVERY_S = 10.0
"""How often a worker looks after the others."""

CATCH_UP_EVERY_S = 3600.0
CAUGHT_UP_AT_ONCE = 1_000
UPGRADES_LAST = timedelta(days=2)
"""For so long workers of two versions may be at work."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """Jobs that were ``freed`` from dead workers, ``set_aside``, and that are ``due``, counted up to a limit."""

    freed: int
    set_aside: int
    due: int


class Upkeep:
    """Frees what dead workers held, gives up what kills them, and counts what waits for one."""

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        is_dead: Callable[[str], bool],
        clock: Clock,
        review: ReviewPolicy | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._units = units
        self._is_dead = is_dead
        self._clock = clock
        self._review = review or ReviewPolicy()
        self._observer = observer or Observers()
        self._now_and_then = at_most_each(CATCH_UP_EVERY_S, self.catch_up)
        self._texts_after: int | None = 0

    def sweep(self, *, count: int) -> Swept:
        """One round; due jobs are counted up to ``count``."""
        with self._units() as unit:
            freed = unit.jobs.free_dead(self._is_dead)
            given_up = unit.jobs.set_aside(
                code="worker_died",
                message=f"{MAX_LOSSES} workers died over this recording, for want of memory or beyond "
                "QA_WORK_LIMIT_S: give it more of what it lacks and score it again, or leave it out",
            )
            due = len(unit.jobs.due(count)) if count else 0
            if self._texts_after is not None:
                self._texts_after = unit.calls.catch_up_texts(self._texts_after)
            unit.commit()
        if freed or given_up:
            log.warning("workers were lost", freed=freed, set_aside=list(given_up))
            self._observer.swept(freed=freed, set_aside=len(given_up))
        self._now_and_then()
        return Swept(freed, len(given_up), due)

    def catch_up(self) -> None:
        """Workers of the version before, at work while the database was upgraded, list no calls for people."""
        with self._units() as unit:
            since = self._clock.now() - UPGRADES_LAST
            for recording_id in unit.recordings.catch_up(since=since, limit=CAUGHT_UP_AT_ONCE):
                unit.review.place(recording_id, self._review)
            unit.commit()
