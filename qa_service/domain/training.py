"""The training catalogue, assessments and certificates; how a change of script or rules becomes live.

Guarantee: pure. The catalogue that comes with the product is that of ``domain.md`` §6; a site edits it, and adds
to it. Nobody is certified without a passed assessment, and a change goes live only after those whom it concerns
were trained and have passed, or with a manager's reason on record.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True)
class TrainingModule:
    """One thing that is trained.

    ``pass_mark`` and ``valid_days``: of its assessment and certificate; None: the site's. ``version`` counts
    edits, 0: as shipped.
    """

    name: str
    title_zh: str
    title_en: str
    days: float
    pass_mark: float | None = None
    valid_days: int | None = None
    active: bool = True
    version: int = 0


@dataclass(frozen=True, slots=True)
class Course:
    """Modules in their order. ``days``: all together, with practice. ``onboarding``: before an agent goes live."""

    name: str
    title_zh: str
    title_en: str
    modules: tuple[str, ...]
    days: float
    onboarding: bool = False
    pass_mark: float | None = None
    valid_days: int | None = None
    active: bool = True
    version: int = 0


MODULES: Final = (
    TrainingModule("script-wording", "标准话术", "Standard script wording", 2.0),
    TrainingModule("courtesy", "电话礼仪", "Telephone courtesy", 1.0),
    TrainingModule("customer-relationship", "客户关系", "Customer relationship", 3.0),
    TrainingModule("product-knowledge", "产品知识", "Product knowledge", 2.0),
    TrainingModule("customer-psychology", "客户心理", "Customer psychology", 1.0),
    TrainingModule("complaint-handling", "投诉处理", "Complaint handling", 1.0),
)
"""Modules and days of ``domain.md`` §6; the names are those that rules refer to."""

COURSES: Final = (
    Course(
        "onboarding", "新人上岗", "Onboarding", tuple(module.name for module in MODULES), 15.0, onboarding=True
    ),
)
"""Fifteen days with an assessment before going live (``domain.md`` §6): the modules take ten of them."""


class AssessmentKind(StrEnum):
    """Before a session or after it."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class TrainingPolicy:
    """Args:
    pass_mark: points of 100 that pass an assessment, where the module asks for no others.
    valid_days: for so long a certificate holds, where the module says nothing.
    change_share: the share of agents concerned that have to have passed before a change is assessed.
    concerned_days: an agent who had a call within so many days is concerned.
    """

    pass_mark: float = 80.0
    valid_days: int = 365
    change_share: float = 0.8
    concerned_days: int = 28

    def mark_of(self, subject: TrainingModule | Course) -> float:
        return self.pass_mark if subject.pass_mark is None else subject.pass_mark

    def expiry_of(self, subject: TrainingModule | Course, issued_at: datetime) -> datetime:
        return issued_at + timedelta(days=subject.valid_days or self.valid_days)


class Standing(StrEnum):
    """Of an agent in a module or course. ``retraining``: the last assessment was failed, whatever was passed
    before it; ``expired``: the certificate ran out."""

    NEVER = "never"
    CERTIFIED = "certified"
    EXPIRED = "expired"
    RETRAINING = "retraining"


def standing(passed: Sequence[bool], expires_at: datetime | None, now: datetime) -> Standing:
    """Where an agent stands in one subject.

    Args:
        passed: whether assessments after training were passed, in their order.
        expires_at: of the last certificate; None: there is none.
        now: the moment that is asked about.
    """
    if passed and not passed[-1]:
        return Standing.RETRAINING
    if expires_at is None:
        return Standing.NEVER
    return Standing.CERTIFIED if now < expires_at else Standing.EXPIRED


class ChangeState(StrEnum):
    """Where a change of script or rules stands; the order is that of ``domain.md`` §6."""

    DRAFTED = "drafted"
    APPROVED = "approved"
    TRAINED = "trained"
    ASSESSED = "assessed"
    LIVE = "live"
    WITHDRAWN = "withdrawn"

    @property
    def holds_up(self) -> bool:
        """Whether what it is about has to wait."""
        return self in (ChangeState.DRAFTED, ChangeState.APPROVED, ChangeState.TRAINED)


class ChangeStep(StrEnum):
    """``override``: a manager lets it go live although it is not assessed."""

    DRAFT = "draft"
    APPROVE = "approve"
    TRAIN = "train"
    ASSESS = "assess"
    GO_LIVE = "go_live"
    OVERRIDE = "override"
    WITHDRAW = "withdraw"


_C, _S = ChangeState, ChangeStep
CHANGE_STEPS: Final[Mapping[tuple[ChangeState, ChangeStep], ChangeState]] = {
    (_C.DRAFTED, _S.APPROVE): _C.APPROVED,
    (_C.APPROVED, _S.TRAIN): _C.TRAINED,
    (_C.TRAINED, _S.ASSESS): _C.ASSESSED,
    (_C.ASSESSED, _S.GO_LIVE): _C.LIVE,
    **{(state, _S.OVERRIDE): _C.LIVE for state in _C if state.holds_up},
    **{(state, _S.WITHDRAW): _C.WITHDRAWN for state in _C if state.holds_up or state is _C.ASSESSED},
}

_WAITS_FOR: Final = {
    ChangeState.DRAFTED: "the manager's approval",
    ChangeState.APPROVED: "a session in which it is trained",
    ChangeState.TRAINED: "passed assessments of enough agents",
}


def follow(state: ChangeState, step: ChangeStep) -> ChangeState | None:
    """The state after ``step``; None: the step is not possible now."""
    return CHANGE_STEPS.get((state, step))


def waits_for(state: ChangeState) -> str:
    """What is missing before it may go live; nothing: empty."""
    return _WAITS_FOR.get(state, "")


@dataclass(frozen=True, slots=True)
class Passed:
    """How many of the agents ``concerned`` have ``passed``."""

    concerned: int
    passed: int

    def is_enough(self, share: float) -> bool:
        """Of nobody nothing can be said."""
        return self.concerned > 0 and self.passed >= share * self.concerned


def overlaid(shipped: Iterable[TrainingModule], own: Iterable[TrainingModule]) -> tuple[TrainingModule, ...]:
    """The shipped catalogue with a site's edits over it, then what the site added."""
    by_name = {module.name: module for module in shipped}
    return tuple((by_name | {module.name: module for module in own}).values())
