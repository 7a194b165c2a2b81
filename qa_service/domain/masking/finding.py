"""Which runs of digits are telephone, identity or card numbers.

A number counts by its name (seven digits and more after 手机号) or, without one, by its shape or its length: those
who may not see numbers miss an order number now and then, so that they do not read a customer's. What is called an
order, an employee or a hotline is none, unless it is an identity number by its check character.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from qa_service.domain.masking.names import Name, Named, name_of
from qa_service.domain.masking.runs import Run, Token, runs_of
from qa_service.domain.masking.shapes import SECRET, Shape, is_checked_resident, shape_of
from qa_service.domain.masking.streams import Stream


class NumberClass(StrEnum):
    PHONE = "phone"
    IDENTITY = "identity"
    CARD = "card"
    UNKNOWN = "unknown"  # long enough for one of them


LEAST_NAMED: Final = 7
"""A telephone number without its area has seven digits; of a longer one the recogniser may lose some."""
LEAST_UNNAMED: Final = 11
_SURE_WRITTEN = 2
_COMPLETE: Final = frozenset((Shape.MOBILE, Shape.IDENTITY, Shape.SERVICE))
_LONGEST: Final = 19


@dataclass(frozen=True, slots=True)
class SecretNumber:
    """A number in a stream. ``shown``: how many digits at its start and its end may be read by everybody."""

    kind: NumberClass
    tokens: tuple[Token, ...]
    shown: tuple[int, int]

    def hidden(self) -> tuple[Token, ...]:
        """The tokens that are not shown; one that is shown in part is hidden."""
        total = sum(len(token.digits) for token in self.tokens)
        at, found = 0, []
        for token in self.tokens:
            end = at + len(token.digits)
            if not (end <= self.shown[0] or at >= total - self.shown[1]):
                found.append(token)
            at = end
        return tuple(found)


def secret_numbers(stream: Stream, *, joined: bool = True) -> Iterator[SecretNumber]:
    """The secret numbers of a stream, in order.

    Args:
        stream: where to look.
        joined: whether groups of any length may be one number where somebody says or names it; otherwise, as in
            names of files, only groups that numbers are usually written in.
    """
    for run in runs_of(stream, least=LEAST_NAMED):
        named = name_of(stream, run)
        spoken = bool(stream.parts) or not all(stream.plain[t.start].isascii() and not t.word for t in run.tokens)
        for number, part in enumerate(_parts(run, named, joined=joined and (spoken or _is_named(named)))):
            if len(part.digits) >= LEAST_NAMED and (found := _judged(stream, part, first=not number)):
                yield found


_WRITTEN_GROUPS: Final = frozenset(
    ((3, 4, 4), (3, 3, 4), (1, 3, 3, 4), (2, 3, 4, 4), (2, 11), (3, 8), (4, 8), (4, 7), (3, 2, 4), (6, 8, 4),
     (4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 4, 4, 4, 2), (6, 4, 4, 4), (4, 6, 5))
)  # fmt: skip


def _parts(run: Run, named: Named | None, *, joined: bool) -> Iterator[Run]:
    """The run cut where a group is a whole number by itself: 工号8023，13800138000 are two."""
    harmless = named is not None and named.name is Name.HARMLESS
    if joined and not harmless and len(run.digits) <= _LONGEST:
        yield run
        return
    complete = _COMPLETE | ({Shape.CARD} if len(run.digits) > _LONGEST or not joined else frozenset())
    rest: list[Token] = []
    for group in run.groups:
        trimmed = group.without_alike(first=True, last=True)
        if trimmed and shape_of(trimmed.digits) in complete:
            yield from _split(rest, joined=joined)
            rest = []
            yield group
        else:
            rest.extend(group.tokens)
    yield from _split(rest, joined=joined)


def _split(tokens: Sequence[Token], *, joined: bool) -> Iterator[Run]:
    if not tokens:
        return
    run = Run(tuple(tokens))
    if joined:
        yield run
        return
    groups = run.groups
    at = 0
    while at < len(groups):
        taken = next((n for n in (5, 4, 3, 2) if _lengths(groups[at : at + n]) in _WRITTEN_GROUPS), 1)
        yield Run(tuple(token for group in groups[at : at + taken] for token in group.tokens))
        at += taken


def _lengths(groups: Sequence[Run]) -> tuple[int, ...]:
    return tuple(len(group.digits) for group in groups)


def _judged(stream: Stream, run: Run, *, first: bool) -> SecretNumber | None:
    """``first``: no number stands between the run and its name; 工号 names what follows it and no more."""
    run, shape = _shaped(run)
    digits = run.digits
    named = name_of(stream, run)
    if not first and not _is_named(named):
        named = None
    if not _is_secret(run, shape, named):
        return None
    kind = _KINDS.get(shape) if shape else None
    if named and named.name is not Name.HARMLESS and shape is not Shape.MOBILE:
        kind = NumberClass(named.name.value)
    shown = (0, 4 if len(digits) >= LEAST_UNNAMED else 2)
    if shape is Shape.MOBILE and kind is NumberClass.PHONE:
        shown = (len(digits) - 8, 4)
    return SecretNumber(kind or NumberClass.UNKNOWN, run.tokens, shown)


_KINDS: Final = {
    Shape.MOBILE: NumberClass.PHONE,
    Shape.PHONE: NumberClass.PHONE,
    Shape.SERVICE: NumberClass.PHONE,
    Shape.IDENTITY: NumberClass.IDENTITY,
    Shape.CARD: NumberClass.CARD,
}


def _shaped(run: Run) -> tuple[Run, Shape | None]:
    """The run, without what only sounds like digits at its ends where that leaves a known shape."""
    for first, last in ((True, True), (False, True), (True, False)):
        way = run.without_alike(first=first, last=last)
        if way is not None and way.written == len(way.digits):
            shape = shape_of(way.digits, _lengths(way.groups))
            if shape in (Shape.MOBILE, Shape.IDENTITY, Shape.PHONE, Shape.SERVICE):
                return way, shape
    run = run.without_alike(first=True, last=True, apart=True) or run
    return run, shape_of(run.digits, _lengths(run.groups))


def _is_named(named: Named | None) -> bool:
    return named is not None and named.name is not Name.HARMLESS


def _is_secret(run: Run, shape: Shape | None, named: Named | None) -> bool:
    digits = run.digits
    if named and named.name is Name.HARMLESS:
        strong = is_checked_resident(digits) if named.sure else shape in (Shape.MOBILE, Shape.IDENTITY)
        return strong and run.written > len(digits) / 2
    if shape is Shape.SERVICE:
        return named is not None and named.name in (Name.IDENTITY, Name.CARD)
    if shape is Shape.TIMESTAMP and named is None:
        return False
    if named is not None:
        return len(digits) >= LEAST_UNNAMED or run.written >= _SURE_WRITTEN
    return len(digits) >= LEAST_UNNAMED or shape in SECRET
