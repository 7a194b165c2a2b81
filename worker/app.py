"""The Celery application: the same jobs, worked on by many machines.

Guarantee: the database is the truth and the broker a bell. A message says no more than that there may be work; who
hears it sees to lost workers now and then, claims what is due, a batch at a time, and rings again where there was
some. A message that is lost, doubled, late or out of order changes nothing: a worker with nothing to do rings for
itself. So the broker holds a few messages, however many jobs there are.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import structlog
from celery import Celery, bootsteps, signals
from kombu.exceptions import KombuError

from qa_service.errors import ConfigurationError, QAError
from qa_service.services.upkeep import SWEEP_EVERY_S
from qa_service.settings import Settings
from worker.container import Container

SPEECH, UPKEEP = "speech", "score"
"""Queues: model work, which wants a GPU; and everything else."""

WORK, SWEEP, COLLECT = "qa.speech.work", "qa.score.sweep", "qa.score.collect"
"""Names of tasks. Permanent: messages of an older release are still in the broker when a newer one starts."""

QUEUE_OF = {WORK: SPEECH, SWEEP: UPKEEP, COLLECT: UPKEEP}
MOST_RINGS = 64
"""Messages that may wait for a worker: enough for as many workers, and nothing to the broker."""

UNFIT_S = 10.0
"""So long a process that cannot work hears no bell."""

log = structlog.get_logger(__name__)


class Bell:
    """Tells workers that there may be work. Never fails: who is not told now is told later."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def ring(self, task: str = WORK) -> bool:
        """Whether the broker took it."""
        try:
            self._app.send_task(task, queue=QUEUE_OF[task], ignore_result=True, retry=False)
        except self._troubles as error:
            log.warning("the broker cannot be reached", error=" ".join(str(error).split()))
            return False
        return True

    def ring_for(self, jobs: int) -> None:
        """Ring until as many messages wait as there are jobs, or as many as may wait."""
        missing = min(jobs, MOST_RINGS) - self.waiting(WORK)
        while missing > 0 and self.ring():
            missing -= 1

    def waiting(self, task: str) -> int:
        """Messages in the task's queue; as many as may wait where that cannot be told."""
        try:
            with self._app.connection_for_write() as connection:
                try:
                    return int(
                        connection.default_channel.queue_declare(QUEUE_OF[task], passive=True).message_count
                    )
                except connection.channel_errors:
                    return 0  # nobody has made the queue yet
        except self._troubles as error:
            log.warning("the broker cannot be reached", error=" ".join(str(error).split()))
            return MOST_RINGS

    @cached_property
    def _troubles(self) -> tuple[type[Exception], ...]:
        connection = self._app.connection_for_write()
        return (OSError, KombuError, *connection.connection_errors, *connection.channel_errors)


class Child:
    """What one process of a worker has, made in it: a GPU that was used before the fork does not work after it."""

    def __init__(self, settings: Settings, make: Callable[[Settings], Container], bell: Bell) -> None:
        self._settings = settings
        self._make = make
        self._bell = bell

    @cached_property
    def container(self) -> Container:
        return self._make(self._settings)

    def close(self, **_: Any) -> None:
        """The process ends in an orderly way: what observers keep is passed on."""
        if "container" in self.__dict__:
            self.container.observer.close()

    def sweep(self) -> None:
        """See to lost workers, if that was not done a moment ago, and ring for what is due."""
        if due := self.container.duty.look_after(count=MOST_RINGS):
            self._bell.ring_for(due)

    def collect(self) -> None:
        """Look through the sources whose time has come, and ring for what was found."""
        if taken := self.container.collector.turn():
            self._bell.ring_for(taken)

    def work(self) -> None:
        """One batch. Rings again if a job came to its end: there may be more; and for others if it can do none."""
        turn = self.container.duty.work()
        if turn.worn:
            self._bell.ring()
            raise SystemExit(1)  # the pool makes a fresh process
        if not turn.fit:
            self.stand_aside()
        elif turn.ended:
            self._bell.ring()

    def stand_aside(self) -> None:
        """Pass the bell on: what is rung in the next moments, others hear."""
        self._bell.ring()
        time.sleep(UNFIT_S)


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
        worker_redirect_stdouts=False,
        task_default_queue=UPKEEP,
        task_routes={task: {"queue": queue} for task, queue in QUEUE_OF.items()},
        task_create_missing_queues=True,
        accept_content=["json"],
        qa_collects=bool(settings.sources),
        worker_enable_remote_control=False,  # who can reach the broker could end workers with it
    )
    child = Child(settings, make, Bell(app))
    signals.worker_process_shutdown.connect(child.close, weak=False)

    @app.task(name=WORK, shared=False)  # type: ignore[untyped-decorator]
    def work() -> None:
        with _logged("no work could be taken", otherwise=child.stand_aside):
            child.sweep()
            child.work()

    @app.task(name=SWEEP, shared=False)  # type: ignore[untyped-decorator]
    def sweep() -> None:
        with _logged("lost workers were not looked for"):
            child.sweep()

    @app.task(name=COLLECT, shared=False)  # type: ignore[untyped-decorator]
    def collect() -> None:
        with _logged("no sources could be looked through"):
            child.sweep()
            child.collect()

    app.steps["worker"].add(_Waking)
    return app


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def _logs_are_set_up(**_: Any) -> None:
    """By whoever starts the worker: Celery leaves logging alone where somebody listens here."""


@contextmanager
def _logged(what: str, *, otherwise: Callable[[], None] = lambda: None) -> Iterator[None]:
    """The store's trouble ends a task and no worker: the next message tries again."""
    try:
        yield
    except QAError as error:
        log.warning(what, code=error.code, message=error.message)
        otherwise()


class _Waking(bootsteps.StartStopStep):  # type: ignore[misc]
    """Rings for this worker now and then, unless messages wait already."""

    requires = {"celery.worker.components:Timer"}  # noqa: RUF012 - celery's own way

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        queues = parent.app.amqp.queues.consume_from
        tasks = [WORK] if SPEECH in queues else []
        if UPKEEP in queues and (parent.app.conf.qa_collects or not tasks):
            tasks.append(COLLECT if parent.app.conf.qa_collects else SWEEP)
        bell = Bell(parent.app)
        self._timer = parent.timer.call_repeatedly(SWEEP_EVERY_S, _wake, (bell, tasks), priority=10)
        _wake(bell, tasks)

    def stop(self, parent: Any) -> None:  # noqa: ARG002
        if self._timer is not None:
            self._timer.cancel()


def _wake(bell: Bell, tasks: Sequence[str]) -> None:
    for task in tasks:
        if not bell.waiting(task):
            bell.ring(task)
