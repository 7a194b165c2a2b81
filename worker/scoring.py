"""Scoring files from the command line: receive, queue, run, report in the order of input.

Guarantee: a recording that fails never stops the others, and everything finished is stored at once, so that a
killed run continues where it stopped.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qa_service.adapters.call_metadata import Sidecar, find_sidecar, load_sidecar
from qa_service.adapters.filename_template import FilenameTemplate
from qa_service.adapters.metadata_fields import merge
from qa_service.adapters.processes import is_dead
from qa_service.domain.call import CallMetadata
from qa_service.errors import QAError, TransientError
from qa_service.ports import Job, JobState, StoredConversation, StoredEvaluation
from qa_service.services.ingest import Received
from worker.container import Container

POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Scored:
    path: Path
    received: Received
    conversation: StoredConversation
    evaluation: StoredEvaluation


@dataclass(frozen=True, slots=True)
class Failed:
    path: Path
    code: str
    message: str


class MetadataSources:
    """Sidecars and the file-name template: what is known about a call before it is heard."""

    def __init__(self, container: Container, sidecar: Path | None, warn: Callable[[str], None]) -> None:
        settings = container.settings
        self._zone = settings.zone
        self._warn = warn
        self._given = self._load(sidecar) if sidecar else None
        self._found: dict[Path, Sidecar | QAError | None] = {}
        self._template = (
            FilenameTemplate(settings.filename_template, time_zone=settings.zone)
            if settings.filename_template
            else None
        )

    def of(self, path: Path) -> CallMetadata | None:
        """Metadata of one recording. Raises InputError when its sidecar contradicts itself or is unreadable."""
        sidecar = self._given or self._beside(path)
        known = sidecar.lookup(path) if sidecar else None
        named = self._template.parse(path) if self._template else None
        if known is None or named is None:
            return known or named
        return merge(known, named)

    def check(self, paths: Sequence[Path]) -> None:
        """Warn of rows in the named sidecar that belong to none of the recordings: a mistyped name, most likely.

        A sidecar found beside the recordings may well tell of others that are not scored now.
        """
        unmatched = self._given.unmatched(paths) if self._given else ()
        if unmatched:
            named = ", ".join(unmatched[:3]) + (", …" if len(unmatched) > 3 else "")
            self._warn(f"metadata rows that belong to none of these recordings ({len(unmatched)}): {named}")

    def _beside(self, path: Path) -> Sidecar | None:
        folder = path.parent
        if folder not in self._found:
            try:
                file = find_sidecar(folder)
                self._found[folder] = self._load(file) if file else None
            except QAError as error:
                self._found[folder] = error
        found = self._found[folder]
        if isinstance(found, QAError):
            raise found
        return found

    def _load(self, file: Path) -> Sidecar:
        sidecar = load_sidecar(file, time_zone=self._zone)
        for warning in sidecar.warnings:
            self._warn(warning)
        return sidecar


@dataclass(frozen=True, slots=True)
class _Queued:
    path: Path
    received: Received
    job: Job


def score(
    container: Container,
    paths: Sequence[Path],
    *,
    metadata: MetadataSources,
    pack: str | None,
    warn: Callable[[str], None],
    on_received: Callable[[Path, int], None],
) -> Iterator[Scored | Failed]:
    """Score ``paths``, yielding one answer a path in the order given.

    ``on_received`` is told each path and its size in bytes (0 when it could not be read) before any is scored.
    """
    metadata.check(paths)
    queued: list[_Queued | Failed] = []
    first_path: dict[int, Path] = {}
    for path in paths:
        answer = _receive(container, path, metadata, pack)
        if isinstance(answer, _Queued):
            twin = first_path.setdefault(answer.received.recording.id, path)
            if twin != path:
                warn(f"{path} holds the same bytes as {twin}: scored as one recording")
        queued.append(answer)
        on_received(path, answer.received.recording.size_bytes if isinstance(answer, _Queued) else 0)
    for answer in queued:
        yield answer if isinstance(answer, Failed) else _finish(container, answer)


def _receive(container: Container, path: Path, metadata: MetadataSources, pack: str | None) -> _Queued | Failed:
    try:
        received = container.ingest.receive(path, metadata.of(path))
        return _Queued(path, received, container.jobs.enqueue(received.recording, received.metadata, pack=pack))
    except QAError as error:
        return Failed(path, error.code, error.message)


def _finish(container: Container, queued: _Queued) -> Scored | Failed:
    """Run the job until it is done, here or in another process that holds it."""
    transient = 0
    job = queued.job
    while True:
        attempts = job.attempts
        try:
            with container.database.unit_of_work() as unit:
                unit.jobs.free_dead(is_dead)
                unit.commit()
            job = container.jobs.run(job.id)
            if job.state is JobState.DONE:
                conversation, evaluation = container.jobs.result(job)
                return Scored(queued.path, queued.received, conversation, evaluation)
        except TransientError as error:  # the store's trouble, which says nothing about the recording
            transient += 1
            if transient > container.settings.transient_retries:
                return Failed(queued.path, error.code, error.message)
        except QAError as error:
            return Failed(queued.path, error.code, error.message)
        if job.state is JobState.FAILED:
            return Failed(queued.path, job.error_code or "internal_error", job.error_message or "")
        if job.attempts > attempts and job.state is JobState.QUEUED:
            transient += 1
            if transient > container.settings.transient_retries:
                return Failed(queued.path, job.error_code or "transient", job.error_message or "")
        time.sleep(POLL_S)
