"""Which files are one call.

Guarantee: no file is scored twice, or as one side of one call and as another call; what is contradictory about a
file fails with a code, and only the calls that it concerns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qa_service.adapters.discovery import place
from qa_service.errors import InputError, QAError
from qa_service.ports.sources import CallFiles


@dataclass(frozen=True, slots=True)
class Legs:
    """The two files that a recording's name speaks of, and the name without what tells them apart."""

    first: Path
    second: Path
    common: Path


def legs_of(path: Path, suffixes: tuple[str, str]) -> Legs | None:
    """``X-out.wav`` and ``X-in.wav`` for either of them, with the suffixes ``-out`` and ``-in``."""
    for suffix in suffixes:
        if path.stem.endswith(suffix):
            call = path.stem.removesuffix(suffix)
            first, second = (path.with_name(f"{call}{end}{path.suffix}") for end in suffixes)
            return Legs(first, second, path.with_name(f"{call}{path.suffix}") if call else path)
    return None


def pair(files: Sequence[Path], *, sides: Callable[[Path], tuple[Path, Path] | None]) -> list[CallFiles]:
    """The calls of ``files`` in their order; a call stands where the first of its files does.

    Args:
        files: paths, each file once.
        sides: the two files of the call that a file belongs to, None when it is a call by itself; raises
            QAError when that is contradictory.
    """
    spelled = {place(file): file for file in files}
    calls: dict[tuple[str, ...], CallFiles] = {}
    for file in files:
        try:
            both = sides(file)
        except QAError as error:
            calls[(place(file),)] = CallFiles(file, fault=error)
            continue
        named = both or (file,)
        key = tuple(map(place, named))
        if key not in calls:
            # As the list spells them, where it holds them.
            first, *rest = (spelled.get(one, path) for one, path in zip(key, named, strict=True))
            calls[key] = CallFiles(first, rest[0] if rest else None)
    users: dict[str, list[CallFiles]] = {}
    for call in calls.values():
        for path in call.paths if call.second else ():
            users.setdefault(place(path), []).append(call)
    return [_unless_shared(call, users) for call in calls.values() if call.second or place(call.path) not in users]


def _unless_shared(call: CallFiles, users: Mapping[str, Sequence[CallFiles]]) -> CallFiles:
    """``call``, with a fault when one of its files is a side of another call too."""
    for path in call.paths:
        sharing = users.get(place(path), ())
        if len(sharing) > 1:
            names = " and ".join(" + ".join(p.name for p in other.paths) for other in sharing)
            fault = InputError(
                "pair_invalid",
                f"{path.name} is in more than one call ({names}): correct second_file or QA_LEG_SUFFIXES",
                path=str(path),
            )
            return replace(call, fault=fault)
    return call
