"""Logs: JSON lines with ids, and never a word, a number or a name."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qa_service import __version__
from qa_service.domain.call import CallMetadata
from qa_service.errors import TransientError
from qa_service.observability import configure_logging, masked, told
from qa_service.observing import STAGES
from tests.fakes import DURATION_S
from tests.worker.containers import FakeContainer

PHONE = "13800138000"
AGENT = "林晓"
SAID = "您好请问有什么可以帮您"


@pytest.fixture
def container(tmp_path: Path) -> Iterator[FakeContainer]:
    container = FakeContainer(tmp_path / "data")
    yield container
    container.database.dispose()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    said = capsys.readouterr()
    assert said.out == ""
    return [json.loads(line) for line in said.err.splitlines()]


def work(container: FakeContainer, folder: Path, *contents: str) -> list[int]:
    """Jobs of recordings that hold and are named what must not be logged."""
    ids = []
    folder.mkdir()
    for number, content in enumerate(contents):
        path = folder / f"out-{PHONE}-{AGENT}-{number}.wav"
        path.write_bytes(content.encode())
        received = container.ingest.receive(path, CallMetadata(agent_name=AGENT, customer_ref=PHONE))
        ids.append(container.jobs.enqueue(received.recording, received.metadata, pack=None).id)
    list(container.jobs.run_all(ids))
    return ids


def test_a_job_is_told_from_its_claim_to_its_end(
    container: FakeContainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level="info", service="qa-test")
    (job,) = work(container, tmp_path / "calls", f"say {SAID}")
    started, settled = lines(capsys)
    assert (started["event"], started["job"], started["attempt"]) == ("job started", job, 1)
    assert (settled["event"], settled["job"], settled["recording"]) == ("job settled", job, 1)
    assert (settled["ending"], settled["verdict"], settled["pack"]) == ("done", "scored", "rules-zh")
    assert (settled["service"], settled["version"]) == ("qa-test", __version__)
    assert settled["audio_s"] == DURATION_S
    assert set(settled["stages"]) == set(STAGES)
    assert sum(settled["stages"].values()) <= settled["elapsed_s"] + 0.001 * len(STAGES)
    recording = container.ingest.receive(next((tmp_path / "calls").iterdir()), None).recording
    assert recording.sha256.startswith(settled["digest"])
    assert len(settled["digest"]) == 12


def test_what_is_stored_is_not_heard_again(
    container: FakeContainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level="info")  # before anything is logged: until then structlog writes to stdout
    (job,) = work(container, tmp_path / "calls", f"say {SAID}")
    recording = container.ingest.receive(next((tmp_path / "calls").iterdir()), None)
    again = container.jobs.enqueue(recording.recording, recording.metadata, pack=None)
    list(container.jobs.run_all([again.id]))
    settled = lines(capsys)[-1]
    assert (settled["job"], settled["ending"], settled["audio_s"], settled["stages"]) == (job, "done", 0.0, {})


def test_failures_have_codes_and_passing_trouble_says_so(
    container: FakeContainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def during(content: bytes) -> None:
        if content == b"busy":
            raise TransientError("gpu_busy", "busy: try again")

    container.workplace.transcriber.during = during
    configure_logging(level="info")
    work(container, tmp_path / "calls", "silent", "busy")
    told_of = [(line["ending"], line["code"]) for line in lines(capsys) if line["event"] == "job settled"]
    assert told_of == [("failed", "silent_audio"), ("put_back", "gpu_busy")]


def test_no_line_holds_words_numbers_or_names(
    container: FakeContainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the most talkative level, with engines and libraries that quote what they work on."""

    def during(content: bytes) -> None:
        if content.startswith(b"say"):
            try:
                raise KeyError(content.decode())
            except KeyError as error:
                raise ValueError(f"cannot tokenise {content.decode()} of {AGENT} ({PHONE})") from error

    container.workplace.transcriber.during = during
    configure_logging(level="debug")
    work(container, tmp_path / "calls", f"say {SAID}", "fine")
    library = logging.getLogger("some.library")
    library.warning("dialled %s at %s", PHONE, "138 0013 8000")
    try:
        raise ValueError(SAID)
    except ValueError:
        library.exception("could not read %s", f"{AGENT}.wav")
    said = capsys.readouterr().err
    found = [json.loads(line) for line in said.splitlines()]
    assert [line["code"] for line in found if line.get("ending") == "failed"] == ["internal_error"]
    failure = next(line for line in found if line["event"] == "job failed unexpectedly")
    assert re.match(r"ValueError < .*\nKeyError < ", failure["exception"])
    assert [line["event"] for line in found if line.get("logger") == "some.library"] == [
        "dialled <number> at <number>",
        "could not read %s",
    ]
    for secret in (PHONE, "0013", AGENT, SAID, SAID[:4], ".wav"):
        assert secret not in said, secret


def test_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="debug")
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("trouble")
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("trouble", "warning", "some.library")


def test_setting_up_again_says_nothing_twice(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    configure_logging(service="qa-worker")
    logging.getLogger("some.library").error("once")
    (line,) = lines(capsys)
    assert line["service"] == "qa-worker"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("call 13800138000", "call <number>"),
        ("+8613800138000!", "<number>!"),
        ("138-0013-8000", "<number>"),
        ("010 8888 9999", "<number>"),
        ("at 2026-11-22 14:05:11.402", "at 2026-11-22 14:05:11.402"),
        ("took 123456 bytes", "took 123456 bytes"),
    ],
)
def test_long_numbers_are_masked(text: str, clean: str) -> None:
    assert masked(text) == clean


def test_exceptions_are_told_by_kind_code_and_place() -> None:
    try:
        try:
            raise OSError(SAID)
        except OSError as error:
            raise TransientError("storage_full", f"{SAID}: free it up") from error
    except TransientError as error:
        first, second = told(error).splitlines()
    assert first.startswith("TransientError storage_full < ")
    assert first.endswith("test_exceptions_are_told_by_kind_code_and_place")
    assert second.startswith("OSError < ")
