"""Checks: one result each, in order, whatever happens to the others."""

import threading
import time

import pytest

from qa_service.errors import EngineError, TransientError
from qa_service.services.diagnosis import Check, Finding, State, diagnose, failed, of_error, ok, together, warning


def test_results_come_in_order_and_the_checks_run_at_once() -> None:
    second_ran = threading.Event()

    def first() -> Finding:
        assert second_ran.wait(10)
        return warning("slow", "wait")

    def second() -> Finding:
        second_ran.set()
        return ok("fast")

    results = list(diagnose([Check("first", first, 20), Check("second", second, 20)]))
    assert [(r.check, r.state, r.measured, r.remedy) for r in results] == [
        ("first", State.WARNING, "slow", "wait"),
        ("second", State.OK, "fast", ""),
    ]


def test_a_check_that_breaks_hides_no_other() -> None:
    def breaks() -> Finding:
        raise ZeroDivisionError("by nothing")

    def refuses() -> Finding:
        raise TransientError("storage_unavailable", "the disk\n is full: free it up")

    broken, refused, fine = diagnose(
        [Check("a", breaks, 20), Check("b", refuses, 20), Check("c", lambda: ok("here"), 20)]
    )
    assert broken.state is State.FAILED
    assert "ZeroDivisionError: by nothing" in broken.measured
    assert broken.remedy
    assert (refused.state, refused.measured, refused.remedy) == (
        State.FAILED,
        "storage_unavailable: the disk is full",
        "free it up",
    )
    assert fine.state is State.OK


def test_nobody_waits_for_a_check_that_hangs() -> None:
    release = threading.Event()

    def hangs() -> Finding:
        release.wait(60)
        return ok("after all")

    started = time.monotonic()
    hung, also_hung, fine = diagnose(
        [Check("a", hangs, 0.2), Check("b", hangs, 0.2), Check("c", lambda: ok("here"), 20)]
    )
    waited_s = time.monotonic() - started
    release.set()
    assert (hung.state, hung.measured) == (State.FAILED, "no answer in 0.2 s")
    assert hung.remedy
    assert also_hung.state is State.FAILED
    assert fine.state is State.OK
    assert 0.2 <= waited_s < 20
    assert hung.elapsed_s >= 0.2


@pytest.mark.parametrize(
    ("findings", "worst"),
    [
        ([ok("a"), ok("b")], State.OK),
        ([warning("a", "x"), ok("b")], State.WARNING),
        ([warning("a", "x"), failed("b", "y"), ok("c")], State.FAILED),
    ],
)
def test_the_worst_of_several_counts(findings: list[Finding], worst: State) -> None:
    assert together(findings).state is worst


def test_what_was_measured_is_all_told_and_a_remedy_once() -> None:
    assert together([warning("a", "x"), ok("b"), failed("c", "x"), failed("d", "y")]) == failed(
        "a; b; c; d", "x; y"
    )


def test_an_error_without_a_remedy_leads_to_its_description() -> None:
    finding = of_error(EngineError("model_corrupt", "wrong bytes"))
    assert finding == failed("model_corrupt: wrong bytes", "see model_corrupt in docs/errors.md")
