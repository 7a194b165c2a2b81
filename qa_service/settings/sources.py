"""Where recordings come from, what is told of them, and where all is kept."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, field_validator
from pydantic_settings import BaseSettings, NoDecode

from qa_service.adapters.buckets import parse_bucket_url
from qa_service.domain.call import Direction
from qa_service.settings.parsing import pairs, place


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "qa-service"


class SourceSettings(BaseSettings):
    """Where recordings come from, what is told of them, and where all is kept."""

    data_dir: Path = Field(default_factory=_default_data_dir)
    database_url: str | None = None
    blob_url: str | None = None
    sources: Annotated[tuple[str, ...], NoDecode] = ()
    source_metadata: Path | None = None
    settle_s: Annotated[float, Field(ge=0.0)] = 60.0
    collect_every_s: PositiveFloat = 60.0
    filename_template: str | None = None
    leg_suffixes: Annotated[tuple[str, str] | None, NoDecode] = None
    cdr_contexts: Annotated[Mapping[str, Direction], NoDecode] = Field(default_factory=dict)
    min_free_bytes: int = Field(default=1024**3, ge=0)

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
        places = [one.strip() for one in value if isinstance(one, str) and one.strip()]
        return tuple(dict.fromkeys(map(place, places)))

    @field_validator("source_metadata", mode="before")
    @classmethod
    def _no_table(cls, value: object) -> object:
        return value or None

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
        told = pairs(value, "a context occurs twice: keep one of them")
        return {context: meaning.lower() for context, meaning in told.items()}

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'qa.db'}"
