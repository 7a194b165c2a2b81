"""Settings that are allowed, each by itself, and do not go together."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from qa_service.adapters.machine import cpu_cores
from qa_service.services.diagnosis import Finding, failed, ok, together, warning
from qa_service.settings import Settings, settings_file
from worker.running import process_bytes

# A lease is renewed a few times in its length; a machine that stands still for seconds must not lose its jobs.
_SHORT_LEASE_S = 10.0


def settings(settings: Settings) -> Finding:
    """Where they come from, and what of them is dangerous together."""
    file = settings_file()
    known = {f"QA_{name.upper()}" for name in type(settings).model_fields}
    given = sorted(known & {name.upper() for name in os.environ})
    source = f"{len(given)} from the environment" + (f", {file}" if file.is_file() else "")
    return together([ok(source), *_combinations(settings), *_misspelt(known), *_readable(file, settings)])


def _combinations(settings: Settings) -> Iterator[Finding]:
    if settings.min_sample_rate_hz > settings.max_sample_rate_hz:
        yield failed(
            f"QA_MIN_SAMPLE_RATE_HZ {settings.min_sample_rate_hz} is above QA_MAX_SAMPLE_RATE_HZ "
            f"{settings.max_sample_rate_hz}: every recording is refused",
            "swap them",
        )
    if settings.lease_s < _SHORT_LEASE_S:
        yield warning(
            f"QA_LEASE_S is {settings.lease_s:g}: a worker that pauses loses its jobs to another",
            f"set QA_LEASE_S to {_SHORT_LEASE_S:g} or more",
        )
    cores = cpu_cores()
    threads = max(1, settings.processes) * settings.asr_threads
    if threads > cores or settings.processes > cores:
        yield warning(
            f"QA_PROCESSES {settings.processes} of QA_ASR_THREADS {settings.asr_threads} on {cores} cores: "
            "they take each other's time",
            "leave both at 0, or keep their product at the number of cores",
        )
    if settings.broker_url is not None and settings.resolved_database_url.startswith("sqlite"):
        yield warning(
            "QA_BROKER_URL with a SQLite database: workers on other machines have another database",
            "set QA_DATABASE_URL to PostgreSQL, or keep all workers on this machine",
        )
    if 0 < settings.worker_memory_bytes < process_bytes(settings):
        yield warning(
            f"QA_WORKER_MEMORY_BYTES {settings.worker_memory_bytes} is less than a worker may take "
            f"({process_bytes(settings):.0f}): it is renewed again and again, and loads its models each time",
            "raise it, or leave it at 0",
        )
    if settings.device == "cuda" and settings.processes > 1:
        yield warning(
            f"QA_PROCESSES {settings.processes} with QA_DEVICE=cuda: each holds a model of its own on the GPU",
            "leave QA_PROCESSES at 0: one process keeps a GPU busy",
        )


def _misspelt(known: set[str]) -> Iterator[Finding]:
    """Variables that are no setting and look like one: nothing else ever says that they do nothing."""
    names = {name.upper() for name in os.environ if name.upper().startswith("QA_")}
    for name in sorted(names - known - {"QA_CONFIG"}):
        if near := difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.85):
            yield warning(f"{name} is no setting and does nothing", f"write {near[0]}, or remove it")


def _readable(file: Path, settings: Settings) -> Iterator[Finding]:
    """A password in a file that every account can read."""
    given = {"QA_DATABASE_URL": settings.database_url, "QA_BROKER_URL": settings.broker_url}
    secret = [name for name, url in given.items() if url and name not in os.environ and _has_password(url)]
    if secret and file.is_file() and file.stat().st_mode & 0o004:
        yield warning(
            f"{file} holds the password of {' and '.join(secret)}, and every account can read it",
            f"chmod o-r {file}",
        )


def _has_password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:  # the check of what it names says so
        return False
