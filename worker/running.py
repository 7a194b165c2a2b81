"""Running jobs to their ends: in this process, or in several.

Guarantee: every job comes to an end, which is yielded once, as soon as it is there.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from qa_service.adapters.machine import cpu_cores, free_memory_bytes
from qa_service.domain.call import CallMetadata, Recording
from qa_service.errors import QAError, TransientError
from qa_service.ports import Job
from qa_service.services.plans import RESCORE
from qa_service.settings import Settings
from worker import schedule as scheduling
from worker.container import Container
from worker.fleet import End, Fleet
from worker.logs import are_verbose
from worker.schedule import Schedule, work_order

# Whisper base and diarization take 1.2 GiB at most, with the largest batch (docs/operations/running.md).
PROCESS_BYTES = 1.25 * 1024**3

STORED_CALLS_A_PROCESS = 200
"""Five seconds of scoring."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """A job with what it is about."""

    job: Job
    recording: Recording
    metadata: CallMetadata


def run_jobs(container: Container, work: Sequence[Work]) -> Generator[End, None, None]:
    """Run jobs until each is done or failed; yields ids with the job's last state, or the store's trouble.

    Raises:
        EngineError: ``worker_unavailable``.
    """
    settings = container.settings
    workers = processes_for(
        settings,
        on_gpu=container.hear.on_gpu,
        calls=lambda most: _worth(container, work, most),
    )
    sizes = {one.job.id: one.recording.size_bytes for one in work}
    jobs = {one.job.id: one.job for one in work}  # files of the same bytes share one
    schedule = Schedule(
        work_order(list(jobs.values()), sizes, workers=workers),
        workers=workers,
        most=container.limits.calls,
        retries=settings.transient_retries,
    )
    if workers == 1:
        yield from _here(container, schedule)
        return
    threads = settings.asr_threads or max(1, cpu_cores() // workers)
    with Fleet(
        settings.model_copy(update={"processes": 1, "asr_threads": threads}),
        size=workers,
        jobs=container.jobs,
        free_dead=lambda: _free_dead(container),
        verbose=are_verbose(),
        member=container.member,
    ) as fleet:
        yield from fleet.run(schedule)


def _worth(container: Container, work: Sequence[Work], most: int) -> int:
    """How many processes the work is worth, up to ``most``: one for each call to be heard, and one for many that
    only need to be scored, as a process takes seconds to start."""
    to_hear = stored = 0
    for one in work:
        if _heard(container, one):
            stored += 1
        else:
            to_hear += 1
        if (worth := to_hear + stored // STORED_CALLS_A_PROCESS) >= most:
            return worth
    return to_hear + stored // STORED_CALLS_A_PROCESS


def processes_for(
    settings: Settings,
    *,
    on_gpu: bool,
    calls: Callable[[int], int],
    cores: int | None = None,
    free_bytes: int | None = None,
) -> int:
    """How many processes the work is worth.

    Args:
        settings: ``processes`` if somebody chose; threads and model.
        on_gpu: one process keeps a GPU busy.
        calls: counts what is to be heard, up to the number it is given.
        cores: of the machine.
        free_bytes: its free memory.
    """
    wanted = settings.processes
    if not wanted:
        if on_gpu:
            return 1
        wanted = (cores or cpu_cores()) // max(1, settings.asr_threads)
        free = free_memory_bytes() if free_bytes is None else free_bytes
        if free is not None:
            wanted = min(wanted, int(free / process_bytes(settings)))
    return max(1, calls(wanted)) if wanted > 1 else 1


def process_bytes(settings: Settings) -> float:
    """Memory that one process which recognises may come to take on a CPU."""
    return PROCESS_BYTES + 2 * _own_model_bytes(settings)


def _own_model_bytes(settings: Settings) -> int:
    """Of a model in files; the packaged one is part of what a process takes anyway."""
    model = Path(settings.asr_model).expanduser()
    try:
        return (model / "model.bin" if model.is_dir() else model).stat().st_size
    except OSError:
        return 0


def _heard(container: Container, work: Work) -> bool:
    if work.job.kind == RESCORE:
        return True
    try:
        return container.hear.is_heard(work.recording, work.metadata)
    except TransientError:
        return False


def _here(container: Container, schedule: Schedule) -> Iterator[End]:
    while schedule.left:
        _free_dead(container)
        for job_id, seen in container.jobs.run_all(_one_by_one(schedule)):
            end = schedule.saw(job_id, seen)
            if end is not None:
                yield job_id, end
        if schedule.left:  # put back, or held by somebody else
            time.sleep(scheduling.POLL_S)


def _one_by_one(schedule: Schedule) -> Iterator[int]:
    while jobs := schedule.take():
        yield from jobs


def _free_dead(container: Container) -> None:
    try:
        container.upkeep.sweep(count=0)
    except QAError as error:  # the jobs will tell, if it lasts
        log.warning("leases of dead workers were not freed", code=error.code)
