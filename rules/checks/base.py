"""What every check is: a validated, frozen node that answers with a three-valued verdict."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from qa_service.domain.conversation import SpeakerRole
from rules.context import Anchor, Context
from rules.verdict import Verdict

RoleName = Literal["agent", "customer", "any"]


_ROLES: Final[dict[RoleName, SpeakerRole | None]] = {
    "agent": SpeakerRole.AGENT,
    "customer": SpeakerRole.CUSTOMER,
    "any": None,
}


def role_of(name: RoleName) -> SpeakerRole | None:
    return _ROLES[name]


class Check(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    occurs: ClassVar[bool] = False  # whether checks of this kind find occurrences

    @model_serializer(mode="wrap")
    def _with_kind(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The kind is part of what a pack's digest covers: `all` and `any` have the same fields."""
        return {"kind": type(self).__name__, **fields(self)}

    @property
    def has_occurrences(self) -> bool:
        """Whether it can stand in `for_each`, and as `anchor`."""
        return self.occurs

    def evaluate(self, context: Context) -> Verdict:
        raise NotImplementedError

    def parts(self, context: Context) -> Iterable[tuple[str, "Check", Context]]:  # noqa: ARG002
        """The conditions inside it: what each is called here, and the context in which it is asked."""
        return ()

    def inside(self) -> Iterable["Check"]:
        """The conditions that it is made of."""
        return ()

    def phrase_lists(self) -> Iterable[tuple[str, ...]]:
        """Lists of phrases that this check, or one inside it, looks for."""
        return (phrases for check in self.inside() for phrases in check.phrase_lists())

    def by_sound(self) -> Iterable[tuple[tuple[str, ...], int]]:
        """Those of its lists whose phrases count where they only sound so, and of how many characters at least."""
        return (one for check in self.inside() for one in check.by_sound())

    def rules(self) -> Iterable[str]:
        """Ids of rules whose outcome this check, or one inside it, reads."""
        return (rule for check in self.inside() for rule in check.rules())

    @cached_property
    def depends_on_occurrence(self) -> bool:
        """``anchored``, found once."""
        return self.anchored()

    def anchored(self) -> bool:
        """Whether this check, or one inside it, looks before or after an occurrence of `for_each`."""
        return any(check.anchored() for check in self.inside())

    def anchors(self, context: Context) -> tuple[Anchor, ...] | None:
        """Occurrences, for checks that have them; None when they cannot be told."""
        raise NotImplementedError(f"{type(self).__name__} has no occurrences")

    def unsure(self, context: Context) -> str:
        """Why the occurrences cannot be told, where ``anchors`` is None."""
        return self.evaluate(context).reason
