"""Verdicts and final scores on SQLAlchemy.

Guarantee: decisions about one call follow each other: whoever decides holds the call's row. What is decided is
added, never changed; a call's final score follows from machine and decisions in the same transaction.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from qa_service.db import documents
from qa_service.db.calls import place_call
from qa_service.db.inserting import insert_missing, storable
from qa_service.db.repositories import evaluation_of, result_of
from qa_service.db.rows import (
    CallRow,
    ConversationRow,
    EvaluationRow,
    FinalScoreRow,
    FindingRow,
    LatestEvaluationRow,
    RuleResultRow,
    RuleTallyRow,
    ScorecardRow,
    UserRow,
    VerdictRow,
)
from qa_service.domain.access import CallOwner
from qa_service.domain.queueing import Tally
from qa_service.domain.review import Cause, Decision, FindingState, Origin, Ruling, Verdict, final
from qa_service.domain.scoring import Evaluation
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import Clock
from qa_service.ports.review import FinalScore, Sheet, StoredFinding

_MOVED = 0.1
"""The queue is ordered anew when a rule's uncertainty has changed by this share."""


class SqlVerdictRepository:
    """Implements ``VerdictRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def hold_call(self, recording_id: int) -> None:
        held = select(CallRow.recording_id).where(CallRow.recording_id == recording_id).with_for_update()
        if self._session.scalar(held) is None:
            raise _no_call(recording_id)

    def owner(self, recording_id: int) -> CallOwner:
        told = self._session.execute(
            select(CallRow.vendor, CallRow.team, CallRow.agent_id).where(CallRow.recording_id == recording_id)
        ).one_or_none()
        if told is None:
            raise _no_call(recording_id)
        return CallOwner(told.vendor, told.team, told.agent_id)

    def finding(self, finding_id: int) -> StoredFinding:
        found = self._findings(FindingRow.id == finding_id)
        if not found:
            raise NotFoundError(
                "finding_not_found",
                f"no finding has the number {finding_id}: read the call's findings again",
                finding_id=finding_id,
            )
        return found[0]

    def sheet(self, recording_id: int) -> Sheet:
        owner = self.owner(recording_id)
        row = self._session.scalar(
            select(EvaluationRow)
            .join(LatestEvaluationRow, LatestEvaluationRow.evaluation_id == EvaluationRow.id)
            .where(LatestEvaluationRow.recording_id == recording_id)
            .options(selectinload(EvaluationRow.results))
        )
        if row is None:
            raise NotFoundError(
                "not_scored", f"recording {recording_id} has no evaluation: score it with `qa score`"
            )
        card = self._session.get(ScorecardRow, row.scorecard_digest) if row.scorecard_digest else None
        duration_s = self._session.scalar(
            select(ConversationRow.duration_s).where(ConversationRow.id == row.conversation_id)
        )
        return Sheet(
            evaluation=evaluation_of(row),
            scorecard=None if card is None else documents.load_scorecard(card.document),
            duration_s=duration_s or 0.0,
            owner=owner,
            findings=self._findings(FindingRow.evaluation_id == row.id),
            verdicts=self.of_call(recording_id),
            scores=self._scores(recording_id),
        )

    def open_finding(self, evaluation_id: int, rule: str) -> int:
        result_id = self._session.scalar(
            select(RuleResultRow.id).where(
                RuleResultRow.evaluation_id == evaluation_id, RuleResultRow.rule == storable(rule)
            )
        )
        if result_id is None:
            raise NotFoundError(
                "rule_result_not_found",
                f"the call was not judged by a rule {rule!r}: name one of its evaluation",
                rule=rule,
            )
        existing = self._session.scalar(select(FindingRow.id).where(FindingRow.rule_result_id == result_id))
        if existing is not None:
            raise ConflictError(
                "finding_exists",
                f"rule {rule} has a finding in this call already, number {existing}: decide that one",
                finding_id=existing,
            )
        row = FindingRow(
            evaluation_id=evaluation_id,
            rule_result_id=result_id,
            state=FindingState.OPEN.value,
            origin=Origin.HUMAN.value,
        )
        self._session.add(row)
        self._session.flush()
        return row.id

    def move(self, finding: StoredFinding, to: FindingState, *, due_at: datetime | None = None) -> None:
        """Raises ConflictError ``stale_version`` when somebody else was faster."""
        moved = self._session.execute(
            update(FindingRow)
            .where(FindingRow.id == finding.id, FindingRow.version == finding.version)
            .values(state=to.value, decided_at=self._clock.now(), due_at=due_at, version=FindingRow.version + 1)
            .returning(FindingRow.id)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if moved is None:
            raise ConflictError(
                "stale_version",
                f"finding {finding.id} has changed meanwhile: read it again, then decide",
                finding_id=finding.id,
            )

    def add(self, finding: StoredFinding, ruling: Ruling, *, user_id: int, cause: Cause, note: str) -> None:
        self._session.add(
            VerdictRow(
                finding_id=finding.id,
                recording_id=finding.recording_id,
                user_id=user_id,
                decision=ruling.decision.value,
                cause=cause.value,
                reason=ruling.reason,
                note=storable(note),
                start_s=ruling.start,
                end_s=ruling.end,
                at=self._clock.now(),
            )
        )
        self._session.flush()
        if finding.origin is Origin.MACHINE:
            self._learn(finding, ruling)
        self.rescore(finding.recording_id, cause=cause, user_id=user_id)

    def refresh(self, recording_id: int) -> None:
        place_call(self._session, recording_id)

    def of_call(self, recording_id: int) -> tuple[Verdict, ...]:
        return self._verdicts(VerdictRow.recording_id == recording_id)

    def rescore(self, recording_id: int, *, cause: Cause, user_id: int | None) -> None:
        """Fill the scorecard again; a final score is added when it differs from the one before."""
        sheet = self.sheet(recording_id)
        if sheet.scorecard is not None:
            filled = final(sheet.scorecard, sheet.evaluation.results, sheet.rulings)
            last = sheet.scores[-1] if sheet.scores else None
            before = sheet.evaluation.evaluation if last is None else last.evaluation
            moved = last is not None and last.evaluation_id != sheet.evaluation.id
            if filled != before or moved:
                self._session.add(
                    FinalScoreRow(
                        recording_id=recording_id,
                        evaluation_id=sheet.evaluation.id,
                        number=1 if last is None else last.number + 1,
                        score=filled.score,
                        raw_score=filled.raw_score,
                        bonus=filled.bonus,
                        coverage=filled.coverage,
                        fatal=filled.fatal,
                        sections=documents.dump_sections(filled.sections),
                        cause=cause.value,
                        user_id=user_id,
                        at=self._clock.now(),
                    )
                )
        place_call(self._session, recording_id)

    def _learn(self, finding: StoredFinding, ruling: Ruling) -> None:
        """Count the verdict; one that replaces another takes its place."""
        key = {"pack": finding.pack, "rule": finding.result.rule, "outcome": finding.result.outcome.value}
        now = self._clock.now()
        empty = {"confirmed": 0, "rejected": 0, "uncertainty": Tally().uncertainty, "moved_at": now}
        insert_missing(self._session, RuleTallyRow, "pack,rule,outcome", [key | empty])
        fault = ruling.decision.is_fault
        before = None if finding.ruling is None else finding.ruling.decision.is_fault
        tally = self._session.scalars(
            update(RuleTallyRow)
            .where(*(getattr(RuleTallyRow, name) == value for name, value in key.items()))
            .values(
                confirmed=RuleTallyRow.confirmed + int(fault) - int(before is True),
                rejected=RuleTallyRow.rejected + int(not fault) - int(before is False),
            )
            .returning(RuleTallyRow)
            .execution_options(synchronize_session=False, populate_existing=True)
        ).one()
        uncertainty = Tally(tally.confirmed, tally.rejected).uncertainty
        if abs(uncertainty - tally.uncertainty) > _MOVED * tally.uncertainty:
            tally.uncertainty, tally.moved_at = uncertainty, now
            self._session.flush()

    def _findings(self, *where: object) -> tuple[StoredFinding, ...]:
        rows = self._session.execute(
            select(FindingRow, RuleResultRow, EvaluationRow, LatestEvaluationRow.evaluation_id)
            .join(RuleResultRow, RuleResultRow.id == FindingRow.rule_result_id)
            .join(EvaluationRow, EvaluationRow.id == FindingRow.evaluation_id)
            .join(LatestEvaluationRow, LatestEvaluationRow.recording_id == EvaluationRow.recording_id)
            .where(*where)  # type: ignore[arg-type]
            .order_by(RuleResultRow.position)
            .execution_options(populate_existing=True)
        ).all()
        # Oldest first, so that the last of each finding is the one in force.
        said = self._verdicts(VerdictRow.finding_id.in_([finding.id for finding, *_ in rows]))
        rulings = {verdict.finding_id: verdict.ruling for verdict in said}
        return tuple(
            StoredFinding(
                id=finding.id,
                recording_id=evaluation.recording_id,
                evaluation_id=evaluation.id,
                in_force=latest == evaluation.id,
                pack=evaluation.pack,
                result=result_of(result),
                state=FindingState(finding.state),
                origin=Origin(finding.origin),
                ruling=rulings.get(finding.id),
                due_at=finding.due_at,
                found_at=evaluation.created_at,
                decided_at=finding.decided_at,
                version=finding.version,
            )
            for finding, result, evaluation, latest in rows
        )

    def _verdicts(self, *where: object) -> tuple[Verdict, ...]:
        rows = self._session.execute(
            select(VerdictRow, RuleResultRow.rule, UserRow.display_name)
            .join(FindingRow, FindingRow.id == VerdictRow.finding_id)
            .join(RuleResultRow, RuleResultRow.id == FindingRow.rule_result_id)
            .join(UserRow, UserRow.id == VerdictRow.user_id)
            .where(*where)  # type: ignore[arg-type]
            .order_by(VerdictRow.id)
        )
        return tuple(_verdict(*row) for row in rows)

    def _scores(self, recording_id: int) -> tuple[FinalScore, ...]:
        rows = self._session.execute(
            select(FinalScoreRow, UserRow.display_name, EvaluationRow.scorecard)
            .join(EvaluationRow, EvaluationRow.id == FinalScoreRow.evaluation_id)
            .outerjoin(UserRow, UserRow.id == FinalScoreRow.user_id)
            .where(FinalScoreRow.recording_id == recording_id)
            .order_by(FinalScoreRow.number)
        )
        return tuple(
            FinalScore(
                number=row.number,
                evaluation_id=row.evaluation_id,
                evaluation=Evaluation(
                    scorecard=scorecard,
                    score=row.score,
                    raw_score=row.raw_score,
                    coverage=row.coverage,
                    fatal=row.fatal,
                    sections=documents.load_sections(row.sections),
                    bonus=row.bonus,
                ),
                cause=Cause(row.cause),
                user_id=row.user_id,
                user_name=name,
                at=row.at,
            )
            for row, name, scorecard in rows
        )


def tallies_of(session: Session, packs: Iterable[str]) -> dict[tuple[str, str, str], Tally]:
    """Verdicts so far on the rules of ``packs``, by pack, rule and outcome."""
    rows = session.execute(
        select(
            *(RuleTallyRow.pack, RuleTallyRow.rule, RuleTallyRow.outcome),
            *(RuleTallyRow.confirmed, RuleTallyRow.rejected),
        ).where(RuleTallyRow.pack.in_(sorted(set(packs))))
    )
    return {(pack, rule, outcome): Tally(yes, no) for pack, rule, outcome, yes, no in rows}


def _verdict(row: VerdictRow, rule: str, name: str) -> Verdict:
    return Verdict(
        id=row.id,
        finding_id=row.finding_id,
        rule=rule,
        user_id=row.user_id,
        user_name=name,
        decision=Decision(row.decision),
        cause=Cause(row.cause),
        reason=row.reason,
        note=row.note,
        start=row.start_s,
        end=row.end_s,
        carried_from=row.carried_from,
        at=row.at,
    )


def _no_call(recording_id: int) -> NotFoundError:
    return NotFoundError(
        "recording_not_found",
        f"no recording has the number {recording_id}: list the recordings to see which exist",
        recording_id=recording_id,
    )
