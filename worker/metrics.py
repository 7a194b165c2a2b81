"""The metrics of a worker: told by its processes, asked of the one that started them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from qa_service.adapters.clock import SystemClock
from qa_service.adapters.reports import ReportReceiver
from qa_service.db.queue_depth import queue_depth
from qa_service.db.session import Database
from qa_service.errors import ConfigurationError
from qa_service.observing import QueueDepth
from qa_service.settings import Settings

log = structlog.get_logger(__name__)


@contextmanager
def metrics_of(settings: Settings) -> Iterator[None]:
    """Serve the metrics of the processes that are started inside; nothing without ``QA_METRICS_PORT``.

    Raises:
        ConfigurationError: ``metrics_missing``, ``metrics_port_unusable``.
    """
    if settings.metrics_port is None:
        yield
        return
    try:
        from prometheus_client import CollectorRegistry

        from qa_service.adapters.metrics import JobMeter, MachineGauges, QueueGauges, served
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "metrics_missing",
            "the Prometheus client is not installed: pip install '.[metrics]', or unset QA_METRICS_PORT",
        ) from error
    registry = CollectorRegistry()
    meter = JobMeter(registry)
    registry.register(QueueGauges(lambda: _look(settings)))
    registry.register(MachineGauges({"data": settings.data_dir, "temporary": Path(tempfile.gettempdir())}))
    with (
        served(registry, host=settings.metrics_host, port=settings.metrics_port) as port,
        ReportReceiver(meter, lost=meter.lost),
    ):
        log.info("metrics are served", host=settings.metrics_host, port=port)
        yield


def _look(settings: Settings) -> QueueDepth:
    """On a connection of its own: this process forks, and its children must find none to share."""
    clock = SystemClock()
    database = Database(settings.resolved_database_url, clock=clock)
    try:
        with database.unit_of_work(read_only=True) as unit:
            return queue_depth(unit.session, clock.now())
    finally:
        database.dispose()
