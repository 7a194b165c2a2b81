"""Where a phrase may have been misheard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.cases import dialogue
from rules.index import CallIndex
from rules.nearly import _DIGITS, Sought, may_be_said, misheard, rhyme, units_of

DOUBT, ALIKE = 0.6, 0.65


def places(text: str, confidences: list[float], *phrases: str, language: str = "zh") -> list[str]:
    """What was heard where a phrase may have been said."""
    index = CallIndex(dialogue(f"agent 0-9: {text}", language=language))
    (turn,) = index.turns
    turn.confidences, turn.weakest = tuple(confidences), min(confidences)
    sought = Sought(phrases)
    return [
        turn.text[start:end]
        for place in misheard(index, doubt=DOUBT, alike=ALIKE)
        if not sought.traces.isdisjoint(place.traces)
        for _, start, end in may_be_said(sought, place, doubt=DOUBT, alike=ALIKE)
    ]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("jian", "yan", True),
        ("jiu", "dou", True),
        ("wei", "hui", True),
        ("zai", "sai", True),
        ("zai", "zao", False),
        ("yuan", "xuan", True),
        ("BYE", "ye", False),
        ("8", "8", False),
        ("a", "ba", True),
    ],
)
def test_rhymes(one: str, other: str, expected: bool) -> None:
    assert rhyme(one, other) is rhyme(other, one) is expected


@pytest.mark.parametrize(
    ("text", "confidences", "expected"),
    [
        ("愉快再延", [0.9, 0.9, 0.9, 0.62], ["再延"]),
        ("愉快再延", [0.9, 0.9, 0.9, 0.66], []),
        ("愉快再头", [0.9, 0.9, 0.9, 0.59], ["再头"]),
        ("愉快再头", [0.9, 0.9, 0.9, 0.6], []),
        ("愉快头头", [0.9, 0.9, 0.1, 0.1], []),  # nothing of it was heard
        ("愉快赛言", [0.9, 0.9, 0.62, 0.62], ["赛言"]),
        ("再", [0.1], []),
        ("愉快再见", [0.9, 0.9, 0.1, 0.1], ["再见"]),
    ],
)
def test_goodbye(text: str, confidences: list[float], expected: list[str]) -> None:
    assert places(text, confidences, "再见") == expected


def test_latin_words_are_whole() -> None:
    heard = [0.9] * 5 + [0.5] * 4
    assert places("good boy", heard[1:], "good bye", language="en") == ["good boy"]
    assert places("good boy", heard[1:], "good") == []
    assert places("goods boy", heard, "good bye", language="en") == []


@pytest.mark.parametrize(
    ("text", "confidences", "expected"),
    [
        ("贝灵爱三位名服务", [0.86, 0.8, 0.83, 0.83, 0.9, 0.55, 0.47, 0.98], ["三位名服务"]),
        ("贝灵爱三位名服务", [0.86, 0.8, 0.83, 0.83, 0.9, 0.75, 0.47, 0.98], []),
        ("小王爱山位名服务", [0.86, 0.8, 0.83, 0.5, 0.9, 0.55, 0.47, 0.98], ["山位名服务"]),
        ("小王爱他位名服务", [0.86, 0.8, 0.83, 0.83, 0.9, 0.55, 0.47, 0.98], []),
    ],
)
def test_one_digit_is_left_of_a_number(text: str, confidences: list[float], expected: list[str]) -> None:
    assert places(text, confidences, "{digits:3-8}为您服务") == expected


def test_a_phrase_of_one_unit_may_stand_nowhere() -> None:
    assert places("五头", [0.5, 0.5], "{digits:3-8}", "无", "bye") == []


def test_what_may_be_anything_takes_no_place() -> None:
    assert places("您好在头", [0.9, 0.9, 0.9, 0.5], "再{any:0-3}见") == ["在头"]


@given(st.lists(st.tuples(st.sampled_from("您好再见工号谢"), st.sampled_from([0.65, 0.8, 1.0])), min_size=1))
def test_what_was_surely_heard_was_said(heard: list[tuple[str, float]]) -> None:
    assert places("".join(c for c, _ in heard), [c for _, c in heard], "再见", "您好", "工号是") == []


@given(
    st.lists(st.tuples(st.sampled_from("再见在线延头"), st.floats(0, 1)), min_size=2, max_size=8),
    st.integers(0, 7),
    st.floats(0, 1),
)
def test_more_doubt_never_rules_a_place_out(heard: list[tuple[str, float]], index: int, lower: float) -> None:
    text, confidences = "".join(c for c, _ in heard), [c for _, c in heard]
    doubted = [min(c, lower) if i == index else c for i, c in enumerate(confidences)]
    assert set(places(text, confidences, "再见")) <= set(places(text, doubted, "再见"))


SOUGHT = ("再见", "好再见", "工号{digits:2-8}", "{digits:3-8}为您服务", "您好在线工号", "bye bye", "在线bye")


@given(
    st.lists(
        st.tuples(st.sampled_from("再见在线延头工号三8好为你服务"), st.floats(0.3, 1)), min_size=1, max_size=9
    ),
    st.floats(0.5, 0.8),
    st.floats(0.5, 0.8),
)
def test_no_place_is_passed_over(heard: list[tuple[str, float]], one: float, other: float) -> None:
    """Each place that holds half of a phrase and nothing against it, tried one after another."""
    doubt, alike = sorted((one, other))
    index = CallIndex(dialogue(f"agent 0-9: {''.join(c for c, _ in heard)}", language="zh"))
    (turn,) = index.turns
    turn.confidences = tuple(c for _, c in heard)
    turn.weakest = min(turn.confidences)
    units = units_of(turn.text, turn.syllables, turn.confidences)
    heard_as = list(zip(units.sounds, units.confidences, strict=True))
    expected = set()
    for phrase in SOUGHT:
        for _, sounds in Sought([phrase]).phrases:
            for first in range(len(heard_as) - len(sounds) + 1):
                told = [
                    (c, sound == s or (s == "#" and sound in _DIGITS), rhyme(sound, s))
                    for (sound, c), s in zip(heard_as[first:], sounds, strict=False)
                ]
                agrees = [1.0 if same else 0.5 * (rhymes and c < alike) for c, same, rhymes in told]
                against = any(not found and c >= doubt for found, (c, _, _) in zip(agrees, told, strict=True))
                if any(c < alike for c, _, _ in told) and not against and 2 * sum(agrees) >= len(sounds):
                    expected.add((phrase, units.starts[first], units.ends[first + len(sounds) - 1]))
    found = [
        place
        for sought in map(Sought, zip(SOUGHT, strict=True))
        for where in misheard(index, doubt=doubt, alike=alike)
        if not sought.traces.isdisjoint(where.traces)
        for place in may_be_said(sought, where, doubt=doubt, alike=alike)
    ]
    assert set(found) == expected
    assert len(found) == len(expected)
