"""Warnings about rows of a metadata file."""

from __future__ import annotations

from pathlib import Path

MAX_WARNINGS = 20  # of each code: a wrong column is wrong in every row


class TableWarnings:
    """Sentences for people, each starting with a code and naming file and place; at most so many of each code."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._said: list[str] = []
        self._counts: dict[str, int] = {}

    def say(self, code: str, place: str, message: str) -> None:
        self._counts[code] = self._counts.get(code, 0) + 1
        if self._counts[code] <= MAX_WARNINGS:
            where = f"{self._path.name} {place}" if place else self._path.name
            self._said.append(f"{code}: {where}, {message}")

    def all(self) -> tuple[str, ...]:
        """What was said, and how much more there was of each code."""
        more = [
            f"{code}: {self._path.name}, {count - MAX_WARNINGS} more like these"
            for code, count in self._counts.items()
            if count > MAX_WARNINGS
        ]
        return (*self._said, *more)
