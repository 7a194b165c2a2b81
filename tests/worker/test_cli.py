"""The command line: exit codes, what goes to stdout and what to stderr, one line a fault and never a traceback.

Whatever depends on the process is tested in one of its own. The rest calls ``main`` here, as a process takes a
second or two only to start.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qa_service import __version__
from rules.loader import find_pack
from tests.cli import QA, Here, environment, json_lines, qa, refused
from tests.worker.containers import FakeContainer


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """A folder of recordings none of which is one."""
    folder = tmp_path / "calls"
    folder.mkdir()
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("words")
    return folder


def test_the_version(data: Path) -> None:
    result = qa("--version", data=data)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"qa {__version__}\n", "")


@pytest.mark.parametrize("arguments", [("nonsense",), ("score",), ("score", "--format", "xml", "a.wav")])
def test_wrong_usage(here: Here, data: Path, arguments: tuple[str, ...]) -> None:
    assert "Usage" in refused(here(*arguments))
    assert not data.exists()


def test_recordings_that_fail(data: Path, calls: Path) -> None:
    result = qa("score", calls, calls / "missing.wav", "--format", "json", data=data)
    assert result.returncode == 1
    lines = json_lines(result.stdout)
    assert [(Path(line["recording"]["path"]).name, line["status"], line["error"]["code"]) for line in lines] == [
        ("empty.wav", "failed", "file_empty"),
        ("text.wav", "failed", "not_audio"),
        ("missing.wav", "failed", "file_missing"),
    ]
    assert "[3/3] missing.wav file_missing" in result.stderr
    for line in lines:
        assert f"{line['recording']['path']}: {line['error']['code']}: " in result.stderr
    assert "Traceback" not in result.stderr


def test_the_table_of_recordings_that_fail(here: Here, data: Path, calls: Path) -> None:
    result = here("score", calls)
    assert result.returncode == 1
    assert "What broke, and where" in result.stdout
    assert "file_empty" in result.stdout
    assert "[2/2]" not in result.stdout


def test_a_folder_without_recordings(here: Here, data: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert "nothing_to_score" in refused(here("score", tmp_path / "nothing"))


def test_an_unknown_pack(here: Here, data: Path, calls: Path) -> None:
    said = refused(here("score", calls, "--pack", "service-fr"))
    assert "pack_unknown" in said
    assert "service-zh" in said
    assert not data.exists()


def test_a_faulty_pack_is_reported_with_all_its_faults(
    here: Here, data: Path, calls: Path, tmp_path: Path
) -> None:
    pack = tmp_path / "site"
    shutil.copytree(find_pack("service-zh"), pack)
    opening, closing = pack / "opening.yaml", pack / "closing.yaml"
    opening.write_text(opening.read_text("utf-8").replace("severity: ", "severity: very "), "utf-8")
    closing.write_text(closing.read_text("utf-8") + "nonsense: 1\n", "utf-8")
    said = refused(here("score", calls, "--pack", pack)).splitlines()
    assert len(said) == 2
    for line, file, place in zip(
        said,
        (closing, opening),
        (_line_of(closing, "nonsense"), _line_of(opening, "severity")),
        strict=True,
    ):
        assert line.startswith("pack_invalid: ")
        assert f"site/{file.name}:{place}:1: " in line
    assert not data.exists()


def _line_of(file: Path, start: str) -> int:
    lines = file.read_text("utf-8").splitlines()
    return 1 + next(n for n, line in enumerate(lines) if line.startswith(start))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"QA_LEASE_S": "soon", "QA_DEVICE": "tpu"}, ("settings_invalid", "QA_LEASE_S", "QA_DEVICE")),
        ({"QA_CONFIG": "/nonexistent/site.toml"}, ("settings_invalid", "/nonexistent/site.toml")),
        ({"QA_FILENAME_TEMPLATE": "{nonsense}"}, ("filename_template_invalid",)),
        ({"QA_DATABASE_URL": "mysql://host/qa"}, ("database_unavailable", "mysql")),
        ({"QA_DATABASE_URL": "postgresql://qa:secret@127.0.0.1:1/qa"}, ("database_unavailable", "127.0.0.1")),
        ({"QA_ASR_MODEL": "/nonexistent/model"}, ("model_unknown", "/nonexistent/model")),
        ({"QA_PACK_EN": "service-fr"}, ("pack_unknown", "service-fr")),
    ],
)
def test_a_wrong_setting(
    here: Here, data: Path, calls: Path, settings: dict[str, str], named: tuple[str, ...]
) -> None:
    said = refused(here("score", calls, "--format", "json", **settings))
    assert [name for name in named if name not in said] == []
    assert "secret" not in said


def test_a_data_directory_that_cannot_be(here: Here, data: Path, calls: Path) -> None:
    data.write_text("a file")
    assert "database_unavailable" in refused(here("score", calls))


def test_metadata_that_cannot_be_read(here: Here, data: Path, calls: Path) -> None:
    assert "metadata_unreadable" in refused(here("score", calls, "--metadata", calls / "none.csv"))


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_name_that_is_not_utf_8(data: Path, calls: Path, ascii_only: bool) -> None:
    (calls / "text.wav").rename(calls / "placeholder.wav")
    odd = bytes(calls) + b"/b\xff\xfe[b].wav"
    (calls / "placeholder.wav").rename(Path(odd.decode("utf-8", "surrogateescape")))
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"} if ascii_only else {}
    result = qa("score", calls, "--format", "json", data=data, **plain)
    assert result.returncode == 1
    first = json_lines(result.stdout)[0]
    assert first["error"]["code"] == "not_audio"
    assert first["recording"]["path"].encode("utf-8", "surrogateescape") == odd
    assert "Traceback" not in result.stderr
    table = qa("score", calls, data=data, **plain)
    assert table.returncode == 1
    assert "Traceback" not in table.stderr
    assert "b\\xff\\xfe[b].wav" in table.stdout


@pytest.mark.parametrize("output", ["json", "table"])
def test_a_reader_that_goes_away(data: Path, calls: Path, output: str) -> None:
    """``qa score … | head -1``: no complaint, and an exit code that says it was not finished."""
    for number in range(20):
        (calls / f"{number}.wav").write_text(str(number))
    process = subprocess.Popen(
        [*QA, "score", str(calls), "--format", output],
        env=environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


def test_upgrading_the_database(here: Here, data: Path) -> None:
    for _ in range(2):
        result = here("db", "upgrade")
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "database is up to date\n")
    assert (data / "qa.db").is_file()


# qa show ----------------------------------------------------------------------------------------------------


def scored(fakes: FakeContainer, name: str, content: bytes) -> str:
    """Score a recording of this name; its digest."""
    received = fakes.ingest.receive(fakes.workplace.file(name, content), None)
    fakes.jobs.run(fakes.jobs.enqueue(received.recording, received.metadata, pack=None).id)
    return received.recording.sha256


def test_show_a_call(here: Here, fakes: FakeContainer, data: Path) -> None:
    digest = scored(fakes, "a.wav", b"call")
    for reference in ("a.wav", digest[:12], digest.upper(), str(data / "a.wav")):
        result = here("show", reference)
        assert (result.returncode, result.stderr) == (0, "")
        assert "00:00 agent    您好" in result.stdout
        assert "score 100.0" in result.stdout


def test_show_a_call_of_two_files(here: Here, fakes: FakeContainer, data: Path) -> None:
    paths = [fakes.workplace.file(f"7-{side}.wav", side.encode()) for side in ("out", "in")]
    received = fakes.ingest.receive(paths[0], None, second=paths[1])
    fakes.jobs.run(fakes.jobs.enqueue(received.recording, received.metadata, pack=None).id)
    for reference in ("7-out.wav", "7-in.wav", str(paths[1]), received.recording.sha256):
        result = here("show", reference)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith("7-out.wav + 7-in.wav  00:12")


def test_show_what_nobody_knows(here: Here, fakes: FakeContainer, data: Path) -> None:
    scored(fakes, "a.wav", b"call")
    said = refused(here("show", "b.wav"), 1)
    assert "recording_not_found" in said
    assert "qa score" in said


def test_show_what_is_two_calls(here: Here, fakes: FakeContainer, data: Path) -> None:
    digests = [scored(fakes, name, content) for name, content in (("x/a.wav", b"call"), ("y/a.wav", b"other"))]
    said = refused(here("show", "a.wav"), 1)
    assert "recording_ambiguous" in said
    assert all(digest[:12] in said for digest in digests)


def test_show_what_is_not_scored(here: Here, fakes: FakeContainer, data: Path) -> None:
    fakes.ingest.receive(fakes.workplace.file("a.wav", b"call"), None)
    assert "not_scored" in refused(here("show", "a.wav"), 1)


def test_show_on_a_machine_where_nothing_was_scored(here: Here, data: Path) -> None:
    assert "recording_not_found" in refused(here("show", "a.wav"), 1)


_UNNEEDED = (
    "celery",
    "fastapi",
    "jinja2",
    "obstore",
    "opentelemetry",
    "psycopg",
    "redis",
    "scipy",
    "torch",
    "xlsxwriter",
)


_SLOW_TO_LOAD = ("alembic", "pypinyin")
"""And needed by few commands: by those that find something to migrate, or a phrase to compare by its sound."""


def test_commands_start_without_what_takes_long_to_load() -> None:
    asked = f"import sys, worker.cli; print(sorted(sys.modules.keys() & set({_SLOW_TO_LOAD!r})))"
    started = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert started.stdout == "[]\n"


def test_commands_start_with_the_extra_speech_alone() -> None:
    absent = f"import sys; sys.modules.update(dict.fromkeys({_UNNEEDED!r})); import worker.cli"
    started = subprocess.run([sys.executable, "-c", absent], capture_output=True, text=True, check=False)
    assert (started.returncode, started.stderr) == (0, "")
