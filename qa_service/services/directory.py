"""Changes of the directory: who is in which team, and whose team it is.

Guarantee: a change holds for calls that come after it; calls that are there keep the team and vendor that they
had. Nobody changes what is outside the own scope, or moves anything out of it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from qa_service.domain.access import CallOwner, Principal
from qa_service.errors import ConflictError, InputError, NotFoundError, PermissionDeniedError
from qa_service.ports.directory import Agent, Team
from qa_service.ports.people import Origin
from qa_service.ports.store import UnitOfWorkFactory


class Kept(Enum):
    """Nothing was said of it."""

    KEPT = "kept"


KEPT: Final = Kept.KEPT


@dataclass(frozen=True, slots=True)
class AgentChange:
    """None: nothing is known of it any more, until a call tells."""

    name: str | Kept | None = KEPT
    team: str | Kept | None = KEPT
    vendor: str | Kept | None = KEPT


class Directory:
    def __init__(self, *, units: UnitOfWorkFactory) -> None:
        self._units = units

    def add_team(self, who: Principal, name: str, vendor: str | None, *, origin: Origin) -> Team:
        """Raises ConflictError ``team_exists``, PermissionDeniedError ``outside_scope``."""
        _stay_within(who, CallOwner(vendor, name))
        with self._units() as unit:
            team = unit.directory.add_team(name, vendor)
            unit.audit.record(who, "team.create", "team", name, {"vendor": vendor}, origin=origin)
            unit.commit()
        return team

    def change_team(
        self, who: Principal, name: str, *, version: int | None, vendor: str | None, origin: Origin
    ) -> Team:
        """``version``: the one that was seen.

        Raises:
            NotFoundError: ``team_not_found``.
            ConflictError: ``stale_version``.
            PermissionDeniedError: ``outside_scope``.
        """
        with self._units() as unit:
            old = unit.directory.team(name, who.scope, alone=True)
            _check_version("team", name, old.version, version)
            _stay_within(who, CallOwner(vendor, name))
            team = unit.directory.save_team(name, vendor=vendor)
            detail = {"from": {"vendor": old.vendor}, "to": {"vendor": team.vendor}}
            unit.audit.record(who, "team.change", "team", name, detail, origin=origin)
            unit.commit()
        return team

    def change_agent(
        self, who: Principal, agent_id: str, change: AgentChange, *, version: int | None, origin: Origin
    ) -> Agent:
        """Change what is given; ``version``: the one that was seen.

        Raises:
            NotFoundError: ``agent_not_found``.
            InputError: ``team_unknown``.
            ConflictError: ``stale_version``.
            PermissionDeniedError: ``outside_scope``.
        """
        with self._units() as unit:
            old = unit.directory.agent(agent_id, who.scope, alone=True)
            _check_version("agent", agent_id, old.version, version)
            team = old.team if change.team is KEPT else change.team
            if team is not None and team != old.team:
                try:
                    unit.directory.team(team, who.scope)
                except NotFoundError as error:
                    raise InputError(
                        "team_unknown", "there is no team of this name: use one of the list, or make it first"
                    ) from error
            agent = unit.directory.save_agent(
                agent_id,
                name=old.name if change.name is KEPT else change.name,
                team=team,
                vendor=old.own_vendor if change.vendor is KEPT else change.vendor,
            )
            _stay_within(who, agent.owner)
            detail = {"from": _said(old), "to": _said(agent)}
            unit.audit.record(who, "agent.change", "agent", agent_id, detail, origin=origin)
            unit.commit()
        return agent


def _stay_within(who: Principal, owner: CallOwner) -> None:
    if not who.scope.covers(owner):
        raise PermissionDeniedError(
            "outside_scope", "that would be outside what you may reach: ask somebody whose account reaches both"
        )


def _check_version(kind: str, name: str, stored: int, seen: int | None) -> None:
    if seen is not None and seen != stored:
        raise ConflictError(
            "stale_version",
            f"{kind} {name} was changed by somebody else (version {stored}): read it again",
            version=stored,
        )


def _said(agent: Agent) -> dict[str, str | None]:
    return {"team": agent.team, "vendor": agent.vendor}
