"""Speaker roles from script cues and question patterns: never from who speaks first or who speaks more.

Guarantee: pure once the cue tables are read; where the text does not tell, the answer is unknown.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt
from ruamel.yaml import YAML

from qa_service.domain.conversation import EngineRun, SpeakerRole, TextOverlay
from qa_service.domain.text import fold, is_han
from qa_service.pinyin import syllables
from qa_service.ports import RoleAttribution

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
    """``scale``: of the tables' log-odds, which are not independent; ``min_probability``: below it a role is
    unknown; ``system_share``: of the system's cues against all others before a voice is an announcement."""

    scale: float = 0.7
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
        probability = 1 / (1 + math.exp(-self._options.scale * lead))
        if probability < self._options.min_probability:
            return RoleAttribution(unknown, probability)
        roles = [SpeakerRole.SYSTEM] * len(said)
        for index in people:
            known = len(people) == 2 or evidence[index].customer > evidence[index].agent
            roles[index] = SpeakerRole.CUSTOMER if known else SpeakerRole.UNKNOWN
        roles[ranked[0]] = SpeakerRole.AGENT
        return RoleAttribution(tuple(roles), probability)

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


def _said(phrase: str, text: TextOverlay) -> bool:
    """Whether the phrase is in the text, word for word or, in Mandarin, by its sound; ``…`` is a few words."""
    parts = [fold(part).text for part in phrase.split(_GAP)]
    if not is_han(parts[0][0]):
        spaced = f" {text.folded} "
        return _follow([_places(f" {part} ", spaced) for part in parts])
    if _follow([_places(part, text.folded) for part in parts]):
        return True
    if min(map(len, parts)) < _MIN_SOUND_CHARACTERS:
        return False
    return _follow([_sound_places(part, text.syllables) for part in parts])


def _follow(places: Sequence[Sequence[tuple[int, int]]]) -> bool:
    """Whether one place of each part comes after one of the part before, within reach."""
    ends = [end for _, end in places[0]]
    for later in places[1:]:
        ends = [end for start, end in later if any(0 <= start - before + 1 <= _MAX_GAP for before in ends)]
    return bool(ends)


def _places(part: str, text: str) -> list[tuple[int, int]]:
    found = []
    start = text.find(part)
    while start >= 0:
        found.append((start, start + len(part)))
        start = text.find(part, start + 1)
    return found


def _sound_places(part: str, heard: Sequence[str]) -> list[tuple[int, int]]:
    sound = syllables(part)
    ends = range(len(sound), len(heard) + 1)
    return [(end - len(sound), end) for end in ends if tuple(heard[end - len(sound) : end]) == sound]
