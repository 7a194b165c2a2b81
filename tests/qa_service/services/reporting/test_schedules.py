"""Scheduled reports on a store: made once, by whoever comes first, and as files that somebody can send."""

import email
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from email import policy
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from qa_service.adapters.reporting.files import ReportFolder
from qa_service.db.session import Database
from qa_service.domain.access import EVERYTHING, Principal, Role, Scope
from qa_service.domain.reporting.document import Report
from qa_service.domain.reporting.policy import ReportPolicy
from qa_service.domain.reporting.schedules import Every, ScheduleTerms
from qa_service.errors import NotFoundError, PermissionDeniedError
from qa_service.ports.reporting import ReportSchedule
from qa_service.services.coaching_effects import MeasuredEffect
from qa_service.services.reporting.schedules import ReportSchedules
from qa_service.services.reporting.service import Reports
from qa_service.services.sign_in import principal_of
from qa_service.services.vendors import VendorPerformance
from tests.clocks import ManualClock
from tests.qa_service.adapters.reporting.pages import page_of, workbook_of
from tests.qa_service.services.reporting.figures import Counted, write_days

ZONE = ZoneInfo("Asia/Shanghai")
NAME = "一组\r\nBcc: all@example.com"
TERMS = ScheduleTerms("team", "A", Every.DAY, time(8), ("html", "xlsx"), "en", ("leader@example.com",))


def _nothing_to_measure(who: Principal, module: str) -> MeasuredEffect:
    raise AssertionError("no schedule here is about training")


def _no_vendor(who: Principal, name: str, last: date, months: int) -> VendorPerformance:
    raise AssertionError("no schedule here is about vendors")


class Site:
    def __init__(self, database: Database, clock: ManualClock, folder: Path) -> None:
        self.database, self.clock, self.folder = database, clock, folder
        self.clock.set(datetime(2026, 10, 6, 9, tzinfo=ZONE).astimezone(UTC))
        calls = [
            Counted(date(2026, 10, 6) + timedelta(days=day), agent, team, vendor)
            for agent, team, vendor in (("1", "A", "V"), ("2", NAME, "V"))
            for day in range(3)
            for _ in range(40)
        ]
        with database.unit_of_work() as unit:
            write_days(unit.session, calls)
            unit.commit()

    def worker(self) -> ReportSchedules:
        units = self.database.unit_of_work
        reading = partial(units, read_only=True)
        return ReportSchedules(
            units=units,
            units_to_read=reading,
            reports=Reports(
                units_to_read=reading,
                policy=ReportPolicy(),
                zone=ZONE,
                measure_module=_nothing_to_measure,
                measure_vendor=_no_vendor,
            ),
            clock=self.clock,
            zone=ZONE,
            files=ReportFolder(self.folder, zone=ZONE, site_url="https://qa", sender="qa@example.com"),
        )

    def person(self, name: str, *roles: Role, scope: Scope = EVERYTHING) -> Principal:
        with self.database.unit_of_work() as unit:
            user = unit.users.add(name, name, roles, scope)
            unit.commit()
        return principal_of(user, via="command")

    def tomorrow(self) -> None:
        self.clock.advance(timedelta(days=1))


@pytest.fixture
def site(database: Database, clock: ManualClock, tmp_path: Path) -> Site:
    return Site(database, clock, tmp_path / "reports")


@pytest.fixture
def manager(site: Site) -> Principal:
    return site.person("manager", Role.MANAGER)


def made(site: Site, who: Principal, schedule: ReportSchedule) -> list[tuple[date, bool, str]]:
    found = site.worker().made(who, schedule.id, before=None, limit=10)
    return [(one.since, one.made_at is not None, one.failure) for one in found]


def test_a_report_is_made_once_and_as_a_mail_that_can_be_sent(site: Site, manager: Principal) -> None:
    worker = site.worker()
    schedule = worker.create(manager, TERMS)
    assert worker.look_after() == 0  # today's time had come before
    site.tomorrow()
    assert [one.look_after() for one in (worker, site.worker(), worker)] == [1, 0, 0]
    assert made(site, manager, schedule) == [(date(2026, 10, 6), True, "")]
    stem = f"{schedule.id}/team-A-2026-10-06"
    (report,) = worker.made(manager, schedule.id, before=None, limit=10)
    assert report.files == (f"{stem}.html", f"{stem}.xlsx", f"{stem}.eml")

    letter: Any = email.message_from_bytes((site.folder / f"{stem}.eml").read_bytes(), policy=policy.default)
    assert (letter["to"], letter["from"]) == ("leader@example.com", "qa@example.com")
    assert letter["subject"] == "Report on team A 2026-10-06"
    page = letter.get_body(("html",)).get_content()
    assert page_of(page.encode()).tables["Agents side by side"][1][:3] == ["1", "Name 1", "40"]
    (book,) = letter.iter_attachments()
    assert book.get_filename() == "team-A-2026-10-06.xlsx"
    assert workbook_of(book.get_content())["Agents side by side"][1][2] == 40
    assert (site.folder / f"{stem}.xlsx").read_bytes() == book.get_content()
    site.tomorrow()
    assert worker.look_after() == 1


def test_its_files_are_read_by_who_may_still_have_the_report(site: Site, manager: Principal) -> None:
    worker = site.worker()
    schedule = worker.create(manager, TERMS)
    site.tomorrow()
    assert worker.look_after() == 1
    (report,) = worker.made(manager, schedule.id, before=None, limit=10)
    name, content = worker.file(manager, schedule.id, report.id, "html")
    assert (name, content) == ("team-A-2026-10-06.html", (site.folder / report.files[0]).read_bytes())

    other = worker.create(manager, TERMS)
    leader = site.person("leader", Role.LEADER, scope=Scope(teams=frozenset({"A"})))
    moved = replace(manager, scope=Scope(teams=frozenset({"B"})))
    (site.folder / report.files[1]).unlink()
    for who, of, ending, code in (
        (manager, schedule.id, "json", "report_file_not_found"),
        (manager, schedule.id, "xlsx", "report_file_not_found"),
        (manager, other.id, "html", "scheduled_report_not_found"),
        (leader, schedule.id, "html", "report_schedule_not_found"),
        (moved, schedule.id, "html", "team_not_found"),
    ):
        with pytest.raises(NotFoundError) as refused:
            worker.file(who, of, report.id, ending)
        assert refused.value.code == code, (of, ending)
    with site.database.unit_of_work() as unit:
        assert len(unit.audit.page(before=None, limit=9, action="report_schedule.read")) == 1


def test_no_name_reaches_the_head_of_a_mail(site: Site, manager: Principal) -> None:
    worker = site.worker()
    worker.create(manager, ScheduleTerms("team", NAME, Every.DAY, time(8), ("json",), "zh", ("a@example.com",)))
    site.tomorrow()
    assert worker.look_after() == 1
    (file,) = site.folder.rglob("*.eml")
    letter = email.message_from_bytes(file.read_bytes(), policy=policy.default)
    assert letter["bcc"] is None
    assert {path.suffix for path in site.folder.rglob("*.*")} == {".eml", ".json"}


def test_of_many_workers_one_makes_it(site: Site, manager: Principal) -> None:
    schedule = site.worker().create(manager, TERMS)
    site.tomorrow()
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(site.worker().look_after())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 0, 1]
    assert len(made(site, manager, schedule)) == 1


def test_what_fails_is_told_and_tried_again_later(site: Site, manager: Principal) -> None:
    worker = site.worker()
    schedule = worker.create(manager, TERMS)
    site.tomorrow()
    site.folder.write_text("in the way")
    assert worker.look_after() == 0
    assert made(site, manager, schedule) == [(date(2026, 10, 6), False, "report_unwritable")]
    site.folder.unlink()
    assert worker.look_after() == 0
    site.clock.advance(timedelta(minutes=16))
    assert worker.look_after() == 1
    assert made(site, manager, schedule) == [(date(2026, 10, 6), True, "")]


def test_what_a_worker_died_over_another_takes_over(site: Site, manager: Principal) -> None:
    schedule = site.worker().create(manager, TERMS)
    site.tomorrow()
    since = date(2026, 10, 6)
    with site.database.unit_of_work() as unit:
        stale = site.clock.now() - timedelta(minutes=15)
        assert unit.report_schedules.claim(schedule.id, since, since + timedelta(days=1), stale_before=stale)
        unit.commit()
    assert site.worker().look_after() == 0
    site.clock.advance(timedelta(minutes=16))
    assert site.worker().look_after() == 1


def test_a_schedule_shows_what_its_maker_may_see_today(site: Site) -> None:
    vendor = site.person("theirs", Role.MANAGER, scope=Scope(vendor="V"))
    worker = site.worker()
    with pytest.raises(NotFoundError):
        worker.create(vendor, ScheduleTerms("team", "nowhere", Every.DAY, time(8), ("html",), "zh", ()))
    schedule = worker.create(vendor, TERMS)
    with site.database.unit_of_work() as unit:
        unit.users.change(
            *(vendor.user_id,),
            version=None,
            display_name="theirs",
            roles=[Role.MANAGER],
            scope=Scope(vendor="W"),
            active=True,
        )
        unit.commit()
    site.tomorrow()
    assert worker.look_after() == 0
    boss = site.person("boss", Role.MANAGER)
    assert made(site, boss, schedule) == [(date(2026, 10, 6), False, "team_not_found")]
    _switch_off(site, vendor)
    site.clock.advance(timedelta(minutes=16))
    assert worker.look_after() == 0
    assert made(site, boss, schedule)[0][2] == "report_owner_gone"


def _switch_off(site: Site, who: Principal) -> None:
    with site.database.unit_of_work() as unit:
        unit.users.change(
            *(who.user_id,),
            version=None,
            display_name="x",
            roles=[Role.MANAGER],
            scope=Scope(vendor="V"),
            active=False,
        )
        unit.commit()


def test_others_schedules_are_not_there_and_kinds_need_what_they_need(site: Site, manager: Principal) -> None:
    worker = site.worker()
    schedule = worker.create(manager, TERMS)
    other = site.person("other", Role.MANAGER, scope=Scope(vendor="V"))
    attempts: list[Callable[[], object]] = [
        lambda: worker.get(other, schedule.id),
        lambda: worker.change(other, schedule.id, TERMS, version=None),
        lambda: worker.made(other, schedule.id, before=None, limit=1),
    ]
    for attempt in attempts:
        with pytest.raises(NotFoundError):
            attempt()
    assert worker.all(other) == ()
    leader = site.person("leader", Role.LEADER, scope=Scope(vendor="V"))
    with pytest.raises(PermissionDeniedError):
        worker.create(leader, ScheduleTerms("rules", "", Every.DAY, time(8), ("html",), "zh", ()))


def test_a_schedule_of_days_that_becomes_one_of_months(site: Site, manager: Principal) -> None:
    """The first of the month and the month begin on the same day; each has a report."""
    site.clock.set(datetime(2026, 10, 1, 9, tzinfo=ZONE).astimezone(UTC))
    worker = site.worker()
    schedule = worker.create(manager, TERMS)
    site.tomorrow()
    assert worker.look_after() == 1
    schedule = worker.change(manager, schedule.id, replace(TERMS, every=Every.MONTH), version=None)
    site.clock.set(datetime(2026, 11, 1, 9, tzinfo=ZONE).astimezone(UTC))
    assert [worker.look_after(), worker.look_after()] == [1, 0]
    reports = worker.made(manager, schedule.id, before=None, limit=10)
    october = date(2026, 10, 1)
    assert [(one.since, one.until) for one in reports] == [
        (october, date(2026, 11, 1)),
        (october, date(2026, 10, 2)),
    ]


def test_an_ended_schedule_makes_nothing(site: Site, manager: Principal) -> None:
    worker = site.worker()
    schedule = worker.create(manager, TERMS)
    ended = ScheduleTerms("team", "A", Every.DAY, time(8), ("html",), "zh", (), active=False)
    worker.change(manager, schedule.id, ended, version=schedule.version)
    site.tomorrow()
    assert worker.look_after() == 0


def test_without_the_libraries_of_reports_workers_go_on(
    site: Site, manager: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = site.worker()
    schedule = worker.create(manager, TERMS)
    pages = worker.create(manager, ScheduleTerms("team", "A", Every.DAY, time(8), ("html",), "en", ()))
    site.tomorrow()
    with monkeypatch.context() as here:
        here.setitem(sys.modules, "xlsxwriter", None)
        assert worker.look_after() == 1  # nobody gets a workbook of the one that is a page alone
    assert made(site, manager, schedule) == [(date(2026, 10, 6), False, "reports_missing")]
    assert made(site, manager, pages) == [(date(2026, 10, 6), True, "")]
    site.clock.advance(timedelta(minutes=16))
    assert worker.look_after() == 1
    assert made(site, manager, schedule) == [(date(2026, 10, 6), True, "")]


def test_a_defect_is_one_reports_and_no_others(
    site: Site, manager: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = site.worker()
    broken = worker.create(manager, ScheduleTerms("daily", "", Every.DAY, time(8), ("html",), "en", ()))
    whole = worker.create(manager, TERMS)
    site.tomorrow()
    write = ReportFolder.write

    def breaks(folder: ReportFolder, report: Report, schedule: ReportSchedule) -> object:
        if schedule.id == broken.id:
            raise ZeroDivisionError
        return write(folder, report, schedule)

    monkeypatch.setattr(ReportFolder, "write", breaks)
    assert worker.look_after() == 1
    assert made(site, manager, broken) == [(date(2026, 10, 6), False, "internal_error")]
    assert made(site, manager, whole) == [(date(2026, 10, 6), True, "")]
