"""Changes of script and rules: drafted, approved, trained, assessed, live (``domain.md`` §6).

Guarantee: a version of a rule that a change is about is published only when that change is assessed, or with a
manager's reason that is on record; the change becomes live in the transaction that publishes. Rules that no change
is about are published as ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from qa_service.domain.access import Permission, Principal, Scope
from qa_service.domain.lifecycle import RuleState, RuleTransition
from qa_service.domain.training import (
    ChangeState,
    ChangeStep,
    Passed,
    TrainingPolicy,
    follow,
    waits_for,
)
from qa_service.errors import ConflictError, InputError, PermissionDeniedError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.people import Origin
from qa_service.ports.script_changes import ChangeStepTaken, ChangeTerms, ScriptChange
from qa_service.services.findings import checked_note
from qa_service.services.sign_in import denied


@dataclass(frozen=True, slots=True)
class ChangeDetails:
    """A change with its steps; ``sessions``: that took place; ``waits_for``: what is missing, in words."""

    change: ScriptChange
    steps: tuple[ChangeStepTaken, ...]
    sessions: int
    passed: Passed
    share: float
    waits_for: str


class ScriptChanges:
    """Args:
    units: where they are stored.
    units_to_read: the same, for reading only.
    clock: tells who had calls lately.
    policy: what share has to pass.
    """

    def __init__(
        self, *, units: UnitOfWorkFactory, units_to_read: UnitOfWorkFactory, clock: Clock, policy: TrainingPolicy
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock
        self._policy = policy

    def page(
        self, *, states: frozenset[ChangeState] | None, before: int | None, limit: int
    ) -> Sequence[ScriptChange]:
        """The newest first."""
        with self._units_to_read() as unit:
            return unit.script_changes.page(states=states, before=before, limit=limit)

    def get(self, change_id: int) -> ChangeDetails:
        """Raises NotFoundError ``script_change_not_found``."""
        with self._units_to_read() as unit:
            return self._details(unit, unit.script_changes.get(change_id))

    def draft(
        self,
        who: Principal,
        terms: ChangeTerms,
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> ChangeDetails:
        """Begin a change.

        Raises:
            InputError: ``script_change_invalid``.
            PermissionDeniedError: ``outside_scope``.
        """
        _check_scope(who, terms.scope)
        if bool(terms.rules) != (terms.pack is not None):
            raise InputError(
                "script_change_invalid", "rules are rules of a pack: name both, or neither for a script alone"
            )
        if not terms.rules and not terms.text.strip():
            raise InputError("script_change_invalid", "nothing changes: give the script's text, or rules")
        with self._units() as unit:
            change = unit.script_changes.add(terms, by=who.user_id, name=who.name)
            unit.audit.record(who, "script_change.create", "script_change", change.id, origin=origin)
            unit.commit()
            return self._details(unit, change)

    def step(
        self,
        who: Principal,
        change_id: int,
        step: ChangeStep,
        *,
        note: str = "",
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> ChangeDetails:
        """Take the next step, when what it asks for has happened.

        Raises:
            PermissionDeniedError: ``permission_denied``: a manager approves, overrides and lets go live;
                ``outside_scope``.
            InputError: ``reason_missing``: an override and a withdrawal say why.
            ConflictError: ``script_change_refused``, ``stale_version``.
        """
        note = checked_note(note)
        if step in (ChangeStep.APPROVE, ChangeStep.OVERRIDE, ChangeStep.GO_LIVE) and not who.may(
            Permission.RULES_APPROVE
        ):
            raise denied(Permission.RULES_APPROVE)
        if step in (ChangeStep.OVERRIDE, ChangeStep.WITHDRAW) and not note:
            raise InputError("reason_missing", f"{step.value} says why: give a note")
        with self._units() as unit:
            change = unit.script_changes.get(change_id)
            _check_scope(who, change.terms.scope)
            if version is not None and version != change.version:
                raise ConflictError(
                    "stale_version", f"change {change_id} has changed meanwhile: read it again, then go on"
                )
            to = follow(change.state, step)
            if to is None:
                raise _refused(change, f"it is {change.state.value}, which {step.value} cannot follow")
            self._check(unit, change, step)
            moved = unit.script_changes.move(change, step, to, name=who.name, note=note)
            unit.audit.record(
                *(who, f"script_change.{step.value}", "script_change", change_id), {"note": note}, origin=origin
            )
            unit.commit()
            return self._details(unit, moved)

    def may_publish(self, unit: UnitOfWork, steps: Sequence[RuleTransition], by: str, override: str) -> None:
        """Let the changes of what is published go live with it.

        Args:
            unit: the transaction that publishes.
            steps: what it does.
            by: who publishes.
            override: why a change that is not assessed goes live all the same.

        Raises:
            ConflictError: ``script_change_pending``.
        """
        published = [step for step in steps if step.to_state is RuleState.LIVE]
        for pack in sorted({step.pack for step in published}):
            live = {(step.rule, step.digest) for step in published if step.pack == pack}
            rules = {rule for rule, _ in live}
            for change in unit.script_changes.of_pack(pack):
                about = [
                    each.rule
                    for each in change.terms.rules
                    if (each.rule in rules if each.digest is None else (each.rule, each.digest) in live)
                ]
                if about:
                    self._goes_live(unit, change, about, by, override)

    def _goes_live(
        self, unit: UnitOfWork, change: ScriptChange, about: Sequence[str], by: str, override: str
    ) -> None:
        if change.state.holds_up and not override.strip():
            raise ConflictError(
                "script_change_pending",
                f"rule {', '.join(about)} is in change {change.id}, which waits for {waits_for(change.state)}: "
                "do that first, name other rules, or give a reason to publish without it",
                change_id=change.id,
                state=change.state.value,
            )
        step = ChangeStep.OVERRIDE if change.state.holds_up else ChangeStep.GO_LIVE
        to = follow(change.state, step)
        assert to is not None
        note = checked_note(override) if step is ChangeStep.OVERRIDE else ""
        unit.script_changes.move(change, step, to, name=by, note=note)
        unit.audit.record(
            by, f"script_change.{step.value}", "script_change", change.id, {"rules": list(about), "note": note}
        )

    def _check(self, unit: UnitOfWork, change: ScriptChange, step: ChangeStep) -> None:
        """Raises ConflictError ``script_change_refused``."""
        if step is ChangeStep.TRAIN and not unit.script_changes.held_sessions(change.id):
            raise _refused(change, "no session of it took place")
        if step is ChangeStep.ASSESS:
            passed = self._passed(unit, change)
            if not passed.is_enough(self._policy.change_share):
                raise _refused(
                    change,
                    f"{passed.passed} of {passed.concerned} agents concerned have passed, "
                    f"{self._policy.change_share:.0%} are needed",
                )
        if step is ChangeStep.GO_LIVE and change.terms.rules:
            raise _refused(change, "it becomes live when its rules are published")

    def _passed(self, unit: UnitOfWork, change: ScriptChange) -> Passed:
        since = self._clock.now() - timedelta(days=self._policy.concerned_days)
        return unit.script_changes.passed(change, since=since)

    def _details(self, unit: UnitOfWork, change: ScriptChange) -> ChangeDetails:
        return ChangeDetails(
            change=change,
            steps=unit.script_changes.steps(change.id),
            sessions=unit.script_changes.held_sessions(change.id),
            passed=self._passed(unit, change),
            share=self._policy.change_share,
            waits_for=waits_for(change.state),
        )


def _check_scope(who: Principal, concerned: Scope) -> None:
    """Raises PermissionDeniedError ``outside_scope``."""
    if not who.scope.holds(concerned):
        raise PermissionDeniedError(
            "outside_scope",
            "the change is about agents whom your account does not reach: ask somebody whose account reaches all",
        )


def _refused(change: ScriptChange, why: str) -> ConflictError:
    return ConflictError("script_change_refused", f"change {change.id}: {why}: read it again", change_id=change.id)
