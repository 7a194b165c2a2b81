"""Creations that clients name, so that one that is sent twice is done once.

Guarantee: of several at once one begins; the unique constraint decides.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from qa_service.db.inserting import insert_or_get
from qa_service.db.rows import IdempotencyKeyRow
from qa_service.ports.store import Clock

KEPT_FOR: Final = timedelta(hours=24)
GIVEN_UP_AFTER: Final = timedelta(minutes=5)
"""Whoever began and has not answered since has died."""

_UNDER_WAY: Final = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first one was answered; ``status`` 0: it is under way. ``digest``: of what it sent."""

    digest: str
    status: int
    headers: dict[str, Any]
    body: bytes

    @property
    def under_way(self) -> bool:
        return self.status == _UNDER_WAY


class SqlRepeats:
    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def begin(self, user_id: int, operation: str, key: str, digest: str) -> Answer | None:
        """None: it is the first. Else what became of that."""
        now = self._clock.now()
        self._session.execute(
            delete(IdempotencyKeyRow).where(
                (IdempotencyKeyRow.created_at <= now - KEPT_FOR)
                | (
                    (IdempotencyKeyRow.status == _UNDER_WAY)
                    & (IdempotencyKeyRow.created_at <= now - GIVEN_UP_AFTER)
                )
            )
        )
        row, is_new = insert_or_get(
            self._session,
            lambda: self._session.scalar(
                select(IdempotencyKeyRow).where(*self._is(user_id, operation, key)),
                execution_options={"populate_existing": True},
            ),
            lambda: IdempotencyKeyRow(
                user_id=user_id,
                operation=operation,
                key=key,
                digest=digest,
                status=_UNDER_WAY,
                headers={},
                body=b"",
                created_at=now,
            ),
        )
        return None if is_new else Answer(row.digest, row.status, row.headers, row.body)

    def finish(
        self, user_id: int, operation: str, key: str, *, status: int, headers: dict[str, str], body: bytes
    ) -> None:
        self._session.execute(
            update(IdempotencyKeyRow)
            .where(*self._is(user_id, operation, key))
            .values(status=status, headers=headers, body=body)
        )

    def forget(self, user_id: int, operation: str, key: str) -> None:
        """It failed and changed nothing: the next one may try."""
        self._session.execute(delete(IdempotencyKeyRow).where(*self._is(user_id, operation, key)))

    @staticmethod
    def _is(user_id: int, operation: str, key: str) -> tuple[Any, ...]:
        return (
            IdempotencyKeyRow.user_id == user_id,
            IdempotencyKeyRow.operation == operation,
            IdempotencyKeyRow.key == key,
        )
