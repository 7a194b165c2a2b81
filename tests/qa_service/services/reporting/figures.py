"""Days of agents in a store, from calls that a test writes down."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy.orm import Session

from qa_service.db.rows import AgentDayRow, AgentRow, BehaviourDayRow, TeamRow

Key = tuple[str, date, str, str, str]


@dataclass(frozen=True)
class Counted:
    """A call. ``rules``: what each said: ``ok``, ``fault`` or ``confirmed``."""

    day: date
    agent: str | None
    team: str | None = "A"
    vendor: str | None = "V"
    queue: str | None = "billing"
    score: float | None = 80.0
    fatal: bool = False
    duration_s: float = 120.0
    rules: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return (self.agent or "", self.day, self.team or "", self.vendor or "", self.queue or "")


def write_days(session: Session, calls: Sequence[Counted]) -> None:
    """Add the calls up and store the sums; days that are there already must not be among them."""
    scores: dict[Key, list[Counted]] = defaultdict(list)
    faults: dict[tuple[Key, str], list[str]] = defaultdict(list)
    for call in calls:
        scores[call.key].append(call)
        for rule, said in call.rules.items():
            faults[call.key, rule].append(said)
    for key, each in scores.items():
        points = [call.score for call in each if call.score is not None]
        session.add(
            AgentDayRow(
                **_named(key),
                calls=len(each),
                scored=len(points),
                points=sum(points),
                squares=sum(one**2 for one in points),
                fatal=sum(call.fatal for call in each),
                duration_s=sum(call.duration_s for call in each),
            )
        )
    for (key, rule), answers in faults.items():
        session.add(
            BehaviourDayRow(
                **_named(key),
                rule=rule,
                calls=len(answers),
                faults=sum(said != "ok" for said in answers),
                confirmed=sum(said == "confirmed" for said in answers),
            )
        )
    _introduce(session, calls)
    session.flush()


def _introduce(session: Session, calls: Sequence[Counted]) -> None:
    for team in sorted({call.team for call in calls if call.team}):
        session.merge(TeamRow(name=team, vendor="V", version=1))
    for agent, team in sorted({(call.agent, call.team) for call in calls if call.agent and call.team}):
        if session.get(AgentRow, agent) is None:  # else somebody who changed teams
            session.add(AgentRow(agent_id=agent, name=f"Name {agent}", team=team, version=1))


def _named(key: Key) -> dict[str, str | date]:
    return dict(zip(("agent_id", "day", "team", "vendor", "queue"), key, strict=True))
