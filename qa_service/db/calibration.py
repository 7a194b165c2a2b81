"""Calibration sessions on SQLAlchemy.

Guarantee: rows of answers, decisions and steps are only ever added; whoever changes a session's state waits until
nobody writes into it, and the other way round.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from qa_service.db.inserting import storable
from qa_service.db.rows import (
    CalibrationAnswerRow,
    CalibrationCallRow,
    CalibrationCriterionRow,
    CalibrationDecisionRow,
    CalibrationReviewerRow,
    CalibrationSessionRow,
    CalibrationStepRow,
    CallRow,
    EvaluationRow,
    LatestEvaluationRow,
    RuleResultRow,
    UserRow,
)
from qa_service.domain.access import CallOwner
from qa_service.domain.agreement import Scale, Value
from qa_service.domain.calibration import MACHINE, Answer, CalibrationSession, Criterion, Place, SessionState
from qa_service.ports import Clock

SCORE = "score"
"""The criterion of points for which the machine's answer is the evaluation's score."""


class SqlCalibrationRepository:
    """Implements ``CalibrationRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def add(
        self,
        *,
        title: str,
        by: int,
        recording_ids: Sequence[int],
        criteria: Sequence[Criterion],
        reviewers: Sequence[int],
    ) -> CalibrationSession:
        now = self._clock.now()
        row = CalibrationSessionRow(
            title=storable(title), state=SessionState.OPEN, version=1, created_by=by, created_at=now
        )
        self._session.add(row)
        self._session.flush()
        self._step(row.id, SessionState.OPEN, by)
        evaluations = dict(
            self._session.execute(
                select(LatestEvaluationRow.recording_id, LatestEvaluationRow.evaluation_id).where(
                    LatestEvaluationRow.recording_id.in_(recording_ids)
                )
            ).all()
        )
        self._session.add_all(
            CalibrationCallRow(
                session_id=row.id, recording_id=id_, position=position, evaluation_id=evaluations.get(id_)
            )
            for position, id_ in enumerate(recording_ids)
        )
        self._session.add_all(
            CalibrationCriterionRow(session_id=row.id, name=each.name, position=position, scale=each.scale)
            for position, each in enumerate(criteria)
        )
        self._session.add_all(CalibrationReviewerRow(session_id=row.id, user_id=user) for user in reviewers)
        self._session.flush()
        (added,) = self._sessions([row])
        return added

    def get(self, session_id: int) -> CalibrationSession | None:
        return next(
            iter(self._found(select(CalibrationSessionRow).where(CalibrationSessionRow.id == session_id))), None
        )

    def held(self, session_id: int, *, alone: bool) -> CalibrationSession | None:
        wanted = select(CalibrationSessionRow).where(CalibrationSessionRow.id == session_id)
        # Read after the wait: the state may be another by then.
        held = wanted.with_for_update(read=not alone).execution_options(populate_existing=True)
        return next(iter(self._found(held)), None)

    def page(self, *, of: int | None, before: int | None, limit: int) -> tuple[CalibrationSession, ...]:
        wanted = select(CalibrationSessionRow).order_by(CalibrationSessionRow.id.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(CalibrationSessionRow.id < before)
        if of is not None:
            taking = select(CalibrationReviewerRow.session_id).where(CalibrationReviewerRow.user_id == of)
            wanted = wanted.where(
                or_(CalibrationSessionRow.created_by == of, CalibrationSessionRow.id.in_(taking))
            )
        return self._found(wanted)

    def move(self, session: CalibrationSession, *, to: SessionState, by: int) -> CalibrationSession:
        row = self._session.get_one(CalibrationSessionRow, session.id)
        row.state, row.version = to.value, session.version + 1
        self._step(session.id, to, by)
        self._session.flush()
        (moved,) = self._sessions([row])
        return moved

    def answer(self, session_id: int, answers: Sequence[Answer]) -> None:
        now = self._clock.now()
        self._session.add_all(
            CalibrationAnswerRow(
                session_id=session_id,
                recording_id=answer.place.recording_id,
                criterion=answer.place.criterion,
                user_id=answer.user_id,
                value=_text(answer.value),
                note=storable(answer.note),
                at=now,
            )
            for answer in answers
        )
        self._session.flush()

    def answers(self, session_id: int, *, of: int | None = None) -> tuple[Answer, ...]:
        wanted = (
            select(CalibrationAnswerRow, CalibrationCriterionRow.scale)
            .join(
                CalibrationCriterionRow,
                (CalibrationCriterionRow.session_id == CalibrationAnswerRow.session_id)
                & (CalibrationCriterionRow.name == CalibrationAnswerRow.criterion),
            )
            .where(CalibrationAnswerRow.session_id == session_id)
            .order_by(CalibrationAnswerRow.id)
        )
        if of is not None:
            wanted = wanted.where(CalibrationAnswerRow.user_id == of)
        return tuple(
            Answer(Place(row.recording_id, row.criterion), row.user_id, _value(row.value, scale), row.note, row.at)
            for row, scale in self._session.execute(wanted)
        )

    def answered(self, session_id: int) -> Mapping[int, int]:
        # Revisions are rows of their own: of a reviewer's answers to a place one counts.
        places = (
            select(CalibrationAnswerRow.user_id, CalibrationAnswerRow.recording_id, CalibrationAnswerRow.criterion)
            .where(CalibrationAnswerRow.session_id == session_id)
            .distinct()
            .subquery()
        )
        rows = self._session.execute(select(places.c.user_id, func.count()).group_by(places.c.user_id))
        return dict(rows.all())

    def machine(self, session_id: int) -> tuple[Answer, ...]:
        rows = self._session.execute(
            select(
                CalibrationCallRow.recording_id,
                CalibrationCriterionRow.name,
                CalibrationCriterionRow.scale,
                RuleResultRow.outcome,
                RuleResultRow.grade,
                EvaluationRow.score,
            )
            .join(CalibrationCriterionRow, CalibrationCriterionRow.session_id == CalibrationCallRow.session_id)
            .join(EvaluationRow, EvaluationRow.id == CalibrationCallRow.evaluation_id)
            .outerjoin(
                RuleResultRow,
                (RuleResultRow.evaluation_id == EvaluationRow.id)
                & (RuleResultRow.rule == CalibrationCriterionRow.name),
            )
            .where(CalibrationCallRow.session_id == session_id)
            .order_by(CalibrationCallRow.position, CalibrationCriterionRow.position)
        )
        found = (
            (Place(recording_id, name), _of_machine(name, Scale(scale), outcome, grade, score))
            for recording_id, name, scale, outcome, grade, score in rows
        )
        return tuple(Answer(place, MACHINE, value) for place, value in found if value is not None)

    def decide(self, session_id: int, *, by: int, values: Mapping[Place, Value], note: str) -> None:
        now = self._clock.now()
        self._session.add_all(
            CalibrationDecisionRow(
                session_id=session_id,
                recording_id=place.recording_id,
                criterion=place.criterion,
                user_id=by,
                value=_text(value),
                note=storable(note),
                at=now,
            )
            for place, value in values.items()
        )
        self._session.flush()

    def decided(self, session_id: int) -> Mapping[Place, Value]:
        rows = self._session.execute(
            select(
                CalibrationDecisionRow.recording_id,
                CalibrationDecisionRow.criterion,
                CalibrationDecisionRow.value,
                CalibrationCriterionRow.scale,
            )
            .join(
                CalibrationCriterionRow,
                (CalibrationCriterionRow.session_id == CalibrationDecisionRow.session_id)
                & (CalibrationCriterionRow.name == CalibrationDecisionRow.criterion),
            )
            .where(CalibrationDecisionRow.session_id == session_id)
            .order_by(CalibrationDecisionRow.id)
        )
        return {Place(recording, criterion): _value(value, scale) for recording, criterion, value, scale in rows}

    def owners(self, recording_ids: Collection[int]) -> Mapping[int, CallOwner]:
        rows = self._session.execute(
            select(CallRow.recording_id, CallRow.vendor, CallRow.team, CallRow.agent_id).where(
                CallRow.recording_id.in_(recording_ids)
            )
        )
        return {recording_id: CallOwner(vendor, team, agent) for recording_id, vendor, team, agent in rows}

    def missing_users(self, user_ids: Collection[int]) -> frozenset[int]:
        known = self._session.scalars(select(UserRow.id).where(UserRow.id.in_(user_ids), UserRow.active))
        return frozenset(user_ids) - frozenset(known)

    def hidden_from(self, user_id: int, recording_ids: Collection[int]) -> frozenset[int]:
        wanted = CalibrationCallRow.recording_id.in_(recording_ids)
        return frozenset(self._session.scalars(blind_calls(user_id).where(wanted).distinct()))

    def _step(self, session_id: int, to: SessionState, by: int) -> None:
        step = CalibrationStepRow(session_id=session_id, to_state=to, user_id=by, at=self._clock.now())
        self._session.add(step)

    def _found(self, wanted: Select[CalibrationSessionRow]) -> tuple[CalibrationSession, ...]:
        return self._sessions(self._session.scalars(wanted).all())

    def _sessions(self, rows: Sequence[CalibrationSessionRow]) -> tuple[CalibrationSession, ...]:
        """Sessions with what belongs to them, in three statements however many there are."""
        ids = [row.id for row in rows]
        calls = _grouped(
            self._session.execute(
                select(CalibrationCallRow.session_id, CalibrationCallRow.recording_id)
                .where(CalibrationCallRow.session_id.in_(ids))
                .order_by(CalibrationCallRow.position)
            )
        )
        reviewers = _grouped(
            self._session.execute(
                select(CalibrationReviewerRow.session_id, CalibrationReviewerRow.user_id)
                .where(CalibrationReviewerRow.session_id.in_(ids))
                .order_by(CalibrationReviewerRow.user_id)
            )
        )
        criteria: dict[int, list[Criterion]] = {}
        for row in self._session.scalars(
            select(CalibrationCriterionRow)
            .where(CalibrationCriterionRow.session_id.in_(ids))
            .order_by(CalibrationCriterionRow.position)
        ):
            criteria.setdefault(row.session_id, []).append(Criterion(row.name, Scale(row.scale)))
        return tuple(
            CalibrationSession(
                id=row.id,
                title=row.title,
                state=SessionState(row.state),
                version=row.version,
                created_by=row.created_by,
                created_at=row.created_at,
                recording_ids=tuple(calls.get(row.id, ())),
                criteria=tuple(criteria.get(row.id, ())),
                reviewers=tuple(reviewers.get(row.id, ())),
            )
            for row in rows
        )


def _grouped(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _text(value: Value) -> str:
    return value if isinstance(value, str) else repr(float(value))


def _value(text: str, scale: str) -> Value:
    return text if scale == Scale.NOMINAL else float(text)


def _of_machine(
    name: str, scale: Scale, outcome: str | None, grade: int | None, score: float | None
) -> Value | None:
    if scale is Scale.NOMINAL:
        return outcome
    if scale is Scale.ORDINAL:
        return None if grade is None else float(grade)
    return score if name == SCORE else None


def blind_calls(user_id: int) -> Select[int]:
    """Numbers of the recordings that this user is to score blind."""
    return (
        select(CalibrationCallRow.recording_id)
        .join(CalibrationSessionRow, CalibrationSessionRow.id == CalibrationCallRow.session_id)
        .join(CalibrationReviewerRow, CalibrationReviewerRow.session_id == CalibrationCallRow.session_id)
        .where(CalibrationReviewerRow.user_id == user_id, CalibrationSessionRow.state == SessionState.OPEN)
    )
