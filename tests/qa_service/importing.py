"""Agents of a small site, and tables that are brought in."""

import hashlib
import io
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from qa_service.adapters.import_tables import read_table
from qa_service.db.rows import AgentRow, TeamRow
from qa_service.db.session import Database
from qa_service.domain.access import Principal
from qa_service.domain.agent_states import AgentState
from qa_service.domain.imports import ImportKind
from qa_service.ports.imports import Import
from qa_service.services.import_kinds import all_kinds
from qa_service.services.imports import Imports

SHANGHAI = ZoneInfo("Asia/Shanghai")


def add_agents(database: Database, agents: Mapping[str, str], vendors: Mapping[str, str | None]) -> None:
    """``agents``: their teams; ``vendors``: those of teams."""
    with database.unit_of_work() as unit:
        unit.session.add_all(TeamRow(name=team, vendor=vendor) for team, vendor in vendors.items())
        unit.session.add_all(AgentRow(agent_id=agent, team=team) for agent, team in agents.items())
        unit.commit()


def imports_of(database: Database, states: Mapping[str, AgentState] | None = None) -> Imports:
    units = database.unit_of_work
    return Imports(
        units=units, units_to_read=units, read=read_table, kinds=all_kinds(zone=SHANGHAI, states=states or {})
    )


def bring_in(
    imports: Imports,
    kind: ImportKind,
    table: str | bytes,
    *,
    who: Principal | str = "test",
    all_or_nothing: bool = False,
    again: bool = False,
) -> Import:
    data = table.encode() if isinstance(table, str) else table
    made, _ = imports.receive(
        who,
        kind,
        io.BytesIO(data),
        name="table.csv",
        sha256=hashlib.sha256(data).hexdigest(),
        all_or_nothing=all_or_nothing,
        again=again,
    )
    return made


def faults(imports: Imports, made: Import, who: Principal | str = "test") -> list[tuple[int, str]]:
    return [(found.line, found.fault.code) for found in imports.faults(who, made.id)]
