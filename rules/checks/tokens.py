"""Words in a row, with the forms that they take and others between them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import ahocorasick_rs
import re2
from pydantic import Field, PositiveInt, field_validator

from qa_service.domain.text import fold
from qa_service.domain.timeline import TimeSpan
from rules.checks.base import role_of
from rules.checks.phrases import Lexicon
from rules.checks.spoken import HOMOPHONE_ONLY, LOW_CONFIDENCE, Found, SpokenCheck
from rules.context import Context, Position, reaches, within
from rules.index import TurnText
from rules.inflection import forms_of, word_fault
from rules.matching import Hit, hit_of, joined

MAX_WORDING = 500
"""Characters of one wording: beyond it nobody can read what a rule means."""
MAX_ELEMENTS = 12
MAX_GAP = 20

_HAN = r"\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002fa1f"
_TOKEN: Final = re.compile(rf"[{_HAN}]|[^\s{_HAN}]+")
_ELEMENT: Final = re.compile(r"\{[^{}]*\}|\([^()]*\)|<[^<>]*>|[^\s{}()<>]+|\S")
_GAP: Final = re.compile(r"(\d{1,2})-(\d{1,2})(?:\s+without\s+(\S+))?")
_FIRST_CODE: Final = 0xF0000  # of a plane for private use: a token of the text becomes one character
_OTHER: Final = chr(_FIRST_CODE)


@dataclass(frozen=True, slots=True)
class Element:
    """One of ``words``, folded (each one or more tokens); or ``low`` to ``high`` tokens none of which is in
    ``without``."""

    words: tuple[str, ...] = ()
    optional: bool = False
    low: int = 0
    high: int = 0
    without: frozenset[str] = frozenset()

    @property
    def fixed(self) -> bool:
        return bool(self.words) and not self.optional


def tokens_of(text: str) -> tuple[str, ...]:
    """Latin words, numbers and single Chinese characters of folded ``text``."""
    return tuple(_TOKEN.findall(text))


def parsed(wording: str) -> tuple[Element, ...]:
    """The elements of ``wording``. Raises ValueError for what cannot be read."""
    if len(wording) > MAX_WORDING:
        raise ValueError(f"a wording of {len(wording)} characters: at most {MAX_WORDING}")
    elements = tuple(_element(written, wording) for written in _ELEMENT.findall(wording))
    if not elements or not (elements[0].fixed and elements[-1].fixed):
        raise ValueError(f"{wording!r} must begin and end with a word that is always said")
    if len(elements) > MAX_ELEMENTS:
        raise ValueError(f"{wording!r} has {len(elements)} parts: at most {MAX_ELEMENTS}")
    return elements


def _element(written: str, wording: str) -> Element:
    inner = written[1:-1].strip()
    if len(written) == 1 and written in "{}()<>":
        raise ValueError(f"{wording!r}: {written} stands alone: write word, <word>, (word) or {{0-3}}")
    if written[0] == "{":
        return _gap(inner, written, wording)
    if written[0] == "(":
        optional = _element(inner, wording) if inner else Element()
        if not optional.fixed:
            raise ValueError(f"{wording!r}: {written} does not hold a word that may be missing")
        return Element(optional.words, optional=True)
    if written[0] == "<":
        return Element(tuple(form for word in inner.split("|") for form in sorted(_forms(word, wording))))
    words = tuple(fold(word).text for word in written.split("|"))
    if not all(words):
        raise ValueError(f"{wording!r}: {written!r} is not a word, nor one of several")
    return Element(words)


def _gap(inner: str, written: str, wording: str) -> Element:
    match = _GAP.fullmatch(inner)
    if match is None:
        raise ValueError(f"{wording!r}: write {{0-3}} or {{0-3 without not|never}} for {written}")
    low, high = int(match[1]), int(match[2])
    if not low <= high <= MAX_GAP or high == 0:
        raise ValueError(f"{wording!r}: {written} is no number of words from 0 to {MAX_GAP}")
    without = [tokens_of(fold(word).text) for word in match[3].split("|")] if match[3] else []
    if any(len(tokens) != 1 for tokens in without):
        raise ValueError(f"{wording!r}: {written} can be without single words (in Mandarin characters) only")
    return Element(low=low, high=high, without=frozenset(tokens[0] for tokens in without))


def _forms(word: str, wording: str) -> frozenset[str]:
    if fault := word_fault(word):
        raise ValueError(f"{wording!r}: the forms of {word!r} cannot be told: {fault}")
    return forms_of(word)


class Program:
    """All wordings of a check, compiled: every word that they name is one character, all others are another."""

    def __init__(self, wordings: Iterable[str]) -> None:
        self._codes: dict[str, str] = {}
        patterns: list[Any] = []
        anchors: list[str] = []
        for elements in map(parsed, wordings):
            patterns.append(_compiled("".join(map(self._pattern, elements))))
            rarest = max((e for e in elements if e.fixed), key=lambda e: min(map(len, e.words)))
            anchors += rarest.words
        self._patterns = tuple(zip(wordings, patterns, strict=True))
        self._anchors = ahocorasick_rs.AhoCorasick(list(dict.fromkeys(anchors)))

    def _code(self, word: str) -> str:
        return self._codes.setdefault(word, chr(_FIRST_CODE + 1 + len(self._codes)))

    def _pattern(self, element: Element) -> str:
        if element.words:
            several = "|".join("".join(map(self._code, tokens_of(word))) for word in element.words)
            return f"(?:{several})" + "?" * element.optional
        none_of = "".join(self._code(word) for word in sorted(element.without))
        return (f"[^{none_of}]" if none_of else ".") + f"{{{element.low},{element.high}}}?"

    def turns(self, context: Context) -> list[TurnText]:
        """Where a word stands that a wording cannot do without."""
        matches = self._anchors.find_matches_as_indexes(context.index.text, overlapping=True)
        found = {turn.index: turn for turn in (context.index.turn_of[start] for _, start, _ in matches)}
        return [found[index] for index in sorted(found)]

    def search(self, text: str) -> Iterator[tuple[str, int, int]]:
        """Wording, start and end in ``text`` of all that is found."""
        tokens = list(_TOKEN.finditer(text))
        codes = self._codes
        encoded = "".join([codes.get(token[0], _OTHER) for token in tokens])
        for wording, pattern in self._patterns:
            for match in pattern.finditer(encoded):
                yield wording, tokens[match.start()].start(), tokens[match.end() - 1].end()


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError("the wording names too many words") from error


class TokensCheck(SpokenCheck):
    """One of ``wordings`` is said: words in a row, each turn on its own.

    A wording is made of words (``a|b``: one of them), ``<word>`` (an English word in any of its forms), ``(word)``
    (it may be missing) and ``{0-3}`` (so many other words, in Mandarin characters; ``{0-3 without not}``: none of
    which is). The other settings are those of a list of phrases.
    """

    wordings: tuple[str, ...] = Field(min_length=1, max_length=100)
    not_preceded_by: tuple[str, ...] = ()
    not_followed_by: tuple[str, ...] = ()
    except_in: tuple[str, ...] = ()
    reach: PositiveInt = 6

    @field_validator("wordings")
    @classmethod
    def _readable(cls, wordings: tuple[str, ...]) -> tuple[str, ...]:
        Program(wordings)
        return wordings

    @field_validator("except_in")
    @classmethod
    def _phrases(cls, phrases: tuple[str, ...]) -> tuple[str, ...]:
        return Lexicon(phrases=("a", *phrases)).phrases[1:]

    def phrase_lists(self) -> Iterable[tuple[str, ...]]:
        yield from super().phrase_lists()
        if self.except_in:
            yield self.except_in

    @cached_property
    def _program(self) -> Program:
        return Program(self.wordings)

    @cached_property
    def _exceptions(self) -> Lexicon:
        # Copied, not validated: the phrases that were announced are looked up by identity.
        return Lexicon.model_construct(
            phrases=self.wordings,
            not_preceded_by=self.not_preceded_by,
            not_followed_by=self.not_followed_by,
            except_in=self.except_in,
            reach=self.reach,
        )

    def found(self, context: Context, window: TimeSpan) -> list[Found]:
        role = role_of(self.role)
        found: list[Found] = []
        for text in self._program.turns(context):
            turn = context.conversation.turns[text.index]
            if role not in (None, text.role) or not reaches(turn, window):
                continue
            hits = [
                hit_of(wording, text, start, end, spelled=True)
                for wording, start, end in self._program.search(text.text)
            ]
            for hit in joined([hit for hit in hits if within(hit.span, window)]):
                allowed = self._exceptions.allows(hit, context)
                if allowed is not False:
                    found.append(Found(hit, self._doubt(hit, allowed, context)))
        return found

    def _doubt(self, hit: Hit, allowed: bool | None, context: Context) -> str:
        if hit.respelled and context.position is not Position.REQUIRE:
            return HOMOPHONE_ONLY
        return LOW_CONFIDENCE if allowed is None or hit.confidence < context.certain_confidence else ""
