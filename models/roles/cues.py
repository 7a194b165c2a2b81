"""Speaker roles from script cues and question patterns: never from who speaks first or who speaks more.

Guarantee: pure once the cue tables are read; where the text does not tell, the answer is unknown.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt
from ruamel.yaml import YAML

from qa_service.domain.conversation import EngineRun, SpeakerRole, TextOverlay
from qa_service.domain.text import fold, is_han
from qa_service.pinyin import syllables
from qa_service.ports import RoleAttribution, RoleCue

_FOLDER = Path(__file__).parent
_MIN_SOUND_CHARACTERS = 3  # shorter phrases sound like too many others
_GAP = "…"
_MAX_GAP = 24  # characters


class CueGroup(BaseModel):
    """Phrases that tell the same thing; ``weight`` in log-odds each, at most ``most`` of them count."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: PositiveFloat
    most: PositiveInt
    phrases: tuple[str, ...] = Field(min_length=1)


class CueTable(BaseModel):
    """The cues of one language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent: tuple[CueGroup, ...]
    customer: tuple[CueGroup, ...]
    system: tuple[CueGroup, ...]


@dataclass(frozen=True, slots=True)
class CueOptions:
    """``scale``: of the tables' log-odds, which are not independent; ``one_sided``: of those where only the agent
    speaks like one, or only the customer: a rude agent says nothing that tells, and a polite customer asks for a
    staff number; ``min_probability``: below it a role is unknown; ``system_share``: of the system's cues against
    all others before a voice is an announcement."""

    scale: float = 0.7
    one_sided: float = 0.5
    min_probability: float = 0.9
    system_share: float = 0.5


class ScriptCues:
    """Implements ``RoleAttributor``."""

    def __init__(self, *, options: CueOptions | None = None) -> None:
        self._options = options or CueOptions()

    @property
    def run(self) -> EngineRun:
        options = tuple((name, str(value)) for name, value in sorted(asdict(self._options).items()))
        return EngineRun("roles", "script-cues", ",".join(sorted(self._tables)), self._revision, "cpu", options)

    def attribute(self, said: Sequence[TextOverlay], language: str) -> RoleAttribution:
        """Roles of a channel's speakers. Exactly one is the agent, or nobody's role is known.

        The probability is that of the two who matter: that the most agent-like speaker is the agent rather than
        the next one. With three speakers and more, one without customer's cues of their own stays unknown.
        """
        unknown = (SpeakerRole.UNKNOWN,) * len(said)
        table = self._tables.get(language)
        if table is None or len(said) < 2:
            return RoleAttribution(unknown, 0.0)
        evidence = [_Evidence.of(text, table) for text in said]
        people = [i for i, found in enumerate(evidence) if not found.is_system(self._options.system_share)]
        if len(people) < 2:
            return RoleAttribution(unknown, 0.0)
        ranked = sorted(people, key=lambda i: evidence[i].margin, reverse=True)
        lead = evidence[ranked[0]].margin - evidence[ranked[1]].margin
        both = evidence[ranked[0]].agent and any(evidence[i].customer for i in ranked[1:])
        scale = self._options.scale * (1.0 if both else self._options.one_sided)
        probability = 1 / (1 + math.exp(-scale * lead))
        if probability < self._options.min_probability:
            return RoleAttribution(unknown, probability)
        roles = [SpeakerRole.SYSTEM] * len(said)
        for index in people:
            known = len(people) == 2 or evidence[index].customer > evidence[index].agent
            roles[index] = SpeakerRole.CUSTOMER if known else SpeakerRole.UNKNOWN
        roles[ranked[0]] = SpeakerRole.AGENT
        cues = tuple(
            RoleCue(index, start, end)
            for index, role in enumerate(roles)
            for start, end in _cues_of(said[index], table, role)
        )
        return RoleAttribution(tuple(roles), probability, cues)

    @cached_property
    def _tables(self) -> Mapping[str, CueTable]:
        return {path.stem: CueTable.model_validate(YAML(typ="safe").load(path)) for path in _files()}

    @cached_property
    def _revision(self) -> str:
        return hashlib.sha256(b"".join(path.read_bytes() for path in _files())).hexdigest()[:16]


def _files() -> list[Path]:
    return sorted(_FOLDER.glob("*.yaml"))


@dataclass(frozen=True, slots=True)
class _Evidence:
    """Log-odds found in one speaker's words."""

    agent: float
    customer: float
    system: float

    @classmethod
    def of(cls, text: TextOverlay, table: CueTable) -> "_Evidence":
        return cls(*(_weight(text, groups) for groups in (table.agent, table.customer, table.system)))

    @property
    def margin(self) -> float:
        return self.agent - self.customer

    def is_system(self, share: float) -> bool:
        return self.system > share * (self.system + self.agent + self.customer)


def _weight(text: TextOverlay, groups: Sequence[CueGroup]) -> float:
    return sum(group.weight * min(group.most, sum(_said(p, text) for p in group.phrases)) for group in groups)


def _cues_of(text: TextOverlay, table: CueTable, role: SpeakerRole) -> list[tuple[int, int]]:
    """Where in the text the cues of ``role`` stand, the weightiest first."""
    groups = {SpeakerRole.AGENT: table.agent, SpeakerRole.CUSTOMER: table.customer}.get(role, ())
    places = (
        _place(phrase, text)
        for group in sorted(groups, key=lambda group: -group.weight)
        for phrase in group.phrases
    )
    return [place for place in places if place is not None]


def _said(phrase: str, text: TextOverlay) -> bool:
    return _place(phrase, text) is not None


def _place(phrase: str, text: TextOverlay) -> tuple[int, int] | None:
    """Where the phrase is in the text, word for word or, in Mandarin, by its sound; ``…`` is a few words."""
    parts, sounds = _parts(phrase)
    if not is_han(parts[0][0]):
        spaced = f" {text.folded} "
        found = _follow([_places(f" {part} ", spaced) for part in parts])
        return None if found is None else (found[0], found[1] - 2)  # the spaces around it
    found = _follow([_places(part, text.folded) for part in parts])
    if found is None and min(map(len, parts)) >= _MIN_SOUND_CHARACTERS:
        found = _follow([_sound_places(sound, text.syllables) for sound in sounds])
    return found


@cache
def _parts(phrase: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """A phrase of a table between its gaps, folded, and how each part sounds."""
    parts = tuple(fold(part).text for part in phrase.split(_GAP))
    return parts, tuple(syllables(part) for part in parts)


def _follow(places: Sequence[Sequence[tuple[int, int]]]) -> tuple[int, int] | None:
    """The first place of all parts in a row, each after one of the part before, within reach; None: nowhere."""
    rows = list(places[0])
    for later in places[1:]:
        rows = [
            (first, end) for first, before in rows for start, end in later if 0 <= start - before + 1 <= _MAX_GAP
        ]
    return min(rows, default=None)


def _places(part: str, text: str) -> list[tuple[int, int]]:
    found = []
    start = text.find(part)
    while start >= 0:
        found.append((start, start + len(part)))
        start = text.find(part, start + 1)
    return found


def _sound_places(sound: tuple[str, ...], heard: Sequence[str]) -> list[tuple[int, int]]:
    ends = range(len(sound), len(heard) + 1)
    return [(end - len(sound), end) for end in ends if tuple(heard[end - len(sound) : end]) == sound]
