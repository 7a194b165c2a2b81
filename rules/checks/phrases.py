"""Phrases: was it said?"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

from qa_service.domain.results import Evidence
from qa_service.domain.timeline import TimeSpan
from rules.checks.base import role_of
from rules.checks.spoken import HINT_ONLY, HOMOPHONE_ONLY, LOW_CONFIDENCE, Found, SpokenCheck
from rules.context import Context, Position, inside, place_evidence, within
from rules.matching import Hit, joined, phrase_fault, places_of
from rules.nearly import Sought, may_be_said

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

    def lists(self) -> Iterable[tuple[str, ...]]:
        """The phrases, and the longer ones in which they do not count."""
        yield self.phrases
        if self.except_in:
            yield self.except_in

    def allows(self, hit: Hit, context: Context) -> bool | None:
        """Whether the hit counts; None: what would make it harmless, or the word beside it, is in doubt."""
        if not (self.except_in or self.not_preceded_by or self.not_followed_by):
            return True
        if self.except_in and any(
            other.turn == hit.turn and other.start < hit.end and hit.start < other.end
            for other in context.hits.of(self.except_in, hit.role)
            if other.spelled
        ):
            return False
        text = hit.text
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


class PhraseCheck(SpokenCheck):
    """True when one of the phrases is said by ``role`` in ``scope`` (at least ``times`` times)."""

    lexicons: tuple[Lexicon, ...] = Field(min_length=1)
    homophones: Homophones | None = None

    def phrase_lists(self) -> Iterable[tuple[str, ...]]:
        yield from super().phrase_lists()
        yield from chain.from_iterable(lexicon.lists() for lexicon in self.lexicons)

    def found(self, context: Context, window: TimeSpan) -> list[Found]:
        """Hits in scope; those that overlap are one."""
        sure: list[Hit] = []
        doubtful: dict[tuple[int, int, int, str], tuple[Hit, str]] = {}
        for hit, doubt in self._told(context, window):
            if doubt:
                doubtful[hit.text.index, hit.start, hit.end, hit.phrase] = hit, doubt
            else:
                sure.append(hit)
        doubts = {id(hit): doubt for hit, doubt in doubtful.values()}
        return [
            *(Found(hit) for hit in joined(sure)),
            *(Found(hit, doubts[id(hit)]) for hit in joined([hit for hit, _ in doubtful.values()])),
        ]

    def _told(self, context: Context, window: TimeSpan) -> Iterator[tuple[Hit, str]]:
        """Each lexicon's hits in scope that count, those that overlap as one, and why each may be none."""
        role = role_of(self.role)
        threshold = context.certain_confidence
        for lexicon in self.lexicons:
            hits = context.hits.of(lexicon.phrases, role)
            if not hits:
                continue
            mode = self.homophones or lexicon.homophones or _DEFAULT[context.position]
            for hit in joined(inside(hits, window)):
                if not hit.spelled and (mode == "off" or hit.end - hit.start < lexicon.min_sound_characters):
                    continue
                allowed = lexicon.allows(hit, context)
                if allowed is False:
                    continue
                if mode != "accept" and not (hit.spelled and not hit.respelled):
                    yield hit, HOMOPHONE_ONLY
                elif lexicon.hint:
                    yield hit, HINT_ONLY
                elif allowed is None or hit.confidence < threshold:
                    yield hit, LOW_CONFIDENCE
                else:
                    yield hit, ""

    def may_be_said(self, context: Context, window: TimeSpan) -> tuple[Evidence, ...]:
        """Where one of the phrases may have been misheard. Nobody is accused of what may have been said."""
        role = role_of(self.role)
        limits = context.recognition
        for text in context.texts:
            turn = context.conversation.turns[text.index]
            if role not in (None, text.role) or turn.end <= window.start or turn.start >= window.end:
                continue
            for phrase, start, end in may_be_said(
                self._sought, text, doubt=limits.doubt_confidence, alike=limits.alike_confidence
            ):
                if within(text.heard_at(start, end)[0], window):
                    return (place_evidence(text, start, end, f"maybe {phrase}"),)
        return ()

    @cached_property
    def _sought(self) -> Sought:
        return Sought(phrase for lexicon in self.lexicons for phrase in lexicon.phrases)
