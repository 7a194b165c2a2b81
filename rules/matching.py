"""Finding phrases in what was recognised: by spelling, and by sound as a second chance.

Guarantee: pure after compilation; every hit carries the words' times, the verbatim quote and whether it was
found by spelling. All phrases of a pack are searched in one pass (Aho–Corasick), phrases with placeholders with
RE2, so neither the number of phrases nor a hostile pattern makes evaluation slow.

A phrase is plain text, matched on folded text, with optional placeholders: ``{digits:2-8}`` a spoken or written
number of so many digits, ``{any:0-6}`` up to so many other characters.
"""

import copy
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import ahocorasick_rs
import re2

from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.text import fold, is_han
from qa_service.domain.timeline import TimeSpan
from qa_service.pinyin import sounded, syllables
from rules.index import CallIndex, TurnText

Pattern = Any  # google-re2 publishes no name for what re2.compile returns

PLACEHOLDER = re.compile(r"\{(digits|any):(\d{1,2})-(\d{1,2})\}")
DIGITS = "0123456789零〇一二两三四五六七八九幺"
DIGIT_SOUNDS = frozenset(("ling", "yi", "er", "liang", "san", "si", "wu", "liu", "qi", "ba", "jiu", "yao"))


def phrase_fault(phrase: str) -> str | None:
    """What is wrong with the notation of ``phrase``."""
    if rest := re.search(r"[{}]", PLACEHOLDER.sub("", phrase)):
        return f"{phrase!r}: {rest[0]!r} is not a placeholder: write {{digits:2-8}} or {{any:0-6}}"
    pieces = PLACEHOLDER.split(phrase)
    for low, high in zip(pieces[2::4], pieces[3::4], strict=True):
        if int(low) > int(high):
            return f"{phrase!r}: {low} is more than {high}"
    if "digits" not in pieces[1::4] and not any(fold(literal).text for literal in pieces[::4]):
        return f"{phrase!r} has no letters to look for"
    return None


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase found in the characters ``[start, end)`` of one turn.

    ``spelled`` False: only the sound matches; ``respelled``: hot words wrote what matches, and so it is no better
    than sound where it accuses.
    """

    phrase: str
    text: TurnText = field(compare=False, repr=False)
    start: int
    end: int
    spelled: bool
    respelled: bool
    span: TimeSpan
    confidence: float
    utterances: tuple[int, ...]

    @property
    def turn(self) -> int:
        return self.text.index

    @property
    def role(self) -> SpeakerRole:
        return self.text.role

    @property
    def quote(self) -> str:
        return self.text.quote(self.start, self.end)


class _Literals:
    """Strings that are searched together: for each the phrases that it is, and the templates that it betrays.

    A template is betrayed by the longest of its literals, which is seldom found; the others must be there, too.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.phrases: list[list[int]] = []
        self.templates: list[list[tuple[int, frozenset[int]]]] = []
        self._parts: set[int] = set()

    def _number(self, literal: str) -> int:
        number = self._numbers.setdefault(literal, len(self._numbers))
        if number == len(self.phrases):
            self.phrases.append([])
            self.templates.append([])
        return number

    def add_phrase(self, literal: str, phrase: int) -> None:
        self.phrases[self._number(literal)].append(phrase)

    def add_template(self, literals: Iterable[str], template: int) -> None:
        numbers = {literal: self._number(literal) for literal in literals}
        longest = max(numbers, key=lambda literal: (len(literal), literal))
        self.templates[numbers[longest]].append((template, frozenset(numbers.values())))
        self._parts.update(numbers.values())

    @cached_property
    def words(self) -> tuple[str, ...]:
        return tuple(self._numbers)

    @cached_property
    def parts_of_templates(self) -> tuple[bool, ...]:
        return tuple(number in self._parts for number in range(len(self.words)))

    @cached_property
    def parts_of_words(self) -> tuple[bool, ...]:
        """Whether the literal may be found inside a longer Latin word or number, where it does not count."""
        return tuple(not (is_han(word[0]) and is_han(word[-1])) for word in self.words)

    @cached_property
    def _automaton(self) -> ahocorasick_rs.AhoCorasick | None:
        return ahocorasick_rs.AhoCorasick(list(self.words)) if self.words else None

    def search(self, text: str) -> list[tuple[int, int, int]]:
        """``(literal, start, end)`` of all, overlapping ones too."""
        found = self._automaton.find_matches_as_indexes(text, overlapping=True) if self._automaton else []
        return list(found)


@dataclass(frozen=True)
class _Template:
    """A phrase with placeholders: its literals in writing and by sound, and whether it needs digits."""

    phrase: int
    pieces: tuple[str, ...]

    @property
    def literals(self) -> list[str]:
        return [text for literal in self.pieces[::4] if (text := fold(literal).text)]

    @cached_property
    def digits(self) -> int:
        """How many digits in a row it needs at least."""
        lows = (
            int(low) for kind, low in zip(self.pieces[1::4], self.pieces[2::4], strict=True) if kind == "digits"
        )
        return max(lows, default=0)

    @property
    def has_sound(self) -> bool:
        return any(is_han(c) for literal in self.pieces[::4] for c in literal)

    @cached_property
    def spelled(self) -> Pattern:
        return re2.compile(self._pattern(f"[{DIGITS}]", sounds=False))

    @cached_property
    def sounded(self) -> Pattern:
        return re2.compile(self._pattern(f"[{SOUNDS_OF_DIGITS}]", sounds=True))

    def _pattern(self, digit: str, *, sounds: bool) -> str:
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
            pattern += word + re2.escape(sounded(syllables(folded)) if sounds else folded) + word
            if kind:
                pattern += f"{digit if kind == 'digits' else '.'}{{{low},{high}}}" + ("?" if kind == "any" else "")
        # A Latin phrase ends where a word ends.
        return pattern if self.has_sound else rf"\b{pattern}\b"


SOUNDS_OF_DIGITS = "".join(sorted(set(sounded(DIGIT_SOUNDS)) | set("0123456789")))
_NUMBER, _NUMBER_BY_SOUND = re.compile(f"[{DIGITS}]+"), re.compile(f"[{SOUNDS_OF_DIGITS}]+")

_Raw = tuple[int, int, bool]
"""Start and end in the text of the whole call, and whether it was found by spelling."""


class PhraseBook:
    """All lists of phrases of a rule set, compiled once.

    The literal text of all phrases is searched at once, in what was recognised and in how it sounds. A phrase with
    placeholders is looked for with RE2 only where all its literals were found.
    """

    def __init__(self, lists: Iterable[tuple[str, ...]]) -> None:
        """The lists themselves are kept: ``Hits.of`` is asked with the same objects."""
        self._lists = {id(phrases): phrases for phrases in lists}
        self._phrases: list[str] = []
        self._numbers: dict[str, int] = {}
        for phrases in self._lists.values():
            for phrase in phrases:
                number = self._numbers.setdefault(phrase, len(self._phrases))
                if number == len(self._phrases):
                    self._phrases.append(phrase)
        self._owners = self._owned()
        self._written, self._sounding = _Literals(), _Literals()
        self._templates: list[_Template] = []
        self._bare: list[int] = []
        """Templates of nothing but digits."""
        for number, phrase in enumerate(self._phrases):
            pieces = tuple(PLACEHOLDER.split(phrase))
            if len(pieces) == 1:
                self._add_plain(number, fold(phrase).text)
            else:
                self._add_template(_Template(number, pieces))

    def with_lists(self, lists: Iterable[tuple[str, ...]]) -> "PhraseBook":
        """The same book for other lists of its own phrases. Raises KeyError for a phrase that it does not have."""
        new = copy.copy(self)
        new._lists = {id(phrases): phrases for phrases in lists}
        new._owners = new._owned()
        return new

    def _owned(self) -> dict[int, list[int]]:
        """The lists that each phrase is in."""
        owners: dict[int, list[int]] = {}
        for key, phrases in self._lists.items():
            for phrase in dict.fromkeys(phrases):
                owners.setdefault(self._numbers[phrase], []).append(key)
        return owners

    def _add_plain(self, number: int, folded: str) -> None:
        if not folded:
            return
        self._written.add_phrase(folded, number)
        if sum(map(is_han, folded)) >= 2:
            self._sounding.add_phrase(sounded(syllables(folded)), number)

    def _add_template(self, template: _Template) -> None:
        number = len(self._templates)
        self._templates.append(template)
        literals = template.literals
        if literals:
            self._written.add_template(literals, number)
        else:
            self._bare.append(number)
        if template.has_sound:
            self._sounding.add_template([sounded(syllables(literal)) for literal in literals], number)

    def search(self, index: CallIndex) -> "Hits":
        """Hits of every phrase. A place found by spelling is not reported by sound again."""
        raw: dict[int, list[_Raw]] = {}
        self._search(index, self._written, raw, spelled=True)
        self._search(index, self._sounding, raw, spelled=False)
        found: dict[int, list[tuple[int, _Raw]]] = {key: [] for key in self._lists}
        for phrase, places in raw.items():
            for owner in self._owners.get(phrase, ()):
                found[owner].extend((phrase, place) for place in places)
        return Hits(index, self._phrases, found)

    def _search(self, index: CallIndex, literals: _Literals, raw: dict[int, list[_Raw]], *, spelled: bool) -> None:
        text = index.text if spelled else index.sounds
        partial, phrases = literals.parts_of_words, literals.phrases
        matches = literals.search(text)
        for literal, start, end in matches:
            if not phrases[literal]:
                continue
            if spelled and partial[literal] and not _on_word_boundaries(text, start, end, whole_numbers=True):
                continue
            for phrase in phrases[literal]:
                if spelled:
                    raw.setdefault(phrase, []).append((start, end, True))
                elif phrase in raw:
                    _add(raw, phrase, start, end, spelled=False)
                else:
                    raw[phrase] = [(start, end, False)]
        for turn, candidates in self._candidates(index, literals, matches, spelled=spelled):
            at = index.starts[turn.index]
            for number in candidates:
                template = self._templates[number]
                program = template.spelled if spelled else template.sounded
                for match in program.finditer(turn.text if spelled else turn.sounds):
                    if match.end() > match.start():
                        _add(raw, template.phrase, at + match.start(), at + match.end(), spelled=spelled)

    def _candidates(
        self, index: CallIndex, literals: _Literals, matches: Sequence[tuple[int, int, int]], *, spelled: bool
    ) -> Iterator[tuple[TurnText, list[int]]]:
        """The turns that hold all literals of templates, with those templates."""
        templates, parts = literals.templates, literals.parts_of_templates
        found: dict[int, set[int]] = {}
        for literal, start, _ in matches:
            if parts[literal]:
                found.setdefault(bisect_right(index.starts, start), set()).add(literal)
        for turn in index.turns:
            here = found.get(turn.index + 1, set())
            betrayed = [number for literal in here for number, needed in templates[literal] if needed <= here]
            if spelled:
                betrayed += self._bare
            if betrayed:
                digits = _longest_number(turn, spelled=spelled)
                yield turn, [number for number in betrayed if self._templates[number].digits <= digits]


def _longest_number(turn: TurnText, *, spelled: bool) -> int:
    """The most digits, or sounds of digits, in a row."""
    found = _NUMBER.findall(turn.text) if spelled else _NUMBER_BY_SOUND.findall(turn.sounds)
    return max(map(len, found), default=0)


def _add(raw: dict[int, list[_Raw]], phrase: int, start: int, end: int, *, spelled: bool) -> None:
    places = raw.setdefault(phrase, [])
    if not spelled and any(s and a < end and start < b for a, b, s in places):
        return
    places.append((start, end, spelled))


class Hits:
    """What was found in one call, by list of phrases."""

    def __init__(
        self, index: CallIndex, phrases: Sequence[str], found: Mapping[int, list[tuple[int, _Raw]]]
    ) -> None:
        self._index = index
        self._phrases = phrases
        self._found = found
        self._hits: dict[tuple[int, SpeakerRole | None], tuple[Hit, ...]] = {}

    def of(self, phrases: tuple[str, ...], role: SpeakerRole | None = None) -> tuple[Hit, ...]:
        """Hits of the phrases of one of the book's lists, by ``role`` (None: by anybody), in order of time.

        Raises KeyError: the book was not compiled with this list.
        """
        found = self._found[id(phrases)]
        if not found:
            return ()
        key = (id(phrases), role)
        if key not in self._hits:
            every = (self._hit(phrase, place) for phrase, place in found if self._by(place, role))
            self._hits[key] = tuple(sorted(every, key=lambda hit: (hit.span.start, hit.span.end)))
        return self._hits[key]

    def _by(self, place: _Raw, role: SpeakerRole | None) -> bool:
        return role is None or self._index.turn_at(place[0]).role is role

    def _hit(self, phrase: int, place: _Raw) -> Hit:
        start, end, spelled = place
        turn = self._index.turn_at(start)
        at = self._index.starts[turn.index]
        respelled = turn.respelled(start - at, end - at)
        return Hit(
            self._phrases[phrase],
            turn,
            start - at,
            end - at,
            spelled,
            respelled,
            *turn.heard_at(start - at, end - at),
        )


def _on_word_boundaries(text: str, start: int, end: int, *, whole_numbers: bool = False) -> bool:
    """A Latin phrase matches whole words only: ``hell`` is not in ``hello``, and the hotline ``12345`` (a phrase
    without placeholders) not in an order number."""
    for left, right in ((start - 1, start), (end - 1, end)):
        if left >= 0 and right < len(text):
            pair = text[left] + text[right]
            if pair.split() != [pair]:
                continue  # a space, or the end of a turn
            if not any(is_han(c) for c in pair) and (whole_numbers or not pair.isdigit()):
                return False
    return True


@lru_cache(maxsize=8192)
def _folded(word: str) -> str:
    return fold(word).text


def places_of(words: Iterable[str], text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """Where one of ``words`` stands in ``[start, end)`` of folded ``text``; ``or`` does not in ``sorry``."""
    for word in words:
        folded = _folded(word)
        at = text.find(folded, max(0, start), end)
        while folded and at >= 0:
            if _on_word_boundaries(text, at, at + len(folded)):
                yield at, at + len(folded)
            at = text.find(folded, at + 1, end)


def mentioned(words: Iterable[str], text: str, start: int, end: int) -> bool:
    """Whether one of ``words`` stands in ``[start, end)`` of folded ``text``."""
    return any(True for _ in places_of(words, text, start, end))


def joined(hits: Collection[Hit]) -> tuple[Hit, ...]:
    """One hit an occurrence: of overlapping hits in a turn the spelled, then the longest one stays."""
    if len(hits) < 2:
        return tuple(hits)
    kept: dict[int, list[Hit]] = {}
    for hit in sorted(hits, key=lambda h: (not h.spelled, h.start - h.end, h.turn, h.start, h.phrase)):
        beside = kept.setdefault(hit.turn, [])
        if not any(k.start < hit.end and hit.start < k.end for k in beside):
            beside.append(hit)
    found = (hit for beside in kept.values() for hit in beside)
    return tuple(sorted(found, key=lambda h: (h.span.start, h.span.end, h.phrase)))
