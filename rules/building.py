"""From the trees of a pack to its checks and rules: lexicons, named conditions, references.

Which keys hold conditions is read from the models: a new check kind, or a new key of a rule, needs nothing here.
Guarantee: a fault is named where it stands; who only uses a faulty lexicon or condition is not named too.
"""

import copy
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel

from rules.checks import KINDS, Check
from rules.checks.phrases import Lexicon
from rules.documents import Faults, Map, Place, models_in, place_of, validated
from rules.schema import Rule
from rules.sources import CONDITION_FILE, LEXICON_FILE
from rules.wording import foreign_letter, hint
from rules.yaml_tree import shown

GROUPS: Final = ("all", "any", "not")  # kinds whose settings are the conditions themselves
USE: Final = "use"
INLINE: Final = "check"  # a field of this name: the condition stands beside the model's other keys
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

Trail = tuple[object, ...]


class Holds(Enum):
    """What a field of a model holds that has to be built."""

    CHECK = auto()
    CHECKS = auto()
    NAMED_CHECKS = auto()
    MODEL = auto()
    MODELS = auto()
    LEXICONS = auto()


@dataclass(frozen=True, slots=True)
class Part:
    """A field that is built; ``model`` of the nested ones."""

    holds: Holds
    model: type[BaseModel] | None = None


@lru_cache(maxsize=256)
def parts(model: type[BaseModel]) -> Mapping[str, Part]:
    """The fields of ``model`` that hold conditions or lexicons, themselves or inside."""
    found: dict[str, Part] = {}
    for name, info in model.model_fields.items():
        inner = [m for m in models_in(info.annotation) if m is not model]
        several = _has_origin(info.annotation, (tuple, list))
        if any(issubclass(m, Check) for m in inner):
            named = _has_origin(info.annotation, (dict,))
            found[name] = Part(Holds.NAMED_CHECKS if named else Holds.CHECKS if several else Holds.CHECK)
        elif Lexicon in inner:
            found[name] = Part(Holds.LEXICONS)
        elif inner and any(parts(m) for m in inner):
            found[name] = Part(Holds.MODELS if several else Holds.MODEL, next(m for m in inner if parts(m)))
    return found


def _has_origin(annotation: object, origins: tuple[type, ...]) -> bool:
    if getattr(annotation, "__origin__", None) in origins:
        return True
    return any(_has_origin(part, origins) for part in getattr(annotation, "__args__", ()))


@dataclass(frozen=True, slots=True)
class Reference:
    """A rule that is named at ``place`` as one whose outcome is read."""

    rule: str
    place: Place


class Builder:
    """Builds what the trees of one pack mean. ``None`` stands for what has a fault."""

    def __init__(
        self, lexicons: Map, conditions: Map, faults: Faults, *, unreadable: Collection[str] = ()
    ) -> None:
        """``unreadable``: files whose names nobody knows, so that nobody is blamed for using them."""
        self._faults = faults
        self._unreadable = unreadable
        self._conditions = conditions
        self._built: dict[str, Check | None] = {}
        self._building: list[str] = []
        self.lexicons: dict[str, Lexicon | None] = {}
        self.references: list[Reference] = []
        for name, value in lexicons.items():
            self._named("lexicon", lexicons, name)
            self.lexicons[name] = self._lexicon(lexicons, name, value)
        for name in conditions:
            self._named("condition", conditions, name)
        for name in conditions:
            self._condition(name)

    def variant(
        self, faults: Faults, *, lexicons: Mapping[str, object], conditions: Mapping[str, object]
    ) -> "Builder":
        """A builder with these trees in place of those of the same names; nothing else is built again."""
        new = copy.copy(self)
        new._faults, new.references = faults, []
        new.lexicons = dict(self.lexicons)
        for name, node in lexicons.items():
            tree = Map(self._conditions.place)
            tree.put(name, node, tree.place)
            new.lexicons[name] = new._lexicon(tree, name, node)
        if lexicons or conditions:
            new._conditions, new._built = self._conditions.copy(), {}
            new._conditions.update(conditions)
        return new

    def rule(self, node: Map) -> Rule | None:
        """The rule that ``node`` writes down; None, and faults, when it cannot be built."""
        before = len(self._faults)
        content = self._filled(Rule, node, node, ())
        if content is None or len(self._faults) > before:
            return None
        return validated(Rule, content, self._faults, place=node.place, root=node)

    def check(self, value: object, root: Any, trail: Trail) -> Check | None:
        """The condition ``value``, which stands in ``root`` where ``trail`` leads to."""
        if not isinstance(value, Mapping) or len(value) != 1:
            more = isinstance(value, Mapping) and len(value) > 1
            fix = "indent its settings under its name" if more else f"one of {', '.join((*KINDS, USE))}"
            self._fault(root, trail, "a condition is one check with its settings", fix)
            return None
        kind, settings = next(iter(value.items()))
        trail = (*trail, kind)
        if kind == USE:
            return self._used(settings, root, trail)
        model = KINDS.get(kind)
        if model is None:
            self._fault(root, trail, f"unknown check {shown(kind)}", hint(kind, (*KINDS, USE)))
            return None
        if kind in GROUPS:
            given = settings if isinstance(settings, list) else [settings]
            children = [self.check(child, root, (*trail, *at)) for child, at in _items(settings, given)]
            content: dict[str, Any] | None = None if None in children else {"of": tuple(children)}
        elif isinstance(settings, Mapping):
            content = self._filled(model, settings, root, trail)
        else:
            self._fault(root, trail, f"{kind} needs settings", f"write {kind}: {{…}} with {_keys(model)}")
            return None
        if content is None:
            return None
        check = validated(model, content, self._faults, place=_place(root), root=root, trail=trail)
        if check is not None and not parts(model):
            self.references += [Reference(r, place_of(root, trail, _place(root))) for r in check.rules()]
        return check

    def _used(self, name: object, root: Any, trail: Trail) -> Check | None:
        if not isinstance(name, str) or name not in self._conditions:
            if CONDITION_FILE not in self._unreadable:
                self._fault(root, trail, f"unknown condition {shown(name)}", hint(name, self._conditions))
            return None
        if name in self._building:
            circle = " → ".join((*self._building[self._building.index(name) :], name))
            self._fault(root, trail, f"conditions use each other in a circle: {circle}", "write one of them out")
            return None
        return self._condition(name)

    def _condition(self, name: str) -> Check | None:
        if name not in self._built:
            self._building.append(name)
            self._built[name] = self.check(self._conditions[name], self._conditions, (name,))
            self._building.pop()
        return self._built[name]

    def _filled(
        self, model: type[BaseModel], node: Mapping[str, Any], root: Any, trail: Trail
    ) -> dict[str, Any] | None:
        """The settings with everything in them built."""
        content = dict(node)
        complete = True
        for name, part in parts(model).items():
            if name == INLINE:
                own = {key: content.pop(key) for key in model.model_fields if key in content}
                content = {**own, INLINE: self.check(content, root, trail)}
                complete = complete and content[INLINE] is not None
            elif part.holds is Holds.LEXICONS:
                content.pop(name, None)
                taken = self._lexicons_of(content, root, trail)
                content[name] = taken
                complete = complete and taken is not None
            elif name in content and content[name] is not None:
                content[name] = self._part(part, content[name], root, (*trail, name))
                complete = complete and content[name] is not None
        return content if complete else None

    def _part(self, part: Part, value: Any, root: Any, trail: Trail) -> Any:
        if part.holds is Holds.CHECK:
            return self.check(value, root, trail)
        if part.holds is Holds.NAMED_CHECKS and isinstance(value, Mapping):
            named = {name: self.check(child, root, (*trail, name)) for name, child in value.items()}
            return None if None in named.values() else named
        if part.holds is Holds.CHECKS:
            given = value if isinstance(value, list) else [value]
            built = [self.check(child, root, (*trail, *at)) for child, at in _items(value, given)]
            return None if None in built else tuple(built)
        if part.model is not None:
            given = value if part.holds is Holds.MODELS and isinstance(value, list) else [value]
            if all(isinstance(item, Mapping) for item in given):
                filled = [self._filled(part.model, item, root, (*trail, *at)) for item, at in _items(value, given)]
                return None if None in filled else tuple(filled) if part.holds is Holds.MODELS else filled[0]
        return value  # of a wrong shape: its model says so

    def _lexicons_of(self, content: dict[str, Any], root: Any, trail: Trail) -> tuple[Lexicon, ...] | None:
        """Takes `lexicon` names and `any` phrases out of ``content``; returns the lexicons that they mean."""
        named, phrases = content.pop("lexicon", []), content.pop("any", None)
        taken: list[Lexicon | None] = []
        for name in named if isinstance(named, list) else [named]:
            if not isinstance(name, str) or name not in self.lexicons:
                if LEXICON_FILE not in self._unreadable:
                    where = (*trail, "lexicon")
                    self._fault(root, where, f"unknown lexicon {shown(name)}", hint(name, self.lexicons))
                taken.append(None)
                continue
            taken.append(self.lexicons[name])
        if phrases is not None:
            where = (*trail, "any")
            content_of = {"phrases": phrases}
            taken.append(validated(Lexicon, content_of, self._faults, place=_place(root), root=root, trail=where))
        if not taken:
            self._fault(root, trail, "no phrases to look for", "name a `lexicon`, or list phrases in `any`")
        found = tuple(lexicon for lexicon in taken if lexicon is not None)
        return found if taken and len(found) == len(taken) else None

    def _lexicon(self, lexicons: Map, name: str, value: object) -> Lexicon | None:
        content = {"phrases": value} if isinstance(value, list) else value
        return validated(Lexicon, content, self._faults, place=lexicons.place, root=lexicons, trail=(name,))

    def _named(self, what: str, node: Map, name: str) -> None:
        if len(name) > 64 or not _NAME.fullmatch(name):
            fix = f"a-z, 0-9 and - only {foreign_letter(name)}".strip()
            self._faults.add(node.places[name], f"{shown(name)} cannot name a {what}", fix)

    def _fault(self, root: Any, trail: Trail, what: str, fix: str) -> None:
        self._faults.add(place_of(root, trail, _place(root)), what, fix)


def _items(value: object, given: Iterable[Any]) -> Iterable[tuple[Any, Trail]]:
    """Each item with the step that leads to it: none where a single one stands without a list."""
    return ((item, (i,) if isinstance(value, list) else ()) for i, item in enumerate(given))


def _keys(model: type[BaseModel]) -> str:
    return ", ".join(f"`{name}`" for name in model.model_fields if name != "lexicons")


def _place(root: Any) -> Place:
    place: Place = root.place
    return place
