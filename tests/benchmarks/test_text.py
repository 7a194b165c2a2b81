"""The same words, however they are written, are the same tokens."""

import pytest

from benchmarks.text import tokens


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("工号8023，为您服务。", "工号八零二三为您服务"),
        ("電話費", "电话费"),
        ("涨了15%", "涨了百分之一五"),
        ("ＡＢ１２", "ab一二"),
        ("〇幺", "零一"),
    ],
)
def test_mandarin_is_characters(written: str, spoken: str) -> None:
    assert tokens(written, "zh-CN") == list(spoken)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("It's $25, four-four 7", "its 2 5 dollars 4 4 7"),
        ("Twenty five and ninety", "2 5 and 9 0"),
        ("thirteen oh five", "1 3 0 5"),
        ("15 % of it", "1 5 percent of it"),
        ("Don’t", "dont"),
    ],
)
def test_english_is_words_with_numbers_by_digits(written: str, words: str) -> None:
    assert tokens(written, "en") == words.split()
