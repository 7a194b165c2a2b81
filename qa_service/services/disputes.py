"""Dispute and appeal: the agent objects, the leader advises, somebody who had no part in it decides; twice at
most.

Guarantee: no state is skipped, and each step is a row with who took it and why. Whoever reviewed, advised or
decided about a finding does not decide about it again. A decision that changes the score makes a new final score.
"""

from dataclasses import dataclass
from datetime import datetime

from qa_service.domain.access import Principal
from qa_service.domain.disputes import Terms
from qa_service.domain.review import Cause, Decision, FindingState, Reason, Ruling, Step
from qa_service.errors import ConflictError, InputError, NotFoundError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.disputes import DisputeLine, DisputeStep
from qa_service.ports.people import Origin
from qa_service.ports.review import StoredFinding
from qa_service.services.findings import checked_note, current, next_state, not_blind
from qa_service.services.review import MAX_PAGE

WAITING = frozenset({FindingState.DISPUTED, FindingState.ADVISED, FindingState.APPEALED})
"""Somebody has to answer the agent."""


@dataclass(frozen=True, slots=True)
class DisputePage:
    """``next``: where the page after this one begins; None: this is the last one."""

    lines: tuple[DisputeLine, ...]
    next: tuple[datetime, int] | None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A finding with the steps that were taken. ``disputable_until``: the agent's time to object."""

    finding: StoredFinding
    steps: tuple[DisputeStep, ...]
    disputable_until: datetime


class Disputes:
    """Args:
    units: where it is stored.
    units_to_read: the same, for reading only.
    clock: what deadlines are compared with.
    terms: how long each step may take.
    """

    def __init__(
        self, *, units: UnitOfWorkFactory, units_to_read: UnitOfWorkFactory, clock: Clock, terms: Terms
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock
        self._terms = terms

    def page(
        self,
        who: Principal,
        *,
        states: frozenset[FindingState] = WAITING,
        after: tuple[datetime, int] | None = None,
        limit: int = 50,
    ) -> DisputePage:
        """Findings that wait for somebody, what is due first first."""
        limit = min(max(limit, 1), MAX_PAGE)
        with self._units_to_read() as unit:
            found = unit.disputes.page(who.scope, states, hidden_from=who.user_id, after=after, limit=limit + 1)
        page = found[:limit]
        return DisputePage(page, (page[-1].due_at, page[-1].finding_id) if len(found) > limit else None)

    def get(self, who: Principal, finding_id: int) -> Dispute:
        """Raises NotFoundError ``finding_not_found``, ConflictError ``call_blind``."""
        with self._units_to_read() as unit:
            finding = unit.verdicts.finding(finding_id)
            self._in_scope(unit, who, finding)
            not_blind(unit, who, finding.recording_id)
            return self._dispute(unit, finding)

    def acknowledge(
        self,
        who: Principal,
        finding_id: int,
        *,
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> Dispute:
        """The agent accepts the finding."""
        return self._agents(who, finding_id, Step.ACKNOWLEDGE, "", version, origin)

    def raise_(
        self,
        who: Principal,
        finding_id: int,
        reason: str,
        *,
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> Dispute:
        """The agent objects to the finding. Raises ConflictError ``deadline_passed``."""
        return self._agents(who, finding_id, Step.DISPUTE, _reason(reason), version, origin)

    def appeal(
        self,
        who: Principal,
        finding_id: int,
        reason: str,
        *,
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> Dispute:
        """The agent asks for the second, final instance. Raises ConflictError ``deadline_passed``."""
        return self._agents(who, finding_id, Step.APPEAL, _reason(reason), version, origin)

    def withdraw(
        self,
        who: Principal,
        finding_id: int,
        reason: str = "",
        *,
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> Dispute:
        """The agent takes the objection back, before it is decided."""
        return self._agents(who, finding_id, Step.WITHDRAW, checked_note(reason), version, origin)

    def advise(
        self,
        who: Principal,
        finding_id: int,
        *,
        supports: bool,
        reason: str = "",
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> Dispute:
        """The leader says whether the agent is right; why not needs a reason.

        Raises:
            ConflictError: ``deadline_passed``, ``not_independent``.
        """
        step = Step.SUPPORT if supports else Step.NOT_SUPPORT
        reason = checked_note(reason) if supports else _reason(reason)
        with self._units() as unit:
            finding = self._held(unit, who, finding_id, version)
            to = next_state(finding, step)
            self._independent(unit, who, finding)
            if finding.due_at is not None and self._clock.now() >= finding.due_at:
                raise ConflictError(
                    "deadline_passed", "the time for advice has passed: let an inspector decide without it"
                )
            return self._step(unit, who, finding, step, to, reason, origin)

    def decide(
        self,
        who: Principal,
        finding_id: int,
        *,
        uphold: bool,
        reason: str,
        code: Reason = Reason.OTHER,
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> Dispute:
        """Decide a dispute in the first instance, with the leader's advice or when its time has passed.

        Args:
            uphold: the finding stands.
            code: why it does not.

        Raises:
            ConflictError: ``advice_pending``, ``not_independent``, ``finding_transition_refused``.
        """
        return self._decide(who, finding_id, Cause.DISPUTE, uphold, reason, code, version, origin)

    def decide_appeal(
        self,
        who: Principal,
        finding_id: int,
        *,
        uphold: bool,
        reason: str,
        code: Reason = Reason.OTHER,
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> Dispute:
        """Decide an appeal; nothing follows it. Raises as ``decide`` does."""
        return self._decide(who, finding_id, Cause.APPEAL, uphold, reason, code, version, origin)

    def _agents(
        self, who: Principal, finding_id: int, step: Step, reason: str, version: int | None, origin: Origin
    ) -> Dispute:
        with self._units() as unit:
            finding = self._held(unit, who, finding_id, version)
            if who.scope.agent_id is None:  # in scope, and not the agent's own account
                raise _unknown(finding_id)
            to = next_state(finding, step)
            until = finding.due_at
            if step is Step.DISPUTE:
                until = self._disputable_until(finding)
                if unit.verdicts.sheet(finding.recording_id).scorecard is None:
                    raise ConflictError(
                        "scorecard_not_kept",
                        "the call was scored by a version that kept no scorecard: have it scored again first",
                    )
            if step in (Step.DISPUTE, Step.APPEAL) and until is not None and self._clock.now() >= until:
                raise ConflictError(
                    "deadline_passed",
                    f"the time for this ended at {until.isoformat()}: speak with your team leader",
                    finding_id=finding_id,
                )
            return self._step(unit, who, finding, step, to, reason, origin)

    def _decide(
        self,
        who: Principal,
        finding_id: int,
        cause: Cause,
        uphold: bool,
        reason: str,
        code: Reason,
        version: int | None,
        origin: Origin,
    ) -> Dispute:
        reason = _reason(reason)
        step = Step.UPHOLD if uphold else Step.OVERTURN
        with self._units() as unit:
            finding = self._held(unit, who, finding_id, version)
            if cause is Cause.DISPUTE and finding.state is FindingState.DISPUTED:
                finding = self._lapsed(unit, finding)
            instance = FindingState.ADVISED if cause is Cause.DISPUTE else FindingState.APPEALED
            to = next_state(finding, step)
            if finding.state is not instance:
                raise ConflictError(
                    "finding_transition_refused",
                    f"the finding is {finding.state.value}: decide it in the instance that this calls for",
                    finding_id=finding_id,
                )
            not_blind(unit, who, finding.recording_id)
            self._independent(unit, who, finding)
            unit.disputes.add(
                finding,
                step,
                to,
                user_id=who.user_id,
                reason=reason,
                due_at=self._terms.due(to, self._clock.now()),
            )
            rule, held = finding.result.rule, finding.ruling
            if not uphold:
                ruling = Ruling(rule, Decision.REJECT, code)
            elif held is not None and held.decision.is_fault:  # it stays where a person heard it
                ruling = Ruling(rule, Decision.CONFIRM, "", held.start, held.end)
            else:
                ruling = Ruling(rule, Decision.CONFIRM)
            unit.verdicts.add(finding, ruling, user_id=who.user_id, cause=cause, note=reason)
            unit.audit.record(who, f"{cause.value}.{step.value}", "finding", finding_id, origin=origin)
            unit.commit()
            return self._dispute(unit, unit.verdicts.finding(finding_id))

    def _lapsed(self, unit: UnitOfWork, finding: StoredFinding) -> StoredFinding:
        now = self._clock.now()
        if finding.due_at is not None and now < finding.due_at:
            raise ConflictError(
                "advice_pending",
                f"the team leader may advise until {finding.due_at.isoformat()}: wait for it",
                finding_id=finding.id,
            )
        to = next_state(finding, Step.LAPSE)
        due = self._terms.due(to, now)
        unit.disputes.add(finding, Step.LAPSE, to, user_id=None, reason="", due_at=due)
        return unit.verdicts.finding(finding.id)

    def _step(
        self,
        unit: UnitOfWork,
        who: Principal,
        finding: StoredFinding,
        step: Step,
        to: FindingState,
        reason: str,
        origin: Origin,
    ) -> Dispute:
        due = self._terms.due(to, self._clock.now())
        unit.disputes.add(finding, step, to, user_id=who.user_id, reason=reason, due_at=due)
        unit.verdicts.refresh(finding.recording_id)
        unit.audit.record(who, f"dispute.{step.value}", "finding", finding.id, origin=origin)
        unit.commit()
        return self._dispute(unit, unit.verdicts.finding(finding.id))

    def _held(self, unit: UnitOfWork, who: Principal, finding_id: int, version: int | None) -> StoredFinding:
        """The finding as it is now; nothing about its call changes until the transaction ends."""
        finding = unit.verdicts.finding(finding_id)
        self._in_scope(unit, who, finding)
        unit.verdicts.hold_call(finding.recording_id)
        return current(unit, finding_id, version)

    def _in_scope(self, unit: UnitOfWork, who: Principal, finding: StoredFinding) -> None:
        if not who.scope.covers(unit.verdicts.owner(finding.recording_id)):
            raise _unknown(finding.id)

    def _independent(self, unit: UnitOfWork, who: Principal, finding: StoredFinding) -> None:
        # Also of earlier evaluations: of what was decided there, only the last word is carried over.
        said = unit.verdicts.of_call(finding.recording_id)
        took_part = {verdict.user_id for verdict in said if verdict.rule == finding.result.rule}
        took_part |= {step.user_id for step in unit.disputes.history(finding) if step.user_id is not None}
        if who.user_id in took_part:
            raise ConflictError(
                "not_independent",
                "whoever reviewed, advised or decided about a finding does not decide it again: "
                "leave it to somebody else",
                finding_id=finding.id,
            )

    def _disputable_until(self, finding: StoredFinding) -> datetime:
        return self._terms.disputable_until(finding.decided_at or finding.found_at)

    def _dispute(self, unit: UnitOfWork, finding: StoredFinding) -> Dispute:
        return Dispute(finding, unit.disputes.history(finding), self._disputable_until(finding))


def _reason(text: str) -> str:
    """Raises InputError ``reason_missing``, ``note_too_long``."""
    text = checked_note(text)
    if not text:
        raise InputError("reason_missing", "a step that somebody may have to answer says why: give a reason")
    return text


def _unknown(finding_id: int) -> NotFoundError:
    return NotFoundError(
        "finding_not_found",
        f"no finding has the number {finding_id}: read the call's findings again",
        finding_id=finding_id,
    )
