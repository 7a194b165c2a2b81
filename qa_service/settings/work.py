"""How work is done, told of and watched."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, field_validator
from pydantic_settings import BaseSettings, NoDecode

from qa_service.observability import LogFormat, LogLevel
from qa_service.settings.parsing import NoTimeOfDay


class WorkSettings(BaseSettings):
    """How work is done, told of and watched."""

    broker_url: str | None = None
    work_limit_s: PositiveFloat = 2 * 3600.0
    worker_memory_bytes: int = Field(default=0, ge=0)
    lease_s: PositiveFloat = 60.0
    nightly_at: NoTimeOfDay = None
    queue_limit: PositiveInt = 10_000
    transient_retries: PositiveInt = 3
    webhook_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    webhook_key: Annotated[str, Field(min_length=32)] | None = Field(default=None, repr=False)
    log_level: LogLevel | None = None
    log_format: LogFormat = "auto"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    metrics_host: str = "127.0.0.1"

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _in_lower_case(cls, value: object) -> object:
        return (value.strip().lower() or None) if isinstance(value, str) else value

    @field_validator("webhook_networks", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        return tuple(one.strip() for one in value.split(",") if one.strip()) if isinstance(value, str) else value
