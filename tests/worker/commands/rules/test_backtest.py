"""``qa rules backtest``: what goes where, and what is refused."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from benchmarks.stored_calls import SyntheticCall
from qa_service.adapters.clock import SystemClock
from qa_service.db.session import Database
from rules.loader import find_pack
from tests.cli import Here, json_lines, refused
from tests.worker.commands.rules.conftest import CALLS


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """The shipped pack, in which every agent speaks too fast."""
    pack = tmp_path / "site"
    shutil.copytree(find_pack("service-zh"), pack)
    rule = pack / "speech-rate.yaml"
    changed = rule.read_text("utf-8").replace("above: 400", "above: 100")
    assert changed != rule.read_text("utf-8")
    rule.write_text(changed, "utf-8")
    return pack


def test_what_would_change(here: Here, stored: list[SyntheticCall], candidate: Path) -> None:
    result = here("rules", "backtest", "--pack", candidate, "--format", "json")
    assert result.returncode == 0
    (report,) = json_lines(result.stdout)
    assert [(one["rule"], one["from"], one["to"], one["calls"]) for one in report["flips"]] == [
        ("speech-rate", "met", "not_met", CALLS - 1)
    ]
    assert (report["calls"], report["without_baseline"]) == (CALLS, 1)
    assert [(one["pack"], one["calls"], one["in_force"]) for one in report["baselines"]] == [
        ("service-zh", CALLS - 1, True)
    ]
    assert f"[{CALLS}/{CALLS}] calls" in result.stderr
    table = here("rules", "backtest", "--pack", candidate)
    assert table.returncode == 0
    for shown in ("speech-rate", "the rules of today: 2 calls", "never scored", "to listen to", "down 2 (100.0%)"):
        assert shown in table.stdout
    assert str(CALLS) in table.stdout


def test_packs_against_each_other_on_some_calls(here: Here, stored: list[SyntheticCall], candidate: Path) -> None:
    first = min(call.metadata.started_at for call in stored if call.metadata.started_at)
    result = here(
        *("rules", "backtest", "--pack", candidate, "--against", "service-zh", "--format", "json"),
        *("--until", first.isoformat(), "--sample", "2"),
    )
    assert "nothing_to_backtest" in refused(result)
    result = here(
        *("rules", "backtest", "--pack", candidate, "--against", "service-zh", "--format", "json"),
        *("--since", first.isoformat(), "--sample", "2"),
    )
    (report,) = json_lines(result.stdout)
    assert (report["calls"], report["against"]) == (2, "service-zh")


def test_a_call_that_cannot_be_read_is_named(
    here: Here, stored: list[SyntheticCall], candidate: Path, data: Path
) -> None:
    database = Database(f"sqlite:///{data / 'qa.db'}", clock=SystemClock())
    with database.unit_of_work() as unit:
        unit.session.execute(text("UPDATE conversations SET document = x'00' WHERE id = 1"))
        unit.commit()
    database.dispose()
    result = here("rules", "backtest", "--pack", candidate, "--format", "json")
    assert result.returncode == 1
    (report,) = json_lines(result.stdout)
    assert (report["calls"], report["unread_calls"]) == (CALLS - 1, 1)
    assert f"{stored[0].name}: conversation_unreadable: " in result.stderr


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--pack", "service-fr"), ("pack_unknown", "service-zh")),
        (("--pack", "service-zh", "--against", "service-fr"), ("pack_unknown",)),
        (("--pack", "service-zh"), ("nothing_to_backtest", "score recordings first")),
        (("--pack", "service-zh", "--since", "Monday"), ("date_invalid", "--since")),
        (("--pack", "service-zh", "--until", "9999-12-31"), ("date_invalid", "--until")),
        (("--pack", "service-zh", "--since", "2026-03-02", "--until", "2026-03-01"), ("date_invalid",)),
        (("--pack", "service-zh", "--sample", "0"), ("--sample",)),
        ((), ("--pack",)),
    ],
)
def test_what_is_refused(here: Here, options: tuple[str, ...], named: tuple[str, ...]) -> None:
    said = refused(here("rules", "backtest", *options))
    assert [name for name in named if name not in said] == []
