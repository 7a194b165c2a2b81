"""``qa worker``: works on jobs until it is told to stop."""

import logging
import signal
import threading
from typing import Annotated

import structlog
import typer

from models.devices import resolve_device
from qa_service.adapters.machine import cpu_cores
from qa_service.errors import ConfigurationError
from qa_service.settings import Settings, load_settings
from worker.container import Container
from worker.embedded import Embedded
from worker.logs import WORKER, are_verbose, set_up_logs
from worker.metrics import metrics_of
from worker.running import processes_for

log = structlog.get_logger(__name__)


def work(
    queues: Annotated[
        str, typer.Option(help="speech (model work), score (everything else), or both, with a comma.")
    ] = "speech,score",
    concurrency: Annotated[
        int,
        typer.Option(
            min=0, help="Processes, each with models of its own; 0: one, embedded what the machine holds."
        ),
    ] = 0,
    embedded: Annotated[bool, typer.Option(help="Without a broker: look for work in the database.")] = False,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Answer Prometheus there (QA_METRICS_PORT).")
    ] = None,
) -> None:
    """Work on jobs until told to stop (Ctrl-C, SIGTERM): what is under way is finished first."""
    settings = load_settings()
    if metrics_port is not None:
        settings = settings.model_copy(update={"metrics_port": metrics_port})
    set_up_logs(settings, service=WORKER, usual="info", verbose=are_verbose())
    with metrics_of(settings):
        if embedded:
            size = concurrency or as_many_as_fit(settings)
            run_embedded(settings, size=size, stop=stopped_by_signals())
        else:
            named = [name.strip() for name in queues.split(",")]
            raise typer.Exit(run_on_broker(settings, queues=named, concurrency=concurrency or 1))


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
    worker = make_app(_shared(settings, concurrency)).Worker(
        queues=queues,
        concurrency=concurrency,
        pool="prefork",
        loglevel=logging.WARNING,
        without_mingle=True,
        without_gossip=True,
    )
    log.info("worker started", queues=queues, concurrency=concurrency)
    worker.start()
    log.info("worker stopped", exit_code=worker.exitcode or 0)
    return int(worker.exitcode or 0)


def run_embedded(
    settings: Settings, *, size: int, stop: threading.Event, member: str = Container.embedded_member
) -> None:
    """Keep ``size`` processes at work until ``stop`` is set."""
    log.info("worker started", processes=size)
    Embedded(_shared(settings, size), size=size, member=member, verbose=are_verbose()).run(stop)
    log.info("worker stopped")


def stopped_by_signals() -> threading.Event:
    """Set by SIGINT or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def as_many_as_fit(settings: Settings) -> int:
    """As many as keep this machine busy."""
    return processes_for(settings, on_gpu=resolve_device(settings.device) != "cpu", calls=lambda most: most)


def _shared(settings: Settings, processes: int) -> Settings:
    """For each of so many processes: its part of the cores."""
    threads = settings.asr_threads or max(1, cpu_cores() // processes)
    return settings.model_copy(update={"asr_threads": threads})
