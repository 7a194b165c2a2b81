"""Phrases: was it said?"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

from qa_service.domain.results import Evidence
from qa_service.domain.timeline import TimeSpan
from rules.checks.base import Check, RoleName, role_of
from rules.context import (
    Anchor,
    Context,
    Position,
    Scope,
    hit_evidence,
    place_evidence,
    utterance_evidence,
    within,
)
from rules.matching import Hit, TurnText, joined, phrase_fault, places_of
from rules.nearly import may_be_said
from rules.verdict import FALSE, Verdict, unknown

Homophones = Literal["accept", "review", "off"]

# Doubt favours the agent: a required phrase may be heard by its sound alone, a forbidden one never convicts so.
_DEFAULT: dict[Position, Homophones] = {
    Position.REQUIRE: "accept",
    Position.FORBID: "review",
    Position.TRIGGER: "review",
}

_BESIDE = 1  # characters beside a hit that decide what it means


class Lexicon(BaseModel):
    """A named list of phrases with its exceptions.

    ``not_preceded_by``/``not_followed_by``: words that, within ``reach`` characters, make a hit harmless
    (「不敢保证」). ``except_in``: longer phrases in which it does not count (保证金). ``hint``: words that prove
    nothing by themselves; a person looks. ``homophones`` overrides
    what a match by sound alone means; ``min_sound_characters`` keeps short phrases from matching by sound.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    phrases: tuple[str, ...] = Field(min_length=1)
    not_preceded_by: tuple[str, ...] = ()
    not_followed_by: tuple[str, ...] = ()
    except_in: tuple[str, ...] = ()
    reach: PositiveInt = 6
    hint: bool = False
    homophones: Homophones | None = None
    min_sound_characters: PositiveInt = 3

    @field_validator("phrases", "except_in")
    @classmethod
    def _readable(cls, phrases: tuple[str, ...]) -> tuple[str, ...]:
        for phrase in phrases:
            if fault := phrase_fault(phrase):
                raise ValueError(fault)
        return phrases

    def all_phrases(self) -> Iterable[str]:
        yield from self.phrases
        yield from self.except_in

    def allows(self, hit: Hit, text: TurnText, context: Context) -> bool | None:
        """Whether the hit counts; None: what would make it harmless, or the word beside it, is in doubt."""
        if any(
            other.turn == hit.turn and other.start < hit.end and hit.start < other.end
            for phrase in self.except_in
            for other in context.hits.get(phrase, ())
            if other.spelled
        ):
            return False
        sides = [
            (
                self.not_preceded_by,
                max(0, hit.start - self.reach),
                hit.start,
                max(0, hit.start - _BESIDE),
                hit.start,
            ),
            (self.not_followed_by, hit.end, hit.end + self.reach, hit.end, hit.end + _BESIDE),
        ]
        doubtful = False
        for words, start, end, near, nearest in sides:
            places = list(places_of(words, text.text, start, end))
            if any(text.least(*place) >= context.recognition.convict_confidence for place in places):
                return False
            doubtful = doubtful or bool(places)
            # 「能」 after a syllable that was hardly heard may have been 「不能」.
            doubtful = doubtful or (
                bool(words) and text.least(near, nearest) < context.recognition.doubt_confidence
            )
        return None if doubtful else True


class PhraseCheck(Check):
    """True when one of the phrases is said by ``role`` in ``scope`` (at least ``times`` times)."""

    has_occurrences: ClassVar[bool] = True

    role: RoleName = "agent"
    scope: Scope = Scope()
    lexicons: tuple[Lexicon, ...] = Field(min_length=1)
    homophones: Homophones | None = None
    times: PositiveInt = 1

    def phrases(self) -> Iterable[str]:
        return (p for lexicon in self.lexicons for p in lexicon.all_phrases())

    def anchored(self) -> bool:
        return self.scope.anchored

    def evaluate(self, context: Context) -> Verdict:
        role = role_of(self.role)
        doubt = context.doubt(role)
        if doubt and role is not None:
            return unknown(doubt)
        window = context.window(self.scope, role)
        if window is None:
            return unknown(doubt) if doubt else self._nothing_said(context)
        sure, doubtful = self._hits(context)
        if len(sure) >= self.times:
            return Verdict(True, tuple(hit_evidence(h, context) for h in sure))
        if len(sure) + len(doubtful) >= self.times:
            return unknown(
                self._doubt(doubtful),
                tuple(hit_evidence(h, context) for h in (*sure, *doubtful)),
            )
        if doubt:
            return unknown(doubt)  # nobody on the other channel said it; who was on this one, nobody heard
        inside = [u for u in context.utterances(role) if within(u.span, window) or window.contains(u.start)]
        edge = inside[-1:] if self.scope.from_end else inside[:1]
        absent = tuple(utterance_evidence(u, "not said here") for u in edge)
        if not context.utterances(role) and context.position is Position.REQUIRE:
            return unknown("role_not_heard")
        if (reason := context.unheard(window, role)) is not None:
            return unknown(reason, absent)
        if context.position is Position.REQUIRE and (places := self._may_be_said(context, window)):
            return unknown("maybe_said", places)
        return Verdict(False, absent)

    def _may_be_said(self, context: Context, window: TimeSpan) -> tuple[Evidence, ...]:
        """Where one of the phrases may have been misheard. Nobody is accused of what may have been said."""
        role = role_of(self.role)
        phrases = [phrase for lexicon in self.lexicons for phrase in lexicon.phrases]
        limits = context.recognition
        found = [
            place_evidence(text, start, end, f"maybe {phrase}")
            for text in context.texts
            if role in (None, text.role) and context.conversation.turns[text.index].span.overlap_s(window) > 0
            for phrase, start, end in may_be_said(
                phrases, text, doubt=limits.doubt_confidence, alike=limits.alike_confidence
            )
        ]
        return tuple(place for place in found if within(place.span, window))[:1]

    def _doubt(self, doubtful: Sequence[Hit]) -> str:
        if not any(h.spelled and not h.respelled for h in doubtful):
            return "homophone_only"
        hints = {phrase for lexicon in self.lexicons if lexicon.hint for phrase in lexicon.phrases}
        return "hint_only" if all(h.phrase in hints for h in doubtful) else "low_confidence"

    def anchors(self, context: Context) -> tuple[Anchor, ...] | None:
        """One anchor an utterance that contains a hit."""
        role = role_of(self.role)
        if role is not None and context.doubt(role):
            return None
        if context.window(self.scope, role_of(self.role)) is None:
            return ()
        sure, doubtful = self._hits(context)
        found: dict[int, Anchor] = {}
        for hits, certain in ((sure, True), (doubtful, False)):
            for hit in hits:
                found.setdefault(hit.utterances[0], Anchor(hit.span, hit_evidence(hit, context), certain))
        return tuple(sorted(found.values(), key=lambda a: a.span))

    def _nothing_said(self, context: Context) -> Verdict:
        """The scope is empty: not said, unless the role is never heard at all (a dead or unheard channel)."""
        role = role_of(self.role)
        if context.position is Position.REQUIRE and not context.utterances(role):
            return unknown("role_not_heard")
        return FALSE

    def _hits(self, context: Context) -> tuple[list[Hit], list[Hit]]:
        """Hits in scope: those that count, and those in doubt."""
        role = role_of(self.role)
        window = context.window(self.scope, role)
        if window is None:
            return [], []
        sure: list[Hit] = []
        doubtful: list[Hit] = []
        threshold = (
            context.recognition.accept_confidence
            if context.position is Position.REQUIRE
            else context.recognition.convict_confidence
        )
        for lexicon in self.lexicons:
            mode = self.homophones or lexicon.homophones or _DEFAULT[context.position]
            found = (h for phrase in lexicon.phrases for h in context.hits.get(phrase, ()))
            for hit in joined(h for h in found if role in (None, h.role) and within(h.span, window)):
                allowed = lexicon.allows(hit, context.texts[hit.turn], context)
                if allowed is False:
                    continue
                if not hit.spelled and (mode == "off" or hit.end - hit.start < lexicon.min_sound_characters):
                    continue
                written = hit.spelled and not hit.respelled
                certain = (
                    allowed is True
                    and hit.confidence >= threshold
                    and (written or mode == "accept")
                    and not lexicon.hint
                )
                (sure if certain else doubtful).append(hit)
        return list(joined(sure)), list(joined(doubtful))
