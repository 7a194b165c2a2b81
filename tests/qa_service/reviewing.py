"""A small site with calls to review and people, for tests of what people decide."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import func, select

from qa_service.db.rows import ReviewItemRow, UserRow
from qa_service.db.session import Database
from qa_service.domain.access import PERMISSIONS, Principal, Role, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation
from qa_service.domain.metrics import MetricOptions, measure
from qa_service.domain.queueing import ReviewPolicy
from qa_service.domain.results import Evidence, Outcome, RuleResult, Severity
from qa_service.domain.scoring import Fatal, Scorecard, ScorecardItem, ScorecardSection, fill
from qa_service.ports.review import Sheet, StoredFinding
from tests.qa_service.db import builders

WHEN = datetime(2026, 3, 2, tzinfo=UTC)
CARD = Scorecard(
    "service",
    0.5,
    (
        ScorecardSection("script", "Script", (ScorecardItem("opening", 40), ScorecardItem("closing", 30))),
        ScorecardSection("conduct", "Conduct", (ScorecardItem("argue", 30, Fatal.CALL),)),
    ),
)
ALL = ReviewPolicy(random_share=1.0)
"""Every unflagged call is looked at."""


def found(
    rule: str, outcome: Outcome, severity: Severity = Severity.MAJOR, *, at: float = 1.0, grade: int | None = None
) -> RuleResult:
    evidence = (Evidence(at, at + 1.0, quote="您好"),) if outcome is Outcome.NOT_MET else ()
    return RuleResult(rule, rule, outcome, severity, evidence, grade=grade)


def results(
    opening: Outcome = Outcome.MET, closing: Outcome = Outcome.MET, argue: Outcome = Outcome.MET, at: float = 1.0
) -> tuple[RuleResult, ...]:
    return (
        found("opening", opening, at=at),
        found("closing", closing, Severity.MINOR, at=at),
        found("argue", argue, Severity.CRITICAL, at=at),
    )


@dataclass
class Site:
    """Calls and people on ``database``."""

    database: Database
    policy: ReviewPolicy = field(default_factory=lambda: ReviewPolicy(random_share=0.0))

    def person(self, login: str, *roles: Role, scope: Scope | None = None) -> Principal:
        scope = scope or Scope()
        row = UserRow(
            login=login,
            name=login,
            display_name=login.title(),
            roles=[role.value for role in roles],
            vendor=scope.vendor,
            teams=sorted(scope.teams) if scope.teams is not None else None,
            agent_id=scope.agent_id,
            active=True,
            failures=0,
            created_at=WHEN,
            updated_at=WHEN,
        )
        with self.database.unit_of_work() as unit:
            unit.session.add(row)
            unit.commit()
        permissions = frozenset[object]().union(*(PERMISSIONS[role] for role in roles))
        return Principal(row.id, login, frozenset(roles), scope, permissions, "session")  # type: ignore[arg-type]

    def call(
        self,
        name: str,
        answers: tuple[RuleResult, ...] = (),
        *,
        metadata: CallMetadata | None = None,
        key: str = "",
        policy: ReviewPolicy | None = None,
        card: Scorecard | None = CARD,
        heard: Conversation | None = None,
    ) -> int:
        """A scored call, or a known one scored again under another ``key``; its number. ``heard``: what was
        said in it, where a test is about that."""
        answers = answers or results(opening=Outcome.NOT_MET)
        recording = builders.add_recording(self.database, name.encode())
        with self.database.unit_of_work() as unit:
            if metadata is not None:
                unit.metadata.put(recording.id, metadata)
            stored = unit.conversations.add(
                f"heard {name}", recording.id, heard or builders.conversation(), elapsed_s=1.0
            )
            unit.evaluations.add(
                f"{name} {key}",
                conversation=stored,
                pack="service-zh",
                ruleset_digest="d",
                evaluation=fill(CARD, answers),
                results=answers,
                metrics=measure(heard or builders.conversation(), metadata or CallMetadata(), MetricOptions()),
                scorecard=card,
            )
            unit.review.place(recording.id, policy or self.policy)
            unit.commit()
        return recording.id

    def sheet(self, recording_id: int) -> Sheet:
        with self.database.unit_of_work(read_only=True) as unit:
            return unit.verdicts.sheet(recording_id)

    def finding(self, recording_id: int, rule: str = "opening") -> StoredFinding:
        (found,) = (f for f in self.sheet(recording_id).findings if f.result.rule == rule)
        return found

    def item(self, recording_id: int) -> ReviewItemRow | None:
        with self.database.unit_of_work(read_only=True) as unit:
            return unit.session.get(ReviewItemRow, recording_id)

    def count(self, row: type) -> int:
        with self.database.unit_of_work(read_only=True) as unit:
            return unit.session.scalar(select(func.count()).select_from(row)) or 0
