"""What a worker does until it is told to stop, a turn at a time.

Guarantee: the store's trouble and the machine's own end a turn, and no worker: the next one tries again.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from qa_service.errors import QAError
from qa_service.ports import Job
from qa_service.services.batch_runs import BatchRuns
from qa_service.services.fitness import Fitness
from qa_service.services.jobs import ScoreRecordings
from qa_service.services.upkeep import SWEEP_EVERY_S, Upkeep

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """Jobs that ``ended`` in it; whether the worker was ``fit`` to do any.

    ``worn``: it was fit before, and a fresh process may be again: engines that once failed on a GPU stay broken.
    """

    ended: int = 0
    fit: bool = True
    worn: bool = False


class Duty:
    """Looks after other workers, and runs what is due."""

    def __init__(
        self,
        *,
        jobs: ScoreRecordings,
        upkeep: Upkeep,
        batch_runs: BatchRuns,
        fitness: Fitness,
        chores: Sequence[Callable[[], object]] = (),
        sweep_every_s: float = SWEEP_EVERY_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            jobs: built with ``fitness``, which decides who is to blame for what fails.
            upkeep: is run between turns, not more often than each ``sweep_every_s``.
            batch_runs: are begun, filled and counted when that is run.
            fitness: of this machine. While it is not fit, it claims nothing.
            chores: what else is looked after then; each knows whether it is due, and costs nothing else.
            sweep_every_s: seconds.
            now_s: the time, of any origin.
        """
        self._jobs = jobs
        self._upkeep = upkeep
        self._batch_runs = batch_runs
        self._fitness = fitness
        self._chores = tuple(chores)
        self._sweep_every_s = sweep_every_s
        self._now_s = now_s
        self._swept_at = -math.inf

    def look_after(self, *, count: int = 0) -> int:
        """See to what lost workers left, if that was not just done; how many jobs wait, up to ``count``."""
        if self._now_s() - self._swept_at < self._sweep_every_s:
            return 0
        try:
            self._batch_runs.look_after()
            due = self._upkeep.sweep(count=count).due
            for chore in self._chores:
                chore()
        except QAError as error:
            log.warning("lost workers were not looked for", code=error.code, message=error.message)
            return 0
        self._swept_at = self._now_s()
        return due

    def work(self) -> Turn:
        """Run one batch of what is due."""
        if (trouble := self._fitness.trouble()) is not None:
            log.error("this worker cannot work", code=trouble.code, message=trouble.message)
            return Turn(fit=False, worn=self._fitness.has_been)
        ended = 0
        try:
            for job_id, seen in self._jobs.run_due():
                if isinstance(seen, Job):
                    ended += seen.ended
                else:
                    log.warning("job was not settled", job=job_id, code=seen.code)
        except QAError as error:  # the store's trouble: it may pass
            log.warning("no work could be taken", code=error.code, message=error.message)
            return Turn(ended, fit=False)
        return Turn(ended)
