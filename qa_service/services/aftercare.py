"""What follows from calls beyond themselves: looked at soon after something of them changed, by one worker at a
time.

Guarantee: nothing is missed, in whatever order calls are scored: a mark is written with each change and goes with
the transaction in which somebody looked at all that follows from it. Looking twice changes nothing. A call that
cannot be looked at is told in the log, and holds up no other.
"""

import math
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

import structlog

from qa_service.errors import QAError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.services.upkeep import CATCH_UP_EVERY_S, UPGRADES_LAST

AT_ONCE: Final = 500
_BUDGET_S: Final = 5.0

log = structlog.get_logger(__name__)

Look = Callable[[UnitOfWork, Collection[int]], None]
"""Sees what follows from these recordings, in a transaction of the caller's."""


class Aftercare:
    """Args:
    units: where it is stored.
    units_to_read: the same, for reading only.
    looks: what follows from calls, each part by itself.
    clock: the time of rows.
    now_s: the time, of any origin.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        looks: Sequence[Look],
        clock: Clock,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._looks = tuple(looks)
        self._clock = clock
        self._now_s = now_s
        self._caught_up_at = -math.inf

    def look_after(self) -> None:
        """See to what has changed since, as far as a few seconds allow; the rest waits for the next time."""
        if self._now_s() - self._caught_up_at >= CATCH_UP_EVERY_S:
            self.catch_up()
            self._caught_up_at = self._now_s()
        until = self._now_s() + _BUDGET_S
        while self._waits() and self._look() and self._now_s() < until:
            pass

    def catch_up(self) -> None:
        """Workers of the version before, at work while the database was upgraded, leave no marks."""
        with self._units() as unit:
            missed = unit.call_marks.mark_missed(self._clock.now() - UPGRADES_LAST)
            if missed:
                unit.commit()
                log.info("calls were changed without a mark", calls=missed)

    def _waits(self) -> bool:
        with self._units_to_read() as unit:  # mostly there is nothing, and nobody waits for the answer
            return unit.call_marks.any()

    def _look(self) -> bool:
        """Whether a batch was seen to."""
        taken: list[int] = []
        try:
            return self._take(AT_ONCE, taken)
        except QAError:  # the store's trouble: it may pass
            raise
        except Exception:  # one damaged row would keep all others from being looked at, for ever
            log.exception("calls could not be looked at together", calls=len(taken))
        for _ in range(AT_ONCE):
            taken.clear()
            try:
                if not self._take(1, taken) or not taken:
                    break
            except QAError:
                raise
            except Exception:
                log.exception("what follows from a call cannot be told", recording_id=taken[0])
                with self._units() as unit:
                    unit.call_marks.forget(taken[0])
                    unit.commit()
        return True

    def _take(self, limit: int, taken: list[int]) -> bool:
        with self._units() as unit:
            recordings = unit.call_marks.take(limit)
            if recordings is None:
                return False
            taken += recordings
            for look in self._looks:
                look(unit, recordings)
            unit.commit()
        return True
