"""Whether this machine can do the work at all, so that no recording is blamed for it.

Guarantee: a machine that cannot work takes no job, and what it had begun is put back; as soon as it is repaired it
goes on by itself.
"""

import math
import time
from collections.abc import Callable, Sequence

import structlog

from qa_service.errors import (
    ConfigurationError,
    ConflictError,
    EngineError,
    InputError,
    NotFoundError,
    QAError,
    TransientError,
)
from qa_service.ports import BlobStore, UnitOfWorkFactory

LOOKED_FOR = 20
"""Of the newest recordings so many are looked for. Some may have been deleted; where most are missing, they were
never here, whatever somebody put into the wrong storage since."""

log = structlog.get_logger(__name__)


class Fitness:
    """Found out by trying: before the first job, and whenever a job fails in a way that recordings do not."""

    def __init__(self, checks: Sequence[Callable[[], None]]) -> None:
        """``checks``: each raises what keeps this machine from working."""
        self._checks = checks
        self._trouble: QAError | None = None
        self._known = False
        self.has_been = False
        """Whether this process was fit before: where it is no longer, a new one may be."""

    def trouble(self) -> QAError | None:
        """What keeps this machine from working, looked for again until there is nothing."""
        if not self._known or self._trouble is not None:
            self._trouble = self._looked()
            self._known = True
            self.has_been |= self._trouble is None
        return self._trouble

    def trouble_behind(self, error: Exception) -> QAError | None:
        """What the machine lacks, where ``error`` comes of that and not of the recording."""
        if isinstance(error, InputError | TransientError | ConflictError):
            return None
        self._known = False
        return self.trouble()

    def _looked(self) -> QAError | None:
        try:
            for check in self._checks:
                check()
        except QAError as error:
            return error
        except Exception as error:
            log.exception("the machine was tried and failed")
            return EngineError("engine_unavailable", f"{type(error).__name__}: see the log of this worker")
        return None


ALWAYS_FIT = Fitness(())


def at_most_each(seconds: float, check: Callable[[], None]) -> Callable[[], None]:
    """``check`` that is spared for so long after it found nothing wrong."""
    passed_at = -math.inf

    def checked() -> None:
        nonlocal passed_at
        if time.monotonic() - passed_at >= seconds:
            check()
            passed_at = time.monotonic()

    return checked


def recordings_are_here(units: UnitOfWorkFactory, blobs: BlobStore) -> None:
    """Raises ConfigurationError ``storage_foreign`` when these are not the blobs of this database."""
    with units() as unit:
        newest = unit.recordings.newest(LOOKED_FOR)
    missing = 0
    for recording in newest:
        try:
            blobs.size_bytes(recording.blob_uris[0])
        except NotFoundError:
            missing += 1
    if 2 * missing > len(newest):
        raise ConfigurationError(
            "storage_foreign",
            f"{missing} of the last {len(newest)} recordings of this database are not in the storage of this "
            "machine: share the data directory between the machines, or correct QA_DATA_DIR or QA_DATABASE_URL",
        )
