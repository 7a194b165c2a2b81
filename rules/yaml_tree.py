"""YAML as a plain tree that knows where each of its parts stands.

Guarantee: bounded in time and memory whatever the text holds. A rule pack needs no anchors, aliases, tags, second
documents or keys that are not words, so all of them are refused; so is nesting past ``MAX_DEPTH``. Scalars follow
the YAML 1.2 core schema (``off`` and ``no`` are words, not booleans); keys are always text.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

MAX_DEPTH: Final = 64

# libyaml reads a pack forty times as fast as any parser written in Python (12 ms against 530 ms for service-zh,
# 2026-11-22); a PyYAML built without it has the same events.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Control and format characters, which nobody sees: a text that holds them is not what it looks like. A zero-width
# joiner stays, emoji are made with it.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\uffff\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e0fff]"
)
_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]{1,30}|[0-9]{1,30}(?:\.[0-9]{0,30})?)(?:[eE][-+]?[0-9]{1,3})?")


class Place(NamedTuple):
    """Line and column, both from 1, of a file."""

    file: Path
    line: int = 1
    column: int = 1


class Map(dict[str, Any]):
    """A mapping. ``places``: of each key; ``text_lines``: the line on which a scalar value's text starts."""

    __slots__ = ("place", "places", "text_lines")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.places: dict[str, Place] = {}
        self.text_lines: dict[str, int] = {}

    def put(self, key: str, value: object, place: Place) -> None:
        """Set ``key``, which stands at ``place``."""
        self[key] = value
        self.places[key] = place

    def copy(self) -> "Map":
        """A shallow copy with the places."""
        new = Map(self.place)
        new.update(self)
        new.places.update(self.places)
        new.text_lines.update(self.text_lines)
        return new


class Seq(list[Any]):
    """A list. ``places``: of each item."""

    __slots__ = ("place", "places")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.places: list[Place] = []

    def put(self, value: object, place: Place) -> None:
        """Append ``value``, which stands at ``place``."""
        self.append(value)
        self.places.append(place)


def place_of(node: object, trail: tuple[object, ...], default: Place) -> Place:
    """Place of the deepest part of ``trail`` that ``node`` has."""
    place = node.place if isinstance(node, Map | Seq) else default
    for part in trail:
        if isinstance(node, Map):
            part = str(part)  # keys are text; a model may have made numbers of them
            known = part in node
        else:
            known = isinstance(node, Seq) and isinstance(part, int) and part < len(node)
        if not known:
            break
        place, node = node.places[part], node[part]  # type: ignore[attr-defined,index]
    return place


FaultAt = Callable[[Place, str, str], None]


def parse(text: str, file: Path, report: FaultAt) -> Any:
    """The tree of ``text``; None when it has none. ``report`` gets every fault: place, what, fix."""
    return _Parser(text, file, report).tree()


@dataclass(slots=True)
class _Open:
    """A collection that is being read; of a mapping, the key whose value comes next (None: it is dropped)."""

    node: Map | Seq
    key: str | None = None
    key_place: Place | None = None
    wants_key: bool = True


class _Parser:
    def __init__(self, text: str, file: Path, report: FaultAt) -> None:
        self._text, self._file, self._report = text, file, report
        self._open: list[_Open] = []
        self._root: Any = None
        self._broken = False

    def tree(self) -> Any:
        found = _INVISIBLE.search(self._text)
        if found is not None:
            before = self._text[: found.start()]
            place = Place(self._file, before.count("\n") + 1, len(before) - before.rfind("\n"))
            self._report(place, f"invisible character U+{ord(found[0]):04X}", "delete it")
            return None
        documents = 0
        try:
            for event in self._events():
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._report(
                            self._at(event), "a second document in the file", "delete `---` and what follows"
                        )
                        return None
                elif isinstance(event, yaml.NodeEvent):
                    self._node(event)
                    if len(self._open) > MAX_DEPTH:
                        self._report(self._at(event), "nested too deep", f"at most {MAX_DEPTH} levels")
                        return None
                elif isinstance(event, yaml.CollectionEndEvent):
                    self._open.pop()
        except yaml.YAMLError as error:
            place = self._place_of_error(getattr(error, "problem_mark", None))
            self._report(place, f"not valid YAML: {getattr(error, 'problem', None) or error}", "")
            return None
        return None if self._broken else self._root

    def _events(self) -> Iterator[Any]:
        yield from yaml.parse(self._text, Loader=_LOADER)

    def _place_of_error(self, mark: Any) -> Place:
        """The place of ``mark``; of what is missing at the end, the end of the last line with anything on it."""
        lines = self._text.rstrip().split("\n")
        if mark is None or mark.line >= len(lines):
            return Place(self._file, len(lines), len(lines[-1]) + 1)
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _at(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _node(self, event: Any) -> None:
        place = self._at(event)
        if isinstance(event, yaml.AliasEvent):
            self._report(
                place, f"an alias (*{event.anchor})", "write it out; conditions are shared in conditions.yaml"
            )
            self._broken = True
            self._attach(None, place, None)
            return
        if event.anchor is not None:
            self._report(
                place, f"an anchor (&{event.anchor})", "delete it; conditions are shared in conditions.yaml"
            )
        if event.tag is not None:
            self._report(place, f"a tag ({event.tag})", "delete it; packs hold plain data only")
        if isinstance(event, yaml.ScalarEvent):
            self._attach(_scalar(event), place, event)
            return
        node: Map | Seq = Map(place) if isinstance(event, yaml.MappingStartEvent) else Seq(place)
        self._attach(node, place, None)
        self._open.append(_Open(node))

    def _attach(self, value: object, place: Place, scalar: Any) -> None:
        if not self._open:
            self._root = value
            return
        top = self._open[-1]
        if isinstance(top.node, Seq):
            top.node.put(value, place)
            return
        if top.wants_key:
            top.key, top.key_place, top.wants_key = self._key(top.node, scalar, place), place, False
            return
        top.wants_key = True
        if top.key is not None:
            assert top.key_place is not None
            top.node.put(top.key, value, top.key_place)
            if scalar is not None:
                top.node.text_lines[top.key] = place.line + (scalar.style in ("|", ">"))

    def _key(self, node: Map, scalar: Any, place: Place) -> str | None:
        """The key, None when it cannot be one: then its value is dropped."""
        if scalar is None:
            self._report(place, "a key that is not a word", "write a plain word before the colon")
            return None
        key = str(scalar.value)
        if key in node:
            self._report(
                place, f"duplicate key {shown(key)}", f"it already stands in line {node.places[key].line}"
            )
            return None
        return key


def _scalar(event: Any) -> object:
    text = str(event.value)
    if not event.implicit[0]:  # quoted, or a block: text
        return text
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def shown(text: object, limit: int = 60) -> str:
    """``text`` in quotes, cut where it is long."""
    written = repr(text)
    return written if len(written) <= limit else f"{written[:limit]}…{written[-1]}"
