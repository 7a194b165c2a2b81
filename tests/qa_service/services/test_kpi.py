"""KPIs on a real store: of all calls of an agent, frozen when a month is closed."""

from datetime import UTC, date, datetime, timedelta

import pytest

from qa_service.db.rows import CallRow
from qa_service.db.session import Database
from qa_service.domain.access import Principal, Role, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.imports import ImportKind
from qa_service.domain.kpi import DEFAULT, Appraiser, KpiPolicy, KpiStanding, Part, Tier
from qa_service.domain.results import Outcome
from qa_service.domain.working_days import WorkCalendar
from qa_service.errors import ConflictError, InputError, NotFoundError, PermissionDeniedError
from qa_service.ports.people import Origin
from qa_service.services.kpi import Kpis, next_month
from tests.clocks import ManualClock
from tests.qa_service.importing import SHANGHAI, bring_in, imports_of
from tests.qa_service.reviewing import Site, results

MONTH = date(2026, 3, 1)
POLICY = KpiPolicy(
    weights={Part.QA: 0.5, Part.VOLUME: 0.3, Part.APPRAISAL: 0.2},
    targets=DEFAULT.targets,
    appraisers=DEFAULT.appraisers,
    min_calls=4,
    min_coverage=0.6,
    certainty=0.95,
    distribution=DEFAULT.distribution,
    bonuses=DEFAULT.bonuses,
)
TABLE = "agent_id,period,volume\n1,2026-03,1540\n2,2026-03,770\n9,2026-03,700\n"


@pytest.fixture
def site(database: Database) -> Site:
    """Two agents with six calls each, on three days; another without calls in the month."""
    site = Site(database)
    for agent, team in (("1", "A"), ("2", "B")):
        for number in range(6):
            at = datetime(2026, 3, 2 + number // 2, 3, tzinfo=UTC)
            missed = Outcome.NOT_MET if agent == "2" else Outcome.MET
            site.call(
                f"{agent} {number}",
                results(opening=missed),
                metadata=CallMetadata(agent_id=agent, team=team, vendor="V", started_at=at),
            )
    site.call("old", metadata=CallMetadata(agent_id="9", team="A", started_at=datetime(2026, 2, 2, tzinfo=UTC)))
    count(database)
    bring_in(imports_of(database), ImportKind.KPI_FIGURES, TABLE)
    return site


def count(database: Database) -> None:
    with database.unit_of_work() as unit:
        while unit.figures.recount(limit=100):
            pass
        unit.commit()


def kpis(
    database: Database, policy: KpiPolicy = POLICY, today: datetime = datetime(2026, 4, 2, tzinfo=UTC)
) -> Kpis:
    units = database.unit_of_work
    return Kpis(
        units=units,
        units_to_read=units,
        clock=ManualClock(today),
        zone=SHANGHAI,
        calendar=WorkCalendar(SHANGHAI),
        policy=policy,
    )


@pytest.fixture
def manager(site: Site) -> Principal:
    return site.person("manager", Role.MANAGER)


def test_a_month_from_its_figures_to_its_closing(database: Database, site: Site, manager: Principal) -> None:
    kpi = kpis(database)
    month = kpi.month(manager.scope, MONTH)
    found = {each.agent_id: each.kpi for each in month.results}
    assert (found["1"].value, found["1"].tier) == (pytest.approx((0.5 * 100 + 0.3 * 100) / 0.8), Tier.CM)
    # Half of the volume, and calls that lost the opening's 40 of 100 points.
    assert (found["2"].value, found["2"].tier) == (pytest.approx((0.5 * 60 + 0.3 * 50) / 0.8), Tier.DM)
    assert (found["9"].standing, found["9"].tier) == (KpiStanding.TOO_FEW_CALLS, None)
    assert {each.tier: each.share.count for each in month.tiers} == {
        Tier.EE: 0,
        Tier.CM: 1,
        Tier.MM: 0,
        Tier.DM: 1,
    }

    closing = kpi.close(manager, MONTH, note="", version=0, origin=Origin())
    assert closing.number == 1
    assert closing.policy["weights"] == {"qa": 0.5, "volume": 0.3, "appraisal": 0.2}
    # Neither weights nor the house's aim nor figures change it from now on.
    aim = {Tier.EE: 0.2, Tier.CM: 0.3, Tier.MM: 0.4, Tier.DM: 0.1}
    changed = {"weights": {Part.VOLUME: 1.0}, "distribution": aim}
    other = kpis(database, KpiPolicy(**{**_fields(POLICY), **changed}))
    assert {each.tier: each.target for each in other.month(manager.scope, date(2026, 2, 1)).tiers} == aim
    bring_in(imports_of(database), ImportKind.KPI_FIGURES, TABLE.replace("770", "1540"))
    closed = other.month(manager.scope, MONTH)
    assert (closed.closing, closed.results, closed.tiers) == (closing, month.results, month.tiers)
    with pytest.raises(ConflictError):
        other.appraise(manager, "1", MONTH, Appraiser.SUPERIOR, points=10, note="", origin=Origin())

    # A correction is a new number; what was there stays.
    with pytest.raises(InputError) as unexplained:
        kpi.close(manager, MONTH, note=" ", version=1, origin=Origin())
    assert unexplained.value.code == "reason_missing"
    with pytest.raises(ConflictError):
        kpi.close(manager, MONTH, note="通话量更正", version=0, origin=Origin())
    again = kpi.close(manager, MONTH, note="通话量更正", version=1, origin=Origin())
    assert [each.number for each in kpi.closings(MONTH)] == [2, 1]
    corrected = {each.agent_id: each.kpi.value for each in kpi.month(manager.scope, MONTH).results}
    assert corrected["2"] == pytest.approx((0.5 * 60 + 0.3 * 100) / 0.8)
    assert kpi.month(manager.scope, MONTH, number=1).results == month.results
    assert again.number == 2
    with pytest.raises(InputError):
        kpi.month(manager.scope, MONTH, number=3)


def test_what_cannot_be_closed(database: Database, site: Site, manager: Principal) -> None:
    with pytest.raises(InputError) as early:
        kpis(database, today=datetime(2026, 3, 31, 12, tzinfo=UTC)).close(
            manager, MONTH, note="", version=0, origin=Origin()
        )
    assert early.value.code == "period_not_over"
    leader = site.person("vendor's", Role.MANAGER, scope=Scope(vendor="V"))
    with pytest.raises(PermissionDeniedError):
        kpis(database).close(leader, MONTH, note="", version=0, origin=Origin())
    site.call("late", metadata=CallMetadata(agent_id="1", team="A", started_at=datetime(2026, 3, 9, tzinfo=UTC)))
    assert kpis(database).month(manager.scope, MONTH).waiting > 0
    with pytest.raises(ConflictError) as waiting:
        kpis(database).close(manager, MONTH, note="", version=0, origin=Origin())
    assert waiting.value.code == "figures_waiting"
    count(database)
    assert kpis(database).close(manager, MONTH, note="", version=0, origin=Origin()).number == 1
    with pytest.raises(InputError):
        kpis(database).month(manager.scope, date(2026, 3, 2))


def test_who_sees_and_appraises_whom(database: Database, site: Site, manager: Principal) -> None:
    kpi = kpis(database)
    agent = site.person("agent", Role.AGENT, scope=Scope(agent_id="1"))
    leader = site.person("leader", Role.LEADER, scope=Scope(teams=frozenset({"B"})))
    assert [each.agent_id for each in kpi.month(agent.scope, MONTH).results] == ["1"]
    assert [each.agent_id for each in kpi.month(leader.scope, MONTH).results] == ["2"]
    assert [each.agent_id for each in kpi.month(manager.scope, MONTH, team="B").results] == ["2"]
    with pytest.raises(NotFoundError):
        kpi.agent(leader.scope, "1", 2026)

    def say(who: Principal, whom: str, appraiser: Appraiser, points: float = 80) -> None:
        kpi.appraise(who, whom, MONTH, appraiser, points=points, note="", origin=Origin())

    say(agent, "1", Appraiser.SELF, 100)
    say(leader, "2", Appraiser.SUPERIOR, 60)
    say(leader, "2", Appraiser.SUPERIOR, 70)
    for who, whom, appraiser, error in (
        (agent, "2", Appraiser.SELF, NotFoundError),
        (leader, "1", Appraiser.SUPERIOR, NotFoundError),
        (agent, "1", Appraiser.SUPERIOR, PermissionDeniedError),
        (leader, "2", Appraiser.SELF, PermissionDeniedError),
        (manager, "2", Appraiser.CUSTOMER, PermissionDeniedError),
    ):
        with pytest.raises(error):
            say(who, whom, appraiser)
    assert [each.points for each in kpi.appraisals(leader, "2", MONTH)] == [60, 70]
    found = {each.agent_id: each.kpi for each in kpi.month(manager.scope, MONTH).results}
    assert found["2"].value == pytest.approx(0.5 * 60 + 0.3 * 50 + 0.2 * 70)
    assert found["1"].coverage == pytest.approx(0.8)  # nobody but the agent said anything

    kpi.close(manager, MONTH, note="", version=None, origin=Origin())
    assert [each.agent_id for each in kpi.month(agent.scope, MONTH).results] == ["1"]
    assert [each.agent_id for each in kpi.month(leader.scope, MONTH).results] == ["2"]
    year = kpi.agent(agent.scope, "1", 2026)
    assert [(each.month.month, closed) for each, closed in year.months] == [(3, True)]
    assert (year.year.months, year.year.value) == (1, None)


def test_days_at_work_are_those_with_a_shift_where_states_tell(
    database: Database, site: Site, manager: Principal
) -> None:
    rows = "".join(f"2,idle,2026-03-{day:02} 09:00,8:00:00\n" for day in range(2, 13))
    bring_in(imports_of(database), ImportKind.AGENT_STATES, "agent_id,state,started_at,duration\n" + rows)
    found = {each.agent_id: each.kpi for each in kpis(database).month(manager.scope, MONTH).results}
    volume = next(part for part in found["2"].parts if part.part is Part.VOLUME)
    assert volume.points == pytest.approx(100)  # 770 calls in 11 days of 70


def test_states_of_a_part_of_the_month_make_no_volume_larger(
    database: Database, site: Site, manager: Principal
) -> None:
    """Calls on 22 days, states of the last 9 of them: 22 days at work, by the site's clock."""
    days = [MONTH + timedelta(days=number) for number in range(31)]
    days = [day for day in days if day.weekday() < 5]
    assert len(days) == 22
    for day in days[3:]:  # the first three have calls already
        at = datetime(day.year, day.month, day.day, 3, tzinfo=UTC)
        metadata = CallMetadata(agent_id="1", team="A", vendor="V", started_at=at)
        site.call(f"on {day}", results(), metadata=metadata)
    count(database)
    imports = imports_of(database)
    bring_in(imports, ImportKind.KPI_FIGURES, "agent_id,period,volume\n1,2026-03,1500\n")

    def volume(logged: list[date], length: str = "8:00:00") -> float | None:
        rows = "".join(f"1,idle,{day} 09:00,{length}\n" for day in logged)
        bring_in(imports, ImportKind.AGENT_STATES, "agent_id,state,started_at,duration\n" + rows)
        (found,) = (each for each in kpis(database).month(manager.scope, MONTH).results if each.agent_id == "1")
        return next(part.points for part in found.kpi.parts if part.part is Part.VOLUME)

    assert volume(days[-9:]) == pytest.approx(100 * 1500 / (70 * 22))
    # A day of work without calls counts too; one whose states say that it was none does not.
    assert volume([date(2026, 3, 28)]) == pytest.approx(100 * 1500 / (70 * 23))
    assert volume(days[:1], "0:10:00") == pytest.approx(100 * 1500 / (70 * 22))


def test_a_kpi_is_of_all_calls_of_an_agent(database: Database, site: Site, manager: Principal) -> None:
    """Calls of another team before the agent moved count too, and the new leader sees the same as the manager."""
    with database.unit_of_work() as unit:
        first = unit.session.query(CallRow).filter(CallRow.agent_id == "2").count()
    assert first == 6
    with database.unit_of_work() as unit:
        unit.directory.agent("2", manager.scope, alone=True)
        unit.directory.save_agent("2", name=None, team="A", vendor=None)
        unit.commit()
    leader = site.person("new leader", Role.LEADER, scope=Scope(teams=frozenset({"A"})))
    own = {each.agent_id: each.kpi for each in kpis(database).month(leader.scope, MONTH).results}
    everything = {each.agent_id: each.kpi for each in kpis(database).month(manager.scope, MONTH).results}
    assert own["2"] == everything["2"]
    assert own["2"].scored == 6


def test_months_follow_each_other() -> None:
    assert next_month(date(2026, 12, 1)) == date(2027, 1, 1)
    assert next_month(date(2026, 1, 1)) - date(2026, 1, 1) == timedelta(days=31)


def _fields(policy: KpiPolicy) -> dict[str, object]:
    return {name: getattr(policy, name) for name in KpiPolicy.__slots__}
