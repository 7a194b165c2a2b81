"""Settings: environment variables ``QA_…``, then a TOML file, then defaults. Read once, at a composition root.

The file is ``qa.toml`` in the working directory, or what ``QA_CONFIG`` names.
"""

import os
import re
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from qa_service.adapters.buckets import parse_bucket_url
from qa_service.adapters.metadata_fields import ALLOWED_FORMS, parse_channel_map, parse_raw_format
from qa_service.domain.call import Direction, RawFormat
from qa_service.domain.text import hot_word_fault
from qa_service.errors import ConfigurationError
from qa_service.observability import LogFormat, LogLevel


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "qa-service"


def settings_file() -> Path:
    """The TOML file that is read when it is there."""
    return Path(os.environ.get("QA_CONFIG") or "qa.toml")


class Settings(BaseSettings):
    """All settings of the product; ``docs/configuration.md`` documents each of them."""

    model_config = SettingsConfigDict(env_prefix="QA_", extra="forbid", frozen=True)

    data_dir: Path = Field(default_factory=_default_data_dir)
    database_url: str | None = None
    blob_url: str | None = None
    sources: Annotated[tuple[str, ...], NoDecode] = ()
    source_metadata: Path | None = None
    settle_s: Annotated[float, Field(ge=0.0)] = 60.0
    collect_every_s: PositiveFloat = 60.0
    time_zone: str = "Asia/Shanghai"
    filename_template: str | None = None
    leg_suffixes: Annotated[tuple[str, str] | None, NoDecode] = None
    cdr_contexts: Annotated[Mapping[str, Direction], NoDecode] = Field(default_factory=dict)

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

    utterance_pause_s: PositiveFloat = 0.8
    pack_zh: str = "service-zh"
    pack_en: str = "service-en"

    broker_url: str | None = None
    work_limit_s: PositiveFloat = 2 * 3600.0
    worker_memory_bytes: int = Field(default=0, ge=0)
    lease_s: PositiveFloat = 60.0
    nightly_at: time | None = None
    queue_limit: PositiveInt = 10_000
    min_free_bytes: int = Field(default=1024**3, ge=0)
    transient_retries: PositiveInt = 3

    log_level: LogLevel | None = None
    log_format: LogFormat = "auto"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    metrics_host: str = "127.0.0.1"

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _in_lower_case(cls, value: object) -> object:
        return (value.strip().lower() or None) if isinstance(value, str) else value

    @field_validator("blob_url")
    @classmethod
    def _bucket(cls, value: str | None) -> str | None:
        if value:
            parse_bucket_url(value)
        return value or None

    @field_validator("sources", mode="before")
    @classmethod
    def _places(cls, value: object) -> object:
        if isinstance(value, str):
            value = value.split(",")
        if not isinstance(value, list | tuple):
            return value
        places = [place.strip() for place in value if isinstance(place, str) and place.strip()]
        return tuple(dict.fromkeys(map(_place, places)))

    @field_validator("source_metadata", mode="before")
    @classmethod
    def _no_table(cls, value: object) -> object:
        return value or None

    @field_validator("agent_channel", mode="before")
    @classmethod
    def _unknown_channel(cls, value: object) -> object:
        return None if value in ("", "unknown") else value

    @field_validator("nightly_at", mode="before")
    @classmethod
    def _time_of_day(cls, value: object) -> object:
        if value is None or value == "":
            return None
        if isinstance(value, str):
            if not re.fullmatch("[0-2][0-9]:[0-5][0-9]", value):
                raise ValueError(f"{value!r} is no time of day: write 22:00, by the clock of QA_TIME_ZONE")
            return time.fromisoformat(value)
        return value

    @field_validator("hot_words", mode="before")
    @classmethod
    def _known_words(cls, value: object) -> object:
        if isinstance(value, str):
            value = _words(value)
        if not isinstance(value, list | tuple):
            return value
        words = tuple(word.strip() for word in value if isinstance(word, str) and word.strip())
        faults = [f"{word!r}: {fault}" for word in words if (fault := hot_word_fault(word))]
        if faults:
            raise ValueError(
                f"{'; '.join(faults[:5])}: leave it out, or write what stands beside it too (世纪物业)"
            )
        return words

    @field_validator("leg_suffixes", mode="before")
    @classmethod
    def _two_suffixes(cls, value: object) -> object:
        if value is None or value == "":
            return None
        both = value.split(",") if isinstance(value, str) else value
        ends = [end.strip() for end in both if isinstance(end, str)] if isinstance(both, list | tuple) else []
        if len(ends) != 2 or not all(ends) or any("/" in end for end in ends):
            raise ValueError("not two endings of file names without their extension: write them as -out,-in")
        if ends[0].endswith(ends[1]) or ends[1].endswith(ends[0]):
            raise ValueError(f"{ends[0]} and {ends[1]} end alike: a name could be either side")
        return tuple(ends)

    @field_validator("cdr_contexts", mode="before")
    @classmethod
    def _meanings(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        pairs = [part.partition("=") for part in parts]
        meanings = {context.strip(): meaning.strip().lower() for context, _, meaning in pairs}
        if len(meanings) < len(parts):
            raise ValueError("a context occurs twice: keep one of them")
        return meanings

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

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone {value!r}: use a name such as Asia/Shanghai") from error
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=settings_file())

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'qa.db'}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def _place(text: str) -> str:
    """A source as everybody spells it: a folder from the root, or a bucket's URL."""
    if "://" in text:
        bucket, prefix = parse_bucket_url(text)
        return f"s3://{bucket}" + (f"/{prefix}" if prefix else "")
    if not Path(text).is_absolute():
        # Workers and commands run in different folders, and all mean the same source.
        named = "this" if "@" in text else repr(text)  # it may be a mistyped URL with a secret in it
        raise ValueError(f"{named} is neither a folder from the root on nor s3://bucket/prefix: write it in full")
    return str(Path(text))


def _words(value: str) -> list[str]:
    """Words from a text file, one a line, # for comments; or those of a list with commas."""
    if not Path(value).is_file():
        return re.split("[,，、]", value)
    try:
        lines = Path(value).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{value} cannot be read: {error}") from error
    return [line.split("#")[0] for line in lines]


def load_settings() -> Settings:
    """Raises ConfigurationError ``settings_invalid`` naming every wrong setting."""
    named = os.environ.get("QA_CONFIG")
    if named and not Path(named).is_file():
        raise ConfigurationError("settings_invalid", f"QA_CONFIG names {named}, which is not a file: correct it")
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(_fault(fault) for fault in error.errors(include_url=False))
        raise ConfigurationError("settings_invalid", faults) from error
    except (ValueError, OSError) as error:
        raise ConfigurationError("settings_invalid", f"{settings_file()} is not valid TOML: {error}") from error


def _fault(fault: ErrorDetails) -> str:
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":  # only the file can hold it: other variables are not ours to judge
        return f"{settings_file()}: there is no setting {name}"
    return f"QA_{name.upper()}: {fault['msg']}"
