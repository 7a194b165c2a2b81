"""How recordings are read, heard, and by which pack they are judged."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode

from qa_service.adapters.metadata_fields import ALLOWED_FORMS, parse_channel_map, parse_raw_format
from qa_service.domain.call import RawFormat
from qa_service.domain.text import hot_word_fault
from qa_service.settings.parsing import words


class SpeechSettings(BaseSettings):
    """How recordings are read, heard, and by which pack they are judged."""

    language: Literal["zh", "en", "mixed"] | None = None
    hot_words: Annotated[tuple[str, ...], NoDecode] = ()
    agent_channel: Annotated[int, Field(ge=0, le=1)] | None = 0
    channel_map: Annotated[tuple[int, ...] | None, NoDecode] = None
    raw_format: Annotated[RawFormat | None, NoDecode] = None
    max_duration_s: PositiveFloat = 4 * 3600.0
    max_file_bytes: PositiveInt = 2 * 1024**3
    min_sample_rate_hz: PositiveInt = 6_000
    max_sample_rate_hz: PositiveInt = 192_000
    max_tracks: PositiveInt = 32
    decode_timeout_s: PositiveFloat = 30.0
    decode_memory_bytes: int = Field(default=512 * 1024**2, ge=128 * 1024**2)  # the process itself takes 70 MiB
    asr_engine: Literal["faster-whisper", "openai-whisper"] = "faster-whisper"
    asr_model: str = "base"
    asr_compute_type: str = "default"
    asr_threads: int = Field(default=0, ge=0)
    asr_batch_size: int = Field(default=0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: int = Field(default=0, ge=0)
    batch_calls: int = Field(default=0, ge=0)
    batch_minutes: float = Field(default=0.0, ge=0.0)
    diarization_engine: Literal["pyannote", "none"] = "pyannote"
    diarization_device: Literal["auto", "cpu", "cuda"] | None = None
    role_probability: Annotated[float, Field(ge=0.5, le=1.0)] = 0.9
    model_cache_dir: Path | None = None
    model_download: bool = False
    listening_bytes: int = Field(default=2 * 1024**3, ge=0)
    utterance_pause_s: PositiveFloat = 0.8
    pack_zh: str = "service-zh"
    pack_en: str = "service-en"

    @field_validator("agent_channel", mode="before")
    @classmethod
    def _unknown_channel(cls, value: object) -> object:
        return None if value in ("", "unknown") else value

    @field_validator("hot_words", mode="before")
    @classmethod
    def _known_words(cls, value: object) -> object:
        if isinstance(value, str):
            value = words(value)
        if not isinstance(value, list | tuple):
            return value
        named = tuple(word.strip() for word in value if isinstance(word, str) and word.strip())
        faults = [f"{word!r}: {fault}" for word in named if (fault := hot_word_fault(word))]
        if faults:
            raise ValueError(
                f"{'; '.join(faults[:5])}: leave it out, or write what stands beside it too (世纪物业)"
            )
        return named

    @field_validator("channel_map", "raw_format", mode="before")
    @classmethod
    def _as_in_metadata(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        name = str(info.field_name)
        try:
            return parse_channel_map(value) if name == "channel_map" else parse_raw_format(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is not {ALLOWED_FORMS[name]}") from error
