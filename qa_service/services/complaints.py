"""Complaints, as people handle them: raised by hand, answered by their owner, verified, handled, corrected.

Guarantee: no state is skipped, and each step is a row with who took it, when and what they said of it. What a
level demands comes first: level 3 speaks with the authority before the customer, levels 2 and 3 end with a
written report.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from qa_service.domain.access import CallOwner, Permission, Principal, permissions_of
from qa_service.domain.complaint_analysis import ComplaintAnalysis, ComplaintFact, analyse
from qa_service.domain.complaints import (
    BY_MACHINE,
    LEVELS,
    ComplaintPolicy,
    ComplaintState,
    ComplaintStep,
    Missing,
    follow,
    may_follow,
    missing,
)
from qa_service.domain.results import Evidence
from qa_service.errors import ConflictError, InputError, NotFoundError, PermissionDeniedError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.complaints import Complaint, ComplaintFilter, NewComplaint, StepTaken
from qa_service.ports.people import Origin
from qa_service.services.complaint_watch import owner_of
from qa_service.services.findings import checked_note, not_blind

REPORT_CHARACTERS: Final = 20_000
_SAYS_WHY: Final = frozenset(
    {
        *(ComplaintStep.DROP, ComplaintStep.REINSTATE, ComplaintStep.REGRADE, ComplaintStep.VERIFY),
        *(ComplaintStep.HANDLE, ComplaintStep.CORRECT, ComplaintStep.CLOSE, ComplaintStep.REPORT),
    }
)
_REMEDIES: Final = {
    Missing.AUTHORITY: "a complaint of level 3 is spoken of with the authority first: record that step",
    Missing.REPORT: "complaints of levels 2 and 3 end with a written report: record it first",
    Missing.VALID: "a norm was broken: say what was corrected",
    Missing.NOT_VALID: "no norm was broken, so there is nothing to correct: close it",
}


@dataclass(frozen=True, slots=True)
class ComplaintInFull:
    """A complaint with its steps; ``evidence``: where it is said, by the evaluation in force."""

    complaint: Complaint
    steps: tuple[StepTaken, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class StepAsked:
    """A step as somebody wants to take it. ``valid`` and ``cause`` (the norm that was broken, best a rule's id):
    to verify; ``level``: to regrade; ``recording_id``: of the call in which the customer was followed up."""

    step: ComplaintStep
    note: str = ""
    valid: bool | None = None
    cause: str = ""
    level: int | None = None
    recording_id: int | None = None


@dataclass(frozen=True, slots=True)
class Raised:
    """A complaint as somebody raises it: about a recording, or about whatever is told of the call."""

    level: int
    what: str
    recording_id: int | None = None
    customer_ref: str | None = None
    of: CallOwner = field(default_factory=CallOwner)


class Complaints:
    """Args:
    units: where they are stored.
    units_to_read: the same, for reading only.
    clock: the time.
    policy: whose complaints are to answer, and until when.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        clock: Clock,
        policy: ComplaintPolicy,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock
        self._policy = policy

    def page(
        self,
        who: Principal,
        *,
        states: Collection[ComplaintState],
        level: int | None = None,
        team: str | None = None,
        mine: bool = False,
        overdue: bool = False,
        after: tuple[datetime, int] | None = None,
        limit: int = 50,
    ) -> tuple[Complaint, ...]:
        """What is due first first."""
        wanted = ComplaintFilter(
            states=states,
            level=level,
            team=team,
            owner_id=who.user_id if mine else None,
            overdue_at=self._clock.now() if overdue else None,
        )
        with self._units_to_read() as unit:
            return unit.complaints.page(who.scope, wanted, hidden_from=who.user_id, after=after, limit=limit)

    def get(self, who: Principal, complaint_id: int) -> ComplaintInFull:
        """Raises NotFoundError ``complaint_not_found``, ConflictError ``call_blind``."""
        with self._units_to_read() as unit:
            complaint = unit.complaints.get(complaint_id, who.scope)
            _open_to(unit, who, complaint)
            return self._full(unit, who, complaint)

    def is_overdue(self, complaint: Complaint) -> bool:
        return complaint.is_overdue(self._clock.now())

    def raise_(
        self,
        who: Principal,
        raised: Raised,
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> ComplaintInFull:
        """Raise a complaint by hand.

        Raises:
            InputError: ``complaint_level_unknown``, ``reason_missing``.
            NotFoundError: ``recording_not_found``.
            ConflictError: ``complaint_exists``.
            PermissionDeniedError: ``outside_scope``.
        """
        _check_level(raised.level)
        what = checked_note(raised.what)
        if not what:
            raise InputError("reason_missing", "nobody can answer a complaint without knowing it: say what it is")
        now = self._clock.now()
        with self._units() as unit:
            of, name, queue, reference = raised.of, None, None, raised.customer_ref
            if raised.recording_id is not None:
                self._reachable(unit, who, raised.recording_id)
                call = unit.complaints.graded([raised.recording_id])[raised.recording_id]
                of, name, queue = call.of, call.agent_name, call.queue
                reference = call.customer_ref or reference
            elif not who.scope.covers(of):
                raise PermissionDeniedError(
                    "outside_scope",
                    "that would be outside what you may reach: ask somebody whose account reaches it",
                )
            made = unit.complaints.add(
                NewComplaint(
                    level=raised.level,
                    of=of,
                    raised_by=who.user_id,
                    owner_id=owner_of(unit, self._policy, raised.level, of),
                    respond_by=self._policy.respond_by(now),
                    due_at=self._policy.due(now),
                    recording_id=raised.recording_id,
                    what=what,
                    customer_ref=reference,
                    agent_name=name,
                    queue=queue,
                )
            )
            if made is None:
                raise ConflictError(
                    "complaint_exists",
                    f"recording {raised.recording_id} has a complaint already: regrade that one, or add to it",
                    recording_id=raised.recording_id,
                )
            unit.audit.record(who, "complaint.raise", "complaint", made.id, {"level": raised.level}, origin=origin)
            unit.commit()
            return self._full(unit, who, made)

    def take(
        self,
        who: Principal,
        complaint_id: int,
        asked: StepAsked,
        *,
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> ComplaintInFull:
        """Take a step.

        Raises:
            NotFoundError: ``complaint_not_found``, ``recording_not_found``.
            ConflictError: ``call_blind``, ``stale_version``, ``complaint_transition_refused``,
                ``complaint_not_own``, ``complaint_step_missing``, ``customer_other``.
            InputError: ``complaint_step_incomplete``, ``complaint_level_unknown``, ``reason_missing``,
                ``note_too_long``.
        """
        step, note = asked.step, _note(asked)
        _check_complete(asked)
        with self._units() as unit:
            complaint = self._held(unit, who, complaint_id, version)
            to = follow(complaint.state, step)
            if to is None or step in BY_MACHINE or step is ComplaintStep.ASSIGN:
                raise ConflictError(
                    "complaint_transition_refused",
                    f"the complaint is {complaint.state.value}, which {step.value!r} cannot follow: "
                    f"read it again (what may follow is {', '.join(may_follow(complaint.state)) or 'nothing'})",
                    complaint_id=complaint_id,
                )
            if step is ComplaintStep.ACCEPT and complaint.owner_id not in (None, who.user_id):
                raise ConflictError(
                    "complaint_not_own",
                    f"the complaint is {complaint.owner_name}'s to answer: have it assigned to you first",
                    complaint_id=complaint_id,
                )
            done = {taken.step for taken in unit.complaints.steps(complaint_id)}
            lacking = missing(step, level=complaint.level, valid=complaint.valid, done=done)
            if lacking is not None:
                raise ConflictError("complaint_step_missing", _REMEDIES[lacking], missing=lacking.value)
            if asked.recording_id is not None:
                self._same_customer(unit, who, complaint, asked.recording_id)
            owner = complaint.owner_id
            if step is ComplaintStep.REGRADE:
                assert asked.level is not None
                owner = owner_of(unit, self._policy, asked.level, complaint.of) or owner
            elif step is ComplaintStep.ACCEPT:
                owner = who.user_id
            unit.complaints.take(
                complaint,
                step,
                to,
                user_id=who.user_id,
                note=note,
                level=asked.level if step is ComplaintStep.REGRADE else None,
                valid=asked.valid,
                cause=asked.cause.strip() if asked.valid else "",
                owner_id=owner,
                recording_id=asked.recording_id,
            )
            return self._done(unit, who, complaint, step, origin)

    def assign(
        self,
        who: Principal,
        complaint_id: int,
        user_id: int,
        *,
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> ComplaintInFull:
        """Make it somebody's to answer.

        Raises:
            NotFoundError: ``complaint_not_found``, ``user_not_found``.
            ConflictError: ``call_blind``, ``stale_version``, ``complaint_transition_refused``.
            InputError: ``complaint_owner_unfit``.
        """
        with self._units() as unit:
            complaint = self._held(unit, who, complaint_id, version)
            user = unit.users.get(user_id)
            may = user.active and Permission.COMPLAINTS_HANDLE in permissions_of(user.roles)
            if not may or not user.scope.covers(complaint.of):
                raise InputError(
                    "complaint_owner_unfit",
                    f"account {user_id} cannot answer this complaint: choose one that may handle complaints of "
                    "this team",
                )
            to = follow(complaint.state, ComplaintStep.ASSIGN)
            if to is None:
                raise ConflictError(
                    "complaint_transition_refused",
                    f"the complaint is {complaint.state.value}: read it again",
                    complaint_id=complaint_id,
                )
            unit.complaints.take(
                complaint,
                ComplaintStep.ASSIGN,
                to,
                user_id=who.user_id,
                note=user.display_name,
                owner_id=user_id,
            )
            return self._done(unit, who, complaint, ComplaintStep.ASSIGN, origin)

    def analysis(self, who: Principal, *, since: datetime, until: datetime) -> ComplaintAnalysis:
        """Of complaints raised in ``[since, until)`` within the scope of who asks."""
        with self._units_to_read() as unit:
            found = unit.complaints.raised_between(who.scope, since, until)
        return analyse(
            [fact_of(complaint) for complaint in found], since=since, until=until, as_of=self._clock.now()
        )

    def _done(
        self, unit: UnitOfWork, who: Principal, complaint: Complaint, step: ComplaintStep, origin: Origin
    ) -> ComplaintInFull:
        unit.audit.record(who, f"complaint.{step.value}", "complaint", complaint.id, origin=origin)
        unit.commit()
        return self._full(unit, who, unit.complaints.get(complaint.id, who.scope))

    def _full(self, unit: UnitOfWork, who: Principal, complaint: Complaint) -> ComplaintInFull:
        recording, evidence = complaint.recording_id, tuple[Evidence, ...]()
        if recording is not None and not unit.calibration.hidden_from(who.user_id, [recording]):
            call = unit.complaints.graded([recording]).get(recording)
            evidence = () if call is None else call.evidence
        return ComplaintInFull(complaint, unit.complaints.steps(complaint.id), evidence)

    def _held(self, unit: UnitOfWork, who: Principal, complaint_id: int, version: int | None) -> Complaint:
        complaint = unit.complaints.hold(complaint_id, who.scope)
        _open_to(unit, who, complaint)
        if version is not None and version != complaint.version:
            raise ConflictError(
                "stale_version",
                f"complaint {complaint_id} has changed meanwhile: read it again, then decide",
                complaint_id=complaint_id,
            )
        return complaint

    def _reachable(self, unit: UnitOfWork, who: Principal, recording_id: int) -> None:
        if not who.scope.covers(unit.verdicts.owner(recording_id)):
            raise NotFoundError(
                "recording_not_found",
                f"no recording has the number {recording_id}: list the recordings to see which exist",
                recording_id=recording_id,
            )

    def _same_customer(self, unit: UnitOfWork, who: Principal, complaint: Complaint, recording_id: int) -> None:
        self._reachable(unit, who, recording_id)
        call = unit.complaints.graded([recording_id])[recording_id]
        known = complaint.customer_ref is not None and call.customer_ref is not None
        if known and call.customer_ref != complaint.customer_ref:
            raise ConflictError(
                "customer_other",
                f"recording {recording_id} is a call with another customer: name the one in which this was done",
                recording_id=recording_id,
            )


def _open_to(unit: UnitOfWork, who: Principal, complaint: Complaint) -> None:
    # Whose it is to answer cannot wait for a calibration session.
    if complaint.recording_id is not None and complaint.owner_id != who.user_id:
        not_blind(unit, who, complaint.recording_id)


def fact_of(complaint: Complaint) -> ComplaintFact:
    """A complaint, as far as counting is concerned."""
    return ComplaintFact(
        level=complaint.level,
        valid=complaint.valid,
        cause=complaint.cause,
        team=complaint.of.team,
        vendor=complaint.of.vendor,
        raised_at=complaint.raised_at,
        respond_by=complaint.respond_by,
        due_at=complaint.due_at,
        responded_at=complaint.responded_at,
        handled_at=complaint.handled_at,
        ended_at=complaint.ended_at,
    )


def _note(asked: StepAsked) -> str:
    if asked.step is ComplaintStep.REPORT:
        if len(asked.note) > REPORT_CHARACTERS:
            raise InputError("note_too_long", f"a report of {len(asked.note)} characters: attach it elsewhere")
        note = asked.note.strip()
    else:
        note = checked_note(asked.note)
    if not note and asked.step in _SAYS_WHY:
        raise InputError("reason_missing", f"{asked.step.value!r} says what was found or done: give a note")
    return note


def _check_complete(asked: StepAsked) -> None:
    if asked.step is ComplaintStep.VERIFY and (asked.valid is None or (asked.valid and not asked.cause.strip())):
        raise InputError(
            "complaint_step_incomplete",
            "verifying says whether a norm of the service was broken, and which: give valid, and the cause",
        )
    if asked.step is ComplaintStep.REGRADE:
        if asked.level is None:
            raise InputError("complaint_step_incomplete", "regrading says to which level: give level")
        _check_level(asked.level)


def _check_level(level: int) -> None:
    if level not in LEVELS:
        raise InputError("complaint_level_unknown", f"there is no level {level}: give 1, 2 or 3")
