"""Vendors on a real store: who called again, who answered in time, and who sees it."""

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from qa_service.db.rows import CallRow, RecordingRow
from qa_service.db.session import Database
from qa_service.domain.access import EVERYTHING, CallOwner, Principal, Role, Scope
from qa_service.domain.call import CallMetadata, Direction
from qa_service.domain.complaints import ComplaintPolicy
from qa_service.domain.imported_figures import ImportedFigure
from qa_service.domain.imports import ImportKind
from qa_service.domain.vendors import Contacts, JudgedFigure, Measure, Source, VendorPolicy, Verdict
from qa_service.errors import NotFoundError
from qa_service.services.complaints import Complaints, Raised
from qa_service.services.vendors import VendorPerformance, Vendors
from tests.clocks import ManualClock
from tests.qa_service.db import builders
from tests.qa_service.reviewing import Site

FEBRUARY, MARCH = date(2026, 2, 1), date(2026, 3, 1)
START = datetime(2026, 2, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
POLICY = VendorPolicy(
    targets={("", Measure.FIRST_CONTACT): 0.9, ("W", Measure.PEAK): 0.99, ("", Measure.QA_SCORE): 50.0}
)


@dataclass
class Bench:
    site: Site
    clock: ManualClock
    vendors: Vendors
    manager: Principal
    made: int = 0

    def calls(self, *told: CallMetadata) -> None:
        for metadata in told:
            self.made += 1
            recording = builders.add_recording(self.site.database, str(self.made).encode())
            with self.site.database.unit_of_work() as unit:
                unit.metadata.put(recording.id, metadata)
                unit.commit()

    def of(self, name: str = "V", months: int = 1) -> VendorPerformance:
        return self.vendors.performance(self.manager, name, last=FEBRUARY, months=months)

    def judged(self, measure: Measure, name: str = "V") -> JudgedFigure:
        (month,) = self.of(name).months
        (found,) = (one for one in month.figures if one.figure.measure is measure)
        return found


@pytest.fixture
def bench(database: Database, clock: ManualClock) -> Bench:
    clock.set(START + timedelta(days=60))
    site = Site(database)
    vendors = Vendors(units_to_read=database.unit_of_work, clock=clock, zone=UTC, policy=POLICY)
    return Bench(site, clock, vendors, site.person("manager", Role.MANAGER))


def call(customer: str | None, hours: float, vendor: str | None = "V", **more: object) -> CallMetadata:
    values = {"direction": Direction.INBOUND, "team": vendor and f"{vendor}1", **more}
    return CallMetadata(
        customer_ref=customer,
        vendor=vendor,
        started_at=START + timedelta(hours=hours),
        **values,  # type: ignore[arg-type]
    )


def test_who_called_again(bench: Bench) -> None:
    bench.calls(
        *(call("once", 1), call("again", 1), call("again", 30)),
        *(call("elsewhere", 1), call("elsewhere", 2, "W")),
        *(call("later", 1), call("later", 1 + 24 * 7 + 0.1)),
        *(call("outbound", 1), call("outbound", 5, direction=Direction.OUTBOUND)),
        *(call(None, 1), call("earlier", -1), call("earlier", 3)),
    )
    found = bench.of()
    # Once, later twice, and who was called are resolved; again and elsewhere are not; earlier came before.
    assert found.contacts == Contacts(first=6, resolved=4, unfollowed=1, waiting=0)
    assert bench.of("W").contacts == Contacts()


def test_a_window_that_is_not_over_says_nothing(bench: Bench) -> None:
    bench.calls(call("a", 1), call("b", 24 * 20), call("b", 24 * 20 + 1))
    bench.clock.set(START + timedelta(days=21))
    assert bench.of().contacts == Contacts(first=1, resolved=1, waiting=1)
    (month,) = bench.of().months
    assert not month.over


@pytest.mark.parametrize("seed", [1, 2])
def test_as_counted_by_hand(bench: Bench, seed: int) -> None:
    """Against a plain count over random calls of a few customers, some at the very edge of the window."""
    chance = random.Random(seed)
    told = [
        (customer, START + timedelta(hours=12 * chance.randrange(-30, 90)), vendor, number)
        for number, (customer, vendor) in enumerate(
            (chance.choice("abcdef"), chance.choice("VW")) for _ in range(80)
        )
    ]
    with bench.site.database.unit_of_work() as unit:
        for customer, at, vendor, number in told:
            recording = RecordingRow(
                sha256=f"{number:064}", path="p", blob_uri="b", size_bytes=1, file_name="p", created_at=at
            )
            unit.session.add(recording)
            unit.session.flush()
            unit.session.add(
                CallRow(
                    recording_id=recording.id,
                    at=at,
                    vendor=vendor,
                    customer_ref=customer,
                    direction="inbound",
                )
            )
        unit.commit()
    now = START + timedelta(days=33)
    with bench.site.database.unit_of_work() as unit:
        found = unit.vendor_calls.contacts(EVERYTHING, START, START + timedelta(days=28), window=WEEK, now=now)
    ordered = sorted((customer, at, number, vendor) for customer, at, vendor, number in told)
    expected: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for place, (customer, at, _, vendor) in enumerate(ordered):
        before = [one for one in ordered[:place] if one[0] == customer and at - one[1] <= WEEK]
        after = [one for one in ordered[place + 1 :] if one[0] == customer and one[1] - at <= WEEK]
        if not START <= at < START + timedelta(days=28) or before:
            continue
        if at > now - WEEK:
            expected[vendor][2] += 1
        else:
            expected[vendor][0] += 1
            expected[vendor][1] += not after
    assert {name: [one.first, one.resolved, one.waiting] for name, one in found.items()} == dict(expected)


def test_answered_in_time(bench: Bench) -> None:
    bench.calls(
        *(call("a", 1, ring_count=3), call("b", 1, ring_count=4), call("c", 1)),
        *(call("d", 1, ring_count=1, direction=Direction.OUTBOUND), call("e", 1, "W", ring_count=9)),
    )
    figure = bench.judged(Measure.ANSWERED_IN_TIME).figure
    assert (figure.value, figure.size, figure.source) == (0.5, 2, Source.CALLS)


def test_a_breach_needs_enough_calls(bench: Bench) -> None:
    bench.calls(*(call(f"c{n}", hours) for n in range(29) for hours in (1, 2)))
    assert bench.judged(Measure.FIRST_CONTACT).verdict is Verdict.NOT_CERTAIN
    bench.calls(call("c30", 1), call("c30", 2))
    judged = bench.judged(Measure.FIRST_CONTACT)
    assert (judged.verdict, judged.figure.value, judged.target) == (Verdict.BREACHED, 0.0, 0.9)


def test_scores_complaints_and_imports(bench: Bench) -> None:
    when = START + timedelta(days=3)
    scored = bench.site.call("scored", metadata=CallMetadata(vendor="V", team="V1", agent_id="7", started_at=when))
    bench.calls(call("a", 1, "W"))
    with bench.site.database.unit_of_work() as unit:
        unit.figures.recount(limit=100)
        month = ImportedFigure("W", FEBRUARY, True, "peak_availability", 0.98)
        log = unit.imports.begin(
            ImportKind.VENDOR_FIGURES,
            file_name="v.csv",
            sha256="0" * 64,
            all_or_nothing=False,
            user_id=None,
            by="x",
        )
        unit.imported_figures.put(ImportKind.VENDOR_FIGURES, [(1, (month,))], import_id=log.id)
        unit.commit()
    bench.clock.set(when)
    units = bench.site.database.unit_of_work
    complaints = Complaints(units=units, units_to_read=units, clock=bench.clock, policy=ComplaintPolicy())
    complaints.raise_(bench.manager, Raised(1, "投诉", of=CallOwner("V", "V1", "7")))
    complaints.raise_(bench.manager, Raised(1, "投诉", recording_id=scored))
    bench.clock.advance(timedelta(days=30))
    assert bench.judged(Measure.QA_SCORE).figure.value == 60.0
    assert bench.judged(Measure.COMPLAINTS_ANSWERED).figure.size == 2
    assert bench.judged(Measure.COMPLAINTS_HANDLED).figure.value == 0.0
    assert bench.judged(Measure.PEAK).verdict is Verdict.UNKNOWN
    peak = bench.judged(Measure.PEAK, "W")
    assert (peak.figure.value, peak.verdict) == (0.98, Verdict.BREACHED)


def test_who_sees_a_vendor(bench: Bench) -> None:
    bench.calls(call("a", 1), call("b", 1, "W"))
    own = bench.site.person("own", Role.LEADER, scope=Scope(vendor="V"))
    part = bench.site.person("part", Role.LEADER, scope=Scope(vendor="V", teams=frozenset({"V1"})))
    assert [one.name for one in bench.vendors.all(bench.manager, month=FEBRUARY)] == ["V", "W"]
    assert [one.name for one in bench.vendors.all(own, month=FEBRUARY)] == ["V"]
    assert bench.vendors.all(part, month=FEBRUARY) == ()
    for who, name in ((own, "W"), (part, "V"), (bench.manager, "X")):
        with pytest.raises(NotFoundError) as caught:
            bench.vendors.performance(who, name, last=FEBRUARY, months=1)
        assert caught.value.code == "vendor_not_found"


def test_months_in_order(bench: Bench) -> None:
    bench.calls(call("a", 1), call("b", -24 * 40))
    found = bench.vendors.performance(bench.manager, "V", last=MARCH, months=4)
    assert [month.starts for month in found.months] == [date(2025, 12, 1), date(2026, 1, 1), FEBRUARY, MARCH]
    assert [month.over for month in found.months] == [True, True, True, False]
