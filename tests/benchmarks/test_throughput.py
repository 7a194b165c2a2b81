"""Error rates from either contender's output, and the bars."""

import json

import pytest

from benchmarks.throughput import error_rate, missed

SAID = {"a.flac": ["工号八零二三", "你好"], "b.flac": ["再见", ""]}


def scored(name: str, *utterances: tuple[int, str]) -> str:
    spoken = [{"channel": channel, "text": text} for channel, text in utterances]
    return json.dumps({"recording": {"path": f"x/{name}"}, "conversation": {"utterances": spoken}})


def test_both_outputs_are_measured_alike() -> None:
    score = "\n".join([scored("a.flac", (0, "工号"), (1, "您好"), (0, "8023。")), scored("b.flac", (0, "再见"))])
    plain = "\n".join(
        json.dumps({"file": name, "text": texts})
        for name, texts in (("a.flac", ["工号8023。", "您好"]), ("b.flac", ["再见", ""]))
    )
    assert error_rate(score, SAID) == error_rate(plain, SAID) == pytest.approx(1 / 10)


def test_invented_words_on_a_silent_channel_are_errors() -> None:
    line = json.dumps({"file": "b.flac", "text": ["再见", "字幕"]})
    assert error_rate(line, SAID) == pytest.approx(2 / 2)


def test_without_the_truth_there_is_no_rate() -> None:
    assert error_rate(scored("a.flac"), {}) is None


@pytest.mark.parametrize(
    ("ratio", "cer", "plain_cer", "bars"),
    [
        (1.5, 0.105, 0.1, 0),
        (1.49, 0.1, 0.1, 1),
        (1.6, 0.106, 0.1, 1),
        (1.4, 0.2, 0.1, 2),
        (1.6, None, None, 0),
    ],
)
def test_the_bars(ratio: float, cer: float | None, plain_cer: float | None, bars: int) -> None:
    assert len(missed("calls", ratio, cer, plain_cer)) == bars
