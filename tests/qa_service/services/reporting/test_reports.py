"""Reports of every kind, from calls that are counted here."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from qa_service.adapters.reporting.html import html
from qa_service.adapters.reporting.json import as_json, document
from qa_service.adapters.reporting.values import Writer
from qa_service.adapters.reporting.words import Language, codes
from qa_service.db.rows import ChangedCallRow
from qa_service.db.session import Database
from qa_service.domain import vendors
from qa_service.domain.access import EVERYTHING, CallOwner, Principal, Scope
from qa_service.domain.batch_runs import BatchKind, Selection
from qa_service.domain.effects import Effect, EffectWarning, Verdict
from qa_service.domain.proportions import Interval, share
from qa_service.domain.reporting.document import Caution, Chart, Measure, Report, RuleName, Said, Table
from qa_service.domain.reporting.periods import Span, day_of, month_of
from qa_service.domain.reporting.policy import ReportPolicy
from qa_service.domain.training import MODULES
from qa_service.domain.vendors import VendorPolicy
from qa_service.errors import ConflictError, InputError, NotFoundError
from qa_service.ports import UnitOfWork
from qa_service.ports.complaints import NewComplaint
from qa_service.services.coaching_effects import MeasuredEffect
from qa_service.services.reporting.kinds import ReportKind, Wanted
from qa_service.services.reporting.service import Reports
from qa_service.services.vendors import VendorPerformance, Vendors
from tests.clocks import ManualClock
from tests.qa_service.adapters.reporting.pages import page_of
from tests.qa_service.services.reporting.figures import Counted, write_days

ZONE = ZoneInfo("Asia/Shanghai")
AS_OF = datetime(2026, 11, 1, 1, 0, tzinfo=UTC)
OCTOBER = month_of(date(2026, 10, 1))
FIRST = date(2026, 10, 5)
NEXT = date(2026, 10, 12)


class Site:
    """Reports over a store, and the statements that they take."""

    def __init__(self, file: Path, policy: ReportPolicy) -> None:
        self.clock = ManualClock(datetime(2026, 10, 5, 14, 0, tzinfo=UTC))
        self.database = Database(f"sqlite:///{file}", clock=self.clock, zone=ZONE)
        self.effects: dict[str, Effect] = {}
        self.reports = Reports(
            units_to_read=self.units,
            policy=policy,
            zone=ZONE,
            measure_module=self.measure_module,
            measure_vendor=self.measure_vendor,
        )
        self.statements: list[str] = []

    @contextmanager
    def units(self) -> Iterator[UnitOfWork]:
        with self.database.unit_of_work() as unit:
            note = lambda _c, _u, statement, *_: self.statements.append(statement)  # noqa: E731
            bind = unit.session.get_bind()
            event.listen(bind, "before_cursor_execute", note)
            try:
                yield unit
            finally:
                event.remove(bind, "before_cursor_execute", note)

    def measure_module(self, who: Principal, module: str) -> MeasuredEffect:
        """Effects are measured and tested elsewhere."""
        if module not in self.effects:
            raise ConflictError("effect_not_yet", "nothing to measure: ask later")
        return MeasuredEffect(module, ("opening", "closing"), self.effects[module])

    def measure_vendor(self, who: Principal, name: str, last: date, months: int) -> VendorPerformance:
        units = partial(self.database.unit_of_work, read_only=True)
        policy = VendorPolicy(targets={("", vendors.Measure.QA_SCORE): 85.0})
        told = Vendors(units_to_read=units, clock=self.clock, zone=ZONE, policy=policy)
        return told.performance(who, name, last=last, months=months)

    def know(self, *calls: Counted) -> None:
        with self.database.unit_of_work() as unit:
            write_days(unit.session, calls)
            unit.commit()

    def make(self, kind: ReportKind, subject: str = "", span: Span = OCTOBER, scope: Scope = EVERYTHING) -> Report:
        return self.reports.make(Wanted(kind, span, subject), scope, as_of=AS_OF)


@pytest.fixture
def file(sqlite_template: Path, tmp_path: Path) -> Path:
    """A database with tables."""
    return Path(shutil.copyfile(sqlite_template, tmp_path / "qa.db"))


@pytest.fixture
def site(file: Path) -> Iterator[Site]:
    made = Site(file, ReportPolicy(least_calls=10, workload=70, sales_queues=frozenset({"sales"})))
    yield made
    made.database.dispose()


def calls(
    count: int,
    agent: str | None = "1",
    *,
    days: int = 5,
    first: date = FIRST,
    team: str = "A",
    score: float | None = 80.0,
    queue: str = "billing",
    **rules: str,
) -> list[Counted]:
    """``count`` calls a day on so many days; scores go up and down around ``score``."""
    return [
        Counted(
            first + timedelta(days=day),
            agent,
            team,
            queue=queue,
            score=None if score is None else score + (number % 5 - 2) + day % 2,
            rules={name.replace("_", "-"): said for name, said in rules.items()},
        )
        for day in range(days)
        for number in range(count)
    ]


def table(report: Report, code: str) -> Table:
    """The table, with rules as their ids."""
    (found,) = [block for block in _blocks(report) if isinstance(block, Table) and block.title.code == code]
    rows = [tuple(cell.rule if isinstance(cell, RuleName) else cell for cell in cells) for cells in found.rows]
    return replace(found, rows=tuple(rows))


def chart(report: Report, code: str) -> Chart:
    (found,) = [block for block in _blocks(report) if isinstance(block, Chart) and block.title.code == code]
    return found


def cautions(report: Report) -> list[str]:
    return [block.text.code for block in _blocks(report) if isinstance(block, Caution)]


def _blocks(report: Report) -> list[Any]:
    return [block for section in report.sections for block in section.blocks]


def row(shown: Table, name: str | Said) -> dict[str, Any]:
    (found,) = [cells for cells in shown.rows if cells[0] == name]
    return {column.title.code: cell for column, cell in zip(shown.columns, found, strict=True)}


def every_kind(site: Site) -> Iterator[Report]:
    yield site.make(ReportKind.AGENT, "1")
    yield site.make(ReportKind.TEAM, "A")
    yield site.make(ReportKind.VENDOR, "V")
    for kind in ReportKind:
        if kind.subject is not None:
            continue
        yield site.make(kind)


def test_a_scorecard_sets_an_agent_beside_the_team_and_the_own_past(site: Site) -> None:
    site.know(*calls(20, "1", score=80.0, opening="fault"), *calls(20, "2", score=90.0, opening="ok"))
    site.know(*calls(20, "1", score=70.0, first=date(2026, 9, 7), opening="ok"))
    report = site.make(ReportKind.AGENT, "1")
    figures = table(report, "key_figures")
    means = row(figures, Said("mean_score"))
    assert [means[name].value for name in ("now", "before", "team_others")] == pytest.approx([80.4, 70.4, 90.4])
    assert means["now"].interval.low < 80.4 < means["now"].interval.high
    assert row(figures, Said("calls_a_day"))["now"].value == 20
    assert dict(figures.notes[0].values) == {"norm": 70}
    opening = row(table(report, "faults_by_rule"), "opening")
    assert (opening["calls"], opening["faults"], opening["confirmed"], opening["unreviewed"]) == (100, 100, 0, 100)
    assert [opening[name].value for name in ("rate", "before", "team_others")] == [1.0, 0.0, 0.0]
    assert chart(report, "history").places == ("2026-09", "2026-10")
    assert [series.values for series in chart(report, "history").series] == [
        pytest.approx((70.4, 80.4)),
        (None, pytest.approx(90.4)),
    ]
    assert report.title.code == "title_agent_named"


def test_calls_of_a_day_resemble_each_other_and_the_interval_knows(site: Site) -> None:
    """Forty calls that are alike day by day tell no more than their four days."""
    scores = (60.0, 70.0, 80.0, 90.0)
    site.know(
        *(
            Counted(FIRST + timedelta(days=at), "1", score=score)
            for at, score in enumerate(scores)
            for _ in range(10)
        )
    )
    mean = row(table(site.make(ReportKind.AGENT, "1"), "key_figures"), Said("mean_score"))["now"]
    # Student's t with 3 degrees of freedom: 3.182 · sqrt(166.67 / 4).
    assert (mean.interval.high - mean.value) == pytest.approx(20.54, abs=0.01)


def test_with_too_few_calls_no_number_is_told_anywhere(site: Site) -> None:
    site.know(*calls(1, "1", days=3, score=12.0, opening="confirmed"), *calls(20, "2", opening="ok"))
    report = site.make(ReportKind.AGENT, "1")
    mean = row(table(report, "key_figures"), Said("mean_score"))["now"]
    assert (mean.value, mean.interval, mean.too_few, mean.size) == (None, None, True, 3)
    assert row(table(report, "faults_by_rule"), "opening")["rate"].too_few
    assert set(chart(report, "trend").series[0].values) == {None}
    side = row(table(site.make(ReportKind.TEAM, "A"), "by_agent"), "1")
    assert side["mean_score"].too_few
    assert b"10.33" not in as_json(report)  # their mean
    shown = page_of(html(report, Writer(Language.ZH, ZONE))).tables.values()
    assert not [cell for rows in shown for cells in rows for cell in cells if cell.startswith("10.3")]


def test_agents_of_a_team_stand_in_the_order_of_their_names(site: Site) -> None:
    site.know(*calls(20, "3", score=60.0), *calls(20, "1", score=90.0), *calls(20, "2", score=75.0))
    shown = table(site.make(ReportKind.TEAM, "A"), "by_agent")
    assert [cells[0] for cells in shown.rows] == ["1", "2", "3"]
    assert chart(site.make(ReportKind.TEAM, "A"), "means_compared").limits[0].values[0] == pytest.approx(75.4)


def test_an_agent_who_moved_is_in_both_teams_with_the_calls_made_there(site: Site) -> None:
    site.know(*calls(20, "1", team="A"), *calls(10, "1", team="B", first=date(2026, 10, 19)))
    assert row(table(site.make(ReportKind.TEAM, "A"), "by_agent"), "1")["calls"] == 100
    assert row(table(site.make(ReportKind.TEAM, "B"), "by_agent"), "1")["calls"] == 50
    assert row(table(site.make(ReportKind.AGENT, "1"), "key_figures"), Said("calls"))["now"] == 150


def test_a_vendors_teams_stand_side_by_side(site: Site) -> None:
    site.know(*calls(20, "1", team="A"), *calls(20, "2", team="B"))
    assert [cells[0] for cells in table(site.make(ReportKind.VENDOR, "V"), "by_team").rows] == ["A", "B"]


def test_who_stands_out_is_named_and_what_all_do_is_nobodys(site: Site) -> None:
    for number in range(1, 15):
        usual = ["fault" if at % 20 == number else "ok" for at in range(100)]
        opening = ["fault"] * 60 + ["ok"] * 40 if number == 1 else usual
        site.know(
            *(
                Counted(
                    FIRST + timedelta(days=at % 5),
                    str(number),
                    "A" if number < 8 else "B",
                    rules={"opening": said, "thanks": "fault" if at % 2 else "ok"},
                )
                for at, said in enumerate(opening)
            )
        )
    report = site.make(ReportKind.TEAM, "A")
    assert [cells[:2] for cells in table(report, "special_causes").rows] == [("1", "opening")]
    assert (Said("whole_site"), "thanks") in [cells[:2] for cells in table(report, "common_causes").rows]
    funnel = chart(report, "funnel")
    assert [funnel.labels[at] for at in funnel.flagged] == ["1"]
    assert len(funnel.labels) == 7  # nobody of another team is in it
    assert table(site.make(ReportKind.TEAM, "B"), "special_causes").rows == ()
    assert len(table(site.make(ReportKind.AGENT, "1"), "special_causes").rows) == 1
    assert table(site.make(ReportKind.AGENT, "2"), "special_causes").rows == ()
    mine = Scope(teams=frozenset({"A"}))  # the others count, and nothing of them is told
    told = site.make(ReportKind.TEAM, "A", scope=mine)
    assert table(told, "special_causes").rows == table(report, "special_causes").rows


def test_a_team_that_got_worse_as_a_body_is_told(site: Site) -> None:
    for number in range(1, 16):
        team = "ABC"[number % 3]
        for week in range(4):
            faults = 8 if team == "A" and week >= 2 else 2
            said = ["fault" if (at + number) % 20 < faults else "ok" for at in range(20)]
            when = FIRST + timedelta(days=7 * week)
            site.know(*(Counted(when, str(number), team, rules={"thanks": one}) for one in said))
    shown = table(site.make(ReportKind.TEAM, "A"), "team_trends")
    assert [cells[:4] for cells in shown.rows] == [("A", "thanks", 5, Said("trend_worse"))]
    earlier, later = (cell.value for cell in shown.rows[0][4:] if isinstance(cell, Measure))
    assert (earlier, later) == (pytest.approx(0.1), pytest.approx(0.4))
    assert table(site.make(ReportKind.TEAM, "B"), "team_trends").rows == ()
    assert [cells[0] for cells in table(site.make(ReportKind.VENDOR, "V"), "team_trends").rows] == ["A"]
    with pytest.raises(ValueError, match="not enough values"):  # nothing of the team's weeks
        table(site.make(ReportKind.AGENT, "3"), "team_trends")


def test_a_day_tells_of_the_batch_runs_that_began_on_it(site: Site) -> None:
    site.know(*calls(20, "1"))
    with site.database.unit_of_work() as unit:
        until = site.clock.now()
        unit.batch_runs.add("nightly:2026-10-05", BatchKind.NIGHTLY, Selection(until))
        unit.commit()
    site.clock.advance(timedelta(hours=3))  # after midnight by the clock of the site
    with site.database.unit_of_work() as unit:
        unit.batch_runs.add("requested:1", BatchKind.REQUESTED, Selection(until))
        unit.commit()
    runs = table(site.make(ReportKind.DAILY, span=day_of(FIRST)), "batch_runs")
    assert [cells[1] for cells in runs.rows] == [Said("run_nightly")]
    assert row(table(site.make(ReportKind.DAILY, span=day_of(FIRST)), "by_team"), "A")["calls"] == 20
    within = site.make(ReportKind.DAILY, span=day_of(FIRST), scope=Scope(teams=frozenset({"A"})))
    assert not [section for section in within.sections if section.title.code == "batch_runs"]


def test_sales_are_the_queues_that_the_site_names_and_confirmed_faults_come_first(site: Site) -> None:
    site.know(
        *calls(20, "1", queue="sales", overpromise="fault"), *calls(20, "2", queue="sales", pressure="confirmed")
    )
    site.know(*calls(20, "3", queue="billing", pressure="confirmed"))
    shown = table(site.make(ReportKind.SALES), "to_correct")
    assert [(cells[0], cells[2], cells[4], cells[5]) for cells in shown.rows] == [
        ("2", "pressure", 100, 0),
        ("1", "overpromise", 0, 100),
    ]


def test_training_is_told_with_its_doubts(site: Site) -> None:
    first, second, *others = [module.name for module in MODULES]
    rates = (share(60, 300), share(80, 300), share(30, 300), share(200, 1000), share(190, 1000))
    points = Interval(-0.15, -0.05)
    warned = (EffectWarning.REGRESSION_TO_MEAN,)
    site.effects = {
        first: Effect(Verdict.HELPED, -0.1, points, -0.5, Interval(-0.7, -0.2), -0.6, 9, 30, *rates),
        second: Effect(Verdict.CANNOT_TELL, None, None, None, None, -0.4, 3, 2, *rates, warned),
    }
    report = site.make(ReportKind.TRAINING)
    shown = table(report, "effects")
    helped = row(shown, first)
    assert (helped["verdict"], helped["effect_points"].interval) == (Said("effect_helped"), points)
    unsure = row(shown, second)
    assert (unsure["verdict"], unsure["effect_points"].value) == (Said("effect_cannot_tell"), None)
    assert [dict(note.values) for note in shown.notes if note.code == "warning_regression_to_mean"] == [
        {"modules": second}
    ]
    compared = chart(report, "effects_compared")
    assert (compared.places, compared.flagged) == ((first,), frozenset({0}))
    for language in Language:
        page = html(report, Writer(language, ZONE)).decode()
        assert all(name in page for name in (first, second, *others))


def test_an_agent_learns_nothing_that_single_colleagues_did(site: Site) -> None:
    site.know(*calls(20, "1", opening="fault", privacy="fault"), *calls(20, "2", opening="ok", privacy="ok"))
    site.know(*calls(20, "3", opening="ok"), *calls(20, "4", score=None, opening="ok"))

    def others() -> tuple[bool, bool, bool]:
        made = site.reports.own("1", OCTOBER, as_of=AS_OF)
        rules = table(made, "faults_by_rule")
        told = [row(table(made, "key_figures"), Said("mean_score")), row(rules, "opening")]
        assert row(rules, "privacy")["team_others"].value is None  # one colleague alone was asked
        trend = chart(made, "trend").series
        return (*(one["team_others"].value is not None for one in told), len(trend) > 1)  # type: ignore[return-value]

    assert others() == (False, False, False)  # three others, of whom two have scores
    site.know(*calls(20, "5", opening="ok"))
    assert others() == (True, True, True)


def test_an_agent_cannot_reckon_what_one_colleague_did(site: Site) -> None:
    """From a month that is not over, from two spans, or from a week in which few worked."""
    site.know(*(call for agent in "1234" for call in calls(20, agent, opening="ok")))

    def others(span: Span, as_of: datetime = AS_OF) -> tuple[int, int]:
        made = site.reports.own("1", span, as_of=as_of)
        return row(table(made, "key_figures"), Said("calls"))["team_others"], len(chart(made, "trend").series)

    assert others(OCTOBER) == (300, 2)
    assert others(OCTOBER, as_of=AS_OF - timedelta(days=5)) == (0, 1)
    assert others(Span(OCTOBER.since, OCTOBER.until - timedelta(days=1))) == (0, 1)
    site.know(*calls(1, "2", days=1, first=NEXT, opening="fault"))
    assert others(OCTOBER) == (301, 1)  # the sum alone
    site.know(*calls(9, None, days=1, first=NEXT + timedelta(days=7), opening="fault"))
    assert others(OCTOBER) == (301, 1)  # whose calls nobody told are no colleague's


def test_who_changed_teams_is_not_taken_away_from_the_others(site: Site) -> None:
    site.know(*(call for agent in "234" for call in calls(2, agent, days=1, closing="fault")))
    site.know(*calls(3, "1", days=1, closing="ok"), *calls(2, "1", days=1, first=NEXT, team="B", closing="ok"))
    site.know(*calls(10, "1", days=1, first=NEXT + timedelta(days=1), team="A", closing="fault"))
    site.know(*calls(10, "5", days=1, closing="ok"))
    rules = table(site.make(ReportKind.AGENT, "1"), "faults_by_rule")
    told = row(rules, "closing")
    assert (told["calls"], told["faults"]) == (15, 10)
    assert told["team_others"].value == pytest.approx(6 / 16)


def test_calls_without_an_agent_are_no_agents_work(site: Site) -> None:
    site.know(*(call for agent in "12345" for call in calls(60, agent, days=1)), *calls(200, None, days=1))
    figures = table(site.make(ReportKind.TEAM, "A"), "key_figures")
    assert row(figures, Said("calls"))["now"] == 500
    assert row(figures, Said("calls_a_day"))["now"].value == pytest.approx(60.0)


def test_sales_rates_count_the_calls_without_faults_too(site: Site) -> None:
    site.know(*calls(60, "1", days=1, queue="sales", overpromise="ok"))
    site.know(*calls(20, "1", days=1, team="B", queue="sales", overpromise="fault"))
    site.know(*calls(30, "1", days=1, first=NEXT, team="B", queue="sales", overpromise="ok"))
    (cells,) = table(site.make(ReportKind.SALES), "to_correct").rows
    assert (cells[0], cells[3], cells[6].value) == ("1", 110, pytest.approx(20 / 110))  # type: ignore[union-attr]


def test_a_vendor_is_held_to_what_was_agreed(site: Site) -> None:
    site.know(*calls(20, "1", score=75.0), *calls(20, "1", score=76.0, first=date(2026, 9, 7)))
    site.clock.set(AS_OF + timedelta(days=30))
    report = site.make(ReportKind.VENDOR, "V")
    scores = row(table(report, "performance"), Said("measure_qa_score"))
    assert (scores["value"].value, scores["target"].value) == (pytest.approx(75.4), 85.0)
    assert (scores["verdict"], scores["source"]) == (Said("target_breached"), Said("source_scores"))
    satisfied = row(table(report, "performance"), Said("measure_satisfaction"))
    assert (satisfied["value"].value, satisfied["verdict"]) == (None, Said("target_unknown"))
    by_month = table(report, "performance_months")
    assert [cells[0] for cells in by_month.rows][-2:] == ["2026-09", "2026-10"]
    assert row(by_month, "2026-09")["measure_qa_score"].value == pytest.approx(76.4)
    partly = site.make(ReportKind.VENDOR, "V", scope=Scope(vendor="V", teams=frozenset({"A"})))
    assert "performance_hidden" in cautions(partly)


def test_complaints_are_those_raised_in_the_span_and_in_scope(site: Site) -> None:
    def raise_complaint(level: int, team: str) -> None:
        now = site.clock.now()
        due = now + timedelta(hours=1)
        with site.database.unit_of_work() as unit:
            owner = CallOwner("V", team, "1")
            assert unit.complaints.add(NewComplaint(level, owner, None, None, respond_by=due, due_at=due))
            unit.commit()

    for level, team in ((1, "A"), (1, "B"), (3, "A")):
        raise_complaint(level, team)
    site.clock.set(datetime(2026, 11, 1, 0, 0, tzinfo=ZONE).astimezone(UTC))
    raise_complaint(2, "A")
    report = site.make(ReportKind.COMPLAINTS)
    assert [(cells[0], cells[1], cells[2]) for cells in table(report, "by_level").rows] == [
        (1, 2, 2),
        (3, 1, 1),
        (Said("all"), 3, 3),
    ]
    late = row(table(report, "by_level"), Said("all"))["response_in_time"]
    assert (late.value, late.size) == (0.0, 3)  # nobody answered, and the time is over
    mine = site.make(ReportKind.COMPLAINTS, scope=Scope(teams=frozenset({"B"})))
    assert [cells[:2] for cells in table(mine, "complaints_by_team").rows] == [("B", 1)]


def test_without_a_queue_of_sales_no_call_is_one_of_sales(file: Path) -> None:
    site = Site(file, ReportPolicy())
    site.know(*calls(20, "1", pressure="confirmed"))
    report = site.make(ReportKind.SALES)
    assert "no_sales_queues" in cautions(report)
    assert table(report, "to_correct").rows == ()


def test_nothing_out_of_scope_is_told(site: Site) -> None:
    site.know(*calls(20, "1", team="A"), *calls(20, "2", team="B", closing="fault"))
    mine = Scope(teams=frozenset({"A"}))
    assert [cells[0] for cells in table(site.make(ReportKind.VENDOR, "V", scope=mine), "by_team").rows] == ["A"]
    assert b"closing" not in as_json(site.make(ReportKind.VENDOR, "V", scope=mine))
    for kind, name in ((ReportKind.AGENT, "2"), (ReportKind.TEAM, "B"), (ReportKind.AGENT, "nobody")):
        with pytest.raises(NotFoundError):
            site.make(kind, name, scope=mine)
    with pytest.raises(NotFoundError) as refused:
        site.make(ReportKind.VENDOR, "W")
    assert refused.value.code == "vendor_not_found"


def test_a_report_about_somebody_needs_a_name_and_others_want_none(site: Site) -> None:
    with pytest.raises(InputError) as missing:
        site.make(ReportKind.TEAM)
    with pytest.raises(InputError) as unwanted:
        site.make(ReportKind.DAILY, "A")
    assert (missing.value.code, unwanted.value.code) == ("report_subject_missing", "report_subject_unwanted")


@pytest.mark.parametrize("language", list(Language))
def test_every_kind_is_a_page_without_calls_with_one_and_with_many(site: Site, language: Language) -> None:
    site.know(*calls(1, "1", days=1, first=date(2025, 1, 6)))
    empty = list(every_kind(site))
    warned = {report.kind: cautions(report) for report in empty}
    assert warned.pop("training") == []
    assert all({"no_calls", "no_complaints"} & set(told) for told in warned.values())
    site.know(Counted(FIRST, "1", score=50.0, fatal=True, rules={"opening": "fault"}))
    one = list(every_kind(site))
    site.know(
        *calls(20, "1", first=NEXT, opening="fault"), *calls(20, "2"), Counted(FIRST, None, None, None, None, None)
    )
    writer = Writer(language, ZONE)
    for report in (*empty, *one, *every_kind(site)):
        assert len(html(report, writer)) > 1_000
        assert as_json(report) == as_json(report)


def test_all_that_is_said_can_be_said(site: Site) -> None:
    site.know(*calls(20, "1", opening="fault"), *calls(20, "2"))
    with site.database.unit_of_work() as unit:
        unit.session.add(ChangedCallRow(agent_id="1", at=datetime(2026, 10, 6, tzinfo=UTC)))
        unit.commit()

    def said(thing: Any) -> Iterator[str]:
        if isinstance(thing, dict):
            if "code" in thing:
                yield thing["code"]
            for value in thing.values():
                yield from said(value)
        elif isinstance(thing, list):
            for value in thing:
                yield from said(value)

    spoken = {code for report in every_kind(site) for code in said(document(report))}
    assert spoken <= codes()
    assert "waiting" in spoken


def test_all_reports_of_a_month_read_its_figures_once(site: Site) -> None:
    site.know(*(call for number in range(12) for call in calls(20, str(number), team="AB"[number % 2])))
    every = site.reports.every(OCTOBER)
    site.statements.clear()
    made = dict(every.made(as_of=AS_OF))
    assert len(made) == len(every) == 12 + 2 + 1 + 4 + 31
    read = [one for one in site.statements if "_days" in one]
    shared, sales, each_day = 5, 5, 5
    assert len(read) <= shared + sales + 31 * each_day
    for wanted in (Wanted(ReportKind.AGENT, OCTOBER, "3"), Wanted(ReportKind.TEAM, OCTOBER, "A")):
        assert made[wanted] == site.make(wanted.kind, wanted.subject)


@pytest.mark.parametrize(
    ("span", "name", "before"),
    [
        (OCTOBER, "2026-10", month_of(date(2026, 9, 1))),
        (day_of(date(2026, 3, 1)), "2026-03-01", day_of(date(2026, 2, 28))),
        (Span(FIRST, date(2026, 10, 12)), "2026-10-05..2026-10-11", Span(date(2026, 9, 28), FIRST)),
    ],
)
def test_spans_have_names_and_predecessors(span: Span, name: str, before: Span) -> None:
    assert (span.name, span.before) == (name, before)
