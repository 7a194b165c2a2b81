"""Reports from the processes that do jobs to the one that counts them."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from qa_service.adapters.reports import VARIABLE, ReportReceiver, ReportSender
from qa_service.observing import Ending, JobReport, Lap
from qa_service.ports import Job

REPORT = JobReport(
    job_id=1,
    recording_id=2,
    digest="3fa9c1d0b7e2",
    attempt=1,
    trace_id="0" * 32,
    ending=Ending.DONE,
    code=None,
    started_at=1000.0,
    ended_at=1020.5,
    audio_s=12.0,
    laps=(Lap("asr", 1001.0, 2.5),),
    pack="service-zh",
    verdict="scored",
    results=(("opening", "met"), ("argue", "not_applicable")),
)
TELL = "import sys; from tests.qa_service.adapters.test_reports import tell; tell(int(sys.argv[1]))"


class Heard:
    """Implements ``Observer``."""

    def __init__(self) -> None:
        self.reports: list[JobReport] = []
        self.sweeps: list[tuple[int, int]] = []
        self.lost = 0

    def started(self, job: Job) -> None: ...

    def settled(self, report: JobReport) -> None:
        self.reports.append(report)

    def swept(self, *, freed: int, set_aside: int) -> None:
        self.sweeps.append((freed, set_aside))

    def add_lost(self, count: int) -> None:
        self.lost += count

    def close(self) -> None: ...


def tell(times: int) -> None:
    (sender,) = ReportSender.of_environment()
    for _ in range(times):
        sender.settled(REPORT)
        time.sleep(0.001)


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_forked_and_new_processes_are_heard() -> None:
    heard = Heard()
    with ReportReceiver(heard):
        forked = multiprocessing.get_context("fork").Process(target=tell, args=(3,))
        forked.start()
        subprocess.run([sys.executable, "-c", TELL, "4"], check=True)
        forked.join(20)
        assert forked.exitcode == 0
        wait_for(lambda: len(heard.reports) == 7)
    assert set(heard.reports) == {REPORT}


def test_sweeps_are_told() -> None:
    heard = Heard()
    with ReportReceiver(heard):
        (sender,) = ReportSender.of_environment()
        sender.swept(freed=2, set_aside=1)
        wait_for(lambda: heard.sweeps == [(2, 1)])


def test_nobody_listens_and_nobody_waits() -> None:
    assert ReportSender.of_environment() == ()
    with ReportReceiver(Heard()):
        (sender,) = ReportSender.of_environment()
    assert VARIABLE not in os.environ
    sender.settled(REPORT)
    sender.swept(freed=1, set_aside=0)


def test_who_is_behind_holds_nobody_up_and_is_told_what_was_missed() -> None:
    class Slow(Heard):
        def settled(self, report: JobReport) -> None:
            if not self.reports:
                time.sleep(0.5)
            super().settled(report)

    heard = Slow()
    with ReportReceiver(heard, lost=heard.add_lost):
        (sender,) = ReportSender.of_environment()
        started, told = time.monotonic(), 20_000
        for _ in range(told):
            sender.settled(REPORT)
        assert time.monotonic() - started < 5
        wait_for(lambda: _told_again(sender, heard))
    assert heard.lost > 0
    assert len(heard.reports) + heard.lost >= told


def _told_again(sender: ReportSender, heard: Heard) -> bool:
    sender.settled(REPORT)
    return heard.lost > 0


def test_garbage_costs_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    heard = Heard()
    with ReportReceiver(heard):
        (sender,) = ReportSender.of_environment()
        sender._socket.sendto(b"\xffgarbage", os.environ[VARIABLE])
        sender.settled(REPORT)
        wait_for(lambda: heard.reports == [REPORT])
    assert "cannot be read" in "".join(capfd.readouterr())
