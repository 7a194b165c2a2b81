"""All phrases at once find what one phrase after another, looked for in the plainest way, finds."""

import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.text import fold, is_han
from qa_service.pinyin import sounded, syllables
from rules.cases import dialogue
from rules.index import DIGITS, SOUNDS_OF_DIGITS, CallIndex, TurnText
from rules.matching import PLACEHOLDER
from rules.phrase_book import PhraseBook, Phrases, Template

Place = tuple[int, int, int, bool]
"""Turn, start, end, and whether it is spelled so."""

said = st.text(alphabet="工公宫号好在再见123四五十是实，。 ab", min_size=1, max_size=24).filter(
    lambda text: any(c.isalnum() for c in text)
)
phrases = st.sampled_from(
    [
        "工号",
        "公号",
        "再见",
        "好",
        "见123",
        "ab",
        "ab a",
        "12",
        "{digits:2-4}",
        "工号{digits:1-6}",
        "号{any:0-3}{digits:2-3}",
        "好{any:0-2}见{any:1-4}号",
        "再{any:1-90}工{any:0-90}好",
        "a{any:0-5}b",
        "{digits:1-2}b",
    ]
)


@given(
    st.lists(st.tuples(st.sampled_from(["agent", "customer"]), said), min_size=1, max_size=5),
    st.lists(phrases, min_size=1, max_size=6, unique=True),
)
def test_what_one_phrase_after_another_finds(turns: list[tuple[str, str]], wanted: list[str]) -> None:
    lines = [f"{role} {n}-{n + 0.9}: {text}" for n, (role, text) in enumerate(turns)]
    index = CallIndex(dialogue("\n".join(lines), language="zh"))
    lists = [(phrase,) for phrase in wanted]
    hits = PhraseBook(lists).search(index)
    for one in lists:
        found = [(h.turn, h.start, h.end, h.spelled) for h in hits.of(one)]
        assert sorted(found) == sorted(plainly(one[0], index.turns))


def found_in(book: PhraseBook, text: str, phrases: tuple[str, ...]) -> list[tuple[str, bool]]:
    index = CallIndex(dialogue(f"agent 0-9: {text}", language="zh"))
    return [(hit.phrase, hit.spelled) for hit in book.search(index).of(phrases)]


def test_only_what_counts_by_its_sound_is_looked_for_by_it() -> None:
    some, others = ("工号", "为您服务"), ("再见",)
    text = "公号，为您服物，在见，工号"
    assert found_in(PhraseBook([some, others]), text, some) == [
        ("工号", False),
        ("为您服务", False),
        ("工号", True),
    ]
    book = PhraseBook([some, others], [(some, 3)])
    assert found_in(book, text, some) == [("为您服务", False), ("工号", True)]
    assert found_in(book, text, others) == []
    assert found_in(book.with_lists([some, others], [(some, 3), (others, 2)]), text, others) == [("再见", False)]


def plainly(phrase: str, turns: tuple[TurnText, ...]) -> list[Place]:
    """Each place of the phrase, by spelling; then those by sound that lie beside all of these."""
    pieces = PLACEHOLDER.split(phrase)
    literals = [fold(literal).text for literal in pieces[::4]]
    found: list[Place] = []
    for turn in turns:
        spelled = [(*place, True) for place in _search(pieces, literals, turn.text, f"[{DIGITS}]")]
        sounds = [sounded(syllables(literal)) for literal in literals]
        by_sound = [(*place, False) for place in _search(pieces, sounds, turn.sounds, f"[{SOUNDS_OF_DIGITS}]")]
        spelled = [place for place in spelled if _counts(place[:2], phrase, turn.text)]
        found += [(turn.index, *place) for place in spelled]
        if sum(map(is_han, "".join(literals))) >= (2 if len(pieces) == 1 else 1):
            beside = [p for p in by_sound if not any(s[0] < p[1] and p[0] < s[1] for s in spelled)]
            found += [(turn.index, *place) for place in beside]
    return found


def _search(pieces: list[str], literals: list[str], text: str, digit: str) -> list[tuple[int, int]]:
    pattern = ""
    for literal, kind, low, high in zip(
        literals, [*pieces[1::4], ""], [*pieces[2::4], ""], [*pieces[3::4], ""], strict=True
    ):
        word = r"\b" if literal.isascii() and literal else ""
        pattern += word + re.escape(literal) + word
        pattern += {"digits": f"{digit}{{{low},{high}}}", "any": f".{{{low},{high}}}?", "": ""}[kind]
    if "".join(literals).isascii():
        pattern = rf"\b{pattern}\b"
    if len(pieces) > 1:
        return [match.span() for match in re.finditer(pattern, text, re.ASCII)]
    starts = (n for n in range(len(text)) if text.startswith(literals[0], n))
    return [(n, n + len(literals[0])) for n in starts]


def _counts(place: tuple[int, int], phrase: str, text: str) -> bool:
    """Whether a phrase without placeholders is no part of a longer Latin word or number."""
    if PLACEHOLDER.search(phrase):
        return True
    edges = [text[i - 1 : i + 1] for i in place if 0 < i < len(text)]
    return not any(len(edge.split()) == 1 and len(edge.split()[0]) == 2 and edge.isascii() for edge in edges)


@pytest.mark.parametrize("sounds", [False, True])
@given(text=said, phrase=phrases.filter(lambda phrase: "{" in phrase))
def test_both_engines_find_the_same(sounds: bool, text: str, phrase: str) -> None:
    """``re`` and RE2, whichever of them a template is looked for with."""
    template = Template(0, tuple(PLACEHOLDER.split(phrase)))
    program = template.sounded if sounds else template.spelled
    folded = fold(text).text
    heard = sounded(syllables(folded)) if sounds else folded
    spans = [[m.span() for m in engine.finditer(heard)] for engine in _engines(program)]
    assert spans[0] == spans[1]


def _engines(program: re.Pattern[str]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(program.pattern, re.ASCII), re2.compile(program.pattern)


def test_many_ways_to_fill_it_are_tried_all_at_once() -> None:
    (few,) = Phrases(["好{any:0-9}见"]).templates
    (many,) = Phrases(["好{any:0-9}见{any:0-10}号"]).templates
    assert isinstance(few.spelled, re.Pattern)
    assert not isinstance(many.spelled, re.Pattern)
