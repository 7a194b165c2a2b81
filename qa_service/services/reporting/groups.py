"""Reports about many: a team's agents, a vendor's teams, the teams of the site."""

from dataclasses import replace
from datetime import datetime

from qa_service.domain.figures import Grouping
from qa_service.domain.reporting.document import Report, Said, Section, said
from qa_service.domain.reporting.policy import ReportPolicy
from qa_service.services.reporting import causes, parts, vendors
from qa_service.services.reporting.reading import EVERYBODY, Reading, Subject


def team(reading: Reading, name: str, as_of: datetime, policy: ReportPolicy) -> Report:
    """A team: its agents side by side, and the whole beside the other teams."""
    return _group(reading, Subject(Grouping.TEAM, name), Grouping.AGENT, as_of, policy)


def vendor(
    reading: Reading, name: str, as_of: datetime, policy: ReportPolicy, measure: vendors.MeasureVendor
) -> Report:
    """A vendor: what was agreed with it, its teams side by side, and the whole beside the rest of the site."""
    report = _group(reading, Subject(Grouping.VENDOR, name), Grouping.TEAM, as_of, policy)
    return replace(report, sections=(vendors.section(reading, name, measure), *report.sections))


def _group(reading: Reading, subject: Subject, members: Grouping, as_of: datetime, policy: ReportPolicy) -> Report:
    assert subject.by is not None
    kind = subject.by.value
    own = reading.scores(subject)
    others = [line for line in reading.scores() if not subject.has(line.keys)]
    months = [line for line in reading.months() if not subject.has(line.keys)]
    names = (Said(kind), Said(f"{kind}_others"))
    faults = reading.faults(subject)
    return Report(
        kind,
        said(f"title_{kind}", name=subject.name),
        subject.name,
        reading.span,
        as_of,
        (
            Section(
                Said("scores"),
                (
                    *parts.cautions(reading, own),
                    parts.key_figures(
                        own, reading.scores_before(subject), policy, others=others, others_named=names[1]
                    ),
                    parts.trend(reading, own, others, policy, names),
                    parts.history(reading.months(subject), months, policy, names),
                ),
            ),
            Section(Said(f"members_{members.value}"), parts.compared(reading, members, subject, policy)),
            causes.section(
                reading.causes,
                reading.members(Grouping.AGENT, subject),
                reading.members(Grouping.TEAM, subject),
                of_teams=True,
            ),
            Section(
                Said("faults"),
                parts.faults(
                    faults,
                    reading.faults_before(subject),
                    policy,
                    others=parts.less(reading.faults(EVERYBODY), faults),
                    others_named=names[1],
                ),
            ),
        ),
    )
