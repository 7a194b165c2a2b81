"""When the nightly batch run is due, by the clock on the wall.

Guarantee: pure. Every calendar day of the zone has at most one moment, and moments follow the days, whatever the
clocks do: an hour that is skipped begins when the clocks have jumped, one that comes twice counts once.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_LOOK_BACK_DAYS = 3  # zones have skipped a whole day (Apia, 2011-12-30): today and yesterday may be one moment


@dataclass(frozen=True, slots=True)
class Night:
    """The night of ``day``; ``begins`` in UTC."""

    day: date
    begins: datetime

    @property
    def key(self) -> str:
        """One name a night, so that any number of workers begin it once."""
        return f"nightly:{self.day.isoformat()}"


def night_of(day: date, at: time, zone: tzinfo) -> Night:
    """The moment at which the clocks of ``zone`` first show ``at`` on ``day``, or have jumped over it."""
    first = datetime.combine(day, at, tzinfo=zone)  # fold 0: the first of two
    moment = first.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == first.replace(tzinfo=None):
        return Night(day, moment)
    # No clock shows it. Read by the offset before the jump, ``moment`` lies behind the jump, by as much as ``at``
    # lies behind the beginning of the skipped hour.
    return Night(day, _jump_before(moment, zone))


def last_night(at: time, zone: tzinfo, now: datetime) -> Night | None:
    """The last night that has begun by ``now``; None before there were any (the year 1)."""
    today = now.astimezone(zone).date()
    nights = []
    for back in range(_LOOK_BACK_DAYS):
        try:
            nights.append(night_of(today - timedelta(days=back), at, zone))
        except OverflowError:
            continue
    begun = [night for night in nights if night.begins <= now]
    return max(begun, key=lambda night: (night.begins, night.day), default=None)


def _jump_before(moment: datetime, zone: tzinfo) -> datetime:
    """The last change of the zone's offset at or before ``moment``, which lies less than two days back."""
    after = moment.astimezone(zone).utcoffset()
    early, late = (
        moment - timedelta(days=2),
        moment,
    )  # the offset differs at ``early``, and is ``after`` at ``late``
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).utcoffset() == after:
            late = middle
        else:
            early = middle
    return late.replace(microsecond=0)
