"""Where the site is in time."""

from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import field_validator
from pydantic_settings import BaseSettings, NoDecode

from qa_service.domain.working_days import WorkCalendar
from qa_service.settings.parsing import days, words


class CalendarSettings(BaseSettings):
    """Where the site is in time."""

    time_zone: str = "Asia/Shanghai"
    holidays: Annotated[frozenset[date], NoDecode] = frozenset()
    working_weekends: Annotated[frozenset[date], NoDecode] = frozenset()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone {value!r}: use a name such as Asia/Shanghai") from error
        return value

    @field_validator("holidays", "working_weekends", mode="before")
    @classmethod
    def _days(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [day for text in words(value) if text.strip() for day in days(text.strip())]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def calendar(self) -> WorkCalendar:
        return WorkCalendar(self.zone, self.holidays, self.working_weekends)
