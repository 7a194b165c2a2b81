"""Makes reports, one at a time or all of a span.

Guarantee: what is outside the scope of who asks is not in a report, and is as good as not there. The same figures
at the same time make the same report.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from qa_service.domain.access import EVERYTHING, Scope
from qa_service.domain.figures import Grouping
from qa_service.domain.reporting.document import Report
from qa_service.domain.reporting.periods import Span, day_of, month_of
from qa_service.domain.reporting.policy import ReportPolicy
from qa_service.errors import NotFoundError
from qa_service.ports import UnitOfWork, UnitOfWorkFactory
from qa_service.services.reporting import groups
from qa_service.services.reporting.complaints import complaints
from qa_service.services.reporting.daily import daily
from qa_service.services.reporting.kinds import ReportKind, Wanted, check
from qa_service.services.reporting.reading import Reading
from qa_service.services.reporting.rules import rule_health
from qa_service.services.reporting.sales import sales
from qa_service.services.reporting.scorecard import scorecard
from qa_service.services.reporting.training import MeasureModule, training
from qa_service.services.reporting.vendors import MeasureVendor

_VENDORS: Final = 1_000


class Reports:
    """Args:
    units_to_read: where the figures are; nothing is written.
    policy: what the site asks of reports.
    zone: in which days are days.
    measure_module: tells what a module of training did.
    measure_vendor: tells what was agreed with a vendor, and what came of it.
    """

    def __init__(
        self,
        *,
        units_to_read: UnitOfWorkFactory,
        policy: ReportPolicy,
        zone: ZoneInfo,
        measure_module: MeasureModule,
        measure_vendor: MeasureVendor,
    ) -> None:
        self._units = units_to_read
        self._policy = policy
        self._zone = zone
        self._measure_module = measure_module
        self._measure_vendor = measure_vendor

    def make(self, wanted: Wanted, scope: Scope, *, as_of: datetime) -> Report:
        """One report.

        Raises:
            InputError: ``report_subject_missing``, ``report_subject_unwanted``.
            NotFoundError: ``agent_not_found``, ``team_not_found``, ``vendor_not_found``.
        """
        check(wanted)
        with self._units() as unit:
            self._seen(unit, wanted, scope)
            return self._made(wanted, self._reading(unit, wanted, scope), as_of)

    def check_subject(self, wanted: Wanted, scope: Scope) -> None:
        """Raises NotFoundError, as ``make`` does, for a subject that is not in scope."""
        with self._units() as unit:
            self._seen(unit, wanted, scope)

    def own(self, agent_id: str, span: Span, *, as_of: datetime) -> Report:
        """The scorecard of an agent for that agent: of the team only sums, and where enough others are in it.

        Of others it tells in months that are over alone: of two spans that differ by a day, what the few did who
        worked on it could be reckoned.
        """
        today = as_of.astimezone(self._zone).date()
        with self._units() as unit:
            return scorecard(
                Reading(unit, EVERYTHING, span, causes=self._policy.causes),
                agent_id,
                as_of,
                self._policy,
                least_peers=self._policy.least_peers,
                with_others=span == month_of(span.since) and span.until <= today,
            )

    def every(self, span: Span) -> "EveryReport":
        """All reports of a span, of the whole site."""
        return EveryReport(self, span)

    def _reading(self, unit: UnitOfWork, wanted: Wanted, scope: Scope) -> Reading:
        queues = self._policy.sales_queues if wanted.kind is ReportKind.SALES else None
        return Reading(unit, scope, wanted.span, queues=queues, causes=self._policy.causes)

    def _made(self, wanted: Wanted, reading: Reading, as_of: datetime) -> Report:
        policy = self._policy
        match wanted.kind:
            case ReportKind.DAILY:
                return daily(reading, as_of, policy, self._zone)
            case ReportKind.AGENT:
                return scorecard(reading, wanted.subject, as_of, policy)
            case ReportKind.TEAM:
                return groups.team(reading, wanted.subject, as_of, policy)
            case ReportKind.VENDOR:
                return groups.vendor(reading, wanted.subject, as_of, policy, self._measure_vendor)
            case ReportKind.RULES:
                return rule_health(reading, as_of, policy)
            case ReportKind.COMPLAINTS:
                return complaints(reading, as_of, self._zone)
            case ReportKind.TRAINING:
                return training(reading, as_of, self._measure_module)
            case ReportKind.SALES:
                return sales(reading, as_of, policy)

    @staticmethod
    def _seen(unit: UnitOfWork, wanted: Wanted, scope: Scope) -> None:
        """Raises NotFoundError for a subject that is not in scope."""
        match wanted.kind.subject:
            case Grouping.AGENT:
                unit.directory.agent(wanted.subject, scope)
            case Grouping.TEAM:
                unit.directory.team(wanted.subject, scope)
            case Grouping.VENDOR:
                vendors = unit.directory.vendors(scope, after=None, limit=_VENDORS)
                if wanted.subject not in {vendor.name for vendor in vendors}:
                    raise NotFoundError(
                        "vendor_not_found", f"there is no vendor {wanted.subject!r}: look at the list of vendors"
                    )
            case _:
                pass


class EveryReport:
    """All reports of a span: of each day, each agent, each team, each vendor and the site. How many there are is
    known as soon as the figures are read, so that a progress bar can be honest."""

    def __init__(self, reports: Reports, span: Span) -> None:
        self._reports = reports
        self._span = span
        self._stack = ExitStack()
        unit = self._stack.enter_context(reports._units())
        self._unit = unit
        self._shared = Reading(unit, EVERYTHING, span, causes=reports._policy.causes)
        self.wanted: tuple[Wanted, ...] = tuple(self._list())

    def __len__(self) -> int:
        return len(self.wanted)

    def made(self, *, as_of: datetime) -> Iterator[tuple[Wanted, Report]]:
        """Each once; the figures are read once for all of the same span."""
        with self._stack:
            for wanted in self.wanted:
                shares = wanted.span == self._span and wanted.kind is not ReportKind.SALES
                reading = self._shared if shares else self._reports._reading(self._unit, wanted, EVERYTHING)
                yield wanted, self._reports._made(wanted, reading, as_of)

    def _list(self) -> Iterator[Wanted]:
        span = self._span
        yield from (
            Wanted(kind, span)
            for kind in (ReportKind.RULES, ReportKind.SALES, ReportKind.COMPLAINTS, ReportKind.TRAINING)
        )
        for kind in (ReportKind.VENDOR, ReportKind.TEAM, ReportKind.AGENT):
            assert kind.subject is not None
            yield from (Wanted(kind, span, name) for name in self._shared.members(kind.subject))
        days = (span.since + timedelta(days=number) for number in range(span.days))
        yield from (Wanted(ReportKind.DAILY, day_of(day)) for day in days)
