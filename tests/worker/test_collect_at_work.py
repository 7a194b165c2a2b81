"""Workers that collect by themselves, and a bucket that goes away while they do: all is made up for, untouched."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
from sqlalchemy import select

from qa_service.db.rows import EvaluationRow, JobRow, RecordingRow
from tests.brokers import Redis
from tests.buckets import S3
from tests.worker.collecting import bucket_place, folder_place
from tests.worker.containers import FakeContainer
from tests.worker.queued import wait_for
from worker.app import SPEECH, UPKEEP

Start = Callable[..., psutil.Process]
SETTINGS = {"QA_SETTLE_S": "0", "QA_COLLECT_EVERY_S": "0.5"}


def states(container: FakeContainer) -> Counter[str]:
    with container.database.unit_of_work(read_only=True) as unit:
        return Counter(unit.session.scalars(select(JobRow.state)))


def test_an_embedded_worker_finds_its_work_itself(container: FakeContainer, start: Start, tmp_path: Path) -> None:
    place = folder_place(tmp_path / "incoming")
    place.put("1.wav", b"one")
    worker = start("embedded", QA_SOURCES=place.name, **SETTINGS)
    wait_for(lambda: states(container) == {"done": 1})
    place.put("2.wav", b"two")
    place.put("3.wav", b"")
    wait_for(lambda: states(container) == {"done": 2})
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def test_one_machine_collects_and_another_scores(
    container: FakeContainer, start: Start, broker: Redis, tmp_path: Path
) -> None:
    place = folder_place(tmp_path / "incoming")
    for number in range(10):
        place.put(f"{number}.wav", b"call %d" % number)
    start("broker", SPEECH)
    start("broker", UPKEEP, QA_SOURCES=place.name, **SETTINGS)
    wait_for(lambda: states(container) == {"done": 10})
    assert broker.client().llen(UPKEEP) <= 1


def test_several_workers_take_each_file_once(container: FakeContainer, start: Start, tmp_path: Path) -> None:
    place = folder_place(tmp_path / "incoming")
    for number in range(60):
        place.put(f"{number}.wav", b"call %d" % number)
    for _ in range(3):
        start(QA_SOURCES=place.name, **SETTINGS)
    wait_for(lambda: states(container) == {"done": 60})
    with container.database.unit_of_work(read_only=True) as unit:
        assert set(unit.session.scalars(select(JobRow.attempts))) == {1}
        assert set(unit.session.scalars(select(JobRow.losses))) == {0}


def test_a_bucket_that_goes_away_is_waited_for(container: FakeContainer, start: Start, s3: S3) -> None:
    """Sources and recordings in it; it goes away while recordings are collected, and while they are scored."""
    drawer = s3.new_bucket()
    place = bucket_place(drawer, "incoming")
    for number in range(40):
        place.put(f"{number:02d}.wav", b"slow %d" % number if number % 4 == 0 else b"call %d" % number)
    start(QA_SOURCES=place.name, QA_BLOB_URL=f"{drawer.url}/blobs", QA_BATCH_CALLS="4", **SETTINGS)

    def recordings() -> int:
        return container.workplace.count(RecordingRow)

    wait_for(lambda: recordings() >= 5)
    s3.down()
    try:
        time.sleep(3)
        while_away = recordings()
        assert while_away < 40  # it was at it
    finally:
        s3.up()
    wait_for(lambda: states(container)["done"] >= 4)
    s3.down()
    try:
        time.sleep(3)
        assert states(container)["done"] < 40
    finally:
        s3.up()
    wait_for(lambda: states(container) == {"done": 40}, timeout_s=90)
    assert container.workplace.count(EvaluationRow) == recordings() == 40
    assert sum(key.startswith("blobs/") for key in drawer.keys()) == 40  # noqa: SIM118 - no mapping
