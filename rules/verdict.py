"""Three-valued verdicts (Kleene): true, false, and unknown, each with its evidence.

Guarantee: unknown never turns into true or false by combination unless the known parts alone decide.
"""

from collections.abc import Callable, Iterable, Iterator

from qa_service.domain.results import Evidence


class Verdict:
    """``value`` None is unknown; ``reason`` says why, as a stable code.

    ``evidence`` may be given as a function: most of it nobody ever asks for.
    """

    __slots__ = ("_evidence", "reason", "value")

    def __init__(
        self,
        value: bool | None,
        evidence: tuple[Evidence, ...] | Callable[[], tuple[Evidence, ...]] = (),
        reason: str = "",
    ) -> None:
        self.value = value
        self.reason = reason
        self._evidence = evidence

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        if callable(self._evidence):
            self._evidence = self._evidence()
        return self._evidence

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Verdict):
            return NotImplemented
        return (self.value, self.evidence, self.reason) == (other.value, other.evidence, other.reason)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Verdict({self.value!r}, {self.evidence!r}, {self.reason!r})"


TRUE = Verdict(True)
FALSE = Verdict(False)


def unknown(reason: str, evidence: tuple[Evidence, ...] | Callable[[], tuple[Evidence, ...]] = ()) -> Verdict:
    return Verdict(None, evidence, reason)


def negation(verdict: Verdict) -> Verdict:
    value = None if verdict.value is None else not verdict.value
    return Verdict(value, lambda: verdict.evidence, verdict.reason)


def conjunction(verdicts: Iterable[Verdict]) -> Verdict:
    """False when any is false, else unknown when any is unknown, else true."""
    return _combine(verdicts, decisive=False)


def disjunction(verdicts: Iterable[Verdict]) -> Verdict:
    """True when any is true, else unknown when any is unknown, else false."""
    return _combine(verdicts, decisive=True)


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


def _combine(verdicts: Iterable[Verdict], *, decisive: bool) -> Verdict:
    """Stops at the first verdict that decides; the others are looked at for their evidence only."""
    rest = iter(verdicts)
    passed = []
    for verdict in rest:
        if verdict.value is decisive:
            return _decided(verdict, rest)
        passed.append(verdict)
    open_ = [v for v in passed if v.value is None]
    if open_:
        return Verdict(None, lambda: _evidence(open_), open_[0].reason)
    return Verdict(not decisive, lambda: _evidence(passed))


def _decided(first: Verdict, rest: Iterator[Verdict]) -> Verdict:
    return Verdict(first.value, lambda: _evidence([first, *(v for v in rest if v.value is first.value)]))


def _evidence(verdicts: Iterable[Verdict]) -> tuple[Evidence, ...]:
    seen: dict[Evidence, None] = {}
    for verdict in verdicts:
        seen.update(dict.fromkeys(verdict.evidence))
    return tuple(sorted(seen, key=lambda e: (e.start, e.end)))
