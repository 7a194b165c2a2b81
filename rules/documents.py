"""Reading the documents of a pack: every fault named by file, line and column, none raised one by one."""

import re
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, RootModel, ValidationError

from rules.wording import foreign_letter, hint
from rules.yaml_tree import Map, Place, Seq, parse, place_of, shown

MAX_BYTES: Final = 1 << 20
MAX_FAULTS_PER_FILE: Final = 100

_BYTE_ORDER_MARKS: Final = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00": "UTF-32"}
_REMEDY: Final = re.compile(r": (?=(?:one of|write|use|give|name) )")  # validators write `what: fix`
_UTF8_MARK: Final = b"\xef\xbb\xbf"  # written by some editors, harmless at the start

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong at ``place``, and how to put it right."""

    place: Place
    what: str
    fix: str = ""

    def __str__(self) -> str:
        file, line, column = self.place
        return f"{file.parent.name}/{file.name}:{line}:{column}: {self.what}" + (
            f" ({self.fix})" if self.fix else ""
        )


@dataclass
class Faults:
    """Faults found so far; of a file at most ``MAX_FAULTS_PER_FILE``, each once."""

    _found: dict[Fault, None] = field(default_factory=dict)
    _counts: Counter[Path] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place, what: str, fix: str = "") -> None:
        """Note a fault."""
        fault = Fault(place, what, fix)
        if fault in self._found or self._counts[place.file] > MAX_FAULTS_PER_FILE:
            return
        self._counts[place.file] += 1
        if self._counts[place.file] > MAX_FAULTS_PER_FILE:
            fault = Fault(place, "more faults than are listed", "correct the others first")
        self._found[fault] = None

    @property
    def found(self) -> tuple[Fault, ...]:
        """All of them, by file and line."""
        return tuple(sorted(self._found))


def read_document(file: Path, faults: Faults, *, holds: type[Map] | type[Seq] = Map) -> Any:
    """The tree of ``file``; None, and a fault, when it cannot be read or is no ``holds``."""
    text = _text(file, faults)
    if text is None:
        return None
    before = len(faults)
    node = parse(text, file, faults.add)
    if isinstance(node, holds):
        return node
    if len(faults) == before:
        faults.add(Place(file), f"must hold a {'list' if holds is Seq else 'mapping'}")
    return None


def _text(file: Path, faults: Faults) -> str | None:
    place = Place(file)
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
            faults.add(place, "not a regular file", "delete it, or write it as a file")
            return None
        if found.st_size > MAX_BYTES:
            faults.add(place, f"larger than {MAX_BYTES} bytes", "split it")
            return None
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1).removeprefix(_UTF8_MARK)
    except OSError as error:
        faults.add(place, f"cannot be read: {error.strerror}", "check it and its permissions")
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        encoding = _BYTE_ORDER_MARKS.get(content[:2], "another encoding")
        faults.add(Place(file, before.count(b"\n") + 1), f"not UTF-8 but {encoding}", "save it as UTF-8")
        return None


def validated(
    model: type[M],
    content: object,
    faults: Faults,
    *,
    place: Place,
    root: object = None,
    trail: tuple[object, ...] = (),
) -> M | None:
    """``content`` as ``model``; None, and a fault for each field that is wrong, when it is not.

    It stands in ``root`` where ``trail`` leads to, else at ``place``.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        # The first faults of a hostile file are enough, and telling each costs time.
        for wrong in error.errors(include_url=False)[: MAX_FAULTS_PER_FILE + 1]:
            where = (*trail, *wrong["loc"])
            what, fix = _worded(model, wrong)
            named = ".".join(str(part) for part in where)
            faults.add(
                place_of(root if root is not None else content, where, place),
                f"{named}: {what}" if named else what,
                fix,
            )
        return None


def _worded(model: type[BaseModel], wrong: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong, and the fix."""
    kind, message, context = wrong["type"], str(wrong["msg"]), wrong.get("ctx", {})
    given = wrong.get("input")
    if kind == "extra_forbidden":
        key = wrong["loc"][-1]
        return f"unknown key {shown(key)}", hint(key, _keys(model, wrong["loc"][:-1]))
    if kind == "missing":
        return "is missing", "add it"
    if kind in ("literal_error", "enum"):
        known = [name.strip(" '") for name in context.get("expected", "").replace(" or ", ", ").split(",")]
        return f"{shown(given)} is not allowed", hint(given, known)
    if kind == "string_pattern_mismatch":
        return f"{shown(given)} is not an id", f"a-z, 0-9 and - only {foreign_letter(given)}".strip()
    what, *fix = _REMEDY.split(message.removeprefix("Value error, "), maxsplit=1)
    return what, "".join(fix)


def _keys(model: type[BaseModel], loc: Sequence[object]) -> list[str]:
    """The keys that ``model`` knows at ``loc``."""
    for part in loc:
        name = "root" if issubclass(model, RootModel) else str(part)
        info = model.model_fields.get(name)
        inner = next((t for t in models_in(info.annotation)), None) if info is not None else None
        if info is not None and inner is not None:
            model = inner
    return list(model.model_fields)


def models_in(annotation: object) -> list[type[BaseModel]]:
    """The pydantic models that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in models_in(part)]


__all__ = [
    "MAX_BYTES",
    "Fault",
    "Faults",
    "Map",
    "Place",
    "Seq",
    "models_in",
    "place_of",
    "read_document",
    "validated",
]
