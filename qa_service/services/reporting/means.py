"""Means of scores as reports tell them."""

from qa_service.domain.figures import ScoreTotals
from qa_service.domain.means import mean_interval
from qa_service.domain.reporting.document import Measure, Unit


def mean_score(totals: ScoreTotals, *, least: int) -> Measure:
    """The mean final score of calls with its interval, or that fewer than ``least`` were scored."""
    if totals.scored < least or totals.mean is None:
        return Measure(None, Unit.POINTS, size=totals.scored, too_few=True)
    return Measure(totals.mean, Unit.POINTS, mean_interval(totals), totals.scored)
