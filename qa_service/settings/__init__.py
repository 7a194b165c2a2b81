"""Settings: environment variables ``QA_…``, then a TOML file, then defaults. Read once, at a composition root.

The file is ``qa.toml`` in the working directory, or what ``QA_CONFIG`` names.
"""

import os
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from qa_service.errors import ConfigurationError
from qa_service.settings.aftercare import AftercareSettings
from qa_service.settings.floor import FloorSettings
from qa_service.settings.sources import SourceSettings
from qa_service.settings.speech import SpeechSettings
from qa_service.settings.work import WorkSettings


def settings_file() -> Path:
    """The TOML file that is read when it is there."""
    return Path(os.environ.get("QA_CONFIG") or "qa.toml")


class Settings(SourceSettings, SpeechSettings, AftercareSettings, FloorSettings, WorkSettings):
    """All settings of the product; ``docs/configuration.md`` documents each of them."""

    model_config = SettingsConfigDict(env_prefix="QA_", extra="forbid", frozen=True)

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
