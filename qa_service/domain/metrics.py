"""Conversation metrics: the definitions of the service's quality norms, each value with its time spans.

Guarantee: pure; overlap, silence and talk time come from the channels' speech, never from where a recogniser
happened to cut its segments. Unknown is None, not zero.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, pairwise

from qa_service.domain.call import CallMetadata, HangupSide
from qa_service.domain.conversation import Conversation, SpeakerRole, Utterance
from qa_service.domain.hearing import SLACK_S, heard_share, placed_words
from qa_service.domain.text import fold, is_han, spoken_units
from qa_service.domain.timeline import (
    TimeSpan,
    clip,
    difference,
    gaps,
    hull,
    intersection,
    total_s,
    union,
    union_of_edges,
)

ROLES = (SpeakerRole.AGENT, SpeakerRole.CUSTOMER)

BACKCHANNELS = (
    *("嗯", "哦", "噢", "喔", "啊", "呃", "唉", "诶", "欸", "对", "好", "好的", "行", "是", "是的", "没错"),
    *("可以", "知道", "知道了", "明白", "明白了", "了解"),
    *("uh huh", "mhm", "mm", "hmm", "yeah", "yes", "yep", "ok", "okay", "right", "sure", "i see", "oh", "ah"),
)


@dataclass(frozen=True, slots=True)
class MetricOptions:
    """Thresholds of the metric definitions; seconds unless the name says otherwise. Configuration, per pack.

    Where a detector calls noise speech, no words are heard: an interruption is certain when words of both sides,
    each with a probability of ``heard_confidence``, were said at once for ``interruption_heard_s``.
    ``rate_min_heard``: the expected share of a role's speech that must be heard right before its words are counted
    into a rate.
    """

    floor_pause_s: float = 0.5
    overlap_event_s: float = 0.5
    interruption_overlap_s: float = 1.0
    interruption_floor_s: float = 1.0
    interruption_min_characters: int = 4
    interruption_min_words: int = 2
    interruption_success_s: float = 1.0
    interruption_heard_s: float = 0.5
    heard_confidence: float = 0.5
    rate_min_heard: float = 0.75
    silence_recorded_s: float = 3.0
    silence_warned_s: float = 5.0
    silence_notice_s: float = 10.0
    rate_min_units: int = 5
    backchannels: tuple[str, ...] = BACKCHANNELS


class InterruptionOutcome(StrEnum):
    SUCCESSFUL = "successful"
    UNSUCCESSFUL = "unsuccessful"


@dataclass(frozen=True, slots=True)
class Interruption:
    """``role`` starts while the other holds the floor.

    ``violation`` None: cannot be told, always so on a single track (indeterminate), and where the words of both
    are not heard.
    """

    role: SpeakerRole
    overlap: TimeSpan
    outcome: InterruptionOutcome
    violation: bool | None
    utterances: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody speaks, outside telephony holds. ``warned``/``long``: past the second/third threshold."""

    span: TimeSpan
    previous_role: SpeakerRole | None
    next_role: SpeakerRole | None
    warned: bool
    long: bool


@dataclass(frozen=True, slots=True)
class Latency:
    """From the end of the other's turn to the start of ``role``'s."""

    role: SpeakerRole
    span: TimeSpan


@dataclass(frozen=True, slots=True)
class RoleMetrics:
    """One role. ``speech_rate_per_min``: Han characters + Latin words per minute of its speech."""

    role: SpeakerRole
    speech: tuple[TimeSpan, ...]
    speech_s: float
    talk_ratio: float | None
    speech_rate_per_min: float | None
    turn_count: int
    longest_monologue: TimeSpan | None
    level_dbfs: float | None


@dataclass(frozen=True, slots=True)
class ConversationMetrics:
    duration_s: float
    talk: TimeSpan | None
    roles: tuple[RoleMetrics, ...]
    overlaps: tuple[TimeSpan, ...]
    interruptions: tuple[Interruption, ...]
    interruptions_measurable: bool
    silences: tuple[Silence, ...]
    holds: tuple[TimeSpan, ...]
    latencies: tuple[Latency, ...]
    hangup_side: HangupSide | None
    ring_count: int | None

    def of(self, role: SpeakerRole) -> RoleMetrics | None:
        return next((m for m in self.roles if m.role is role), None)

    @property
    def overlap_s(self) -> float:
        return total_s(self.overlaps)

    @property
    def dead_air_s(self) -> float:
        return sum(silence.span.duration_s for silence in self.silences)

    @property
    def hold_s(self) -> float:
        return total_s(self.holds)


def measure(conversation: Conversation, metadata: CallMetadata, options: MetricOptions) -> ConversationMetrics:
    """All metrics of one conversation."""
    whole = TimeSpan(0.0, conversation.duration_s)
    speech = union(span for speaker in conversation.speech for span in speaker.spans)
    holds = intersection(metadata.hold_spans or (), (whole,))
    return ConversationMetrics(
        duration_s=conversation.duration_s,
        talk=hull(speech) if speech else None,
        roles=tuple(
            _of_role(conversation, role, options)
            for role in ROLES
            if any(speaker.role is role for speaker in conversation.speech)
        ),
        overlaps=_overlaps(conversation),
        interruptions=_interruptions(conversation, options),
        interruptions_measurable=conversation.overlap_measurable and conversation.roles_known,
        silences=_silences(conversation, speech, holds, options),
        holds=holds,
        latencies=_latencies(conversation, speech),
        hangup_side=metadata.hangup_side,
        ring_count=metadata.ring_count,
    )


def _of_role(conversation: Conversation, role: SpeakerRole, options: MetricOptions) -> RoleMetrics:
    speech = conversation.speech_of(role)
    units, spoken_s, heard_share = _spoken(conversation, role, options)
    turns = [turn for turn in conversation.turns if turn.role is role]
    levels = [c.level_dbfs for c in conversation.speech if c.role is role and c.level_dbfs is not None]
    speech_s = total_s(speech)
    return RoleMetrics(
        role=role,
        speech=speech,
        speech_s=speech_s,
        talk_ratio=speech_s / conversation.duration_s if conversation.duration_s else None,
        speech_rate_per_min=60.0 * units / spoken_s
        if spoken_s > 0 and heard_share >= options.rate_min_heard
        else None,
        turn_count=len(turns),
        longest_monologue=max((t.span for t in turns), key=lambda s: s.duration_s, default=None),
        level_dbfs=levels[0] if levels else None,
    )


def _spoken(conversation: Conversation, role: SpeakerRole, options: MetricOptions) -> tuple[int, float, float]:
    """Units of the role's longer utterances in the call's language, the seconds they were spoken in, and the share
    of those that is expected to have been heard right: words that are lost make a rate too low.

    A character a second and a word a second are not the same rate, so another language is left out.
    On a single track what is said at once is left out: a recogniser gives the same words to both speakers there.
    """
    own = (u for u in conversation.spoken_by(role) if not conversation.foreign(u))
    measured = [(u, units) for u in own if (units := spoken_units(u.text)) >= options.rate_min_units]
    counted = [u for u, _ in measured]
    spoken = intersection(conversation.speech_of(role), (u.span for u in counted))
    share = heard_share(spoken, counted) or 0.0
    if conversation.overlap_measurable:
        return sum(units for _, units in measured), total_s(spoken), share
    alone = difference(spoken, _overlaps(conversation))
    words = (word for u in counted for word in u.words)
    units = sum(spoken_units(w.text) for w in words if any(s.contains((w.start + w.end) / 2) for s in alone))
    return units, total_s(alone), share


def _overlaps(conversation: Conversation) -> tuple[TimeSpan, ...]:
    pairs = combinations([speaker.spans for speaker in conversation.speech], 2)
    return union(span for first, second in pairs for span in intersection(first, second))


def _interruptions(conversation: Conversation, options: MetricOptions) -> tuple[Interruption, ...]:
    """Events of overlapping speech. From one track alone none is ever a violation: who talked over whom, and with
    what words, cannot be told there."""
    if not conversation.roles_known:
        return ()
    found: list[Interruption] = []
    words: dict[SpeakerRole, tuple[TimeSpan, ...]] = {}  # of each role, once anybody seems to interrupt
    for role, other in (ROLES, ROLES[::-1]):
        own = union(conversation.speech_of(role), bridge_s=options.floor_pause_s)
        floor = union(conversation.speech_of(other), bridge_s=options.floor_pause_s)
        for spurt in own:
            holder = next((f for f in floor if f.start < spurt.start < f.end), None)
            if holder is None:
                continue
            overlap = TimeSpan(spurt.start, min(spurt.end, holder.end))
            if overlap.duration_s <= options.overlap_event_s:
                continue
            said = {
                u.index: text
                for u in conversation.spoken_by(role)
                if min(u.end, spurt.end) > max(u.start, spurt.start) and (text := _said_in(u, spurt, options))
            }
            long_enough = (
                overlap.duration_s >= options.interruption_overlap_s
                and spurt.start - holder.start >= options.interruption_floor_s
            )
            violation = _violation(conversation, long_enough, tuple(said.values()), options)
            if violation:
                words = words or {each: _heard(conversation, each, options) for each in ROLES}
                at_once_s = total_s(intersection(clip(words[role], overlap), words[other]))
                violation = True if at_once_s >= options.interruption_heard_s else None
            found.append(
                Interruption(
                    role=role,
                    overlap=overlap,
                    outcome=_interruption_outcome(spurt, holder, floor, options),
                    violation=violation,
                    utterances=tuple(said),
                )
            )
    return tuple(sorted(found, key=lambda i: i.overlap))


def _heard(conversation: Conversation, role: SpeakerRole, options: MetricOptions) -> tuple[TimeSpan, ...]:
    """When the role's words were surely heard: those of a usual length, or nobody knows where in it they lie."""
    words = (w for u in conversation.spoken_by(role) for w in placed_words(u))
    sure = ((w.start, w.end) for w in words if w.confidence >= options.heard_confidence)
    return intersection(conversation.speech_of(role), union_of_edges(sure, bridge_s=SLACK_S))


def _said_in(utterance: Utterance, spurt: TimeSpan, options: MetricOptions) -> str:
    """Its words nearer to this spurt than to the same speaker's spurts before and after: the end of a sentence is
    not what somebody interrupts with half a second later."""
    if not utterance.words:
        return utterance.text
    slack_s = options.floor_pause_s / 2
    near = TimeSpan(spurt.start - slack_s, spurt.end + slack_s)
    return "".join(
        utterance.text[offset : offset + len(word.text)]
        for offset, word in zip(utterance.word_offsets, utterance.words, strict=True)
        if near.contains((word.start + word.end) / 2)
    )


def _violation(
    conversation: Conversation, long_enough: bool, said: Sequence[str], options: MetricOptions
) -> bool | None:
    if not conversation.overlap_measurable:
        return None
    return _is_violation(said, options) if long_enough else False


def _is_violation(said: Sequence[str], options: MetricOptions) -> bool | None:
    """Whether the interrupter said more than a backchannel; None when nothing of it was recognised."""
    if not said:
        return None
    return says_something("，".join(said), options)


def says_something(text: str, options: MetricOptions) -> bool:
    """At least the configured characters or words remain once backchannels are stripped."""
    rest = fold(text).text
    known = sorted((fold(b).text for b in options.backchannels), key=len, reverse=True)
    stripped = True
    while stripped and rest:
        stripped = False
        for backchannel in known:
            if backchannel and rest.startswith(backchannel):
                tail = rest[len(backchannel) :]
                if is_han(backchannel[-1]) or not tail or tail[0] == " " or is_han(tail[0]):
                    rest, stripped = tail.lstrip(), True
                    break
    # Digits are said one by one, in characters where there are any: 138 1234 folds to one "word".
    characters = sum(1 for c in rest if is_han(c) or c.isdigit())
    return characters >= options.interruption_min_characters or (
        not any(is_han(c) for c in rest) and len(rest.split()) >= options.interruption_min_words
    )


def _interruption_outcome(
    spurt: TimeSpan, holder: TimeSpan, floor: Sequence[TimeSpan], options: MetricOptions
) -> InterruptionOutcome:
    """Successful when the other stops and the interrupter then holds the floor long enough."""
    held = TimeSpan(holder.end, max(holder.end, spurt.end))
    alone = difference((held,), floor)
    won = bool(alone) and alone[0].start == held.start
    if won and alone[0].duration_s >= options.interruption_success_s:
        return InterruptionOutcome.SUCCESSFUL
    return InterruptionOutcome.UNSUCCESSFUL


def _silences(
    conversation: Conversation,
    speech: tuple[TimeSpan, ...],
    holds: tuple[TimeSpan, ...],
    options: MetricOptions,
) -> tuple[Silence, ...]:
    """Silences between the first and the last speech: ring and hang-up tail are not dead air."""
    if not speech:
        return ()
    quiet = difference(gaps(speech, hull(speech)), holds)
    return tuple(
        Silence(
            span=span,
            previous_role=_role_ending_last(conversation, span.start),
            next_role=_role_starting_first(conversation, span.end),
            warned=span.duration_s > options.silence_warned_s,
            long=span.duration_s > options.silence_notice_s,
        )
        for span in quiet
        if span.duration_s > options.silence_recorded_s
    )


def _role_ending_last(conversation: Conversation, time_s: float) -> SpeakerRole | None:
    ended = [(s.end, c.role) for c in conversation.speech for s in c.spans if s.end <= time_s + 1e-6]
    return max(ended)[1] if ended else None


def _role_starting_first(conversation: Conversation, time_s: float) -> SpeakerRole | None:
    started = [(s.start, c.role) for c in conversation.speech for s in c.spans if s.start >= time_s - 1e-6]
    return min(started)[1] if started else None


def _latencies(conversation: Conversation, speech: tuple[TimeSpan, ...]) -> tuple[Latency, ...]:
    """Only where nobody speaks in between: a backchannel inside a longer turn is not what is answered."""
    ends = [span.end for span in speech]

    def quiet(start: float, end: float) -> bool:
        first = bisect_right(ends, start)  # the first speech that is not over by then
        return start == end or first == len(speech) or speech[first].start >= end

    return tuple(
        Latency(later.role, TimeSpan(earlier.end, later.start))
        for earlier, later in pairwise(conversation.turns)
        if later.start >= earlier.end and quiet(earlier.end, later.start)
    )
