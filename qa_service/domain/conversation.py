"""The conversation: the waist of the product. Above it only speech code, below it no audio.

A ``Conversation`` carries everything that rules and metrics read: who spoke when (from the channels' speech,
not from the recogniser), what was recognised with what confidence, and what produced it.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from qa_service.domain.faults import ChannelFault, FaultKind
from qa_service.domain.numbers.entity import SpokenNumber
from qa_service.domain.timeline import TimeSpan, union

MASK: Final = "*"
"""Stands for a character that is not shown."""


class SpeakerRole(StrEnum):
    AGENT = "agent"
    CUSTOMER = "customer"
    SYSTEM = "system"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EngineRun:
    """What produced a machine result: enough to produce it again."""

    stage: str
    engine: str
    model: str
    revision: str
    device: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word (one character in Mandarin), raw as the recogniser wrote it.

    ``text`` keeps the recogniser's leading space, so that joining words gives the raw text back.
    ``confidence`` in [0, 1] is the probability that the word was heard right: that it sounds as what was said. For
    a recogniser whose probabilities are not scaled it is what that recogniser says; 0: made up, not heard.
    """

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Segment:
    """One decoding window's output: the recogniser's own doubts apply to all of its words.

    ``language``: what it was decoded in; empty: the transcript's.
    ``attempt``: how many ways of decoding were tried before. ``span``: from the window's first speech to its last.
    ``struck``: which guard took its words, or their confidence; None: none did.
    """

    words: tuple[Word, ...]
    average_log_probability: float
    no_speech_probability: float
    compression_ratio: float
    temperature: float
    language: str = ""
    attempt: int = 0
    span: TimeSpan | None = None
    struck: str | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser heard of one speaker. ``language``: what most of the call is spoken in."""

    channel: int
    language: str
    segments: tuple[Segment, ...]
    speaker: int = 0


@dataclass(frozen=True, slots=True)
class TextOverlay:
    """Text prepared for matching, computed once when a conversation is stored.

    ``folded`` is the simplified, folded text; ``offsets[i]`` the index in ``Utterance.text`` behind folded
    character ``i``; ``syllables[i]`` its toneless pinyin (the character itself where it has none).
    """

    folded: str
    offsets: tuple[int, ...]
    syllables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One speaker's words without a long pause.

    ``speaker`` is the speaker's number on that channel: 0 where the channel is the speaker.
    ``text`` is for reading (simplified script), ``raw_text`` what the recogniser wrote, character by
    character aligned with it; ``word_offsets[i]`` is where ``words[i]`` starts in both.
    ``confidence`` is the mean word confidence weighted by word length: the share expected to be heard right.
    ``numbers`` are overlays on ``text``, in order; ``respelled`` the places ``[start, end)`` of ``text`` that hot
    words wrote: they sound like ``raw_text`` there.
    ``language``: what most of it was recognised in; empty in conversations of earlier versions: the call's.
    """

    index: int
    role: SpeakerRole
    channel: int
    start: float
    end: float
    text: str
    raw_text: str
    words: tuple[Word, ...]
    word_offsets: tuple[int, ...]
    confidence: float
    overlay: TextOverlay
    speaker: int = 0
    numbers: tuple[SpokenNumber, ...] = ()
    respelled: tuple[tuple[int, int], ...] = ()
    language: str = ""

    @property
    def span(self) -> TimeSpan:
        return TimeSpan(self.start, self.end)

    def span_of(self, start: int, end: int) -> TimeSpan:
        """Time of the folded characters ``[start, end)``; the whole utterance when words carry no times."""
        return self.heard_at(start, end)[0] if start < end else self.span

    def confidence_at(self, index: int) -> float:
        """Confidence of the word behind folded character ``index``."""
        return self.words[self._word_at(self.overlay.offsets[index])].confidence if self.words else self.confidence

    def heard_at(self, start: int, end: int) -> tuple[TimeSpan, float]:
        """Time of the folded characters ``[start, end)``, at least one, and the confidence of the weakest word.

        Punctuation is no word that could have been misheard: a doubtful comma makes nothing doubtful.
        """
        if not self.words:
            return self.span, self.confidence
        offsets = self.overlay.offsets
        inside = self.words[self._word_at(offsets[start]) : self._word_at(offsets[end - 1]) + 1]
        begin = inside[0].start
        said = [word.confidence for word in inside if any(map(str.isalnum, word.text))]
        return TimeSpan(begin, max(begin, inside[-1].end)), min(said or [word.confidence for word in inside])

    def words_at(self, start: int, end: int) -> tuple[int, int]:
        """The first and the last of the words that the characters ``[start, end)`` of ``text`` are in."""
        return self._word_at(start), self._word_at(end - 1)

    def quote(self, start: int, end: int) -> str:
        """The readable text behind the folded characters ``[start, end)``."""
        if start >= end:
            return ""
        return self.text[self.overlay.offsets[start] : self.overlay.offsets[end - 1] + 1]

    def _word_at(self, offset: int) -> int:
        return max(0, bisect_right(self.word_offsets, offset) - 1)


@dataclass(frozen=True, slots=True)
class Turn:
    """Consecutive utterances of one role."""

    role: SpeakerRole
    start: float
    end: float
    utterances: tuple[int, ...]

    @property
    def span(self) -> TimeSpan:
        return TimeSpan(self.start, self.end)


LEVEL_STEP_S: Final = 0.5
"""Seconds that each of ``SpeakerSpeech.levels`` is of."""


@dataclass(frozen=True, slots=True)
class SpeakerSpeech:
    """When one speaker speaks, and how loud they are. ``speaker`` numbers the voices of a channel.

    ``levels``: of each ``LEVEL_STEP_S`` from the recording's start the level of their speech in dBFS, None where
    they do not speak; None: not measured, as in conversations of earlier versions.
    """

    channel: int
    role: SpeakerRole
    spans: tuple[TimeSpan, ...]
    level_dbfs: float | None = None
    speaker: int = 0
    levels: tuple[float | None, ...] | None = None


@dataclass(frozen=True, slots=True)
class SegmentDoubt:
    """How sure the recogniser was of one decoding window, for people and for statistics: rules do not read it."""

    channel: int
    speaker: int
    start: float
    end: float
    words: int
    average_log_probability: float
    no_speech_probability: float
    compression_ratio: float
    temperature: float
    attempt: int = 0
    struck: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """One recording, heard.

    ``language`` is what most of it is spoken in: rules and rates go by it.
    ``role_source`` says where the roles come from (metadata, site default, script cues, unknown);
    ``role_probability`` how sure the attribution is where they were inferred, None where they were told.
    ``overlap_measurable``: whether it can be told who talked over whom, as on separate channels.
    ``faults``: what is wrong with the channels it was heard on.
    ``card_codes``: when card verification codes are said; the words are not kept, and nobody hears them.
    """

    duration_s: float
    language: str
    utterances: tuple[Utterance, ...]
    turns: tuple[Turn, ...]
    speech: tuple[SpeakerSpeech, ...]
    role_source: str
    overlap_measurable: bool
    provenance: tuple[EngineRun, ...] = field(default=())
    role_probability: float | None = None
    segments: tuple[SegmentDoubt, ...] = ()
    faults: tuple[ChannelFault, ...] = field(default=())
    card_codes: tuple[TimeSpan, ...] = ()

    @property
    def channels(self) -> int:
        """Audio tracks with a speaker of their own; 1 when all speak on the same one."""
        return len({speaker.channel for speaker in self.speech})

    @property
    def languages(self) -> dict[str, float]:
        """Share of the utterances' time in each language; the call's own first, then the most spoken."""
        spoken: dict[str, float] = {self.language: 0.0}
        for u in self.utterances:
            spoken[u.language or self.language] = spoken.get(u.language or self.language, 0.0) + u.end - u.start
        whole = sum(spoken.values())
        order = sorted(spoken, key=lambda code: (code != self.language, -spoken[code], code))
        return {code: spoken[code] / whole if whole else 1.0 for code in order}

    def foreign(self, utterance: Utterance) -> bool:
        """Whether it is in another language than the call: what rules look for cannot be found in it."""
        return utterance.language not in ("", self.language)

    def speech_of(self, role: SpeakerRole) -> tuple[TimeSpan, ...]:
        return union(span for speaker in self.speech if speaker.role == role for span in speaker.spans)

    def spoken_by(self, role: SpeakerRole) -> tuple[Utterance, ...]:
        return tuple(u for u in self.utterances if u.role == role)

    @property
    def roles_known(self) -> bool:
        return all(speaker.role is not SpeakerRole.UNKNOWN for speaker in self.speech)

    @property
    def unheard_roles(self) -> frozenset[SpeakerRole]:
        """Who was recorded on a channel without any signal: what they said, and when, nobody knows."""
        dead = {fault.channel for fault in self.faults if fault.kind is FaultKind.DEAD}
        return frozenset(speaker.role for speaker in self.speech if speaker.channel in dead)
