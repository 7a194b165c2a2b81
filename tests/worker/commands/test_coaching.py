"""``qa coaching list``: table, JSON lines and workbook say the same, numbers masked."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import openpyxl

from qa_service.db.session import Database
from qa_service.domain.access import Role
from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Outcome
from qa_service.domain.review import Decision
from qa_service.services.review import Review
from tests.cli import Here, json_lines, refused
from tests.qa_service.reviewing import Site, results
from tests.worker.containers import FakeContainer


def two_confirmed_faults(database: Database, container: FakeContainer) -> None:
    site, clock = Site(database), container.clock
    review = Review(units=database.unit_of_work, units_to_read=database.unit_of_work, clock=clock, claim_s=600)
    inspector = site.person("inspector", Role.INSPECTOR)
    told = CallMetadata(agent_id="1024", agent_name="李娜", team="A")
    for number in range(2):
        at = clock.now() - timedelta(days=1, minutes=number)
        call = site.call(f"call {number}", results(opening=Outcome.NOT_MET), metadata=replace(told, started_at=at))
        review.claim(inspector, call)
        review.decide(inspector, site.finding(call).id, Decision.CONFIRM)
    with database.unit_of_work() as unit:
        unit.figures.recount(limit=1_000)
        unit.commit()


def test_what_is_listed(here: Here, fakes: FakeContainer, tmp_path: Path) -> None:
    two_confirmed_faults(fakes.database, fakes)
    nothing = here("coaching", "list", "--format", "json")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    done = here("coaching", "list", "--refresh", "--format", "json")
    assert "1 proposed, 0 extended, 0 withdrawn" in done.stderr
    (line,) = json_lines(done.stdout)
    assert (line["for"], line["agent_id"], line["module"]) == ("agent", "1024", "script-wording")
    (rule,) = line["rules"]
    assert (rule["rule"], rule["now"]) == ("opening", {"calls": 2, "faults": 2, "confirmed": 2})
    assert [clip["confirmed"] for clip in line["clips"]] == [True, True]
    assert {clip["quote"] for clip in line["clips"]} == {"您好"}

    table = here("coaching", "list", "--team", "A")
    assert "李娜" in table.stdout
    assert "opening: 2 of 2 calls (too_few)" in table.stdout
    assert json_lines(here("coaching", "list", "--agent", "7", "--format", "json").stdout) == []

    file = tmp_path / "list.xlsx"
    assert here("coaching", "list", "--format", "xlsx", "--output", file).returncode == 0
    book = openpyxl.load_workbook(file, read_only=True)
    assert [sheet.title for sheet in book] == ["coaching", "evidence"]
    header, row = book["coaching"].values
    assert dict(zip(header, row, strict=True))["id"] == line["id"]
    assert len([*book["evidence"].values]) == 3


def test_a_workbook_needs_a_file(here: Here, tmp_path: Path) -> None:
    assert "output_missing" in refused(here("coaching", "list", "--format", "xlsx"))
    assert "output_missing" in refused(here("coaching", "list", "--output", tmp_path / "x"))
    nowhere = tmp_path / "no folder" / "x.xlsx"
    assert "output_unwritable" in refused(here("coaching", "list", "--format", "xlsx", "--output", nowhere))
