"""Who listens to what, once: a player asks for a recording piece by piece.

Guarantee: the first request of somebody for a clip is always told; for ten minutes those that follow are the same
play.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_ONE_PLAY_S: Final = 600.0
_MOST: Final = 10_000

Play = tuple[int, int, float | None, float | None]
"""Whose, of which recording, from when to when."""


class Plays:
    """Of this process."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._begun: OrderedDict[Play, float] = OrderedDict()
        self._lock = threading.Lock()
        self._now = now

    def begins(self, play: Play) -> bool:
        """Whether this is a play of its own."""
        now = self._now()
        with self._lock:
            begun = self._begun.get(play)
            if begun is not None and now - begun < _ONE_PLAY_S:
                return False
            self._begun[play] = now
            self._begun.move_to_end(play)
            while len(self._begun) > _MOST:
                self._begun.popitem(last=False)
        return True

    def forget(self, play: Play) -> None:
        """It was not told after all."""
        with self._lock:
            self._begun.pop(play, None)
