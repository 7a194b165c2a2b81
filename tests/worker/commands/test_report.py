"""``qa report``: one report to stdout or a file, all of a month into a folder."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from qa_service.adapters.reporting.formats import ReportFormat
from qa_service.services.reporting.kinds import ReportKind
from tests.cli import Here, refused
from tests.qa_service.adapters.reporting.pages import page_of, workbook_of
from tests.qa_service.services.reporting.figures import Counted, write_days
from tests.worker.containers import FakeContainer
from worker.commands.report import AskedKind

FIRST = date(2026, 10, 5)


@pytest.fixture(autouse=True)
def stored(fakes: FakeContainer) -> None:
    """A hundred calls of each of two agents, one of whom has a name that no file may have."""
    calls = [
        Counted(FIRST + timedelta(days=day), agent, score=80.0 + number % 3, rules={"opening": "fault"})
        for agent in ("1024", "../2048")
        for day in range(5)
        for number in range(20)
    ]
    with fakes.database.unit_of_work() as unit:
        write_days(unit.session, calls)
        unit.commit()


def test_a_report_goes_to_stdout_in_the_wanted_format_and_language(here: Here) -> None:
    told = here("report", "agent", "--agent", "1024", "--month", "2026-10", "--format", "json")
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    assert (document["kind"], document["subject"], document["since"]) == ("agent", "1024", "2026-10-01")
    page = here("report", "team", "--team", "A", "--month", "2026-10", "--language", "en").stdout
    assert page_of(page.encode()).tables["Agents side by side"][2][:3] == ["1024", "Name 1024", "100"]
    assert "坐席对照" in here("report", "team", "--team", "A", "--month", "2026-10").stdout


def test_a_workbook_goes_into_a_file(here: Here, tmp_path: Path) -> None:
    file = tmp_path / "out" / "team.xlsx"
    done = here(
        *("report", "team", "--team", "A", "--since", "2026-10-05", "--until", "2026-10-05"),
        *("--format", "xlsx", "--output", file, "--language", "en"),
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert workbook_of(file.read_bytes())["Agents side by side"][2][:3] == ["1024", "Name 1024", 20]


def test_all_reports_of_a_month_are_a_folder_with_an_index(here: Here, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    formats = [option for each in ReportFormat for option in ("--format", each.value)]
    done = here("report", "all", "--month", "2026-10", "--output", folder, "--language", "en", *formats)
    assert done.returncode == 0, done.stderr
    reports = 4 + 2 + 1 + 1 + 31
    assert f"{reports} reports in" in done.stderr
    files = {path.name for path in folder.iterdir()}
    assert len(files) == reports * len(ReportFormat) + 1
    linked = {
        attributes["href"] for tag, attributes in page_of((folder / "index.html").read_bytes()).tags if tag == "a"
    }
    assert {"index.html", *linked} == files
    assert not list(tmp_path.glob("2048*"))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("agent",), "report_subject_missing"),
        (("agent", "--agent", "9"), "agent_not_found"),
        (("vendor", "--vendor", "W"), "vendor_not_found"),
        (("team", "--agent", "1024"), "report_invalid"),
        (("team", "--agent", "1024", "--team", "A"), "report_invalid"),
        (("daily", "--team", "A"), "report_invalid"),
        (("rules", "--month", "2026-13"), "report_period_invalid"),
        (("rules", "--month", "2026-10", "--since", "2026-10-01"), "report_period_invalid"),
        (("rules", "--until", "2026-10-01"), "report_period_invalid"),
        (("rules", "--since", "2026-10-02", "--until", "2026-10-01"), "report_period_invalid"),
        (("rules", "--since", "1-10-02"), "date_invalid"),
        (("rules", "--since", "0001-01-02", "--until", "9999-12-31"), "report_period_invalid"),
        (("all",), "report_invalid"),
        (("rules", "--format", "json", "--format", "html"), "report_invalid"),
        (("rules", "--output", "/proc/nowhere/a.html"), "report_unwritable"),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_code(here: Here, arguments: tuple[str, ...], code: str) -> None:
    result = here("report", *arguments)
    assert f"{code}:" in refused(result, 1 if code.endswith("not_found") else 2)


def test_the_command_knows_every_kind() -> None:
    assert {kind.value for kind in AskedKind} == {*(kind.value for kind in ReportKind), "all"}
