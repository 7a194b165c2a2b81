"""Days and moments as people write them, by the clock of the site."""

from datetime import date, datetime, timedelta, tzinfo
from datetime import time as time_of_day

from qa_service.errors import ConfigurationError


def moments(since: str | None, until: str | None, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    """``--since`` and ``--until``: a day (of ``--until`` its end), or an ISO 8601 time.

    Raises:
        ConfigurationError: ``date_invalid``, also when nothing lies between them.
    """
    first, last = _moment(since, "--since", zone), _moment(until, "--until", zone, end_of_day=True)
    if first is not None and last is not None and first >= last:
        raise ConfigurationError(
            "date_invalid", f"no time lies between {since} and {until}: give --since before --until"
        )
    return first, last


def _moment(text: str | None, option: str, zone: tzinfo, *, end_of_day: bool = False) -> datetime | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise ConfigurationError(
                "date_invalid", f"{option} {text!r} is no date: write 2026-03-02 or 2026-03-02T09:30"
            ) from error
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    try:
        return datetime.combine(day + timedelta(days=1) if end_of_day else day, time_of_day(), tzinfo=zone)
    except OverflowError as error:
        raise ConfigurationError("date_invalid", f"{option} {text!r} is out of range: write 2026-03-02") from error
