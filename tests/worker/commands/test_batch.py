"""``qa batch`` as it is used: on one machine it needs nothing else, and every answer is one JSON object a line."""

import os
from pathlib import Path
from typing import Any

import pytest

from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Outcome
from qa_service.settings import Settings
from tests.cli import Here, json_lines, refused
from tests.fakes import HUMMING, SILENT, FakeRules
from tests.worker.containers import FakeContainer
from worker import batching


@pytest.fixture(autouse=True)
def fake_engines(monkeypatch: pytest.MonkeyPatch, fakes: FakeContainer) -> None:
    """Commands get a container of fakes on the same store; rules stay those of ``fakes``, as files would."""

    def container(settings: Settings) -> FakeContainer:
        made = FakeContainer(settings.data_dir, settings=settings.model_copy(update={"processes": 1}))
        made.workplace.packs.update(fakes.workplace.packs)
        return made

    monkeypatch.setattr("worker.commands.batch.Container", container)
    monkeypatch.setattr(batching, "LOOK_EVERY_S", 0.05)


def receive(fakes: FakeContainer, *contents: bytes, team: str | None = None) -> None:
    for content in contents:
        path = fakes.workplace.file(f"{content.decode()}.wav", content)
        fakes.ingest.receive(path, CallMetadata(team=team) if team else None)


def one(output: str) -> dict[str, Any]:
    (line,) = json_lines(output)
    return line


def test_one_machine_needs_nothing_else(here: Here, fakes: FakeContainer) -> None:
    receive(fakes, b"one", b"two", b"three")
    result = here("batch", "run", "--format", "json")
    assert result.returncode == 0, result.stderr
    told = one(result.stdout)
    assert set(told) == {
        *("id", "key", "kind", "state", "waiting_for", "created_at", "seen_at", "ended_at", "selection"),
        *("progress", "summary", "cost", "failed_recordings"),
    }
    assert (told["id"], told["kind"], told["state"], told["waiting_for"]) == (1, "requested", "done", None)
    assert told["ended_at"] >= told["created_at"]
    progress, summary = told["progress"], told["summary"]
    assert (progress["calls"], progress["handled"], progress["left"], progress["eta_s"]) == (3, 3, 0, None)
    assert progress["audio_hours"] == 0.01
    assert progress["calls_per_hour"] > 0
    assert summary == {
        **{"up_to_date": 0, "not_heard": 0, "queued": 3, "scored": 3, "flagged": 0, "undetermined": 0},
        **{"failed": 0, "set_aside": 0, "withdrawn": 0, "failures": {}},
    }
    assert told["cost"]["cpu_s"] > 0
    assert told["cost"]["gpu_s"] == 0
    assert "batch run 1 begins: 3 recordings" in result.stderr
    again = one(here("batch", "run", "--format", "json").stdout)
    assert (again["id"], again["summary"]["up_to_date"], again["summary"]["queued"]) == (2, 3, 0)


def test_recordings_that_fail_are_named(here: Here, fakes: FakeContainer) -> None:
    receive(fakes, b"one", SILENT, HUMMING)
    result = here("batch", "run", "--format", "json")
    told = one(result.stdout)
    assert result.returncode == 1
    assert told["summary"]["failures"] == {"no_words": 1, "silent_audio": 1}
    assert [(Path(f["path"]).name, f["code"]) for f in told["failed_recordings"]] == [
        ("humming.wav", "no_words"),
        ("silent.wav", "silent_audio"),
    ]
    table = here("batch", "show", "1")
    assert table.returncode == 0
    assert "1 no_words, 1 silent_audio" in table.stdout
    assert "silent.wav (#2): silent_audio" in table.stdout


def test_failed_recordings_are_tried_again(here: Here, fakes: FakeContainer) -> None:
    receive(fakes, SILENT, HUMMING)
    assert here("batch", "run").returncode == 1
    result = here("batch", "retry", "1", "--code", "no_words", "--format", "json")
    assert result.stderr == "1 recordings are tried again\n"
    told = one(result.stdout)
    assert (told["state"], told["summary"]["failures"]) == ("running", {"silent_audio": 1})
    again = here("batch", "run", "--format", "json")
    assert "batch run 1 goes on" in again.stderr
    told = one(again.stdout)
    assert (told["id"], told["state"], told["summary"]["failed"]) == (1, "done", 2)


def test_a_run_that_is_not_waited_for_goes_on_later(here: Here, fakes: FakeContainer) -> None:
    receive(fakes, b"one", b"two")
    told = one(here("batch", "run", "--no-wait", "--format", "json").stdout)
    assert (told["state"], told["summary"]["queued"], told["summary"]["scored"]) == ("running", 2, 0)
    told = one(here("batch", "run", "--format", "json").stdout)
    assert (told["id"], told["state"], told["summary"]["scored"]) == (1, "done", 2)


def test_jobs_of_others_that_fill_the_queue_are_worked_on_where_nobody_else_does(
    here: Here, fakes: FakeContainer
) -> None:
    receive(fakes, b"one", b"two", b"three")
    for number in (1, 2):
        with fakes.database.unit_of_work() as unit:
            recording = unit.recordings.get(number)
        fakes.jobs.enqueue(recording, CallMetadata(), pack=None)
    told = one(here("batch", "run", "--format", "json", QA_QUEUE_LIMIT="2").stdout)
    assert (told["state"], told["progress"]["handled"], told["summary"]["failed"]) == ("done", 3, 0)


def test_refused_files_of_a_source_are_named(here: Here, fakes: FakeContainer, tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "1.wav").write_bytes(b"one")
    (incoming / "2.wav").write_bytes(b"")
    result = here("batch", "run", "--format", "json", QA_SOURCES=str(incoming), QA_SETTLE_S="0")
    assert result.returncode == 1
    assert "2.wav: file_empty" in result.stderr
    assert (one(result.stdout)["state"], one(result.stdout)["summary"]["failed"]) == ("done", 0)
    again = here("batch", "run", "--format", "json", QA_SOURCES=str(incoming), QA_SETTLE_S="0")
    assert again.returncode == 0


def test_a_run_that_somebody_cancels_is_no_success(
    here: Here, fakes: FakeContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(fakes, b"one", b"two")
    follow = batching.follow

    def cancelled(container: FakeContainer, run_id: int, **arguments: Any) -> object:
        container.batch_runs.cancel(run_id)
        return follow(container, run_id, **arguments)

    monkeypatch.setattr("worker.commands.batch.follow", cancelled)
    result = here("batch", "run", "--format", "json")
    assert (result.returncode, one(result.stdout)["state"]) == (1, "cancelled")
    assert "was cancelled" in result.stderr


def test_cancelling(here: Here, fakes: FakeContainer) -> None:
    receive(fakes, b"one", b"two")
    here("batch", "run", "--no-wait")
    told = one(here("batch", "cancel", "1", "--format", "json").stdout)
    assert (told["state"], told["summary"]["withdrawn"]) == ("cancelled", 2)
    assert "batch_run_ended" in refused(here("batch", "retry", "1"), 1)
    assert one(here("batch", "run", "--format", "json").stdout)["summary"]["scored"] == 2
    assert "batch_run_ended" in refused(here("batch", "cancel", "2"), 1)


def test_scoring_again(here: Here, fakes: FakeContainer) -> None:
    receive(fakes, b"one", b"two")
    here("batch", "run")
    receive(fakes, b"never heard")
    fakes.workplace.delete_blobs()
    fakes.workplace.packs["rules-zh"] = FakeRules("rules-zh", "sha256:new", Outcome.NOT_MET)
    told = one(here("batch", "run", "--rescore", "--format", "json").stdout)
    assert (told["kind"], told["summary"]["scored"], told["summary"]["flagged"]) == ("rescore", 2, 2)
    assert told["summary"]["not_heard"] == 1


def test_sources_are_collected_from_first(here: Here, fakes: FakeContainer, tmp_path: Path) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"one")
    settings = {"QA_SOURCES": f"{folder},{tmp_path / 'unmounted'}", "QA_SETTLE_S": "0"}
    result = here("batch", "run", "--format", "json", **settings)
    assert result.returncode == 0
    assert one(result.stdout)["summary"]["scored"] == 1
    assert f"{folder}: 1 new recordings" in result.stderr
    assert "source_unavailable" in result.stderr
    (folder / "b.wav").write_bytes(b"two")
    here("batch", "run", "--rescore", **settings)
    assert one(here("batch", "run", "--no-wait", "--format", "json", **settings).stdout)["summary"]["queued"] == 1
    told = one(here("batch", "cancel", "3", "--format", "json", **settings).stdout)
    assert told["summary"]["withdrawn"] == 1
    with fakes.database.unit_of_work() as unit:  # collected without a nightly run: to be scored at once
        assert len(unit.jobs.due(10)) == 1


def test_the_list(here: Here, fakes: FakeContainer) -> None:
    receive(fakes, b"one", team="north")
    here("batch", "run", "--team", "north")
    here("batch", "run", "--team", "south", "--since", "2026-03-01", "--until", "2026-03-31")
    newest, oldest = json_lines(here("batch", "list", "--format", "json").stdout)
    assert (newest["id"], newest["progress"]["calls"], oldest["progress"]["calls"]) == (2, 0, 1)
    assert newest["selection"] == {
        "since": "2026-02-28T16:00:00+00:00",
        "until": "2026-03-31T16:00:00+00:00",
        **{"team": "south", "pack": None, "force": False},
    }
    table = here("batch", "list", "--limit", "1").stdout
    assert "2026-03-01 00:00" in table
    assert "requested" in table


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--force", "--rescore"), "batch_run_invalid"),
        (("run", "--since", "Monday"), "date_invalid"),
        (("run", "--since", "2026-03-02", "--until", "2026-03-01"), "date_invalid"),
        (("run", "--pack", "service-fr"), "pack_unknown"),
        (("show",), "Usage"),
        (("show", "one"), "Usage"),
    ],
)
def test_wrong_usage(here: Here, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(here("batch", *arguments))


@pytest.mark.parametrize("command", ["show", "cancel", "retry"])
def test_an_unknown_run(here: Here, command: str) -> None:
    assert "batch_run_not_found" in refused(here("batch", command, "7"), 1)


def test_a_run_is_worked_on_in_processes_of_its_own(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=f"sqlite:///{tmp_path / 'qa.db'}", processes=2)
    container = FakeContainer(tmp_path, settings=settings)
    receive(container, *(f"slow {number}".encode() for number in range(8)))
    run, _ = container.batch_runs.request()
    seen: list[int] = []
    ended = batching.follow(container, run.id, told=lambda run: seen.append(run.tally.handled))
    assert (ended.tally.scored, ended.tally.failed) == (8, 0)
    assert seen == sorted(seen)
    processes = {line for mark in (tmp_path / "heard").iterdir() for line in mark.read_text().splitlines()}
    assert str(os.getpid()) not in processes
    container.database.dispose()
