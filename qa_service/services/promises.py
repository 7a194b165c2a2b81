"""Promises, as people see and settle them.

Guarantee: what somebody says of a promise is a row of its own, with who, when and why, and may be taken back.
Agents see their own promises and settle none.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from qa_service.domain.access import Principal
from qa_service.domain.promises import PromiseDecision, PromiseState, decision_fault
from qa_service.domain.results import Evidence
from qa_service.errors import ConflictError, InputError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.people import Origin
from qa_service.ports.promises import DecisionTaken, Promise, PromiseFilter
from qa_service.services.findings import checked_note, not_blind


@dataclass(frozen=True, slots=True)
class PromiseInFull:
    """A promise with what people said of it; ``evidence``: where it is said, by the evaluation in force."""

    promise: Promise
    decisions: tuple[DecisionTaken, ...]
    evidence: tuple[Evidence, ...]


class Promises:
    """Args:
    units: where they are stored.
    units_to_read: the same, for reading only.
    clock: tells what is overdue.
    """

    def __init__(self, *, units: UnitOfWorkFactory, units_to_read: UnitOfWorkFactory, clock: Clock) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock

    def page(
        self,
        who: Principal,
        *,
        states: Collection[PromiseState],
        team: str | None = None,
        agent_id: str | None = None,
        after: tuple[datetime, int] | None = None,
        limit: int = 50,
    ) -> tuple[Promise, ...]:
        """What is due first first."""
        wanted = PromiseFilter(states=states, team=team, agent_id=agent_id)
        with self._units_to_read() as unit:
            return unit.promises.page(
                who.scope,
                wanted,
                now=self._clock.now(),
                hidden_from=who.user_id,
                after=after,
                limit=limit,
            )

    def state(self, promise: Promise) -> PromiseState:
        return promise.state(self._clock.now())

    def get(self, who: Principal, promise_id: int) -> PromiseInFull:
        """Raises NotFoundError ``promise_not_found``, ConflictError ``call_blind``."""
        with self._units_to_read() as unit:
            promise = unit.promises.get(promise_id, who.scope)
            not_blind(unit, who, promise.recording_id)
            return self._full(unit, who, promise)

    def decide(
        self,
        who: Principal,
        promise_id: int,
        decision: PromiseDecision,
        note: str,
        *,
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> PromiseInFull:
        """Say that it was kept or broken, that it holds no more, or take back what was said.

        Raises:
            NotFoundError: ``promise_not_found``.
            ConflictError: ``call_blind``, ``stale_version``, ``promise_decision_refused``.
            InputError: ``reason_missing``, ``note_too_long``.
        """
        note = checked_note(note)
        if not note:
            raise InputError("reason_missing", "who settles a promise says how they know: give a note")
        with self._units() as unit:
            promise = unit.promises.hold(promise_id, who.scope)
            not_blind(unit, who, promise.recording_id)
            if version is not None and version != promise.version:
                raise ConflictError(
                    "stale_version",
                    f"promise {promise_id} has changed meanwhile: read it again, then decide",
                    promise_id=promise_id,
                )
            fault = decision_fault(self.state(promise), promise.decided, decision)
            if fault is not None:
                raise ConflictError("promise_decision_refused", fault, promise_id=promise_id)
            unit.promises.decide(promise, decision, user_id=who.user_id, note=note)
            if promise.customer_ref is not None:
                # What else was promised this customer may be clear now, or no longer.
                unit.call_marks.mark(promise.recording_id)
            unit.audit.record(who, f"promise.{decision.value}", "promise", promise_id, origin=origin)
            unit.commit()
            return self._full(unit, who, unit.promises.get(promise_id, who.scope))

    def _full(self, unit: UnitOfWork, who: Principal, promise: Promise) -> PromiseInFull:
        blind = unit.calibration.hidden_from(who.user_id, [promise.recording_id])
        evidence = () if blind else unit.promises.evidence(promise)
        return PromiseInFull(promise, unit.promises.decisions(promise.id), evidence)
