"""The Celery application: the same jobs, worked on by many machines.

Guarantee: the database is the truth and the broker a bell. A message says no more than that there may be work; who
hears it claims what is due, a batch at a time, and rings again where there was some. A message that is lost,
doubled, late or out of order changes nothing: ``sweep`` rings for what waits unheard. So the broker holds a few
messages, however many jobs there are.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import structlog
from celery import Celery, bootsteps
from kombu.exceptions import OperationalError

from qa_service.errors import ConfigurationError, QAError
from qa_service.settings import Settings
from worker.container import Container

SPEECH, UPKEEP = "speech", "score"
"""Queues: model work, which wants a GPU; and everything else."""

WORK, SWEEP = "qa.speech.work", "qa.score.sweep"
"""Names of tasks. Permanent: messages of an older release are still in the broker when a newer one starts."""

SWEEP_EVERY_S = 10.0
MOST_RINGS = 64
"""Messages that may wait for a worker: enough for as many workers, and nothing to the broker."""

log = structlog.get_logger(__name__)


class Bell:
    """Tells workers that there may be work. Never fails: who is not told now is told by a sweep."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def ring(self) -> None:
        try:
            self._app.send_task(WORK, queue=SPEECH, ignore_result=True, retry=False)
        except OperationalError as error:
            log.warning("the broker cannot be reached", error=str(error))

    def ring_for(self, jobs: int) -> None:
        """Ring until as many messages wait as there are jobs, or as many as may wait."""
        for _ in range(min(jobs, MOST_RINGS) - self._waiting()):
            self.ring()

    def _waiting(self) -> int:
        with self._app.connection_for_write() as connection:
            try:
                return int(connection.default_channel.queue_declare(SPEECH, passive=True).message_count)
            except connection.channel_errors:
                return 0  # nobody has made the queue yet
            except connection.connection_errors:
                return MOST_RINGS


class Child:
    """What one process of a worker has, made in it: a GPU that was used before the fork does not work after it."""

    def __init__(self, settings: Settings, make: Callable[[Settings], Container]) -> None:
        self._settings = settings
        self._make = make

    @cached_property
    def container(self) -> Container:
        return self._make(self._settings)


def make_app(settings: Settings, make: Callable[[Settings], Container] = Container) -> Celery:
    """The application on the broker of ``settings``; ``make`` gives each worker process its objects.

    Raises:
        ConfigurationError: ``broker_missing``.
    """
    if settings.broker_url is None:
        raise ConfigurationError(
            "broker_missing", "no broker is configured: set QA_BROKER_URL, or run qa worker --embedded"
        )
    app = Celery("qa", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        # A lost worker's message comes back; what it did is stored, what it did not is claimed by somebody else.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        task_time_limit=settings.work_limit_s,
        # Redis hands a message out again after this time: longer than any work may take.
        broker_transport_options={"visibility_timeout": settings.work_limit_s + 600},
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_max_memory_per_child=settings.worker_memory_bytes // 1024 or None,
        worker_hijack_root_logger=False,
        task_default_queue=UPKEEP,
        task_routes={WORK: {"queue": SPEECH}, SWEEP: {"queue": UPKEEP}},
        task_create_missing_queues=True,
    )
    child, bell = Child(settings, make), Bell(app)

    @app.task(name=WORK)  # type: ignore[untyped-decorator]
    def work() -> None:
        ran = 0
        for job_id, seen in child.container.jobs.run_due():
            ran += 1
            if isinstance(seen, QAError):
                log.warning("job was not settled", job=job_id, code=seen.code)
        if ran:
            bell.ring()  # there may be more

    @app.task(name=SWEEP)  # type: ignore[untyped-decorator]
    def sweep() -> None:
        bell.ring_for(child.container.upkeep.sweep(count=MOST_RINGS).due)

    app.steps["worker"].add(_Sweeping)
    return app


class _Sweeping(bootsteps.StartStopStep):  # type: ignore[misc]
    """Asks for a sweep every few seconds, as long as the worker runs, if it can answer itself.

    Otherwise, at a site where nobody serves that queue, requests would pile up in the broker.
    """

    requires = {"celery.worker.components:Timer"}  # noqa: RUF012 - celery's own way

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        if UPKEEP not in parent.app.amqp.queues.consume_from:
            return
        self._timer = parent.timer.call_repeatedly(SWEEP_EVERY_S, _ask, (parent.app,), priority=10)
        _ask(parent.app)

    def stop(self, parent: Any) -> None:  # noqa: ARG002
        if self._timer is not None:
            self._timer.cancel()


def _ask(app: Celery) -> None:
    try:
        app.send_task(SWEEP, queue=UPKEEP, ignore_result=True, retry=False, expires=SWEEP_EVERY_S)
    except OperationalError as error:
        log.warning("the broker cannot be reached", error=str(error))
