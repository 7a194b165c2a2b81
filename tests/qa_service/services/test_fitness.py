import pytest

from qa_service.errors import (
    ConfigurationError,
    ConflictError,
    EngineError,
    InputError,
    NotFoundError,
    QAError,
    TransientError,
)
from qa_service.ports import JobState
from qa_service.services.fitness import Fitness, recordings_are_here
from tests.clocks import ManualClock
from tests.fakes import Workplace

BROKEN = EngineError("model_corrupt", "reinstall it")


class Machine:
    """Fails as long as ``fault`` is set; counts how often it was tried."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.tried = 0

    def __call__(self) -> None:
        self.tried += 1
        if self.fault:
            raise self.fault


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_fit_machine_is_tried_once(machine: Machine) -> None:
    fitness = Fitness([machine])
    assert [fitness.trouble() for _ in range(3)] == [None] * 3
    assert machine.tried == 1
    assert fitness.has_been


def test_an_unfit_machine_is_tried_again_until_it_is_repaired(machine: Machine) -> None:
    machine.fault = BROKEN
    fitness = Fitness([machine])
    assert [fitness.trouble() for _ in range(2)] == [BROKEN] * 2
    assert not fitness.has_been
    machine.fault = None
    assert fitness.trouble() is None
    assert machine.tried == 3


def test_what_no_code_names_is_trouble_too(machine: Machine) -> None:
    machine.fault = RuntimeError("CUDA error: an illegal memory access was encountered")
    trouble = Fitness([machine]).trouble()
    assert trouble is not None
    assert trouble.code == "engine_unavailable"


@pytest.mark.parametrize(
    "error",
    [InputError("silent_audio", ""), TransientError("storage_unavailable", ""), ConflictError("lease_lost", "")],
)
def test_recordings_and_passing_trouble_are_no_reason_to_doubt_a_machine(machine: Machine, error: QAError) -> None:
    machine.fault = BROKEN
    assert Fitness([machine]).trouble_behind(error) is None
    assert machine.tried == 0


@pytest.mark.parametrize("error", [BROKEN, NotFoundError("blob_not_found", ""), RuntimeError(), MemoryError()])
def test_other_failures_are_the_machines_if_it_fails_without_the_recording(
    machine: Machine, error: Exception
) -> None:
    fitness = Fitness([machine])
    assert fitness.trouble() is None
    assert fitness.trouble_behind(error) is None
    machine.fault = BROKEN
    assert fitness.trouble_behind(error) is BROKEN
    assert fitness.trouble() is BROKEN


def test_a_job_on_a_broken_machine_waits_and_one_that_breaks_an_engine_fails(
    workplace: Workplace, machine: Machine, clock: ManualClock
) -> None:
    job_id = _enqueued(workplace, b"one")

    def fail(_: bytes) -> None:
        raise RuntimeError("device lost")

    workplace.transcriber.during = fail
    machine.fault = BROKEN
    put_back = workplace.jobs(fitness=Fitness([machine])).run(job_id)
    assert (put_back.state, put_back.error_code, put_back.losses) == (JobState.QUEUED, "model_corrupt", 0)
    machine.fault = None
    clock.advance(10)
    failed = workplace.jobs(fitness=Fitness([machine])).run(job_id)
    assert (failed.state, failed.error_code) == (JobState.FAILED, "internal_error")


def test_storage_of_another_database_is_noticed(workplace: Workplace) -> None:
    def check() -> None:
        recordings_are_here(workplace.database.unit_of_work, workplace.blobs)

    check()  # no recording is missing where there is none
    _enqueued(workplace, b"one")
    _enqueued(workplace, b"two")
    check()
    with workplace.database.unit_of_work() as unit:
        newest, oldest = unit.recordings.newest(9)
    workplace.blobs.delete(newest.blob_uris[0])
    check()  # one of two may have been deleted
    workplace.blobs.delete(oldest.blob_uris[0])
    with pytest.raises(ConfigurationError) as caught:
        check()
    assert caught.value.code == "storage_foreign"


def test_one_file_in_the_wrong_storage_does_not_make_it_the_right_one(workplace: Workplace) -> None:
    for number in range(5):
        _enqueued(workplace, f"call {number}".encode())
    with workplace.database.unit_of_work() as unit:
        recordings = unit.recordings.newest(9)
    for recording in recordings[1:]:
        workplace.blobs.delete(recording.blob_uris[0])
    with pytest.raises(ConfigurationError) as caught:
        recordings_are_here(workplace.database.unit_of_work, workplace.blobs)
    assert caught.value.code == "storage_foreign"


def test_what_never_passes_fails_in_the_end(workplace: Workplace, clock: ManualClock) -> None:
    job_id = _enqueued(workplace, b"one")

    def fail(_: bytes) -> None:
        raise TransientError("storage_unavailable", "free it up")

    workplace.transcriber.during = fail
    jobs = workplace.jobs()
    waited_s = 0.0
    while (job := jobs.run(job_id)).state is JobState.QUEUED:
        clock.advance(600)
        waited_s += 600
    assert (job.state, job.error_code) == (JobState.FAILED, "storage_unavailable")
    assert waited_s > 24 * 3600


def _enqueued(workplace: Workplace, content: bytes) -> int:
    received = workplace.ingest.receive(workplace.file(f"{content.decode()}.wav", content), None)
    return workplace.jobs().enqueue(received.recording, received.metadata, pack=None).id
