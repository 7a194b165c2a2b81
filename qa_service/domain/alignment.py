"""From speakers' speech and recognised words to a conversation.

Guarantee: pure; every word lies in at most one utterance, and a word far from any speech belongs to none:
recognisers invent words in silence and music, and an invented 「谢谢」 must satisfy no rule.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby

from qa_service.domain.conversation import (
    Conversation,
    EngineRun,
    SegmentDoubt,
    SpeakerRole,
    SpeakerSpeech,
    TextOverlay,
    Transcript,
    Turn,
    Utterance,
    Word,
)
from qa_service.domain.faults import ChannelFault
from qa_service.domain.numbers.finder import find_numbers
from qa_service.domain.text import spoken_units
from qa_service.domain.timeline import TimeSpan, hull, intersection, union


@dataclass(frozen=True, slots=True)
class AlignmentOptions:
    """``utterance_pause_s``: a longer pause of one speaker ends the utterance; ``word_slack_s``: how far from
    speech a word's middle may lie and still count (recognisers place words to about ±0.3 s).
    ``overlap_confidence``: the most a word may have that was said while another speaker of the same channel spoke:
    nobody can tell whose it is, so it is below what rules accuse upon."""

    utterance_pause_s: float = 0.8
    word_slack_s: float = 0.5
    overlap_confidence: float = 0.45


def build_conversation(
    *,
    duration_s: float,
    language: str,
    speech: Sequence[SpeakerSpeech],
    transcripts: Sequence[Transcript],
    simplified: Callable[[str, str], str],
    overlay: Callable[[str], TextOverlay],
    role_source: str,
    overlap_measurable: bool,
    provenance: Sequence[EngineRun],
    options: AlignmentOptions,
    role_probability: float | None = None,
    respelled: Callable[[str], tuple[str, tuple[tuple[int, int], ...]]] = lambda text: (text, ()),
    faults: Sequence[ChannelFault] = (),
) -> Conversation:
    """Assemble the conversation of a recording from what was heard of each speaker."""
    words_of = {(t.channel, t.speaker): [w for s in t.segments for w in s.words] for t in transcripts}
    languages = {
        (t.channel, t.speaker, w.start, w.end, w.text): s.language
        for t in transcripts
        for s in t.segments
        if s.language not in ("", language)
        for w in s.words
    }
    drafts = [
        (span, speaker, words)
        for speaker in speech
        for span, words in _utterances(
            speaker.spans,
            _doubted(words_of.get((speaker.channel, speaker.speaker), []), speaker, speech, options),
            options,
        )
    ]
    # Speakers who start together are ordered by role: which channel the agent is on changes no turn.
    drafts.sort(key=lambda draft: (draft[0], draft[1].role, draft[1].channel, draft[1].speaker))
    utterances = tuple(
        _utterance(
            index,
            span,
            speaker,
            words,
            _language(words, speaker, languages, language),
            simplified,
            respelled,
            overlay,
        )
        for index, (span, speaker, words) in enumerate(drafts)
    )
    return Conversation(
        duration_s=duration_s,
        language=language,
        utterances=utterances,
        turns=turns_of(utterances),
        speech=tuple(speech),
        role_source=role_source,
        overlap_measurable=overlap_measurable,
        provenance=tuple(provenance),
        role_probability=role_probability,
        segments=tuple(_doubts(transcripts)),
        faults=tuple(faults),
    )


def _doubts(transcripts: Sequence[Transcript]) -> Iterator[SegmentDoubt]:
    for transcript in transcripts:
        for segment in transcript.segments:
            heard = [TimeSpan(word.start, word.end) for word in segment.words]
            span = segment.span or (hull(heard) if heard else TimeSpan(0.0, 0.0))
            yield SegmentDoubt(
                channel=transcript.channel,
                speaker=transcript.speaker,
                start=span.start,
                end=span.end,
                words=len(segment.words),
                average_log_probability=segment.average_log_probability,
                no_speech_probability=segment.no_speech_probability,
                compression_ratio=segment.compression_ratio,
                temperature=segment.temperature,
                attempt=segment.attempt,
                struck=segment.struck,
            )


def _doubted(
    words: Sequence[Word], speaker: SpeakerSpeech, speech: Sequence[SpeakerSpeech], options: AlignmentOptions
) -> list[Word]:
    """``words`` with those in doubt that were said while another speaker of the channel spoke."""
    others = [s.spans for s in speech if s.channel == speaker.channel and s.speaker != speaker.speaker]
    both = union(span for spans in others for span in intersection(spans, speaker.spans))
    return [
        replace(word, confidence=min(word.confidence, options.overlap_confidence))
        if any(span.contains((word.start + word.end) / 2) for span in both)
        else word
        for word in words
    ]


def _utterances(
    spans: Sequence[TimeSpan], words: Sequence[Word], options: AlignmentOptions
) -> list[tuple[TimeSpan, list[Word]]]:
    """Speech joined over short pauses, with its words; speech without words is no utterance."""
    joined = union(spans, bridge_s=options.utterance_pause_s)
    starts = [span.start for span in joined]
    buckets: list[list[Word]] = [[] for _ in joined]
    for word in sorted(words, key=lambda w: (w.start, w.end)):
        middle = (word.start + word.end) / 2
        after = bisect_left(starts, middle)
        near = [i for i in (after - 1, after) if 0 <= i < len(joined)]
        best = min(near, key=lambda i: _distance(joined[i], middle), default=None)
        if best is not None and _distance(joined[best], middle) <= options.word_slack_s:
            buckets[best].append(word)
    return [
        (span, bucket)
        for span, bucket in zip(joined, buckets, strict=True)
        if any(c.isalnum() for word in bucket for c in word.text)
    ]


def _distance(span: TimeSpan, time_s: float) -> float:
    return max(span.start - time_s, time_s - span.end, 0.0)


def _language(
    words: Sequence[Word],
    speaker: SpeakerSpeech,
    others: Mapping[tuple[int, int, float, float, str], str],
    language: str,
) -> str:
    """What most of the words were recognised in; ``others`` are those that are not in the call's ``language``."""
    weights = {language: 0}
    for word in words:
        code = others.get((speaker.channel, speaker.speaker, word.start, word.end, word.text), language)
        weights[code] = weights.get(code, 0) + spoken_units(word.text)
    return max(weights, key=lambda code: weights[code])


def _utterance(
    index: int,
    span: TimeSpan,
    speaker: SpeakerSpeech,
    words: Sequence[Word],
    language: str,
    simplified: Callable[[str, str], str],
    respelled: Callable[[str], tuple[str, tuple[tuple[int, int], ...]]],
    overlay: Callable[[str], TextOverlay],
) -> Utterance:
    first = Word(words[0].text.lstrip(), words[0].start, words[0].end, words[0].confidence)
    words = (first, *words[1:])
    raw = "".join(word.text for word in words)
    text, places = respelled(simplified(raw, language))
    weights = [sum(c.isalnum() for c in word.text) for word in words]
    return Utterance(
        index=index,
        role=speaker.role,
        channel=speaker.channel,
        start=span.start,
        end=span.end,
        text=text,
        raw_text=raw,
        words=tuple(words),
        word_offsets=tuple(accumulate((len(w.text) for w in words[:-1]), initial=0)),
        confidence=sum(w.confidence * n for w, n in zip(words, weights, strict=True)) / sum(weights),
        overlay=overlay(text),
        speaker=speaker.speaker,
        numbers=find_numbers(text),
        respelled=places,
        language=language,
    )


def turns_of(utterances: Sequence[Utterance]) -> tuple[Turn, ...]:
    """Consecutive utterances of one role, in order of their start."""
    turns = []
    for role, group in groupby(utterances, key=lambda u: u.role):
        members = tuple(group)
        turns.append(Turn(role, members[0].start, max(m.end for m in members), tuple(m.index for m in members)))
    return tuple(turns)


def roles_of(channels: int, agent_channel: int | None) -> tuple[SpeakerRole, ...]:
    """Role of each channel of a two-channel call; unknown where nobody says which channel the agent is on."""
    if channels != 2 or agent_channel not in (0, 1):
        return (SpeakerRole.UNKNOWN,) * channels
    roles = [SpeakerRole.CUSTOMER, SpeakerRole.CUSTOMER]
    roles[agent_channel] = SpeakerRole.AGENT
    return tuple(roles)
