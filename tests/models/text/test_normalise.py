"""Overlays: simplified script and sound, character by character over what was recognised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text.normalise import PinyinAnnotator
from qa_service.domain.conversation import TextOverlay


@pytest.fixture(scope="module")
def annotator() -> PinyinAnnotator:
    return PinyinAnnotator()


@pytest.mark.parametrize(
    ("raw", "simplified"),
    [
        ("謝謝您，請問還有什麼問題嗎？", "谢谢您，请问还有什么问题吗？"),
        ("您好", "您好"),
        ("我們會幫您處理 OK", "我们会帮您处理 OK"),
        ("", ""),
    ],
)
def test_simplified_script(annotator: PinyinAnnotator, raw: str, simplified: str) -> None:
    assert annotator.simplified(raw, "zh") == simplified
    assert annotator.simplified(raw, "zh-TW") == simplified


def test_other_languages_are_left_alone(annotator: PinyinAnnotator) -> None:
    assert annotator.simplified("謝謝", "en") == "謝謝"


TRADITIONAL = st.text(
    st.one_of(st.sampled_from("謝請問還麼嗎帳號乾著後裏瞭 aA1，。"), st.characters()), max_size=20
)


@given(raw=TRADITIONAL)
def test_every_character_keeps_its_place(annotator: PinyinAnnotator, raw: str) -> None:
    assert len(annotator.simplified(raw, "zh")) == len(raw)


@given(raw=TRADITIONAL)
def test_simplified_text_has_nothing_left_to_simplify(annotator: PinyinAnnotator, raw: str) -> None:
    once = annotator.simplified(raw, "zh")
    assert len(annotator.simplified(once, "zh")) == len(once)
    for traditional in "謝請問還麼嗎號":
        assert traditional not in once


def test_overlay(annotator: PinyinAnnotator) -> None:
    assert annotator.overlay("您好，工号 12。") == TextOverlay(
        folded="你好工号12",
        offsets=(0, 1, 3, 4, 6, 7),
        syllables=("ni", "hao", "gong", "hao", "1", "2"),
    )


@given(text=st.text(max_size=30))
def test_overlays_are_aligned(annotator: PinyinAnnotator, text: str) -> None:
    found = annotator.overlay(text)
    assert len(found.folded) == len(found.offsets) == len(found.syllables)
    assert all(0 <= offset < len(text) for offset in found.offsets)
