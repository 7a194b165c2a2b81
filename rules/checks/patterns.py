"""Words that no list of phrases holds: patterns, and sentences that resemble others."""

from functools import cached_property
from typing import Any, Final

import re2
from pydantic import Field, NonNegativeFloat, field_validator
from rapidfuzz import fuzz

from qa_service.domain.conversation import Utterance
from qa_service.domain.text import fold
from qa_service.domain.timeline import TimeSpan
from qa_service.pinyin import sound_key, syllables
from rules.checks.base import role_of
from rules.checks.spoken import HOMOPHONE_ONLY, LOW_CONFIDENCE, Found, SpokenCheck
from rules.context import Context, Position, place_evidence, reaches, utterance_evidence, within

MAX_PATTERN = 2000
"""Characters of one pattern: beyond it nobody can read what a rule means."""

NEAR_THRESHOLD: Final = "near_threshold"


class PatternCheck(SpokenCheck):
    """RE2 patterns over folded text (lower case, no punctuation, 您 is 你), each turn on its own."""

    patterns: tuple[str, ...] = Field(min_length=1)

    @field_validator("patterns", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("patterns")
    @classmethod
    def _compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if len(pattern) > MAX_PATTERN:
                raise ValueError(f"a pattern of {len(pattern)} characters: at most {MAX_PATTERN}")
            try:
                compiled = _compiled(pattern)
            except re2.error as error:
                raise ValueError(f"{pattern!r} is no RE2 pattern: {error}") from error
            if compiled.search("") is not None:
                raise ValueError(f"{pattern!r} matches nothing at all, and so everywhere")
        return patterns

    @cached_property
    def _programs(self) -> tuple[Any, ...]:
        return tuple(map(_compiled, self.patterns))

    def found(self, context: Context, window: TimeSpan) -> list[Found]:
        role = role_of(self.role)
        found: dict[tuple[int, int, int], Found] = {}
        for text in context.texts:
            turn = context.conversation.turns[text.index]
            if role not in (None, text.role) or not reaches(turn, window):
                continue
            for program in self._programs:
                for match in program.finditer(text.text):
                    if match.end() == match.start():
                        continue
                    evidence = place_evidence(text, match.start(), match.end(), "")
                    doubt = "" if (evidence.confidence or 0.0) >= context.certain_confidence else LOW_CONFIDENCE
                    if within(evidence.span, window):
                        place = (text.index, match.start(), match.end())
                        found.setdefault(place, Found(evidence, doubt))
        return [found[place] for place in sorted(found)]


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    return re2.compile(pattern, options)


class SimilarCheck(SpokenCheck):
    """An utterance resembles one of the sentences in ``to`` by at least ``alike`` percent, in writing or by sound.

    Percent: of the best alignment of the sentence with a part of the utterance (normalised indel similarity). What
    comes within ``margin`` of it is in doubt; so is what only sounds alike, where it accuses.
    """

    to: tuple[str, ...] = Field(min_length=1)
    alike: float = Field(default=80.0, gt=0.0, le=100.0)
    margin: NonNegativeFloat = 8.0

    @field_validator("to")
    @classmethod
    def _long_enough(cls, sentences: tuple[str, ...]) -> tuple[str, ...]:
        for sentence in sentences:
            if len(fold(sentence).text) < 4:
                raise ValueError(f"{sentence!r} is too short to resemble anything: use `phrase`")
        return sentences

    @cached_property
    def _wanted(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        folded = [fold(sentence).text for sentence in self.to]
        return tuple((text, tuple(map(sound_key, syllables(text)))) for text in folded)

    def found(self, context: Context, window: TimeSpan) -> list[Found]:
        found = []
        for utterance in context.utterances(role_of(self.role)):
            if not within(utterance.span, window):
                continue
            written, sounded = self._likeness(utterance)
            best = max(written, sounded)
            if best < self.alike - self.margin:
                continue
            doubt = ""
            if best < self.alike:
                doubt = NEAR_THRESHOLD
            elif written < self.alike and context.position is not Position.REQUIRE:
                doubt = HOMOPHONE_ONLY
            elif utterance.confidence < context.certain_confidence:
                doubt = LOW_CONFIDENCE
            found.append(Found(utterance_evidence(utterance, f"{best:.0f} % alike"), doubt))
        return found

    def _likeness(self, utterance: Utterance) -> tuple[float, float]:
        """Of the best sentence: percent in writing, and by sound."""
        text = utterance.overlay.folded
        sounds = tuple(map(sound_key, utterance.overlay.syllables))
        written = sounded = 0.0
        for wanted, wanted_sounds in self._wanted:
            # A part of the sentence is not the sentence: 您好 is no greeting with name and number.
            part = min(1.0, len(text) / len(wanted) / 0.7)
            written = max(written, part * fuzz.partial_ratio(wanted, text))
            sounded = max(sounded, part * fuzz.partial_ratio(wanted_sounds, sounds))
        return written, sounded
