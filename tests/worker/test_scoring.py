"""Scoring files: one answer a path, in the order given, whatever happens to the others."""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from multiprocessing.queues import Queue
from pathlib import Path

import pytest
import structlog

from qa_service.adapters.metadata_sources import MetadataSources
from qa_service.db.rows import ConversationRow, EvaluationRow, JobRow, RecordingRow
from qa_service.domain.call import CallMetadata, Direction, RawFormat
from qa_service.errors import ConfigurationError, InputError, TransientError
from qa_service.ports import JobState
from qa_service.ports.sources import CallFiles
from qa_service.settings import Settings
from tests.fakes import DURATION_S, SILENT
from tests.worker.containers import FakeContainer
from worker import schedule
from worker.scoring import Failed, Listener, Scored, score
from worker.stored import stored_call


@pytest.fixture(autouse=True)
def quiet_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(schedule, "POLL_S", 0.05)
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def container(tmp_path: Path) -> Iterator[FakeContainer]:
    container = FakeContainer(tmp_path / "data")
    yield container
    container.database.dispose()


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    folder.mkdir()
    return folder


def file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def run(
    container: FakeContainer, paths: Sequence[Path], *, sidecar: Path | None = None, said: list[str] | None = None
) -> list[Scored | Failed]:
    warn = [].append if said is None else said.append
    sources = MetadataSources(container.metadata_options, sidecar, warn)
    calls = sources.calls(paths)
    return list(score(container, calls, metadata=sources, pack=None, listener=Listener(warn)))


def summary(answers: Sequence[Scored | Failed]) -> list[tuple[str, str]]:
    return [(a.path.name, a.code if isinstance(a, Failed) else "scored") for a in answers]


def test_answers_come_in_the_order_of_the_input(container: FakeContainer, calls: Path) -> None:
    paths = [file(calls, f"{name}.wav", name.encode()) for name in "cab"]
    answers = run(container, [paths[0], calls / "missing.wav", *paths[1:]])
    assert summary(answers) == [
        ("c.wav", "scored"),
        ("missing.wav", "file_missing"),
        ("a.wav", "scored"),
        ("b.wav", "scored"),
    ]


def test_a_failure_stops_nobody_else(container: FakeContainer, calls: Path) -> None:
    def during(content: bytes) -> None:
        if content == b"defect":
            raise ZeroDivisionError

    container.workplace.transcriber.during = during
    contents = {"1": b"call", "2": b"", "3": SILENT, "4": b"defect", "5": b"another call"}
    answers = run(container, [file(calls, f"{name}.wav", content) for name, content in contents.items()])
    assert [code for _, code in summary(answers)] == [
        "scored",
        "file_empty",
        "silent_audio",
        "internal_error",
        "scored",
    ]
    assert container.workplace.count(EvaluationRow) == 2


def test_every_path_is_reported_as_received_before_any_is_scored(container: FakeContainer, calls: Path) -> None:
    events: list[object] = []
    container.workplace.transcriber.during = events.append
    paths = [file(calls, "a.wav", b"call"), calls / "missing.wav", file(calls, "b.wav", b"another call")]
    sources = MetadataSources(container.metadata_options, None, events.append)
    answers = score(
        container,
        sources.calls(paths),
        metadata=sources,
        pack=None,
        listener=Listener(
            events.append,
            received=lambda path, size: events.append((path.name, size)),
            finished=lambda audio_s: events.append(audio_s),
        ),
    )
    assert len(list(answers)) == 3
    assert events == [
        *(("a.wav", 4), ("missing.wav", 0), ("b.wav", 12)),
        *(0.0, b"call", b"another call", DURATION_S, DURATION_S),
    ]


def test_twins_are_scored_once_and_answered_twice(container: FakeContainer, calls: Path) -> None:
    said: list[str] = []
    paths = [file(calls, name, b"call") for name in ("a.wav", "b.wav")]
    answers = run(container, paths, said=said)
    assert summary(answers) == [("a.wav", "scored"), ("b.wav", "scored")]
    assert container.workplace.transcriber.heard == [b"call"]
    assert container.workplace.count(RecordingRow) == container.workplace.count(EvaluationRow) == 1
    assert said == [f"{paths[1]} holds the same bytes as {paths[0]}: scored as one recording"]


def test_a_second_run_repeats_nothing(container: FakeContainer, calls: Path) -> None:
    paths = [file(calls, "a.wav", b"call"), file(calls, "b.wav", b"another call")]
    first = run(container, paths)
    second = run(container, paths)
    assert [a.evaluation for a in first if isinstance(a, Scored)] == [
        a.evaluation for a in second if isinstance(a, Scored)
    ]
    assert len(container.workplace.transcriber.heard) == container.workplace.count(JobRow) == 2


def test_a_pack_that_was_asked_for(container: FakeContainer, calls: Path) -> None:
    paths = [file(calls, "a.wav", b"call")]
    sources = MetadataSources(container.metadata_options, None, print)
    answers = list(
        score(
            container,
            sources.calls(paths),
            metadata=sources,
            pack="rules-en",
            listener=Listener(print),
        )
    )
    assert isinstance(answers[0], Scored)
    assert answers[0].evaluation.pack == "rules-en"


def test_transient_trouble_is_tried_again_and_then_reported(container: FakeContainer, calls: Path) -> None:
    """Once by the job itself (it is put back), then until the retries are used up."""
    trouble = iter([TransientError("storage_unavailable", "the disk is full")] * 3)

    def during(content: bytes) -> None:
        if content == b"unlucky" and (error := next(trouble, None)):
            raise error

    container.workplace.transcriber.during = during
    paths = [file(calls, "a.wav", b"unlucky"), file(calls, "b.wav", b"call")]
    assert summary(run(container, paths)) == [("a.wav", "storage_unavailable"), ("b.wav", "scored")]
    assert container.workplace.transcriber.heard == [b"unlucky", b"unlucky", b"call", b"unlucky"]
    assert summary(run(container, paths)) == [("a.wav", "scored"), ("b.wav", "scored")]


def test_a_database_that_is_away_for_a_moment_stops_nothing(
    container: FakeContainer, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, trouble = container.jobs.state, iter([True, True])

    def interrupted(job_id: int) -> object:
        if next(trouble, False):
            raise TransientError("database_interrupted", "the database did not answer")
        return state(job_id)

    monkeypatch.setattr(container.jobs, "state", interrupted)
    paths = [file(calls, "a.wav", b"call"), file(calls, "b.wav", b"another call")]
    assert summary(run(container, paths)) == [("a.wav", "scored"), ("b.wav", "scored")]


def test_a_database_that_stays_away_fails_what_is_left(
    container: FakeContainer, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(job_id: int) -> object:
        raise TransientError("database_interrupted", "the database did not answer")

    monkeypatch.setattr(container.jobs, "state", gone)
    paths = [file(calls, "a.wav", b"call"), file(calls, "b.wav", b"another call")]
    assert [code for _, code in summary(run(container, paths))] == ["database_interrupted"] * 2


def test_a_dead_workers_job_is_taken_over_at_once(container: FakeContainer, calls: Path) -> None:
    """A lease lasts a minute; a worker of this machine that died is noticed sooner."""
    path = file(calls, "a.wav", b"call")
    received = container.ingest.receive(path, None)
    job = container.jobs.enqueue(received.recording, received.metadata, pack=None)
    host, _, _, scope = container.owner.rsplit(":", 3)
    with container.database.unit_of_work() as unit:
        unit.jobs.claim(f"{host}:{2**22 + 1}:1:{scope}", lease_s=3600, job_id=job.id)
        unit.commit()
    started = time.monotonic()
    assert summary(run(container, [path])) == [("a.wav", "scored")]
    assert time.monotonic() - started < 10


# Metadata ---------------------------------------------------------------------------------------------------


def metadata_of(answer: Scored | Failed) -> CallMetadata:
    assert isinstance(answer, Scored)
    return answer.received.metadata


def test_the_sidecar_of_each_folder(container: FakeContainer, calls: Path) -> None:
    (calls / "call_metadata.csv").write_text("file,agent_id\na.wav,8023\n", "utf-8")
    (calls / "other").mkdir()
    (calls / "other" / "call_metadata.json").write_text('[{"file": "b.wav", "agent_id": "3307"}]', "utf-8")
    paths = [file(calls, "a.wav", b"1"), file(calls / "other", "b.wav", b"2"), file(calls, "c.wav", b"3")]
    assert [metadata_of(answer).agent_id for answer in run(container, paths)] == ["8023", "3307", None]


def test_twins_that_are_said_to_be_different_calls(container: FakeContainer, calls: Path) -> None:
    """Whose score it is cannot be known, so that nobody gets it."""
    sidecar = calls / "call_metadata.csv"
    sidecar.write_text("file,agent_id,team\na.wav,8023,T\nb.wav,9000,T\nd.wav,7,\ne.wav,,T\n", "utf-8")
    contents = {"a.wav": b"call", "b.wav": b"call", "c.wav": b"another", "d.wav": b"third", "e.wav": b"third"}
    paths = [file(calls, name, content) for name, content in contents.items()]
    answers = run(container, paths)
    assert [code for _, code in summary(answers)] == [
        "metadata_conflict", "metadata_conflict", "scored", "scored", "scored",
    ]  # fmt: skip
    assert isinstance(answers[0], Failed)
    assert "a.wav and b.wav hold the same recording" in answers[0].message
    assert "(agent_id): " in answers[0].message
    assert metadata_of(answers[4]) == CallMetadata(agent_id="7", team="T"), "what each row knows adds up"
    assert container.workplace.count(JobRow) == container.workplace.count(EvaluationRow) == 2
    sidecar.write_text("file,agent_id\na.wav,8023\nb.wav,8023\n", "utf-8")
    assert [code for _, code in summary(run(container, paths))] == ["scored"] * 5


def test_a_given_sidecar_instead_of_the_found_one(container: FakeContainer, calls: Path) -> None:
    (calls / "call_metadata.csv").write_text("file,agent_id\na.wav,8023\n", "utf-8")
    given = calls.parent / "given.csv"
    given.write_text("file,agent_id\na.wav,9000\n", "utf-8")
    answers = run(container, [file(calls, "a.wav", b"1")], sidecar=given)
    assert metadata_of(answers[0]).agent_id == "9000"


def test_the_sidecar_wins_over_the_file_name(tmp_path: Path, calls: Path) -> None:
    container = FakeContainer(tmp_path / "data", filename_template="{agent_id}_{direction}")
    (calls / "call_metadata.csv").write_text("file,agent_id\n8023_inbound.wav,9000\n", "utf-8")
    paths = [file(calls, "8023_inbound.wav", b"1"), file(calls, "3307_outbound.wav", b"2")]
    told = [metadata_of(answer) for answer in run(container, paths)]
    assert told == [
        CallMetadata(agent_id="9000", direction=Direction.INBOUND),
        CallMetadata(agent_id="3307", direction=Direction.OUTBOUND),
    ]
    container.database.dispose()


def test_a_sidecar_that_contradicts_itself_fails_only_its_recording(container: FakeContainer, calls: Path) -> None:
    (calls / "call_metadata.csv").write_text("file,agent_id\na.wav,1\na.wav,2\nb.wav,3\n", "utf-8")
    paths = [file(calls, "a.wav", b"1"), file(calls, "b.wav", b"2")]
    assert summary(run(container, paths)) == [("a.wav", "metadata_conflict"), ("b.wav", "scored")]


def test_an_unreadable_sidecar_fails_the_recordings_of_its_folder(container: FakeContainer, calls: Path) -> None:
    (calls / "call_metadata.csv").write_bytes(b"")
    (calls / "other").mkdir()
    paths = [file(calls, "a.wav", b"1"), file(calls, "b.wav", b"2"), file(calls / "other", "c.wav", b"3")]
    codes = [code for _, code in summary(run(container, paths))]
    assert codes == ["metadata_unreadable", "metadata_unreadable", "scored"]


def test_a_given_sidecar_must_be_readable(container: FakeContainer, calls: Path) -> None:
    with pytest.raises(InputError, match="metadata_unreadable"):
        MetadataSources(container.metadata_options, calls / "missing.csv", print)


def test_a_wrong_template_is_a_wrong_setting(tmp_path: Path) -> None:
    container = FakeContainer(tmp_path, filename_template="{nonsense}")
    with pytest.raises(ConfigurationError, match="filename_template_invalid"):
        MetadataSources(container.metadata_options, None, print)


def test_warnings_of_a_sidecar_are_passed_on(container: FakeContainer, calls: Path) -> None:
    (calls / "call_metadata.csv").write_text("file,agent_channel\na.wav,7\n", "utf-8")
    said: list[str] = []
    run(container, [file(calls, "a.wav", b"1"), file(calls, "b.wav", b"2")], said=said)
    assert len(said) == 1
    assert "agent_channel" in said[0]


# Two files, one call ----------------------------------------------------------------------------------------


@pytest.fixture
def legs(tmp_path: Path) -> Iterator[FakeContainer]:
    """A site whose recorder writes X-out.wav and X-in.wav."""
    container = FakeContainer(
        tmp_path / "data", leg_suffixes=("-out", "-in"), filename_template="{agent_id}_{direction}"
    )
    yield container
    container.database.dispose()


def test_a_row_with_a_second_file(container: FakeContainer, calls: Path) -> None:
    (calls / "call_metadata.csv").write_text("file,second_file,agent_id\nb.wav,a.wav,8023\n", "utf-8")
    paths = [file(calls, name, name.encode()) for name in ("a.wav", "b.wav", "c.wav")]
    answers = run(container, paths)
    assert summary(answers) == [("b.wav", "scored"), ("c.wav", "scored")]
    assert answers[0].second_path == paths[0]
    assert metadata_of(answers[0]).agent_id == "8023"
    assert container.workplace.transcriber.heard == [b"b.wava.wav", b"c.wav"]
    assert container.workplace.count(RecordingRow) == 2


@pytest.mark.parametrize("named", ["7-out.wav", "7-in.wav"])
def test_either_file_on_the_command_line_is_the_call(legs: FakeContainer, calls: Path, named: str) -> None:
    for name in ("7-out.wav", "7-in.wav"):
        file(calls, name, name.encode())
    (answer,) = run(legs, [calls / named])
    assert (answer.path, answer.second_path) == (calls / "7-out.wav", calls / "7-in.wav")
    assert legs.workplace.transcriber.heard == [b"7-out.wav7-in.wav"]


def test_a_lone_leg_is_not_scored(legs: FakeContainer, calls: Path) -> None:
    paths = [file(calls, name, name.encode()) for name in ("7-out.wav", "8-in.wav", "9.wav")]
    answers = run(legs, paths)
    assert summary(answers) == [("7-out.wav", "side_missing"), ("8-out.wav", "side_missing"), ("9.wav", "scored")]
    assert [answer.message.split(",")[0] for answer in answers if isinstance(answer, Failed)] == [
        str(calls / "7-in.wav"),
        str(calls / "8-out.wav"),
    ]
    assert len(legs.workplace.stored_blobs()) == legs.workplace.count(RecordingRow) == 1
    file(calls, "7-in.wav", b"came later")
    assert summary(run(legs, paths))[0] == ("7-out.wav", "scored")


def test_the_name_of_a_call_without_its_endings(legs: FakeContainer, calls: Path) -> None:
    paths = [file(calls, f"8023_inbound-{side}.wav", side.encode()) for side in ("out", "in")]
    (answer,) = run(legs, paths)
    assert metadata_of(answer) == CallMetadata(agent_id="8023", direction=Direction.INBOUND)


RECORD = (
    '"","{src}","s","{context}","x","SIP/trunk-01","SIP/8023-02","Dial","x",'
    '"2024-01-31 14:25:30","2024-01-31 14:25:47","2024-01-31 14:30:00",'
    '270,253,"ANSWERED","DOCUMENTATION","1706682330.10",""\n'
)


def test_call_records_beside_the_recordings_or_named(container: FakeContainer, calls: Path) -> None:
    path = file(calls, "1706682330.10.wav", b"call")
    (calls / "Master.csv").write_text(RECORD.format(src="13800138000", context="public"), "utf-8")
    said: list[str] = []
    (answer,) = run(container, [path], said=said)
    told = metadata_of(answer)
    assert (told.direction, told.agent_id, told.ring_count) == (Direction.INBOUND, "8023", 5)
    named = file(calls.parent, "cdr.csv", RECORD.format(src="13900139000", context="public").encode())
    (answer,) = run(container, [path], sidecar=named, said=said)
    assert metadata_of(answer).customer_ref == "13900139000"
    assert said == []
    run(container, [file(calls, "other.wav", b"another call")], sidecar=named, said=said)
    assert said == ["metadata rows that belong to none of these recordings (1): 1706682330.10"]


def test_the_sites_contexts_tell_the_direction(tmp_path: Path, calls: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", cdr_contexts={"ours": Direction.INBOUND}, processes=1)
    container = FakeContainer(tmp_path / "data", settings=settings)
    file(calls, "Master.csv", RECORD.format(src="13800138000", context="ours").encode())
    (answer,) = run(container, [file(calls, "1706682330.10.wav", b"call")])
    assert metadata_of(answer).direction is Direction.INBOUND
    container.database.dispose()


def test_metadata_that_comes_late_makes_another_evaluation_of_what_was_heard(
    container: FakeContainer, calls: Path
) -> None:
    path = file(calls, "1706682330.10.wav", b"call")
    decoded = container.workplace.decoder.decoded

    def scored(*, record: str | None = None) -> Scored:
        if record is not None:
            file(calls, "Master.csv", record.encode())
        (answer,) = run(container, [path])
        assert isinstance(answer, Scored)
        assert stored_call(container, str(path)).evaluation.id == answer.evaluation.id, (
            "it is the one that is shown"
        )
        return answer

    first = scored()
    told = RECORD.format(src="13800138000", context="public")
    late = scored(record=told)
    assert late.evaluation.id != first.evaluation.id
    assert late.conversation.id == first.conversation.id
    assert metadata_of(late).direction is Direction.INBOUND
    assert scored(record=told).evaluation.id == late.evaluation.id, "the same metadata changes nothing"
    corrected = scored(record=RECORD.format(src="13900139000", context="public"))
    assert corrected.evaluation.id not in {first.evaluation.id, late.evaluation.id}
    assert scored(record=told).evaluation.id == late.evaluation.id, "what is told again is found again"
    (calls / "Master.csv").unlink()
    assert scored().evaluation.id == late.evaluation.id, "what was told once stays known"
    assert (decoded, container.workplace.transcriber.heard) == ([b"call"], [b"call"])
    assert container.workplace.count(EvaluationRow) == 3


def test_legs_named_by_a_telephone_system_are_one_call(tmp_path: Path, calls: Path) -> None:
    container = FakeContainer(tmp_path / "data", filename_template="vicidial", leg_suffixes=("-out", "-in"))
    name = "20240131-142530_13800138000_SALES1_6666"
    paths = [file(calls, f"{name}-{side}.wav", side.encode()) for side in ("in", "out")]
    (answer,) = run(container, paths)
    told = metadata_of(answer)
    assert (told.agent_id, told.queue, told.customer_ref) == ("6666", "SALES1", "13800138000")
    container.database.dispose()


@pytest.mark.parametrize("row", ["7-out.wav", "7-in.wav", "7-out.wav,8023\n7-in.wav"])
def test_the_row_of_either_leg(legs: FakeContainer, calls: Path, row: str) -> None:
    (calls / "call_metadata.csv").write_text(f"file,agent_id\n{row},8023\n", "utf-8")
    paths = [file(calls, f"7-{side}.wav", side.encode()) for side in ("out", "in")]
    (answer,) = run(legs, paths)
    assert metadata_of(answer).agent_id == "8023"


def test_rows_of_the_legs_that_disagree(legs: FakeContainer, calls: Path) -> None:
    (calls / "call_metadata.csv").write_text("file,agent_id\n7-out.wav,8023\n7-in.wav,9000\n", "utf-8")
    paths = [file(calls, f"7-{side}.wav", side.encode()) for side in ("out", "in")]
    assert summary(run(legs, paths)) == [("7-out.wav", "metadata_conflict")]
    assert legs.workplace.stored_blobs() == []


def test_the_row_wins_over_the_endings(legs: FakeContainer, calls: Path) -> None:
    """Swapped: the agent is on channel 0, whatever the recorder calls it."""
    (calls / "call_metadata.csv").write_text("file,second_file\n7-in.wav,7-out.wav\n", "utf-8")
    paths = [file(calls, f"7-{side}.wav", side.encode()) for side in ("out", "in")]
    assert [answer.path.name for answer in run(legs, paths)] == ["7-in.wav"]
    assert legs.workplace.transcriber.heard == [b"inout"]


def test_a_row_against_the_endings(legs: FakeContainer, calls: Path) -> None:
    (calls / "call_metadata.csv").write_text("file,second_file\n7-out.wav,z.wav\n", "utf-8")
    paths = [file(calls, name, name.encode()) for name in ("7-in.wav", "7-out.wav", "z.wav", "fine.wav")]
    answers = run(legs, paths)
    assert summary(answers) == [
        ("7-out.wav", "pair_invalid"),
        ("7-out.wav", "pair_invalid"),
        ("fine.wav", "scored"),
    ]
    assert len(legs.workplace.stored_blobs()) == 1


def test_rows_of_a_named_sidecar_may_name_second_files(container: FakeContainer, calls: Path) -> None:
    sidecar = file(calls, "rows.csv", b"file,second_file\na.wav,b.wav\n")
    said: list[str] = []
    answers = run(container, [file(calls, "a.wav", b"1"), file(calls, "b.wav", b"2")], sidecar=sidecar, said=said)
    assert (summary(answers), said) == ([("a.wav", "scored")], [])


# Several workers --------------------------------------------------------------------------------------------


def _work(folder: Path, paths: list[Path], answers: "Queue[list[tuple[str, str]]]") -> None:
    container = FakeContainer(folder, transient_retries=3)
    container.workplace.transcriber.during = lambda _: time.sleep(0.05)
    scored = summary(run(container, paths))
    answers.put([*scored, ("heard", str(len(container.workplace.transcriber.heard)))])


def test_processes_that_score_the_same_folder_share_the_work(
    container: FakeContainer, calls: Path, tmp_path: Path
) -> None:
    paths = [file(calls, f"{n}.wav", f"call {n}".encode()) for n in range(6)]
    context = multiprocessing.get_context("spawn")
    answers: Queue[list[tuple[str, str]]] = context.Queue()
    orders = [paths, paths[::-1]]
    workers = [context.Process(target=_work, args=(tmp_path / "data", order, answers)) for order in orders]
    for worker in workers:
        worker.start()
    got = [answers.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    assert sorted(g[:-1] for g in got) == sorted([(p.name, "scored") for p in order] for order in orders)
    assert sum(int(g[-1][1]) for g in got) == len(paths), "each call was heard once"
    workplace = container.workplace
    rows = [workplace.count(row) for row in (RecordingRow, ConversationRow, EvaluationRow, JobRow)]
    assert rows == [len(paths)] * 4
    with container.database.unit_of_work() as unit:
        assert {unit.jobs.get(n + 1).state for n in range(len(paths))} == {JobState.DONE}


def test_rows_of_a_named_sidecar_that_belong_to_no_recording_are_reported(
    container: FakeContainer, calls: Path
) -> None:
    sidecar = file(calls, "rows.csv", b"file,agent_id\na.wav,7\ntypo.wav,8\n")
    said: list[str] = []
    answers = run(container, [file(calls, "a.wav", b"call")], sidecar=sidecar, said=said)
    assert summary(answers) == [("a.wav", "scored")]
    assert said == ["metadata rows that belong to none of these recordings (1): typo.wav"]


def test_a_name_tells_what_a_file_without_header_holds(calls: Path, tmp_path: Path) -> None:
    container = FakeContainer(tmp_path / "site", raw_format=RawFormat("s16be", 16_000))
    for name in ("a.ul", "b.raw", "c.wav", "d-out.al", "d-in.al", "e-out.al", "e-in.wav", "f.ul"):
        file(calls, name, name.encode())
    sidecar = file(calls, "call_metadata.csv", b"file,raw_format,agent_id\nf.ul,alaw/8000,7\na.ul,,8\n")
    sources = MetadataSources(container.metadata_options, sidecar, print)

    def told(first: str, second: str | None = None) -> CallMetadata | None:
        return sources.of(CallFiles(calls / first, calls / second if second else None))

    assert told("a.ul") == CallMetadata(agent_id="8", raw_format=RawFormat("mulaw", 8000))
    assert told("b.raw") == CallMetadata(raw_format=RawFormat("s16be", 16_000))
    assert told("c.wav") is None
    assert told("d-out.al", "d-in.al") == CallMetadata(raw_format=RawFormat("alaw", 8000))
    assert told("e-out.al", "e-in.wav") is None  # one declaration cannot be for both
    assert told("f.ul") == CallMetadata(agent_id="7", raw_format=RawFormat("alaw", 8000))
    container.database.dispose()
