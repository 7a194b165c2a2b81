"""Measurements of rules, and proposals to shadow them, on SQLAlchemy. Rows are only ever added."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session

from qa_service.db import documents
from qa_service.db.inserting import insert_or_get, storable
from qa_service.db.rows import (
    QualityMeasurementRow,
    RuleFiguresRow,
    ShadowDecisionRow,
    ShadowProposalRow,
)
from qa_service.db.rule_records import read_records
from qa_service.domain.proportions import Share, share
from qa_service.domain.quality import Measurement, RuleAt, RuleFigures, RuleRecord, ShadowProposal
from qa_service.ports import Clock

_COUNTING = 0x51_55_41_4C
"""The advisory lock of whoever counts; no other use of such locks is made."""
_VERSION = (ShadowProposalRow.pack, ShadowProposalRow.rule, ShadowProposalRow.digest)


class SqlQualityRepository:
    """Implements ``QualityRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def records(self, *, edges: Sequence[datetime], until: datetime) -> Mapping[RuleAt, RuleRecord]:
        return read_records(self._session, edges=edges, until=until)

    def alone(self) -> bool:
        if self._session.get_bind().dialect.name != "postgresql":
            return True  # one machine with a small store: who counts twice there loses nothing
        return bool(self._session.scalar(select(func.pg_try_advisory_xact_lock(_COUNTING))))

    def measured(self, key: str) -> bool:
        wanted = select(QualityMeasurementRow.id).where(QualityMeasurementRow.key == key)
        return self._session.scalar(wanted) is not None

    def add(self, key: str, *, since: datetime, until: datetime, figures: Sequence[RuleFigures]) -> bool:
        row, is_new = insert_or_get(
            self._session,
            lambda: self._session.scalar(select(QualityMeasurementRow).where(QualityMeasurementRow.key == key)),
            lambda: QualityMeasurementRow(key=key, since=since, until=until),
        )
        if is_new:
            self._session.add_all(
                RuleFiguresRow(
                    measurement_id=row.id,
                    pack=each.of.pack,
                    rule=each.of.rule,
                    digest=each.of.digest,
                    document=documents.dump_figures(each),
                )
                for each in figures
            )
            self._session.flush()
        return is_new

    def latest(self) -> Measurement | None:
        row = self._session.scalar(
            select(QualityMeasurementRow).order_by(QualityMeasurementRow.id.desc()).limit(1)
        )
        if row is None:
            return None
        figures = self._session.scalars(
            select(RuleFiguresRow.document)
            .where(RuleFiguresRow.measurement_id == row.id)
            .order_by(RuleFiguresRow.pack, RuleFiguresRow.rule, RuleFiguresRow.digest)
        )
        return Measurement(row.id, row.since, row.until, tuple(map(documents.load_figures, figures)))

    def history(self, pack: str, rule: str, *, limit: int) -> tuple[tuple[datetime, RuleFigures], ...]:
        rows = self._session.execute(
            select(QualityMeasurementRow.until, RuleFiguresRow.document)
            .join(QualityMeasurementRow, QualityMeasurementRow.id == RuleFiguresRow.measurement_id)
            .where(RuleFiguresRow.pack == pack, RuleFiguresRow.rule == rule)
            .order_by(RuleFiguresRow.measurement_id.desc(), RuleFiguresRow.id)
            .limit(limit)
        )
        return tuple((until, documents.load_figures(document)) for until, document in rows)

    def propose(self, of: RuleAt, precision: Share, *, target: float) -> ShadowProposal:
        before = self._session.scalar(
            select(func.max(ShadowProposalRow.number)).where(
                ShadowProposalRow.pack == of.pack,
                ShadowProposalRow.rule == of.rule,
                ShadowProposalRow.digest == of.digest,
            )
        )
        row = ShadowProposalRow(
            pack=of.pack,
            rule=of.rule,
            digest=of.digest,
            number=(before or 0) + 1,
            judged=precision.total,
            right=precision.count,
            target=target,
            created_at=self._clock.now(),
        )
        self._session.add(row)
        self._session.flush()
        return _proposal(row, None)

    def proposal(self, proposal_id: int) -> ShadowProposal | None:
        held = select(ShadowProposalRow.id).where(ShadowProposalRow.id == proposal_id).with_for_update()
        if self._session.scalar(held) is None:
            return None
        # Read after the wait: somebody else may have decided meanwhile.
        return self._proposals(_proposed().where(ShadowProposalRow.id == proposal_id))[0]

    def proposals(self, *, undecided: bool, before: int | None, limit: int) -> tuple[ShadowProposal, ...]:
        wanted = _proposed().order_by(ShadowProposalRow.id.desc()).limit(limit)
        if undecided:
            wanted = wanted.where(ShadowDecisionRow.proposal_id.is_(None))
        if before is not None:
            wanted = wanted.where(ShadowProposalRow.id < before)
        return self._proposals(wanted)

    def last_proposals(self, versions: Collection[RuleAt]) -> Mapping[RuleAt, ShadowProposal]:
        keys = [(of.pack, of.rule, of.digest) for of in versions]
        found = self._proposals(_proposed().where(tuple_(*_VERSION).in_(keys)).order_by(ShadowProposalRow.number))
        return {proposal.of: proposal for proposal in found}

    def decide(self, proposal: ShadowProposal, *, accept: bool, by: int, note: str) -> ShadowProposal:
        decision = ShadowDecisionRow(
            proposal_id=proposal.id, accepted=accept, user_id=by, note=storable(note), at=self._clock.now()
        )
        self._session.add(decision)
        self._session.flush()
        return _proposal(self._session.get_one(ShadowProposalRow, proposal.id), decision)

    def _proposals(
        self, wanted: Select[ShadowProposalRow, ShadowDecisionRow | None]
    ) -> tuple[ShadowProposal, ...]:
        return tuple(_proposal(row, decision) for row, decision in self._session.execute(wanted))


def _proposed() -> Select[ShadowProposalRow, ShadowDecisionRow | None]:
    return select(ShadowProposalRow, ShadowDecisionRow).outerjoin(
        ShadowDecisionRow, ShadowDecisionRow.proposal_id == ShadowProposalRow.id
    )


def _proposal(row: ShadowProposalRow, decision: ShadowDecisionRow | None) -> ShadowProposal:
    proposed = ShadowProposal(
        id=row.id,
        of=RuleAt(row.pack, row.rule, row.digest),
        precision=share(row.right, row.judged),
        target=row.target,
        created_at=row.created_at,
    )
    if decision is None:
        return proposed
    return replace(
        proposed,
        accepted=decision.accepted,
        decided_by=decision.user_id,
        decided_at=decision.at,
        note=decision.note,
    )
