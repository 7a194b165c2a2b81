"""Decoding in a process of its own: what happens to it stays there, and it never outlives who asked."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from models.audio.decoder import RecordingDecoder
from models.audio.limits import AudioLimits
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError, QAError, TransientError
from qa_service.ports import AudioSource
from tests.models.audio.recordings import long_silence


@pytest.fixture
def long_call(tmp_path: Path) -> AudioSource:
    return AudioSource((long_silence(tmp_path / "long.wav", duration_s=4 * 3600),))


@pytest.fixture
def hour(tmp_path: Path) -> AudioSource:
    return AudioSource((long_silence(tmp_path / "hour.wav", duration_s=3600),))


@pytest.fixture
def short_call(tmp_path: Path) -> AudioSource:
    return AudioSource((long_silence(tmp_path / "short.wav", duration_s=2),))


def until(condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)


def gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE  # where nobody reaps orphans
    except psutil.NoSuchProcess:
        return True


def zygote() -> psutil.Process:
    """This process's; one decode must have been made."""
    (found,) = [
        child for child in psutil.Process().children() if "models.audio.zygote" in " ".join(child.cmdline())
    ]
    return found


def decoded_s(source: AudioSource, **options: object) -> float:
    with RecordingDecoder(**options).decode(source) as audio:  # type: ignore[arg-type]
        assert audio.read(0, TimeSpan(0.0, 1.0)).size == 16_000
        return audio.duration_s


@contextmanager
def decoding(source: AudioSource, **options: object) -> Iterator[tuple[psutil.Process, list[QAError]]]:
    """A decode at work in a thread: its process, and (afterwards) the error that it ended with."""
    decoded_s(AudioSource((long_silence(source.paths[0].with_name("first.wav"), duration_s=1),)))
    before = set(zygote().children())
    errors: list[QAError] = []

    def decode() -> None:
        try:
            decoded_s(source, **options)
        except QAError as error:
            errors.append(error)

    thread = threading.Thread(target=decode)
    thread.start()
    until(lambda: bool(set(zygote().children()) - before))
    (process,) = set(zygote().children()) - before
    yield process, errors
    thread.join(60)
    assert not thread.is_alive()
    until(lambda: not process.is_running())


# --- its end -----------------------------------------------------------------------------------------------


def test_a_crash_is_a_code_and_hurts_nobody_else(long_call: AudioSource, short_call: AudioSource) -> None:
    with decoding(long_call) as (process, errors):
        process.send_signal(signal.SIGSEGV)
        assert decoded_s(short_call) == 2.0  # at the same time
    (error,) = errors
    assert isinstance(error, InputError)
    assert error.code == "decoder_crashed"
    assert "SIGSEGV" in error.message
    assert error.context["path"] == str(long_call.paths[0])


def test_a_decoder_that_gets_nowhere_is_ended(long_call: AudioSource) -> None:
    with decoding(long_call, limits=AudioLimits(decode_timeout_s=0.5)) as (process, errors):
        process.suspend()
    assert [error.code for error in errors] == ["decoder_timeout"]


def test_a_decoder_that_gets_on_may_take_its_time(hour: AudioSource) -> None:
    started = time.monotonic()
    assert decoded_s(hour, limits=AudioLimits(decode_timeout_s=0.1)) == 3600.0
    assert time.monotonic() - started > 0.2


def test_memory_is_limited(short_call: AudioSource) -> None:
    with pytest.raises(InputError) as caught:
        decoded_s(short_call, limits=AudioLimits(decode_memory_bytes=40 * 1024**2))
    assert caught.value.code == "decoder_memory", caught.value.message


def test_without_a_zygote_there_is_a_new_one(long_call: AudioSource, short_call: AudioSource) -> None:
    with decoding(long_call) as (_, errors):
        first = zygote()
        first.kill()  # its decodes go with it
    (error,) = errors
    assert isinstance(error, TransientError)
    assert error.code == "decoder_unavailable"
    assert decoded_s(short_call) == 2.0
    assert zygote() != first


def test_leaving_the_call_ends_the_decode(long_call: AudioSource) -> None:
    """Ctrl-C while it waits; the process lives on."""
    script = """
        import signal, sys, psutil
        from models.audio.decoder import RecordingDecoder
        from qa_service.ports import AudioSource
        from pathlib import Path
        try:
            with RecordingDecoder().decode(AudioSource((Path(sys.argv[1]),))):
                print("decoded")
        except KeyboardInterrupt:
            (zygote,) = psutil.Process().children()
            print(len(psutil.wait_procs(zygote.children(), timeout=3)[1]), flush=True)
            sys.stdin.read()
    """
    with interpreter(script, long_call.paths[0]) as process:
        until(lambda: len(psutil.Process(process.pid).children(recursive=True)) == 2)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"


def test_a_killed_parent_leaves_nothing(tmp_path: Path, long_call: AudioSource) -> None:
    script = """
        import sys
        from pathlib import Path
        from models.audio.decoder import RecordingDecoder
        from qa_service.ports import AudioSource
        with RecordingDecoder(spool_dir=Path(sys.argv[2])).decode(AudioSource((Path(sys.argv[1]),))):
            print("decoded")
    """
    with interpreter(script, long_call.paths[0], tmp_path / "spool") as process:
        until(lambda: len(psutil.Process(process.pid).children(recursive=True)) == 2)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        until(lambda: all(map(gone, children)))
        assert list((tmp_path / "spool").iterdir()) == []


def test_signals_to_the_group_end_no_decode(hour: AudioSource) -> None:
    """A service manager sends SIGTERM to all of a service's processes; a worker then finishes its recording."""
    with decoding(hour) as (process, errors):
        for target in (process, zygote()):
            target.send_signal(signal.SIGTERM)
            target.send_signal(signal.SIGINT)
        assert process.is_running()
    assert errors == []


# --- who asks ----------------------------------------------------------------------------------------------


def test_many_threads_at_once(tmp_path: Path) -> None:
    durations: dict[int, float] = {}

    def decode(seconds: int) -> None:
        path = long_silence(tmp_path / f"{seconds}.wav", duration_s=seconds)
        durations[seconds] = decoded_s(AudioSource((path,)))

    threads = [threading.Thread(target=decode, args=(seconds,)) for seconds in range(1, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert durations == {seconds: float(seconds) for seconds in range(1, 25)}
    until(lambda: not zygote().children())
    assert zygote().num_fds() < 12  # it keeps nothing of finished requests


def test_the_zygote_has_one_thread(short_call: AudioSource) -> None:
    decoded_s(short_call)
    assert zygote().num_threads() == 1


def _decode_and_tell(source: AudioSource, answers: Connection) -> None:
    answers.send((decoded_s(source), zygote().pid))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pool_workers_may_decode(short_call: AudioSource, method: str) -> None:
    """They are daemonic, which the standard library lets have no children."""
    decoded_s(short_call)
    mine = zygote().pid
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    worker = context.Process(target=_decode_and_tell, args=(short_call, theirs), daemon=True)
    worker.start()
    assert ours.poll(30)
    duration_s, its = ours.recv()
    assert duration_s == 2.0
    assert its != mine
    worker.join(10)
    assert not psutil.pid_exists(its)
    assert decoded_s(short_call) == 2.0  # ours is still there
    assert zygote().pid == mine


@pytest.mark.parametrize("way", ["file", "-c", "-m"])
def test_the_main_module_runs_once(tmp_path: Path, short_call: AudioSource, way: str) -> None:
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from models.audio.decoder import RecordingDecoder
        from qa_service.ports import AudioSource
        print("main")
        with RecordingDecoder().decode(AudioSource((Path(sys.argv[1]),))) as audio:
            print(audio.duration_s)
    """)
    (tmp_path / "asking.py").write_text(script)
    how = {"file": [str(tmp_path / "asking.py")], "-c": ["-c", script], "-m": ["-m", "asking"]}[way]
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-W", "error", *how, str(short_call.paths[0])],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert (result.stdout, result.stderr) == ("main\n2.0\n", "")


def test_the_package_is_found_wherever_the_process_has_gone(tmp_path: Path, short_call: AudioSource) -> None:
    script = """
        import os, sys
        from pathlib import Path
        from models.audio.decoder import RecordingDecoder
        from qa_service.ports import AudioSource
        sys.path[:] = ["", *(entry for entry in sys.path if not Path(entry, "models", "audio").exists())]
        os.chdir("/")
        with RecordingDecoder().decode(AudioSource((Path(sys.argv[1]),))) as audio:
            print(audio.duration_s)
    """
    with interpreter(script, short_call.paths[0]) as process:
        assert process.communicate(timeout=30)[0] == "2.0\n"


@contextmanager
def interpreter(script: str, *arguments: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()
