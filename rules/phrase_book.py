"""All phrases of a pack, compiled once and searched together.

Guarantee: pure after compilation. All phrases are searched in one pass (Aho–Corasick) over what was recognised and
one over how it sounds; a phrase with placeholders is looked for only where its literals were found, and in time
that grows with the text alone: neither the number of phrases nor a hostile one makes evaluation slow.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import ahocorasick_rs
import re2

from qa_service.domain.text import fold, is_han
from qa_service.pinyin import sounded, syllables
from rules.index import DIGITS, SOUNDS_OF_DIGITS, CallIndex, TurnText
from rules.matching import PLACEHOLDER, Hits, Raw, on_word_boundaries

Pattern = Any  # of re, or of google-re2, which publishes no name for what re2.compile returns

_MOST_WAYS = 100
"""In how many ways placeholders may be filled that ``re`` looks for: it tries them one by one, RE2 all at once. On
a turn ``re`` is four times as fast (2026-11-22: 0.4 and 1.6 µs, with the Mandarin service pack)."""


@lru_cache(maxsize=1 << 16)
def _sound(literal: str) -> str:
    """How folded text sounds: packs share most of their phrases, and pinyin is slow."""
    return sounded(syllables(literal))


class Literals:
    """Strings that are searched together: for each the phrases that it is, and the templates that it betrays.

    A template is betrayed by the longest of its literals, which is seldom found.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.phrases: list[list[int]] = []
        self.templates: list[list[Template]] = []

    def _number(self, literal: str) -> int:
        number = self._numbers.setdefault(literal, len(self._numbers))
        if number == len(self.phrases):
            self.phrases.append([])
            self.templates.append([])
        return number

    def add_phrase(self, literal: str, phrase: int) -> None:
        self.phrases[self._number(literal)].append(phrase)

    def add_template(self, literals: Iterable[str], template: "Template") -> None:
        self.templates[self._number(_longest(literals))].append(template)

    @cached_property
    def meaning(self) -> tuple[tuple[Sequence[int], Sequence["Template"], bool], ...]:
        """Of each literal its phrases, its templates, and whether it may be found inside a longer Latin word or
        number, where it does not count."""
        parts = [not (is_han(word[0]) and is_han(word[-1])) for word in self._numbers]
        return tuple(zip(self.phrases, self.templates, parts, strict=True))

    @cached_property
    def _automaton(self) -> ahocorasick_rs.AhoCorasick | None:
        return ahocorasick_rs.AhoCorasick(list(self._numbers)) if self._numbers else None

    def search(self, text: str) -> list[tuple[int, int, int]]:
        """``(literal, start, end)`` of all, overlapping ones too."""
        return self._automaton.find_matches_as_indexes(text, overlapping=True) if self._automaton else []


def _longest(literals: Iterable[str]) -> str:
    return max(literals, key=lambda literal: (len(literal), literal))


def _without_longest(literals: Sequence[str]) -> tuple[str, ...]:
    return tuple(set(literals) - {_longest(literals)}) if literals else ()


@dataclass(frozen=True)
class Template:
    """A phrase with placeholders: its literals in writing and by sound, and how many digits it needs."""

    phrase: int
    pieces: tuple[str, ...]

    @cached_property
    def literals(self) -> tuple[str, ...]:
        return tuple(text for literal in self.pieces[::4] if (text := fold(literal).text))

    @cached_property
    def sounding_literals(self) -> tuple[str, ...]:
        return tuple(map(_sound, self.literals))

    @cached_property
    def others(self) -> tuple[str, ...]:
        """All literals but the one that betrays it."""
        return _without_longest(self.literals)

    @cached_property
    def others_by_sound(self) -> tuple[str, ...]:
        return _without_longest(self.sounding_literals)

    @cached_property
    def digits(self) -> int:
        """How many digits in a row it needs at least."""
        lows = (
            int(low) for kind, low in zip(self.pieces[1::4], self.pieces[2::4], strict=True) if kind == "digits"
        )
        return max(lows, default=0)

    @cached_property
    def has_sound(self) -> bool:
        return any(is_han(c) for literal in self.pieces[::4] for c in literal)

    @cached_property
    def spelled(self) -> Pattern:
        return self._compiled(f"[{DIGITS}]", sounds=False)

    @cached_property
    def sounded(self) -> Pattern:
        return self._compiled(f"[{SOUNDS_OF_DIGITS}]", sounds=True)

    @cached_property
    def _ways(self) -> int:
        ways = 1
        for low, high in zip(self.pieces[2::4], self.pieces[3::4], strict=True):
            ways *= int(high) - int(low) + 1
        return ways

    def _compiled(self, digit: str, *, sounds: bool) -> Pattern:
        few = self._ways <= _MOST_WAYS
        escape = re.escape if few else re2.escape
        pattern = ""
        for literal, kind, low, high in zip(
            self.pieces[::4],
            [*self.pieces[1::4], ""],
            [*self.pieces[2::4], ""],
            [*self.pieces[3::4], ""],
            strict=True,
        ):
            folded = fold(literal).text
            # A Latin literal is whole words: the "im" of "{any:2-14}im" is not the end of "claim".
            word = "" if sounds or not folded or any(map(is_han, folded)) else r"\b"
            pattern += word + escape(_sound(folded) if sounds else folded) + word
            if kind:
                pattern += f"{digit if kind == 'digits' else '.'}{{{low},{high}}}" + ("?" if kind == "any" else "")
        if not self.has_sound:
            pattern = rf"\b{pattern}\b"  # a Latin phrase ends where a word ends
        return re.compile(pattern, re.ASCII) if few else re2.compile(pattern)  # \b is ASCII in RE2, too


class Phrases:
    """Different phrases, numbered, and what finds them; how they sound is found when it is first asked for."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self.texts = list(dict.fromkeys(phrases))
        self.numbers = {phrase: number for number, phrase in enumerate(self.texts)}
        self._plain: list[tuple[int, str]] = []
        self.templates: list[Template] = []
        for number, phrase in enumerate(self.texts):
            pieces = tuple(PLACEHOLDER.split(phrase))
            if len(pieces) > 1:
                self.templates.append(Template(number, pieces))
            elif folded := fold(phrase).text:
                self._plain.append((number, folded))
        self.bare = [template for template in self.templates if not template.literals]
        """Templates of nothing but digits."""
        self._sounding: tuple[frozenset[int], Literals] | None = None

    @cached_property
    def written(self) -> Literals:
        literals = Literals()
        for number, folded in self._plain:
            literals.add_phrase(folded, number)
        for template in self.templates:
            if template.literals:
                literals.add_template(template.literals, template)
        return literals

    @cached_property
    def sound_lengths(self) -> dict[int, float]:
        """How many characters each phrase has that can be found by its sound; a template any number."""
        found: dict[int, float] = {n: len(folded) for n, folded in self._plain if sum(map(is_han, folded)) >= 2}
        return found | {template.phrase: math.inf for template in self.templates if template.has_sound}

    def sounding(self, wanted: frozenset[int]) -> Literals:
        """What finds these phrases by their sound, and maybe others."""
        if self._sounding is None or not wanted <= self._sounding[0]:
            wanted = wanted.union(*(self._sounding or ())[:1])
            literals = Literals()
            for number, folded in self._plain:
                if number in wanted:
                    literals.add_phrase(_sound(folded), number)
            for template in self.templates:
                if template.phrase in wanted:
                    literals.add_template(template.sounding_literals, template)
            self._sounding = wanted, literals
        return self._sounding[1]


_Found = dict[int, list[Raw]]
"""Places by phrase."""

_NO_PHRASES: Final[tuple[str, ...]] = ()


class PhraseBook:
    """All lists of phrases of a rule set, and what finds them in a call."""

    def __init__(
        self,
        lists: Iterable[tuple[str, ...]],
        by_sound: Iterable[tuple[tuple[str, ...], int]] | None = None,
        *,
        phrases: Phrases | None = None,
    ) -> None:
        """The lists themselves are kept: ``Hits.of`` is asked with the same objects.

        ``by_sound``: those whose phrases count where they only sound so, and of how many characters at least;
        None: all of any length. Others may be found so, too. ``phrases``: those of another book, which have all
        that are in the lists. Raises KeyError: they have not.
        """
        self._lists = {id(one): one for one in lists}
        self._phrases = phrases or Phrases(phrase for one in self._lists.values() for phrase in one)
        numbers, lengths = self._phrases.numbers, self._phrases.sound_lengths
        self._owners: dict[int, list[int]] = {}
        """The lists that each phrase is in."""
        for key, one in self._lists.items():
            for phrase in dict.fromkeys(one):
                self._owners.setdefault(numbers[phrase], []).append(key)
        least = {id(one): 1 for one in self._lists.values()} if by_sound is None else {}
        for one, characters in by_sound or ():
            least[id(one)] = min(characters, least.get(id(one), characters))
        self._by_sound = frozenset(
            number
            for key, characters in least.items()
            for number in map(numbers.__getitem__, self._lists[key])
            if lengths.get(number, 0) >= characters
        )

    def with_lists(
        self, lists: Iterable[tuple[str, ...]], by_sound: Iterable[tuple[tuple[str, ...], int]]
    ) -> "PhraseBook":
        """The same book for other lists of its own phrases. Raises KeyError for a phrase that it does not have."""
        return PhraseBook(lists, by_sound, phrases=self._phrases)

    def search(self, index: CallIndex) -> Hits:
        """Hits of every phrase. A place found by spelling is not reported by sound again."""
        found: _Found = {}
        self._add_written(index, found)
        self._add_sounding(index, found)
        by_list = dict.fromkeys(self._lists, _NO_PHRASES)
        texts, lists = self._phrases.texts, self._owners
        named = {}
        for phrase, places in found.items():
            name = texts[phrase]
            named[name] = places
            for one in lists.get(phrase, ()):
                by_list[one] = (*by_list[one], name)
        return Hits(index, named, by_list)

    def _add_written(self, index: CallIndex, found: _Found) -> None:
        literals, text, turn_of = self._phrases.written, index.text, index.turn_of
        meaning = literals.meaning
        betrayed: dict[tuple[int, int], tuple[TurnText, Sequence[Template]]] = {}
        for literal, start, end in literals.search(text):
            phrases, templates, part = meaning[literal]
            if templates:
                turn = turn_of[start]
                betrayed[turn.index, literal] = turn, templates
            if part and not on_word_boundaries(text, start, end, whole_numbers=True):
                continue
            for phrase in phrases:
                if phrase in found:
                    found[phrase].append((start, end, True))
                else:
                    found[phrase] = [(start, end, True)]
        candidates = list(betrayed.values())
        if self._phrases.bare:
            candidates += [(turn, self._phrases.bare) for turn in index.turns if turn.longest_number]
        for turn, templates in candidates:
            digits = turn.longest_number
            for template in templates:
                if template.digits <= digits and _has(turn.text, template.others):
                    for start, end in _places(template.spelled, turn.text):
                        found.setdefault(template.phrase, []).append((turn.at + start, turn.at + end, True))

    def _add_sounding(self, index: CallIndex, found: _Found) -> None:
        literals, turn_of = self._phrases.sounding(self._by_sound), index.turn_of
        meaning = literals.meaning
        betrayed: dict[tuple[int, int], tuple[TurnText, Sequence[Template]]] = {}
        for literal, start, end in literals.search(index.sounds):
            phrases, templates, _ = meaning[literal]
            if templates:
                turn = turn_of[start]
                betrayed[turn.index, literal] = turn, templates
            for phrase in phrases:
                places = found.get(phrase)
                if places is None:
                    found[phrase] = [(start, end, False)]
                elif (start, end, True) not in places:  # else most are
                    _add_beside(places, start, end)
        for turn, templates in betrayed.values():
            digits = turn.longest_sounding_number
            for template in templates:
                if template.digits <= digits and _has(turn.sounds, template.others_by_sound):
                    for start, end in _places(template.sounded, turn.sounds):
                        _add_beside(found.setdefault(template.phrase, []), turn.at + start, turn.at + end)


def _has(text: str, literals: tuple[str, ...]) -> bool:
    return not literals or all(literal in text for literal in literals)


def _places(program: Pattern, text: str) -> list[tuple[int, int]]:
    return [match.span() for match in program.finditer(text) if match.end() > match.start()]


def _add_beside(places: list[Raw], start: int, end: int) -> None:
    """Add what was found by sound, unless it was found there by spelling."""
    if not any(spelled and a < end and start < b for a, b, spelled in places):
        places.append((start, end, False))
