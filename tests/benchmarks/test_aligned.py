"""Which recognised words were right."""

import pytest

from benchmarks.aligned import cardinal, judged


def right(words: str, said: str, language: str = "zh") -> list[str]:
    """By word: 2 heard and written right, 1 heard right, 0 wrong, - punctuation."""
    pieces = list(words) if language == "zh" else [f" {word}" for word in words.split()]
    return ["-" if found is None else str(found.heard + found.written) for found in judged(pieces, said, language)]


@pytest.mark.parametrize(
    ("words", "said", "expected"),
    [
        ("您好，", "您好", "22-"),
        ("公号八", "工号八", "122"),  # a homophone is heard right
        ("紅色", "红色", "22"),
        ("你好", "您好", "22"),  # folding makes them one
        ("是知道", "似知道", "122"),  # sh and s sound alike
        ("再夜", "再见", "20"),
        ("好好的", "好的", None),  # one of the two was not said
        ("话费50块", "话费五十块", "222222"[:5]),
        ("号5050", "号五零五零", "22222"),
        ("没说过", "", "000"),
    ],
)
def test_mandarin(words: str, said: str, expected: str | None) -> None:
    found = right(words, said)
    assert found == list(expected) if expected is not None else sorted(found) == ["0", "2", "2"]


@pytest.mark.parametrize(
    ("words", "said", "expected"),
    [
        ("Hello, there.", "hello there", "22"),
        ("I'll pay 25 now", "I'll pay twenty five now", "2222"),
        ("the cat sat", "the hat sat", "202"),
        ("a b c", "a c", "202"),
    ],
)
def test_english(words: str, said: str, expected: str) -> None:
    assert right(words, said, "en") == list(expected)


@pytest.mark.parametrize(
    ("number", "read"),
    [
        ("5", "五"),
        ("10", "十"),
        ("50", "五十"),
        ("12", "十二"),
        ("305", "三百零五"),
        ("2026", "二千零二十六"),
        ("1200", "一千二百"),
        ("007", ""),
        ("12345", ""),
    ],
)
def test_numbers_read_aloud(number: str, read: str) -> None:
    assert cardinal(number) == read
