"""What calls add up to, kept by agent and day, so that months are read without reading calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from qa_service.domain.access import Scope
from qa_service.domain.figures import FaultLine, FigureFilter, Grouping, Period, ScoreLine


class FigureRepository(Protocol):
    def last_change(self) -> int:
        """The number of the last change that is not counted yet; 0: there is none."""
        ...

    def recount(self, *, limit: int, upto: int | None = None) -> int:
        """Count again what changed since it was counted: at most ``limit`` days of agents; how many were.

        ``upto``: only days with changes up to this one, so that who counts until there is nothing left comes to an
        end while calls go on changing.

        Nothing, and 0, while another counts. What changes meanwhile is counted the next time.
        """
        ...

    def mark_all(self) -> None:
        """Have everything counted again, as when the site's zone has changed."""
        ...

    def mark_wrong(self, since: date) -> int:
        """Have agents counted again whose calls since that day do not add up to what is kept, because somebody
        changed them who left no mark; how many agents."""
        ...

    def waiting(self, since: date, until: date) -> int:
        """How many days of agents in ``[since, until)`` changed since they were counted; of very many, only that
        they are many."""
        ...

    def scores(
        self, wanted: FigureFilter, scope: Scope, *, by: Sequence[Grouping] = (), period: Period = Period.WHOLE
    ) -> Sequence[ScoreLine]:
        """By keys and start; nothing for those without calls. ``Period.WHOLE`` starts at ``wanted.since``."""
        ...

    def faults(
        self, wanted: FigureFilter, scope: Scope, *, by: Sequence[Grouping] = (), period: Period = Period.WHOLE
    ) -> Sequence[FaultLine]:
        """By keys, start and rule; nothing for rules that had no answer in any call."""
        ...
