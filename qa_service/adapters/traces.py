"""Traces by OpenTelemetry: a span for each attempt at a job, and one for each of its stages.

Guarantee: nothing is sent anywhere unless the standard variables name an endpoint, and nobody waits for it; spans
hold numbers, codes and names of stages.

A provider of our own, not the process's: a library that traces itself must not find it.
"""

import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import structlog

from qa_service import __version__
from qa_service.observing import Ending, JobReport
from qa_service.ports import Job

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

SERVICE = "call-quality"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

log = structlog.get_logger(__name__)


class JobTracer:
    """Implements ``Observer``: makes the spans of an attempt when it has ended."""

    def __init__(self, processors: "Sequence[SpanProcessor]") -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        current = threading.local()

        class OfReports(RandomIdGenerator):
            """The trace of a job is known before it is traced: by its key and attempt, as logs tell it."""

            def generate_trace_id(self) -> int:
                return int(current.trace_id, 16)

            def is_trace_id_random(self) -> bool:
                return False

        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": SERVICE}
        resource = Resource.create({**named, "service.version": __version__})
        self._current = current
        self._provider = TracerProvider(resource=resource, id_generator=OfReports())
        for processor in processors:
            self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("qa_service", __version__)

    @classmethod
    def of_environment(cls) -> tuple[Self, ...]:
        """One where the standard variables name an endpoint and the extra ``tracing`` is installed, else none."""
        if not any(os.environ.get(name) for name in _ENDPOINTS) or _switched_off():
            return ()
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError:
            log.warning("no traces: OpenTelemetry is not installed", extra="tracing")
            return ()
        return (cls([BatchSpanProcessor(OTLPSpanExporter())]),)

    def started(self, job: Job) -> None:
        """A span is made at its end: what an attempt came to is in it."""

    def settled(self, report: JobReport) -> None:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

        self._current.trace_id = report.trace_id
        attributes: dict[str, str | int | float] = {
            "qa.job": report.job_id,
            "qa.recording": report.recording_id,
            "qa.digest": report.digest,
            "qa.attempt": report.attempt,
            "qa.ending": report.ending.value,
            "qa.audio_s": report.audio_s,
        }
        for name, value in (("qa.code", report.code), ("qa.pack", report.pack), ("qa.verdict", report.verdict)):
            if value is not None:
                attributes[name] = value
        whole = self._tracer.start_span(
            "job", Context(), SpanKind.CONSUMER, attributes, start_time=_ns(report.started_at)
        )
        inside = set_span_in_context(whole, Context())
        for lap in report.laps:
            part = self._tracer.start_span(lap.stage, inside, start_time=_ns(lap.started_at))
            part.end(_ns(lap.started_at + lap.seconds))
        if report.ending is Ending.FAILED:
            whole.set_status(StatusCode.ERROR, report.code)
        whole.end(_ns(report.ended_at))

    def swept(self, *, freed: int, set_aside: int) -> None:
        """No span: nothing took any time."""

    def close(self) -> None:
        self._provider.shutdown()


def _switched_off() -> bool:
    return (
        os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
        or os.environ.get("OTEL_TRACES_EXPORTER", "").lower() == "none"
    )


def _ns(at_s: float) -> int:
    return int(at_s * 1e9)
