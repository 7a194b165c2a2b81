"""Sources of recordings, and what was seen in them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import ERROR_MESSAGE_CHARACTERS, Id, Row


class SourceRow(Row):
    """A folder or bucket that recordings are collected from. Who holds the lease collects.

    ``checked_at``: from when the time to the next round counts.
    """

    __tablename__ = "sources"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name_digest: Mapped[str] = mapped_column(String(64), unique=True)  # whole paths are too long for an index
    name: Mapped[str]
    lease_owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    error_code: Mapped[str | None]


class SourceFileRow(Row):
    """What became of a file of a source, so that the next listing is enough to know that it is done.

    ``key_digest``: of the name's bytes, which need be no Unicode; ``key`` is for people.
    """

    __tablename__ = "source_files"
    __table_args__ = (
        CheckConstraint("state IN ('growing', 'waiting', 'taken', 'refused')", name="state"),
        UniqueConstraint("source_id", "key_digest"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    source_id: Mapped[int] = mapped_column(Id, ForeignKey("sources.id"))
    key_digest: Mapped[str] = mapped_column(String(64))
    key: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    stamp: Mapped[str]
    state: Mapped[str]
    since: Mapped[datetime]
    recording_id: Mapped[int | None] = mapped_column(
        Id, ForeignKey("recordings.id", ondelete="SET NULL"), index=True
    )
    told: Mapped[str | None] = mapped_column(String(64))
    error_code: Mapped[str | None]
    error_message: Mapped[str | None] = mapped_column(String(ERROR_MESSAGE_CHARACTERS))
