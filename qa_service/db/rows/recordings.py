"""Recordings, what the telephony side says of them, and what was heard."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa_service.db.rows.base import Id, Row


class RecordingRow(Row):
    """A received recording: one file, or two that are the two sides of a call (the ``second_…`` columns).

    ``file_name`` is the last part of ``path``, kept so that people find it by an index.

    Whole paths are not indexed: PostgreSQL refuses index entries of more than 2.7 kB, and paths may have 4.
    """

    __tablename__ = "recordings"
    # Batch runs walk recordings in the order in which they came.
    __table_args__ = (Index(None, "created_at", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    path: Mapped[str]
    file_name: Mapped[str] = mapped_column(index=True)
    blob_uri: Mapped[str]
    second_path: Mapped[str | None]
    second_file_name: Mapped[str | None] = mapped_column(index=True)
    second_blob_uri: Mapped[str | None]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    duration_s: Mapped[float | None]
    channels: Mapped[int | None]
    created_at: Mapped[datetime]


class CallMetadataRow(Row):
    """What the telephony side says about a recording. ``version`` counts the changes."""

    __tablename__ = "call_metadata"

    recording_id: Mapped[int] = mapped_column(
        Id, ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    document: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    updated_at: Mapped[datetime]


class ConversationRow(Row):
    """A heard recording. ``document`` is the compressed conversation, ``elapsed_s`` what hearing it took."""

    __tablename__ = "conversations"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    stage_key: Mapped[str] = mapped_column(unique=True)
    recording_id: Mapped[int] = mapped_column(Id, ForeignKey("recordings.id"), index=True)
    language: Mapped[str]
    duration_s: Mapped[float]
    elapsed_s: Mapped[float]
    document: Mapped[bytes]
    created_at: Mapped[datetime]

    engine_runs: Mapped[list[EngineRunRow]] = relationship(lazy="raise", order_by="EngineRunRow.id")


class EngineRunRow(Row):
    """One engine behind a conversation: which calls did this model revision hear?"""

    __tablename__ = "engine_runs"
    __table_args__ = (Index(None, "engine", "model", "revision"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    conversation_id: Mapped[int] = mapped_column(
        Id, ForeignKey("conversations.id", ondelete="CASCADE"), index=True
    )
    stage: Mapped[str]
    engine: Mapped[str]
    model: Mapped[str]
    revision: Mapped[str]
    device: Mapped[str]
    options: Mapped[list[list[str]]]
