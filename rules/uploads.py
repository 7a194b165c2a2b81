"""Packs that somebody sends: their files in a folder of their own, for as long as they are looked at.

Guarantee: nothing outside that folder and the shipped packs is read, whatever the files say and are called.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from qa_service.errors import RulePackError
from rules.documents import Faults, read_document
from rules.sources import PACK_FILE, shipped_packs
from rules.yaml_tree import Map

MAX_FILES: Final = 500
_NAME: Final = re.compile(r"(scorecards/)?[a-z0-9][a-z0-9.-]{0,100}\.yaml")


def check_names(files: Mapping[str, str]) -> None:
    """Raises RulePackError ``pack_invalid``, for names that no pack has."""
    wrong = [name for name in files if not _NAME.fullmatch(name)]
    if wrong or PACK_FILE not in files or len(files) > MAX_FILES:
        raise RulePackError(
            "pack_invalid",
            f"a pack is a {PACK_FILE} and at most {MAX_FILES - 1} files beside it, of names such as opening.yaml, "
            "opening.cases.yaml and scorecards/ours.yaml: name them so",
        )


@contextmanager
def folder_of(files: Mapping[str, str]) -> Iterator[Path]:
    """A folder that holds ``files``, text by path, until the context ends.

    Raises:
        RulePackError: ``pack_invalid``, for names that no pack has, or one that extends what is not shipped.
    """
    check_names(files)
    with tempfile.TemporaryDirectory(prefix="qa-pack-") as temporary:
        folder = Path(temporary) / "pack"
        (folder / "scorecards").mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", errors="replace", newline="")
        _check_base(folder)
        yield folder


def _check_base(folder: Path) -> None:
    node = read_document(folder / PACK_FILE, Faults())
    base = node.get("extends") if isinstance(node, Map) else None
    if base is not None and base not in list(shipped_packs()):
        raise RulePackError(
            "pack_invalid",
            "a pack that is sent extends a shipped pack or none: use one of " + ", ".join(shipped_packs()),
        )
