"""A run that is killed again and again ends where one that was left alone ends."""

import hashlib
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli import QA, environment, json_lines, qa
from tests.corpus import example_call
from tests.e2e.runs import EXAMPLES, Run, Store, by_call

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SHORTEST = ("en02", "en03", "zh02", "zh08")
KILLS = 10
LONGEST_S = 8.0  # start, model and about one call


def test_killed_at_any_moment(run: Run, tmp_path: Path) -> None:
    folder, store = tmp_path / "calls", Store(tmp_path / "data")
    folder.mkdir()
    shutil.copy(EXAMPLES / "call_metadata.csv", folder)
    for name in SHORTEST:
        shutil.copy(example_call(name), folder)
    moments = random.Random(20_261_121)
    for _ in range(KILLS):
        _score_and_kill(folder, store.data, after_s=moments.uniform(0.2, LONGEST_S))

    done = qa("score", folder, "--format", "json", data=store.data)
    assert done.returncode == 0, done.stderr
    calls = by_call(json_lines(done.stdout))
    assert set(calls) == set(SHORTEST)
    for name, line in calls.items():
        whole = run.calls[name]
        assert {**line, "recording": {**line["recording"], "path": ""}} == {
            **whole,
            "recording": {**whole["recording"], "path": ""},
        }
    counts = store.counts()
    assert [counts[table] for table in ("recordings", "conversations", "evaluations", "jobs")] == [4] * 4
    assert (counts["engine_runs"], counts["jobs not done"], counts["leases"]) == (4 * len(SHORTEST), 0, 0)
    published = [blob for blob in store.blobs() if blob.parent.name != "tmp"]
    assert len(published) == len(SHORTEST)
    assert all(hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name for blob in published)


def _score_and_kill(folder: Path, data: Path, *, after_s: float) -> None:
    process = subprocess.Popen(
        [*QA, "score", folder, "--format", "json"],
        env=environment(data),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.wait(timeout=after_s) == 0  # everything is scored already
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
