"""What a site asks of its reports."""

from dataclasses import dataclass, field

from qa_service.domain.causes import CausePolicy


@dataclass(frozen=True, slots=True)
class ReportPolicy:
    """Args:
    least_calls: with fewer a mean or a share is not told.
    least_peers: agents see the others of their team where there are so many.
    workload: answered calls an agent a day: the norm.
    sales_queues: where sales staff work.
    causes: what it takes to name somebody.
    """

    least_calls: int = 30
    least_peers: int = 3
    workload: int = 70
    sales_queues: frozenset[str] = frozenset()
    causes: CausePolicy = field(default_factory=CausePolicy)
