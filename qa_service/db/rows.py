"""Database rows, typed. They stay inside ``qa_service.db``: repositories return domain objects.

Guarantees: every constraint has a name from the first migration on, times are aware UTC on every database,
and no relationship loads behind the caller's back (``lazy="raise"``).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

ERROR_MESSAGE_CHARACTERS = 2_000

# Only these jobs can be claimed. Written as a literal wherever it is used: a partial index serves a query only
# when the planner sees the very predicate, and it cannot see into bound parameters.
OPEN_JOBS = "state IN ('queued', 'leased')"
LEASED_JOBS = "state = 'leased'"
COUNTED_NOT_YET = "outcome IS NULL"
COUNTED_FAILED = "outcome = 'failed'"
UNENDED_RUNS = "ended_at IS NULL"
SUSPECTED_JOBS = "losses > 0 AND state IN ('queued', 'leased')"


class UTCDateTime(TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out. SQLite has no time zones: there the stored text is UTC by this type alone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive time cannot be stored: {value.isoformat()}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite numbers rows by itself only for a column declared INTEGER.
_Id = BigInteger().with_variant(Integer(), "sqlite")


class Row(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own declaration
        datetime: UTCDateTime(),
        float: Double(),
        str: Text(),
        bytes: LargeBinary(),
        bool: Boolean(),
        dict[str, str]: JSON(),
        list[dict[str, Any]]: JSON(),
        list[list[str]]: JSON(),
        dict[str, Any]: JSON(),
    }


class RecordingRow(Row):
    """A received recording: one file, or two that are the two sides of a call (the ``second_…`` columns).

    ``file_name`` is the last part of ``path``, kept so that people find it by an index.

    Whole paths are not indexed: PostgreSQL refuses index entries of more than 2.7 kB, and paths may have 4.
    """

    __tablename__ = "recordings"
    # Batch runs walk recordings in the order in which they came.
    __table_args__ = (Index(None, "created_at", "id"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
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
        _Id, ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    document: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    updated_at: Mapped[datetime]


class ConversationRow(Row):
    """A heard recording. ``document`` is the compressed conversation, ``elapsed_s`` what hearing it took."""

    __tablename__ = "conversations"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    stage_key: Mapped[str] = mapped_column(unique=True)
    recording_id: Mapped[int] = mapped_column(_Id, ForeignKey("recordings.id"), index=True)
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

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    conversation_id: Mapped[int] = mapped_column(
        _Id, ForeignKey("conversations.id", ondelete="CASCADE"), index=True
    )
    stage: Mapped[str]
    engine: Mapped[str]
    model: Mapped[str]
    revision: Mapped[str]
    device: Mapped[str]
    options: Mapped[list[list[str]]]


class EvaluationRow(Row):
    """A filled scorecard. Its sections are a small JSON list, its metrics with all their spans compressed."""

    __tablename__ = "evaluations"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    recording_id: Mapped[int] = mapped_column(_Id, ForeignKey("recordings.id"), index=True)
    conversation_id: Mapped[int] = mapped_column(_Id, ForeignKey("conversations.id"), index=True)
    pack: Mapped[str]
    ruleset_digest: Mapped[str]
    scorecard: Mapped[str]
    score: Mapped[float | None]
    raw_score: Mapped[float | None]
    bonus: Mapped[float] = mapped_column(server_default=text("0"))
    coverage: Mapped[float]
    fatal: Mapped[bool]
    sections: Mapped[list[dict[str, Any]]]
    metrics: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(index=True)

    results: Mapped[list[RuleResultRow]] = relationship(lazy="raise", order_by="RuleResultRow.position")


class RuleResultRow(Row):
    """One rule's answer. ``position`` keeps the rules in the order in which they were evaluated."""

    __tablename__ = "rule_results"
    __table_args__ = (UniqueConstraint("evaluation_id", "rule"), Index(None, "rule", "outcome"))

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(_Id, ForeignKey("evaluations.id", ondelete="CASCADE"))
    position: Mapped[int]
    rule: Mapped[str]
    title: Mapped[str]
    outcome: Mapped[str]
    severity: Mapped[str]
    reason: Mapped[str]
    scored: Mapped[bool]
    same_event_as: Mapped[str | None]
    evidence: Mapped[list[dict[str, Any]]]
    style: Mapped[list[list[Any]]] = mapped_column(JSON, server_default=text("'[]'"))
    grade: Mapped[int | None]
    review: Mapped[bool] = mapped_column(server_default=true())
    opens: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'"))
    unscored: Mapped[str] = mapped_column(server_default=text("''"))

    finding: Mapped[FindingRow | None] = relationship(lazy="raise", back_populates="result")


class LatestEvaluationRow(Row):
    """A recording's evaluation that was asked for last: rules that are changed back find an older one."""

    __tablename__ = "latest_evaluations"

    recording_id: Mapped[int] = mapped_column(
        _Id, ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    evaluation_id: Mapped[int] = mapped_column(_Id, ForeignKey("evaluations.id", ondelete="CASCADE"), index=True)


class RuleVersionRow(Row):
    """A version of a rule of which somebody has said something. ``content`` is what its digest covers."""

    __tablename__ = "rule_versions"
    __table_args__ = (UniqueConstraint("pack", "rule", "digest"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    pack: Mapped[str]
    rule: Mapped[str]
    digest: Mapped[str]
    content: Mapped[str]
    created_at: Mapped[datetime]


class RuleTransitionRow(Row):
    """One step of a rule version. Rows are only ever added; the highest ``number`` tells the state."""

    __tablename__ = "rule_transitions"
    __table_args__ = (UniqueConstraint("version_id", "number"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    version_id: Mapped[int] = mapped_column(_Id, ForeignKey("rule_versions.id"))
    number: Mapped[int]
    from_state: Mapped[str]
    to_state: Mapped[str]
    by: Mapped[str]
    note: Mapped[str]
    created_at: Mapped[datetime]


class FindingRow(Row):
    """A rule result that needs a person. ``version`` guards it where two people edit."""

    __tablename__ = "findings"
    __table_args__ = (Index(None, "state", "id"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(_Id, ForeignKey("evaluations.id", ondelete="CASCADE"), index=True)
    rule_result_id: Mapped[int] = mapped_column(
        _Id, ForeignKey("rule_results.id", ondelete="CASCADE"), unique=True
    )
    state: Mapped[str]
    version: Mapped[int] = mapped_column()

    evaluation: Mapped[EvaluationRow] = relationship(lazy="raise")
    result: Mapped[RuleResultRow] = relationship(lazy="raise", back_populates="finding")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own declaration


class JobRow(Row):
    """One unit of work. Times are absolute, so that any worker can tell whether a lease has run out."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'leased', 'done', 'failed', 'withdrawn')", name="state"),
        # Claiming walks the open jobs in their order; finished ones, which pile up for ever, are not in it.
        Index("ix_jobs_open", "rank", "id", sqlite_where=text(OPEN_JOBS), postgresql_where=text(OPEN_JOBS)),
        # A sweep walks what is held and what is suspected, however long the queue is.
        Index(
            "ix_jobs_leased",
            "lease_expires_at",
            sqlite_where=text(LEASED_JOBS),
            postgresql_where=text(LEASED_JOBS),
        ),
        Index(
            "ix_jobs_suspected",
            "losses",
            sqlite_where=text(SUSPECTED_JOBS),
            postgresql_where=text(SUSPECTED_JOBS),
        ),
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    kind: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    recording_id: Mapped[int] = mapped_column(_Id, ForeignKey("recordings.id"), index=True)
    payload: Mapped[dict[str, str]]
    state: Mapped[str]
    rank: Mapped[int] = mapped_column(server_default=text("0"))  # the priority, negated: an index ascends
    attempts: Mapped[int]
    losses: Mapped[int] = mapped_column(server_default=text("0"))
    lease_owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    available_at: Mapped[datetime]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None] = mapped_column(String(ERROR_MESSAGE_CHARACTERS))
    cpu_s: Mapped[float] = mapped_column(server_default=text("0"))
    gpu_s: Mapped[float] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class BatchRunRow(Row):
    """A batch run: what it selects, how far it has come, and what its jobs came to, counted as they ended."""

    __tablename__ = "batch_runs"
    __table_args__ = (
        CheckConstraint("kind IN ('nightly', 'requested', 'rescore')", name="kind"),
        CheckConstraint("state IN ('filling', 'running', 'done', 'cancelled')", name="state"),
        Index("ix_batch_runs_unended", "id", sqlite_where=text(UNENDED_RUNS), postgresql_where=text(UNENDED_RUNS)),
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    state: Mapped[str]
    since: Mapped[datetime | None]
    until: Mapped[datetime]
    team: Mapped[str | None]
    pack: Mapped[str | None]
    force: Mapped[bool]
    cursor_at: Mapped[datetime | None]
    cursor_id: Mapped[int | None] = mapped_column(_Id)
    expected: Mapped[int]
    waiting: Mapped[str | None]
    up_to_date: Mapped[int]
    not_heard: Mapped[int]
    queued: Mapped[int]
    scored: Mapped[int]
    withdrawn: Mapped[int]
    flagged: Mapped[int]
    undetermined: Mapped[int]
    failures: Mapped[dict[str, Any]]
    audio_s: Mapped[float]
    cpu_s: Mapped[float]
    gpu_s: Mapped[float]
    active_s: Mapped[float]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class BatchRunJobRow(Row):
    """A job that a batch run waits for, or has counted with this ``outcome``. A job may belong to several runs."""

    __tablename__ = "batch_run_jobs"
    __table_args__ = (
        # What is not counted yet is never more than the queue may hold, whatever was counted before.
        Index(
            "ix_batch_run_jobs_uncounted",
            "batch_run_id",
            "job_id",
            sqlite_where=text(COUNTED_NOT_YET),
            postgresql_where=text(COUNTED_NOT_YET),
        ),
        Index(
            "ix_batch_run_jobs_failed",
            "batch_run_id",
            "code",
            sqlite_where=text(COUNTED_FAILED),
            postgresql_where=text(COUNTED_FAILED),
        ),
    )

    batch_run_id: Mapped[int] = mapped_column(
        _Id, ForeignKey("batch_runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    job_id: Mapped[int] = mapped_column(
        _Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True
    )
    outcome: Mapped[str | None]
    code: Mapped[str | None]


class SourceRow(Row):
    """A folder or bucket that recordings are collected from. Who holds the lease collects.

    ``checked_at``: from when the time to the next round counts.
    """

    __tablename__ = "sources"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
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

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    source_id: Mapped[int] = mapped_column(_Id, ForeignKey("sources.id"))
    key_digest: Mapped[str] = mapped_column(String(64))
    key: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    stamp: Mapped[str]
    state: Mapped[str]
    since: Mapped[datetime]
    recording_id: Mapped[int | None] = mapped_column(
        _Id, ForeignKey("recordings.id", ondelete="SET NULL"), index=True
    )
    told: Mapped[str | None] = mapped_column(String(64))
    error_code: Mapped[str | None]
    error_message: Mapped[str | None] = mapped_column(String(ERROR_MESSAGE_CHARACTERS))
