"""Who stands out, as coaching asks it of the statistics.

Guarantee: where the statistics' libraries are not installed nobody stands out: what cannot be told is not guessed.
"""

from collections.abc import Sequence
from typing import Final

import structlog

from qa_service.domain.causes import CausePolicy, Level
from qa_service.domain.figures import FaultLine
from qa_service.services.coaching_rounds import Causes
from qa_service.statistics import causes, trends

log = structlog.get_logger(__name__)
_DEFAULT: Final = CausePolicy()


def find_causes(
    now: Sequence[FaultLine], before: Sequence[FaultLine], *, policy: CausePolicy = _DEFAULT
) -> Causes:
    """Special and common causes of the faults ``now`` (by week), and the trend against ``before``."""
    try:
        found = causes.find_causes(now, policy=policy)
        changes = trends.find_trends(before, now, policy=policy)
    except ImportError as error:
        log.warning("nobody can be told apart: install the extra statistics", missing=error.name)
        return Causes()
    return Causes(
        agents={(one.agent, one.rule): one.cause for one in found.agents},
        shared=[(one.team, one.rule) for one in found.common if one.level is Level.HIGH],
        trends={(one.agent, one.rule): one.trend for one in changes},
    )
