"""Logs of a process: as the settings say, unless somebody asked for more on the command line."""

import logging
from typing import Final

import structlog

from qa_service.observability import LogLevel, configure_logging, log_uncaught
from qa_service.settings import Settings

WORKER: Final = "qa-worker"


def set_up_logs(
    settings: Settings, *, service: str = "qa", usual: LogLevel = "warning", verbose: bool = False
) -> None:
    """``usual``: the level where nobody chose one; ``verbose``: everything, whoever chose what."""
    level: LogLevel = "debug" if verbose else settings.log_level or usual
    configure_logging(level=level, form=settings.log_format, service=service)
    if service == WORKER:
        log_uncaught()


def are_verbose() -> bool:
    """Whether this process logs everything."""
    return bool(structlog.get_logger().is_enabled_for(logging.DEBUG))
