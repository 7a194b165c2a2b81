"""The checks, in the order in which they are shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from qa_service.errors import ConfigurationError
from qa_service.services.diagnosis import Check, Finding, failed
from qa_service.settings import Settings, load_settings
from worker.doctor import broker, configuration, machine, packs, sources, speech, storage, store

SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Entry:
    """One check. ``timeout_s``: many times what it takes on a slow machine that works."""

    name: str
    look: Callable[[Settings], Finding]
    timeout_s: float


CHECKS: tuple[Entry, ...] = (
    Entry(SETTINGS, configuration.settings, 10),
    Entry("database", store.database, 45),  # SQLite waits 30 s for a lock
    Entry("broker", broker.broker, 40),
    Entry("blob store", storage.blobs, 30),
    Entry("sources", sources.sources, 60),  # a folder of a thousand files on a slow share
    Entry("temporary folder", storage.temporary, 30),
    Entry("models", speech.models, 180),  # a large model is read from a slow disk
    Entry("device", speech.device, 90),  # torch and CUDA take their time when they start for the first time
    Entry("decoder", speech.decoder, 60),
    Entry("rule packs", packs.packs, 60),
    Entry("clock", machine.clock, 10),
    Entry("processor and memory", machine.capacity, 10),
)


def checks(entries: Sequence[Entry] = CHECKS) -> list[Check]:
    """The checks of this machine as it is set up; with wrong settings nobody knows what to look at."""
    try:
        settings = load_settings()
    except ConfigurationError as error:
        wrong = failed(
            f"{error.code}: {error.message}", "correct what is named; docs/configuration.md says what is allowed"
        )
        unseen = failed("not looked at: the settings are wrong", "correct the settings, then run it again")
        return [
            Check(entry.name, partial(_told, wrong if entry.name == SETTINGS else unseen), entry.timeout_s)
            for entry in entries
        ]
    return [Check(entry.name, partial(entry.look, settings), entry.timeout_s) for entry in entries]


def _told(finding: Finding) -> Finding:
    return finding
