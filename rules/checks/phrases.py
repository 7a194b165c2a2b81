"""Phrases: was it said?"""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

from qa_service.domain.results import Evidence
from qa_service.domain.timeline import TimeSpan
from rules.checks.base import role_of
from rules.checks.spoken import HINT_ONLY, HOMOPHONE_ONLY, LOW_CONFIDENCE, Found, SpokenCheck
from rules.context import Context, Position, Recognition, place_evidence, within
from rules.index import DIGITS, TurnText
from rules.matching import Hit, joined, phrase_fault, places_of
from rules.nearly import Sought, may_be_said, misheard

Homophones = Literal["accept", "review", "off"]

# Doubt favours the agent: a required phrase may be heard by its sound alone, a forbidden one never convicts so.
_DEFAULT: dict[Position, Homophones] = {
    Position.REQUIRE: "accept",
    Position.FORBID: "review",
    Position.TRIGGER: "review",
}

_NUMBER = "{digits:"
_ENOUGH_DIGITS = 3  # heard surely in a row of words, they are a number

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
        text, start, end = hit.text, hit.start, hit.end
        if self.except_in:
            # What counts as said by its sound is the longer phrase where that sounds right, too.
            asked_for = context.position is Position.REQUIRE
            for other in context.hits.of(self.except_in, text.role):
                told = other.spelled or (asked_for and not hit.spelled)
                if told and other.text is text and other.start < end and start < other.end:
                    return False
        doubtful = False
        if self.not_preceded_by:
            reached, beside = (start - self.reach, start), (max(0, start - _BESIDE), start)
            allowed = _allowed(self.not_preceded_by, text, reached, beside, context.recognition)
            if allowed is False:
                return False
            doubtful = allowed is None
        if self.not_followed_by:
            reached, beside = (end, end + self.reach), (end, end + _BESIDE)
            allowed = _allowed(self.not_followed_by, text, reached, beside, context.recognition)
            if allowed is False:
                return False
            doubtful = doubtful or allowed is None
        return None if doubtful else True


def _allowed(
    words: tuple[str, ...],
    text: TurnText,
    reached: tuple[int, int],
    beside: tuple[int, int],
    limits: Recognition,
) -> bool | None:
    """Whether none of ``words`` stands where it can be ``reached``; None: one may, misheard ``beside`` the hit."""
    doubtful = False
    for start, end in places_of(words, text.text, *reached):
        if text.least(start, end) >= limits.convict_confidence:
            return False
        doubtful = True
    # 「能」 after a syllable that was hardly heard may have been 「不能」.
    return None if doubtful or text.least(*beside) < limits.doubt_confidence else True


def _number_heard(hit: Hit, threshold: float) -> bool:
    """Whether all but some digits of a number was heard: which ones they were does not matter."""
    if _NUMBER not in hit.phrase:
        return False
    text = hit.text
    places = range(hit.start, hit.end)
    words = (n for n in places if text.text[n] not in DIGITS)
    digits = (n for n in places if text.text[n] in DIGITS)
    return (
        all(text.least(n, n + 1) >= threshold for n in words)
        and sum(text.least(n, n + 1) >= threshold for n in digits) >= _ENOUGH_DIGITS
    )


class PhraseCheck(SpokenCheck):
    """True when one of the phrases is said by ``role`` in ``scope`` (at least ``times`` times)."""

    lexicons: tuple[Lexicon, ...] = Field(min_length=1)
    homophones: Homophones | None = None

    def phrase_lists(self) -> Iterable[tuple[str, ...]]:
        yield from super().phrase_lists()
        yield from chain.from_iterable(lexicon.lists() for lexicon in self.lexicons)

    def by_sound(self) -> Iterable[tuple[tuple[str, ...], int]]:
        yield from super().by_sound()
        for lexicon in self.lexicons:
            if (self.homophones or lexicon.homophones) != "off":
                yield lexicon.phrases, lexicon.min_sound_characters
                if lexicon.except_in:
                    yield lexicon.except_in, 1  # what counts by its sound is excepted by its sound

    def found(self, context: Context, window: TimeSpan) -> list[Found]:
        """Hits in scope; those that overlap are one."""
        return self._once_each(self._told(context, window))

    def look(self, context: Context, window: TimeSpan) -> tuple[list[Found], Callable[[], list[Found]]]:
        if self.times > 1:
            return super().look(context, window)
        told = self._told(context, window)
        first = []
        for hit, doubt in told:
            first.append((hit, doubt))
            if not doubt:
                return [Found(hit)], lambda: self._once_each(chain(first, told))
        found = self._once_each(first) if first else []
        return found, lambda: found

    def _once_each(self, told: Iterable[tuple[Hit, str]]) -> list[Found]:
        """One an occurrence, whichever lexicons it is of; the doubtful ones apart, with their reason."""
        sure: list[Hit] = []
        doubtful: dict[tuple[int, int, str], tuple[Hit, str]] = {}
        for hit, doubt in told:
            if doubt:
                doubtful[hit.at, hit.end, hit.phrase] = hit, doubt
            else:
                sure.append(hit)
        if len(self.lexicons) == 1:
            return [*map(Found, sure), *(Found(hit, doubt) for hit, doubt in doubtful.values())]
        doubts = {id(hit): doubt for hit, doubt in doubtful.values()}
        return [
            *map(Found, joined(sure)),
            *(Found(hit, doubts[id(hit)]) for hit in joined([hit for hit, _ in doubtful.values()])),
        ]

    def _told(self, context: Context, window: TimeSpan) -> Iterator[tuple[Hit, str]]:
        """Each lexicon's hits in scope that count, those that overlap as one, and why each may be none."""
        role = role_of(self.role)
        threshold = context.certain_confidence
        for lexicon in self.lexicons:
            hits = context.hits.within(lexicon.phrases, role, window)
            if not hits:
                continue
            mode = self.homophones or lexicon.homophones or _DEFAULT[context.position]
            for hit in hits:
                if not hit.spelled and (mode == "off" or hit.end - hit.start < lexicon.min_sound_characters):
                    continue
                allowed = lexicon.allows(hit, context)
                if allowed is False:
                    continue
                if mode != "accept" and not (hit.spelled and not hit.respelled):
                    yield hit, HOMOPHONE_ONLY
                elif lexicon.hint:
                    yield hit, HINT_ONLY
                elif allowed is None or (hit.confidence < threshold and not _number_heard(hit, threshold)):
                    yield hit, LOW_CONFIDENCE
                else:
                    yield hit, ""

    def may_be_said(self, context: Context, window: TimeSpan) -> tuple[Evidence, ...]:
        """Where one of the phrases may have been misheard. Nobody is accused of what may have been said."""
        role = role_of(self.role)
        limits = context.recognition
        doubt, alike, sought = limits.doubt_confidence, limits.alike_confidence, self._sought
        for place in misheard(context.index, doubt=doubt, alike=alike):
            text, turn = place.text, place.turn
            if role not in (None, text.role) or turn.end <= window.start or turn.start >= window.end:
                continue
            if sought.traces.isdisjoint(place.traces):
                continue
            for phrase, start, end in may_be_said(sought, place, doubt=doubt, alike=alike):
                if within(text.heard_at(start, end)[0], window):
                    return (place_evidence(text, start, end, f"maybe {phrase}"),)
        return ()

    @cached_property
    def _sought(self) -> Sought:
        return Sought(phrase for lexicon in self.lexicons for phrase in lexicon.phrases)
