"""Figures for Prometheus: what jobs came to, what waits, and what room is left.

Guarantee: labels are codes, stages, rules, packs and states, never an agent, a recording or a customer; a look at
the queue costs at most a fiftieth of the time, however often it is asked for and however long the queue is.

Names and units follow Prometheus's conventions (https://prometheus.io/docs/practices/naming/).
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from qa_service import __version__
from qa_service.adapters.disks import disk_of
from qa_service.adapters.gpus import GpuMemory, gpu_memory
from qa_service.errors import ConfigurationError
from qa_service.observing import STAGES, Ending, JobReport, QueueDepth
from qa_service.ports import Job

LOOK_AGAIN_S = 10.0
"""A queue is not looked at again sooner, …"""

LOOK_SHARE = 50
"""… nor sooner than so many times as long as the last look took."""

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)

# When each series began: one more of each, and nothing that is asked for.
disable_created_metrics()  # type: ignore[no-untyped-call]

log = structlog.get_logger(__name__)


class JobMeter:
    """Implements ``Observer``: counts what became of jobs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._settled = Counter(
            "qa_jobs_settled", "Attempts at jobs that ended, by how.", ["ending"], registry=registry
        )
        self._failures = Counter(
            "qa_job_failures", "Jobs that failed or were put back, by error code.", ["code"], registry=registry
        )
        self._audio = Counter("qa_audio_seconds", "Seconds of calls that were heard.", registry=registry)
        self._stages = Histogram(
            "qa_stage_seconds",
            "Seconds of work on one call, by stage.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._evaluations = Counter(
            "qa_evaluations",
            "Calls that were evaluated, by pack and verdict.",
            ["pack", "verdict"],
            registry=registry,
        )
        self._rules = Counter(
            "qa_rule_results", "Answers of rules.", ["pack", "rule", "outcome"], registry=registry
        )
        self._freed = Counter("qa_jobs_freed", "Jobs that were taken from dead workers.", registry=registry)
        self._set_aside = Counter(
            "qa_jobs_set_aside", "Jobs that were given up because workers died over them.", registry=registry
        )
        self._lost = Counter("qa_reports_lost", "Reports of jobs that were not counted.", registry=registry)
        self._last = Gauge(
            "qa_last_settled_timestamp_seconds", "When a job was settled last; 0: not yet.", registry=registry
        )
        for ending in Ending:  # what has not happened yet is zero: a rate from nothing to one shows
            self._settled.labels(ending.value)
        for stage in STAGES:
            self._stages.labels(stage)

    def started(self, job: Job) -> None:
        """What begins is no figure yet."""

    def settled(self, report: JobReport) -> None:
        self._settled.labels(report.ending.value).inc()
        if report.code is not None:
            self._failures.labels(report.code).inc()
        self._audio.inc(report.audio_s)
        for stage, seconds in report.stage_seconds.items():
            self._stages.labels(stage).observe(seconds)
        if report.pack is not None and report.verdict is not None:
            self._evaluations.labels(report.pack, report.verdict).inc()
            for rule, outcome in report.results:
                self._rules.labels(report.pack, rule, outcome).inc()
        self._last.set(report.ended_at)

    def swept(self, *, freed: int, set_aside: int) -> None:
        self._freed.inc(freed)
        self._set_aside.inc(set_aside)

    def lost(self, reports: int) -> None:
        self._lost.inc(reports)

    def close(self) -> None: ...


class QueueGauges(Collector):
    """The queue as ``look`` finds it. Where it cannot be found, ``qa_queue_up`` is 0 and the rest is missing."""

    def __init__(self, look: Callable[[], QueueDepth], *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._now_s = now_s
        self._lock = threading.Lock()
        self._seen: QueueDepth | None = None
        self._again_at = 0.0

    def describe(self) -> Sequence[GaugeMetricFamily]:
        """Without looking: registering must not wait for a database."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        seen = self._depth()
        yield _gauge("qa_queue_up", "Whether the database told about the queue.", float(seen is not None))
        if seen is None:
            return
        jobs = GaugeMetricFamily("qa_queue_jobs", "Open jobs, by state.", labels=["state"])
        for state in ("due", "later", "held", "expired"):
            jobs.add_metric([state], getattr(seen, state))
        yield jobs
        yield _gauge("qa_queue_suspected_jobs", "Open jobs that a worker died over.", seen.suspected)
        yield _gauge("qa_queue_workers", "Processes that hold jobs.", seen.workers)
        yield _gauge(
            "qa_queue_oldest_due_age_seconds", "How long the oldest due job has waited.", seen.oldest_due_age_s
        )
        runs = GaugeMetricFamily("qa_batch_runs", "Batch runs that have not ended.", labels=["kind"])
        ages = GaugeMetricFamily(
            "qa_batch_run_age_seconds", "Since the oldest of them was asked for.", labels=["kind"]
        )
        for run in seen.runs:
            runs.add_metric([run.kind], run.count)
            ages.add_metric([run.kind], run.oldest_age_s)
        yield from (runs, ages)
        if seen.night_age_s is not None:
            yield _gauge("qa_night_age_seconds", "Since the last nightly run began.", seen.night_age_s)

    def _depth(self) -> QueueDepth | None:
        with self._lock:
            started = self._now_s()
            if started < self._again_at:
                return self._seen
            try:
                self._seen = self._look()
            except Exception as error:  # noqa: BLE001 - whatever it is, the other figures are still wanted
                log.warning("the queue cannot be looked at", error=type(error).__name__)
                self._seen = None
            now = self._now_s()
            self._again_at = now + max(LOOK_AGAIN_S, LOOK_SHARE * (now - started))
            return self._seen


class MachineGauges(Collector):
    """Room on disks, memory of GPUs, and the version."""

    def __init__(
        self, folders: Mapping[str, Path], *, gpus: Callable[[], Sequence[GpuMemory]] = gpu_memory
    ) -> None:
        """``folders``: by the name of what they are for."""
        self._folders = folders
        self._gpus = gpus

    def collect(self) -> Iterator[GaugeMetricFamily]:
        build = GaugeMetricFamily("qa_build_info", "What runs here; always 1.", labels=["version"])
        build.add_metric([__version__], 1.0)
        yield build
        free = GaugeMetricFamily("qa_disk_free_bytes", "Free on the disk of a folder.", labels=["folder"])
        total = GaugeMetricFamily("qa_disk_size_bytes", "Size of the disk of a folder.", labels=["folder"])
        for name, folder in self._folders.items():
            try:
                disk = disk_of(folder)
            except OSError:
                continue
            free.add_metric([name], disk.free_bytes)
            total.add_metric([name], disk.total_bytes)
        yield from (free, total)
        used = GaugeMetricFamily("qa_gpu_memory_used_bytes", "Memory of a GPU that is taken.", labels=["gpu"])
        size = GaugeMetricFamily("qa_gpu_memory_size_bytes", "Memory of a GPU.", labels=["gpu"])
        for gpu in self._gpus():
            used.add_metric([gpu.name], gpu.used_bytes)
            size.add_metric([gpu.name], gpu.total_bytes)
        yield from (used, size)


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, value=value)


@contextmanager
def served(registry: CollectorRegistry, *, host: str, port: int) -> Iterator[int]:
    """Answer Prometheus on a port, which is yielded, until the context is left.

    Raises:
        ConfigurationError: ``metrics_port_unusable``.
    """
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise ConfigurationError(
            "metrics_port_unusable",
            f"metrics cannot be served on {host}:{port} ({error.strerror or error}): give each worker of a "
            "machine a port of its own (QA_METRICS_PORT), and an address that is this machine's (QA_METRICS_HOST)",
        ) from error
    # A forked process that outlives this one would keep the port from the next.
    os.register_at_fork(after_in_child=server.socket.close)
    with closing(server.socket):
        try:
            yield int(server.server_port)
        finally:
            server.shutdown()
            thread.join(5)
