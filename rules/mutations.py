"""Breaks of a pack, generated from its trees: what the cases must notice.

Every condition is negated, every part of a group removed, `all` and `any` exchanged; every phrase, exception and
lexicon dropped; every threshold moved by a fifth and doubled; every scope halved, doubled and taken away; every
other value of a choice tried; every situation and exception of a rule dropped; the question turned round.
Nothing is picked by hand; what only people read (title, severity, style, …) stays.
Guarantee: deterministic, in the order of the files; the trees that are given are not changed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel

from qa_service.domain.text import fold, is_han
from rules.building import GROUPS, INLINE, USE, Holds, parts
from rules.checks import KINDS
from rules.checks.phrases import Lexicon
from rules.checks.scope import Scope
from rules.matching import PLACEHOLDER
from rules.schema import Rule
from rules.sources import PackSource
from rules.yaml_tree import Map, Place, Seq, place_of

Trail = tuple[str | int, ...]

_GONE: Final = object()
_DROPPED: Final = ("applies_when", "for_each", "only_when", "unless", "opens")
_QUESTIONS: Final = {"require": "forbid", "forbid": "require"}
_FACTORS: Final = (0.8, 1.2, 2.0)
PATTERNS: Final = "patterns"
WORDINGS: Final = "wordings"
_SCOPE_FACTORS: Final = (0.5, 2.0)
_COMPARED: Final = 5000  # in a longer list nobody compares each phrase with each
_LISTS_OF_LEXICON: Final = ("phrases", "except_in", "not_preceded_by", "not_followed_by")


@dataclass(frozen=True, slots=True)
class Edit:
    """What stands in place of the part of a tree that ``trail`` leads to.

    ``dropped``: the phrase that a list has lost. ``equivalent``: why nothing could notice, empty if something may.
    """

    trail: Trail
    value: Any
    what: str
    dropped: str = ""
    equivalent: str = ""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One break. ``kind`` and ``name`` say what is broken, ``tree`` is what it was, at ``place`` is the edit."""

    kind: Literal["rule", "lexicon", "condition"]
    name: str
    place: Place
    tree: Any
    edit: Edit

    @property
    def what(self) -> str:
        return self.edit.what

    @property
    def node(self) -> Any:
        """The broken tree; what the edit does not touch is shared with the whole one."""
        return _changed(self.tree, self.edit.trail, self.edit.value)

    @property
    def subject(self) -> str:
        return f"{self.kind} {self.name}"

    def __str__(self) -> str:
        file, line, column = self.place
        return f"{file.parent.name}/{file.name}:{line}:{column}: {self.what}"


def mutants(source: PackSource) -> Iterator[Mutant]:
    """Every break of the pack."""
    for name, node in source.rules.items():
        for edit in _rule_edits(node):
            yield _mutant("rule", name, node, edit)
    for name, node in source.conditions.items():
        for edit in _condition_edits(node, ()):
            yield _mutant("condition", name, node, edit, source.conditions.places[name])
    for name, node in source.lexicons.items():
        for edit in _lexicon_edits(node):
            yield _mutant("lexicon", name, node, edit, source.lexicons.places[name])


def _mutant(
    kind: Literal["rule", "lexicon", "condition"], name: str, node: Any, edit: Edit, default: Place | None = None
) -> Mutant:
    return Mutant(kind, name, place_of(node, edit.trail, default or node.place), node, edit)


def _changed(part: Any, trail: Trail, value: Any) -> Any:
    """A copy of ``part`` with ``value`` where ``trail`` leads to."""
    if not trail:
        return value
    key, rest = trail[0], trail[1:]
    if isinstance(part, Map):
        key = str(key)
        new = _changed(part.get(key), rest, value)
        copy = part.copy()
        if new is _GONE:
            del copy[key]
        else:
            copy.put(key, new, part.places.get(key, part.place))
        return copy
    items = Seq(part.place)
    for i, (item, place) in enumerate(zip(part, part.places, strict=True)):
        new = _changed(item, rest, value) if i == key else item
        if new is not _GONE:
            items.put(new, place)
    return items


# --- rules ------------------------------------------------------------------------------------------------


def _rule_edits(node: Map) -> Iterator[Edit]:
    for key, value in node.items():
        if key in _QUESTIONS:
            yield from _question_edits(node, key)
        if key in _DROPPED:
            yield Edit((key,), _GONE, f"drop {key}")
        part = parts(Rule).get(key)
        if part is not None and part.holds is Holds.CHECK:
            yield from _condition_edits(value, (key,), flips=key != "for_each")
        elif key == "grades":
            for grade, condition in value.items():
                yield Edit((key, grade), _GONE, f"drop grade {grade}")
                yield from _condition_edits(condition, (key, grade))
        elif key == "same_event_as":
            for i, other in enumerate(value):
                yield Edit((key, i), _GONE, f"drop {other} from same_event_as")


def _question_edits(node: Map, key: str) -> Iterator[Edit]:
    new = Map(node.place)
    for name, value in node.items():
        new.put(_QUESTIONS.get(name, name), value, node.places[name])
    yield Edit((), new, f"{key} → {_QUESTIONS[key]}")


# --- conditions -------------------------------------------------------------------------------------------


def _condition_edits(value: Any, trail: Trail, *, flips: bool = True) -> Iterator[Edit]:
    """Of one condition. ``flips`` False: its negation is another edit already, or means nothing."""
    kind, settings = next(iter(value.items()))
    inner = (*trail, kind)
    if kind == "not":
        child, at = (settings[0], (*inner, 0)) if isinstance(settings, Seq) else (settings, inner)
        yield Edit(trail, child, "drop not")
        yield from _condition_edits(child, at, flips=False)
        return
    if flips:
        yield Edit(trail, _map(value.place, "not", value), f"negate {kind}")
    if kind in GROUPS:
        other = "any" if kind == "all" else "all"
        children = settings if isinstance(settings, Seq) else [settings]
        if len(children) > 1:
            yield Edit(trail, _map(value.place, other, settings), f"{kind} → {other}")
        yield from _children_edits(settings, inner, kind)
    elif kind != USE:
        yield from _settings_edits(KINDS[kind], settings, inner)


def _children_edits(settings: Any, trail: Trail, kind: str) -> Iterator[Edit]:
    if not isinstance(settings, Seq):
        yield from _condition_edits(settings, trail)
        return
    for i, child in enumerate(settings):
        if len(settings) > 1:
            yield Edit((*trail, i), _GONE, f"remove {next(iter(child))} from {kind}")
        yield from _condition_edits(child, (*trail, i))


def _settings_edits(model: type[BaseModel], settings: Map, trail: Trail) -> Iterator[Edit]:
    """Of the settings of a check, or of a part of them."""
    held = parts(model)
    for key, value in settings.items():
        at = (*trail, key)
        part = held.get(key)
        if key == "lexicon" and "lexicons" in held:
            yield from _entry_edits(value, at, "lexicon")
        elif key == "any" and "lexicons" in held:
            yield from _phrase_edits(settings, value, at, "any")
        elif part is not None and part.holds is Holds.CHECK:
            yield from _condition_edits(value, at, flips=False)
        elif part is not None and part.holds is Holds.CHECKS:
            yield from _children_edits(value, at, key)
        elif part is not None and part.model is not None:
            for i, item in enumerate(value) if isinstance(value, Seq) else [(None, value)]:
                yield from _settings_edits(part.model, item, at if i is None else (*at, i))
                if i is not None:
                    yield Edit((*at, i), _GONE, f"drop {key} {i + 1}")
        elif key in model.model_fields:
            yield from _value_edits(model, key, value, at)
        elif INLINE in held:
            yield from _condition_edits(_map(settings.place, key, value), trail, flips=False)
    if "role" in model.model_fields and "role" not in settings:
        default = model.model_fields["role"].default
        for role in _choices(model.model_fields["role"].annotation):
            if default is not None and role != default:
                yield Edit((*trail, "role"), role, f"role {default} → {role}")


def _value_edits(model: type[BaseModel], key: str, value: Any, at: Trail) -> Iterator[Edit]:
    field = model.model_fields[key]
    if key == PATTERNS:
        for pattern, where in (
            [(p, (*at, i)) for i, p in enumerate(value)] if isinstance(value, Seq) else [(value, at)]
        ):
            yield from _alternatives(pattern, where)
    if key == WORDINGS and isinstance(value, Seq):
        for i, wording in enumerate(value):
            yield from _words_of(wording, (*at, i))
    if isinstance(value, Map) and (nested := _model_in(field.annotation)) is not None:
        yield Edit(at, _GONE, f"drop {key}")
        yield from _settings_edits(nested, value, at)
        return
    if isinstance(value, bool):
        yield Edit(at, not value, f"{key} {value} → {not value}")
        return
    if isinstance(value, int | float):
        factors = _SCOPE_FACTORS if issubclass(model, Scope) else _FACTORS
        for new in _moved(value, factors):
            yield Edit(at, new, f"{key} {value} → {new}")
    elif isinstance(value, Seq):
        yield from _entry_edits(value, at, key)
    else:
        for other in _choices(field.annotation):
            if other != value:
                yield Edit(at, other, f"{key} {value} → {other}")
    if not field.is_required():
        yield Edit(at, _GONE, f"drop {key}")


def _entry_edits(value: Any, at: Trail, key: str) -> Iterator[Edit]:
    if isinstance(value, Seq) and len(value) > 1:
        for i, entry in enumerate(value):
            yield Edit((*at, i), _GONE, f"drop {entry} from {key}", dropped=str(entry))


def _alternatives(pattern: str, at: Trail) -> Iterator[Edit]:
    """A pattern without each of its alternatives."""
    whole = re.split(r"(?<!\\)\|", pattern)
    for i, alternative in enumerate(whole if len(whole) > 1 and "(" not in pattern else ()):
        rest = "|".join(whole[:i] + whole[i + 1 :])
        yield Edit(at, rest, f"drop {alternative} from pattern", dropped=alternative)


def _words_of(wording: str, at: Trail) -> Iterator[Edit]:
    """A wording without each of the words of which it needs one."""
    for place in re.finditer(r"[^\s<>(){}|]+(?:\|[^\s<>(){}|]+)+", wording):
        words = place[0].split("|")
        for i, word in enumerate(words):
            rest = "|".join(words[:i] + words[i + 1 :])
            new = wording[: place.start()] + rest + wording[place.end() :]
            yield Edit(at, new, f"drop {word} from wording", dropped=word)


def _moved(value: float, factors: tuple[float, ...]) -> list[float]:
    """``value`` times each factor; of a whole number another whole number."""
    if not isinstance(value, int):
        return [round(value * factor, 6) for factor in factors]
    moved = []
    for factor in factors:
        new = round(value * factor)
        moved.append(new if new != value else value + (1 if factor > 1 else -1))
    return list(dict.fromkeys(moved))


def _choices(annotation: Any) -> list[Any]:
    """The values that an annotation allows, when they can be counted."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [member.value for member in annotation]
    return [choice for part in get_args(annotation) if part is not NoneType for choice in _choices(part)]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part)) is not None), None)


def _map(place: Place, key: str, value: Any) -> Map:
    new = Map(place)
    new.put(key, value, place)
    return new


# --- lexicons ---------------------------------------------------------------------------------------------


def _lexicon_edits(node: Any) -> Iterator[Edit]:
    if isinstance(node, Seq):
        yield from _phrase_edits(Map(node.place), node, (), "phrases")
        return
    sides = [*node.get("not_preceded_by", ()), *node.get("not_followed_by", ())]
    for key, value in node.items():
        if key == "phrases":
            yield from _phrase_edits(node, value, (key,), key)
        elif key in _LISTS_OF_LEXICON:
            phrases = node.get("phrases", ())
            for i, entry in enumerate(value):
                why = _swallowed_by(entry, value) if key != "except_in" else _harmless(entry, phrases)
                at: Trail = (key,) if len(value) == 1 else (key, i)
                yield Edit(at, _GONE, f"drop {entry} from {key}", dropped=str(entry), equivalent=why)
        elif key != "reach" or sides:
            yield from _value_edits(Lexicon, key, value, (key,))


def _phrase_edits(lexicon: Map, phrases: Any, at: Trail, key: str) -> Iterator[Edit]:
    for i, phrase in enumerate(phrases if len(phrases) > 1 else ()):
        why = _never_missed(phrase, phrases, lexicon)
        yield Edit((*at, i), _GONE, f"drop {phrase} from {key}", dropped=str(phrase), equivalent=why)


def _never_missed(phrase: str, phrases: Seq, lexicon: Map) -> str:
    """The shorter phrase of the same list that is found, and counts, wherever ``phrase`` is; empty without any."""
    if PLACEHOLDER.search(phrase) or len(phrases) > _COMPARED:
        return ""
    text = _folded(phrase)
    least = lexicon.get("min_sound_characters", Lexicon.model_fields["min_sound_characters"].default)
    sides = [_folded(str(w)) for key in ("not_preceded_by", "not_followed_by") for w in lexicon.get(key, ())]
    for other in phrases:
        shorter = "" if PLACEHOLDER.search(other) else _folded(other)
        if (
            other == phrase
            or not _contains(text, shorter)
            or (shorter == text and phrases.index(other) > phrases.index(phrase))
        ):
            continue
        # By its sound alone a phrase under the least length is not found, the longer one may be.
        heard = len(shorter) >= least or len(text) < least or lexicon.get("homophones") == "off"
        # A word of the longer phrase may be one that makes the shorter harmless.
        if heard and not any(side and side in text for side in sides):
            return f"found by {other}"
    return ""


def _swallowed_by(word: str, words: Seq) -> str:
    found = next((w for w in words if w != word and _contains(_folded(str(word)), _folded(str(w)))), None)
    return f"found by {found}" if found is not None else ""


def _harmless(exception: str, phrases: Any) -> str:
    """Why nothing changes without ``exception``: it touches none of the phrases."""
    if len(phrases) > _COMPARED or PLACEHOLDER.search(exception) or any(PLACEHOLDER.search(p) for p in phrases):
        return ""
    text = _folded(exception)
    for phrase in phrases:
        if _touches(text, _folded(phrase)):
            return ""
    return "touches no phrase"


@lru_cache(maxsize=1 << 16)
def _folded(text: str) -> str:
    return fold(text).text


def _touches(left: str, right: str) -> bool:
    """Whether occurrences of the two can share a character."""
    if left in right or right in left:
        return True
    most = min(len(left), len(right))
    return any(left[-n:] == right[:n] or right[-n:] == left[:n] for n in range(1, most))


def _contains(text: str, part: str) -> bool:
    """Whether ``part`` is found in ``text``: Latin phrases match whole words."""
    if not part:
        return False
    if any(map(is_han, text)):
        return part in text
    return f" {part} " in f" {text} "
