"""Reading YAML documents of a pack: every fault named by file and line, none raised one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

MAX_BYTES = 1 << 20

M = TypeVar("M", bound=BaseModel)


@dataclass
class Faults:
    """Faults found so far, each as ``pack/file.yaml:line: what``."""

    found: list[str] = field(default_factory=list)

    def add(self, path: Path, node: object, trail: Sequence[object], message: str) -> None:
        """A fault at the place that ``trail`` leads to from the document's root ``node``."""
        self.add_at(path, line_of(node, trail), message)

    def add_at(self, path: Path, line: int, message: str) -> None:
        self.found.append(f"{path.parent.name}/{path.name}:{line}: {message}")


def read_document(
    file: Path, faults: Faults, *, holds: type[Mapping[Any, Any]] | type[list[Any]] = Mapping
) -> Any:
    """The document with its line numbers; None, and a fault, when it cannot be read or is no ``holds``."""
    try:
        if file.stat().st_size > MAX_BYTES:
            faults.add(file, None, (), f"larger than {MAX_BYTES} bytes")
            return None
        node = YAML(typ="rt", pure=True).load(file.read_text(encoding="utf-8"))
    except OSError as error:
        faults.add(file, None, (), f"cannot be read: {error.strerror}")
        return None
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        faults.add_at(file, mark.line + 1 if mark is not None else 1, f"not valid YAML: {reason}")
        return None
    except RecursionError:
        faults.add(file, None, (), "nested too deep")
        return None
    if not isinstance(node, holds):
        faults.add(file, None, (), f"must hold a {'list' if holds is list else 'mapping'}")
        return None
    return node


def validated(
    model: type[M],
    file: Path,
    content: object,
    faults: Faults,
    *,
    root: object = None,
    trail: tuple[object, ...] = (),
) -> M | None:
    """``content`` as ``model``; None, and a fault for each field that is wrong, when it is not."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            where = (*trail, *fault["loc"])
            named = ".".join(str(part) for part in where)
            message = fault["msg"].removeprefix("Value error, ")
            faults.add(
                file, root if root is not None else content, where, f"{named}: {message}" if named else message
            )
        return None


def line_of(node: object, trail: Sequence[object]) -> int:
    """1-based line of the deepest part of ``trail`` that the document has."""
    line = 1
    for part in trail:
        if isinstance(node, CommentedMap) and part in node:
            line = node.lc.key(part)[0] + 1
            node = node[part]
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line = node.lc.item(part)[0] + 1
            node = node[part]
        else:
            break
    return line
