"""What keeps the queue whole when workers and messages are lost.

Guarantee: safe to run at any time, by any number of workers: every change is conditional on what it was meant for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from qa_service.observing import Observer, Observers
from qa_service.ports import MAX_LOSSES, UnitOfWorkFactory

SWEEP_EVERY_S = 10.0
"""How often a worker looks after the others."""

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
        self, *, units: UnitOfWorkFactory, is_dead: Callable[[str], bool], observer: Observer | None = None
    ) -> None:
        self._units = units
        self._is_dead = is_dead
        self._observer = observer or Observers()

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
            unit.commit()
        if freed or given_up:
            log.warning("workers were lost", freed=freed, set_aside=list(given_up))
            self._observer.swept(freed=freed, set_aside=len(given_up))
        return Swept(freed, len(given_up), due)
