"""The clock of the machine."""

from datetime import UTC, datetime


class SystemClock:
    """Current time, UTC, aware."""

    def now(self) -> datetime:
        return datetime.now(UTC)
