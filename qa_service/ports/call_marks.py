"""Calls of which something changed and that nobody has looked at since."""

from datetime import datetime
from typing import Protocol


class CallMarks(Protocol):
    """A mark is written with what changed, in one transaction."""

    def mark(self, recording_id: int) -> None:
        """Somebody is to look at what follows from this call."""
        ...

    def mark_missed(self, since: datetime) -> int:
        """Mark calls that were scored since then and left something behind that nobody looked at: workers of the
        version before leave no marks. How many."""
        ...

    def any(self) -> bool:
        """Whether anything is to be looked at."""
        ...

    def forget(self, recording_id: int) -> None:
        """Nobody can tell what follows from this call."""
        ...

    def take(self, limit: int) -> tuple[int, ...] | None:
        """Recordings behind at most ``limit`` marks, which are gone with the transaction; None: somebody else is
        at it. One at a time: two that saw half of a customer's calls each would both miss the same promise."""
        ...
