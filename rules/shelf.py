"""The packs that a site has: those that come with the product, and those that it scores with.

Guarantee: a pack is named by its id, never by a path that somebody sends. A shipped pack is read once; a site's
own may change on disk, and is read again after a few seconds.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from qa_service.errors import RulePackError
from qa_service.ports.rules import RuleEvaluator
from rules.engine import RuleSet
from rules.loader import find_pack, load_pack, shipped_packs
from rules.versions import same_as

KEPT_S = 10.0


class Shelf:
    """Args:
    in_use: packs by name or folder, as the settings name them.
    """

    def __init__(self, in_use: Sequence[str]) -> None:
        self._shipped = shipped_packs()
        self._own = [name for name in dict.fromkeys(in_use) if name not in self._shipped]
        self._kept: dict[str, tuple[float, RuleSet]] = {}
        self._lock = threading.Lock()

    def names(self) -> Mapping[str, str]:
        """The packs by id, each with the name or folder that commands and workers take. A folder that cannot be
        read, or whose pack has the id of a shipped one, is known by its own name."""
        named = {name: name for name in self._shipped}
        for where in self._own:
            try:
                own = self._load(where).pack
            except RulePackError:
                own = Path(where).name
            named[Path(where).name if own in named else own] = where
        return named

    def where(self, pack: str) -> str:
        """What commands and workers take for this pack. Raises RulePackError ``pack_unknown``."""
        if pack in self._shipped:
            return pack
        named = self.names()
        if pack not in named:
            raise RulePackError("pack_unknown", f"there is no such rule pack: use one of {', '.join(named)}")
        return named[pack]

    def is_shipped(self, pack: str) -> bool:
        return pack in self._shipped

    def folder(self, pack: str) -> Path:
        """Raises RulePackError ``pack_unknown``."""
        return find_pack(self.where(pack))

    def load(self, pack: str) -> RuleSet:
        """Raises RulePackError ``pack_unknown``, ``pack_invalid``."""
        return self._load(self.where(pack))

    def load_used(self, where: str) -> RuleSet:
        """A pack as the settings name it, by name or folder. Raises RulePackError."""
        return self._load(where)

    def as_shipped(self, rules: RuleEvaluator) -> frozenset[str]:
        """Rules that are a shipped pack's, unchanged."""
        # Of a pack that is shipped itself no other needs to be read.
        names = sorted(self._shipped, key=lambda name: name != rules.pack)
        return same_as(rules.versions, [lambda name=name: self._load(name).versions for name in names])  # type: ignore[misc]

    def _load(self, where: str) -> RuleSet:
        with self._lock:  # several who ask at once wait for one who reads
            kept = self._kept.get(where)
            if kept is not None and (where in self._shipped or time.monotonic() - kept[0] < KEPT_S):
                return kept[1]
            loaded = load_pack(find_pack(where))
            self._kept[where] = (time.monotonic(), loaded)
            return loaded
