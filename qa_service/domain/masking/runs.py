"""Runs of digits, however they are said or written: figures, Han numerals, English words, and what sounds so."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from qa_service.domain.conversation import MASK
from qa_service.domain.masking.streams import ALIKE, PAUSE, Stream

_HAN: Final = "零一二三四五六七八九"
_VALUES: Final = {c: str(i) for i, c in enumerate(_HAN)} | {"幺": "1", "两": "2"}
_ONES: Final = {
    "zero": "0", "nought": "0", "oh": "0", "o": "0", "one": "1", "two": "2", "three": "3", "four": "4",
    "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
}  # fmt: skip
_TEENS: Final = {
    "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15",
    "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19",
}  # fmt: skip
_TENS: Final = {
    "twenty": "2", "thirty": "3", "forty": "4", "fifty": "5", "sixty": "6", "seventy": "7", "eighty": "8",
    "ninety": "9",
}  # fmt: skip
_REPEATS: Final = {"double": 2, "triple": 3, "treble": 3}
_LIKE: Final = {"for": "4", "fore": "4", "ate": "8", "won": "1"}
_WORDS: Final = "|".join(sorted((*_ONES, *_TEENS, *_TENS, *_REPEATS, "hundred"), key=len, reverse=True))
_END: Final = r"(?![a-z'])"
# 三个八 is 888; the other 个 counts things, and breaks the run by what follows it.
_TOKEN: Final = (
    rf"(?:[二两三四五六七八九2-9]个[{_HAN}幺0-9](?![十百千万亿个元块年月天])|[{_HAN}幺两0-9{ALIKE}]"
    rf"|(?<![a-z'])(?:{_WORDS}){_END})"
)
_INNER: Final = rf"(?:{_TOKEN}|(?<![a-z'])(?:{'|'.join(_LIKE)}){_END})"
_SEPARATOR: Final = r"[\s,.、，。．\-–—‑_/()（）!！?？;；…]"
_FILLER: Final = (
    "(?:嗯|啊|呃|额|哦|噢|诶|哎|那个|然后|就是|对|好|是|再|还有|后面|接着|的|呢|吧|横?杠|减|空格"
    r"|(?:uh|um|er|erm|and|then|dash|hyphen|space|okay|ok|yes|yeah|it's)(?![a-z']))"
)
_GAP: Final = rf"{_SEPARATOR}{{0,6}}(?:{_FILLER}{_SEPARATOR}{{0,6}}){{0,4}}"
# One character that was misheard within a number, as 此 for 四: only in the midst of many digits, and no word that
# stands between numbers or after an amount.
_THREE: Final = f"[{_HAN}幺0-9{ALIKE}]{{3}}"
_MISHEARD: Final = (
    rf"[,，]?(?:(?<={_THREE})|(?<={_THREE}[,，]))"
    rf"(?![{_HAN}幺两0-9{ALIKE}])[\u4e00-\u9fff](?<![十百千万亿点元块毛角分年月日号楼层栋室个位次条台和与跟及到至或转第])"
    rf"(?={_THREE})"
)
_RUN: Final = re.compile(rf"{_TOKEN}(?:(?:{_GAP}|{_MISHEARD}){_INNER})*")
_PIECE: Final = re.compile(_INNER)
_CHECK_LETTER: Final = re.compile(rf"{_SEPARATOR}{{0,2}}(?:x(?![a-z0-9])|叉)")


@dataclass(frozen=True, slots=True)
class Token:
    """``digits`` in the characters ``[start, end)``; ``alike``: they only sound so; ``word``: of Latin letters."""

    start: int
    end: int
    digits: str
    alike: bool = False
    word: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    tokens: tuple[Token, ...]

    @property
    def start(self) -> int:
        return self.tokens[0].start

    @property
    def end(self) -> int:
        return self.tokens[-1].end

    @property
    def digits(self) -> str:
        return "".join(token.digits for token in self.tokens)

    @property
    def written(self) -> int:
        """How many digits do not merely sound so."""
        return sum(len(token.digits) for token in self.tokens if not token.alike)

    @property
    def groups(self) -> "tuple[Run, ...]":
        """What is said, or written, without anything between; of words, without more than a space."""
        found: list[list[Token]] = []
        for token in self.tokens:
            if found and token.start - found[-1][-1].end <= (token.word and found[-1][-1].word):
                found[-1].append(token)
            else:
                found.append([token])
        return tuple(Run(tuple(tokens)) for tokens in found)

    def without_alike(self, *, first: bool, last: bool, apart: bool = False) -> "Run | None":
        """Without what only sounds like digits at its ends: 要 before a number is mostly a wish.

        ``apart``: only where something stands between it and the rest, as in 123，对吧.
        """
        tokens, begin, end = self.tokens, 0, len(self.tokens)
        while (
            first
            and begin < end
            and tokens[begin].alike
            and not (apart and _adjacent(tokens[begin : min(begin + 2, end)]))
        ):
            begin += 1
        while (
            last
            and begin < end
            and tokens[end - 1].alike
            and not (apart and _adjacent(tokens[max(end - 2, begin) : end]))
        ):
            end -= 1
        return Run(tokens[begin:end]) if begin < end else None


def _adjacent(pair: Sequence[Token]) -> bool:
    return len(pair) == 2 and pair[0].end == pair[1].start


def runs_of(stream: Stream, *, least: int) -> Iterator[Run]:
    """The stream's runs of at least so many digits; what is masked already, or left beside a mask, is in none."""
    for match in _RUN.finditer(stream.coded):
        if match.end() - match.start() < least:
            continue
        tokens = _with_check_letter(stream, _tokens(stream, match.start(), match.end()))
        for run in _unmasked(stream.plain, tokens):
            if len(run.digits) >= least:
                yield run


def _tokens(stream: Stream, start: int, end: int) -> list[Token]:
    tokens: list[Token] = []
    position = start
    while position < end and (match := _PIECE.search(stream.coded, position, end)):
        said = match[0]
        position = match.end()
        if said in _REPEATS:
            following = _PIECE.search(stream.coded, position, end)
            digit = _ONES.get(following[0]) if following else None
            if following and digit is not None:
                start = following.start() if PAUSE in stream.coded[position : following.start()] else match.start()
                position = following.end()
                tokens.append(Token(start, position, digit * _REPEATS[said], word=True))
            continue
        digits, alike = _read(stream, said, match.start())
        if said == "hundred" and not tokens:
            continue
        tokens.append(Token(match.start(), position, digits, alike, word="a" <= said[0] <= "z"))
    return _tens_with_ones(stream.coded, tokens)


def _read(stream: Stream, said: str, at: int) -> tuple[str, bool]:
    if said == ALIKE:
        return stream.alike[at], True
    if len(said) == 3 and said[1] == "个":
        return _VALUES.get(said[2], said[2]) * int(_VALUES.get(said[0], said[0])), False
    if said in _LIKE:
        return _LIKE[said], True
    if said == "hundred":
        return "00", False
    return _ONES.get(said) or _TEENS.get(said) or (
        _TENS[said] + "0" if said in _TENS else _VALUES.get(said, said)
    ), (said == "o")


def _tens_with_ones(coded: str, tokens: Sequence[Token]) -> list[Token]:
    """twenty three is 23 and not 203."""
    found: list[Token] = []
    for token in tokens:
        if (
            found
            and coded[found[-1].start : found[-1].end] in _TENS
            and coded[token.start : token.end] in _ONES
            and len(coded[found[-1].end : token.start]) == 1
            and token.digits != "0"
        ):
            last = found.pop()
            token = Token(last.start, token.end, last.digits[0] + token.digits, word=True)
        found.append(token)
    return found


def _with_check_letter(stream: Stream, tokens: list[Token]) -> list[Token]:
    if tokens and sum(len(t.digits) for t in tokens if not t.alike) >= 15:
        letter = _CHECK_LETTER.match(stream.plain, tokens[-1].end)
        if letter:
            return [*tokens, Token(letter.end() - 1, letter.end(), "X")]
    return tokens


def _unmasked(plain: str, tokens: Sequence[Token]) -> Iterator[Run]:
    """Runs of the groups that no mask touches: 138 and 5678 of 138****5678 are no beginnings of other numbers."""
    kept: list[Token] = []
    for group in Run(tuple(tokens)).groups if tokens else ():
        before = plain[group.start - 1 : group.start] if group.start else ""
        if MASK in (before, plain[group.end : group.end + 1]):
            if kept:
                yield Run(tuple(kept))
            kept = []
        else:
            kept.extend(group.tokens)
    if kept:
        yield Run(tuple(kept))
