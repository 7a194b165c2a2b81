"""One round through a source: what is new is received and queued, what was told since counts.

Guarantee: a file that is still being written is left alone; what was received is known again by size and stamp, so
that a round without changes is one listing; a round may be cut off anywhere and is made up for by the next.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from qa_service.domain.call import CallMetadata
from qa_service.errors import InputError, QAError, TransientError
from qa_service.ports import COLLECT_PRIORITY
from qa_service.ports.sources import (
    CallFiles,
    CallMetadataSource,
    Listed,
    Received,
    Seen,
    SeenState,
    Source,
    Unreadable,
)
from qa_service.services.collecting import Collected, Means, Outcome
from qa_service.services.keys import stage_key

RETELL_S = 15 * 60.0
"""A table that is written to all day is never settled: what it tells of known calls is read so often."""

_AT_ONCE = 500
_UNREADABLE = "file_unreadable"
_GONE = frozenset({"file_missing", "side_missing"})


class Round:
    """Through one source. ``finished`` is False when it was cut off by ``is_late``, which is not before something
    was received: a long archive would otherwise never be seen to its end."""

    def __init__(
        self,
        means: Means,
        source: Source,
        *,
        again: bool,
        is_late: Callable[[], bool],
        keep: Callable[[], None],
        warn: Callable[[str], None],
    ) -> None:
        """
        Args:
            means: what it is made with.
            source: where to look.
            again: try refused files too.
            is_late: whether to stop.
            keep: called now and then; raises when another collects here by now.
            warn: told what is wrong with metadata and harms no recording.
        """
        self._means = means
        self._source = source
        self._again = again
        self._is_late = is_late
        self._keep = keep
        self._warn = warn
        self._kept_at = time.monotonic()
        self._further = False
        self.finished = False

    def run(self) -> Iterator[Collected]:
        """Raises TransientError or another QAError where nothing more can be done now."""
        tables: list[Listed] = []
        unreadable: list[tuple[Seen, Listed]] = []
        for files in _some(self._source.walk()):
            due = self._due(files)
            seen = self._seen(due)
            tables += [file for file in due if file.table]
            yield from self._unlisted([file for file in due if file.stamp.startswith(_UNLISTED)], seen)
            before = {file.key: seen[file.key] for file in due if self._was_unreadable(file, seen.get(file.key))}
            unreadable += [(before[file.key], file) for file in due if file.key in before]
            yield from self._take([file for file in due if _is_recording(file) and file.key not in before], seen)
            if self._late():
                return
        given = self._means.given_table()
        for table in (*tables, *([given] if given else [])):
            yield from self._retell(table, everywhere=table is given)
            if self._late():
                return
        self.finished = True  # what follows is worth no round by itself
        yield from self._try_again(sorted(unreadable, key=lambda one: one[0].since))

    # --- what is listed -----------------------------------------------------------------------------------------

    def _due(self, files: Sequence[Listed]) -> Sequence[Listed]:
        """What is new, changed, growing, or asked for again."""
        done = [SeenState.TAKEN, *([] if self._again else [SeenState.REFUSED, SeenState.WAITING])]
        with self._means.units_to_read() as unit:
            unchanged = unit.sources.unchanged(self._source.name, files, done, but=_UNREADABLE)
        return [file for file in files if file.key not in unchanged]

    def _was_unreadable(self, file: Listed, seen: Seen | None) -> bool:
        """By its permissions, an archive it must come back from, or a share that broke off: none of it changes the
        file. It comes last, so that many of them keep nothing new waiting."""
        unreadable = seen is not None and seen.state is SeenState.REFUSED and seen.code == _UNREADABLE
        return unreadable and not self._again and not _differs(file, seen)

    def _try_again(self, files: Sequence[tuple[Seen, Listed]]) -> Iterator[Collected]:
        """From the one that was tried longest ago on, as the time may be over before the last."""
        for start in range(0, len(files), _AT_ONCE):
            some = files[start : start + _AT_ONCE]
            yield from self._take([file for _, file in some], {seen.key: seen for seen, _ in some})
            if self._late():
                return

    def _seen(self, files: Collection[Listed]) -> Mapping[str, Seen]:
        with self._means.units() as unit:
            return unit.sources.seen(self._source.name, [file.key for file in files])

    def _unlisted(self, folders: Sequence[Listed], seen: Mapping[str, Seen]) -> Iterator[Collected]:
        for folder in folders:
            reason = folder.stamp.removeprefix(_UNLISTED)
            fault = InputError(
                "folder_unreadable", f"the folder cannot be listed ({reason}): check its permissions and its disk"
            )
            yield from self._refuse([folder], fault, seen)

    # --- new files ----------------------------------------------------------------------------------------------

    def _take(self, files: Sequence[Listed], seen: Mapping[str, Seen]) -> Iterator[Collected]:
        settled: list[Listed] = []
        growing: list[Listed] = []
        for file in files:
            (settled if self._is_settled(file, seen.get(file.key)) else growing).append(file)
        self._leave(growing, seen)
        if not settled:
            return
        by_path = {self._source.path(file.key): file for file in settled}
        for call in self._metadata.calls(list(by_path)):
            paths = (call.path,) if call.second is None else (call.path, call.second)
            sides = [by_path.get(path) or self._source.look(path) for path in paths]
            yield from self._call(call, sides, seen)
            if self._late():
                return

    def _call(
        self, call: CallFiles, sides: Sequence[Listed | None], seen: Mapping[str, Seen]
    ) -> Iterator[Collected]:
        here = [side for side in sides if side is not None]
        if call.second is not None and self._are_apart(call.path, call.second):
            call = replace(call, fault=_apart(call))
        if isinstance(call.fault, TransientError):
            raise call.fault
        if call.fault is not None:
            yield from self._refuse(here, call.fault, seen)
        elif len(here) < len(sides):
            if here:
                yield from self._wait(here[0], seen)
        elif not self._are_settled(here, seen):
            self._leave(here, seen)
        else:
            try:
                yield self._received(call, here)
            except TransientError:
                raise
            except InputError as error:
                if error.code == "file_changing":
                    self._leave(here, {})
                elif error.code not in _GONE:  # else it vanished since it was listed
                    if error.code == _UNREADABLE:
                        self._source.check()
                    yield from self._refuse(here, error, seen)

    def _are_apart(self, first: Path, second: Path) -> bool:
        """Whether the other side, coming alone, would be taken for a call: its own folder does not tell of it."""
        return os.path.normpath(first.parent) != os.path.normpath(second.parent) and not self._means.given_table()

    def _received(self, call: CallFiles, sides: Sequence[Listed]) -> Collected:
        told = self._metadata.of(call)
        self._check_room(sides)
        self._further = True
        ingest = self._means.ingest
        if told is not None:
            ingest = ingest.checked(lambda known: self._check_twins(known, told, sides))
        received = self._source.receive(ingest, sides[0], sides[1] if len(sides) > 1 else None)
        recording_id = received.recording.id
        outcome = self._tell(received, told)
        now = self._means.clock.now()
        self._remember(
            Seen(side.key, side.size_bytes, side.stamp, SeenState.TAKEN, now, recording_id, _digest(told))
            for side in sides
        )
        return Collected(self._source.name, sides[0].key, outcome, recording_id)

    def _check_room(self, sides: Sequence[Listed]) -> None:
        """Before anything is copied: what is too large, or finds no room on the disk, is not scored anyway."""
        most = self._means.max_file_bytes
        if (size := max(side.size_bytes for side in sides)) > most:
            raise InputError(
                "file_too_large",
                f"the file has {size / 1024**2:.0f} MiB, more than the {most / 1024**2:.0f} allowed: export it "
                "compressed, or raise QA_MAX_FILE_BYTES",
            )
        if not self._means.has_space():
            raise TransientError(
                "disk_full", "the data disk has less room than QA_MIN_FREE_BYTES: make room, or lower that"
            )

    def _tell(self, received: Received, told: CallMetadata | None) -> Outcome:
        """Store what is known, and queue the call where that makes a difference.

        What was never evaluated is left to the nightly run where there is one; a call that one came to before, and
        that something new is told about, would never come up there again.
        """
        ingest, jobs = self._means.ingest, self._means.jobs
        now = ingest.tell(received, told) if told is not None else received
        changed = now.metadata != received.metadata
        evaluated = not received.new and self._is_evaluated(received)
        past = evaluated or (changed and not received.new and self._has_job(received))
        if (changed and past) or not (evaluated or self._means.at_night):
            jobs.enqueue(now.recording, now.metadata, pack=None, priority=COLLECT_PRIORITY)
        return Outcome.NEW if received.new else Outcome.TOLD if changed else Outcome.KNOWN

    def _is_evaluated(self, received: Received) -> bool:
        with self._means.units() as unit:
            return unit.evaluations.latest(received.recording.id) is not None

    def _has_job(self, received: Received) -> bool:
        with self._means.units_to_read() as unit:
            return unit.jobs.any_of(received.recording.id)

    def _check_twins(self, received: Received, told: CallMetadata, sides: Sequence[Listed]) -> None:
        """The same bytes under two names are one call: unless the first name is gone, both must say the same."""
        names = self._metadata.contradictions(received.metadata, told)
        if not names:
            return
        own = {(self._source.name, side.key) for side in sides}
        with self._means.units_to_read() as unit:
            places = unit.sources.places(received.recording.id)
        for name, key in places:
            source = self._means.sources.get(name)
            if (name, key) not in own and source and source.look(source.path(key)) is not None:
                raise InputError(
                    "metadata_conflict",
                    f"{sides[0].key} and {key} hold the same recording, and their metadata disagree "
                    f"({', '.join(names)}): correct the row of one, or export its own recording",
                )

    # --- late metadata ------------------------------------------------------------------------------------------

    def _retell(self, table: Listed, *, everywhere: bool) -> Iterator[Collected]:
        """What a changed table tells of calls that are known, or could not be taken before."""
        seen = self._seen([table]).get(table.key)
        now = self._means.clock.now()
        if not _differs(table, seen) and seen is not None and seen.state is SeenState.TAKEN:
            return
        if not self._is_settled(table, None) and (seen is None or now - seen.since < timedelta(seconds=RETELL_S)):
            if seen is None:
                self._leave([table], {})
            return
        folder = None if everywhere else self._source.path(table.key).parent
        for files in _some(self._source.walk(folder)):
            known = self._seen(files)
            same = [file for file in files if _is_recording(file) and not _differs(file, known.get(file.key))]
            by_path = {self._source.path(file.key): file for file in same}
            for call in self._metadata.calls(list(by_path)) if same else ():
                yield from self._told(call, by_path.get(call.path), known)
                if self._late():
                    return
        self._remember([Seen(table.key, table.size_bytes, table.stamp, SeenState.TAKEN, now)])

    def _told(self, call: CallFiles, first: Listed | None, known: Mapping[str, Seen]) -> Iterator[Collected]:
        second = None if call.second is None else self._source.look(call.second)
        sides = [first or self._source.look(call.path), *([second] if call.second else [])]
        rows = {**known, **self._seen([side for side in sides if side and side.key not in known])}
        seen = [rows.get(side.key) if side else None for side in sides]
        recordings = {row.recording_id for row in seen if row and row.state is SeenState.TAKEN}
        if None in recordings:
            return  # deleted since: it does not come back because a table changed
        if len(recordings) != 1 or any(row is None for row in seen):
            yield from self._call(call, sides, rows)  # not taken before, or as another call
            return
        with self._means.units() as unit:
            recording = unit.recordings.get(next(number for number in recordings if number is not None))
            metadata = unit.metadata.get(recording.id)
        if (recording.second_path is not None) != (call.second is not None):
            yield from self._call(call, sides, rows)
            return
        try:
            told = self._metadata.of(call)
        except InputError as error:  # what was known stays
            yield self._event(Outcome.REFUSED, call, rows, error)
            return
        if told is None or all(row and row.told == _digest(told) for row in seen):
            return
        self._further = True
        outcome = self._tell(Received(recording, metadata, new=False), told)
        self._remember(replace(row, told=_digest(told)) for row in seen if row)
        if outcome is Outcome.TOLD:
            key = next(row.key for row in seen if row)
            yield Collected(self._source.name, key, outcome, recording.id)

    def _event(self, outcome: Outcome, call: CallFiles, rows: Mapping[str, Seen], error: QAError) -> Collected:
        key = next((key for key in rows if self._source.path(key) == call.path), call.path.name)
        return Collected(self._source.name, key, outcome, code=error.code, message=error.message)

    # --- what is remembered -------------------------------------------------------------------------------------

    def _is_settled(self, file: Listed, seen: Seen | None) -> bool:
        """Unchanged for long enough, by its own time or by ours: another machine's clock may be ahead."""
        if file.changed_at is None:
            return True
        now = self._means.clock.now()
        if now.timestamp() - file.changed_at >= self._means.settle_s:
            return True
        return (
            seen is not None
            and not _differs(file, seen)
            and now - seen.since >= timedelta(seconds=self._means.settle_s)
        )

    def _are_settled(self, sides: Sequence[Listed], seen: Mapping[str, Seen]) -> bool:
        unknown = self._seen([side for side in sides if side.key not in seen])
        return all(self._is_settled(side, seen.get(side.key) or unknown.get(side.key)) for side in sides)

    def _leave(self, files: Sequence[Listed], seen: Mapping[str, Seen]) -> None:
        """To be looked at again in the next round."""
        now = self._means.clock.now()
        self._remember(
            Seen(file.key, file.size_bytes, file.stamp, SeenState.GROWING, now)
            for file in files
            if _differs(file, seen.get(file.key)) or seen[file.key].state is not SeenState.GROWING
        )

    def _wait(self, file: Listed, seen: Mapping[str, Seen]) -> Iterator[Collected]:
        known = seen.get(file.key)
        if known is not None and known.state is SeenState.WAITING and not _differs(file, known):
            return
        code, message = "side_missing", "the other side of the call is not there yet: it is taken when both are"
        now = self._means.clock.now()
        self._remember(
            [Seen(file.key, file.size_bytes, file.stamp, SeenState.WAITING, now, code=code, message=message)]
        )
        yield Collected(self._source.name, file.key, Outcome.WAITING, code=code, message=message)

    def _refuse(self, files: Sequence[Listed], error: QAError, seen: Mapping[str, Seen]) -> Iterator[Collected]:
        now = self._means.clock.now()
        for file in files:
            known = seen.get(file.key)
            as_before = known and known.state is SeenState.REFUSED and known.code == error.code
            as_before = as_before and not _differs(file, known) and not self._again
            if as_before and error.code != _UNREADABLE:
                continue
            refused = Seen(file.key, file.size_bytes, file.stamp, SeenState.REFUSED, now)
            self._remember([replace(refused, code=error.code, message=error.message)])
            if as_before:
                continue
            yield Collected(self._source.name, file.key, Outcome.REFUSED, code=error.code, message=error.message)

    def _remember(self, files: Iterable[Seen]) -> None:
        files = list(files)
        if not files:
            return
        with self._means.units() as unit:
            unit.sources.remember(self._source.name, files)
            unit.commit()

    def _late(self) -> bool:
        self._still_ours()
        return self._further and self._is_late()

    def _still_ours(self) -> None:
        if time.monotonic() - self._kept_at > _KEEP_S:
            self._keep()
            self._kept_at = time.monotonic()

    @cached_property
    def _metadata(self) -> CallMetadataSource:
        """Read when the first file needs it: a quiet round opens nothing."""
        return self._means.told_by(self._source, self._warn)


_UNLISTED = "unlisted: "
_KEEP_S = 10.0


def _apart(call: CallFiles) -> InputError:
    return InputError(
        "pair_invalid",
        f"{call.path.name} and its second_file lie in different folders: put both into one, or name them in the "
        "table of QA_SOURCE_METADATA",
        path=str(call.path),
    )


def _some(found: Iterable[Listed | Unreadable]) -> Iterator[Sequence[Listed]]:
    """A few hundred at a time."""
    some: list[Listed] = []
    for one in found:
        some.append(one if isinstance(one, Listed) else Listed(one.key, 0, _UNLISTED + one.reason, None))
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _is_recording(file: Listed) -> bool:
    return not file.table and not file.stamp.startswith(_UNLISTED)


def _differs(file: Listed, seen: Seen | None) -> bool:
    return seen is None or (file.size_bytes, file.stamp) != (seen.size_bytes, seen.stamp)


def _digest(told: CallMetadata | None) -> str | None:
    return None if told is None else stage_key("told", metadata=told)
