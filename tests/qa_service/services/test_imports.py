"""Imports on a real store: good rows stay, others are told of; the same table again changes nothing."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product
from typing import Any

import pytest
from sqlalchemy import update

from qa_service.db import agent_states
from qa_service.db.rows import AgentRow, AgentStateRow, AgentTimesRow, ImportedFigureRow, ImportRow
from qa_service.db.session import Database
from qa_service.domain.access import EVERYTHING, Role, Scope
from qa_service.domain.agent_states import AgentState, StateSpan
from qa_service.domain.call import CallMetadata
from qa_service.domain.imported_figures import ImportedFigure
from qa_service.domain.imports import ImportKind
from qa_service.domain.state_times import NO_TIMES, StateTimes
from qa_service.errors import InputError, NotFoundError
from qa_service.ports.imports import ImportCounts, ImportState, Put
from qa_service.services import import_kinds, imports
from qa_service.services.imports import Imports
from tests.qa_service.importing import add_agents, bring_in, faults, imports_of
from tests.qa_service.reviewing import Site

KPI, STATES, VENDOR = ImportKind.KPI_FIGURES, ImportKind.AGENT_STATES, ImportKind.VENDOR_FIGURES
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
HEADER = "agent_id,state,started_at,ended_at\n"
THREE_TALKS = HEADER + "".join(f"1,talk,2026-10-05 09:0{n}:00,2026-10-05 09:0{n}:30\n" for n in range(3))


@pytest.fixture
def site(database: Database) -> Site:
    add_agents(database, {"1": "A", "2": "A", "3": "B"}, {"A": "V", "B": None})
    return Site(database)


@pytest.fixture
def taking(database: Database, site: Site) -> Imports:
    return imports_of(database)


def figures(database: Database, kind: ImportKind = KPI) -> dict[tuple[str, str], float]:
    with database.unit_of_work() as unit:
        return {
            (each.subject, each.name): each.value
            for each in unit.imported_figures.of(kind, since=OCTOBER, until=NOVEMBER)
        }


def times(database: Database, agent: str = "1") -> StateTimes:
    with database.unit_of_work() as unit:
        lines = unit.agent_states.times(OCTOBER, NOVEMBER, EVERYTHING, agents=[agent])
    return sum((line.times for line in lines), NO_TIMES)


def test_good_rows_are_kept_and_the_others_told_of(taking: Imports, site: Site, database: Database) -> None:
    site.call("a call", metadata=CallMetadata(agent_id="1", started_at=datetime(2026, 10, 5, tzinfo=UTC)))
    made = bring_in(
        taking,
        KPI,
        "agent_id,period,volume,satisfaction,satisfaction_n,speed\n"
        "1,2026-10,1400,96%,310,x\n"
        "2,2026-10,1300,93,,\n"
        "99,2026-10,1300,,,\n"
        "3,2026-10,900,,,\n"
        "3,2026-10,901,,,\n"
        "1,2026-10,1400,96%,310,y\n"
        "2,2026-10,1,2,3,4,5\n"
        "\n"
        '2,2026-09,"1,200",,,\n',
    )
    assert faults(taking, made) == [
        (1, "column_unknown"),
        (3, "share_ambiguous"),
        (8, "row_unreadable"),
        (4, "agent_unknown"),
        (5, "row_contradicts"),
        (6, "row_contradicts"),
        (7, "row_repeated"),
        (10, "agent_without_calls"),
    ]
    assert made.counts == ImportCounts(rows=8, added=2, unchanged=1, rejected=5, warned=3)
    assert figures(database) == {("1", "volume"): 1400, ("1", "satisfaction"): 0.96}
    (wrong,) = (found for found in taking.faults("test", made.id) if found.fault.code == "share_ambiguous")
    assert (wrong.fault.column, wrong.row) == ("satisfaction", "2,2026-10,1300,93,,")


def test_all_or_nothing_takes_nothing(taking: Imports, database: Database) -> None:
    table = "agent_id,period,volume\n1,2026-10,10\n99,2026-10,10\n"
    made = bring_in(taking, KPI, table, all_or_nothing=True)
    assert (made.state, made.counts.added, made.counts.rejected) == (ImportState.REFUSED, 0, 1)
    assert (2 + 1, "agent_unknown") in faults(taking, made)
    assert figures(database) == {}
    made = bring_in(taking, KPI, table.replace("99", "2"), all_or_nothing=True)
    assert (made.state, made.counts.added) == (ImportState.DONE, 2)


def test_the_same_again_changes_nothing_and_changed_rows_do(
    taking: Imports, site: Site, database: Database
) -> None:
    table = "agent_id,period,volume,attitude\n1,2026-10,10,90\n2,2026-10,20,80\n"
    first = bring_in(taking, KPI, table)
    assert bring_in(taking, KPI, table).id == first.id
    again = bring_in(taking, KPI, table, again=True)
    assert (again.id != first.id, again.counts.unchanged, again.counts.added) == (True, 2, 0)
    changed = bring_in(taking, KPI, table.replace("20,80", "21,"))
    assert changed.counts == ImportCounts(rows=2, changed=1, unchanged=1, warned=2)
    assert figures(database) == {
        ("1", "volume"): 10,
        ("1", "attitude"): 90,
        ("2", "volume"): 21,
        ("2", "attitude"): 80,
    }
    # What another table changed meanwhile, the first one changes back: its bytes are not the last import's.
    assert bring_in(taking, KPI, table).counts.changed == 1
    assert site.count(ImportedFigureRow) == 4


def test_a_table_with_refused_rows_is_tried_again(taking: Imports, database: Database) -> None:
    table = "agent_id,period,volume\n7,2026-10,10\n"
    assert bring_in(taking, KPI, table).counts.rejected == 1
    add_agents(database, {"7": "A"}, {})
    assert bring_in(taking, KPI, table).counts.added == 1


def test_encodings_and_delimiters(taking: Imports, database: Database) -> None:
    table = "坐席工号,月份,通话量,满意度\r\n1,2026年10月,{},96％\r\n"
    forms = product(("utf-8", "utf-8-sig", "gbk", "gb18030"), ",;\t")
    for volume, (encoding, delimiter) in enumerate(forms, 1):
        bring_in(taking, KPI, table.format(volume).replace(",", delimiter).encode(encoding))
        assert figures(database) == {("1", "volume"): volume, ("1", "satisfaction"): 0.96}


def test_what_is_no_table_is_refused_as_a_whole(taking: Imports, site: Site) -> None:
    for data, said in (
        (b"PK\x03\x04" + b"\0" * 100, "workbook"),
        ("agent_id,period\n1,2026-10\n".encode("utf-16"), "not text"),
        (b"\xff\xfe\x81", "not text"),
        (b"", "no column named agent_id"),
        (b"name,period\nx,2026-10\n", "no column named agent_id"),
        (b"agent_id,volume\n1,2\n", "no column named period"),
        (b"agent_id,period,period\n1,2026-10,2026-11\n", "twice"),
        (b'agent_id,period,volume\n"1,2026-10,5\n', "not CSV"),
        (b"agent_id,period,volume\n1,2026-10," + b"9" * 2_000_000, "more than"),
    ):
        with pytest.raises(InputError, match=said) as refused:
            bring_in(taking, KPI, data)
        assert refused.value.code == "import_unreadable"
    assert site.count(ImportRow) == 0


def test_a_table_that_breaks_off_is_refused_as_a_whole(
    taking: Imports, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far on: nothing of it is taken."""
    monkeypatch.setattr(imports, "_ROWS_AT_ONCE", 2)
    with pytest.raises(InputError, match="not CSV"):
        bring_in(taking, STATES, THREE_TALKS + '"')
    assert (site.count(ImportRow), site.count(AgentStateRow)) == (0, 0)
    assert bring_in(taking, STATES, THREE_TALKS).counts == ImportCounts(rows=3, added=3)


@pytest.mark.parametrize("all_or_nothing", [False, True])
def test_an_import_that_failed_says_what_it_left(
    taking: Imports, site: Site, monkeypatch: pytest.MonkeyPatch, all_or_nothing: bool
) -> None:
    """What was taken stays, unless all or nothing was asked for; it is to be brought in again."""
    monkeypatch.setattr(imports, "_ROWS_AT_ONCE", 2)
    put, pages = import_kinds.AgentStates.put, []

    def breaks(kind: import_kinds.AgentStates, *page: Any, **told: Any) -> Put:
        pages.append(page)
        if len(pages) == 2:
            raise ConnectionError
        return put(kind, *page, **told)

    with monkeypatch.context() as here:
        here.setattr(import_kinds.AgentStates, "put", breaks)
        with pytest.raises(ConnectionError):
            bring_in(taking, STATES, THREE_TALKS, all_or_nothing=all_or_nothing)
    (made,) = taking.page(site.person("manager", Role.MANAGER), before=None, limit=10)
    left = 0 if all_or_nothing else 2
    assert (made.state, made.counts) == (ImportState.FAILED, ImportCounts(rows=2, added=left))
    assert site.count(AgentStateRow) == left
    assert bring_in(taking, STATES, THREE_TALKS).counts == ImportCounts(rows=3, added=3 - left, unchanged=left)


def test_states_add_up_by_half_hours(taking: Imports, database: Database) -> None:
    made = bring_in(
        taking,
        STATES,
        HEADER
        + "1,班次,2026-10-05 22:00,2026-10-06 02:00\n"
        + "1,通话,2026-10-05 22:00,2026-10-05 22:10\n"
        + "1,保持,2026-10-05 22:10,2026-10-05 22:11\n"
        + "1,通话,2026-10-05 22:11,2026-10-05 22:15\n"
        + "1,话后处理,2026-10-05 22:15,2026-10-05 22:16\n"
        + "1,小休,2026-10-05 23:50,2026-10-06 00:10\n"
        + "1,空闲,2026-10-06 01:00,2026-10-06 01:00\n",
    )
    assert made.counts == ImportCounts(rows=7, added=6, unchanged=1, warned=1)
    assert times(database) == StateTimes(
        talk_s=840, hold_s=60, after_call_s=60, break_s=1200, shift_s=4 * 3600, calls=1
    )
    with database.unit_of_work() as unit:
        late = unit.agent_states.times(OCTOBER, NOVEMBER, EVERYTHING, half_hours=[47])
        assert [(line.day.day, line.team, line.vendor, line.times.break_s) for line in late] == [
            (5, "A", "V", 600)
        ]
        assert unit.agent_states.times(OCTOBER, NOVEMBER, Scope(teams=frozenset({"B"}))) == []


def test_states_that_overlap(taking: Imports, database: Database) -> None:
    made = bring_in(
        taking,
        STATES,
        HEADER
        + "1,talk,2026-10-05 09:00,2026-10-05 09:10\n"
        + "1,idle,2026-10-05 09:09,2026-10-05 09:20\n"
        + "2,idle,2026-10-05 09:09,2026-10-05 09:20\n"
        + "1,break,2026-10-05 08:00,2026-10-05 10:00\n"
        + "1,idle,2026-10-05 09:10,2026-10-05 09:20\n"
        + "1,talk,2026-10-05 09:00,2026-10-05 09:10\n"
        + "1,break,2026-10-05 09:00,2026-10-05 09:10\n",
    )
    assert faults(taking, made) == [
        (3, "state_overlaps"),
        (5, "state_overlaps"),
        (7, "row_repeated"),
        (8, "row_contradicts"),
    ]
    assert times(database) == StateTimes(talk_s=600, idle_s=600, shift_s=1200, calls=1)
    # A corrected log: the talk was shorter, and what it made room for comes before it in the file.
    made = bring_in(
        taking,
        STATES,
        HEADER + "1,after_call,2026-10-05 09:05,2026-10-05 09:10\n" + "1,talk,2026-10-05 09:00,2026-10-05 09:05\n",
    )
    assert made.counts == ImportCounts(rows=2, added=1, changed=1)
    assert times(database) == StateTimes(talk_s=300, after_call_s=300, idle_s=600, shift_s=1200, calls=1)


def test_states_by_the_sites_own_names(database: Database, site: Site) -> None:
    own = imports_of(database, {"忙碌": AgentState.MEETING})
    bring_in(own, STATES, HEADER + "1,忙碌,2026-10-05 09:00,2026-10-05 09:10\n")
    assert times(database).meeting_s == 600


def random_day(seed: int) -> list[str]:
    """Spans of three agents over a night, some of which overlap, in any order."""
    chance = random.Random(seed)
    rows = []
    for agent in "123":
        at = datetime(2026, 10, 5, 20, 0)
        for _ in range(25):
            at += timedelta(seconds=chance.randrange(0, 900))
            ends = at + timedelta(seconds=chance.randrange(0, 1200))
            state = chance.choice(["talk", "idle", "break", "hold", "after_call", "offline"])
            rows.append(f"{agent},{state},{at:%Y-%m-%d %H:%M:%S},{ends:%Y-%m-%d %H:%M:%S}\n")
            at = ends if chance.random() < 0.8 else at
    chance.shuffle(rows)
    return rows


def test_what_is_stored_never_overlaps_and_adds_up(
    database: Database, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever pages the rows come, and twice."""
    taking, rows = imports_of(database), random_day(21)
    monkeypatch.setattr(imports, "_ROWS_AT_ONCE", 7)
    made = bring_in(taking, STATES, HEADER + "".join(rows))
    assert made.counts.rejected > 0
    before = times(database)
    assert bring_in(taking, STATES, HEADER + "".join(rows)).counts.added == 0
    assert times(database) == before
    begin = datetime(2026, 10, 1, tzinfo=UTC)
    for agent in "123":
        with database.unit_of_work() as unit:
            spans = unit.agent_states.spans(agent, begin, begin + timedelta(days=30))
        assert all(one.ends <= other.starts for one, other in pairwise(spans))
        worked = sum(span.seconds for span in spans if span.state is not AgentState.OFFLINE)
        assert times(database, agent).states_s == pytest.approx(worked)
    assert site.count(AgentStateRow) == made.counts.added
    assert site.count(AgentTimesRow) > 0


def history(agent: str, days: int) -> str:
    """Twelve talks a day from 09:00 on."""
    at = [datetime(2026, 3, 1, 9) + timedelta(days=n // 12, minutes=n % 12 * 10) for n in range(days * 12)]
    return HEADER + "".join(f"{agent},talk,{t},{t + timedelta(minutes=9)}\n" for t in at)


def test_a_mistyped_year_does_not_read_what_lies_between(
    taking: Imports, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_in(taking, STATES, history("1", 100))
    read: list[StateSpan] = []

    def made(*values: Any) -> StateSpan:
        read.append(StateSpan(*values))
        return read[-1]

    monkeypatch.setattr(agent_states, "StateSpan", made)
    table = "".join(
        f"1,break,{day} 09:04,{day} 09:06\n1,break,{day} 09:09,{day} 09:10\n"
        for day in ("2026-03-05", "2026-04-20", "2026-06-08")
    )
    table = (
        HEADER
        + "1,idle,1996-10-05 09:00,1996-10-05 09:10\n"
        + table
        + "1,idle,2062-10-05 09:00,2062-10-05 09:10\n"
    )
    found = bring_in(taking, STATES, table)
    assert found.counts.added == 2 + 3
    assert faults(taking, found) == [(line, "state_overlaps") for line in (3, 5, 7)]
    # A talk or two beside each row, then for the sums of a day it, the day before and the day after.
    assert 3 * 12 < len(read) <= 3 * (2 + 4 * 12)


def night(agent: str) -> list[str]:
    """Days whose calls go on after midnight, one of them all day long."""
    return [
        f"{agent},talk,2026-10-05 23:50,2026-10-05 23:58,a\n",
        f"{agent},hold,2026-10-05 23:58,2026-10-06 00:00,a\n",
        f"{agent},talk,2026-10-06 00:00,2026-10-06 00:05,a\n",
        f"{agent},talk,2026-10-06 00:05,2026-10-06 00:09,b\n",
        f"{agent},hold,2026-10-06 23:50,2026-10-07 00:00,\n",
        f"{agent},talk,2026-10-07 00:00,2026-10-07 00:09,\n",
        f"{agent},talk,2026-10-07 10:00,2026-10-07 10:09,c\n",
        f"{agent},talk,2026-10-08 10:00,2026-10-08 10:09,c\n",
        f"{agent},talk,2026-10-09 10:00,2026-10-09 10:09,c\n",
    ]


def calls_by_day(database: Database, agent: str) -> dict[int, int]:
    with database.unit_of_work() as unit:
        lines = unit.agent_states.times(OCTOBER, NOVEMBER, EVERYTHING, agents=[agent])
    return {line.day.day: line.times.calls for line in lines}


def test_a_call_over_midnight_is_one_in_whatever_order_days_come(
    taking: Imports, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = HEADER.strip() + ",call_id\n"
    wanted = {5: 1, 6: 1, 7: 1, 8: 0, 9: 0}
    bring_in(taking, STATES, header + "".join(night("1")))
    assert calls_by_day(database, "1") == wanted
    for row in reversed(night("2")):
        bring_in(taking, STATES, header + row)
    assert calls_by_day(database, "2") == wanted
    monkeypatch.setattr(imports, "_ROWS_AT_ONCE", 2)
    monkeypatch.setattr(agent_states, "_DAYS_AT_ONCE", 1)
    rows = night("3")
    random.Random(3).shuffle(rows)
    bring_in(taking, STATES, header + "".join(rows))
    assert calls_by_day(database, "3") == wanted
    # A corrected log: it was another call that went on until midnight.
    bring_in(taking, STATES, header + "1,talk,2026-10-05 23:50,2026-10-05 23:58,z\n")
    assert calls_by_day(database, "1") == {**wanted, 6: 2}


def test_the_day_after_keeps_the_team_of_its_import(taking: Imports, database: Database) -> None:
    header, rows = HEADER.strip() + ",call_id\n", night("1")
    bring_in(taking, STATES, header + "".join(rows[2:4]))
    add_agents(database, {}, {"C": None})
    with database.unit_of_work() as unit:
        unit.session.execute(update(AgentRow).where(AgentRow.agent_id == "1").values(team="C"))
        unit.commit()
    bring_in(taking, STATES, header + rows[0])
    with database.unit_of_work() as unit:
        lines = unit.agent_states.times(OCTOBER, NOVEMBER, EVERYTHING)
    assert [(line.day.day, line.team, line.times.calls) for line in lines] == [(5, "C", 1), (6, "A", 1)]


def test_who_may_not_reach_an_agent_knows_none(taking: Imports, site: Site, database: Database) -> None:
    own = site.person("vendor manager", Role.MANAGER, scope=Scope(vendor="V"))
    other = site.person("other", Role.MANAGER, scope=Scope(vendor="W"))
    manager = site.person("manager", Role.MANAGER)
    made = bring_in(taking, KPI, "agent_id,period,volume\n1,2026-10,10\n3,2026-10,10\n", who=own)
    assert (3, "agent_unknown") in faults(taking, made, own)
    assert figures(database) == {("1", "volume"): 10}
    assert taking.get(manager, made.id) == taking.get(own, made.id) == made
    with pytest.raises(NotFoundError):
        taking.get(other, made.id)
    assert taking.page(other, before=None, limit=5) == []
    vendors = "vendor,period,abandonment\nV,2026-10,4%\nW,2026-10,4%\n"
    assert faults(taking, bring_in(taking, VENDOR, vendors, who=own), own) == [(3, "vendor_unknown")]
    with database.unit_of_work() as unit:
        (found,) = unit.imported_figures.of(VENDOR, since=OCTOBER, until=NOVEMBER, subjects=["V"])
    assert found == ImportedFigure("V", OCTOBER, True, "abandonment", 0.04)
    leader = site.person("team's", Role.MANAGER, scope=Scope(teams=frozenset({"A"})))
    assert bring_in(taking, VENDOR, vendors + "\n", who=leader).counts.rejected == 2


def test_tables_of_figures_have_a_greatest_length(taking: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_kinds, "MAX_FIGURE_ROWS", 2)
    table = "agent_id,period,volume\n" + "".join(f"1,2026-{month:02},1\n" for month in range(1, 4))
    with pytest.raises(InputError) as refused:
        bring_in(taking, KPI, table)
    assert refused.value.code == "import_too_long"


def test_any_bytes_are_taken_or_refused(taking: Imports) -> None:
    """Tables with bytes changed, cut and doubled at random, of a fixed seed."""
    tables: dict[ImportKind, Callable[[], Iterator[str]]] = {
        KPI: lambda: iter(["agent_id,period,volume,satisfaction\n", "1,2026-10,5,9%\n", '2,2026-10,"1,000",1\n']),
        STATES: lambda: iter([HEADER, "1,通话,2026-10-05 09:00,2026-10-05 09:10\n", "2,小休,20261005 9:00,\n"]),
        VENDOR: lambda: iter(["供应商,日期,放弃率\n", "V,2026-10-05,4%\n", "V,2026-10,5%\n"]),
    }
    chance = random.Random(7)
    outcomes = set()
    for kind in list(ImportKind) * 30:
        data = bytearray("".join(tables[kind]()).encode())
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(data))
            data[place : place + chance.randrange(3)] = chance.choice(
                [b",", b'"', b"\n", b"\xff", b"9", b"\0", b"="]
            )
        try:
            outcomes.add(bring_in(taking, kind, bytes(data), again=True).state.value)
        except InputError as refused:
            outcomes.add(refused.code)
    assert outcomes <= {"done", "import_unreadable"}
    assert len(outcomes) == 2


def test_two_imports_at_once_store_no_overlap(database: Database, site: Site) -> None:
    """Both of the same agents' hours, each shifted against the other: whoever is second is told."""
    begin = datetime(2026, 10, 5, 9)
    tables = []
    for shift_s in (0, 30):
        at = [begin + timedelta(seconds=60 * n + shift_s) for n in range(200)]
        tables.append(HEADER + "".join(f"{a},talk,{t},{t + timedelta(seconds=60)}\n" for t in at for a in "12"))
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda table: bring_in(imports_of(database), STATES, table), tables))
    assert {each.state for each in made} == {ImportState.DONE}
    assert sum(each.counts.rejected for each in made) >= 2 * 199
    since = begin.replace(tzinfo=UTC) - timedelta(days=1)
    for agent in "12":
        with database.unit_of_work() as unit:
            spans = unit.agent_states.spans(agent, since, since + timedelta(days=2))
        assert all(one.ends <= other.starts for one, other in pairwise(spans))
        assert times(database, agent).talk_s == 60 * len(spans)
