"""Programs come and go; who asks gets an answer or a coded error, and nothing is left behind."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from qa_service.adapters.listening_program import ListeningPrograms
from qa_service.errors import EngineError, InputError, QAError, TransientError

ODD = "tests.qa_service.adapters.odd_listeners"


@pytest.fixture
def programs() -> Iterator[ListeningPrograms]:
    programs = ListeningPrograms(most=1, wait_s=0.2, module=ODD)
    yield programs
    programs.close()
    assert running() == []


def running() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if ODD in child.cmdline()]


def test_a_program_answers_again_and_again(programs: ListeningPrograms) -> None:
    assert [programs.ask({"target": ""}, timeout_s=20)["had"] for _ in range(3)] == [1, 2, 3]


def test_one_that_went_away_is_followed_by_another(programs: ListeningPrograms) -> None:
    assert programs.ask({"target": "end after this"}, timeout_s=20)["had"] == 1
    assert programs.ask({"target": ""}, timeout_s=20)["had"] == 1


def test_one_that_ends_over_a_request_is_an_error(programs: ListeningPrograms) -> None:
    with pytest.raises(TransientError) as caught:
        programs.ask({"target": "end"}, timeout_s=20)
    assert caught.value.code == "listening_unavailable"
    assert "status 3" in caught.value.message
    assert programs.ask({"target": ""}, timeout_s=20)["had"] == 1


def test_one_that_takes_too_long_is_ended(programs: ListeningPrograms) -> None:
    programs.ask({"target": ""}, timeout_s=20)
    (asleep,) = running()
    with pytest.raises(TransientError) as caught:
        programs.ask({"target": "sleep"}, timeout_s=0.1)
    assert caught.value.code == "listening_unavailable"
    assert not asleep.is_running()
    assert programs.ask({"target": ""}, timeout_s=20)["had"] == 1


@pytest.mark.parametrize(
    ("kind", "raised"),
    [("InputError", InputError), ("EngineError", EngineError), ("TransientError", TransientError)],
)
def test_errors_come_as_they_are(programs: ListeningPrograms, kind: str, raised: type[QAError]) -> None:
    with pytest.raises(raised) as caught:
        programs.ask({"target": "error", "kind": kind}, timeout_s=20)
    assert (caught.value.code, caught.value.message) == ("some_code", "what: what to do")


def test_secrets_stay_here(programs: ListeningPrograms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_DATABASE_URL", "postgresql://somebody:secret@host/qa")
    names = programs.ask({"target": "environment"}, timeout_s=20)["names"]
    assert "PATH" in names
    assert not [name for name in names if name.startswith("QA_")]


def test_a_program_that_cannot_be_loaded_is_an_error() -> None:
    with pytest.raises(TransientError) as caught:
        ListeningPrograms(module="models.audio.no_such_program").ask({}, timeout_s=20)
    assert caught.value.code == "listening_unavailable"


def test_nothing_outlives_who_asked(tmp_path: Path) -> None:
    """Killed, it says no goodbye; its program, busy as it is, sees its standard input close."""
    script = textwrap.dedent(
        """
        import sys, threading
        from qa_service.adapters.listening_program import ListeningPrograms
        programs = ListeningPrograms()
        fields = {"paths": [sys.argv[1]], "channel_map": None, "default_map": None, "raw_format": None,
                  "limits": {}, "target": sys.argv[2], "spool_dir": sys.argv[3]}
        threading.Thread(target=programs.ask, args=(fields,), kwargs={"timeout_s": 60}).start()
        print("asked", flush=True)
        """
    )
    from tests.models.audio.recordings import long_silence

    recording = long_silence(tmp_path / "long.wav", duration_s=4 * 3600)
    (tmp_path / "copy.wav").touch()
    asking = subprocess.Popen(
        [sys.executable, "-c", script, str(recording), str(tmp_path / "copy.wav"), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert asking.stdout is not None
    assert asking.stdout.readline() == "asked\n"
    process = psutil.Process(asking.pid)
    deadline = time.monotonic() + 30
    while len(descendants := process.children(recursive=True)) < 3:  # the program, its zygote, the decode
        assert time.monotonic() < deadline
        time.sleep(0.01)
    asking.kill()
    asking.wait()
    asking.stdout.close()
    _, alive = psutil.wait_procs(descendants, timeout=10)
    assert not [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
