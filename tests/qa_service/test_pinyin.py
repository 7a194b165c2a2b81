"""Syllables: one a character, whatever the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.text import fold
from qa_service.pinyin import syllables


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("工号", ("gong", "hao")),
        ("公号", ("gong", "hao")),
        ("绿色", ("lv", "se")),
        ("银行", ("yin", "hang")),
        ("ok吗", ("o", "k", "ma")),
        ("工号12", ("gong", "hao", "1", "2")),
        ("a b", ("a", " ", "b")),
        ("好あ好", ("hao", "あ", "hao")),
    ],
)
def test_syllables(text: str, expected: tuple[str, ...]) -> None:
    assert syllables(text) == expected


def test_homophones_sound_alike() -> None:
    assert syllables("工号") == syllables("公号")
    assert syllables("您") != syllables("你")  # folding, not sound, makes them one


@given(st.text(max_size=30))
def test_one_syllable_a_character(text: str) -> None:
    folded = fold(text).text
    assert len(syllables(folded)) == len(folded)
    assert syllables(folded) == syllables(folded)


@given(st.text(st.sampled_from("工号您好谢谢abc12 "), max_size=15))
def test_a_latin_letter_or_digit_stands_for_itself(text: str) -> None:
    for character, syllable in zip(text, syllables(text), strict=True):
        if character.isascii():
            assert syllable == character
        else:
            assert syllable.isascii()
            assert syllable.isalpha()
