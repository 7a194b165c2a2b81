"""A folder as call centres have them: everything bad that a file can be, among good recordings.

One run over all of it, with the real decoder and the real models. Each file gets its own answer; what a run leaves
behind is whole, and the next run says the same.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from tests.cli import QA, environment, json_lines, qa
from tests.e2e.runs import Store, outcomes
from tests.hostile import HOSTILE, Samples, lying_rate
from tests.recordings import write_recording
from tests.signals import RATE_HZ, clip_of

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SETTINGS = {"QA_MAX_DURATION_S": "1800"}  # so that what is too long need not be four hours

LONG_NAME = "长" * 83 + ".flac"  # 254 bytes, of 255 that a name may have
TWINS = ("-rf.flac", LONG_NAME, "good [bold] :x: $(id) '\".flac")
EVIL = "\x1b[2Jevil\n\r\x9b31m\u202e.wav"
NOT_UTF_8 = b"\xff\xfe.wav".decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Scan:
    """One run of ``qa score`` over the folder."""

    calls: Path
    store: Store
    temporary: Path

    def run(self, *more: str | Path) -> subprocess.CompletedProcess[str]:
        return qa("score", self.calls, *more, "--format", "json", data=self.store.data, **self.settings)

    @property
    def settings(self) -> dict[str, str]:
        return {**SETTINGS, "TMPDIR": str(self.temporary)}


def speech() -> Samples:
    """Ten seconds of a call, float32 (channel, time) at 16 kHz."""
    return clip_of("en01", 0.0, 10.0)


def eight_tracks() -> Samples:
    """The customer on track 2, the agent on track 5, and tones on the others."""
    agent, customer = clip_of("en01", 0.0, 9.0)
    time_s = np.arange(len(agent)) / RATE_HZ
    tracks = np.array([0.05 * np.sin(2 * np.pi * 300 * (n + 1) * time_s) for n in range(8)], np.float32)
    tracks[2], tracks[5] = customer, agent
    return tracks


ROWS = """file,agent_name,channel_map,direction,班次
good.flac,王小明,,inbound,早
good.flac,王小明,,inbound,早
eight-mapped.wav,高健,"5,2",inbound,早
eight-wrong.wav,高健,"5,9",inbound,早
conflict.flac,林晓,,inbound,早
conflict.flac,云飞,,inbound,早
三.wav,林晓,,sideways,早
"""

GOOD = {"backwards.flac", "good.flac", "mp3.wav", "eight-mapped.wav", "lying-rate.wav", *TWINS}
BAD = {
    **{one.name: one.code for one in HOSTILE},
    "text-again.wav": "not_audio",
    "eight-wrong.wav": "channel_map_invalid",
    "conflict.flac": "metadata_conflict",
    EVIL: "not_audio",
    NOT_UTF_8: "not_audio",
}


def fill(calls: Path) -> None:
    calls.mkdir()
    for one in HOSTILE:
        one.make(calls / one.name)
    write_recording(calls / "good.flac", speech(), rate_hz=RATE_HZ, format="flac")
    for twin in (*TWINS, "conflict.flac"):
        shutil.copy(calls / "good.flac", calls / twin)
    write_recording(calls / "mp3.wav", speech(), rate_hz=RATE_HZ, format="mp3")
    backwards = clip_of("zh04", 20.0, 40.0)[:, ::-1]
    write_recording(calls / "backwards.flac", backwards, rate_hz=RATE_HZ, format="flac")
    lying_rate(calls / "lying-rate.wav", speech(), rate_hz=RATE_HZ)
    for name, end in (("eight-mapped.wav", None), ("eight-wrong.wav", -RATE_HZ)):
        sf.write(calls / name, eight_tracks()[:, :end].T, RATE_HZ, subtype="PCM_16")
    shutil.copy(calls / "text.wav", calls / "text-again.wav")
    for number, name in enumerate((EVIL, NOT_UTF_8)):
        (calls / name).write_text(f"text {number}")
    (calls / "call_metadata.csv").write_text(ROWS, "gb18030")
    (calls / "again").symlink_to(calls)  # a loop of folders
    (calls / "empty-folder.wav").mkdir()
    os.mkfifo(calls / "pipe.wav")


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    base = tmp_path_factory.mktemp("hostile")
    (base / "tmp").mkdir()
    fill(base / "calls")
    return Scan(base / "calls", Store(base / "data"), base / "tmp")


@pytest.fixture(scope="module")
def done(scan: Scan) -> subprocess.CompletedProcess[str]:
    return scan.run()


@pytest.fixture(scope="module")
def lines(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return by_name(done.stdout)


def by_name(output: str) -> dict[str, dict[str, Any]]:
    return {Path(line["recording"]["path"]).name: line for line in json_lines(output)}


def codes(lines: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: line["error"]["code"] for name, line in lines.items() if line["error"]}


def test_every_bad_file_gets_its_code_and_every_good_one_a_score(
    done: subprocess.CompletedProcess[str], lines: dict[str, dict[str, Any]]
) -> None:
    assert done.returncode == 1
    assert codes(lines) == BAD
    assert {name for name, line in lines.items() if line["status"] == "scored"} == GOOD


@pytest.mark.parametrize("name", BAD)
def test_one_line_says_what_to_do(
    done: subprocess.CompletedProcess[str], lines: dict[str, dict[str, Any]], name: str
) -> None:
    error = lines[name]["error"]
    assert "\n" not in error["message"]
    fault, colon, remedy = error["message"].partition(": ")
    assert fault
    assert colon
    assert remedy
    said = [line for line in done.stderr.splitlines() if line.endswith(f"{error['code']}: {error['message']}")]
    assert said
    if name.isprintable():
        assert any(f"/{name}: " in line for line in said)


@pytest.mark.parametrize("bad", [one for one in HOSTILE if one.says], ids=lambda one: one.name)
def test_the_message_names_the_thing(lines: dict[str, dict[str, Any]], bad: Any) -> None:
    assert bad.says in lines[bad.name]["error"]["message"]


def test_names_cannot_write_to_the_terminal(done: subprocess.CompletedProcess[str]) -> None:
    assert not set(done.stdout + done.stderr) & set("\x1b\r\x9b\u202e\x7f")
    assert r"\x1b[2Jevil\n\r\x9b31m\u202e.wav" in done.stderr
    assert len(done.stdout.splitlines()) == len(GOOD) + len(BAD)
    assert "Traceback" not in done.stderr


def test_the_sidecar_is_used_for_what_it_says(
    done: subprocess.CompletedProcess[str], lines: dict[str, dict[str, Any]]
) -> None:
    warned = [line for line in done.stderr.splitlines() if line.startswith("warning: metadata_")]
    assert [line.split(":")[1].strip() for line in warned] == [
        "metadata_unknown_column",
        "metadata_duplicate",
        "metadata_invalid",
    ]
    assert "column '班次' is not known" in warned[0]
    mapped = lines["eight-mapped.wav"]
    assert mapped["recording"]["channels"] == 2
    said = {u["role"]: u["text"] for u in mapped["conversation"]["utterances"]}
    assert set(said) == {"agent", "customer"}


def test_a_wrong_name_or_header_changes_no_finding(lines: dict[str, dict[str, Any]]) -> None:
    expected = outcomes(lines["good.flac"])["opening"]
    assert expected == "met"  # and not a doubt, which says the same of everything
    for name in ("mp3.wav", "lying-rate.wav", "eight-mapped.wav"):
        assert outcomes(lines[name])["opening"] == expected, name


def test_what_nobody_can_understand_accuses_nobody(lines: dict[str, dict[str, Any]]) -> None:
    """A call played backwards, as a wrong codec or another language sounds to the recogniser."""
    line = lines["backwards.flac"]
    assert line["metrics"]["talk_s"]["agent"] > 3
    assert [r["rule"] for r in line["results"] if r["outcome"] == "not_met" and r["scored"]] == []
    assert line["evaluation"]["score"] is None


def test_nothing_is_half_written(scan: Scan, lines: dict[str, dict[str, Any]]) -> None:
    # PyTorch makes an empty folder for its compiler when it is imported, one a user.
    left = [path for path in scan.temporary.rglob("*") if not path.name.startswith("torchinductor_")]
    assert [str(path) for path in left] == []
    counts = scan.store.counts()
    assert counts["leases"] == 0
    scored = len({line["recording"]["sha256"] for line in lines.values() if line["status"] == "scored"})
    assert counts["conversations"] == counts["evaluations"] == scored == len(GOOD - set(TWINS))
    assert counts["jobs"] == counts["recordings"] == counts["jobs not done"] + scored
    # Every blob is a recording's: nothing stray, no unfinished copy.
    assert sorted(blob.name for blob in scan.store.blobs()) == sorted(scan.store.digests())


def test_another_run_says_the_same(scan: Scan, done: subprocess.CompletedProcess[str]) -> None:
    before = scan.store.counts()
    again = scan.run()
    assert (again.returncode, again.stdout) == (1, done.stdout)
    assert scan.store.counts() == before


def test_two_runs_at_once(scan: Scan, lines: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """Over the same folder and a store that is empty: they share the work and agree about the rest."""
    store = Store(tmp_path / "data")
    runs = [
        subprocess.Popen(
            [*QA, "score", str(scan.calls), "--format", "json"],
            env=environment(store.data, **scan.settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="surrogateescape",
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in runs]
    assert [process.returncode for process in runs] == [1, 1]
    assert outputs[0] == outputs[1]
    assert by_name(outputs[0]) == lines
    counts = store.counts()
    assert counts["leases"] == 0
    assert counts["conversations"] == counts["evaluations"] == len(GOOD - set(TWINS))
    assert sorted(blob.name for blob in store.blobs()) == sorted(store.digests())


def test_the_command_line_takes_any_name(scan: Scan) -> None:
    """Also where no folder's path stands before it."""
    beside = qa(
        "score", "--format", "json", "--", "-rf.flac", data=scan.store.data, cwd=scan.calls, **scan.settings
    )
    assert (beside.returncode, [line["recording"]["path"] for line in json_lines(beside.stdout)]) == (
        0,
        ["-rf.flac"],
    )


@pytest.fixture
def restored(scan: Scan) -> Iterator[Scan]:
    """Whatever the test repairs is bad again afterwards."""
    text = (scan.calls / "text.wav").read_bytes()
    yield scan
    (scan.calls / "text.wav").write_bytes(text)


def test_a_repaired_file_is_scored(restored: Scan, lines: dict[str, dict[str, Any]]) -> None:
    write_recording(restored.calls / "text.wav", clip_of("en02", 0.0, 10.5), rate_hz=RATE_HZ, format="wav-s16")
    after = by_name(restored.run().stdout)
    assert after["text.wav"]["status"] == "scored"
    assert {name: line for name, line in after.items() if name != "text.wav"} == {
        name: line for name, line in lines.items() if name != "text.wav"
    }
