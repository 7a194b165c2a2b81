"""Small builders for the domain's frozen objects: name what a test is about, default the rest.

Times are seconds. The agent is on channel 0, the customer on channel 1, unless a test says otherwise.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from qa_service.domain.alignment import turns_of
from qa_service.domain.conversation import (
    Conversation,
    Segment,
    SpeakerRole,
    SpeakerSpeech,
    TextOverlay,
    Transcript,
    Utterance,
    Word,
)
from qa_service.domain.text import fold
from qa_service.domain.timeline import TimeSpan
from qa_service.pinyin import syllables

AGENT, CUSTOMER, UNKNOWN = SpeakerRole.AGENT, SpeakerRole.CUSTOMER, SpeakerRole.UNKNOWN
CHANNELS = {AGENT: 0, CUSTOMER: 1, UNKNOWN: 0, SpeakerRole.SYSTEM: 0}
WORD_S = 0.25  # exact in binary, so that sums of times are exact too

_RECOGNISED = re.compile(r"\s*(?:[A-Za-z']+|\S)")


def spans(*edges: tuple[float, float]) -> tuple[TimeSpan, ...]:
    return tuple(TimeSpan(start, end) for start, end in edges)


def overlay(text: str) -> TextOverlay:
    folded = fold(text)
    return TextOverlay(folded.text, folded.offsets, syllables(folded.text))


def words(text: str, start: float = 0.0, *, word_s: float = WORD_S, confidence: float = 0.9) -> tuple[Word, ...]:
    """The words of ``text`` as a recogniser gives them (a character or a Latin word, with its leading space), one
    after the other, ``word_s`` each."""
    pieces: list[str] = _RECOGNISED.findall(text)
    return tuple(
        Word(piece, start + i * word_s, start + (i + 1) * word_s, confidence) for i, piece in enumerate(pieces)
    )


def utterance(
    text: str,
    start: float = 0.0,
    end: float | None = None,
    *,
    role: SpeakerRole = AGENT,
    channel: int | None = None,
    index: int = 0,
    confidence: float = 0.9,
) -> Utterance:
    """An utterance whose words share its time evenly; without ``end`` each word takes ``WORD_S``."""
    count = len(_RECOGNISED.findall(text))
    length_s = WORD_S * count if end is None else end - start
    said = words(text, start, word_s=length_s / count if count else 0.0, confidence=confidence)
    return Utterance(
        index=index,
        role=role,
        channel=CHANNELS[role] if channel is None else channel,
        start=start,
        end=start + length_s if end is None else end,
        text=text,
        raw_text=text,
        words=said,
        word_offsets=tuple(accumulate((len(w.text) for w in said[:-1]), initial=0)) if said else (),
        confidence=confidence,
        overlay=overlay(text),
    )


def speech(
    role: SpeakerRole, *edges: tuple[float, float], channel: int | None = None, level_dbfs: float | None = None
) -> SpeakerSpeech:
    return SpeakerSpeech(CHANNELS[role] if channel is None else channel, role, spans(*edges), level_dbfs)


def conversation(
    *utterances: Utterance,
    duration_s: float = 60.0,
    channels: Sequence[SpeakerSpeech] | None = None,
    language: str = "zh",
    role_source: str = "metadata",
    overlap_measurable: bool = True,
) -> Conversation:
    """A conversation of these utterances. Without ``channels``, each of the two roles speaks exactly in its
    utterances."""
    ordered = sorted(utterances, key=lambda u: (u.start, u.end, u.channel))
    numbered = tuple(replace(u, index=index) for index, u in enumerate(ordered))
    if channels is None:
        channels = [
            speech(role, *((u.start, u.end) for u in numbered if u.role is role)) for role in (AGENT, CUSTOMER)
        ]
    return Conversation(
        duration_s=duration_s,
        language=language,
        utterances=numbered,
        turns=turns_of(numbered),
        speech=tuple(channels),
        role_source=role_source,
        overlap_measurable=overlap_measurable,
    )


def transcript(said: Sequence[Word], *, channel: int = 0, language: str = "zh") -> Transcript:
    """What a recogniser heard on one channel, in a single window."""
    segment = Segment(
        tuple(said),
        average_log_probability=-0.25,
        no_speech_probability=0.01,
        compression_ratio=1.0,
        temperature=0.0,
    )
    return Transcript(channel, language, (segment,))
