"""Scoring files from the command line: receive, queue, run, report in the order of input.

Guarantee: a recording that fails never stops the others, and everything finished is stored at once, so that a
killed run continues where it stopped. In how many processes the work was done changes no answer.
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

from qa_service.adapters.metadata_fields import contradictions, merge
from qa_service.adapters.metadata_sources import MetadataSources
from qa_service.domain.call import CallMetadata
from qa_service.errors import QAError, TransientError
from qa_service.ports import Job, JobState, StoredConversation, StoredEvaluation
from qa_service.ports.sources import CallFiles, Received
from worker.container import Container
from worker.running import Work, run_jobs
from worker.schedule import POLL_S


@dataclass(frozen=True, slots=True)
class Scored:
    """A scored call. ``second_path``: the other file of a call in two."""

    path: Path
    received: Received
    conversation: StoredConversation
    evaluation: StoredEvaluation
    second_path: Path | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    path: Path
    code: str
    message: str
    second_path: Path | None = None


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A call whose bytes are stored, with what this run knows about it."""

    call: CallFiles
    received: Received
    told: CallMetadata | None


@dataclass(frozen=True, slots=True)
class _Queued:
    call: CallFiles
    received: Received
    job: Job


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told how far a run is.

    ``warn``: warnings. ``received``: each call's path and size in bytes (0 when it could not be read), all before
    any is scored. ``finished``: of each call that has its answer, in whatever order, the seconds of audio scored.
    """

    warn: Callable[[str], None]
    received: Callable[[Path, int], None] = lambda _path, _size: None
    finished: Callable[[float], None] = lambda _audio_s: None


def score(
    container: Container,
    calls: Sequence[CallFiles],
    *,
    metadata: MetadataSources,
    pack: str | None,
    listener: Listener,
) -> Generator[Scored | Failed, None, None]:
    """Score ``calls``, yielding one answer a call in the order given, as soon as it and those before it are there.

    Raises:
        EngineError: ``worker_unavailable``.
    """
    metadata.check(calls)
    arrived: list[_Arrived | Failed] = []
    for call in calls:
        answer = _receive(container, call, metadata)
        arrived.append(answer)
        listener.received(call.path, answer.received.recording.size_bytes if isinstance(answer, _Arrived) else 0)
    # Only now is it known which files are one recording, and whether they are said to be the same call.
    queued = [
        _queue(container, answer, pack) if isinstance(answer, _Arrived) else answer
        for answer in _without_contradictions(arrived, listener.warn)
    ]
    yield from _answers(container, queued, listener.finished)


def _answers(
    container: Container, queued: Sequence[_Queued | Failed], finished: Callable[[float], None]
) -> Iterator[Scored | Failed]:
    waiting = Counter(one.job.id for one in queued if isinstance(one, _Queued))
    for one in queued:
        if isinstance(one, Failed):
            finished(0.0)
    work = [
        Work(one.job, one.received.recording, one.received.metadata) for one in queued if isinstance(one, _Queued)
    ]
    ends: dict[int, Job | QAError] = {}
    coming = iter(queued)
    due = next(coming, None)
    with closing(run_jobs(container, work)) as running:
        while due is not None:
            if isinstance(due, Failed):
                yield due
            elif due.job.id in ends:
                yield _answer(container, due, ends[due.job.id])
            else:
                job_id, end = next(running)
                ends[job_id] = end
                for _ in range(waiting[job_id]):
                    finished(_audio_s(container, end))
                continue
            due = next(coming, None)


def _receive(container: Container, call: CallFiles, metadata: MetadataSources) -> _Arrived | Failed:
    try:
        if call.fault is not None:
            raise call.fault
        told = metadata.of(call)
        return _Arrived(call, container.ingest.receive(call.path, None, second=call.second), told)
    except QAError as error:
        return _failed(call, error.code, error.message)


def _without_contradictions(
    arrived: Sequence[_Arrived | Failed], warn: Callable[[str], None]
) -> Iterator[_Arrived | Failed]:
    """Files of the same bytes are one recording: with what is known about each, unless that contradicts itself."""
    twins: dict[int, list[_Arrived]] = {}
    for one in arrived:
        if isinstance(one, _Arrived):
            twins.setdefault(one.received.recording.id, []).append(one)
    for one in arrived:
        if isinstance(one, Failed):
            yield one
            continue
        first, *others = twins[one.received.recording.id]
        differing = sorted({name for other in others for name in contradictions(first.told, other.told)})
        if differing:
            names = " and ".join(twin.call.path.name for twin in (first, others[0]))
            yield _failed(
                one.call,
                "metadata_conflict",
                f"{names} hold the same recording, and their metadata disagree ({', '.join(differing)}): "
                "correct the row of one, or export its own recording",
            )
            continue
        if one is not first:
            warn(f"{one.call.path} holds the same bytes as {first.call.path}: scored as one recording")
        told = [twin.told for twin in (first, *others) if twin.told is not None]
        yield replace(one, told=reduce(merge, told) if told else None)


def _queue(container: Container, one: _Arrived, pack: str | None) -> _Queued | Failed:
    try:
        received = container.ingest.tell(one.received, one.told) if one.told else one.received
        return _Queued(
            one.call, received, container.jobs.enqueue(received.recording, received.metadata, pack=pack)
        )
    except QAError as error:
        return _failed(one.call, error.code, error.message)


def _failed(call: CallFiles, code: str | None, message: str | None) -> Failed:
    return Failed(call.path, code or "internal_error", message or "", call.second)


def _answer(container: Container, queued: _Queued, end: Job | QAError) -> Scored | Failed:
    call = queued.call
    if isinstance(end, QAError):
        return _failed(call, end.code, end.message)
    if end.state is not JobState.DONE:
        return _failed(call, end.error_code, end.error_message)
    for tries_left in reversed(range(container.settings.transient_retries)):
        try:
            conversation, evaluation = container.jobs.result(end)
            return Scored(call.path, queued.received, conversation, evaluation, call.second)
        except TransientError as error:  # the store's trouble, which says nothing about the recording
            if not tries_left:
                return _failed(call, error.code, error.message)
            time.sleep(POLL_S)
        except QAError as error:
            return _failed(call, error.code, error.message)
    raise AssertionError("a setting that is positive")


def _audio_s(container: Container, end: Job | QAError) -> float:
    if isinstance(end, QAError) or end.state is not JobState.DONE:
        return 0.0
    try:
        with container.database.unit_of_work() as unit:
            return unit.recordings.get(end.recording_id).duration_s or 0.0
    except QAError:  # only the progress suffers
        return 0.0
