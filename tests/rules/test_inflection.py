"""The forms of English words."""

import pytest

from rules.inflection import base_of, forms_of, word_fault


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("guarantee", "guarantees guaranteed guaranteeing"),
        ("promise", "promises promised promising"),
        ("refund", "refunds refunded refunding"),
        ("deny", "denies denied denying"),
        ("pay", "pays paid paying"),
        ("lie", "lies lied lying"),
        ("stop", "stops stopped stopping"),
        ("quit", "quits quit quitted quitting"),
        ("offer", "offers offered offering offerred offerring"),
        ("cancel", "cancels cancelled canceled cancelling canceling"),
        ("fix", "fixes fixed fixing"),
        ("panic", "panics panicked panicking"),
        ("wash", "washes washed washing"),
        ("veto", "vetos vetoes vetoed vetoing"),
        ("lose", "loses lost losing"),
        ("begin", "begins began begun beginning begining"),
        ("learn", "learns learned learnt learning"),
        ("be", "am is are was were been being"),
        ("penny", "pennies pence"),
        ("agree", "agrees agreed agreeing"),
    ],
)
def test_forms(word: str, forms: str) -> None:
    assert forms_of(word) == {word, *forms.split()}


@pytest.mark.parametrize(("form", "base"), [("sold", "sell"), ("went", "go"), ("found", None), ("promise", None)])
def test_base(form: str, base: str | None) -> None:
    assert base_of(form) == base


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("promise", None),
        ("go", None),
        ("Promise", "small letters"),
        ("us", "one form"),
        ("told", "a form of tell"),
    ],
)
def test_words_without_forms(word: str, fault: str | None) -> None:
    found = word_fault(word)
    assert found is None if fault is None else found is not None and fault in found
