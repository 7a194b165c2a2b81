"""How outsourced vendors do: every measure by month beside its target, and where it is going.

Guarantee: who may not see all of a vendor's calls sees nothing of it; what nobody told is unknown; nobody is said
to miss a target that chance may have missed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from qa_service.domain.access import CallOwner, Principal, Scope
from qa_service.domain.complaint_analysis import analyse
from qa_service.domain.figures import FigureFilter, Grouping
from qa_service.domain.imported_figures import ImportedFigure
from qa_service.domain.imports import ImportKind
from qa_service.domain.vendors import (
    Contacts,
    Measure,
    Trend,
    VendorCounts,
    VendorMonth,
    VendorPolicy,
    days_of_month,
    figures_of,
    judge,
    trends,
)
from qa_service.errors import NotFoundError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.services.complaints import fact_of

MOST_MONTHS: Final = 24
_VENDORS_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class VendorPerformance:
    """A vendor's months, the oldest first. ``contacts``: what the last one's first-contact resolution is of."""

    name: str
    months: tuple[VendorMonth, ...]
    trends: Mapping[Measure, Trend]
    contacts: Contacts


class Vendors:
    """Args:
    units_to_read: where calls and figures are stored, for reading only.
    clock: tells which months are over.
    zone: whose months they are.
    policy: targets, and what counts.
    """

    def __init__(
        self, *, units_to_read: UnitOfWorkFactory, clock: Clock, zone: tzinfo, policy: VendorPolicy
    ) -> None:
        self._units_to_read = units_to_read
        self._clock = clock
        self._zone = zone
        self._policy = policy

    def this_month(self) -> date:
        return self._clock.now().astimezone(self._zone).date().replace(day=1)

    def performance(self, who: Principal, name: str, *, last: date, months: int) -> VendorPerformance:
        """Of so many months up to ``last``, the first day of a month.

        Raises:
            NotFoundError: ``vendor_not_found``.
        """
        with self._units_to_read() as unit:
            if not _sees(who.scope, name) or name not in self._names(unit, who.scope):
                raise NotFoundError(
                    "vendor_not_found", "there is no such vendor: list the vendors to see which exist"
                )
            (found,) = self._read(unit, Scope(vendor=name), [name], _months_to(last, months))
        return found

    def all(self, who: Principal, *, month: date) -> tuple[VendorPerformance, ...]:
        """Vendors side by side, by name; those alone of which who asks sees every call."""
        with self._units_to_read() as unit:
            names = [name for name in self._names(unit, who.scope) if _sees(who.scope, name)]
            return self._read(unit, Scope(vendor=who.scope.vendor), names, [month]) if names else ()

    def _names(self, unit: UnitOfWork, scope: Scope) -> list[str]:
        names: list[str] = []
        after: str | None = None
        while page := unit.directory.vendors(scope, after=after, limit=_VENDORS_AT_ONCE):
            names += [vendor.name for vendor in page]
            after = names[-1]
        return names

    def _read(
        self, unit: UnitOfWork, scope: Scope, names: Sequence[str], months: Sequence[date]
    ) -> tuple[VendorPerformance, ...]:
        found: dict[str, list[VendorMonth]] = {name: [] for name in names}
        contacts: dict[str, Contacts] = {}
        for month in months:
            counts = self._counts(unit, scope, names, month)
            for name in names:
                of = counts[name]
                found[name].append(self._month(name, of, month))
                contacts[name] = of.contacts
        return tuple(
            VendorPerformance(
                name, tuple(found[name]), trends(found[name], least=self._policy.least), contacts[name]
            )
            for name in names
        )

    def _month(self, name: str, counts: VendorCounts, month: date) -> VendorMonth:
        window = timedelta(days=self._policy.repeat_days)
        over = self._clock.now() >= self._start(_next(month)) + window
        return VendorMonth(
            month,
            over,
            tuple(
                judge(figure, self._policy.target(name, figure.measure), least=self._policy.least)
                for figure in figures_of(counts, days=days_of_month(month))
            ),
        )

    def _counts(
        self, unit: UnitOfWork, scope: Scope, names: Sequence[str], month: date
    ) -> Mapping[str, VendorCounts]:
        after = _next(month)
        since, until, now = self._start(month), self._start(after), self._clock.now()
        window = timedelta(days=self._policy.repeat_days)
        contacts = unit.vendor_calls.contacts(scope, since, until, window=window, now=now)
        rings = unit.vendor_calls.rings(scope, since, until, within=self._policy.rings)
        raised = unit.complaints.raised_between(scope, since, until)
        complaints = analyse([fact_of(one) for one in raised], since=since, until=until, as_of=now)
        filtered = FigureFilter(month, after, vendors=frozenset(names))
        scores = {
            line.keys[0]: line.totals for line in unit.figures.scores(filtered, scope, by=(Grouping.VENDOR,))
        }
        imported = _by_vendor(
            unit.imported_figures.of(ImportKind.VENDOR_FIGURES, since=month, until=after, subjects=names)
        )
        counts: dict[str, VendorCounts] = {}
        for name in names:
            rung, quick = rings.get(name, (0, 0))
            group = complaints.by_vendor.get(name)
            counts[name] = VendorCounts(
                contacts=contacts.get(name, Contacts()),
                rung=rung,
                quick=quick,
                answered=None if group is None else group.response_in_time,
                handled=None if group is None else group.handled_in_time,
                imported=tuple(imported.get(name, ())),
                **({"scores": scores[name]} if name in scores else {}),
            )
        return counts

    def _start(self, day: date) -> datetime:
        return datetime.combine(day, time(), tzinfo=self._zone).astimezone(UTC)


def _sees(scope: Scope, name: str) -> bool:
    """Whether all of a vendor's calls are within reach: part of them would say something else of it."""
    return scope.covers(CallOwner(vendor=name))


def _by_vendor(figures: Iterable[ImportedFigure]) -> Mapping[str, list[ImportedFigure]]:
    found: dict[str, list[ImportedFigure]] = {}
    for figure in figures:
        found.setdefault(figure.subject, []).append(figure)
    return found


def _next(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def _months_to(last: date, months: int) -> list[date]:
    found = [last]
    while len(found) < months:
        found.append((found[-1] - timedelta(days=1)).replace(day=1))
    return found[::-1]
