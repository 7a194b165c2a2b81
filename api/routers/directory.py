"""The directory: agents, their teams and vendors."""

from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from api.access import Asking, operation
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.repeats import IdempotencyKey, once
from api.schemas import directory as schemas
from api.schemas.base import PRINTABLE
from api.schemas.directory import AgentInFull, AgentModel, Key, NewTeam, TeamChange, TeamModel, VendorModel
from api.versions import IfMatch, seen_version, tag
from qa_service.domain.access import Permission
from qa_service.services.directory import KEPT, AgentChange

FIGURES_OF: Final = timedelta(days=30)

router = APIRouter(tags=["directory"])

_Named = Annotated[str | None, Query(max_length=1000, pattern=PRINTABLE)]


@operation(router, "GET", "/teams", Permission.DIRECTORY_READ, errors=(400,))
def list_teams(
    asking: Asking, limit: Limit = 50, cursor: CursorText = None, vendor: _Named = None
) -> Page[TeamModel]:
    """Teams, by name."""
    of = fingerprint("teams", vendor)
    after = (read_cursor(cursor, of, str) or [None])[0]
    with asking.site.units_to_read() as unit:
        found = unit.directory.teams(asking.who.scope, after=after, limit=limit + 1, vendor=vendor)
    return page_of(found, limit, of, shown=TeamModel.of, key=lambda team: [team.name])


@operation(
    router, "POST", "/teams", Permission.DIRECTORY_MANAGE, status=201, errors=(409,), response_model=TeamModel
)
def create_team(asking: Asking, sent: NewTeam, key: IdempotencyKey = None) -> Response:
    """Make a team that no call has named yet. Teams that calls name are there by themselves."""

    def create() -> tuple[TeamModel, str]:
        team = asking.site.directory.add_team(asking.who, sent.name, sent.vendor, origin=asking.origin)
        return TeamModel.of(team), f"/v1/teams/{quote(team.name, safe='')}"

    return once(asking, "teams", key, sent, create)


@operation(router, "GET", "/teams/{name:path}", Permission.DIRECTORY_READ, errors=(404,))
def get_team(asking: Asking, response: Response, name: Key) -> TeamModel:
    """A team; its ETag is needed to change it."""
    with asking.site.units_to_read() as unit:
        team = unit.directory.team(name, asking.who.scope)
    tag(response, team.version)
    return TeamModel.of(team)


@operation(router, "PATCH", "/teams/{name:path}", Permission.DIRECTORY_MANAGE, errors=(404, 409, 412, 428))
def change_team(
    asking: Asking, response: Response, name: Key, sent: TeamChange, if_match: IfMatch = None
) -> TeamModel:
    """Say whose team it is. It holds for calls that come from now on; what is there stays where it is."""
    team = asking.site.directory.change_team(
        asking.who, name, version=seen_version(if_match), vendor=sent.vendor, origin=asking.origin
    )
    tag(response, team.version)
    return TeamModel.of(team)


@operation(router, "GET", "/agents", Permission.DIRECTORY_READ, errors=(400,))
def list_agents(
    asking: Asking, limit: Limit = 50, cursor: CursorText = None, team: _Named = None, vendor: _Named = None
) -> Page[AgentModel]:
    """Agents, by number."""
    of = fingerprint("agents", team, vendor)
    after = (read_cursor(cursor, of, str) or [None])[0]
    with asking.site.units_to_read() as unit:
        found = unit.directory.agents(asking.who.scope, after=after, limit=limit + 1, team=team, vendor=vendor)
    return page_of(found, limit, of, shown=AgentModel.of, key=lambda agent: [agent.agent_id])


@operation(router, "GET", "/agents/{agent_id:path}", Permission.DIRECTORY_READ, errors=(404,))
def get_agent(asking: Asking, response: Response, agent_id: Key) -> AgentInFull:
    """An agent with the figures of the last 30 days; the ETag is needed to change it."""
    since = asking.site.clock.now() - FIGURES_OF
    with asking.site.units_to_read() as unit:
        agent = unit.directory.agent(agent_id, asking.who.scope)
        figures = unit.directory.figures(agent_id, asking.who.scope, since=since)
    tag(response, agent.version)
    return AgentInFull.with_figures(agent, figures)


@operation(router, "PATCH", "/agents/{agent_id:path}", Permission.DIRECTORY_MANAGE, errors=(404, 409, 412, 428))
def change_agent(
    asking: Asking, response: Response, agent_id: Key, sent: schemas.AgentChange, if_match: IfMatch = None
) -> AgentModel:
    """Change an agent. A new team or vendor holds for calls that come from now on; what is there stays."""
    change = AgentChange(
        **{field: getattr(sent, field) if field in sent.model_fields_set else KEPT for field in _FIELDS}
    )
    agent = asking.site.directory.change_agent(
        asking.who, agent_id, change, version=seen_version(if_match), origin=asking.origin
    )
    tag(response, agent.version)
    return AgentModel.of(agent)


_FIELDS: Final = ("name", "team", "vendor")


@operation(router, "GET", "/vendors", Permission.DIRECTORY_READ, errors=(400,))
def list_vendors(asking: Asking, limit: Limit = 50, cursor: CursorText = None) -> Page[VendorModel]:
    """Vendors of teams and agents, by name."""
    of = fingerprint("vendors")
    after = (read_cursor(cursor, of, str) or [None])[0]
    with asking.site.units_to_read() as unit:
        found = unit.directory.vendors(asking.who.scope, after=after, limit=limit + 1)
    return page_of(found, limit, of, shown=VendorModel.of, key=lambda vendor: [vendor.name])
