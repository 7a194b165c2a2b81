"""What checks share that look for something said: where, by whom, how often, and what not finding it means."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from pydantic import PositiveInt

from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.results import Evidence
from qa_service.domain.timeline import TimeSpan
from rules.checks.base import role_of
from rules.checks.scope import ScopedCheck, place_of
from rules.context import Anchor, Context, Position
from rules.matching import Hit
from rules.verdict import FALSE, Verdict, unknown

LOW_CONFIDENCE: Final = "low_confidence"
HINT_ONLY: Final = "hint_only"
HOMOPHONE_ONLY: Final = "homophone_only"


@dataclass(frozen=True, slots=True)
class Found:
    """One occurrence: its evidence, or what that is told from. ``doubt``: why it may be none; empty: it surely is
    one."""

    told: Evidence | Hit
    doubt: str = ""

    @property
    def span(self) -> TimeSpan:
        return self.told.span

    @property
    def utterance(self) -> int:
        """The one that it begins in."""
        return self.told.utterances[0]

    @property
    def evidence(self) -> Evidence:
        return self.told if isinstance(self.told, Evidence) else self.told.evidence


class SpokenCheck(ScopedCheck):
    """True when ``role`` says in ``scope``, at least ``times`` times, what ``found`` looks for."""

    occurs: ClassVar[bool] = True

    times: PositiveInt = 1

    def found(self, context: Context, window: TimeSpan) -> list[Found]:
        """All occurrences in ``window``, the doubtful ones with their reason."""
        raise NotImplementedError

    def look(self, context: Context, window: TimeSpan) -> tuple[list[Found], Callable[[], list[Found]]]:
        """Enough of ``found`` to tell whether it is said ``times`` times, and what finds all."""
        found = self.found(context, window)
        return found, lambda: found

    def may_be_said(self, context: Context, window: TimeSpan) -> tuple[Evidence, ...]:  # noqa: ARG002
        """Where an occurrence may have been misheard."""
        return ()

    def evaluate(self, context: Context) -> Verdict:
        role = role_of(self.role)
        doubt = context.doubt(role)
        if doubt and role is not None:
            return unknown(doubt)
        place = place_of(self.scope, context, role)
        if place.doubt:
            return unknown(place.doubt)
        if place.window is None:
            return unknown(doubt) if doubt else self._nothing_said(context, role)
        window = place.window
        found, find_all = self.look(context, window)
        if sum([not f.doubt for f in found]) >= self.times:
            return Verdict(True, lambda: tuple(f.evidence for f in find_all() if not f.doubt))
        if len(found) >= self.times:
            return unknown(_reason(found), lambda: tuple(f.evidence for f in found))
        if doubt:
            return unknown(doubt)  # nobody on the other channel said it; who was on this one, nobody heard
        return self.not_said(context, window)

    def anchors(self, context: Context) -> tuple[Anchor, ...] | None:
        """One anchor an utterance."""
        role = role_of(self.role)
        if role is not None and context.doubt(role):
            return None
        place = place_of(self.scope, context, role)
        if place.doubt:
            return None
        if place.window is None:
            return ()
        first: dict[int, Anchor] = {}
        for f in sorted(
            self.found(context, place.window), key=lambda f: (bool(f.doubt), f.span.start, f.span.end)
        ):
            first.setdefault(f.utterance, Anchor(f.span, f.evidence, not f.doubt))
        return tuple(sorted(first.values(), key=lambda a: a.span))

    def not_said(self, context: Context, window: TimeSpan) -> Verdict:
        """What it means that nothing was found in ``window``."""
        verdict = context.not_said(window, role_of(self.role), from_end=self.scope.from_end)
        if verdict.value is not False or context.position is not Position.REQUIRE:
            return verdict
        places = self.may_be_said(context, window)
        return unknown("maybe_said", places) if places else verdict

    def _nothing_said(self, context: Context, role: SpeakerRole | None) -> Verdict:
        """The scope is empty: not said, unless the role is never heard at all (a dead or unheard channel)."""
        if context.position is Position.REQUIRE and not context.utterances(role):
            return unknown("role_not_heard")
        return FALSE


def _reason(found: Iterable[Found]) -> str:
    """The doubt of several: the one that says most about the recognition."""
    doubts = {f.doubt for f in found}
    return next((d for d in (LOW_CONFIDENCE, HINT_ONLY, HOMOPHONE_ONLY) if d in doubts), min(doubts - {""}))
