"""``qa worker``: works on jobs until it is told to stop."""

import logging
import math
import signal
import threading
import time
from typing import Annotated

import structlog
import typer

from qa_service.adapters.machine import cpu_cores
from qa_service.errors import ConfigurationError, QAError
from qa_service.ports import Job
from qa_service.services.upkeep import SWEEP_EVERY_S
from qa_service.settings import Settings, load_settings
from worker.container import Container

POLL_S = 2.0

log = structlog.get_logger(__name__)


def work(
    queues: Annotated[
        str, typer.Option(help="speech (model work), score (everything else), or both, with a comma.")
    ] = "speech,score",
    concurrency: Annotated[
        int, typer.Option(min=1, help="Processes, each with models of its own; 1 keeps a GPU busy.")
    ] = 1,
    embedded: Annotated[
        bool, typer.Option(help="Without a broker: look for work in the database, in this process.")
    ] = False,
) -> None:
    """Work on jobs until told to stop (Ctrl-C, SIGTERM): what is under way is finished first."""
    settings = load_settings()
    if embedded:
        run_embedded(Container(settings))
    else:
        named = [name.strip() for name in queues.split(",")]
        raise typer.Exit(run_on_broker(settings, queues=named, concurrency=concurrency))


def run_on_broker(settings: Settings, *, queues: list[str], concurrency: int) -> int:
    """Be a Celery worker; the exit code."""
    try:
        from worker.app import SPEECH, UPKEEP, make_app
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "celery_missing", "Celery is not installed: pip install '.[fleet]', or run qa worker --embedded"
        ) from error
    if unknown := sorted(set(queues) - {SPEECH, UPKEEP}):
        raise ConfigurationError(
            "queue_unknown", f"no queue {', '.join(unknown)}: give --queues {SPEECH},{UPKEEP} or one of them"
        )
    threads = settings.asr_threads or max(1, cpu_cores() // concurrency)
    worker = make_app(settings.model_copy(update={"asr_threads": threads})).Worker(
        queues=queues,
        concurrency=concurrency,
        pool="prefork",
        loglevel=logging.WARNING,
        without_mingle=True,
        without_gossip=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def run_embedded(container: Container) -> None:
    """Work on what is due, look again every two seconds, and sweep in between, until SIGINT or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    swept_at = -math.inf
    while not stop.is_set():
        try:
            if time.monotonic() - swept_at > SWEEP_EVERY_S:
                container.upkeep.sweep(count=0)
                swept_at = time.monotonic()
            ended = sum(isinstance(seen, Job) and seen.ended for _, seen in container.jobs.run_due())
        except QAError as error:  # the store's trouble: it may pass
            log.warning("no work could be taken", code=error.code, message=error.message)
            ended = 0
        if not ended:
            stop.wait(POLL_S)
