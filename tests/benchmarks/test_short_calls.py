"""Short calls: cut where nobody speaks, different from one another, and the same every time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from benchmarks.short_calls import LONGEST_S, SHORTEST_S, mandarin_calls, pieces, quiet_moments, write_short_calls


def call(*spans: tuple[int, float, float, str]) -> dict[str, Any]:
    return {"utterances": [{"channel": c, "start": s, "end": e, "say": text} for c, s, e, text in spans]}


def test_a_call_is_cut_in_pauses_only() -> None:
    spoken = call((0, 1, 4, ""), (1, 3.5, 8, ""), (0, 5, 7, ""), (1, 8.1, 9, ""), (0, 10, 12, ""))
    assert quiet_moments(spoken) == [9.5]


def test_a_piece_holds_what_was_said_between_its_cuts() -> None:
    spoken = call((0, 0, 2, "一"), (1, 3, 8, "二"), (0, 9, 14, "三"), (1, 15, 24, "四"), (0, 25, 90, "五"))
    assert [(p.start, p.end, p.said) for p in pieces(spoken)] == [
        (2.5, 14.5, ("三", "二")),
        (2.5, 24.5, ("三", "二四")),
        (8.5, 24.5, ("三", "四")),
        (14.5, 24.5, ("", "四")),
    ]


def test_every_test_call_has_pieces_of_the_right_length() -> None:
    calls = mandarin_calls()
    assert len(calls) == 35
    for known, recording in calls:
        found = pieces(known)
        assert found
        assert all(SHORTEST_S <= piece.end - piece.start <= LONGEST_S for piece in found)
        assert max(piece.end for piece in found) <= sf.info(recording).duration


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Sequence[str]]]:
    folder = tmp_path_factory.mktemp("few")
    return folder, write_short_calls(folder, 4)


def test_short_calls_are_stereo_at_8_khz_and_differ(few: tuple[Path, dict[str, Sequence[str]]]) -> None:
    folder, said = few
    assert len(said) == len({(folder / name).read_bytes() for name in said}) == 4
    for name, texts in said.items():
        samples, rate_hz = sf.read(folder / name)
        assert rate_hz == 8000
        assert samples.shape[1] == len(texts) == 2
        assert SHORTEST_S / 1.06 <= len(samples) / rate_hz <= LONGEST_S / 0.94
        assert 0 < np.abs(samples).max() < 1
    assert all(any(texts[side] for texts in said.values()) for side in (0, 1))


def test_short_calls_are_the_same_every_time_however_many(
    few: tuple[Path, dict[str, Sequence[str]]], tmp_path: Path
) -> None:
    folder, said = few
    fewer = write_short_calls(tmp_path, 2)
    assert fewer == {name: said[name] for name in fewer}
    assert all((tmp_path / name).read_bytes() == (folder / name).read_bytes() for name in fewer)
