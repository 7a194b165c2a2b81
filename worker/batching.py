"""Following a batch run to its end, and doing its work where nobody else does.

Guarantee: whoever stops following loses nothing: the run goes on with workers, or when it is asked for again.
"""

import time
from collections.abc import Callable
from contextlib import closing

from qa_service.domain.batch_runs import BatchRun, BatchState, Waiting
from worker.container import Container
from worker.running import Work, run_jobs

LOOK_EVERY_S = 2.0
AT_ONCE = 2_000
"""Jobs that are worked on by one set of processes."""


def follow(container: Container, run_id: int, *, told: Callable[[BatchRun], None]) -> BatchRun:
    """See to the run until it has ended, telling how far it is every two seconds.

    Without a broker its jobs are worked on here, in as many processes as `qa score` takes, and those of others
    while they fill the queue; workers on the same database share them.

    Raises:
        EngineError: ``worker_unavailable``.
    """
    alone = container.settings.broker_url is None
    while True:
        run = container.batch_runs.advance(run_id, until=time.monotonic() + LOOK_EVERY_S)
        told(run)
        if run.ended_at is not None:
            return run
        if not (alone and run.state is not BatchState.CANCELLED and _work(container, run, told)):
            time.sleep(LOOK_EVERY_S)


def _work(container: Container, run: BatchRun, told: Callable[[BatchRun], None]) -> bool:
    """Run what the run waits for, some of it; whether there was anything."""
    with container.database.unit_of_work() as unit:
        work = [Work(*one) for one in unit.batch_runs.work(run.id, AT_ONCE)]
        if not work and run.waiting is Waiting.QUEUE_FULL:
            # Jobs of others keep it from being filled, and where there is no worker nobody else would end them.
            jobs = [unit.jobs.get(job_id) for job_id in unit.jobs.due(AT_ONCE)]
            work = [
                Work(job, unit.recordings.get(job.recording_id), unit.metadata.get(job.recording_id))
                for job in jobs
            ]
    looked_at = time.monotonic()
    with closing(run_jobs(container, work)) as running:
        for _ in running:
            if time.monotonic() - looked_at > LOOK_EVERY_S:
                told(container.batch_runs.advance(run.id, until=time.monotonic()))
                looked_at = time.monotonic()
    return bool(work)
