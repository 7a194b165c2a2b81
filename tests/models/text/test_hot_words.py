"""Names that a site knows: written right where they were heard, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.hot_words import respelled
from qa_service.domain.text import hot_word_fault, is_han
from qa_service.pinyin import sound_key, syllables


@pytest.mark.parametrize(
    ("text", "words", "spelled", "places"),
    [
        ("您好，有够商城客服", ("优购商城",), "您好，优购商城客服", ((3, 7),)),
        ("这里是警华物业", ("锦华物业",), "这里是锦华物业", ((3, 7),)),  # jing sounds like jin
        ("会经财富，会经财富", ("汇金财富",), "汇金财富，汇金财富", ((0, 4), (5, 9))),
        ("汇金财富您好", ("汇金财富",), "汇金财富您好", ()),  # nothing to do, nothing marked
        ("有够商城的客服", ("优购商城", "优购商城的客服"), "优购商城的客服", ((0, 7),)),  # the longest
        ("有够，商城", ("优购商城",), "有够，商城", ()),  # a comma was heard between
        ("有够 商城", ("优购商城",), "有够 商城", ()),
        ("王立娟为您服务", ("王丽娟", "王莉娟"), "王立娟为您服务", ()),  # either of two: nobody can tell
        ("王莉娟为您服务", ("王丽娟", "王莉娟"), "王莉娟为您服务", ()),
        ("我打了十几个了", ("优购商城",), "我打了十几个了", ()),
        ("hello 有够商城", ("优购商城",), "hello 优购商城", ((6, 10),)),
        ("有够商城", (), "有够商城", ()),
        ("", ("优购商城",), "", ()),
    ],
)
def test_respelled(text: str, words: tuple[str, ...], spelled: str, places: tuple[tuple[int, int], ...]) -> None:
    assert respelled(text, words) == (spelled, places)


SYLLABLES = "有优够购商伤城成会汇金经财富是市世实"
TEXTS = st.text(st.one_of(st.sampled_from(SYLLABLES + "，。 a1"), st.characters()), max_size=20)
WORDS = st.lists(st.text(SYLLABLES, min_size=3, max_size=5), max_size=6).map(tuple)


@given(text=TEXTS, words=WORDS)
def test_only_what_sounds_alike_is_written_anew_and_all_of_it_is_reported(
    text: str, words: tuple[str, ...]
) -> None:
    spelled, places = respelled(text, words)
    assert len(spelled) == len(text)
    changed = {i for i, (a, b) in enumerate(zip(text, spelled, strict=True)) if a != b}
    assert changed <= {i for start, end in places for i in range(start, end)}
    for start, end in places:
        assert spelled[start:end] in words
        assert text[start:end] != spelled[start:end]
    assert [edge for place in places for edge in place] == sorted(edge for place in places for edge in place)


@given(text=TEXTS, words=WORDS)
def test_a_respelled_text_sounds_as_before(text: str, words: tuple[str, ...]) -> None:
    for start, end in respelled(text, words)[1]:
        heard, written = text[start:end], respelled(text, words)[0][start:end]
        assert all(map(is_han, heard))
        # Of a word by itself: in context pinyin may choose another reading of a character that has several.
        alone = [(set(_readings(a)), set(_readings(b))) for a, b in zip(heard, written, strict=True)]
        assert all(a & b for a, b in alone)


def _readings(character: str) -> list[str]:
    from pypinyin import Style, pinyin

    return [sound_key(reading) for reading in pinyin(character, style=Style.NORMAL, heteronym=True)[0]]


@pytest.mark.parametrize("word", ["优购商城", "王丽娟", "一二三"])
def test_words_of_three_characters_and_more_can_be_told(word: str) -> None:
    assert hot_word_fault(word) is None
    assert respelled(word, (word,)) == (word, ())
    assert len(syllables(word)) == len(word)


@pytest.mark.parametrize("word", ["世纪", "王丽", "", "Northwind", "5G套餐", "优购，商城", " 优购商城"])
def test_others_cannot(word: str) -> None:
    assert hot_word_fault(word) is not None
