"""Structured logs on stderr: JSON lines with ids, or readable ones on a terminal.

Guarantee: whoever logs, ourselves or a library, no line holds a word that was said, a telephone number or a file's
name. Our own lines name recordings by number and start of their digest; of exceptions only what they are and where
they were raised is told, for their messages quote what they choke on; long runs of digits are masked in whatever
is left.
"""

import logging
import os
import re
import socket
import sys
import threading
import traceback
from collections.abc import MutableMapping, Sequence
from typing import Any, Literal, TextIO

import structlog

from qa_service import __version__
from qa_service.errors import QAError
from qa_service.observing import JobReport, trace_id
from qa_service.ports import Job

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "console"]

# Telephone numbers have seven digits and more, some of them written in groups.
_LONG_NUMBER = re.compile(r"\+?\d{7,}|\(?\d{2,4}\)?[ .-]?\d{3,4}[ .-]?\d{4}|\d{4}-\d{4}")
_MASK = "<number>"
_NO_NUMBERS = frozenset(("timestamp", "host", "digest", "trace"))
"""Fields that hold digits and nobody's number."""

log = structlog.get_logger(__name__)


def configure_logging(
    *,
    level: LogLevel = "warning",
    form: LogFormat = "auto",
    service: str = "qa",
    adopted: Sequence[str] = (),
) -> None:
    """Set up our logs, and those of all libraries, in this process.

    Args:
        level: of our own lines; libraries are heard from ``warning`` on.
        form: ``auto``: JSON lines when stderr is not a terminal, readable lines when it is.
        service: what this process is, in every line.
        adopted: loggers of libraries that write by themselves, and shall not.
    """
    on_terminal = sys.stderr.isatty() if form == "auto" else form == "console"
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _Identity(service),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _tell_exceptions,
        _mask,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_foreign, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [*(one for one in root.handlers if not isinstance(one, _Handler)), handler]
    root.setLevel(max(logging.WARNING, _number(level)))
    for name in adopted:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def log_uncaught() -> None:
    """What nobody catches, in whatever thread, is a line like any other and not Python's own."""

    def uncaught(kind: type[BaseException], error: BaseException | None, _: object) -> None:
        if issubclass(kind, KeyboardInterrupt | SystemExit) or error is None:
            return
        log.critical("nobody caught this", exc_info=error)

    sys.excepthook = uncaught
    threading.excepthook = lambda told: uncaught(told.exc_type, told.exc_value, None)


def _number(level: LogLevel) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


class _Handler(logging.StreamHandler[TextIO]):
    """Ours among those of the root logger."""


def masked(text: str) -> str:
    """``text`` with its long numbers taken out."""
    return _LONG_NUMBER.sub(_MASK, text)


class _Identity:
    """What says where a line comes from. The process number is asked for each time: workers fork."""

    def __init__(self, service: str) -> None:
        self._always = {"service": service, "version": __version__, "host": socket.gethostname()}

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.update(self._always, pid=os.getpid())
        return event


def _mask(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key not in _NO_NUMBERS and not key.startswith("_"):
            event[key] = _masked_inside(value)
    return event


def _masked_inside(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: _masked_inside(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_masked_inside(one) for one in value]
    return value


def _tell_exceptions(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """``exc_info`` becomes ``exception``: each of the chain with its kind and where it was raised."""
    info = event.pop("exc_info", None)
    if not info:
        return event
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else sys.exc_info()[1]
    if error is not None:
        event["exception"] = told(error)
    return event


def told(error: BaseException) -> str:
    """An exception without what it says: its kind, its code where it is ours, the places, and what caused it."""
    lines = []
    seen: BaseException | None = error
    while seen is not None:
        kind = type(seen).__name__ + (f" {seen.code}" if isinstance(seen, QAError) else "")
        places = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(seen.__traceback__)
        ]
        lines.append(" < ".join([kind, *reversed(places)]))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\n".join(lines)


def _foreign(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A library's line: who says it; where it tells of an exception, without what that says."""
    record: logging.LogRecord = event["_record"]
    event["logger"] = record.name
    if record.exc_info:
        event["exc_info"] = record.exc_info
        event["event"] = str(record.msg)  # as it was written, without the values that would be put into it
    return event


class JobLog:
    """Tells every job's beginning and end, in processes whose logs are set up: others would get them on stdout."""

    def __init__(self, *, traced: bool = False) -> None:
        self._traced = traced

    def started(self, job: Job) -> None:
        if not structlog.is_configured():
            return
        log.info(
            "job started", **_ids(job.id, job.recording_id), attempt=job.attempts, **self._trace(trace_id(job))
        )

    def settled(self, report: JobReport) -> None:
        if not structlog.is_configured():
            return
        log.info(
            "job settled",
            **_ids(report.job_id, report.recording_id),
            digest=report.digest,
            attempt=report.attempt,
            ending=report.ending.value,
            **({"code": report.code} if report.code else {}),
            **({"verdict": report.verdict, "pack": report.pack} if report.verdict else {}),
            audio_s=round(report.audio_s, 2),
            elapsed_s=round(report.ended_at - report.started_at, 3),
            stages={stage: round(seconds, 3) for stage, seconds in report.stage_seconds.items()},
            **self._trace(report.trace_id),
        )

    def swept(self, *, freed: int, set_aside: int) -> None:
        """The sweep says so itself, with the jobs' numbers."""

    def close(self) -> None: ...

    def _trace(self, trace: str) -> dict[str, str]:
        return {"trace": trace} if self._traced else {}


def _ids(job_id: int, recording_id: int) -> dict[str, int]:
    return {"job": job_id, "recording": recording_id}
