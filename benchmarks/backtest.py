"""A backtest of one changed rule over many stored calls: its diff, its time, its memory.

``python -m benchmarks.backtest [--calls 10000] [--keep FOLDER]``. The calls are synthetic, stored and scored
through the real store; the backtest is the command itself, in a process of its own. With ``--keep`` they are
stored once.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.processes import Measured, run
from benchmarks.stored_calls import SyntheticCall, synthetic_calls
from qa_service.ports import StoredBlob
from qa_service.settings import Settings
from rules.loader import find_pack
from worker.container import Container

PACK = "service-zh"
STORED_AT_ONCE = 100


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--keep", type=Path, help="Where the stored calls are, or are kept.")
    options = parser.parse_args()
    with _folder(options.keep) as folder:
        stored_s = _store(folder, options.calls)
        measured = _backtest(folder)
    _print(json.loads(measured.output), measured, stored_s)
    return 0


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="qa-backtest-") as folder:
        yield Path(folder)


def _store(folder: Path, count: int) -> float:
    """Store and score what is missing of ``count`` calls; seconds taken."""
    started = time.monotonic()
    container = Container(Settings(data_dir=folder / "data"))
    with container.database.unit_of_work(read_only=True) as unit:
        done = unit.history.count()
    calls = islice(synthetic_calls(count), done, None)
    while some := tuple(islice(calls, STORED_AT_ONCE)):
        _add(container, some)
        done += len(some)
        print(f"stored {done}/{count}", file=sys.stderr, end="\r")
    _score(container)
    container.database.dispose()
    return time.monotonic() - started


def _add(container: Container, calls: tuple[SyntheticCall, ...]) -> None:
    with container.database.unit_of_work() as unit:
        for call in calls:
            digest = sha256(call.name.encode()).hexdigest()
            recording, _ = unit.recordings.add(StoredBlob(digest, f"none:{digest}", 0), path=call.name)
            unit.metadata.put(recording.id, call.metadata)
            unit.conversations.add(digest, recording.id, call.conversation, elapsed_s=0.0)
        unit.commit()


def _score(container: Container) -> None:
    """Score what was not scored by the rules of today."""
    last, in_force = 0, container.evaluate.digest_in_force("zh")
    while True:
        with container.database.unit_of_work(read_only=True) as unit:
            page = unit.history.page(after=last, limit=STORED_AT_ONCE)
        if not page:
            return
        for call in page:
            if call.scored is None or call.scored.digest != in_force:
                with container.database.unit_of_work(read_only=True) as unit:
                    stored = unit.conversations.get(call.conversation_id)
                container.evaluate.evaluate(stored, call.metadata)
        last = page[-1].recording_id
        print(f"scored up to {last}", file=sys.stderr, end="\r")


def _backtest(folder: Path) -> Measured:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
    command = (sys.executable, "-m", "worker", "rules", "backtest", "--pack", str(_changed_pack(folder)))
    return run((*command, "--format", "json"), {**environment, "QA_DATA_DIR": str(folder / "data")})


def _changed_pack(folder: Path) -> Path:
    """The shipped pack, in which offering help is no longer style: it is asked for."""
    pack = folder / PACK
    shutil.rmtree(pack, ignore_errors=True)
    shutil.copytree(find_pack(PACK), pack)
    rule = pack / "opening.yaml"
    before = rule.read_text("utf-8")
    after = before.replace(
        "require:\n  all:\n", "require:\n  all:\n    - phrase: {lexicon: offer-help, scope: {first_s: 25}}\n"
    )
    if after == before:
        raise SystemExit(f"{rule} does not look as this benchmark expects: adapt the change it makes")
    rule.write_text(after, "utf-8")
    return pack


def _print(report: dict[str, Any], measured: Measured, stored_s: float) -> None:
    calls, scores = report["calls"], report["scores"]
    print(f"\n| {calls} stored calls, one rule changed | |\n|---|---|")
    print(f"| whole command | {measured.wall_s:.1f} s, {calls / measured.wall_s:.0f} calls/s |")
    print(f"| peak memory | {measured.peak_mib:.0f} MiB |")
    print(f"| calls with any change | {report['changed_calls']} |")
    for flip in report["flips"]:
        print(f"| {flip['rule']}: {flip['from']} → {flip['to']} | {flip['calls']} |")
    print(f"| mean score | {scores['mean_before']} → {scores['mean_after']} over {scores['calls']} calls |")
    print(f"| a point or more up, down | {scores['up']}, {scores['down']} |")
    print(f"| scores that appear, disappear | {scores['appeared']}, {scores['disappeared']} |")
    print(f"| newly fatal | {report['fatal']['newly']} |")
    for name in ("agents", "teams"):
        most = ", ".join(f"{one['name']} {one['mean_change']:+.2f} ({one['calls']})" for one in report[name][:3])
        print(f"| {name} most affected: mean change (calls) | {most} |")
    print(f"\nStored and scored before that in {stored_s:.0f} s.")


if __name__ == "__main__":
    sys.exit(main())
