"""What holds for the metrics of any call."""

from dataclasses import dataclass, replace
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.conversation import Conversation, Word
from qa_service.domain.metrics import (
    ConversationMetrics,
)
from qa_service.domain.timeline import TimeSpan, total_s, union
from tests.builders import (
    AGENT,
    CUSTOMER,
    overlay,
    speech,
    transcript,
)
from tests.qa_service.domain.measuring import OPTIONS, Edges, build, measured

Grid = list[tuple[int, int, str]]
# Pauses and lengths in eighths of a second, with what is said in each stretch ("" is not recognised).
STRETCHES: st.SearchStrategy[Grid] = st.lists(
    st.tuples(
        st.integers(1, 40), st.integers(1, 40), st.sampled_from(["", "嗯", "好的", "我来查询", "我想退货谢谢"])
    ),
    max_size=6,
)
LAST_S = 6 * 80 / 8


@dataclass(frozen=True, slots=True)
class Call:
    """A drawn call: spans and words of both roles, before they become a conversation."""

    agent: tuple[tuple[TimeSpan, str], ...]
    customer: tuple[tuple[TimeSpan, str], ...]

    def conversation(self, *, agent_channel: int = 0, by_s: float = 0.0, cut: bool = False) -> Conversation:
        channels, heard = [], []
        for role, stretches in ((AGENT, self.agent), (CUSTOMER, self.customer)):
            channel = agent_channel if role is AGENT else 1 - agent_channel
            edges: list[Edges] = []
            said: list[Word] = []
            for span, text in stretches:
                start, middle, end = span.start + by_s, span.middle + by_s, span.end + by_s
                edges += [(start, middle), (middle, end)] if cut else [(start, end)]
                step = span.duration_s / 8  # up to six words and a rest, exact in binary
                said += [Word(c, start + i * step, start + (i + 1) * step, 0.9) for i, c in enumerate(text)]
            channels.append(speech(role, *edges, channel=channel))
            heard.append(transcript(said, channel=channel))
        if agent_channel:
            channels.reverse()
            heard.reverse()
        return build(channels, heard, duration_s=LAST_S + by_s)


def stretches(grid: Grid) -> tuple[tuple[TimeSpan, str], ...]:
    found, clock = [], 0.0
    for pause, length, text in grid:
        start = clock + pause / 8
        clock = start + length / 8
        found.append((TimeSpan(start, clock), text))
    return tuple(found)


CALLS = st.builds(Call, STRETCHES.map(stretches), STRETCHES.map(stretches))


@given(CALLS)
def test_shares_and_totals_add_up(call: Call) -> None:
    metrics = measured(call.conversation())
    agent, customer = metrics.roles
    both = total_s(union([*agent.speech, *customer.speech]))
    assert agent.speech_s + customer.speech_s - metrics.overlap_s == both <= metrics.duration_s
    for role in metrics.roles:
        assert role.talk_ratio is not None
        assert 0.0 <= role.talk_ratio <= 1.0
        assert role.longest_monologue is None or role.longest_monologue.duration_s <= metrics.duration_s
    if metrics.talk:
        assert both + metrics.dead_air_s <= metrics.talk.duration_s
    for found in metrics.interruptions:
        assert found.overlap.duration_s > OPTIONS.overlap_event_s
    assert all(x.span.duration_s >= 0 for x in metrics.latencies)


@given(CALLS)
def test_cutting_speech_in_two_changes_nothing(call: Call) -> None:
    assert measured(call.conversation(cut=True)) == measured(call.conversation())


@given(CALLS)
def test_splitting_utterances_changes_no_total(call: Call) -> None:
    """Every utterance once whole and once as two that touch, cut between two words."""
    whole = call.conversation()
    parts = []
    for u in whole.utterances:
        half = len(u.words) // 2
        at = max(u.start, min(u.end, u.words[half].start))
        cut = u.word_offsets[half]
        pieces = [(u.start, at, u.text[:cut], u.words[:half]), (at, u.end, u.text[cut:], u.words[half:])]
        parts += [
            replace(
                u,
                start=start,
                end=end,
                text=text,
                raw_text=text,
                words=words,
                word_offsets=tuple(range(len(words))),
                overlay=overlay(text),
            )
            for start, end, text, words in pieces
            if words
        ]
    by_turn = {i: n for n, turn in enumerate(whole.turns) for i in turn.utterances}
    parts.sort(key=lambda p: by_turn[p.index])
    turns = [
        replace(whole.turns[n], utterances=tuple(i for i, p in enumerate(parts) if by_turn[p.index] == n))
        for n, _ in groupby(parts, key=lambda p: by_turn[p.index])
    ]
    split = replace(whole, utterances=tuple(replace(p, index=i) for i, p in enumerate(parts)), turns=tuple(turns))

    def totals(metrics: ConversationMetrics) -> ConversationMetrics:
        """Without what names single utterances, and without the rate, which skips short utterances."""
        return replace(
            metrics,
            roles=tuple(replace(r, speech_rate_per_min=None) for r in metrics.roles),
            interruptions=tuple(replace(i, utterances=()) for i in metrics.interruptions),
        )

    assert totals(measured(split)) == totals(measured(whole))


@given(CALLS, st.integers(0, 800).map(lambda n: n / 8))
def test_shifting_the_time_shifts_spans_only(call: Call, by_s: float) -> None:
    def moved(span: TimeSpan) -> TimeSpan:
        return TimeSpan(span.start + by_s, span.end + by_s)

    metrics, later = measured(call.conversation()), measured(call.conversation(by_s=by_s))
    assert later == replace(
        metrics,
        duration_s=metrics.duration_s + by_s,
        talk=moved(metrics.talk) if metrics.talk else None,
        roles=tuple(
            replace(
                r,
                speech=tuple(map(moved, r.speech)),
                talk_ratio=r.speech_s / (metrics.duration_s + by_s),
                longest_monologue=moved(r.longest_monologue) if r.longest_monologue else None,
            )
            for r in metrics.roles
        ),
        overlaps=tuple(map(moved, metrics.overlaps)),
        interruptions=tuple(replace(i, overlap=moved(i.overlap)) for i in metrics.interruptions),
        silences=tuple(replace(s, span=moved(s.span)) for s in metrics.silences),
        latencies=tuple(replace(x, span=moved(x.span)) for x in metrics.latencies),
    )


@given(CALLS)
def test_swapping_the_channels_changes_nothing(call: Call) -> None:
    assert measured(call.conversation(agent_channel=1)) == measured(call.conversation())
