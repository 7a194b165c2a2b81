"""Calls: lists, one call, what was heard of it, and its job."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.masks import Eyes, SeenCall
from api.schemas.base import Shown, ShownTime
from api.schemas.metadata import MetadataModel
from qa_service.domain.conversation import EngineRun, SpeakerRole, Utterance
from qa_service.domain.timeline import TimeSpan
from qa_service.ports.calls import CallConversation, CallDetails, ListedCall
from qa_service.ports.jobs import Job, JobState

EXAMPLE: dict[str, Any] = {
    "id": 4711,
    "at": "2026-11-20T01:31:07Z",
    "call_id": "c-20261120-0931",
    "agent_id": "1024",
    "agent_name": "王芳",
    "team": "A",
    "vendor": "V",
    "queue": "billing",
    "direction": "inbound",
    "customer_ref": "138****5678",
    "language": "zh",
    "duration_s": 183.4,
    "evaluation_id": 815,
    "scorecard": "service-zh",
    "score": 72.5,
    "final_score": 80.0,
    "coverage": 0.94,
    "fatal": False,
    "to_review": 1,
    "worst": 2,
}


class CallModel(Shown):
    """A call as lists show it. ``at``: when it was, or when it came where nobody told."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    id: int = Field(description="The recording's number")
    at: ShownTime
    call_id: str | None
    agent_id: str | None
    agent_name: str | None
    team: str | None
    vendor: str | None
    queue: str | None
    direction: str | None
    customer_ref: str | None
    language: str | None
    duration_s: float | None
    evaluation_id: int | None = Field(description="The evaluation in force; null: not scored yet")
    scorecard: str | None
    score: float | None = Field(description="The machine's; null: withheld, or not scored yet")
    final_score: float | None = Field(description="After people's decisions")
    coverage: float | None
    fatal: bool | None
    to_review: int = Field(description="Findings that wait for a person")
    worst: int = Field(description="Of the findings that stand or are open: 3 critical, 2 major, 1 minor, 0 none")

    @staticmethod
    def of(call: ListedCall, eyes: Eyes) -> "CallModel":
        return CallModel(**_call(call, eyes))


class RecordingModel(CallModel):
    """A call with its recording and what was told of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **EXAMPLE,
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "file_name": "20261120-093107_1024.wav",
                "second_file_name": None,
                "size_bytes": 5870144,
                "channels": 2,
                "received_at": "2026-11-20T01:40:00Z",
                "metadata": {"agent_id": "1024", "team": "A", "direction": "inbound"},
                "metadata_version": 1,
            }
        }
    )

    sha256: str
    file_name: str
    second_file_name: str | None = Field(description="The other side, of a call in two files")
    size_bytes: int
    channels: int | None
    received_at: ShownTime
    metadata: MetadataModel
    metadata_version: int = Field(description='`If-Match: "v…"` of a change of the metadata')

    @staticmethod
    def of_details(found: CallDetails, eyes: Eyes) -> "RecordingModel":
        recording = found.recording
        return RecordingModel(
            **_call(found.call, eyes),
            sha256=recording.sha256,
            file_name=eyes.reference(_last_part(recording.path)),
            second_file_name=eyes.reference(_last_part(recording.second_path)) if recording.second_path else None,
            size_bytes=recording.size_bytes,
            channels=recording.channels,
            received_at=found.received_at,
            metadata=MetadataModel.of(found.metadata, eyes),
            metadata_version=found.metadata_version,
        )


class JobModel(Shown):
    """Work on a recording: ``queued``, ``leased`` (a worker has it), ``done``, ``failed`` or ``withdrawn``."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": 99,
                "recording_id": 4711,
                "state": "failed",
                "attempts": 1,
                "error_code": "silent_audio",
                "error_message": "nobody speaks on it: check the recorder",
            }
        }
    )

    id: int
    recording_id: int
    state: JobState
    attempts: int
    error_code: str | None
    error_message: str | None

    @staticmethod
    def of(job: Job) -> "JobModel":
        return JobModel.model_validate(job)


class UploadedModel(BaseModel):
    """A recording that was sent. ``new``: its bytes were not known. ``job``: the work on it."""

    recording: RecordingModel
    job: JobModel | None
    new: bool


class SpanModel(Shown):
    """Seconds from the beginning of the recording."""

    start: float
    end: float

    @staticmethod
    def of(span: TimeSpan) -> "SpanModel":
        return SpanModel(start=span.start, end=span.end)


class EngineModel(Shown):
    """What produced a machine result."""

    stage: str
    engine: str
    model: str
    revision: str
    device: str

    @staticmethod
    def of(run: EngineRun) -> "EngineModel":
        return EngineModel.model_validate(run)


class WordModel(Shown):
    text: str
    start: float
    end: float
    confidence: float


class UtteranceModel(BaseModel):
    """One speaker's words without a long pause. ``confidence``: the share that is expected to be heard right."""

    index: int
    role: SpeakerRole
    channel: int
    speaker: int
    start: float
    end: float
    text: str
    confidence: float
    language: str
    words: list[WordModel] | None = Field(default=None, description="Where they were asked for")

    @staticmethod
    def of(said: Utterance, language: str, *, words: bool) -> "UtteranceModel":
        return UtteranceModel(
            index=said.index,
            role=said.role,
            channel=said.channel,
            speaker=said.speaker,
            start=said.start,
            end=said.end,
            text=said.text,
            confidence=said.confidence,
            language=said.language or language,
            words=[WordModel.model_validate(word, from_attributes=True) for word in said.words] if words else None,
        )


class ConversationModel(BaseModel):
    """What was heard. ``silent``: when nothing is played, because a number is said there that you may not hear."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": 600,
                "recording_id": 4711,
                "heard_at": "2026-11-20T01:42:10Z",
                "duration_s": 183.4,
                "language": "zh",
                "role_source": "metadata",
                "role_probability": None,
                "utterances": [
                    {
                        "index": 0,
                        "role": "agent",
                        "channel": 0,
                        "speaker": 0,
                        "start": 0.8,
                        "end": 5.9,
                        "text": "您好，工号1024为您服务",
                        "confidence": 0.93,
                        "language": "zh",
                        "words": None,
                    }
                ],
                "silent": [{"start": 61.2, "end": 66.0}],
                "engines": [],
            }
        }
    )

    id: int
    recording_id: int
    heard_at: ShownTime
    duration_s: float
    language: str
    role_source: str
    role_probability: float | None
    utterances: list[UtteranceModel]
    silent: list[SpanModel]
    engines: list[EngineModel]

    @staticmethod
    def of(recording_id: int, found: CallConversation, seen: SeenCall, *, words: bool) -> "ConversationModel":
        heard = seen.conversation
        return ConversationModel(
            id=found.id,
            recording_id=recording_id,
            heard_at=found.created_at,
            duration_s=heard.duration_s,
            language=heard.language,
            role_source=heard.role_source,
            role_probability=heard.role_probability,
            utterances=[UtteranceModel.of(said, heard.language, words=words) for said in heard.utterances],
            silent=[SpanModel.of(span) for span in seen.silent],
            engines=[EngineModel.of(run) for run in heard.provenance],
        )


def _call(call: ListedCall, eyes: Eyes) -> dict[str, Any]:
    call = eyes.judged(call)
    shown: dict[str, Any] = {
        name: getattr(call, name)
        for name in CallModel.model_fields
        if name not in ("id", "call_id", "customer_ref")
    }
    return shown | {
        "id": call.recording_id,
        "call_id": eyes.reference(call.call_id),
        "customer_ref": eyes.reference(call.customer_ref),
    }


def _last_part(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]
