"""Folding: what matching sees, and the way back to what was said."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qa_service.domain.text import fold, is_han, spoken_units

MIXED = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("您好，。！ 　０１２３ＡＢＣａｂｃ'’-·ｅ́İ㎏①😀🇨🇳"),
    ),
    max_size=30,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("", ""),
        ("。，！？ …", ""),
        ("您好，她说它很好", "你好他说他很好"),
        ("ＡＢＣ　１２３", "abc 123"),
        ("工号 1 2 3", "工号123"),
        ("1,234.50元", "123450元"),
        ("138-1234 5678", "13812345678"),
        ("Thank  you, sir!", "thank you sir"),
        ("don't", "dont"),
        ("don’t", "dont"),
        ("uh-huh", "uh huh"),
        ("请按 OK 键", "请按ok键"),
        ("OK，好的", "ok好的"),
        ("A1 B2", "a1 b2"),
        ("room 12", "room 12"),
        ("好的😀，再见", "好的再见"),
        ("ok😀bye", "ok bye"),
        ("二〇二五 年", "二〇二五年"),
        (" 您好 ", "你好"),
        ("cafe\u0301s", "cafes"),  # an accent written apart does not cut the word
        ("İstanbul", "istanbul"),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text).text == folded


def test_offsets_lead_to_the_characters_said() -> None:
    folded = fold("您好，OK 吗？")
    assert folded.text == "你好ok吗"
    assert folded.offsets == (0, 1, 3, 4, 6)


def test_a_space_lies_at_the_word_behind_it() -> None:
    folded = fold("a, b")
    assert folded.text == "a b"
    assert folded.offsets == (0, 3, 3)


def test_a_character_that_becomes_several_keeps_one_offset() -> None:
    folded = fold("3㎏")
    assert (folded.text, folded.offsets) == ("3kg", (0, 1, 1))


def test_a_character_outside_the_basic_plane_is_one_character() -> None:
    folded = fold("𠮷，野")
    assert (folded.text, folded.offsets) == ("𠮷野", (0, 2))
    assert is_han("𠮷")


@given(MIXED)
@example("İ'İ")
def test_one_offset_a_character_never_going_back(text: str) -> None:
    folded = fold(text)
    assert len(folded.offsets) == len(folded.text)
    assert list(folded.offsets) == sorted(folded.offsets)
    assert all(0 <= offset < len(text) for offset in folded.offsets)


@given(MIXED)
def test_only_letters_digits_and_single_inner_spaces_remain(text: str) -> None:
    folded = fold(text).text
    assert all(c.isalnum() or c == " " for c in folded)
    assert folded == folded.strip()
    assert "  " not in folded


@given(MIXED)
def test_a_character_comes_from_its_source(text: str) -> None:
    folded = fold(text)
    for character, offset in zip(folded.text, folded.offsets, strict=True):
        if character != " ":
            assert character in fold(text[offset]).text


@given(st.text(st.sampled_from("您你好她他abcXYZ019 ，。'"), max_size=20))
def test_folding_again_changes_nothing(text: str) -> None:
    folded = fold(text).text
    assert fold(folded).text == folded


@given(MIXED, st.sampled_from(["，", "。 ", "😀", "！"]))
def test_punctuation_around_the_text_changes_nothing(text: str, mark: str) -> None:
    assert fold(mark + text + mark).text == fold(text).text


@pytest.mark.parametrize("character", ["好", "㐀", "〇", "𠮷", "龥"])
def test_han(character: str) -> None:
    assert is_han(character)


@pytest.mark.parametrize("character", ["a", "1", "，", " ", "あ", "한", "😀"])
def test_not_han(character: str) -> None:
    assert not is_han(character)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("", 0),
        ("，。", 0),
        ("您好，我是小王。", 6),
        ("工号一二〇", 5),
        ("工号 120", 5),  # digits are spoken one by one
        ("１２０", 3),
        ("thank you", 2),
        ("don't worry", 2),
        ("I don’t", 2),
        ("请按OK键", 4),
        ("a café", 2),
        ("naïve", 1),
        ("好😀", 1),
    ],
)
def test_spoken_units(text: str, units: int) -> None:
    assert spoken_units(text) == units


@given(MIXED, MIXED)
def test_units_of_two_sentences_add_up(first: str, second: str) -> None:
    # A sentence may begin with an accent, which then belongs to what stands before it.
    if not (second and unicodedata.combining(unicodedata.normalize("NFKC", second)[:1] or " ")):
        assert spoken_units(f"{first}。{second}") == spoken_units(first) + spoken_units(second)
