"""What is stored of calibration sessions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from qa_service.domain.access import CallOwner
from qa_service.domain.agreement import Value
from qa_service.domain.calibration import Answer, CalibrationSession, Criterion, Place, SessionState


class CalibrationRepository(Protocol):
    """Sessions and what was said in them. Answers and decisions are only ever added; the last one holds."""

    def add(
        self,
        *,
        title: str,
        by: int,
        recording_ids: Sequence[int],
        criteria: Sequence[Criterion],
        reviewers: Sequence[int],
    ) -> CalibrationSession:
        """Store an open session, with the evaluations that are in force by now for the machine's answers."""
        ...

    def get(self, session_id: int) -> CalibrationSession | None: ...

    def held(self, session_id: int, *, alone: bool) -> CalibrationSession | None:
        """The session, whose state nobody changes until the transaction ends.

        ``alone``: and into which nobody writes meanwhile either.
        """
        ...

    def page(self, *, of: int | None, before: int | None, limit: int) -> tuple[CalibrationSession, ...]:
        """At most ``limit`` sessions with numbers below ``before``, newest first.

        ``of``: those that this user takes part in or has begun.
        """
        ...

    def move(self, session: CalibrationSession, *, to: SessionState, by: int) -> CalibrationSession:
        """The session in its next state."""
        ...

    def answer(self, session_id: int, answers: Sequence[Answer]) -> None: ...

    def answers(self, session_id: int, *, of: int | None = None) -> tuple[Answer, ...]:
        """What reviewers said, of ``of`` alone where given, in the order in which it was said."""
        ...

    def answered(self, session_id: int) -> Mapping[int, int]:
        """How many places each reviewer has answered."""
        ...

    def machine(self, session_id: int) -> tuple[Answer, ...]:
        """What the machine said of the session's calls when it began."""
        ...

    def decide(self, session_id: int, *, by: int, values: Mapping[Place, Value], note: str) -> None: ...

    def decided(self, session_id: int) -> Mapping[Place, Value]: ...

    def owners(self, recording_ids: Collection[int]) -> Mapping[int, CallOwner]:
        """Whose calls they are, of those that there are."""
        ...

    def missing_users(self, user_ids: Collection[int]) -> frozenset[int]:
        """Those of ``user_ids`` that are nobody's, or of somebody who may not sign in any more."""
        ...

    def hidden_from(self, user_id: int, recording_ids: Collection[int]) -> frozenset[int]:
        """Calls that this user is to score blind: of these nothing that others said is shown."""
        ...
