"""What was found in calls of sales staff, for their department to correct (`docs/figures/reports.md`).

Guarantee: what nobody has confirmed is told apart from what somebody has, and is no accusation.
"""

from collections import defaultdict
from datetime import datetime

from qa_service.domain.figures import NO_FAULTS, FaultTotals, Grouping
from qa_service.domain.reporting.document import (
    Caution,
    Cell,
    Report,
    RuleName,
    Said,
    Section,
    Table,
    columns,
    measured_share,
)
from qa_service.domain.reporting.policy import ReportPolicy
from qa_service.services.reporting import parts
from qa_service.services.reporting.reading import EVERYBODY, Reading


def sales(reading: Reading, as_of: datetime, policy: ReportPolicy) -> Report:
    """``reading``: of the queues of sales staff."""
    lines = reading.scores()
    named = () if policy.sales_queues else (Caution(Said("no_sales_queues")),)
    found: dict[tuple[str, str], FaultTotals] = defaultdict(lambda: NO_FAULTS)
    for line in reading.fault_lines():
        found[line.keys[0] or "", line.rule] += line.totals
    rows: list[tuple[Cell, ...]] = [
        (
            *(agent, reading.names.get(agent, ""), RuleName(rule)),
            *(totals.calls, totals.confirmed, totals.unreviewed),
            measured_share(totals.rate, least=policy.least_calls),
        )
        for (agent, rule), totals in sorted(found.items(), key=lambda one: (-one[1].confirmed, one[0]))
        if totals.faults
    ]
    titles = columns(
        *("agent", "agent_name", "rule", "calls", "confirmed", "unreviewed", "rate"), measured=("rate",)
    )
    table = Table(Said("to_correct"), titles, tuple(rows), (Said("unreviewed_note"),), Said("no_faults"))
    return Report(
        "sales",
        Said("title_sales"),
        "",
        reading.span,
        as_of,
        (
            Section(Said("to_correct"), (*named, *parts.cautions(reading, lines), table)),
            Section(Said("members_agent"), parts.compared(reading, Grouping.AGENT, EVERYBODY, policy)),
            Section(
                Said("faults"),
                parts.faults(reading.faults(), reading.faults_before(), policy),
            ),
        ),
    )
