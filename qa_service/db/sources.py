"""What collectors remember, on SQLAlchemy.

Guarantee: at most one owner holds a source. A quiet round reads a few columns by an index and writes nothing.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from qa_service.db.inserting import insert_or_get, storable
from qa_service.db.rows import ERROR_MESSAGE_CHARACTERS, SourceFileRow, SourceRow
from qa_service.errors import ConflictError
from qa_service.ports import Clock
from qa_service.ports.sources import Listed, Seen, SeenState

_ROWS_AT_ONCE = 500  # of a dozen parameters each; SQLite takes 32,766


T = TypeVar("T")


class SqlSourceRepository:
    """Implements ``SourceRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def take(
        self, source: str, owner: str, *, lease_s: float, every_s: float, is_dead: Callable[[str], bool]
    ) -> bool:
        """See ``SourceRepository.take``. The first one makes the source known."""
        now = self._clock.now()
        row, _ = insert_or_get(
            self._session,
            lambda: self._row(source),
            lambda: SourceRow(name_digest=_digest(source), name=storable(source)),
        )
        free = [SourceRow.lease_owner.is_(None), SourceRow.lease_expires_at <= now]
        if row.lease_owner and (row.lease_owner == owner or is_dead(row.lease_owner)):
            free.append(SourceRow.lease_owner == row.lease_owner)
        rested = now - timedelta(seconds=every_s)
        taken = self._session.execute(
            update(SourceRow)
            .where(
                SourceRow.id == row.id,
                or_(*free),
                *([or_(SourceRow.checked_at.is_(None), SourceRow.checked_at <= rested)] if every_s else ()),
            )
            .values(lease_owner=owner, lease_expires_at=now + timedelta(seconds=lease_s))
            .returning(SourceRow.id)
            .execution_options(synchronize_session=False)
        )
        return taken.scalar() is not None

    def keep(self, source: str, owner: str, *, lease_s: float) -> None:
        self._change(source, owner, lease_expires_at=self._clock.now() + timedelta(seconds=lease_s))

    def give_back(
        self, source: str, owner: str, *, finished: bool, error: str | None, rest_s: float = 0.0
    ) -> None:
        """Raises ConflictError as ``keep``."""
        from_now = self._clock.now() + timedelta(seconds=rest_s)
        ended: dict[str, Any] = {"checked_at": from_now, "error_code": error} if finished else {}
        self._change(source, owner, lease_owner=None, lease_expires_at=None, **ended)

    def unchanged(
        self, source: str, files: Collection[Listed], states: Collection[SeenState], *, but: str
    ) -> set[str]:
        by_digest = {_digest(file.key): file for file in files}
        row = SourceFileRow
        source_id = self._id(source)
        found: set[str] = set()
        for digests in _some(list(by_digest)):
            rows = self._session.execute(
                select(row.key_digest, row.size_bytes, row.stamp).where(
                    row.source_id == source_id,
                    row.key_digest.in_(digests),
                    row.state.in_(states),
                    or_(row.error_code.is_(None), row.error_code != but),
                )
            )
            for digest, size, stamp in rows:
                file = by_digest[digest]
                if (file.size_bytes, file.stamp) == (size, stamp):
                    found.add(file.key)
        return found

    def seen(self, source: str, keys: Collection[str]) -> Mapping[str, Seen]:
        by_digest = {_digest(key): key for key in keys}
        files = SourceFileRow
        found: dict[str, Seen] = {}
        source_id = self._id(source)
        for digests in _some(list(by_digest)):
            rows = self._session.execute(
                select(
                    files.key_digest,
                    files.size_bytes,
                    files.stamp,
                    files.state,
                    files.since,
                    files.recording_id,
                    files.told,
                    files.error_code,
                    files.error_message,
                ).where(files.source_id == source_id, files.key_digest.in_(digests))
            )
            for row in rows:
                key = by_digest[row.key_digest]
                found[key] = Seen(
                    key,
                    row.size_bytes,
                    row.stamp,
                    SeenState(row.state),
                    row.since,
                    row.recording_id,
                    row.told,
                    row.error_code,
                    row.error_message,
                )
        return found

    def remember(self, source: str, files: Iterable[Seen]) -> None:
        insert = postgresql.insert if self._session.get_bind().dialect.name == "postgresql" else sqlite.insert
        source_id = self._id(source)
        # A statement cannot change one row twice: of a key that comes twice the last counts.
        latest = {file.key: file for file in files}
        for some in _some(list(latest.values())):
            statement = insert(SourceFileRow).values([{"source_id": source_id, **_columns(file)} for file in some])
            changed = {name: statement.excluded[name] for name in _columns(some[0]) if name != "key_digest"}
            self._session.execute(
                statement.on_conflict_do_update(index_elements=["source_id", "key_digest"], set_=changed)
            )

    def places(self, recording_id: int) -> Sequence[tuple[str, str]]:
        rows = self._session.execute(
            select(SourceRow.name, SourceFileRow.key)
            .join(SourceRow, SourceRow.id == SourceFileRow.source_id)
            .where(SourceFileRow.recording_id == recording_id)
            .order_by(SourceFileRow.id)
        )
        return [(name, key) for name, key in rows]

    def refused(self, source: str) -> Mapping[str, int]:
        rows = self._session.execute(
            select(SourceFileRow.error_code, func.count())
            .join(SourceRow, SourceRow.id == SourceFileRow.source_id)
            .where(SourceRow.name_digest == _digest(source), SourceFileRow.state == SeenState.REFUSED.value)
            .group_by(SourceFileRow.error_code)
            .order_by(SourceFileRow.error_code)
        )
        return {code or "": count for code, count in rows}

    def _change(self, source: str, owner: str, **values: Any) -> None:
        changed = self._session.execute(
            update(SourceRow)
            .where(SourceRow.name_digest == _digest(source), SourceRow.lease_owner == owner)
            .values(**values)
            .returning(SourceRow.id)
            .execution_options(synchronize_session=False)
        )
        if changed.scalar() is None:
            raise ConflictError(
                "lease_lost", "another worker collects from this source now: leave it to that one", source=source
            )

    def _row(self, source: str) -> SourceRow | None:
        return self._session.scalar(
            select(SourceRow)
            .where(SourceRow.name_digest == _digest(source))
            .execution_options(populate_existing=True)
        )

    def _id(self, source: str) -> int | None:
        return self._session.scalar(select(SourceRow.id).where(SourceRow.name_digest == _digest(source)))


def _digest(text: str) -> str:
    """Of the bytes that a file system would be given."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _some(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _ROWS_AT_ONCE):
        yield items[start : start + _ROWS_AT_ONCE]


def _columns(file: Seen) -> dict[str, Any]:
    return {
        "key_digest": _digest(file.key),
        "key": storable(file.key),
        "size_bytes": file.size_bytes,
        "stamp": file.stamp,
        "state": file.state.value,
        "since": file.since,
        "recording_id": file.recording_id,
        "told": file.told,
        "error_code": file.code,
        "error_message": storable(file.message)[:ERROR_MESSAGE_CHARACTERS] if file.message else None,
    }
