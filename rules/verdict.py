"""Three-valued verdicts (Kleene): true, false, and unknown, each with its evidence.

Guarantee: unknown never turns into true or false by combination unless the known parts alone decide.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from qa_service.domain.results import Evidence


@dataclass(frozen=True, slots=True)
class Verdict:
    """``value`` None is unknown; ``reason`` says why, as a stable code."""

    value: bool | None
    evidence: tuple[Evidence, ...] = ()
    reason: str = ""


TRUE = Verdict(True)
FALSE = Verdict(False)


def unknown(reason: str, evidence: tuple[Evidence, ...] = ()) -> Verdict:
    return Verdict(None, evidence, reason)


def negation(verdict: Verdict) -> Verdict:
    value = None if verdict.value is None else not verdict.value
    return Verdict(value, verdict.evidence, verdict.reason)


def conjunction(verdicts: Iterable[Verdict]) -> Verdict:
    """False when any is false, else unknown when any is unknown, else true."""
    return _combine(list(verdicts), decisive=False)


def disjunction(verdicts: Iterable[Verdict]) -> Verdict:
    """True when any is true, else unknown when any is unknown, else false."""
    return _combine(list(verdicts), decisive=True)


def at_least(count: int, verdicts: Iterable[Verdict]) -> Verdict:
    """True when ``count`` are true, false when so many cannot be reached, else unknown."""
    all_of = list(verdicts)
    held = [v for v in all_of if v.value is True]
    open_ = [v for v in all_of if v.value is None]
    if len(held) >= count:
        return Verdict(True, _evidence(held))
    if len(held) + len(open_) < count:
        return Verdict(False, _evidence([v for v in all_of if v.value is False]))
    return Verdict(None, _evidence(open_), open_[0].reason)


def _combine(verdicts: list[Verdict], *, decisive: bool) -> Verdict:
    deciding = [v for v in verdicts if v.value is decisive]
    if deciding:
        return Verdict(decisive, _evidence(deciding))
    open_ = [v for v in verdicts if v.value is None]
    if open_:
        return Verdict(None, _evidence(open_), open_[0].reason)
    return Verdict(not decisive, _evidence(verdicts))


def _evidence(verdicts: Iterable[Verdict]) -> tuple[Evidence, ...]:
    seen: dict[Evidence, None] = {}
    for verdict in verdicts:
        seen.update(dict.fromkeys(verdict.evidence))
    return tuple(sorted(seen, key=lambda e: (e.start, e.end)))
