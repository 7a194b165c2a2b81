"""Places that recordings are collected from, for tests: a folder, and a bucket on a real server."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from qa_service.services.collecting import Collected, Outcome
from qa_service.settings import Settings
from tests.buckets import Drawer
from tests.clocks import ManualClock
from tests.worker.containers import FakeContainer


@dataclass(frozen=True)
class Place:
    """``name`` is what QA_SOURCES says."""

    name: str
    put: Callable[[str, bytes], object]
    delete: Callable[[str], object]


def folder_place(folder: Path) -> Place:
    folder.mkdir(parents=True, exist_ok=True)

    def put(name: str, content: bytes) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return Place(str(folder), put, lambda name: (folder / name).unlink())


def bucket_place(drawer: Drawer, prefix: str) -> Place:
    return Place(
        f"{drawer.url}/{prefix}",
        lambda name, content: drawer.put(f"{prefix}/{name}", content),
        lambda name: drawer.delete(f"{prefix}/{name}"),
    )


class CollectingContainer(FakeContainer):
    """One process that collects. ``wall`` is the time by which files settle: tomorrow, and moved by hand only."""

    def __init__(self, folder: Path, *sources: str, **settings: object) -> None:
        super().__init__(
            folder,
            settings=Settings.model_validate(
                {"data_dir": folder, "sources": sources, "settle_s": 0.0, "collect_every_s": 0.001, **settings}
            ),
        )
        self.wall = ManualClock(datetime.now(UTC) + timedelta(days=1))
        self.clock = self.wall

    def collect(self, name: str | None = None, *, again: bool = False) -> list[Collected]:
        found = [source for source in self.collector.sources if name in (None, source.name)]
        return [one for source in found for one in self.collector.collect(source, again=again)]

    def outcomes(self, name: str | None = None, *, again: bool = False) -> dict[str, str]:
        """Of each file that something happened to: what, or the code."""
        return {
            one.key: one.code if one.outcome is Outcome.REFUSED and one.code else one.outcome.value
            for one in self.collect(name, again=again)
        }

    def score(self) -> int:
        """Run every job that is due; how many ended."""
        ended = 0
        while done := sum(getattr(seen, "ended", False) for _, seen in self.jobs.run_due()):
            ended += done
        return ended
