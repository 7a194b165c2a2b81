"""Combinations of conditions, three-valued."""

from collections.abc import Iterable, Iterator

from pydantic import Field, PositiveInt, SerializeAsAny

from rules.checks.base import Check
from rules.context import Anchor, Context
from rules.verdict import Verdict, at_least, conjunction, disjunction, negation


class _Group(Check):
    of: tuple[SerializeAsAny[Check], ...] = Field(min_length=1)

    def inside(self) -> Iterable[Check]:
        return self.of

    def parts(self, context: Context) -> Iterator[tuple[str, Check, Context]]:
        return (("", check, context) for check in self.of)

    def _verdicts(self, context: Context) -> Iterator[Verdict]:
        return map(context.ask, self.of)


class All(_Group):
    def evaluate(self, context: Context) -> Verdict:
        return conjunction(self._verdicts(context))


class Any(_Group):
    @property
    def has_occurrences(self) -> bool:
        return all(check.has_occurrences for check in self.of)

    def evaluate(self, context: Context) -> Verdict:
        return disjunction(self._verdicts(context))

    def anchors(self, context: Context) -> tuple[Anchor, ...] | None:
        """Those of each, in order of time."""
        found: list[Anchor] = []
        for check in self.of:
            if (anchors := context.anchors(check)) is None:
                return None
            found += anchors
        return tuple(sorted(found, key=lambda anchor: anchor.span))

    def unsure(self, context: Context) -> str:
        return next(check.unsure(context) for check in self.of if context.anchors(check) is None)


class AtLeast(_Group):
    count: PositiveInt

    def evaluate(self, context: Context) -> Verdict:
        return at_least(self.count, self._verdicts(context))


class Not(_Group):
    """Exactly one condition; what was required below becomes forbidden, and the other way round."""

    of: tuple[SerializeAsAny[Check], ...] = Field(min_length=1, max_length=1)

    def parts(self, context: Context) -> Iterator[tuple[str, Check, Context]]:
        return super().parts(context.at(context.position.negated))

    def evaluate(self, context: Context) -> Verdict:
        return negation(context.at(context.position.negated).ask(self.of[0]))
