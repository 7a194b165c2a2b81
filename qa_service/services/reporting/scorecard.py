"""The scorecard of an agent: scores, workload and faults, beside the own past and the team."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime

from qa_service.domain.figures import Grouping
from qa_service.domain.reporting.document import Paragraph, Report, Said, Section, said
from qa_service.domain.reporting.policy import ReportPolicy
from qa_service.services.reporting import causes, parts
from qa_service.services.reporting.reading import EVERYBODY, Line, Reading, Subject, by_rule, total


def scorecard(
    reading: Reading,
    agent_id: str,
    as_of: datetime,
    policy: ReportPolicy,
    *,
    least_peers: int = 1,
    with_others: bool = True,
) -> Report:
    """``agent_id``: somebody in scope. The team: the others of that which most of the agent's calls belong to;
    calls of which nobody told the agent are no colleague's.

    ``least_peers``: with fewer others nothing is told of them: two could tell each other's scores.
    """
    me = Subject(Grouping.AGENT, agent_id)
    team = reading.team_of(agent_id)
    around = EVERYBODY if team is None else Subject(Grouping.TEAM, team)
    own = reading.scores(me)
    myself = (agent_id, None)
    others = [line for line in reading.scores(around) if line.keys[0] not in myself]
    months = [line for line in reading.months(around) if line.keys[0] not in myself]
    # Added up, not taken away from the team's: whoever changed teams has calls outside of it.
    found = [line for line in reading.fault_lines(around) if line.keys[0] not in myself]
    if not with_others or len({line.keys[0] for line in others if line.totals.scored}) < least_peers:
        others, months, found = [], [], []
    answering = Counter(rule for rule, _ in {(line.rule, line.keys[0]) for line in found})
    theirs = {rule: totals for rule, totals in by_rule(found).items() if answering[rule] >= least_peers}
    steps = crowd(others, least_peers)
    if total(steps).calls < total(others).calls:
        steps = []  # what is left out of a step could be reckoned from the key figures, which hold it
    names = (Said("agent"), Said("team_others"))
    name = reading.names.get(agent_id)
    title = (
        said("title_agent", agent=agent_id)
        if name is None
        else said("title_agent_named", agent=agent_id, name=name)
    )
    about = Said("team_unknown") if team is None else said("team_is", team=team)
    faults = reading.faults(me)
    return Report(
        "agent",
        title,
        agent_id,
        reading.span,
        as_of,
        (
            Section(
                Said("scores"),
                (
                    *parts.cautions(reading, own),
                    Paragraph(about),
                    parts.key_figures(
                        own, reading.scores_before(me), policy, others=others, others_named=names[1]
                    ),
                    parts.trend(reading, own, steps, policy, names),
                    parts.history(reading.months(me), crowd(months, least_peers), policy, names),
                ),
            ),
            causes.section(reading.causes, [agent_id], [] if team is None else [team]),
            Section(
                Said("faults"),
                parts.faults(
                    faults,
                    reading.faults_before(me),
                    policy,
                    others=theirs,
                    others_named=names[1],
                ),
            ),
        ),
    )


def crowd(lines: Sequence[Line], least: int) -> list[Line]:
    """Those of steps in which at least so many agents had scored calls: of fewer each could tell the others'."""
    agents: dict[date, set[str | None]] = defaultdict(set)
    for line in lines:
        if line.totals.scored:
            agents[line.starts].add(line.keys[0])
    return [line for line in lines if len(agents[line.starts]) >= least]
