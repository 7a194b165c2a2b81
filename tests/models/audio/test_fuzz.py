"""Damaged and lying recordings of every format: audio, or a documented refusal, and nothing left behind."""

import pytest

from tests.fuzz_run import CHUNK, run_cases


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "first" in metafunc.fixturenames:
        metafunc.parametrize("first", range(0, metafunc.config.getoption("--fuzz-files"), CHUNK))


def test_every_file_is_decoded_or_refused_with_a_reason(first: int) -> None:
    report = run_cases(range(first, first + CHUNK))
    assert "\n".join(report.faults) == ""
    assert sum(report.counts.values()) == CHUNK
    assert 10 < report.counts["audio"] < 90  # neither is everything refused, nor was nothing damaged
