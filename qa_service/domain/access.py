"""Who may do what, and on whose calls.

Guarantee: pure. A role is a set of permissions, a scope says on which calls they hold; nobody reaches a call
outside the scope, whatever the role.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """What an operation needs. Names are stable: tokens are limited by them."""

    RECORDINGS_READ = "recordings:read"
    RECORDINGS_LISTEN = "recordings:listen"
    RECORDINGS_WRITE = "recordings:write"
    RECORDINGS_EXPORT = "recordings:export"
    NUMBERS_READ = "numbers:read"
    """See and hear telephone, identity and card numbers; everybody else gets them masked."""
    REVIEW_WORK = "review:work"
    REVIEW_ASSIGN = "review:assign"
    SAMPLING_MANAGE = "sampling:manage"
    DISPUTES_READ = "disputes:read"
    DISPUTES_RAISE = "disputes:raise"
    DISPUTES_ADVISE = "disputes:advise"
    DISPUTES_DECIDE = "disputes:decide"
    APPEALS_DECIDE = "appeals:decide"
    QUALITY_READ = "quality:read"
    CALIBRATION_MANAGE = "calibration:manage"
    CALIBRATION_TAKE = "calibration:take"
    RULES_READ = "rules:read"
    RULES_TEST = "rules:test"
    RULES_APPROVE = "rules:approve"
    BATCHES_READ = "batches:read"
    BATCHES_RUN = "batches:run"
    DIRECTORY_READ = "directory:read"
    DIRECTORY_MANAGE = "directory:manage"
    USERS_READ = "users:read"
    USERS_MANAGE = "users:manage"
    TOKENS_OWN = "tokens:own"
    WEBHOOKS_MANAGE = "webhooks:manage"
    AUDIT_READ = "audit:read"
    COACHING_READ = "coaching:read"
    COACHING_MANAGE = "coaching:manage"
    COACHING_OWN = "coaching:own"
    """See one's own coaching and acknowledge it."""
    TRAINING_READ = "training:read"
    TRAINING_MANAGE = "training:manage"
    FIGURES_IMPORT = "figures:import"
    """Bring in figures of other systems: agent states, volumes, satisfaction."""
    KPI_READ = "kpi:read"
    KPI_MANAGE = "kpi:manage"
    APPRAISALS_GIVE = "appraisals:give"
    FLOOR_READ = "floor:read"
    COMPLAINTS_READ = "complaints:read"
    COMPLAINTS_HANDLE = "complaints:handle"
    PROMISES_READ = "promises:read"
    PROMISES_HANDLE = "promises:handle"
    VENDORS_READ = "vendors:read"
    REPORTS_READ = "reports:read"
    REPORTS_MANAGE = "reports:manage"


class Role(StrEnum):
    ADMIN = "admin"
    MANAGER = "manager"
    INSPECTOR = "inspector"
    LEADER = "leader"
    TRAINER = "trainer"
    AGENT = "agent"
    AUDITOR = "auditor"
    SERVICE = "service"


_P = Permission
_READING = frozenset({_P.RECORDINGS_READ, _P.DISPUTES_READ, _P.DIRECTORY_READ, _P.TOKENS_OWN})
_LISTENING = _READING | {_P.RECORDINGS_LISTEN}

PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    # Runs the system; hears no calls.
    Role.ADMIN: frozenset(
        {
            *(_P.USERS_READ, _P.USERS_MANAGE, _P.TOKENS_OWN, _P.WEBHOOKS_MANAGE, _P.AUDIT_READ),
            *(_P.DIRECTORY_READ, _P.DIRECTORY_MANAGE, _P.BATCHES_READ, _P.BATCHES_RUN, _P.RULES_READ),
        }
    ),
    Role.MANAGER: _LISTENING
    | {
        *(_P.RECORDINGS_WRITE, _P.RECORDINGS_EXPORT, _P.NUMBERS_READ, _P.REVIEW_WORK, _P.REVIEW_ASSIGN),
        *(_P.SAMPLING_MANAGE, _P.APPEALS_DECIDE, _P.QUALITY_READ, _P.CALIBRATION_MANAGE, _P.CALIBRATION_TAKE),
        *(_P.RULES_READ, _P.RULES_TEST, _P.RULES_APPROVE, _P.BATCHES_READ, _P.BATCHES_RUN, _P.DIRECTORY_MANAGE),
        *(_P.USERS_READ, _P.COACHING_READ, _P.COACHING_MANAGE, _P.TRAINING_READ, _P.TRAINING_MANAGE),
        *(_P.FIGURES_IMPORT, _P.KPI_READ, _P.KPI_MANAGE, _P.APPRAISALS_GIVE, _P.FLOOR_READ),
        *(_P.COMPLAINTS_READ, _P.COMPLAINTS_HANDLE, _P.PROMISES_READ, _P.PROMISES_HANDLE, _P.VENDORS_READ),
        *(_P.REPORTS_READ, _P.REPORTS_MANAGE),
    },
    Role.INSPECTOR: _LISTENING
    | {
        *(_P.NUMBERS_READ, _P.REVIEW_WORK, _P.DISPUTES_DECIDE, _P.QUALITY_READ, _P.CALIBRATION_TAKE),
        *(_P.RULES_READ, _P.RULES_TEST, _P.COACHING_READ, _P.TRAINING_READ, _P.COMPLAINTS_READ),
        *(_P.PROMISES_READ, _P.REPORTS_READ),
    },
    Role.LEADER: _LISTENING
    | {
        *(_P.RECORDINGS_EXPORT, _P.DISPUTES_ADVISE, _P.RULES_READ, _P.COACHING_READ, _P.COACHING_MANAGE),
        *(_P.TRAINING_READ, _P.KPI_READ, _P.APPRAISALS_GIVE, _P.FLOOR_READ, _P.COMPLAINTS_READ),
        *(_P.COMPLAINTS_HANDLE, _P.PROMISES_READ, _P.PROMISES_HANDLE, _P.VENDORS_READ, _P.REPORTS_READ),
    },
    Role.TRAINER: _LISTENING
    | {
        *(_P.QUALITY_READ, _P.RULES_READ, _P.COACHING_READ, _P.COACHING_MANAGE, _P.TRAINING_READ),
        *(_P.TRAINING_MANAGE, _P.KPI_READ, _P.REPORTS_READ),
    },
    Role.AGENT: _LISTENING
    | {
        *(_P.DISPUTES_RAISE, _P.RULES_READ, _P.COACHING_OWN, _P.TRAINING_READ, _P.KPI_READ),
        *(_P.APPRAISALS_GIVE, _P.PROMISES_READ),
    },
    Role.AUDITOR: _READING
    | {
        *(_P.AUDIT_READ, _P.USERS_READ, _P.QUALITY_READ, _P.RULES_READ, _P.BATCHES_READ, _P.COACHING_READ),
        *(_P.TRAINING_READ, _P.KPI_READ, _P.FLOOR_READ, _P.COMPLAINTS_READ, _P.PROMISES_READ),
        *(_P.VENDORS_READ, _P.REPORTS_READ),
    },
    Role.SERVICE: frozenset(
        {
            *(_P.RECORDINGS_READ, _P.RECORDINGS_WRITE, _P.RECORDINGS_EXPORT, _P.DIRECTORY_READ, _P.TOKENS_OWN),
            *(_P.BATCHES_READ, _P.BATCHES_RUN, _P.FIGURES_IMPORT, _P.REPORTS_READ),
        }
    ),
}


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    return frozenset[Permission]().union(*(PERMISSIONS[role] for role in roles))


@dataclass(frozen=True, slots=True)
class CallOwner:
    """Whose call it is, as far as anybody told."""

    vendor: str | None = None
    team: str | None = None
    agent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Calls that somebody may reach: those for which all that is set holds. Nothing set: every call.

    A call of which the vendor, team or agent is unknown is outside every scope that asks for it.
    """

    vendor: str | None = None
    teams: frozenset[str] | None = None
    agent_id: str | None = None

    @property
    def is_everything(self) -> bool:
        return self.vendor is None and self.teams is None and self.agent_id is None

    def covers(self, owner: CallOwner) -> bool:
        return (
            (self.vendor is None or owner.vendor == self.vendor)
            and (self.teams is None or owner.team in self.teams)
            and (self.agent_id is None or owner.agent_id == self.agent_id)
        )

    def holds(self, inner: "Scope") -> bool:
        """Whether every call of ``inner`` is in this one."""
        return (
            (self.vendor is None or self.vendor == inner.vendor)
            and (self.teams is None or (inner.teams is not None and inner.teams <= self.teams))
            and (self.agent_id is None or self.agent_id == inner.agent_id)
        )


EVERYTHING: Final = Scope()


def scope_fault(roles: Iterable[Role], scope: Scope) -> str | None:
    """What is wrong with giving these roles this scope; None: nothing."""
    held = frozenset(roles)
    if not held:
        return "no role: name at least one"
    if Role.AGENT in held and len(held) > 1:
        return "an agent's account holds no other role: make a second account"
    if (Role.AGENT in held) != (scope.agent_id is not None):
        return "the agent number belongs to the role agent, and that role needs it"
    if Role.LEADER in held and scope.teams is None and scope.vendor is None:
        return "a leader needs teams or a vendor"
    if Role.ADMIN in held and not scope.is_everything:
        return "an admin's account is for the whole site"
    return None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. ``via``: ``session``, ``token`` or ``command``; a token may hold less than its owner's roles."""

    user_id: int
    name: str
    roles: frozenset[Role]
    scope: Scope
    permissions: frozenset[Permission]
    via: str
    token_id: int | None = None

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions
