"""Traces: a span for a job and for each stage, sent where the standard variables say and nowhere else."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from qa_service.adapters.traces import SERVICE, JobTracer
from qa_service.observing import STAGES, Ending, JobReport, Lap
from tests.cli import environment
from tests.worker.containers import FakeContainer

REPORT = JobReport(
    job_id=7,
    recording_id=8,
    digest="3fa9c1d0b7e2",
    attempt=2,
    trace_id="0123456789abcdef0123456789abcdef",
    ending=Ending.DONE,
    code=None,
    started_at=1_700_000_000.0,
    ended_at=1_700_000_010.0,
    audio_s=12.0,
    laps=(Lap("decode", 1_700_000_000.5, 1.5), Lap("asr", 1_700_000_002.0, 7.0)),
    pack="service-zh",
    verdict="scored",
)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Iterator[JobTracer]:
    tracer = JobTracer([SimpleSpanProcessor(exporter)])
    yield tracer
    tracer.close()


def test_a_job_and_its_stages_are_one_trace(tracer: JobTracer, exporter: InMemorySpanExporter) -> None:
    tracer.settled(REPORT)
    decode, asr, job = exporter.get_finished_spans()
    assert [span.name for span in (decode, asr, job)] == ["decode", "asr", "job"]
    assert {span.context.trace_id for span in (decode, asr, job)} == {int(REPORT.trace_id, 16)}
    assert job.parent is None
    assert {span.parent and span.parent.span_id for span in (decode, asr)} == {job.context.span_id}
    assert (job.start_time, job.end_time) == (1_700_000_000 * 10**9, 1_700_000_010 * 10**9)
    assert (asr.start_time, asr.end_time) == (1_700_000_002 * 10**9, 1_700_000_009 * 10**9)
    assert job.attributes == {
        "qa.job": 7,
        "qa.recording": 8,
        "qa.digest": "3fa9c1d0b7e2",
        "qa.attempt": 2,
        "qa.ending": "done",
        "qa.audio_s": 12.0,
        "qa.pack": "service-zh",
        "qa.verdict": "scored",
    }
    assert job.resource.attributes["service.name"] == SERVICE


def test_a_failure_is_an_error_with_its_code(tracer: JobTracer, exporter: InMemorySpanExporter) -> None:
    tracer.settled(JobReport(1, 2, "d", 1, "f" * 32, Ending.FAILED, "audio_corrupt", 0.0, 1.0))
    tracer.settled(JobReport(1, 2, "d", 2, "e" * 32, Ending.PUT_BACK, "storage_full", 0.0, 1.0))
    failed, put_back = exporter.get_finished_spans()
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, "audio_corrupt")
    assert put_back.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_without_an_endpoint_nothing_is_traced(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert JobTracer.of_environment() == ()


def test_without_opentelemetry_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with structlog.testing.capture_logs() as logs:
        assert JobTracer.of_environment() == ()
    assert [entry["event"] for entry in logs] == ["no traces: OpenTelemetry is not installed"]


class Collector(http.server.ThreadingHTTPServer):
    """What an OpenTelemetry collector is to an exporter, on a free port of this machine."""

    def __init__(self) -> None:
        received: list[ExportTraceServiceRequest] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                received.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)
        self.received = received

    @property
    def spans(self) -> list[tuple[str, str]]:
        """Trace and name of every span."""
        return [
            (span.trace_id.hex(), span.name)
            for request in self.received
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


WORK = """
import sys
from pathlib import Path
from qa_service.observability import configure_logging
from tests.worker.containers import FakeContainer
configure_logging(level="info", form="json")
container = FakeContainer(Path(sys.argv[1]))
list(container.jobs.run_due())
"""


def test_a_worker_sends_its_traces_and_logs_their_ids(tmp_path: Path, collector: Collector) -> None:
    """A process of its own, as spans are sent in the background and at its end."""
    container = FakeContainer(tmp_path / "data")
    (tmp_path / "call.wav").write_bytes(b"call")
    received = container.ingest.receive(tmp_path / "call.wav", None)
    container.jobs.enqueue(received.recording, received.metadata, pack=None)
    container.database.dispose()
    surroundings = environment(
        tmp_path / "data", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}"
    )
    done = subprocess.run(
        [sys.executable, "-c", WORK, tmp_path / "data"],
        env=surroundings,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    (trace,) = {line["trace"] for line in lines if line["event"] in ("job started", "job settled")}
    assert {found for found, _ in collector.spans} == {trace}
    assert {name for _, name in collector.spans} == {"job", *STAGES}
