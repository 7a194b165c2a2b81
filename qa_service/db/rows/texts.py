"""What was said in calls, for finding it again."""

from __future__ import annotations

from sqlalchemy import JSON, ForeignKey, Index, Integer
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from qa_service.db.rows.base import Id, Row


class CallTextRow(Row):
    """A call's words, masked and folded, an utterance a line. ``grams``: its pairs of characters; none on SQLite,
    which has no index over lists."""

    __tablename__ = "call_texts"
    __table_args__ = (Index("ix_call_texts_grams", "grams", postgresql_using="gin"),)

    recording_id: Mapped[int] = mapped_column(
        Id, ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    conversation_id: Mapped[int] = mapped_column(
        Id, ForeignKey("conversations.id", ondelete="CASCADE"), index=True
    )
    text: Mapped[str]
    grams: Mapped[list[int] | None] = mapped_column(ARRAY(Integer).with_variant(JSON(none_as_null=True), "sqlite"))
