"""The summary of a day: what was scored, how it turned out, what people have to look at."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from qa_service.domain.batch_runs import BatchRun
from qa_service.domain.figures import Grouping
from qa_service.domain.nights import night_of
from qa_service.domain.reporting.document import (
    Block,
    Cell,
    Measure,
    Report,
    Said,
    Section,
    Table,
    Unit,
    columns,
    said,
)
from qa_service.domain.reporting.periods import Span
from qa_service.domain.reporting.policy import ReportPolicy
from qa_service.ports import UnitOfWork
from qa_service.services.reporting import parts
from qa_service.services.reporting.reading import EVERYBODY, Reading

_RUNS_AT_ONCE = 50


def daily(reading: Reading, as_of: datetime, policy: ReportPolicy, zone: ZoneInfo) -> Report:
    """Of the days of ``reading``, which is usually one."""
    lines = reading.scores()
    blocks: tuple[Block, ...] = (
        *parts.cautions(reading, lines),
        parts.key_figures(lines, reading.scores_before(), policy),
    )
    sections = [
        Section(Said("day_scores"), blocks),
        Section(Said("members_team"), parts.compared(reading, Grouping.TEAM, EVERYBODY, policy)),
        Section(
            Said("faults"),
            parts.faults(reading.faults(), reading.faults_before(), policy),
        ),
        Section(Said("members_agent"), parts.compared(reading, Grouping.AGENT, EVERYBODY, policy)[:1]),
    ]
    if reading.scope.is_everything:  # a run's counts are the whole site's
        runs = Section(Said("batch_runs"), (_runs(begun_in(reading.unit, reading.span, zone)),))
        sections.insert(0, runs)
    title = said("title_daily", day=reading.span.name)
    return Report("daily", title, "", reading.span, as_of, tuple(sections))


def begun_in(unit: UnitOfWork, span: Span, zone: ZoneInfo) -> list[BatchRun]:
    """Batch runs that began on these days, the first one first."""
    since, until = (night_of(day, datetime.min.time(), zone).begins for day in (span.since, span.until))
    found: list[BatchRun] = []
    before: int | None = None
    while True:
        page = unit.batch_runs.page(before=before, limit=_RUNS_AT_ONCE, teams=None)
        found.extend(run for run in page if since <= run.created_at < until)
        # They are numbered as they begin, give or take two that begin at once.
        if len(page) < _RUNS_AT_ONCE or page[-1].created_at < since - timedelta(hours=1):
            return sorted(found, key=lambda run: (run.created_at, run.id))
        before = page[-1].id


def _runs(runs: list[BatchRun]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        tally = run.tally
        rows.append(
            (
                run.id,
                Said(f"run_{run.kind.value}"),
                Said(f"run_{run.state.value}"),
                run.created_at,
                run.ended_at,
                run.total,
                tally.scored,
                tally.flagged,
                tally.undetermined,
                tally.failed,
                run.left,
                Measure(tally.audio_s / 3600, Unit.HOURS),
            )
        )
    titles = columns(
        *("run", "run_kind", "run_state", "begun", "ended", "calls", "scored_calls", "flagged", "without_score"),
        *("failed", "left", "audio_hours"),
    )
    failures = sorted({code for run in runs for code in run.tally.failures})
    notes = tuple(
        said("failed_with", failure=code, count=sum(run.tally.failures.get(code, 0) for run in runs))
        for code in failures
    )
    return Table(Said("batch_runs"), titles, tuple(rows), notes, Said("no_runs"))
