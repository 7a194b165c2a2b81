"""Versions of rules, and who let them score.

Guarantee: pure. A version is its content: what decides its outcome and what that costs. Change either and it is
another version, which nobody has approved yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class RuleState(StrEnum):
    """draft → approved → live → retired. Only live versions score; nothing needs to be stored for a draft."""

    DRAFT = "draft"
    APPROVED = "approved"
    LIVE = "live"
    RETIRED = "retired"


# A retired version comes back only as a new one does: somebody approves it, then it goes live.
FOLLOWS: Final[Mapping[RuleState, RuleState]] = {
    RuleState.DRAFT: RuleState.APPROVED,
    RuleState.APPROVED: RuleState.LIVE,
    RuleState.LIVE: RuleState.RETIRED,
    RuleState.RETIRED: RuleState.APPROVED,
}


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """What a pack says about one rule. ``content``: canonical JSON of what ``digest`` covers.

    ``counts``: whether its results would be scored at all; of the others nobody needs to approve anything.
    """

    pack: str
    rule: str
    digest: str
    content: str
    counts: bool = True


@dataclass(frozen=True, slots=True)
class RuleTransition:
    """One step of one version: who took it, when, and what they noted."""

    pack: str
    rule: str
    digest: str
    from_state: RuleState
    to_state: RuleState
    by: str
    at: datetime
    note: str = ""
