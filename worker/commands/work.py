"""``qa worker``: works on jobs until it is told to stop."""

import logging
import signal
import threading
from typing import Annotated

import structlog
import typer

from qa_service.errors import ConfigurationError, QAError
from qa_service.settings import Settings, load_settings
from worker.container import Container

POLL_S = 2.0

log = structlog.get_logger(__name__)


def work(
    queues: Annotated[
        str, typer.Option(help="speech (model work), score (everything else), or both.")
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
        raise typer.Exit(run_on_broker(settings, queues=queues.split(","), concurrency=concurrency))


def run_on_broker(settings: Settings, *, queues: list[str], concurrency: int) -> int:
    """Be a Celery worker; the exit code."""
    try:
        from worker.app import make_app
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "celery_missing", "Celery is not installed: pip install '.[fleet]', or run qa worker --embedded"
        ) from error
    worker = make_app(settings).Worker(
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
    while not stop.is_set():
        try:
            container.upkeep.sweep(count=1)
            ran = sum(1 for _ in container.jobs.run_due())
        except QAError as error:  # the store's trouble: it may pass
            log.warning("no work could be taken", code=error.code, message=error.message)
            ran = 0
        if not ran:
            stop.wait(POLL_S)
