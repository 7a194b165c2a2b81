"""Collecting recordings from sources, in turns between other work or all at once.

Guarantee: of any number of collectors one collects from a source at a time; trouble of one source harms no other.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import structlog

from qa_service.errors import ConflictError, QAError
from qa_service.ports.sources import Source
from qa_service.services.collect_round import Round
from qa_service.services.collecting import Collected, Means, Outcome

TURN_S = 30.0
"""After taking files of a source for so long a worker goes on to other work, and begins again later."""

_SHARE = 9  # an archive of millions takes a tenth of one worker's time, however long a round is
_LEASE_S = 300.0  # a large file on a slow line; a collector that died on this machine is found out at once

log = structlog.get_logger(__name__)


class Collector:
    def __init__(
        self,
        means: Means,
        *,
        owner: str,
        is_dead: Callable[[str], bool],
        every_s: float,
        turn_s: float = TURN_S,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            means: what rounds are made with.
            owner: this process's name, unlike any other's.
            is_dead: whether the process of a name is known to be gone.
            every_s: seconds from the end of a source's round to its next, in turns.
            turn_s: seconds.
            ready: raises what keeps this machine from storing recordings where others find them.
        """
        self._ready = ready
        self.means = means
        self._owner = owner
        self._is_dead = is_dead
        self._every_s = every_s
        self.turn_s = turn_s

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(self.means.sources.values())

    def turn(self) -> int:
        """Look through the sources whose time has come; how many files were taken. Never fails."""
        try:
            self._ready()
        except QAError as error:
            log.warning("nothing is collected", code=error.code, message=error.message)
            return 0
        taken = 0
        for source in self.sources:
            seen: Counter[str] = Counter()
            try:
                if not self._take(source, every_s=self._every_s):
                    continue
                for one in self._round(
                    source, again=False, is_late=_Turn(self.turn_s), warn=partial(_count, seen)
                ):
                    seen[one.code if one.outcome is Outcome.REFUSED and one.code else one.outcome.value] += 1
            except QAError as error:
                # Without its message, which may name a file: `qa collect` tells it.
                log.warning("not collected", source=source.name, code=error.code)
            except Exception:
                log.exception("not collected", source=source.name)
            if seen:
                log.info("collected", source=source.name, **seen)
            taken += seen[Outcome.NEW.value] + seen[Outcome.TOLD.value]
        return taken

    def collect(
        self, source: Source, *, again: bool = False, warn: Callable[[str], None] = lambda _: None
    ) -> Iterator[Collected]:
        """One whole round now; each thing that happens to a file.

        Args:
            source: where to look.
            again: try files again that were refused.
            warn: told what is wrong with metadata and harms no recording.

        Raises:
            ConflictError: ``source_busy``, or ``lease_lost`` on the way.
            QAError: what keeps the source from being collected, such as ``source_unavailable``.
        """
        if not self._take(source, every_s=0.0):
            raise ConflictError(
                "source_busy", f"another process collects from {source.name}: wait until it is done"
            )
        yield from self._round(source, again=again, is_late=lambda: False, warn=warn)

    def _take(self, source: Source, *, every_s: float) -> bool:
        with self.means.units() as unit:
            taken = unit.sources.take(
                source.name, self._owner, lease_s=_LEASE_S, every_s=every_s, is_dead=self._is_dead
            )
            unit.commit()
        return taken

    def _round(
        self, source: Source, *, again: bool, is_late: Callable[[], bool], warn: Callable[[str], None]
    ) -> Iterator[Collected]:
        keep = partial(self._keep, source)
        begun = time.monotonic()
        one = Round(self.means, source, again=again, is_late=is_late, keep=keep, warn=warn)
        try:
            yield from one.run()
        except ConflictError:
            raise  # it is another's
        except QAError as error:
            self._give_back(source, finished=True, error=error.code)
            raise
        except BaseException as error:  # cut off, or a defect
            self._give_back(source, finished=isinstance(error, Exception), error="internal_error")
            raise
        rest_s = _SHARE * (time.monotonic() - begun) - self._every_s
        self._give_back(source, finished=one.finished, rest_s=max(0.0, rest_s))

    def _keep(self, source: Source) -> None:
        with self.means.units() as unit:
            unit.sources.keep(source.name, self._owner, lease_s=_LEASE_S)
            unit.commit()

    def _give_back(self, source: Source, *, finished: bool, error: str | None = None, rest_s: float = 0.0) -> None:
        try:
            with self.means.units() as unit:
                unit.sources.give_back(source.name, self._owner, finished=finished, error=error, rest_s=rest_s)
                unit.commit()
        except QAError as trouble:  # it runs out by itself
            log.warning("a source was not given back", source=source.name, code=trouble.code)


class _Turn:
    """Whether the time is over. It begins when that is asked first, which is after something was received: where a
    source takes longer to be listed, each round would else be cut off after its first file."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends_at: float | None = None

    def __call__(self) -> bool:
        now = time.monotonic()
        if self._ends_at is None:
            self._ends_at = now + self._seconds
        return now >= self._ends_at


def _count(seen: Counter[str], _warning: str) -> None:
    """By their number alone: they repeat what people wrote."""
    seen["warnings"] += 1
