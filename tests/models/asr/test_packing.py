"""Packing: nothing said is lost or decoded twice, and every word finds its way back."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asr.packing import PackingOptions, Piece, Window, pack, place
from qa_service.domain.conversation import Word
from qa_service.domain.timeline import TimeSpan, difference, total_s, union
from tests.builders import spans

OPTIONS = PackingOptions(window_s=29.0, gap_s=0.5, pad_s=0.25, bridge_s=0.25)
BARE = PackingOptions(window_s=29.0, gap_s=0.5, pad_s=0.0, bridge_s=0.0)
DURATION_S = 400.0
ROUNDING_S = 1e-9


@st.composite
def speeches(draw: st.DrawFn) -> list[TimeSpan]:
    """Disjoint speech on a grid of eighths, now and then longer than a window."""
    found, clock = [], 0.0
    lengths = st.one_of(st.integers(1, 60), st.integers(200, 700))
    for pause, length in draw(st.lists(st.tuples(st.integers(1, 40), lengths), max_size=8)):
        start = clock + pause / 8
        clock = start + length / 8
        if clock > DURATION_S:
            break
        found.append(TimeSpan(start, clock))
    return found


# --- by hand ----------------------------------------------------------------------------------------------


def test_spans_share_a_window_with_silence_between_them() -> None:
    """Pads of 0.25 s reach into the pauses, but not past their middle (3.15 s) nor the recording's start."""
    (window,) = pack(spans((0.1, 3.0), (3.3, 6.0), (10.0, 11.0)), duration_s=60.0, options=OPTIONS)
    assert [p.span.start for p in window.pieces] == pytest.approx([0.0, 3.15, 9.75])
    assert [p.span.end for p in window.pieces] == pytest.approx([3.15, 6.25, 11.25])
    assert [p.offset_s for p in window.pieces] == pytest.approx([0.0, 3.65, 7.25])
    assert window.duration_s == pytest.approx(8.75)


def test_a_short_pause_is_kept_as_it_is() -> None:
    (window,) = pack(spans((1, 2), (2.25, 3)), duration_s=60.0, options=OPTIONS)
    assert window.pieces == (Piece(TimeSpan(0.75, 3.25), 0.0),)


def test_a_window_is_filled_to_the_limit_and_not_beyond() -> None:
    assert len(pack(spans((0, 14), (20, 34.5)), duration_s=60.0, options=BARE)) == 1  # 14 + 0.5 + 14.5
    assert len(pack(spans((0, 14), (20, 34.625)), duration_s=60.0, options=BARE)) == 2


def test_speech_without_a_pause_is_cut_into_equal_parts() -> None:
    windows = pack(spans((10, 70)), duration_s=100.0, options=BARE)
    assert [[p.span for p in w.pieces] for w in windows] == [
        [TimeSpan(10, 30)],
        [TimeSpan(30, 50)],
        [TimeSpan(50, 70)],
    ]


def test_pads_end_with_the_recording() -> None:
    (window,) = pack(spans((1, 2)), duration_s=2.1, options=OPTIONS)
    assert window.pieces[0].span == TimeSpan(0.75, 2.1)


def test_no_speech_is_no_window() -> None:
    assert pack([], duration_s=10.0, options=OPTIONS) == ()


def test_padding_ends_where_somebody_else_speaks() -> None:
    """The other one stops at 0.9 s, answers at 3.1 s, and talks over the rest from 5.5 s on."""
    others = spans((0.5, 0.9), (3.1, 3.9), (5.5, 8.0))
    (window,) = pack(spans((1.0, 3.0), (4.0, 6.0)), duration_s=60.0, options=OPTIONS, others=others)
    assert [p.span for p in window.pieces] == list(spans((0.9, 3.1), (3.9, 6.0)))


def test_a_pause_in_which_somebody_else_speaks_is_not_bridged() -> None:
    speech, answer = spans((1.0, 2.0), (2.25, 3.0)), spans((2.0625, 2.125))
    (window,) = pack(speech, duration_s=60.0, options=OPTIONS, others=answer)
    assert [p.span for p in window.pieces] == list(spans((0.75, 2.0625), (2.125, 3.25)))


# --- laws of packing --------------------------------------------------------------------------------------


@given(speeches(), st.sampled_from([OPTIONS, BARE, PackingOptions()]))
def test_every_second_of_speech_is_in_exactly_one_window(speech: list[TimeSpan], options: PackingOptions) -> None:
    windows = pack(speech, duration_s=DURATION_S, options=options)
    pieces = [piece.span for window in windows for piece in window.pieces]
    assert total_s(difference(speech, pieces)) <= ROUNDING_S
    assert all(b.start >= a.end - ROUNDING_S for a, b in pairwise(pieces))  # none twice, in order of time
    for joined in union(speech, bridge_s=options.bridge_s):
        if joined.duration_s + 2 * options.pad_s <= options.window_s:
            holders = [p for w in windows for p in w.pieces if p.span.overlap_s(joined) > ROUNDING_S]
            assert len(holders) == 1


@given(speeches(), st.sampled_from([OPTIONS, BARE, PackingOptions()]))
def test_windows_keep_the_limit_and_the_silences(speech: list[TimeSpan], options: PackingOptions) -> None:
    for window in pack(speech, duration_s=DURATION_S, options=options):
        assert window.duration_s <= options.window_s + ROUNDING_S
        assert window.pieces[0].offset_s == 0.0
        for a, b in pairwise(window.pieces):
            assert b.offset_s - (a.offset_s + a.span.duration_s) == pytest.approx(options.gap_s)


@given(speeches())
def test_only_padding_is_added_to_the_speech(speech: list[TimeSpan]) -> None:
    pieces = [p.span for w in pack(speech, duration_s=DURATION_S, options=OPTIONS) for p in w.pieces]
    around = union(TimeSpan(max(0.0, s.start - 0.25), min(DURATION_S, s.end + 0.25)) for s in speech)
    assert difference(pieces, around) == ()


@given(speeches())
def test_no_window_could_have_taken_the_next_piece(speech: list[TimeSpan]) -> None:
    for a, b in pairwise(pack(speech, duration_s=DURATION_S, options=BARE)):
        assert a.duration_s + BARE.gap_s + b.pieces[0].span.duration_s > BARE.window_s - ROUNDING_S


@given(speeches(), speeches(), st.sampled_from([OPTIONS, BARE, PackingOptions()]))
def test_nothing_is_heard_twice_that_others_say_alone(
    speech: list[TimeSpan], others: list[TimeSpan], options: PackingOptions
) -> None:
    windows = pack(speech, duration_s=DURATION_S, options=options, others=others)
    pieces = [p.span for w in windows for p in w.pieces]
    alone = difference(others, speech)
    assert sum(piece.overlap_s(span) for piece in pieces for span in alone) <= ROUNDING_S
    assert total_s(difference(speech, pieces)) <= ROUNDING_S
    assert all(b.start >= a.end - ROUNDING_S for a, b in pairwise(pieces))
    unhindered = [p.span for w in pack(speech, duration_s=DURATION_S, options=options) for p in w.pieces]
    assert total_s(difference(pieces, unhindered)) <= ROUNDING_S


@given(speeches(), speeches())
def test_others_who_speak_elsewhere_change_nothing(speech: list[TimeSpan], others: list[TimeSpan]) -> None:
    around = [TimeSpan(max(0.0, s.start - 1), s.end + 1) for s in speech]
    elsewhere = difference(others, around)
    options = OPTIONS
    assert pack(speech, duration_s=DURATION_S, options=options, others=elsewhere) == pack(
        speech, duration_s=DURATION_S, options=options
    )


# --- words back in the recording --------------------------------------------------------------------------

WINDOW = Window((Piece(TimeSpan(10, 12), 0.0), Piece(TimeSpan(20, 21), 2.5), Piece(TimeSpan(30, 33), 4.0)))


def word(start: float, end: float) -> Word:
    return Word("好", start, end, 0.75)


@pytest.mark.parametrize(
    ("heard", "piece", "start", "end"),
    [
        ((0.0, 0.5), 0, 10.0, 10.5),
        ((2.75, 3.25), 1, 20.25, 20.75),
        ((4.5, 5.0), 2, 30.5, 31.0),
        ((1.75, 2.25), 0, 11.75, 12.0),  # runs into the silence: ends with its piece
        ((2.25, 2.75), 1, 20.0, 20.25),  # begins in it: starts with its piece
        ((2.0, 2.25), 0, 12.0, 12.0),  # lies in it, nearer to the piece before
        ((7.5, 9.0), 2, 33.0, 33.0),  # behind the last piece
    ],
)
def test_place(heard: tuple[float, float], piece: int, start: float, end: float) -> None:
    assert place([word(*heard)], WINDOW) == ((piece, Word("好", start, end, 0.75)),)


def test_a_later_word_never_goes_to_an_earlier_piece() -> None:
    placed = place([word(2.75, 3.0), word(2.0, 2.25)], WINDOW)
    assert [index for index, _ in placed] == [1, 1]
    assert placed[1][1] == Word("好", 20.0, 20.0, 0.75)


def test_a_window_of_one_piece_at_the_start_changes_nothing() -> None:
    said = [word(n / 2, n / 2 + 0.25) for n in range(8)]
    assert place(said, Window((Piece(TimeSpan(0, 4), 0.0),))) == tuple((0, w) for w in said)


@given(speeches())
def test_words_of_a_piece_come_back_to_the_second_they_were_said(speech: list[TimeSpan]) -> None:
    """The identity: a word put into its window at its place is brought back to where it was."""
    for window in pack(speech, duration_s=DURATION_S, options=OPTIONS):
        said = [
            (n, Word("好", p.span.start + share * p.span.duration_s, p.span.middle, 0.5))
            for n, p in enumerate(window.pieces)
            for share in (0.125, 0.25)
        ]
        packed = []
        for n, w in said:
            shift = window.pieces[n].offset_s - window.pieces[n].span.start
            packed.append(Word(w.text, w.start + shift, w.end + shift, w.confidence))
        placed = place(packed, window)
        assert [n for n, _ in placed] == [n for n, _ in said]
        for (_, found), (_, expected) in zip(placed, said, strict=True):
            assert (found.start, found.end) == pytest.approx((expected.start, expected.end))


@given(speeches(), st.lists(st.tuples(st.floats(0, 32), st.floats(0, 3)), max_size=12))
def test_words_stay_inside_their_piece_and_in_order(
    speech: list[TimeSpan], heard: list[tuple[float, float]]
) -> None:
    said = [Word(str(n), start, start + length, 0.5) for n, (start, length) in enumerate(sorted(heard))]
    for window in pack(speech, duration_s=DURATION_S, options=OPTIONS):
        placed = place(said, window)
        assert [w.text for _, w in placed] == [w.text for w in said]
        for index, found in placed:
            span = window.pieces[index].span
            assert span.start <= found.start <= found.end <= span.end
        assert all(a.start <= b.start for (_, a), (_, b) in pairwise(placed))


def test_a_word_that_took_the_pause_before_it_belongs_after_the_pause() -> None:
    """The recogniser ends each word where the next starts: “It's” after a pause starts in the piece before."""
    window = Window((Piece(TimeSpan(10.0, 18.0), 0.0), Piece(TimeSpan(28.0, 31.0), 8.5)))
    words = [Word(" protection", 7.4, 7.9, 0.9), Word(" It's", 7.9, 9.0, 0.9), Word(" Kevin", 9.0, 9.3, 0.9)]
    assert [index for index, _ in place(words, window)] == [0, 1, 1]


def test_punctuation_stays_with_the_word_before_it() -> None:
    window = Window((Piece(TimeSpan(0.0, 2.0), 0.0), Piece(TimeSpan(9.0, 11.0), 2.5)))
    words = [Word("好", 1.6, 1.9, 0.9), Word("。", 1.9, 2.8, 0.9), Word("请", 2.8, 3.0, 0.9)]
    assert [index for index, _ in place(words, window)] == [0, 0, 1]
